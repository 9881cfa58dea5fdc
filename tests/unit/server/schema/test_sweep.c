#include "server/schema/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 20000, HIDDEN = 1000 };

static void
put(struct registry_holder *holder, const char *json)
{
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old;
    assert_true(registry_put(holder, slice_from_string(json), false, &old, &error));
    registry_retire(holder, old);
    buffer_fini(&error);
}

static void
store(struct keyspace *keyspace, uint32_t db, const char *prefix, unsigned number,
      const struct value *value)
{
    char name[64];
    snprintf(name, sizeof(name), "%s%u", prefix, number);
    struct key key = keyspace_key(keyspace, db, slice_from_string(name));
    keyspace_lock(keyspace, &key, 1);
    assert_true(keyspace_set_locked(keyspace, &key, value, KEYSPACE_EXPIRY_NONE));
    keyspace_unlock(keyspace, &key, 1);
}

static void
sweep_all(struct sweep *sweep)
{
    assert_true(sweep_request(sweep));
    unsigned steps = 0;
    while (sweep_step(sweep, 1)) {
        steps++;
        assert_true(steps < 1000);
    }
}

static uint64_t
records(struct keyspace *keyspace, uint32_t schema, uint32_t version)
{
    uint64_t count;
    uint64_t complements;
    keyspace_census(keyspace, schema, version, &count, &complements);
    return count;
}

static void
entries_get_the_schema_that_has_their_key(void **state)
{
    (void)state;
    char directory[64] = "/tmp/segue-test-XXXXXX";
    char path[128];
    assert_non_null(mkdtemp(directory));
    struct buffer error;
    buffer_init(&error, 0);
    struct registry_holder *holder = registry_open(directory, &error);
    const struct keyspace_options options = {.database_count = 2, .shard_count_log2 = 4};
    struct keyspace *keyspace = keyspace_new(&options);
    struct sweep *sweep = sweep_new(holder, keyspace, 2);
    const struct value plain = {.body = SLICE("{}")};
    for (unsigned i = 0; i < KEYS; i++) {
        store(keyspace, i % 2, "sess:", i, &plain);
        store(keyspace, 1, "other:", i, &plain);
    }
    put(holder, "{\"schema\":\"session\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
                "\"default_version\":2,\"versions\":[{\"version\":1},"
                "{\"version\":2,\"steps\":[]}]}");
    sweep_all(sweep);
    assert_int_equal(records(keyspace, 1, 2), KEYS);
    assert_int_equal(records(keyspace, 1, 1), 0);

    /* A deleted schema leaves bodies, without what was hidden beside them. */
    const struct value hidden = {
        .body = SLICE("{}"), .complement = SLICE("x"), .schema = 1, .version = 1};
    for (unsigned i = 0; i < HIDDEN; i++) {
        store(keyspace, 0, "sess:h", i, &hidden);
    }
    const struct registry *old;
    assert_true(registry_delete(holder, SLICE_OF("session"), NULL, NULL, &old, &error));
    registry_retire(holder, old);
    put(holder, "{\"schema\":\"again\",\"keys\":[\"sess:h*\"],\"codec\":\"json\","
                "\"versions\":[{\"version\":1}]}");
    sweep_all(sweep);
    assert_int_equal(records(keyspace, 1, 1), 0);
    assert_int_equal(records(keyspace, 1, 2), 0);
    assert_int_equal(records(keyspace, 2, 1), HIDDEN);
    struct sweep_stats stats;
    sweep_stats(sweep, &stats);
    assert_int_equal(stats.complements_dropped, HIDDEN);
    assert_false(stats.is_running);

    sweep_free(sweep);
    keyspace_free(keyspace);
    registry_close(holder);
    buffer_fini(&error);
    snprintf(path, sizeof(path), "%s/segue-registry", directory);
    unlink(path);
    rmdir(directory);
}

static void
what_only_withdrawn_versions_have_goes_when_its_time_is_over(void **state)
{
    (void)state;
    char directory[64] = "/tmp/segue-test-XXXXXX";
    char path[128];
    assert_non_null(mkdtemp(directory));
    struct buffer error;
    buffer_init(&error, 0);
    struct registry_holder *holder = registry_open(directory, &error);
    const struct keyspace_options options = {.database_count = 1, .shard_count_log2 = 4};
    struct keyspace *keyspace = keyspace_new(&options);
    struct sweep *sweep = sweep_new(holder, keyspace, 1);
    put(holder,
        "{\"schema\":\"session\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
        "\"default_version\":2,\"complement_retention\":10,\"versions\":[{\"version\":1},"
        "{\"version\":2,\"steps\":[{\"op\":\"remove\",\"path\":\"/old\"}]},"
        "{\"version\":3,\"steps\":[{\"op\":\"add\",\"path\":\"/new\"}]}]}");
    struct registry *copy = registry_copy(holder);
    const struct lens_schema *lens = registry_schema_at(copy, 0)->lens;
    struct arena arena;
    arena_init(&arena, 0);
    struct lens_record record = {.version = 1, .body = SLICE("{\"old\":1}")};
    struct lens_record third;
    struct lens_record second;
    struct lens_failure failure;
    assert_int_equal(
        lens_write(lens, &record, 3, SLICE_OF("{\"new\":3}"), &arena, &third, &failure),
        LENS_WRITE_OK);
    assert_true(lens_rebase(lens, &third, 2, &arena, &second, &failure));
    const struct value value = {
        .body = second.body, .complement = second.complement, .schema = 1, .version = 2};
    store(keyspace, 0, "sess:", 1, &value);
    const struct registry *old;
    const struct registry_withdrawal withdrawal = {
        .version = 1, .at_ms = 1000, .by = SLICE("x"), .evidence = SLICE("")};
    assert_true(registry_withdraw(holder, SLICE_OF("session"), &withdrawal, &old, &error));
    registry_retire(holder, old);
    for (int64_t now_ms = 10999; now_ms <= 11000; now_ms++) {
        assert_true(sweep_request(sweep));
        while (sweep_step(sweep, now_ms)) {
        }
        struct sweep_stats stats;
        sweep_stats(sweep, &stats);
        assert_int_equal(stats.complements_collected, now_ms == 11000);
    }
    /* What version 3 has is still there. */
    struct key key = keyspace_key(keyspace, 0, SLICE_OF("sess:1"));
    struct value now;
    struct slice view;
    keyspace_lock(keyspace, &key, 1);
    entry_value(keyspace_peek_locked(keyspace, &key, 1), &now);
    record = (struct lens_record){.version = 2, .body = now.body, .complement = now.complement};
    assert_true(lens_view(lens, &record, 1, &arena, &view, &failure));
    assert_true(slice_equal(view, SLICE_OF("{}")));
    assert_true(lens_view(lens, &record, 3, &arena, &view, &failure));
    assert_true(slice_equal(view, SLICE_OF("{\"new\":3}")));
    keyspace_unlock(keyspace, &key, 1);
    arena_fini(&arena);
    registry_copy_free(copy);
    sweep_free(sweep);
    keyspace_free(keyspace);
    registry_close(holder);
    buffer_fini(&error);
    snprintf(path, sizeof(path), "%s/segue-registry", directory);
    unlink(path);
    rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_get_the_schema_that_has_their_key),
        cmocka_unit_test(what_only_withdrawn_versions_have_goes_when_its_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
