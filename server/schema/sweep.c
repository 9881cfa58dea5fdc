#include "server/schema/sweep.h"

#include "proto/base/arena.h"
#include "server/store/dictionaries.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    STEP_SIZE = 4096, /* entries looked at in a step */
    NAMES_MAX = 1024, /* of orphans, set right one by one after a part of the scan */
};

enum phase { PHASE_TAG, PHASE_RECORDS };

struct sweep {
    struct registry_holder *holder;
    struct keyspace *keyspace;
    struct unpacker unpacker; /* the stepping thread's */
    uint32_t database_count;
    atomic_uint wanted; /* 0: idle, 1: a sweep is under way, 2: and another one is wanted */
    _Atomic uint64_t tagged;
    _Atomic uint64_t complements_dropped;
    _Atomic uint64_t complements_collected;

    /* Of the sweep under way: */
    struct registry *registry; /* [owned] a copy: the epoch may be gone meanwhile */
    enum phase phase;
    uint32_t db;
    uint64_t cursor;
    struct arena arena; /* names of records to set right */
    struct arena record_arena;
    int64_t now_ms;
    struct slice *names;
    size_t name_count;
};

struct sweep *
sweep_new(struct registry_holder *holder, struct keyspace *keyspace, uint32_t database_count)
{
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    if (sweep != NULL) {
        sweep->holder = holder;
        sweep->keyspace = keyspace;
        sweep->database_count = database_count;
        sweep->unpacker.dictionaries = keyspace_dictionaries(keyspace);
        arena_init(&sweep->arena, 0);
        arena_init(&sweep->record_arena, 0);
    }
    return sweep;
}

void
sweep_free(struct sweep *sweep)
{
    if (sweep != NULL) {
        registry_copy_free(sweep->registry);
        unpacker_fini(&sweep->unpacker);
        arena_fini(&sweep->arena);
        arena_fini(&sweep->record_arena);
        free(sweep);
    }
}

bool
sweep_request(struct sweep *sweep)
{
    return atomic_exchange(&sweep->wanted, 2) == 0;
}

/* Begin to sweep when that is wanted; false: it is not, or there is no memory. */
static bool
begin(struct sweep *sweep)
{
    unsigned wanted = 2;
    if (!atomic_compare_exchange_strong(&sweep->wanted, &wanted, 1)) {
        return sweep->registry != NULL;
    }
    registry_copy_free(sweep->registry);
    sweep->registry = registry_copy(sweep->holder);
    sweep->phase = PHASE_TAG;
    sweep->db = 0;
    sweep->cursor = 0;
    return sweep->registry != NULL;
}

static bool
on_retag(void *context, const struct entry *entry, uint32_t *ret_schema, uint32_t *ret_version)
{
    struct sweep *sweep = context;
    const struct registry_schema *schema =
        registry_match(sweep->registry, sweep->db, entry_key(entry));
    bool is_hash = entry_type(entry) == ENTRY_HASH;
    if (schema == NULL || lens_is_hash(schema->lens, schema->base_version) != is_hash) {
        return false;
    }
    *ret_schema = schema->id;
    *ret_version = schema->base_version;
    atomic_fetch_add_explicit(&sweep->tagged, 1, memory_order_relaxed);
    return true;
}

/* Does the entry belong to a schema that was deleted before this sweep began? */
static bool
is_orphan(const struct sweep *sweep, const struct value *value)
{
    return value->schema != 0 && value->schema < registry_next_id(sweep->registry) &&
           registry_schema_by_id(sweep->registry, value->schema) == NULL;
}

int64_t
sweep_due_ms(const struct registry_schema *schema, const struct registry_withdrawal *withdrawal)
{
    return withdrawal->at_ms + lens_schema_complement_retention_s(schema->lens) * 1000;
}

/* Does the version count no more for what complements keep? */
static bool
is_over(const struct registry_schema *schema, unsigned version, int64_t now_ms)
{
    const struct registry_withdrawal *withdrawal = registry_withdrawal(schema, version);
    return withdrawal != NULL && sweep_due_ms(schema, withdrawal) <= now_ms;
}

static bool
has_overdue(const struct registry_schema *schema, int64_t now_ms)
{
    for (size_t i = 0; i < schema->rollout.withdrawal_count; i++) {
        if (sweep_due_ms(schema, &schema->rollout.withdrawals[i]) <= now_ms) {
            return true;
        }
    }
    return false;
}

/* May the complement hold something that only versions have whose time is over? */
static bool
is_overdue(const struct sweep *sweep, const struct value *value)
{
    if (value->complement.size == 0) {
        return false;
    }
    const struct registry_schema *schema =
        registry_schema_by_id(sweep->registry, value->schema);
    return schema != NULL && has_overdue(schema, sweep->now_ms);
}

static void
on_entry(void *context, const struct entry *entry)
{
    struct sweep *sweep = context;
    struct value value;
    if (sweep->name_count == NAMES_MAX) {
        return;
    }
    entry_value(entry, &value);
    if ((is_orphan(sweep, &value) || is_overdue(sweep, &value)) &&
        arena_copy(&sweep->arena, entry_key(entry), &sweep->names[sweep->name_count])) {
        sweep->name_count++;
    }
}

/* The schema is gone: the record is what has its key now, and the complement goes. */
static void
adopt(struct sweep *sweep, const struct key *key, struct value *value)
{
    const struct registry_schema *schema =
        registry_match(sweep->registry, sweep->db, key->name);
    bool had_complement = value->complement.size > 0;
    bool is_record =
        schema != NULL && lens_is_hash(schema->lens, schema->base_version) == value->is_hash;
    value->complement = slice_make(NULL, 0);
    value->schema = is_record ? schema->id : 0;
    value->version = is_record ? schema->base_version : 0;
    bool is_done = value->is_hash && value->body.size == 0
                       ? keyspace_delete_locked(sweep->keyspace, key, sweep->now_ms)
                       : keyspace_rebase_locked(sweep->keyspace, key, value);
    if (is_done && had_complement) {
        atomic_fetch_add_explicit(&sweep->complements_dropped, 1, memory_order_relaxed);
    }
}

/* Keep what versions have that count: those whose time is not over, and the record's own. */
static void
collect(struct sweep *sweep, const struct key *key, struct value *value)
{
    const struct registry_schema *schema =
        registry_schema_by_id(sweep->registry, value->schema);
    struct lens_record record = {
        .version = value->version, .body = value->body, .complement = value->complement};
    if (value->is_packed &&
        !unpacker_open(&sweep->unpacker, &sweep->record_arena, value->body, &record.body)) {
        return; /* no memory: another time */
    }
    unsigned first = value->version;
    unsigned last = value->version;
    for (unsigned i = lens_schema_version_count(schema->lens); i > 0; i--) {
        if (!is_over(schema, i, sweep->now_ms)) {
            first = i < first ? i : first;
            last = i > last ? i : last;
        }
    }
    struct slice kept;
    if (lens_forget(schema->lens, &record, first, last, &sweep->record_arena, &kept) &&
        kept.size < value->complement.size) {
        value->complement = kept;
        if (keyspace_rebase_locked(sweep->keyspace, key, value)) {
            atomic_fetch_add_explicit(&sweep->complements_collected, 1, memory_order_relaxed);
        }
    }
}

static void
set_right(struct sweep *sweep, struct slice name, int64_t now_ms)
{
    struct key key = keyspace_key(sweep->keyspace, sweep->db, name);
    keyspace_lock(sweep->keyspace, &key, 1);
    const struct entry *entry = keyspace_peek_locked(sweep->keyspace, &key, now_ms);
    struct value value;
    if (entry != NULL && entry_record(entry, &sweep->record_arena, &value)) {
        if (is_orphan(sweep, &value)) {
            adopt(sweep, &key, &value);
        } else if (is_overdue(sweep, &value)) {
            collect(sweep, &key, &value);
        }
        arena_clear(&sweep->record_arena);
    }
    keyspace_unlock(sweep->keyspace, &key, 1);
}

/* Are there records to be set right one by one? */
static bool
has_records(const struct sweep *sweep)
{
    size_t count = registry_schema_count(sweep->registry);
    bool has = registry_next_id(sweep->registry) - 1 > count;
    for (size_t i = 0; !has && i < count; i++) {
        has = has_overdue(registry_schema_at(sweep->registry, i), sweep->now_ms);
    }
    return has;
}

/* Scan a part, then set right what it found: at most as many as there are names. */
static void
step_records(struct sweep *sweep, int64_t now_ms)
{
    sweep->name_count = 0;
    sweep->names = arena_calloc(&sweep->arena, NAMES_MAX, sizeof(*sweep->names));
    if (sweep->names != NULL) {
        uint64_t next = keyspace_scan(sweep->keyspace, sweep->db, sweep->cursor, NAMES_MAX / 4,
                                      now_ms, false, on_entry, sweep);
        /* A full list may have missed some: the same part once more. */
        if (sweep->name_count < NAMES_MAX) {
            sweep->cursor = next;
        }
        for (size_t i = 0; i < sweep->name_count; i++) {
            set_right(sweep, sweep->names[i], now_ms);
        }
    }
    arena_clear(&sweep->arena);
}

/* The next database or phase; false behind the last. */
static bool
advance(struct sweep *sweep)
{
    if (sweep->cursor != 0) {
        return true;
    }
    if (++sweep->db < sweep->database_count) {
        return true;
    }
    sweep->db = 0;
    if (sweep->phase == PHASE_TAG && has_records(sweep)) {
        sweep->phase = PHASE_RECORDS;
        return true;
    }
    return false;
}

bool
sweep_step(struct sweep *sweep, int64_t now_ms)
{
    if (!begin(sweep)) {
        unsigned wanted = 1;
        return !atomic_compare_exchange_strong(&sweep->wanted, &wanted, 0);
    }
    sweep->now_ms = now_ms;
    for (size_t seen = 0; seen < STEP_SIZE; seen += NAMES_MAX / 4) {
        if (keyspace_size(sweep->keyspace, sweep->db) == 0) {
            sweep->cursor = 0;
        } else if (sweep->phase == PHASE_RECORDS) {
            step_records(sweep, now_ms);
        } else if (!keyspace_retag(sweep->keyspace, sweep->db, &sweep->cursor, NAMES_MAX / 4,
                                   now_ms, on_retag, sweep)) {
            break; /* no memory now */
        }
        if (!advance(sweep)) {
            registry_copy_free(sweep->registry);
            sweep->registry = NULL;
            unsigned wanted = 1;
            return !atomic_compare_exchange_strong(&sweep->wanted, &wanted, 0);
        }
    }
    return true;
}

void
sweep_stats(const struct sweep *sweep, struct sweep_stats *ret_stats)
{
    ret_stats->is_running = atomic_load(&sweep->wanted) != 0;
    ret_stats->tagged = atomic_load_explicit(&sweep->tagged, memory_order_relaxed);
    ret_stats->complements_collected =
        atomic_load_explicit(&sweep->complements_collected, memory_order_relaxed);
    ret_stats->complements_dropped =
        atomic_load_explicit(&sweep->complements_dropped, memory_order_relaxed);
}
