#include "server/schema/trial.h"

#include "server/core/ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 3000 };

#define SCHEMA(versions)                                                                       \
    "{\"schema\":\"session\",\"keys\":[\"sess:*\"],\"except\":[\"*_lock\"],"                   \
    "\"codec\":\"json\",\"versions\":[" versions "]}"
#define TWO                                                                                    \
    "{\"version\":1},{\"version\":2,\"steps\":[{\"op\":\"rename\",\"path\":\"/a\","            \
    "\"to\":\"b\"},{\"op\":\"remove\",\"path\":\"/c\"}]}"

struct world {
    char directory[64];
    struct registry_holder *holder;
    struct keyspace *keyspace;
    struct buffer error;
};

static void
open_world(struct world *world)
{
    ticks_init();
    snprintf(world->directory, sizeof(world->directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    buffer_init(&world->error, 0);
    world->holder = registry_open(world->directory, &world->error);
    const struct keyspace_options options = {.database_count = 3, .shard_count_log2 = 4};
    world->keyspace = keyspace_new(&options);
}

static void
close_world(struct world *world)
{
    char path[128];
    keyspace_free(world->keyspace);
    registry_close(world->holder);
    buffer_fini(&world->error);
    snprintf(path, sizeof(path), "%s/segue-registry", world->directory);
    unlink(path);
    rmdir(world->directory);
}

static struct key
key_of(struct world *world, uint32_t db, const char *name)
{
    return keyspace_key(world->keyspace, db, slice_from_string(name));
}

static void
store(struct world *world, uint32_t db, const char *name, const struct value *value)
{
    struct key key = key_of(world, db, name);
    keyspace_lock(world->keyspace, &key, 1);
    assert_true(keyspace_set_locked(world->keyspace, &key, value, KEYSPACE_EXPIRY_NONE));
    keyspace_unlock(world->keyspace, &key, 1);
}

static struct trial *
try(struct world *world, const char *json, uint64_t count_max)
{
    const struct registry_schema *schema;
    struct registry *preview =
        registry_preview(world->holder, slice_from_string(json), &schema, &world->error);
    assert_non_null(preview);
    struct trial *trial = trial_new(world->keyspace, 3, preview, schema, count_max);
    assert_non_null(trial);
    while (trial_step(trial, 1)) {
    }
    return trial;
}

static void
records_of_all_databases_are_tried_in_both_directions(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    char name[64];
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(name, sizeof(name), "sess:%u", i);
        store(&world, i % 3, name, &(struct value){.body = SLICE("{\"a\":1,\"c\":[2]}")});
        snprintf(name, sizeof(name), "other:%u", i);
        store(&world, 1, name, &(struct value){.body = SLICE("x")});
        snprintf(name, sizeof(name), "sess:%u_lock", i);
        store(&world, 1, name, &(struct value){.body = SLICE("x")});
    }
    struct trial *trial = try(&world, SCHEMA(TWO), 1000000);
    struct trial_sums sums;
    trial_sums(trial, &sums);
    assert_int_equal(sums.seen, 3 * KEYS);
    assert_int_equal(sums.tried, KEYS);
    assert_int_equal(sums.clean, KEYS);
    assert_int_equal(sums.loser_count, 0);
    assert_int_equal(sums.pair_count, 2);
    struct trial_pair up;
    struct trial_pair down;
    trial_pair(trial, 0, &up);
    trial_pair(trial, 1, &down);
    assert_int_equal(up.from, 1);
    assert_int_equal(up.to, 2);
    assert_int_equal(up.count, KEYS);
    assert_int_equal(up.body_before, KEYS * 15);
    assert_int_equal(up.body_after, KEYS * 7);
    assert_int_equal(up.complement_before, 0);
    assert_true(up.complement_after > 0);
    assert_true(up.p50_ns > 0 && up.p99_ns >= up.p50_ns);
    assert_int_equal(down.from, 2);
    assert_int_equal(down.to, 1);
    assert_int_equal(down.body_after, up.body_before);
    trial_free(trial);

    trial = try(&world, SCHEMA(TWO), 100);
    trial_sums(trial, &sums);
    assert_int_equal(sums.tried, 100);
    trial_free(trial);
    close_world(&world);
}

static void
losers_are_told_by_reason_with_a_few_of_their_keys(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    char name[64];
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "sess:%u", i);
        store(&world, 0, name, &(struct value){.body = SLICE("{\"a\":1,\"b\":2}")});
    }
    store(&world, 0, "sess:text", &(struct value){.body = SLICE("text")});
    store(&world, 0, "sess:good", &(struct value){.body = SLICE("{}")});
    struct trial *trial = try(&world, SCHEMA(TWO), 1000000);
    struct trial_sums sums;
    trial_sums(trial, &sums);
    assert_int_equal(sums.tried, 22);
    assert_int_equal(sums.clean, 1);
    assert_int_equal(sums.loser_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct trial_loser *loser = trial_loser(trial, i);
        bool is_text = strcmp(loser->what, "syntax") == 0;
        assert_true(is_text || strcmp(loser->what, "collision") == 0);
        assert_int_equal(loser->count, is_text ? 1 : 20);
        assert_int_equal(loser->sample_count, is_text ? 1 : TRIAL_SAMPLES_MAX);
        assert_true(slice_starts_with(loser->samples[0], SLICE_OF("sess:")));
    }
    trial_free(trial);
    close_world(&world);
}

static void
nothing_of_a_record_notices_and_its_own_version_counts(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    const struct registry *old;
    assert_true(registry_put(world.holder, SLICE_OF(SCHEMA(TWO)), false, &old, &world.error));
    registry_retire(world.holder, old);
    store(&world, 0, "sess:2",
          &(struct value){.body = SLICE("{\"b\":1}"), .schema = 1, .version = 2});
    struct key key = key_of(&world, 0, "sess:2");
    keyspace_lock(world.keyspace, &key, 1);
    uint64_t revision = entry_revision(keyspace_peek_locked(world.keyspace, &key, 1));
    keyspace_unlock(world.keyspace, &key, 1);
    struct trial *trial =
        try(&world,
            SCHEMA(TWO ",{\"version\":3,\"steps\":[{\"op\":\"wrap\",\"path\":\"/b\"}]}"), 10);
    struct trial_sums sums;
    trial_sums(trial, &sums);
    assert_int_equal(sums.clean, 1);
    assert_int_equal(sums.pair_count, 4); /* 2->3, 2->1, and back */
    trial_free(trial);
    keyspace_lock(world.keyspace, &key, 1);
    assert_int_equal(entry_revision(keyspace_peek_locked(world.keyspace, &key, 1)), revision);
    keyspace_unlock(world.keyspace, &key, 1);
    struct keyspace_stats stats;
    keyspace_stats(world.keyspace, &stats);
    assert_int_equal(stats.hits + stats.misses, 0);

    const struct registry_schema *schema;
    assert_null(registry_preview(world.holder, SLICE_OF(SCHEMA("{\"version\":1}")), &schema,
                                 &world.error));
    assert_non_null(strstr(world.error.data, "published version 2 is missing"));
    close_world(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_all_databases_are_tried_in_both_directions),
        cmocka_unit_test(losers_are_told_by_reason_with_a_few_of_their_keys),
        cmocka_unit_test(nothing_of_a_record_notices_and_its_own_version_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
