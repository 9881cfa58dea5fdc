#include "server/schema/repack.h"

#include "server/store/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEYS = 3000, SESSION_SIZE = 512 };

static const int64_t expiry_ms = 1000000000;

struct world {
    char directory[64];
    struct registry_holder *holder;
    struct keyspace *keyspace;
    struct repack *repack;
    struct packing_rules *rules;
    struct pack_context *context;
    int64_t now_ms;
};

static int
open_world(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct buffer error;
    buffer_init(&error, 0);
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    const struct keyspace_options options = {
        .database_count = 2, .shard_count_log2 = 4, .now_ms = 5000};
    world->holder = registry_open(world->directory, &error);
    world->keyspace = keyspace_new(&options);
    world->repack = repack_new(world->holder, world->keyspace, 2, false);
    world->rules = packing_rules_new(SLICE_OF("sess:* lz4"), NULL);
    world->context = pack_context_new();
    world->now_ms = 5000;
    buffer_fini(&error);
    *state = world;
    return world->holder == NULL || world->keyspace == NULL || world->repack == NULL ||
           world->rules == NULL || world->context == NULL;
}

static int
close_world(void **state)
{
    struct world *world = *state;
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", world->directory);
    repack_free(world->repack);
    keyspace_free(world->keyspace);
    registry_close(world->holder);
    packing_rules_free(world->rules);
    pack_context_free(world->context);
    free(world);
    return system(command);
}

static uint32_t
mix(uint32_t value)
{
    value = (value ^ value >> 16) * 0x45d9f3bu;
    value = (value ^ value >> 16) * 0x45d9f3bu;
    return value ^ value >> 16;
}

/* Two applications, whose sessions have little in common. */
static struct slice
session(unsigned number, bool is_other, char *out)
{
    int size =
        is_other
            ? snprintf(out, SESSION_SIZE,
                       "cart|a:3:{s:5:\"items\";i:%u;s:7:\"coupons\";s:8:\"%08x\";s:9:"
                       "\"delivery_\";O:8:\"stdClass\":1:{s:3:\"zip\";s:5:\"%05u\";}}flash|N;"
                       "_token|s:40:\"%08x%08x\";lastVisited|d:%u;theme|s:4:\"dark\";",
                       number, mix(number), number, mix(number + 9), mix(number + 7), number)
            : snprintf(out, SESSION_SIZE,
                       "{\"userId\":\"%u\",\"userName\":\"Ada Lovelace\",\"csrf\":\"%08x%08x\","
                       "\"cookie\":{\"originalMaxAge\":3600000,\"httpOnly\":true,\"path\":"
                       "\"/\"},\"history\":[{\"page\":\"/account\",\"at\":17900%u}]}",
                       number, mix(number), mix(number + 1), mix(number + 2));
    return slice_make(out, (size_t)size);
}

static struct key
key_of(struct world *world, unsigned number, char *name)
{
    int size = snprintf(name, 32, "sess:%u", number);
    return keyspace_key(world->keyspace, number % 2, slice_make(name, (size_t)size));
}

static void
store_all(struct world *world, bool is_other)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char name[32];
        char text[SESSION_SIZE];
        struct key key = key_of(world, i, name);
        const struct value value = {.body = session(i, is_other, text)};
        keyspace_lock(world->keyspace, &key, 1);
        assert_true(keyspace_set_locked(world->keyspace, &key, &value, expiry_ms));
        keyspace_unlock(world->keyspace, &key, 1);
    }
}

/* All values are whole; returns how many are packed. */
static unsigned
check_all(struct world *world, bool is_other)
{
    unsigned packed = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        char name[32];
        char text[SESSION_SIZE];
        char raw[PACK_SIZE_MAX];
        struct key key = key_of(world, i, name);
        struct slice expected = session(i, is_other, text);
        struct value value;
        keyspace_lock(world->keyspace, &key, 1);
        const struct entry *entry = keyspace_peek_locked(world->keyspace, &key, world->now_ms);
        assert_non_null(entry);
        assert_int_equal(entry_expiry_ms(entry), expiry_ms);
        assert_int_equal(entry_idle_s(entry, 5000), 0);
        entry_value(entry, &value);
        if (value.is_packed) {
            packed++;
            assert_int_equal(packed_raw_size(value.body), expected.size);
            assert_true(packed_open(world->context, keyspace_dictionaries(world->keyspace),
                                    value.body, raw));
            value.body = slice_make(raw, expected.size);
        }
        assert_true(slice_equal(value.body, expected));
        keyspace_unlock(world->keyspace, &key, 1);
    }
    return packed;
}

/* Until it rests with nothing more to do. */
static void
walk(struct world *world)
{
    for (int walks = 0; walks < 10; walks++) {
        bool must_pass;
        world->now_ms = 5000 + walks;
        unsigned steps = 0;
        while (repack_step(world->repack, world->rules, world->now_ms, &must_pass) ==
               REPACK_GOES_ON) {
            assert_true(++steps < 10000);
        }
        if (repack_rested_ms(world->repack) > world->now_ms) {
            return;
        }
    }
    fail_msg("it never rests");
}

static void
set_rules(struct world *world, const char *text)
{
    struct packing_rules *rules = packing_rules_new(slice_from_string(text), world->rules);
    packing_rules_free(world->rules);
    world->rules = rules;
    assert_non_null(rules);
}

static struct repack_stats
stats_of(struct world *world)
{
    struct repack_stats stats;
    repack_stats(world->repack, packing_rules_at(world->rules, 0), &stats);
    return stats;
}

static void
what_lies_there_is_packed_and_nobody_sees_it(void **state)
{
    struct world *world = *state;
    store_all(world, false);
    atomic_bool dirty = false;
    struct watch watch = {0};
    char name[32];
    struct key key = key_of(world, 7, name);
    keyspace_lock(world->keyspace, &key, 1);
    assert_true(keyspace_watch_locked(world->keyspace, &watch, &key, &dirty));
    keyspace_unlock(world->keyspace, &key, 1);
    struct keyspace_stats before;
    struct keyspace_stats after;
    keyspace_stats(world->keyspace, &before);
    assert_false(repack_has_begun(world->repack));

    walk(world);
    assert_true(repack_has_begun(world->repack));
    assert_int_equal(check_all(world, false), KEYS);
    assert_false(dirty);
    struct repack_stats stats = stats_of(world);
    assert_int_equal(stats.entries, KEYS);
    assert_int_not_equal(stats.dictionary, 0);
    assert_int_equal(stats.dictionaries, 1);
    assert_in_range(stats.dictionary_size, 1000, PACK_DICTIONARY_MAX);
    assert_true(stats.packed_size * 2 < stats.raw_size);
    keyspace_stats(world->keyspace, &after);
    assert_true(before.memory_size - after.memory_size >
                (stats.raw_size - stats.packed_size) / 2);

    keyspace_lock(world->keyspace, &key, 1);
    keyspace_unwatch_locked(world->keyspace, &watch);
    keyspace_unlock(world->keyspace, &key, 1);
}

static void
too_few_values_train_no_dictionary(void **state)
{
    struct world *world = *state;
    set_rules(world, "sess:1* lz4");
    store_all(world, false); /* 1,111 match; the samples held back are missing to 1,000 */
    walk(world);
    assert_int_equal(stats_of(world).dictionary, 0);
    assert_int_equal(check_all(world, false), 0);
}

static void
another_algorithm_replaces_the_dictionary_and_the_old_one_goes(void **state)
{
    struct world *world = *state;
    store_all(world, false);
    walk(world);
    unsigned old = stats_of(world).dictionary;
    set_rules(world, "sess:* zstd");
    walk(world);
    assert_int_equal(check_all(world, false), KEYS);
    unsigned now = stats_of(world).dictionary;
    assert_int_not_equal(now, old);
    walk(world);
    walk(world);
    assert_null(dictionaries_get(keyspace_dictionaries(world->keyspace), old));
    assert_int_equal(stats_of(world).dictionaries, 1);
    assert_int_equal(check_all(world, false), KEYS);
}

static void
values_that_change_their_look_get_another_dictionary(void **state)
{
    struct world *world = *state;
    set_rules(world, "sess:* zstd");
    store_all(world, false);
    walk(world);
    unsigned old = stats_of(world).dictionary;
    store_all(world, true);
    walk(world);
    assert_int_not_equal(stats_of(world).dictionary, old);
    assert_int_equal(check_all(world, true), KEYS);
    assert_true(stats_of(world).packed_size * 2 < stats_of(world).raw_size);
}

static void
without_its_group_everything_is_unpacked(void **state)
{
    struct world *world = *state;
    store_all(world, false);
    walk(world);
    assert_int_equal(check_all(world, false), KEYS);
    set_rules(world, "");
    for (int i = 0; i < 3; i++) {
        walk(world);
    }
    assert_int_equal(check_all(world, false), 0);
    assert_int_equal(dictionaries_memory(keyspace_dictionaries(world->keyspace)), 0);
}

static void
a_dictionary_stays_while_one_value_is_packed_with_it(void **state)
{
    struct world *world = *state;
    store_all(world, false);
    walk(world);
    unsigned number = stats_of(world).dictionary;
    struct tally_sum sum;
    for (unsigned i = 0; i < KEYS; i++) {
        char name[32];
        struct key key = key_of(world, i, name);
        keyspace_lock(world->keyspace, &key, 1);
        assert_true(keyspace_delete_locked(world->keyspace, &key, world->now_ms));
        keyspace_unlock(world->keyspace, &key, 1);
        keyspace_packed(world->keyspace, number, &sum);
        assert_int_equal(sum.entries, KEYS - 1 - i);
    }
    assert_int_equal(sum.raw_size, 0);
    assert_int_equal(sum.packed_size, 0);
    for (int i = 0; i < 3; i++) {
        walk(world); /* it is still the group's */
    }
    assert_int_equal(stats_of(world).dictionary, number);
}

/* More groups than are sampled at a time, of which only the last has values. */
static void
every_group_gets_its_turn(void **state)
{
    struct world *world = *state;
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_string(&text, "sess:* lz4");
    for (int i = 0; i < 100; i++) {
        buffer_printf(&text, " none%d:* lz4", i);
    }
    buffer_append_string(&text, " sess:x* lz4");
    buffer_append_char(&text, 0);
    set_rules(world, text.data);
    buffer_fini(&text);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[32];
        char bytes[SESSION_SIZE];
        int size = snprintf(name, sizeof(name), "sess:x%u", i);
        struct key key = keyspace_key(world->keyspace, 0, slice_make(name, (size_t)size));
        const struct value value = {.body = session(i, false, bytes)};
        keyspace_lock(world->keyspace, &key, 1);
        assert_true(keyspace_set_locked(world->keyspace, &key, &value, expiry_ms));
        keyspace_unlock(world->keyspace, &key, 1);
    }
    struct repack_stats stats = {0};
    for (int i = 0; i < 5 && stats.dictionary == 0; i++) {
        walk(world);
        repack_stats(world->repack, packing_rules_at(world->rules, 101), &stats);
    }
    assert_int_not_equal(stats.dictionary, 0);
    assert_int_equal(stats.entries, KEYS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_lies_there_is_packed_and_nobody_sees_it,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(too_few_values_train_no_dictionary, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(
            another_algorithm_replaces_the_dictionary_and_the_old_one_goes, open_world,
            close_world),
        cmocka_unit_test_setup_teardown(values_that_change_their_look_get_another_dictionary,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(without_its_group_everything_is_unpacked, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(a_dictionary_stays_while_one_value_is_packed_with_it,
                                        open_world, close_world),
        cmocka_unit_test_setup_teardown(every_group_gets_its_turn, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
