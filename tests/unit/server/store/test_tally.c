#include "server/store/tally.h"

#include "server/store/keyspace.h"
#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NONE = KEYSPACE_EXPIRY_NONE };
static const int64_t NOW = 1700000000000;

/* What the store knows of a packed body: its head. */
#define PACKED(number, raw_size, bytes) SLICE_OF(number raw_size bytes)
#define RAW_256 "\x00\x01"
#define RAW_512 "\x00\x02"

static struct key
key_in(struct keyspace *keyspace, uint32_t db, const char *name)
{
    return keyspace_key(keyspace, db, slice_from_string(name));
}

static void
counts_are(struct keyspace *keyspace, unsigned dictionary, uint64_t entries, uint64_t raw_size,
           uint64_t packed_size)
{
    struct tally_sum sum;
    keyspace_packed(keyspace, dictionary, &sum);
    assert_int_equal(sum.entries, entries);
    assert_int_equal(sum.raw_size, raw_size);
    assert_int_equal(sum.packed_size, packed_size);
}

static void
rows_count_in_and_out(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct tally_sum sum = {0};
    tally_sum(&tally, 255, &sum);
    assert_int_equal(sum.entries, 0);
    for (unsigned number = 1; number < 256; number++) {
        assert_true(tally_reserve(&tally, number));
        tally_add(&tally, number, 1, 1000, 300 + number);
        tally_add(&tally, number, 1, 10, 5);
        tally_add(&tally, number, -1, 10, 5);
    }
    tally_sum(&tally, 255, &sum);
    tally_sum(&tally, 1, &sum);
    assert_int_equal(sum.entries, 2);
    assert_int_equal(sum.raw_size, 2000);
    assert_int_equal(sum.packed_size, 300 + 255 + 300 + 1);
    tally_clear(&tally);
    sum = (struct tally_sum){0};
    tally_sum(&tally, 1, &sum);
    assert_int_equal(sum.entries + sum.raw_size + sum.packed_size, 0);
    assert_true(tally.memory >= sizeof(struct tally_row) * 256);
    tally_fini(&tally);

    tally = (struct tally){0};
    memory_fail_at(1);
    assert_false(tally_reserve(&tally, 17));
    assert_true(tally_reserve(&tally, 17));
    tally_fini(&tally);
}

/* Through every change that an entry can go through. */
static void
packed_bodies_are_carried_along_and_counted(void **state)
{
    (void)state;
    const struct keyspace_options options = {.database_count = 4, .shard_count_log2 = 2};
    struct keyspace *keyspace = keyspace_new(&options);
    struct key a = key_in(keyspace, 0, "a");
    struct key b = key_in(keyspace, 1, "b");
    const struct value first = {.body = PACKED("\x05", RAW_512, "abcdefgh"), .is_packed = true};
    const struct value second = {.body = PACKED("\xff", RAW_256, "12345678"),
                                 .is_packed = true,
                                 .schema = 3,
                                 .version = 1};
    const struct value plain = {.body = PACKED("\x05", RAW_512, "abcdefgh")};
    keyspace_lock_all(keyspace);

    assert_true(keyspace_set_locked(keyspace, &a, &first, NONE));
    counts_are(keyspace, 5, 1, 512, 11);
    uint64_t revision = entry_revision(keyspace_peek_locked(keyspace, &a, NOW));
    assert_true(keyspace_set_locked(keyspace, &a, &plain, NONE)); /* the same bytes */
    counts_are(keyspace, 5, 0, 0, 0);
    struct entry *entry = keyspace_peek_locked(keyspace, &a, NOW);
    assert_false(entry_is_packed(entry));
    assert_true(entry_is_plain(entry));
    assert_int_not_equal(entry_revision(entry), revision);

    assert_true(keyspace_set_locked(keyspace, &a, &first, NONE));
    assert_true(keyspace_expire_locked(keyspace, &a, NOW + 1000)); /* another layout */
    entry = keyspace_peek_locked(keyspace, &a, NOW);
    assert_true(entry_is_packed(entry));
    assert_false(entry_is_plain(entry));
    counts_are(keyspace, 5, 1, 512, 11);

    assert_true(keyspace_move_locked(keyspace, &a, &b, true));
    counts_are(keyspace, 5, 2, 1024, 22);
    assert_true(keyspace_rebase_locked(keyspace, &b, &second));
    counts_are(keyspace, 5, 1, 512, 11);
    counts_are(keyspace, 255, 1, 256, 11);
    assert_true(keyspace_move_locked(keyspace, &a, &b, false));
    counts_are(keyspace, 5, 1, 512, 11);
    counts_are(keyspace, 255, 0, 0, 0);
    struct value value;
    entry_value(keyspace_peek_locked(keyspace, &b, NOW), &value);
    assert_true(value.is_packed && slice_equal(value.body, first.body));

    assert_null(keyspace_peek_locked(keyspace, &b, NOW + 2000)); /* expired */
    counts_are(keyspace, 5, 0, 0, 0);
    assert_true(keyspace_set_locked(keyspace, &b, &first, NONE));
    keyspace_flush_locked(keyspace, 1);
    counts_are(keyspace, 5, 0, 0, 0);
    keyspace_unlock_all(keyspace);
    keyspace_free(keyspace);
}

static void
without_memory_for_its_row_nothing_is_stored(void **state)
{
    (void)state;
    for (int64_t n = 1;; n++) {
        const struct keyspace_options options = {.database_count = 1, .shard_count_log2 = 2};
        struct keyspace *keyspace = keyspace_new(&options);
        struct key key = key_in(keyspace, 0, "a");
        const struct value plain = {.body = SLICE("plain")};
        const struct value packed = {.body = PACKED("\x05", RAW_512, "abcdefgh"),
                                     .is_packed = true};
        keyspace_lock_all(keyspace);
        assert_true(keyspace_set_locked(keyspace, &key, &plain, NONE));
        memory_fail_at(n);
        bool is_set = keyspace_set_locked(keyspace, &key, &packed, NONE);
        bool has_failed = memory_fail_at(0) == 0;
        struct value value;
        entry_value(keyspace_peek_locked(keyspace, &key, NOW), &value);
        assert_true(is_set || has_failed);
        assert_true(slice_equal(value.body, is_set ? packed.body : plain.body));
        assert_int_equal(value.is_packed, is_set);
        counts_are(keyspace, 5, is_set, is_set ? 512 : 0, is_set ? 11 : 0);
        keyspace_unlock_all(keyspace);
        keyspace_free(keyspace);
        if (!has_failed) {
            assert_true(n > 1);
            return;
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_count_in_and_out),
        cmocka_unit_test(packed_bodies_are_carried_along_and_counted),
        cmocka_unit_test(without_memory_for_its_row_nothing_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
