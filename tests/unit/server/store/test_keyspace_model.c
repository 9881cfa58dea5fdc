/*
 * The keyspace against plain arrays: random calls, time passing, allocations failing at times,
 * and readers who hold the blocks of large values meanwhile.
 */
#include "server/store/block.h"
#include "server/store/eviction.h"
#include "server/store/hash.h"
#include "server/store/keyspace.h"
#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    NONE = KEYSPACE_EXPIRY_NONE,
    DB_COUNT = 3,
    NAME_COUNT = 1500,
    STEP_COUNT = 60000,
    BODY_MAX = 400,
    LARGE_MAX = BLOCK_SIZE_MIN + 3000,
    HELD_COUNT = 20,
    SCHEMA_COUNT = 3,
    VERSION_COUNT = 3,
};

enum kind { ABSENT, STRING, HASH };

struct record {
    enum kind kind;
    size_t size; /* of the body, or fields of the hash */
    size_t complement_size;
    uint32_t schema;
    uint32_t version;
    int64_t expiry_ms;
    unsigned seen;
};

/* A block that was read, and what it has to stay. */
struct held {
    struct block *block; /* NULL: none */
    size_t index;
    size_t size;
};

struct model {
    struct held held[HELD_COUNT];
    struct keyspace *keyspace;
    uint32_t shard_count_log2;
    uint64_t random;
    int64_t now_ms;
    struct evictor evictor;
    struct record records[DB_COUNT][NAME_COUNT];
};

static uint64_t
draw(struct model *model, uint64_t below)
{
    uint64_t z = model->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static char names[NAME_COUNT][300];
static char bytes[LARGE_MAX + 50];

static struct key
key_of(struct model *model, uint32_t db, size_t index)
{
    return keyspace_key(model->keyspace, db, slice_from_string(names[index]));
}

static bool
is_live(const struct model *model, const struct record *record)
{
    return record->kind != ABSENT &&
           (record->expiry_ms == NONE || record->expiry_ms >= model->now_ms);
}

/* What the bytes of a body are follows from the key and its size. */
static struct slice
body_of(size_t index, size_t size)
{
    return slice_make(bytes + index % 50, size);
}

static void
assert_entry(const struct model *model, const struct record *record, size_t index,
             const struct entry *entry)
{
    assert_int_equal(entry != NULL, is_live(model, record));
    if (entry == NULL)
        return;
    assert_true(slice_equal(entry_key(entry), slice_from_string(names[index])));
    assert_int_equal(entry_expiry_ms(entry), record->expiry_ms);
    assert_int_equal(entry_type(entry) == ENTRY_HASH, record->kind == HASH);
    if (record->kind == HASH) {
        assert_int_equal(hash_size(entry_hash(entry)), record->size);
        return;
    }
    struct value value;
    entry_value(entry, &value);
    assert_true(slice_equal(value.body, body_of(index, record->size)));
    assert_true(slice_equal(value.complement, body_of(index + 7, record->complement_size)));
    assert_int_equal(value.schema, record->schema);
    assert_int_equal(value.version, record->version);
}

static int64_t
some_expiry(struct model *model)
{
    return draw(model, 3) == 0 ? NONE : model->now_ms + (int64_t)draw(model, 3000);
}

static struct record
some_record(struct model *model)
{
    struct record record = {.kind = STRING, .size = draw(model, BODY_MAX)};
    if (draw(model, 2) == 0)
        record.size %= 20;
    if (draw(model, 20) == 0)
        record.size = BLOCK_SIZE_MIN - 2 + draw(model, 2000);
    if (draw(model, 2) == 0) {
        record.schema = 1 + (uint32_t)draw(model, SCHEMA_COUNT);
        record.version = (uint32_t)draw(model, VERSION_COUNT);
        record.complement_size = draw(model, 2) * draw(model, 40);
    }
    return record;
}

static struct value
value_of(const struct record *record, size_t index)
{
    return (struct value){
        .body = body_of(index, record->size),
        .complement = body_of(index + 7, record->complement_size),
        .schema = record->schema,
        .version = record->version,
    };
}

static void
step_set(struct model *model, uint32_t db, size_t index, struct record *record)
{
    struct key key = key_of(model, db, index);
    struct record next = some_record(model);
    struct value value = value_of(&next, index);
    next.expiry_ms = some_expiry(model);
    if (next.size >= BLOCK_SIZE_MIN && draw(model, 2) == 0) {
        value.block = block_copy(value.body);
        if (value.block == NULL)
            return;
        value.body.data = value.block->bytes;
    }
    if (keyspace_set_locked(model->keyspace, &key, &value, next.expiry_ms))
        *record = next;
    block_unref(value.block);
}

/* Let one go that is held, unchanged, and hold what is under <key> in its place. */
static void
step_hold(struct model *model, uint32_t db, size_t index, const struct record *record)
{
    struct held *held = &model->held[draw(model, HELD_COUNT)];
    if (held->block != NULL)
        assert_memory_equal(held->block->bytes, body_of(held->index, held->size).data,
                            held->size);
    block_unref(held->block);
    held->block = NULL;
    struct key key = key_of(model, db, index);
    struct entry *entry = keyspace_peek_locked(model->keyspace, &key, model->now_ms);
    if (entry != NULL && entry_block(entry) != NULL) {
        assert_true(record->kind == STRING && record->size >= BLOCK_SIZE_MIN);
        *held = (struct held){block_ref(entry_block(entry)), index, record->size};
    }
}

static void
let_all_go(struct model *model)
{
    for (size_t i = 0; i < HELD_COUNT; i++) {
        block_unref(model->held[i].block);
        model->held[i].block = NULL;
    }
}

static void
step_rebase(struct model *model, uint32_t db, size_t index, struct record *record)
{
    struct key key = key_of(model, db, index);
    struct record next = some_record(model);
    struct value value = value_of(&next, index);
    struct entry *entry = keyspace_peek_locked(model->keyspace, &key, model->now_ms);
    if (entry == NULL)
        return;
    uint64_t revision = entry_revision(entry);
    bool done = keyspace_rebase_locked(model->keyspace, &key, &value);
    if (!done)
        return;
    entry = keyspace_peek_locked(model->keyspace, &key, model->now_ms);
    if (record->schema != 0 && next.schema != 0)
        assert_int_equal(entry_revision(entry), revision);
    next.expiry_ms = record->expiry_ms;
    *record = next;
}

static void
step_hash(struct model *model, uint32_t db, size_t index, struct record *record)
{
    struct key key = key_of(model, db, index);
    struct entry *entry = keyspace_peek_locked(model->keyspace, &key, model->now_ms);
    if (entry == NULL) {
        entry = keyspace_add_hash_locked(model->keyspace, &key, 0, 0);
        if (entry == NULL) {
            if (!is_live(model, record))
                record->kind = ABSENT;
            return;
        }
        *record = (struct record){.kind = HASH, .expiry_ms = NONE};
    }
    if (record->kind != HASH)
        return;
    char field[32];
    size_t count = draw(model, 10) == 0 ? 400 : 5;
    for (size_t i = 0; i < count; i++) {
        snprintf(field, sizeof(field), "%d", (int)draw(model, 600));
        if (draw(model, 3) != 0)
            record->size += hash_set(entry_hash(entry), slice_from_string(field),
                                     body_of(index, draw(model, 70))) == HASH_ADDED;
        else
            record->size -= hash_delete(entry_hash(entry), slice_from_string(field));
    }
    keyspace_changed_locked(model->keyspace, &key);
}

static void
step_expire(struct model *model, uint32_t db, size_t index, struct record *record)
{
    struct key key = key_of(model, db, index);
    int64_t expiry_ms = some_expiry(model);
    if (keyspace_peek_locked(model->keyspace, &key, model->now_ms) == NULL)
        assert_false(keyspace_expire_locked(model->keyspace, &key, expiry_ms));
    else if (keyspace_expire_locked(model->keyspace, &key, expiry_ms))
        record->expiry_ms = expiry_ms;
}

static void
step_move(struct model *model, uint32_t db, size_t index, struct record *record)
{
    uint32_t to_db = (uint32_t)draw(model, DB_COUNT);
    size_t to_index = (index + 50 * draw(model, NAME_COUNT / 50)) % NAME_COUNT;
    struct record *to_record = &model->records[to_db][to_index];
    struct key from = key_of(model, db, index);
    struct key to = key_of(model, to_db, to_index);
    bool copy = draw(model, 3) == 0;
    if (keyspace_peek_locked(model->keyspace, &from, model->now_ms) == NULL ||
        !keyspace_move_locked(model->keyspace, &from, &to, copy) || to_record == record)
        return;
    *to_record = *record;
    if (!copy)
        record->kind = ABSENT;
}

/* The body grows by what follows from the key and its new size, or is written over by the same.
 */
static void
step_edit(struct model *model, uint32_t db, size_t index, struct record *record)
{
    struct key key = key_of(model, db, index);
    struct entry *entry = keyspace_peek_locked(model->keyspace, &key, model->now_ms);
    if (entry != NULL && !entry_is_plain(entry)) {
        assert_true(record->kind == HASH || record->schema != 0);
        return;
    }
    size_t old_size = entry != NULL ? record->size : 0;
    size_t size = draw(model, 4) == 0 ? draw(model, BODY_MAX) : old_size + draw(model, 9);
    if (draw(model, 10) == 0)
        size = BLOCK_SIZE_MIN - 2 + draw(model, 3000);
    size = size < LARGE_MAX ? size : LARGE_MAX;
    size_t zeros_to = draw(model, 2) * size;
    char *body = keyspace_edit_locked(model->keyspace, &key, size, zeros_to);
    if (body == NULL) {
        if (entry == NULL)
            record->kind = ABSENT;
        return;
    }
    if (entry == NULL)
        *record = (struct record){.kind = STRING, .expiry_ms = NONE};
    for (size_t i = old_size; i < zeros_to; i++)
        assert_true(body[i] == 0);
    record->size = size > old_size ? size : old_size;
    memcpy(body, body_of(index, size).data, size);
}

/* Whatever one eviction takes: what is gone is gone from the model. */
static void
step_evict(struct model *model)
{
    size_t before = 0;
    size_t after = 0;
    struct eviction_options options = {
        .policy = (enum eviction_policy)draw(model, EVICTION_NONE + 1),
        .samples = 1 + (uint32_t)draw(model, 10),
        .lfu_log_factor = 1,
        .lfu_decay_minutes = 1,
    };
    bool is_volatile = options.policy <= EVICTION_VOLATILE_TTL;
    size_t eligible = 0;
    for (uint32_t db = 0; db < DB_COUNT; db++) {
        before += keyspace_size(model->keyspace, db);
        eligible += is_volatile ? keyspace_expiring_count(model->keyspace, db)
                                : keyspace_size(model->keyspace, db);
    }
    struct keyspace_stats stats_before;
    struct keyspace_stats stats;
    keyspace_stats(model->keyspace, &stats_before);
    keyspace_set_eviction(model->keyspace, &options);
    enum eviction result = keyspace_evict(model->keyspace, &model->evictor, model->now_ms);
    keyspace_stats(model->keyspace, &stats);
    for (uint32_t db = 0; db < DB_COUNT; db++)
        after += keyspace_size(model->keyspace, db);
    bool may_evict = options.policy != EVICTION_NONE && eligible > 0;
    assert_int_equal(result, may_evict ? EVICTION_DONE : EVICTION_NOTHING);
    assert_int_equal(before - after, stats.evicted + stats.expired - stats_before.evicted -
                                         stats_before.expired);
    assert_true(stats.evicted <= stats_before.evicted + 1);
    assert_true((before > after) == may_evict);
    size_t evicted = 0;
    for (uint32_t db = 0; db < DB_COUNT; db++) {
        for (size_t i = 0; i < NAME_COUNT; i++) {
            struct record *record = &model->records[db][i];
            struct key key = key_of(model, db, i);
            if (!is_live(model, record))
                continue;
            if (keyspace_peek_locked(model->keyspace, &key, model->now_ms) == NULL) {
                assert_true(!is_volatile || record->expiry_ms != NONE);
                record->kind = ABSENT;
                evicted++;
            }
        }
    }
    assert_int_equal(evicted, stats.evicted - stats_before.evicted);
}

static size_t size_seen;

static void
on_entry(void *context, const struct entry *entry)
{
    struct record *records = context;
    size_seen += entry_memory(entry);
    size_t index = strtoul(entry_key(entry).data, NULL, 10);
    assert_int_not_equal(records[index].kind, ABSENT);
    records[index].seen++;
}

/* Everything that can be asked of the whole, once what is due is gone. */
static void
assert_whole(struct model *model)
{
    struct keyspace *keyspace = model->keyspace;
    for (int idle = 0; idle < 2;)
        idle = keyspace_expire_some(keyspace, model->now_ms, 100000) == 0 ? idle + 1 : 0;
    uint64_t records[SCHEMA_COUNT + 1][VERSION_COUNT] = {{0}};
    uint64_t complements[SCHEMA_COUNT + 1][VERSION_COUNT] = {{0}};
    size_t total = 0;
    size_seen = 0;
    while (keyspace_free_some(keyspace, 1000))
        ;
    for (uint32_t db = 0; db < DB_COUNT; db++) {
        size_t count = 0;
        size_t expiring = 0;
        for (size_t i = 0; i < NAME_COUNT; i++) {
            struct record *record = &model->records[db][i];
            record->seen = 0;
            if (!is_live(model, record))
                record->kind = ABSENT;
            if (record->kind == ABSENT)
                continue;
            count++;
            expiring += record->expiry_ms != NONE;
            records[record->schema][record->version]++;
            complements[record->schema][record->version] += record->complement_size != 0;
        }
        total += count;
        assert_int_equal(keyspace_size(keyspace, db), count);
        assert_int_equal(keyspace_expiring_count(keyspace, db), expiring);
        uint64_t cursor = 0;
        do {
            cursor = keyspace_scan(keyspace, db, cursor, 10, model->now_ms, false, on_entry,
                                   model->records[db]);
            assert_true(cursor < (uint64_t)1 << 53);
        } while (cursor != 0);
        for (size_t i = 0; i < NAME_COUNT; i++)
            assert_int_equal(model->records[db][i].seen, model->records[db][i].kind != ABSENT);
    }
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    uint64_t step = draw(model, 2) * 1000;
    keyspace_set_memory_step(keyspace, step);
    assert_int_equal(keyspace_memory(keyspace) + keyspace_detached(keyspace),
                     stats.memory_size);
    keyspace_settle_memory(keyspace);
    assert_int_equal(keyspace_memory(keyspace) + keyspace_detached(keyspace),
                     stats.memory_size);
    assert_in_range(stats.memory_size, size_seen,
                    size_seen + total * 40 +
                        ((size_t)DB_COUNT << model->shard_count_log2) * 700);
    for (uint32_t schema = 1; schema <= SCHEMA_COUNT; schema++) {
        for (uint32_t version = 0; version < VERSION_COUNT; version++) {
            uint64_t got_records;
            uint64_t got_complements;
            keyspace_census(keyspace, schema, version, &got_records, &got_complements);
            assert_int_equal(got_records, records[schema][version]);
            assert_int_equal(got_complements, complements[schema][version]);
        }
    }
}

static void
flush(struct model *model, uint32_t db)
{
    keyspace_lock_all(model->keyspace);
    keyspace_flush_locked(model->keyspace, db);
    keyspace_unlock_all(model->keyspace);
    for (uint32_t d = 0; d < DB_COUNT; d++) {
        for (size_t i = 0; i < NAME_COUNT; i++) {
            if (db == UINT32_MAX || db == d)
                model->records[d][i].kind = ABSENT;
        }
    }
}

static void
step_whole(struct model *model, uint32_t db)
{
    uint32_t other = (uint32_t)draw(model, DB_COUNT);
    static struct record records[NAME_COUNT];
    switch (draw(model, 44)) {
    case 0:
        flush(model, db);
        break;
    case 1:
        keyspace_lock_all(model->keyspace);
        keyspace_swap_locked(model->keyspace, db, other);
        keyspace_unlock_all(model->keyspace);
        memcpy(records, model->records[db], sizeof(records));
        memcpy(model->records[db], model->records[other], sizeof(records));
        memcpy(model->records[other], records, sizeof(records));
        break;
    case 2:
        assert_whole(model);
        break;
    case 3:
    case 4:
    case 5:
        step_evict(model);
        break;
    case 6: {
        /* All is told already: what is not yet is at most a step per partition. */
        struct keyspace_stats stats;
        keyspace_stats(model->keyspace, &stats);
        uint64_t told = keyspace_memory(model->keyspace) + keyspace_detached(model->keyspace);
        uint64_t bound = (uint64_t)(DB_COUNT * 64 * 1024) << model->shard_count_log2;
        assert_true(told <= stats.memory_size + bound && stats.memory_size <= told + bound);
        break;
    }
    default:
        (void)keyspace_free_some(model->keyspace, 1 + draw(model, 50));
        (void)keyspace_expire_some(model->keyspace, model->now_ms, 1 + draw(model, 50));
        model->now_ms += (int64_t)draw(model, 300);
    }
}

static void
step(struct model *model)
{
    uint32_t db = (uint32_t)draw(model, DB_COUNT);
    size_t index = draw(model, NAME_COUNT);
    struct record *record = &model->records[db][index];
    struct key key = key_of(model, db, index);
    uint64_t deed = draw(model, 100);
    if (deed == 0) {
        step_whole(model, db);
        return;
    }
    keyspace_lock_all(model->keyspace);
    if (draw(model, 10) == 0)
        memory_fail_at(1 + (int64_t)draw(model, 4));
    if (deed < 40)
        step_set(model, db, index, record);
    else if (deed < 55)
        assert_int_equal(keyspace_delete_locked(model->keyspace, &key, model->now_ms),
                         is_live(model, record));
    else if (deed < 65)
        step_expire(model, db, index, record);
    else if (deed < 75)
        step_move(model, db, index, record);
    else if (deed < 85)
        step_rebase(model, db, index, record);
    else if (deed < 90)
        step_edit(model, db, index, record);
    else if (deed < 92)
        step_hash(model, db, index, record);
    else if (deed < 97)
        step_hold(model, db, index, record);
    memory_fail_at(0);
    if (deed >= 40 && deed < 55)
        record->kind = ABSENT;
    assert_entry(model, record, index,
                 keyspace_find_locked(model->keyspace, &key, model->now_ms));
    keyspace_unlock_all(model->keyspace);
}

static void
it_holds_what_plain_arrays_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)('a' + i % 26);
    for (int i = 0; i < NAME_COUNT; i++) {
        int size = snprintf(names[i], sizeof(names[i]), "%d:", i);
        memset(names[i] + size, 'k', i % 10 == 0 ? 255 : (size_t)i % 9);
    }
    static struct model model;
    for (uint32_t round = 0; round < 4; round++) {
        struct keyspace_options options = {.database_count = DB_COUNT,
                                           .shard_count_log2 = round + round / 3,
                                           .hash_seed = round};
        model = (struct model){
            .random = round, .now_ms = 1700000000000, .shard_count_log2 = round + round / 3};
        model.keyspace = keyspace_new(&options);
        assert_non_null(model.keyspace);
        evictor_init(&model.evictor, round);
        for (int i = 0; i < STEP_COUNT; i++)
            step(&model);
        assert_whole(&model);
        flush(&model, UINT32_MAX);
        let_all_go(&model);
        while (keyspace_free_some(model.keyspace, 100))
            ;
        struct keyspace_stats stats;
        keyspace_stats(model.keyspace, &stats);
        uint64_t empty = stats.memory_size;
        assert_true(empty <= (uint64_t)DB_COUNT << options.shard_count_log2 << 9);
        keyspace_free(model.keyspace);
    }
}

/* Keys present throughout are seen, whatever comes and goes between the calls. */
static void
a_scan_sees_what_stays_at_least_once_through_resizes_and_renames(void **state)
{
    (void)state;
    static struct model model;
    enum { STAYING = 300, PASSING = 30000 };
    for (uint32_t round = 0; round < 10; round++) {
        struct keyspace_options options = {
            .database_count = DB_COUNT, .shard_count_log2 = round % 4, .hash_seed = round};
        model = (struct model){.random = round, .now_ms = 1700000000000};
        model.keyspace = keyspace_new(&options);
        struct record *records = model.records[0];
        for (size_t i = 0; i < STAYING; i++) {
            struct key key = key_of(&model, 0, i);
            struct value value = {.body = SLICE("value")};
            records[i].kind = STRING;
            assert_true(keyspace_set_locked(model.keyspace, &key, &value, NONE));
        }
        for (size_t i = STAYING; i < NAME_COUNT; i++)
            records[i].kind = STRING; /* may be seen */
        uint64_t cursor = 0;
        int next = 0;
        bool grows = true;
        do {
            cursor = keyspace_scan(model.keyspace, 0, cursor, 10, model.now_ms, false, on_entry,
                                   records);
            for (uint64_t i = draw(&model, 1000); i > 0; i--) {
                char name[32];
                snprintf(name, sizeof(name), "%d:passing:%d", NAME_COUNT - 1, next);
                struct key key = keyspace_key(model.keyspace, 0, slice_from_string(name));
                struct value value = {.body = SLICE("value")};
                keyspace_lock(model.keyspace, &key, 1);
                if (grows && next < PASSING) {
                    next++;
                    assert_true(keyspace_set_locked(model.keyspace, &key, &value, NONE));
                } else if (!grows && next > 0) {
                    next--;
                    (void)keyspace_delete_locked(model.keyspace, &key, model.now_ms);
                }
                keyspace_unlock(model.keyspace, &key, 1);
            }
            if (draw(&model, 15) == 0)
                grows = !grows;
        } while (cursor != 0);
        for (size_t i = 0; i < STAYING; i++)
            assert_true(records[i].seen >= 1);
        keyspace_free(model.keyspace);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_plain_arrays_hold),
        cmocka_unit_test(a_scan_sees_what_stays_at_least_once_through_resizes_and_renames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
