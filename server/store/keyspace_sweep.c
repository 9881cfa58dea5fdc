#include "server/store/keyspace_parts.h"

#include "proto/base/check.h"
#include "server/store/hash_life.h"

enum {
    HOLD = 32,              /* entries looked at in one hold of a lock */
    BUCKETS_PER_ENTRY = 10, /* a scan gives up after so many buckets per entry asked for */
    RANDOM_TRIES = 128,
};

/* Sums. */

typedef uint64_t sum_of(const struct partition *partition);

static uint64_t
sum(const struct keyspace *keyspace, uint32_t db, sum_of *of)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        const struct partition *partition = keyspace_partition(keyspace, db, i);
        if (partition == NULL)
            break;
        total += of(partition);
    }
    return total;
}

static uint64_t
entries_of(const struct partition *partition)
{
    return table_count(&partition->table);
}

static uint64_t
expiring_of(const struct partition *partition)
{
    return counter_get(&partition->expiring);
}

static uint64_t
expiry_of(const struct partition *partition)
{
    return counter_get(&partition->expiry_sum);
}

static uint64_t
memory_of(const struct partition *partition)
{
    return counter_get(&partition->memory_size);
}

uint64_t
keyspace_size(struct keyspace *keyspace, uint32_t db)
{
    return sum(keyspace, db, entries_of);
}

uint64_t
keyspace_expiring_count(struct keyspace *keyspace, uint32_t db)
{
    return sum(keyspace, db, expiring_of);
}

int64_t
keyspace_average_ttl_ms(struct keyspace *keyspace, uint32_t db, int64_t now_ms)
{
    int64_t count = (int64_t)sum(keyspace, db, expiring_of);
    if (count == 0)
        return 0;
    int64_t mean_ms =
        ((int64_t)sum(keyspace, db, expiry_of) / count) * (1 << PARTITION_EXPIRY_SHIFT);
    return mean_ms > now_ms ? mean_ms - now_ms : 0;
}

static uint64_t
memory_sum(const struct keyspace *keyspace)
{
    uint32_t end = atomic_load_explicit(&keyspace->database_end, memory_order_acquire);
    uint64_t total = 0;
    for (uint32_t db = 0; db < end; db++)
        total += sum(keyspace, db, memory_of);
    return total;
}

uint64_t
keyspace_memory(const struct keyspace *keyspace)
{
    if (atomic_load_explicit(&keyspace->is_charge_stale, memory_order_acquire))
        return memory_sum(keyspace);
    return charge_total(&keyspace->charge);
}

uint64_t
keyspace_detached(const struct keyspace *keyspace)
{
    return atomic_load_explicit(&keyspace->detached_size, memory_order_relaxed);
}

void
keyspace_set_memory_step(struct keyspace *keyspace, uint64_t step)
{
    atomic_store(&keyspace->charge.step, step);
    atomic_store(&keyspace->is_charge_stale, true);
}

void
keyspace_settle_memory(struct keyspace *keyspace)
{
    /* A step that sinks meanwhile is a matter of the next call: the flag is up again by then.
     */
    if (!atomic_load(&keyspace->is_charge_stale))
        return;
    uint64_t step = atomic_load(&keyspace->charge.step);
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        keyspace_lock_shard(keyspace, i);
        uint32_t end = atomic_load_explicit(&keyspace->database_end, memory_order_acquire);
        for (uint32_t db = 0; db < end; db++) {
            struct partition *partition = keyspace_partition(keyspace, db, i);
            if (partition != NULL)
                partition_charge(partition);
        }
        keyspace_unlock_shard(keyspace, i);
    }
    atomic_store(&keyspace->is_charge_stale, false);
    if (atomic_load(&keyspace->charge.step) != step)
        atomic_store(&keyspace->is_charge_stale, true);
}

void
keyspace_stats(struct keyspace *keyspace, struct keyspace_stats *ret_stats)
{
    struct keyspace_stats stats = {0};
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        const struct shard *shard = &keyspace->shards[i];
        stats.expired += counter_get(&shard->expired);
        stats.evicted += counter_get(&shard->evicted);
        stats.hits += counter_get(&shard->hits);
        stats.misses += counter_get(&shard->misses);
    }
    stats.memory_size = memory_sum(keyspace) + keyspace_detached(keyspace);
    *ret_stats = stats;
}

void
keyspace_reset_stats(struct keyspace *keyspace)
{
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        struct shard *shard = &keyspace->shards[i];
        keyspace_lock_shard(keyspace, i);
        counter_set(&shard->expired, 0);
        counter_set(&shard->evicted, 0);
        counter_set(&shard->hits, 0);
        counter_set(&shard->misses, 0);
        keyspace_unlock_shard(keyspace, i);
    }
}

uint64_t
keyspace_longest_hold(const struct keyspace *keyspace)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        uint64_t held = counter_get(&keyspace->shards[i].longest_hold);
        longest = held > longest ? held : longest;
    }
    return longest;
}

void
keyspace_reset_longest_hold(struct keyspace *keyspace)
{
    for (uint32_t i = 0; i < keyspace->shard_count; i++)
        counter_set(&keyspace->shards[i].longest_hold, 0);
}

void
keyspace_packed(struct keyspace *keyspace, unsigned dictionary, struct tally_sum *ret_sum)
{
    struct tally_sum sum = {0};
    for (uint32_t db = 0; db < keyspace->database_count; db++) {
        for (uint32_t i = 0; i < keyspace->shard_count; i++) {
            const struct partition *partition = keyspace_partition(keyspace, db, i);
            if (partition == NULL)
                break;
            tally_sum(&partition->tally, dictionary, &sum);
        }
    }
    *ret_sum = sum;
}

void
keyspace_census(struct keyspace *keyspace, uint32_t schema, uint32_t version,
                uint64_t *ret_records, uint64_t *ret_complements)
{
    uint64_t records = 0;
    uint64_t complements = 0;
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        keyspace_lock_shard(keyspace, i);
        for (uint32_t db = 0; db < keyspace->database_count; db++) {
            const struct partition *partition = keyspace_partition(keyspace, db, i);
            const struct census_row *row =
                partition != NULL ? census_get(&partition->census, schema, version) : NULL;
            records += row != NULL ? row->records : 0;
            complements += row != NULL ? row->complements : 0;
        }
        keyspace_unlock_shard(keyspace, i);
    }
    *ret_records = records;
    *ret_complements = complements;
}

/* Scanning. */

struct scan {
    struct keyspace *keyspace;
    struct partition *partition;
    int64_t now_ms;
    size_t seen;
    keyspace_on_entry *on_entry;
    keyspace_on_retag *on_retag;
    void *context;
    uint32_t shard;
    size_t moved_size;
    bool without_memory;
};

/* Scan from <cursor> on until <count> entries are seen, or many buckets; the next cursor. */
static uint64_t
scan_some(struct scan *scan, uint32_t db, uint64_t cursor, size_t count, bool all_locked,
          table_on_slot *on_slot)
{
    struct keyspace *keyspace = scan->keyspace;
    CHECK(db < keyspace->database_count);
    unsigned shift = keyspace->shard_count_log2;
    uint32_t shard = (uint32_t)cursor & (keyspace->shard_count - 1);
    uint64_t place = cursor >> shift;
    size_t buckets = 0;
    if (count == 0)
        count = 1;
    for (;;) {
        const struct partition *unlocked = keyspace_partition(keyspace, db, shard);
        if (unlocked == NULL || table_count(&unlocked->table) == 0) {
            place = 0;
        } else {
            if (!all_locked)
                keyspace_lock_shard(keyspace, shard);
            scan->partition = keyspace_partition(keyspace, db, shard);
            scan->shard = shard;
            size_t hold = scan->seen + HOLD < count ? scan->seen + HOLD : count;
            /* None: swapped for an empty database before the lock was taken. */
            while (scan->partition != NULL) {
                place = table_scan(&scan->partition->table, place, on_slot, scan);
                if (place == 0 || scan->seen >= hold || ++buckets / BUCKETS_PER_ENTRY >= count)
                    break;
            }
            place = scan->partition != NULL ? place : 0;
            if (!all_locked)
                keyspace_unlock_shard(keyspace, shard);
        }
        if (place == 0 && ++shard == keyspace->shard_count)
            return 0;
        if (scan->seen >= count || buckets / BUCKETS_PER_ENTRY >= count)
            return place << shift | shard;
    }
}

static void
scan_slot(void *context, void **slot)
{
    struct scan *scan = context;
    scan->seen++;
    if (!entry_is_due(*slot, scan->now_ms))
        scan->on_entry(scan->context, *slot);
}

uint64_t
keyspace_scan(struct keyspace *keyspace, uint32_t db, uint64_t cursor, size_t count,
              int64_t now_ms, bool all_locked, keyspace_on_entry *on_entry, void *context)
{
    struct scan scan = {
        .keyspace = keyspace, .now_ms = now_ms, .on_entry = on_entry, .context = context};
    return scan_some(&scan, db, cursor, count, all_locked, scan_slot);
}

static void
retag_slot(void *context, void **slot)
{
    struct scan *scan = context;
    struct entry *old = *slot;
    scan->seen++;
    if (entry_schema(old) != 0 || entry_is_due(old, scan->now_ms))
        return;
    struct value value;
    entry_value(old, &value);
    if (!scan->on_retag(scan->context, old, &value.schema, &value.version))
        return;
    struct shard *shard = &scan->keyspace->shards[scan->shard];
    struct entry *entry = NULL;
    if (partition_reserve(scan->partition, &value)) {
        struct hash fields;
        hash_init(&fields);
        entry = value.is_hash
                    ? entry_new_hash(entry_key(old), &fields, &value, entry_expiry_ms(old),
                                     ++shard->revision, entry_clock(old))
                    : entry_new_string(entry_key(old), &value, entry_expiry_ms(old),
                                       ++shard->revision, entry_clock(old));
    }
    if (entry == NULL) {
        scan->without_memory = true;
        return;
    }
    struct slice name = entry_key(entry);
    struct key key = {.name = name, .hash = partition_hash(name, scan->keyspace->hash_seed)};
    CHECK(partition_put(scan->partition, &key, slot, entry));
    if (value.is_hash)
        keyspace_hand_fields_over(scan->partition, key.hash, old, entry);
    entry_list_push(&shard->garbage, old);
}

bool
keyspace_retag(struct keyspace *keyspace, uint32_t db, uint64_t *cursor, size_t count,
               int64_t now_ms, keyspace_on_retag *on_retag, void *context)
{
    struct scan scan = {
        .keyspace = keyspace, .now_ms = now_ms, .on_retag = on_retag, .context = context};
    uint64_t next = scan_some(&scan, db, *cursor, count, false, retag_slot);
    if (scan.without_memory)
        return false;
    *cursor = next;
    return true;
}

enum {
    MOVED_COUNT = 8,
    MOVED_SIZE = 256
}; /* a move is like a look at 8, and 1 per 256 bytes */

static void
compact_slot(void *context, void **slot)
{
    struct scan *scan = context;
    struct entry *old = *slot;
    scan->seen++;
    *slot = entry_compact(old);
    if (*slot != old) {
        size_t size = memory_size(*slot);
        scan->seen += MOVED_COUNT + size / MOVED_SIZE;
        scan->moved_size += size;
    }
}

bool
keyspace_compact(struct keyspace *keyspace, struct keyspace_place *place, size_t count,
                 size_t *moved_size)
{
    struct scan scan = {.keyspace = keyspace};
    uint32_t end = atomic_load_explicit(&keyspace->database_end, memory_order_acquire);
    while (place->db < end && scan.seen < count) {
        place->cursor = scan_some(&scan, place->db, place->cursor, count, false, compact_slot);
        place->db += place->cursor == 0;
    }
    *moved_size += scan.moved_size;
    return place->db >= end;
}

/* One by one. */

static struct key
key_of(const struct keyspace *keyspace, const struct entry *entry, uint32_t db)
{
    return keyspace_key(keyspace, db, entry_key(entry));
}

/* The shard in which the <index>th key of <db> lies. */
static uint32_t
shard_at(const struct keyspace *keyspace, uint32_t db, uint64_t index)
{
    uint32_t shard = 0;
    for (; shard < keyspace->shard_count - 1; shard++) {
        const struct partition *partition = keyspace_partition(keyspace, db, shard);
        uint64_t count = partition != NULL ? table_count(&partition->table) : 0;
        if (index < count)
            break;
        index -= count;
    }
    return shard;
}

bool
keyspace_random(struct keyspace *keyspace, uint32_t db, uint64_t random, int64_t now_ms,
                bool all_locked, struct buffer *ret_name)
{
    CHECK(db < keyspace->database_count);
    bool found = false;
    for (int i = 0; i < RANDOM_TRIES && !found; i++) {
        uint64_t size = keyspace_size(keyspace, db);
        if (size == 0)
            return false;
        uint32_t shard = shard_at(keyspace, db, random % size);
        if (!all_locked)
            keyspace_lock_shard(keyspace, shard);
        struct partition *partition = keyspace_partition(keyspace, db, shard);
        void **slot = partition != NULL ? table_random(&partition->table, &random) : NULL;
        if (slot != NULL && entry_is_due(*slot, now_ms)) {
            struct key key = key_of(keyspace, *slot, db);
            keyspace_drop_expired_locked(keyspace, partition, &key, slot);
            partition_adjust(partition);
        } else if (slot != NULL) {
            buffer_append_slice(ret_name, entry_key(*slot));
            found = true;
        }
        if (!all_locked)
            keyspace_unlock_shard(keyspace, shard);
        random = random * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
    }
    return found;
}

/* Look through entries that may be due, at most *effort and those of one bucket more. */
static size_t
expire_partition(struct keyspace *keyspace, struct partition *partition, uint32_t db,
                 int64_t now_ms, size_t *effort)
{
    struct table *table = &partition->table;
    size_t removed = 0;
    uint32_t index;
    while (*effort > 0 && table_due_find(table, now_ms, &index)) {
        int64_t due = TABLE_DUE_NEVER;
        size_t ordinal = 0;
        void **slot;
        while ((slot = table_slot_at(table, index, ordinal)) != NULL) {
            int64_t expiry_ms = entry_expiry_ms(*slot);
            *effort -= *effort > 0;
            if (entry_is_due(*slot, now_ms)) {
                struct key key = key_of(keyspace, *slot, db);
                keyspace_drop_expired_locked(keyspace, partition, &key, slot);
                removed++;
                continue; /* another item came into the slot */
            }
            if (expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms < due)
                due = expiry_ms;
            ordinal++;
        }
        table_due_set(table, index, due);
    }
    for (size_t i = 0; i < removed; i++)
        partition_adjust(partition);
    return removed;
}

size_t
keyspace_expire_some(struct keyspace *keyspace, int64_t now_ms, size_t effort)
{
    size_t shards = keyspace->shard_count;
    size_t places = keyspace->database_count * shards;
    size_t place = atomic_load_explicit(&keyspace->expire_cursor, memory_order_relaxed);
    size_t removed = 0;
    atomic_store_explicit(&keyspace->clock_s, (uint32_t)(now_ms / 1000), memory_order_relaxed);
    for (size_t passed = 0; passed < places && effort > 0;) {
        uint32_t db = (uint32_t)(place / shards);
        uint32_t shard = (uint32_t)(place % shards);
        const struct partition *unlocked = keyspace_partition(keyspace, db, shard);
        size_t step = 1;
        if (unlocked == NULL) {
            step = shards - shard; /* the whole database is empty */
        } else if (table_due(&unlocked->table) < now_ms) {
            size_t hold = effort < HOLD ? effort : HOLD;
            effort -= hold;
            keyspace_lock_shard(keyspace, shard);
            struct partition *partition = keyspace_partition(keyspace, db, shard);
            if (partition != NULL)
                removed += expire_partition(keyspace, partition, db, now_ms, &hold);
            keyspace_unlock_shard(keyspace, shard);
            step = hold == 0 ? 0 : 1; /* all of it used: there may be more */
            effort += hold;
        }
        passed += step;
        place = (place + step) % places;
    }
    atomic_store_explicit(&keyspace->expire_cursor, place, memory_order_relaxed);
    return removed;
}
