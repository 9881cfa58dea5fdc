#include "server/store/compaction.h"

#include "server/store/hash.h"
#include "server/store/memory.h"
#include "server/store/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum {
    NONE = KEYSPACE_EXPIRY_NONE,
    KEY_COUNT = 12000,
    KEPT_EVERY = 4,
    HASH_EVERY = 8,
    TICK_MS = 10,
    TICKS_MAX = 2000,
};
static const int64_t NOW = 1700000000000;
static char text[3000];

static struct key
key_of(struct keyspace *keyspace, unsigned number, char name[32])
{
    snprintf(name, 32, "key:%u", number);
    return keyspace_key(keyspace, number % 3, slice_from_string(name));
}

static size_t
size_of(unsigned number)
{
    return 400 + number / KEPT_EVERY % 2 * 200 + number % 3; /* of two classes */
}

/* A string, or a hash: packed, or in table form because of its long value. */
static void
put(struct keyspace *keyspace, unsigned number)
{
    char name[32];
    struct key key = key_of(keyspace, number, name);
    struct slice body = slice_make(text + number % 100, size_of(number));
    keyspace_lock(keyspace, &key, 1);
    if (number % HASH_EVERY == 0) {
        struct entry *entry = keyspace_add_hash_locked(keyspace, &key, 0, 0);
        assert_non_null(entry);
        struct slice value = slice_make(body.data, number % 16 == 0 ? 10 : body.size);
        assert_int_equal(hash_set(entry_hash(entry), SLICE_OF("field"), value), HASH_ADDED);
        assert_int_equal(hash_set(entry_hash(entry), SLICE_OF("name"), key.name), HASH_ADDED);
        keyspace_changed_locked(keyspace, &key);
    } else {
        struct value value = {.body = body};
        assert_true(keyspace_set_locked(keyspace, &key, &value, NONE));
    }
    keyspace_unlock(keyspace, &key, 1);
}

static void
check(struct keyspace *keyspace, unsigned number)
{
    char name[32];
    struct key key = key_of(keyspace, number, name);
    struct slice body = slice_make(text + number % 100, size_of(number));
    keyspace_lock(keyspace, &key, 1);
    struct entry *entry = keyspace_peek_locked(keyspace, &key, NOW);
    assert_non_null(entry);
    if (number % HASH_EVERY == 0) {
        struct slice value;
        assert_true(hash_get(entry_hash(entry), SLICE_OF("name"), &value));
        assert_true(slice_equal(value, key.name));
        assert_true(hash_get(entry_hash(entry), SLICE_OF("field"), &value));
        assert_true(
            slice_equal(value, slice_make(body.data, number % 16 == 0 ? 10 : body.size)));
    } else {
        struct value value;
        entry_value(entry, &value);
        assert_true(slice_equal(value.body, body));
    }
    keyspace_unlock(keyspace, &key, 1);
}

static void
check_all(struct keyspace *keyspace)
{
    for (unsigned i = 0; i < KEY_COUNT; i += KEPT_EVERY)
        check(keyspace, i);
}

static uint64_t
charged(struct keyspace *keyspace)
{
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    return stats.memory_size;
}

static size_t
holes(void)
{
    struct memory_stats stats;
    memory_stats(&stats);
    return stats.holes;
}

/* A keyspace of which every fourth key is left. */
static int
setup(void **state)
{
    struct keyspace_options options = {
        .database_count = 3, .shard_count_log2 = 3, .hash_seed = 0x5e6e};
    struct keyspace *keyspace = keyspace_new(&options);
    assert_non_null(keyspace);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 26);
    for (unsigned i = 0; i < KEY_COUNT; i++)
        put(keyspace, i);
    for (unsigned i = 0; i < KEY_COUNT; i++) {
        char name[32];
        struct key key = key_of(keyspace, i, name);
        if (i % KEPT_EVERY == 0)
            continue;
        keyspace_lock(keyspace, &key, 1);
        assert_true(keyspace_delete_locked(keyspace, &key, NOW));
        keyspace_unlock(keyspace, &key, 1);
    }
    *state = keyspace;
    return 0;
}

static int
teardown(void **state)
{
    keyspace_free(*state);
    return 0;
}

static void
what_is_left_is_moved_together(void **state)
{
    struct keyspace *keyspace = *state;
    struct compaction compaction = {.rest_ms = 0};
    uint64_t before = charged(keyspace);
    int64_t now_ms = NOW;
    size_t sparse = holes();
    for (int i = 0; i < TICKS_MAX; i++) {
        now_ms += TICK_MS;
        (void)compaction_some(&compaction, keyspace, now_ms);
        (void)memory_trim(now_ms);
    }
    check_all(keyspace);
    assert_int_equal(charged(keyspace), before);
    if (!slab_is_there())
        skip(); /* a sanitizer watches every allocation */
    assert_true(sparse > 0);
    struct memory_stats stats;
    memory_stats(&stats);
    assert_true(stats.holes < sparse / 2);
    assert_int_equal(stats.free, 0);
    assert_false(compaction.is_running);
}

static void
entries_stay_where_they_are_without_memory(void **state)
{
    struct keyspace *keyspace = *state;
    uint64_t before = charged(keyspace);
    int64_t failed_count = 0;
    for (int64_t nth = 1; nth < 200; nth++) {
        struct keyspace_place place = {0};
        size_t moved_size = 0;
        (void)memory_fail_at(nth);
        (void)keyspace_compact(keyspace, &place, 300, &moved_size);
        failed_count += memory_fail_at(0) == 0;
    }
    assert_true(failed_count > 0 || !slab_is_there());
    check_all(keyspace);
    assert_int_equal(charged(keyspace), before);
}

static void
a_pass_that_is_of_no_use_is_not_repeated_at_once(void **state)
{
    (void)state;
    struct keyspace_options options = {.database_count = 1, .shard_count_log2 = 0};
    if (!slab_is_there())
        skip();
    struct keyspace *empty = keyspace_new(&options); /* the holes are not of its making */
    assert_non_null(empty);
    assert_true(holes() > 0);
    struct compaction compaction = {.rest_ms = 0};
    (void)compaction_some(&compaction, empty, NOW);
    assert_false(compaction.is_running);
    assert_int_equal(compaction.rest_ms, NOW);
    assert_false(compaction_some(&compaction, empty, NOW + 1000));
    assert_int_equal(compaction.rest_ms, NOW);
    (void)compaction_some(&compaction, empty, NOW - 1000); /* the clock was set back */
    assert_int_equal(compaction.rest_ms, NOW - 1000);
    keyspace_free(empty);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_left_is_moved_together, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_stay_where_they_are_without_memory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_pass_that_is_of_no_use_is_not_repeated_at_once, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
