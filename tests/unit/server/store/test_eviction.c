/*
 * How well the policies choose: hit ratios on a Zipf trace against exact LRU and exact counts,
 * and that what is asked for is what goes.
 */
#include "server/store/eviction.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    NONE = KEYSPACE_EXPIRY_NONE,
    UNIVERSE = 20000,
    ROOM = 2000, /* keys that fit */
    ACCESSES = 300000,
    ACCESSES_PER_S = 200,
    SHARDS_LOG2 = 4,
};
static const int64_t NOW = 1700000000000;

static double cumulated[UNIVERSE];
static uint64_t state_of_draw;

static double
draw(void)
{
    state_of_draw = state_of_draw * 6364136223846793005u + 1442695040888963407u;
    return (double)(state_of_draw >> 11) / (double)((uint64_t)1 << 53);
}

static void
prepare_zipf(double exponent)
{
    double sum = 0;
    for (int i = 0; i < UNIVERSE; i++)
        cumulated[i] = sum += pow(i + 1, -exponent);
    for (int i = 0; i < UNIVERSE; i++)
        cumulated[i] /= sum;
}

static int
draw_zipf(void)
{
    double at = draw();
    int low = 0;
    int high = UNIVERSE - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (cumulated[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct keyspace *
keyspace_for(enum eviction_policy policy, uint32_t samples)
{
    struct keyspace *keyspace = keyspace_new(
        &(struct keyspace_options){.database_count = 2, .shard_count_log2 = SHARDS_LOG2});
    assert_non_null(keyspace);
    keyspace_set_eviction(keyspace, &(struct eviction_options){.policy = policy,
                                                               .samples = samples,
                                                               .lfu_log_factor = 10,
                                                               .lfu_decay_minutes = 1});
    return keyspace;
}

static void
put(struct keyspace *keyspace, int number, int64_t expiry_ms, int64_t now_ms)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", number);
    struct key key = keyspace_key(keyspace, 0, slice_from_string(name));
    struct value value = {.body = SLICE("value")};
    keyspace_lock(keyspace, &key, 1);
    (void)keyspace_peek_locked(keyspace, &key, now_ms);
    assert_true(keyspace_set_locked(keyspace, &key, &value, expiry_ms));
    keyspace_unlock(keyspace, &key, 1);
}

static bool
touch(struct keyspace *keyspace, int number, int64_t now_ms)
{
    char name[16];
    snprintf(name, sizeof(name), "%d", number);
    struct key key = keyspace_key(keyspace, 0, slice_from_string(name));
    keyspace_lock(keyspace, &key, 1);
    bool found = keyspace_find_locked(keyspace, &key, now_ms) != NULL;
    keyspace_unlock(keyspace, &key, 1);
    return found;
}

static double
hit_ratio(enum eviction_policy policy)
{
    struct keyspace *keyspace = keyspace_for(policy, 5);
    struct evictor evictor;
    evictor_init(&evictor, 1);
    state_of_draw = 4711;
    int hits = 0;
    int64_t now_ms = NOW;
    for (int i = 0; i < ACCESSES; i++) {
        now_ms = NOW + (int64_t)i * 1000 / ACCESSES_PER_S;
        int number = draw_zipf();
        if (touch(keyspace, number, now_ms)) {
            hits += i >= ACCESSES / 3;
            continue;
        }
        if (keyspace_size(keyspace, 0) == ROOM)
            assert_int_equal(keyspace_evict(keyspace, &evictor, now_ms), EVICTION_DONE);
        /* Expiries as far away as they were made late: volatile-ttl then is first in, first
         * out. */
        put(keyspace, number, now_ms + 10000000, now_ms);
    }
    assert_int_equal(keyspace_size(keyspace, 0), ROOM);
    keyspace_free(keyspace);
    return (double)hits / (ACCESSES - ACCESSES / 3);
}

/* The same with an exact list; uses are counted while a key is there. */
static double
hit_ratio_exact(bool counts_frequency)
{
    static int64_t last[UNIVERSE]; /* 0: not there */
    static uint32_t uses[UNIVERSE];
    static int held[ROOM];
    int count = 0;
    int hits = 0;
    memset(last, 0, sizeof(last));
    memset(uses, 0, sizeof(uses));
    state_of_draw = 4711;
    for (int i = 0; i < ACCESSES; i++) {
        int number = draw_zipf();
        uses[number] = last[number] != 0 ? uses[number] + 1 : 1;
        if (last[number] != 0) {
            hits += i >= ACCESSES / 3;
        } else if (count < ROOM) {
            held[count++] = number;
        } else {
            int worst = 0;
            for (int h = 1; h < count; h++) {
                int a = held[h];
                int b = held[worst];
                bool is_worse = counts_frequency ? uses[a] < uses[b] ||
                                                       (uses[a] == uses[b] && last[a] < last[b])
                                                 : last[a] < last[b];
                if (is_worse)
                    worst = h;
            }
            last[held[worst]] = 0;
            held[worst] = number;
        }
        last[number] = i + 1;
    }
    return (double)hits / (ACCESSES - ACCESSES / 3);
}

static void
policies_hit_nearly_as_often_as_exact_ones(void **state)
{
    (void)state;
    prepare_zipf(1.0);
    double lru = hit_ratio_exact(false);
    double lfu = hit_ratio_exact(true);
    double got_lru = hit_ratio(EVICTION_ALLKEYS_LRU);
    double got_lfu = hit_ratio(EVICTION_ALLKEYS_LFU);
    double got_random = hit_ratio(EVICTION_ALLKEYS_RANDOM);
    double got_ttl = hit_ratio(EVICTION_VOLATILE_TTL);
    print_message("hit ratios: LRU %.4f (exact %.4f), LFU %.4f (exact %.4f), random %.4f, "
                  "volatile-ttl %.4f\n",
                  got_lru, lru, got_lfu, lfu, got_random, got_ttl);
    assert_true(got_lru > lru - 0.01);
    assert_true(got_lfu > got_lru + 0.01 && got_lfu > lfu - 0.05);
    assert_true(got_random < got_lru - 0.01);
    assert_true(fabs(got_lru - hit_ratio(EVICTION_VOLATILE_LRU)) < 0.005);
    assert_true(fabs(got_lfu - hit_ratio(EVICTION_VOLATILE_LFU)) < 0.01);
    assert_true(fabs(got_random - hit_ratio(EVICTION_VOLATILE_RANDOM)) < 0.01);
}

/* With as many samples as keys the choice is exact, in however many shards they lie. */
static void
few_large_keys_go_in_order(void **state)
{
    (void)state;
    static const enum eviction_policy policies[] = {EVICTION_ALLKEYS_LRU, EVICTION_VOLATILE_LRU,
                                                    EVICTION_VOLATILE_TTL};
    enum { COUNT = 14 };
    for (size_t p = 0; p < sizeof(policies) / sizeof(*policies); p++) {
        struct keyspace *keyspace = keyspace_for(policies[p], 64);
        struct evictor evictor;
        evictor_init(&evictor, p);
        for (int i = 0; i < COUNT; i++)
            put(keyspace, i, NOW + 100000 + i * 1000, NOW + i * 1000);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(keyspace_evict(keyspace, &evictor, NOW + COUNT * 1000),
                             EVICTION_DONE);
            for (int j = 0; j < COUNT; j++) {
                char name[16];
                snprintf(name, sizeof(name), "%d", j);
                struct key key = keyspace_key(keyspace, 0, slice_from_string(name));
                keyspace_lock(keyspace, &key, 1);
                assert_int_equal(
                    keyspace_peek_locked(keyspace, &key, NOW + COUNT * 1000) != NULL, j > i);
                keyspace_unlock(keyspace, &key, 1);
            }
        }
        assert_int_equal(keyspace_evict(keyspace, &evictor, NOW), EVICTION_NOTHING);
        keyspace_free(keyspace);
    }
}

static void
what_is_used_after_it_was_sampled_stays(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_for(EVICTION_ALLKEYS_LRU, 64);
    struct evictor evictor;
    evictor_init(&evictor, 7);
    for (int i = 0; i < 10; i++)
        put(keyspace, i, NONE, NOW + i * 1000);
    /* The first eviction samples all, and takes 0; 1 to 8 are used then, so 9 is next. */
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW + 20000), EVICTION_DONE);
    for (int i = 1; i < 9; i++)
        assert_true(touch(keyspace, i, NOW + 30000));
    keyspace_set_eviction(
        keyspace, &(struct eviction_options){.policy = EVICTION_ALLKEYS_LRU, .samples = 1});
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW + 40000), EVICTION_DONE);
    assert_false(touch(keyspace, 9, NOW + 40000));
    keyspace_free(keyspace);
}

static void
a_locked_shard_is_passed_over(void **state)
{
    (void)state;
    struct keyspace *keyspace = keyspace_for(EVICTION_ALLKEYS_LRU, 5);
    struct evictor evictor;
    evictor_init(&evictor, 3);
    struct key key = keyspace_key(keyspace, 0, SLICE_OF("1"));
    put(keyspace, 1, NONE, NOW);
    keyspace_lock(keyspace, &key, 1);
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW), EVICTION_BUSY);
    keyspace_unlock(keyspace, &key, 1);
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW), EVICTION_DONE);
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW), EVICTION_NOTHING);
    keyspace_free(keyspace);
}

static size_t removed_count;

static void
on_remove(void *context, uint32_t db, const struct key *key)
{
    (void)context;
    assert_int_equal(db, 0);
    assert_non_null(key);
    removed_count++;
}

static void
eviction_marks_watchers_and_calls_the_hook(void **state)
{
    (void)state;
    static const atomic_size_t gate = 1;
    struct keyspace *keyspace = keyspace_for(EVICTION_ALLKEYS_LFU, 5);
    struct evictor evictor;
    evictor_init(&evictor, 3);
    keyspace_set_remove_hook(keyspace, &gate, on_remove, NULL);
    put(keyspace, 1, NONE, NOW);
    struct key key = keyspace_key(keyspace, 0, SLICE_OF("1"));
    struct watch node;
    atomic_bool is_dirty = false;
    keyspace_lock(keyspace, &key, 1);
    assert_true(keyspace_watch_locked(keyspace, &node, &key, &is_dirty));
    keyspace_unlock(keyspace, &key, 1);
    assert_int_equal(keyspace_evict(keyspace, &evictor, NOW), EVICTION_DONE);
    assert_true(is_dirty);
    assert_int_equal(removed_count, 1);
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    assert_int_equal(stats.evicted, 1);
    keyspace_lock(keyspace, &key, 1);
    keyspace_unwatch_locked(keyspace, &node);
    keyspace_unlock(keyspace, &key, 1);
    keyspace_free(keyspace);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_hit_nearly_as_often_as_exact_ones),
        cmocka_unit_test(few_large_keys_go_in_order),
        cmocka_unit_test(what_is_used_after_it_was_sampled_stays),
        cmocka_unit_test(a_locked_shard_is_passed_over),
        cmocka_unit_test(eviction_marks_watchers_and_calls_the_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
