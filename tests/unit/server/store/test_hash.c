#include "server/store/hash_life.h"

#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIELD_COUNT = 2000 };

static uint64_t
random_next(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 20;
}

static struct slice
name_of(int index)
{
    static char text[4][32];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof(text[turn]), "field:%d", index);
    return slice_from_string(text[turn]);
}

static void
release(struct hash *hash)
{
    size_t budget = 10;
    while (hash_free_some(hash, &budget))
        budget = 10;
}

static void
put(struct hash *hash, const char *field, const char *value)
{
    assert_int_not_equal(hash_set(hash, slice_from_string(field), slice_from_string(value)),
                         HASH_NO_MEMORY);
}

static void
assert_value(const struct hash *hash, const char *field, const char *expected)
{
    struct slice value;
    bool found = hash_get(hash, slice_from_string(field), &value);
    assert_int_equal(found, expected != NULL);
    if (found)
        assert_true(slice_equal(value, slice_from_string(expected)));
}

static void
a_packed_hash_keeps_the_order_of_insertion(void **state)
{
    (void)state;
    struct hash hash;
    hash_init(&hash);
    put(&hash, "one", "1");
    put(&hash, "two", "");
    put(&hash, "", "empty");
    put(&hash, "four", "4");
    put(&hash, "two", "a longer value than before");
    assert_true(hash_delete(&hash, SLICE_OF("one")));
    assert_false(hash_delete(&hash, SLICE_OF("one")));
    put(&hash, "one", "again");
    static const char *const expected[] = {"two", "", "four", "one"};
    size_t position = 0;
    struct slice field;
    struct slice value;
    for (int i = 0; i < 4; i++) {
        assert_true(hash_next(&hash, &position, &field, &value));
        assert_true(slice_equal(field, slice_from_string(expected[i])));
    }
    assert_false(hash_next(&hash, &position, &field, &value));
    assert_value(&hash, "two", "a longer value than before");
    assert_value(&hash, "", "empty");
    assert_value(&hash, "three", NULL);
    assert_true(hash_is_packed(&hash));
    release(&hash);
    assert_int_equal(hash_memory(&hash), 0);
}

static void
a_hash_becomes_a_table_beyond_its_limits(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'x', sizeof(text));
    for (int what = 0; what < 3; what++) {
        struct hash hash;
        hash_init(&hash);
        for (int i = 0; i < 128; i++)
            assert_int_equal(hash_set(&hash, name_of(i), slice_make(text, 64)), HASH_ADDED);
        assert_true(hash_is_packed(&hash));
        if (what == 0)
            assert_int_equal(hash_set(&hash, name_of(128), SLICE_OF("v")), HASH_ADDED);
        else if (what == 1)
            assert_int_equal(hash_set(&hash, name_of(5), slice_make(text, 65)), HASH_UPDATED);
        else
            assert_int_equal(hash_set(&hash, slice_make(text, 65), SLICE_OF("v")), HASH_ADDED);
        assert_false(hash_is_packed(&hash));
        assert_int_equal(hash_size(&hash), what == 1 ? 128 : 129);
        struct slice value;
        for (int i = 0; i < 128; i++) {
            assert_true(hash_get(&hash, name_of(i), &value));
            assert_int_equal(value.size, what == 1 && i == 5 ? 65 : 64);
        }
        release(&hash);
    }
    hash_set_limits(2, 3);
    struct hash hash;
    hash_init(&hash);
    put(&hash, "abc", "abc");
    put(&hash, "abd", "abc");
    assert_true(hash_is_packed(&hash));
    put(&hash, "abe", "abc");
    assert_false(hash_is_packed(&hash));
    release(&hash);
    hash_set_limits(128, 64);
}

/* The same as a plain array, in both forms, with allocations failing at times. */
static void
a_hash_holds_what_a_plain_array_holds(void **state)
{
    (void)state;
    static int lengths[FIELD_COUNT]; /* of the value; -1: absent */
    char text[300];
    memset(text, 'v', sizeof(text));
    uint64_t random = 1;
    for (int round = 0; round < 40; round++) {
        int fields = round % 2 ? 60 : FIELD_COUNT;
        int longest = round % 2 ? 64 : 300;
        size_t count = 0;
        struct hash hash;
        hash_init(&hash);
        for (int i = 0; i < fields; i++)
            lengths[i] = -1;
        for (int step = 0; step < fields * 8; step++) {
            int i = (int)(random_next(&random) % (uint64_t)fields);
            int growing = step < fields * 4 ? 3 : 1;
            if (step % 3 == 0)
                memory_fail_at(1 + (int64_t)(random_next(&random) % 4));
            if ((int)(random_next(&random) % 4) < growing) {
                int length = (int)(random_next(&random) % (uint64_t)(longest + 1));
                enum hash_set done =
                    hash_set(&hash, name_of(i), slice_make(text, (size_t)length));
                if (done == HASH_NO_MEMORY) {
                    assert_int_equal(memory_fail_at(0), 0);
                } else {
                    assert_int_equal(done, lengths[i] < 0 ? HASH_ADDED : HASH_UPDATED);
                    count += lengths[i] < 0;
                    lengths[i] = length;
                }
            } else {
                assert_int_equal(hash_delete(&hash, name_of(i)), lengths[i] >= 0);
                count -= lengths[i] >= 0;
                lengths[i] = -1;
            }
            memory_fail_at(0);
            assert_int_equal(hash_size(&hash), count);
        }
        struct hash copy;
        assert_true(hash_copy(&hash, &copy));
        assert_int_equal(hash_size(&copy), count);
        for (int i = 0; i < fields; i++) {
            struct slice value;
            assert_int_equal(hash_get(&hash, name_of(i), &value), lengths[i] >= 0);
            if (lengths[i] >= 0)
                assert_int_equal(value.size, lengths[i]);
            assert_int_equal(hash_get(&copy, name_of(i), &value), lengths[i] >= 0);
        }
        size_t position = 0;
        struct slice field;
        struct slice value;
        while (hash_next(&hash, &position, &field, &value))
            count--;
        assert_int_equal(count, 0);
        release(&hash);
        release(&copy);
    }
}

static void
a_value_may_be_made_of_bytes_of_the_hash(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        struct hash hash;
        hash_init(&hash);
        for (int i = 0; i < (large ? 200 : 5); i++)
            put(&hash, name_of(i).data, "0123456789abcdef");
        struct slice value;
        assert_true(hash_get(&hash, SLICE_OF("field:3"), &value));
        assert_int_equal(hash_set(&hash, SLICE_OF("field:1"), value), HASH_UPDATED);
        value = slice_make(value.data + 4, 8);
        assert_int_equal(hash_set(&hash, SLICE_OF("field:3"), value), HASH_UPDATED);
        assert_value(&hash, "field:1", "0123456789abcdef");
        assert_value(&hash, "field:3", "456789ab");
        assert_true(hash_get(&hash, SLICE_OF("field:1"), &value));
        assert_int_equal(hash_set(&hash, value, value), HASH_ADDED);
        assert_value(&hash, "0123456789abcdef", "0123456789abcdef");
        hash_set_limits(0, 64); /* the next one makes a table of it */
        assert_true(hash_get(&hash, SLICE_OF("field:4"), &value));
        assert_int_equal(hash_set(&hash, slice_make(value.data, 3), value), HASH_ADDED);
        assert_value(&hash, "012", "0123456789abcdef");
        hash_set_limits(128, 64);
        release(&hash);
    }
}

static unsigned seen[FIELD_COUNT];

static void
on_field(void *context, struct slice field, struct slice value)
{
    (void)context;
    (void)value;
    seen[atoi(field.data + 6)]++; /* the value follows: it starts with a letter */
}

static void
a_scan_sees_what_stays_at_least_once(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (int round = 0; round < 30; round++) {
        struct hash hash;
        hash_init(&hash);
        memset(seen, 0, sizeof(seen));
        int staying = round < 5 ? 20 : 150;
        for (int i = 0; i < staying; i++)
            assert_int_equal(hash_set(&hash, name_of(i), SLICE_OF("v")), HASH_ADDED);
        int next = staying;
        uint64_t cursor = 0;
        int calls = 0;
        do {
            cursor = hash_scan(&hash, cursor, 10, on_field, NULL);
            calls++;
            bool grows = random_next(&random) % 2 == 0;
            for (int i = 0; i < 300; i++) {
                if (grows && next < FIELD_COUNT)
                    (void)hash_set(&hash, name_of(next++), SLICE_OF("v"));
                else if (!grows && next > staying)
                    assert_true(hash_delete(&hash, name_of(--next)));
            }
        } while (cursor != 0);
        for (int i = 0; i < staying; i++)
            assert_true(seen[i] >= 1);
        assert_true(round >= 5 ? calls > 5 : calls == 1);
        release(&hash);
    }
}

static void
a_draw_is_uniform_in_both_forms(void **state)
{
    (void)state;
    uint64_t random = 77;
    for (int count = 1; count <= 1000; count *= 10) {
        struct hash hash;
        hash_init(&hash);
        memset(seen, 0, sizeof(seen));
        for (int i = 0; i < count; i++)
            assert_int_equal(hash_set(&hash, name_of(i), SLICE_OF("v")), HASH_ADDED);
        for (int i = 0; i < count * 200; i++) {
            struct slice field;
            struct slice value;
            hash_random(&hash, random_next(&random), &field, &value);
            on_field(NULL, field, value);
        }
        for (int i = 0; i < count; i++)
            assert_in_range(seen[i], 120, 280);
        release(&hash);
    }
}

static void
a_large_hash_is_freed_in_slices(void **state)
{
    (void)state;
    struct hash hash;
    hash_init(&hash);
    for (int i = 0; i < FIELD_COUNT; i++)
        assert_int_equal(hash_set(&hash, name_of(i), SLICE_OF("v")), HASH_ADDED);
    int slices = 0;
    size_t budget = 100;
    size_t memory = hash_memory(&hash);
    while (hash_free_some(&hash, &budget)) {
        assert_true(hash_memory(&hash) < memory);
        memory = hash_memory(&hash);
        budget = 100;
        slices++;
    }
    assert_in_range(slices, 15, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_hash_keeps_the_order_of_insertion),
        cmocka_unit_test(a_hash_becomes_a_table_beyond_its_limits),
        cmocka_unit_test(a_hash_holds_what_a_plain_array_holds),
        cmocka_unit_test(a_value_may_be_made_of_bytes_of_the_hash),
        cmocka_unit_test(a_scan_sees_what_stays_at_least_once),
        cmocka_unit_test(a_draw_is_uniform_in_both_forms),
        cmocka_unit_test(a_large_hash_is_freed_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
