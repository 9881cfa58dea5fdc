#include "server/store/block.h"
#include "server/store/eviction.h"
#include "server/store/hash.h"
#include "server/store/keyspace.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    NONE = KEYSPACE_EXPIRY_NONE,
    ACCOUNT_COUNT = 40,
    BALANCE = 1000,
    THREAD_COUNT = 4,
    STEP_COUNT = 15000,
};

/* cmocka's asserts belong to the thread that runs the tests; the others stop the process. */
static void
require(bool condition)
{
    if (!condition)
        abort();
}

struct shared {
    struct keyspace *keyspace;
    atomic_int running;
    atomic_int_least64_t clock_ms;
};

struct worker {
    struct shared *shared;
    uint64_t random;
    struct evictor evictor;
    pthread_t thread;
};

static uint64_t
draw(uint64_t *random, uint64_t below)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 20) % below;
}

static struct key
key_of(struct keyspace *keyspace, uint32_t db, const char *kind, uint64_t number, char name[32])
{
    snprintf(name, 32, "%s:%d", kind, (int)number);
    return keyspace_key(keyspace, db, slice_from_string(name));
}

static int64_t
balance_of(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    struct entry *entry = keyspace_find_locked(keyspace, key, now_ms);
    int64_t balance = 0;
    struct value value;
    require(entry != NULL);
    entry_value(entry, &value);
    require(slice_to_int64(value.body, &balance));
    return balance;
}

static void
set_balance(struct keyspace *keyspace, const struct key *key, int64_t balance)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)balance);
    struct value value = {.body = slice_from_string(text)};
    require(keyspace_set_locked(keyspace, key, &value, NONE));
}

static void
transfer(struct worker *worker, int64_t now_ms)
{
    struct keyspace *keyspace = worker->shared->keyspace;
    char name[2][32];
    struct key keys[2];
    for (int i = 0; i < 2; i++)
        keys[i] = key_of(keyspace, 0, "account", draw(&worker->random, ACCOUNT_COUNT), name[i]);
    int64_t amount = (int64_t)draw(&worker->random, 100);
    keyspace_lock(keyspace, keys, 2);
    set_balance(keyspace, &keys[0], balance_of(keyspace, &keys[0], now_ms) - amount);
    set_balance(keyspace, &keys[1], balance_of(keyspace, &keys[1], now_ms) + amount);
    keyspace_unlock(keyspace, keys, 2);
}

/* Keys that come, expire, are renamed and flushed, strings and hashes. */
static void
churn(struct worker *worker, int64_t now_ms)
{
    struct keyspace *keyspace = worker->shared->keyspace;
    uint32_t db = 1 + (uint32_t)draw(&worker->random, 2);
    char name[2][32];
    struct key keys[2];
    for (int i = 0; i < 2; i++)
        keys[i] = key_of(keyspace, db, "churn", draw(&worker->random, 3000), name[i]);
    struct value value = {.body = slice_from_string(name[0]), .schema = 1, .version = 1};
    keyspace_lock(keyspace, keys, 2);
    struct entry *entry = keyspace_find_locked(keyspace, &keys[0], now_ms);
    if (entry != NULL && draw(&worker->random, 2) == 0) {
        require(keyspace_move_locked(keyspace, &keys[0], &keys[1], false));
    } else if (draw(&worker->random, 4) != 0) {
        require(keyspace_set_locked(keyspace, &keys[0], &value,
                                    now_ms + (int64_t)draw(&worker->random, 500)));
    } else if (entry == NULL) {
        entry = keyspace_add_hash_locked(keyspace, &keys[0], 0, 0);
        for (int i = 0; i < 5; i++)
            require(hash_set(entry_hash(entry), slice_from_string(name[i % 2]),
                             slice_from_string(name[1])) != HASH_NO_MEMORY);
        keyspace_changed_locked(keyspace, &keys[0]);
    }
    keyspace_unlock(keyspace, keys, 2);
}

/* One more on a counter all workers share, by WATCH and EXEC until nobody came between. */
static void
count_one(struct worker *worker, int64_t now_ms)
{
    struct keyspace *keyspace = worker->shared->keyspace;
    char name[32];
    struct key key = key_of(keyspace, 0, "account", ACCOUNT_COUNT, name);
    bool done = false;
    while (!done) {
        struct watch node;
        atomic_bool dirty = false;
        keyspace_prefetch(keyspace, &key, 1);
        keyspace_lock(keyspace, &key, 1);
        int64_t count = balance_of(keyspace, &key, now_ms);
        require(keyspace_watch_locked(keyspace, &node, &key, &dirty));
        keyspace_unlock(keyspace, &key, 1);

        keyspace_lock(keyspace, &key, 1);
        keyspace_unwatch_locked(keyspace, &node);
        done = !dirty;
        if (done)
            set_balance(keyspace, &key, count + 1);
        keyspace_unlock(keyspace, &key, 1);
    }
}

/* A string that all workers write to in place. */
static void
edit(struct worker *worker)
{
    struct keyspace *keyspace = worker->shared->keyspace;
    char name[32];
    struct key key = key_of(keyspace, 3, "edited", draw(&worker->random, 4), name);
    size_t size = 1 + draw(&worker->random, 3000);
    keyspace_lock(keyspace, &key, 1);
    char *body = keyspace_edit_locked(keyspace, &key, size, size);
    require(body != NULL && (body[size - 1] == 0 || body[size - 1] == 'x'));
    body[size - 1] = 'x';
    keyspace_unlock(keyspace, &key, 1);
}

/* A large string that all workers replace, edit and read; who reads holds what he read, all of
 * one letter but for edits, which write '!', and lets it go without the lock. */
static void
hold(struct worker *worker, int64_t now_ms)
{
    struct keyspace *keyspace = worker->shared->keyspace;
    char name[32];
    struct key key = key_of(keyspace, 3, "large", draw(&worker->random, 2), name);
    size_t size = BLOCK_SIZE_MIN + draw(&worker->random, 100);
    struct block *block = block_new(size);
    require(block != NULL);
    memset(block->bytes, (int)('a' + draw(&worker->random, 26)), size);
    struct value value = {.body = slice_make(block->bytes, size), .block = block};
    struct block *read = NULL;
    size_t read_size = 0;
    size_t edited = 0;
    keyspace_lock(keyspace, &key, 1);
    struct entry *entry = keyspace_find_locked(keyspace, &key, now_ms);
    if (entry != NULL && draw(&worker->random, 2) == 0) {
        struct value old;
        entry_value(entry, &old);
        read = block_ref(old.block);
        read_size = old.body.size;
        for (size_t i = 0; i < read_size; i++)
            edited += read->bytes[i] == '!';
    }
    if (entry != NULL && draw(&worker->random, 2) == 0)
        keyspace_edit_locked(keyspace, &key, 1, 0)[draw(&worker->random, BLOCK_SIZE_MIN)] = '!';
    else
        require(keyspace_set_locked(keyspace, &key, &value, NONE));
    keyspace_unlock(keyspace, &key, 1);
    for (size_t i = 0; i < read_size; i++)
        edited -= read->bytes[i] == '!';
    require(edited == 0);
    block_unref(read);
    block_unref(block);
}

static void *
work(void *context)
{
    struct worker *worker = context;
    for (int i = 0; i < STEP_COUNT; i++) {
        int64_t now_ms = atomic_fetch_add(&worker->shared->clock_ms, 1);
        transfer(worker, now_ms);
        churn(worker, now_ms);
        count_one(worker, now_ms);
        edit(worker);
        if (i % 50 == 0)
            hold(worker, now_ms);
        if (i % 20 == 0)
            (void)keyspace_evict(worker->shared->keyspace, &worker->evictor, now_ms);
    }
    atomic_fetch_sub(&worker->shared->running, 1);
    return NULL;
}

static void
on_entry(void *context, const struct entry *entry)
{
    *(size_t *)context += entry_key(entry).size;
}

static int64_t
sum_of_accounts(struct keyspace *keyspace, int64_t now_ms)
{
    int64_t sum = 0;
    char name[32];
    keyspace_lock_all(keyspace);
    for (uint64_t i = 0; i < ACCOUNT_COUNT; i++) {
        struct key key = key_of(keyspace, 0, "account", i, name);
        sum += balance_of(keyspace, &key, now_ms);
    }
    keyspace_unlock_all(keyspace);
    return sum;
}

/* What the background of a server does: expiry, freeing, scans, flushes, figures. */
static void
keep_house(struct shared *shared)
{
    struct keyspace *keyspace = shared->keyspace;
    uint64_t cursor = 0;
    uint64_t random = 99;
    struct evictor evictor;
    evictor_init(&evictor, 99);
    size_t seen = 0;
    struct buffer name;
    buffer_init(&name, 0);
    for (int i = 0; atomic_load(&shared->running) > 0; i++) {
        int64_t now_ms = atomic_load(&shared->clock_ms);
        (void)keyspace_expire_some(keyspace, now_ms, 100);
        (void)keyspace_free_some(keyspace, 100);
        /* Accounts never expire: a volatile policy leaves them alone. */
        keyspace_set_eviction(
            keyspace,
            &(struct eviction_options){.policy = (enum eviction_policy)(i % 4), .samples = 5});
        (void)keyspace_evict(keyspace, &evictor, now_ms);
        keyspace_set_memory_step(keyspace, (uint64_t)(i % 3) * 1000);
        require(keyspace_memory(keyspace) > 0);
        if (i % 2 == 0)
            keyspace_settle_memory(keyspace);
        cursor = keyspace_scan(keyspace, 1, cursor, 20, now_ms, false, on_entry, &seen);
        buffer_clear(&name);
        (void)keyspace_random(keyspace, 2, draw(&random, 1 << 30), now_ms, false, &name);
        require(keyspace_size(keyspace, 0) == ACCOUNT_COUNT + 1);
        require(keyspace_size(keyspace, 1) < 100000);
        struct keyspace_stats stats;
        uint64_t records;
        uint64_t complements;
        keyspace_stats(keyspace, &stats);
        keyspace_census(keyspace, 1, 1, &records, &complements);
        (void)keyspace_average_ttl_ms(keyspace, 1, now_ms);
        if (i % 16 == 0)
            require(sum_of_accounts(keyspace, now_ms) == ACCOUNT_COUNT * BALANCE);
        if (i % 32 == 1) {
            keyspace_lock_all(keyspace);
            keyspace_flush_locked(keyspace, 1);
            keyspace_unlock_all(keyspace);
        }
        if (i % 32 == 2) {
            keyspace_lock_all(keyspace);
            keyspace_swap_locked(keyspace, 1, 2);
            keyspace_unlock_all(keyspace);
        }
    }
    buffer_fini(&name);
}

static void
transfers_keep_the_sum_and_no_watched_increment_is_lost(void **state)
{
    (void)state;
    struct keyspace_options options = {
        .database_count = 4, .shard_count_log2 = 4, .hash_seed = 1};
    struct shared shared = {.keyspace = keyspace_new(&options)};
    atomic_store(&shared.running, THREAD_COUNT);
    atomic_store(&shared.clock_ms, 1700000000000);
    for (uint64_t i = 0; i <= ACCOUNT_COUNT; i++) {
        char name[32];
        struct key key = key_of(shared.keyspace, 0, "account", i, name);
        keyspace_lock(shared.keyspace, &key, 1);
        set_balance(shared.keyspace, &key, i < ACCOUNT_COUNT ? BALANCE : 0);
        keyspace_unlock(shared.keyspace, &key, 1);
    }
    struct worker workers[THREAD_COUNT];
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        workers[i] = (struct worker){.shared = &shared, .random = i};
        evictor_init(&workers[i].evictor, i);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    keep_house(&shared);
    for (unsigned i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_int_equal(sum_of_accounts(shared.keyspace, shared.clock_ms),
                     ACCOUNT_COUNT * BALANCE);
    char name[32];
    struct key key = key_of(shared.keyspace, 0, "account", ACCOUNT_COUNT, name);
    keyspace_lock(shared.keyspace, &key, 1);
    assert_int_equal(balance_of(shared.keyspace, &key, shared.clock_ms),
                     THREAD_COUNT * STEP_COUNT);
    keyspace_unlock(shared.keyspace, &key, 1);
    keyspace_free(shared.keyspace);
}

/* Database 1 stays empty, so that 0 is swapped for nothing and back. */
static void *
swap_for_nothing(void *context)
{
    struct shared *shared = context;
    for (int i = 0; i < STEP_COUNT; i++) {
        keyspace_lock_all(shared->keyspace);
        keyspace_swap_locked(shared->keyspace, 0, 1);
        keyspace_unlock_all(shared->keyspace);
        (void)sched_yield(); /* let the scan in */
    }
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

static void
a_scan_survives_the_swap_of_its_database_for_an_empty_one(void **state)
{
    (void)state;
    struct keyspace_options options = {
        .database_count = 2, .shard_count_log2 = 4, .hash_seed = 1};
    struct shared shared = {.keyspace = keyspace_new(&options)};
    atomic_store(&shared.running, 1);
    for (uint64_t i = 0; i < 200; i++) {
        char name[32];
        struct key key = key_of(shared.keyspace, 0, "account", i, name);
        keyspace_lock(shared.keyspace, &key, 1);
        set_balance(shared.keyspace, &key, BALANCE);
        keyspace_unlock(shared.keyspace, &key, 1);
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, swap_for_nothing, &shared), 0);
    uint64_t cursor = 0;
    size_t seen = 0;
    while (atomic_load(&shared.running) > 0)
        cursor = keyspace_scan(shared.keyspace, 0, cursor, 10, 0, false, on_entry, &seen);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(seen > 0);
    assert_int_equal(keyspace_size(shared.keyspace, 0), 200);
    keyspace_free(shared.keyspace);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfers_keep_the_sum_and_no_watched_increment_is_lost),
        cmocka_unit_test(a_scan_survives_the_swap_of_its_database_for_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
