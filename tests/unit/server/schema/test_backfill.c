#include "server/schema/backfill.h"

#include "server/core/ticks.h"
#include "server/schema/background.h"
#include "server/schema/sweep.h"
#include "server/schema/usage.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 2000, PATIENCE_MS = 20000 };

#define SCHEMA                                                                                 \
    "{\"schema\":\"session\",\"keys\":[\"sess:*\"],\"codec\":\"json\",\"versions\":["          \
    "{\"version\":1},{\"version\":2,\"steps\":[{\"op\":\"rename\",\"path\":\"/a\","            \
    "\"to\":\"b\"},{\"op\":\"remove\",\"path\":\"/c\"}]}]}"

struct world {
    char directory[64];
    struct registry_holder *holder;
    struct keyspace *keyspace;
    struct sweep *sweep;
    struct background *background;
    struct backfill *backfill;
    struct buffer error;
    atomic_bool is_short;
    _Atomic uint64_t turn_us; /* what every measurement says */
};

static void
measure_turn(void *context)
{
    struct world *world = context;
    backfill_note_turn(world->backfill, atomic_load(&world->turn_us));
}

static bool
is_short_of_memory(void *context)
{
    return atomic_load(&((struct world *)context)->is_short);
}

static void
end(void *context, uint32_t id, unsigned version)
{
    struct world *world = context;
    const struct registry *old;
    assert_true(registry_end_backfill(world->holder, id, version, &old, &world->error));
    registry_retire(world->holder, old);
}

static int64_t
now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
open_world(struct world *world)
{
    ticks_init();
    *world = (struct world){.turn_us = 10};
    snprintf(world->directory, sizeof(world->directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    buffer_init(&world->error, 0);
    world->holder = registry_open(world->directory, &world->error);
    const struct keyspace_options options = {
        .database_count = 3, .shard_count_log2 = 4, .now_ms = now_ms()};
    world->keyspace = keyspace_new(&options);
    world->sweep = sweep_new(world->holder, world->keyspace, 3);
    world->background = background_new();
    const struct registry *old;
    assert_true(registry_put(world->holder, SLICE_OF(SCHEMA), false, &old, &world->error));
    registry_retire(world->holder, old);
}

static void
begin(struct world *world)
{
    const struct backfill_host host = {.context = world,
                                       .measure_turn = measure_turn,
                                       .is_short_of_memory = is_short_of_memory,
                                       .end = end};
    world->backfill = backfill_new(world->holder, world->keyspace, 3, world->sweep, &host);
    backfill_begin(world->backfill, world->background);
}

static void
close_world(struct world *world)
{
    char path[128];
    background_stop(world->background);
    background_free(world->background);
    backfill_free(world->backfill);
    sweep_free(world->sweep);
    keyspace_free(world->keyspace);
    registry_close(world->holder);
    buffer_fini(&world->error);
    snprintf(path, sizeof(path), "%s/segue-registry", world->directory);
    unlink(path);
    rmdir(world->directory);
}

static struct key
key_of(struct world *world, unsigned number, char *name, size_t size)
{
    snprintf(name, size, "sess:%u", number);
    return keyspace_key(world->keyspace, number % 3, slice_from_string(name));
}

static void
store(struct world *world, unsigned number, const struct value *value, int64_t expiry_ms)
{
    char name[64];
    struct key key = key_of(world, number, name, sizeof(name));
    keyspace_lock(world->keyspace, &key, 1);
    assert_true(keyspace_set_locked(world->keyspace, &key, value, expiry_ms));
    keyspace_unlock(world->keyspace, &key, 1);
}

static void
fill(struct world *world)
{
    for (unsigned i = 0; i < KEYS; i++) {
        store(world, i,
              &(struct value){.body = SLICE("{\"a\":1,\"c\":[2]}"), .schema = 1, .version = 1},
              KEYSPACE_EXPIRY_NONE);
    }
}

static void
want(struct world *world, unsigned state, unsigned version, uint64_t rate)
{
    struct registry_backfill wanted = {.version = version, .rate = rate};
    wanted.state = state;
    const struct registry *old;
    assert_true(registry_set_backfill(world->holder, SLICE_OF("session"), &wanted, &old,
                                      &world->error));
    registry_retire(world->holder, old);
    if (world->backfill != NULL) {
        backfill_wake(world->backfill);
    }
}

/* Until the backfill is in <state>; its report. */
static struct backfill_report
wait_for(struct world *world, enum backfill_state state)
{
    struct backfill_report report = {0};
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (backfill_report(world->backfill, 1, &report) && report.state == state) {
            return report;
        }
        usleep(1000);
    }
    fail_msg("it is %s, not %s", backfill_state_name(report.state), backfill_state_name(state));
    return report;
}

static void
counts_are(struct world *world, unsigned version, uint64_t records, uint64_t complements)
{
    uint64_t counted;
    uint64_t with_complement;
    keyspace_census(world->keyspace, 1, version, &counted, &with_complement);
    assert_int_equal(counted, records);
    assert_int_equal(with_complement, complements);
}

static void
records_go_up_and_down_again_and_nothing_notices(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    fill(&world);
    char name[64];
    struct key key = key_of(&world, 7, name, sizeof(name));
    atomic_bool dirty = false;
    struct watch watch = {0};
    keyspace_lock(world.keyspace, &key, 1);
    assert_true(keyspace_expire_locked(world.keyspace, &key, now_ms() + 1000000));
    assert_true(keyspace_watch_locked(world.keyspace, &watch, &key, &dirty));
    uint64_t revision = entry_revision(keyspace_peek_locked(world.keyspace, &key, 1));
    int64_t expiry_ms = entry_expiry_ms(keyspace_peek_locked(world.keyspace, &key, 1));
    keyspace_unlock(world.keyspace, &key, 1);

    begin(&world);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 0);
    struct backfill_report report = wait_for(&world, BACKFILL_DONE);
    assert_int_equal(report.rewritten, KEYS);
    assert_int_equal(report.failed, 0);
    assert_int_equal(report.version, 2);
    counts_are(&world, 1, 0, 0);
    counts_are(&world, 2, KEYS, KEYS);

    want(&world, REGISTRY_BACKFILL_RUNNING, 1, 0);
    for (int i = 0; i < PATIENCE_MS; i++) {
        (void)backfill_report(world.backfill, 1, &report);
        if (report.version == 1 && report.state == BACKFILL_DONE) {
            break;
        }
        usleep(1000);
    }
    assert_int_equal(report.rewritten, KEYS);
    counts_are(&world, 1, KEYS, 0);

    struct value value;
    keyspace_lock(world.keyspace, &key, 1);
    const struct entry *entry = keyspace_peek_locked(world.keyspace, &key, 1);
    entry_value(entry, &value);
    assert_true(slice_equal(value.body, SLICE_OF("{\"a\":1,\"c\":[2]}")));
    assert_int_equal(entry_revision(entry), revision);
    assert_int_equal(entry_expiry_ms(entry), expiry_ms);
    keyspace_unwatch_locked(world.keyspace, &watch);
    keyspace_unlock(world.keyspace, &key, 1);
    assert_false(dirty);
    struct keyspace_stats stats;
    keyspace_stats(world.keyspace, &stats);
    assert_int_equal(stats.hits + stats.misses, 0);
    close_world(&world);
}

static void
raw_goes_back_to_the_base_version_and_drops_what_is_hidden(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (unsigned i = 0; i < 100; i++) {
        store(&world, i, &(struct value){.body = SLICE("{\"b\":1}"), .schema = 1, .version = 2},
              KEYSPACE_EXPIRY_NONE);
        store(&world, 100 + i,
              &(struct value){.body = SLICE("{\"a\":1}"),
                              .complement = SLICE("x"),
                              .schema = 1,
                              .version = 1},
              KEYSPACE_EXPIRY_NONE);
    }
    begin(&world);
    /* While somebody speaks another version, it waits. */
    const struct registry_schema *schema =
        registry_schema_by_name(registry_current(world.holder), SLICE_OF("session"));
    usage_connect(schema->usage, 2, 1);
    want(&world, REGISTRY_BACKFILL_RUNNING, 0, 0);
    struct backfill_report report = wait_for(&world, BACKFILL_WAITING);
    usleep(20000);
    report = wait_for(&world, BACKFILL_WAITING);
    assert_non_null(strstr(report.waits_for, "other versions"));
    assert_int_equal(report.rewritten, 0);
    usage_connect(
        registry_schema_by_name(registry_current(world.holder), SLICE_OF("session"))->usage, 2,
        -1);
    report = wait_for(&world, BACKFILL_DONE);
    assert_int_equal(report.rewritten, 200);
    assert_int_equal(report.complements_dropped, 100);
    counts_are(&world, 1, 200, 0);
    counts_are(&world, 2, 0, 0);
    close_world(&world);
}

static void
what_expires_soon_and_what_cannot_be_rebased_is_left_alone(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    fill(&world);
    store(&world, KEYS + 1, &(struct value){.body = SLICE("text"), .schema = 1, .version = 1},
          KEYSPACE_EXPIRY_NONE);
    begin(&world);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 200);
    struct backfill_report before = {.left_ms = -1};
    for (int i = 0; i < PATIENCE_MS && before.left_ms <= 0; i++) {
        (void)backfill_report(world.backfill, 1, &before);
        usleep(1000);
    }
    /* What it says is left stands still while it is paused, and holds for what it meets first
     * when it goes on: by that these will be gone when it is done. */
    want(&world, REGISTRY_BACKFILL_PAUSED, 2, 200);
    before = wait_for(&world, BACKFILL_PAUSED);
    assert_true(before.left_ms > 0);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[64];
        struct key key = key_of(&world, i, name, sizeof(name));
        keyspace_lock(world.keyspace, &key, 1);
        assert_true(
            keyspace_expire_locked(world.keyspace, &key, now_ms() + before.left_ms / 2));
        keyspace_unlock(world.keyspace, &key, 1);
    }
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 0);
    struct backfill_report report = wait_for(&world, BACKFILL_DONE);
    assert_true(report.expiring > 0);
    assert_true(report.rewritten < KEYS);
    assert_int_equal(report.failed, 1);
    counts_are(&world, 2, report.rewritten, report.rewritten);
    close_world(&world);
}

static void
it_can_be_paused_resumed_cancelled_and_waits_for_memory(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    fill(&world);
    begin(&world);
    atomic_store(&world.is_short, true);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 1000);
    for (int i = 0; i < PATIENCE_MS; i++) {
        struct backfill_report report = wait_for(&world, BACKFILL_WAITING);
        if (strcmp(report.waits_for, "memory") == 0) {
            break;
        }
        usleep(1000);
    }
    atomic_store(&world.is_short, false);
    (void)wait_for(&world, BACKFILL_RUNNING);
    want(&world, REGISTRY_BACKFILL_PAUSED, 2, 1000);
    struct backfill_report paused = wait_for(&world, BACKFILL_PAUSED);
    usleep(50000);
    struct backfill_report report = wait_for(&world, BACKFILL_PAUSED);
    assert_int_equal(report.rewritten, paused.rewritten);
    assert_true(report.rewritten < KEYS);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 0);
    report = wait_for(&world, BACKFILL_DONE);
    assert_int_equal(report.rewritten, KEYS);

    want(&world, REGISTRY_BACKFILL_RUNNING, 1, 100);
    (void)wait_for(&world, BACKFILL_RUNNING);
    want(&world, REGISTRY_BACKFILL_NONE, 0, 0);
    report = wait_for(&world, BACKFILL_CANCELLED);
    assert_true(report.rewritten < KEYS);
    close_world(&world);
}

static void
it_takes_less_while_turns_are_long(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    fill(&world);
    begin(&world);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 100);
    (void)wait_for(&world, BACKFILL_RUNNING);
    struct backfill_report report = {0};
    unsigned share = 0;
    for (int i = 0; i < PATIENCE_MS && share <= 60; i++) {
        (void)backfill_report(world.backfill, 1, &report);
        share = report.share_permille;
        usleep(1000);
    }
    assert_true(share > 60);
    atomic_store(&world.turn_us, 100000);
    for (int i = 0; i < PATIENCE_MS && share > 10; i++) {
        (void)backfill_report(world.backfill, 1, &report);
        share = report.share_permille;
        usleep(1000);
    }
    assert_true(share <= 10);
    close_world(&world);
}

struct writer {
    struct world *world;
    atomic_bool is_over;
    uint64_t writes;
    uint64_t lost;
};

enum { RACED = 200, PAD = 4000 };

/* Write 1, 2, 3 ... to every key in turn, looking whether the last one is still there. */
static void *
write_on(void *context)
{
    struct writer *writer = context;
    char body[PAD + 64];
    char was[32];
    for (uint64_t number = 1; !atomic_load(&writer->is_over); number++) {
        for (unsigned i = 0; i < RACED; i++) {
            char name[64];
            struct key key = key_of(writer->world, i, name, sizeof(name));
            int size = snprintf(body, sizeof(body), "{\"a\":%llu,\"d\":\"%0*d\"}",
                                (unsigned long long)number, PAD, 0);
            const struct value value = {
                .body = slice_make(body, (size_t)size), .schema = 1, .version = 1};
            keyspace_lock(writer->world->keyspace, &key, 1);
            const struct entry *entry = keyspace_peek_locked(writer->world->keyspace, &key, 1);
            if (entry != NULL) {
                struct value now;
                entry_value(entry, &now);
                size = snprintf(was, sizeof(was), "{\"%c\":%llu,", now.version == 1 ? 'a' : 'b',
                                (unsigned long long)number - 1);
                writer->lost += !slice_starts_with(now.body, slice_make(was, (size_t)size));
            }
            (void)keyspace_set_locked(writer->world->keyspace, &key, &value,
                                      KEYSPACE_EXPIRY_NONE);
            keyspace_unlock(writer->world->keyspace, &key, 1);
            writer->writes++;
        }
    }
    return NULL;
}

static void
writes_that_come_in_between_are_never_lost(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    begin(&world);
    struct writer writer = {.world = &world};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writer), 0);
    uint64_t rewritten = 0;
    for (unsigned pass = 0; pass < 3; pass++) {
        want(&world, REGISTRY_BACKFILL_RUNNING, 2, 0);
        rewritten += wait_for(&world, BACKFILL_DONE).rewritten;
        want(&world, REGISTRY_BACKFILL_PAUSED, 2, 0); /* so that it is not done any more */
        (void)wait_for(&world, BACKFILL_PAUSED);
    }
    atomic_store(&writer.is_over, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(rewritten > 0);
    assert_true(writer.writes > RACED);
    assert_int_equal(writer.lost, 0);
    close_world(&world);
}

static void
a_pass_that_was_wanted_before_a_restart_is_made_after_it(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    want(&world, REGISTRY_BACKFILL_RUNNING, 2, 0);
    registry_close(world.holder);
    world.holder = registry_open(world.directory, &world.error);
    assert_non_null(world.holder);
    sweep_free(world.sweep);
    world.sweep = sweep_new(world.holder, world.keyspace, 3);
    fill(&world);
    begin(&world);
    struct backfill_report report = wait_for(&world, BACKFILL_DONE);
    assert_int_equal(report.rewritten, KEYS);
    bool is_wanted = true;
    for (int i = 0; i < PATIENCE_MS && is_wanted; i++) {
        struct registry *copy = registry_copy(world.holder);
        is_wanted =
            registry_schema_at(copy, 0)->rollout.backfill.state != REGISTRY_BACKFILL_NONE;
        registry_copy_free(copy);
        usleep(1000);
    }
    assert_false(is_wanted);
    close_world(&world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_go_up_and_down_again_and_nothing_notices),
        cmocka_unit_test(raw_goes_back_to_the_base_version_and_drops_what_is_hidden),
        cmocka_unit_test(what_expires_soon_and_what_cannot_be_rebased_is_left_alone),
        cmocka_unit_test(it_can_be_paused_resumed_cancelled_and_waits_for_memory),
        cmocka_unit_test(it_takes_less_while_turns_are_long),
        cmocka_unit_test(writes_that_come_in_between_are_never_lost),
        cmocka_unit_test(a_pass_that_was_wanted_before_a_restart_is_made_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
