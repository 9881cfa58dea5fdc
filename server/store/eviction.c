#include "server/store/eviction.h"

#include "server/store/frequency.h"
#include "server/store/keyspace_parts.h"
#include "server/store/splitmix.h"

enum { SAMPLES_MAX = 64 };

void
keyspace_set_eviction(struct keyspace *keyspace, const struct eviction_options *options)
{
    struct eviction_settings *settings = &keyspace->eviction;
    bool is_lfu =
        options->policy == EVICTION_ALLKEYS_LFU || options->policy == EVICTION_VOLATILE_LFU;
    uint32_t samples = options->samples < 1 ? 1 : options->samples;
    atomic_store_explicit(&settings->samples, samples < SAMPLES_MAX ? samples : SAMPLES_MAX,
                          memory_order_relaxed);
    atomic_store_explicit(&settings->lfu_log_factor, options->lfu_log_factor,
                          memory_order_relaxed);
    atomic_store_explicit(&settings->lfu_decay_minutes, options->lfu_decay_minutes,
                          memory_order_relaxed);
    atomic_store_explicit(&settings->is_lfu, is_lfu, memory_order_relaxed);
    atomic_store_explicit(&settings->policy, (unsigned)options->policy, memory_order_relaxed);
}

void
evictor_init(struct evictor *evictor, uint64_t seed)
{
    *evictor = (struct evictor){.random = seed, .policy = EVICTION_NONE};
}

static uint64_t
draw(struct evictor *evictor)
{
    return splitmix_next(&evictor->random);
}

static bool
is_volatile(enum eviction_policy policy)
{
    return policy <= EVICTION_VOLATILE_TTL;
}

static bool
is_random(enum eviction_policy policy)
{
    return policy == EVICTION_ALLKEYS_RANDOM || policy == EVICTION_VOLATILE_RANDOM;
}

/* What one eviction works with. */
struct search {
    struct keyspace *keyspace;
    struct evictor *evictor;
    int64_t now_ms;
    enum eviction_policy policy;
    struct partition *partition;
    uint32_t shard;
    uint32_t db;
    size_t seen;    /* entries that may go */
    size_t expired; /* entries that went because their time was over */
    bool is_busy;   /* a shard could not be locked */
};

/* ---- candidates ---- */

/* Points in time rather than spans, so that scores taken at different times compare. */
static uint64_t
score_of(const struct search *search, const struct entry *entry)
{
    uint32_t now_s = (uint32_t)(search->now_ms / 1000);
    uint32_t clock = entry_clock(entry);
    uint32_t decay_minutes = atomic_load_explicit(&search->keyspace->eviction.lfu_decay_minutes,
                                                  memory_order_relaxed);
    switch (search->policy) {
    case EVICTION_VOLATILE_LRU:
    case EVICTION_ALLKEYS_LRU:
        return UINT64_MAX -
               (uint64_t)(search->now_ms / 1000 - entry_idle_s(entry, search->now_ms));
    case EVICTION_VOLATILE_LFU:
    case EVICTION_ALLKEYS_LFU:
        return (uint64_t)(FREQUENCY_MAX - frequency_counter(clock, now_s, decay_minutes))
                   << 16 |
               frequency_idle_minutes(clock, now_s);
    case EVICTION_VOLATILE_TTL:
        return UINT64_MAX - (uint64_t)entry_expiry_ms(entry);
    case EVICTION_VOLATILE_RANDOM:
    case EVICTION_ALLKEYS_RANDOM:
    case EVICTION_NONE:
        break;
    }
    return draw(search->evictor);
}

static void
pool_remove(struct evictor *evictor, uint32_t index)
{
    evictor->count--;
    memmove(&evictor->pool[index], &evictor->pool[index + 1],
            (evictor->count - index) * sizeof(evictor->pool[0]));
}

static void
pool_add(struct evictor *evictor, const struct candidate *candidate)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < evictor->count; i++) {
        if (evictor->pool[i].hash == candidate->hash && evictor->pool[i].db == candidate->db) {
            pool_remove(evictor, i);
            break;
        }
    }
    while (place < evictor->count && evictor->pool[place].score < candidate->score)
        place++;
    if (evictor->count == EVICTOR_POOL) {
        if (place == 0)
            return;
        pool_remove(evictor, 0);
        place--;
    }
    memmove(&evictor->pool[place + 1], &evictor->pool[place],
            (evictor->count - place) * sizeof(evictor->pool[0]));
    evictor->pool[place] = *candidate;
    evictor->count++;
}

/* ---- sampling ---- */

static void
look_into_bucket(struct search *search, uint32_t index)
{
    struct table *table = &search->partition->table;
    void **slot;
    for (size_t ordinal = 0; (slot = table_slot_at(table, index, ordinal)) != NULL; ordinal++)
        __builtin_prefetch(*slot);
    for (size_t ordinal = 0; (slot = table_slot_at(table, index, ordinal)) != NULL;) {
        struct entry *entry = *slot;
        if (is_volatile(search->policy) && entry_expiry_ms(entry) == KEYSPACE_EXPIRY_NONE) {
            ordinal++;
            continue;
        }
        struct key key = keyspace_key(search->keyspace, search->db, entry_key(entry));
        if (entry_is_due(entry, search->now_ms)) {
            keyspace_drop_expired_locked(search->keyspace, search->partition, &key, slot);
            search->expired++;
            continue; /* another item came into the slot */
        }
        pool_add(search->evictor, &(struct candidate){.score = score_of(search, entry),
                                                      .hash = key.hash,
                                                      .shard = search->shard,
                                                      .db = search->db});
        search->seen++;
        ordinal++;
    }
}

static void
look_through(struct search *search, uint32_t first, uint32_t end, size_t wanted)
{
    const struct table *table = &search->partition->table;
    for (uint32_t i = first; i < end && search->seen < wanted; i++) {
        if (is_volatile(search->policy) && (i = table_expiring_find(table, i, end)) == end)
            break;
        look_into_bucket(search, i);
    }
}

static uint64_t
eligible_count(const struct search *search, uint32_t shard, uint32_t db)
{
    const struct partition *partition = keyspace_partition(search->keyspace, db, shard);
    if (partition == NULL)
        return 0;
    return is_volatile(search->policy) ? counter_get(&partition->expiring)
                                       : table_count(&partition->table);
}

/* A database of <shard> by the share of what may go; false: there is nothing. */
static bool
pick_database(struct search *search, uint32_t shard)
{
    uint32_t end = atomic_load_explicit(&search->keyspace->database_end, memory_order_acquire);
    uint64_t total = 0;
    for (uint32_t db = 0; db < end; db++)
        total += eligible_count(search, shard, db);
    if (total == 0)
        return false;
    uint64_t place = draw(search->evictor) % total;
    search->shard = shard;
    for (search->db = 0; search->db + 1 < end; search->db++) {
        uint64_t count = eligible_count(search, shard, search->db);
        if (place < count)
            break;
        place -= count;
    }
    return true;
}

static void
sample_shard(struct search *search, uint32_t shard, size_t wanted)
{
    struct keyspace *keyspace = search->keyspace;
    if (!pick_database(search, shard))
        return;
    if (!shard_try_lock(&keyspace->shards[shard])) {
        search->is_busy = true;
        return;
    }
    size_t expired_before = search->expired;
    search->partition = keyspace_partition(keyspace, search->db, shard);
    if (search->partition != NULL && search->partition->table.bucket_count > 0) {
        uint32_t count = search->partition->table.bucket_count;
        uint32_t start = (uint32_t)(draw(search->evictor) % count);
        look_through(search, start, count, wanted);
        look_through(search, 0, start, wanted);
        for (size_t i = expired_before; i < search->expired; i++)
            partition_adjust(search->partition);
    }
    keyspace_unlock_shard(keyspace, shard);
}

/* ---- evicting ---- */

enum taken { TAKEN, TAKEN_GONE, TAKEN_YOUNGER, TAKEN_BUSY };

static enum taken
take_locked(struct search *search, struct candidate *candidate)
{
    struct keyspace *keyspace = search->keyspace;
    struct partition *partition = keyspace_partition(keyspace, candidate->db, candidate->shard);
    void **slot = partition != NULL ? partition_find_hash(partition, candidate->hash) : NULL;
    if (slot == NULL)
        return TAKEN_GONE;
    struct entry *entry = *slot;
    struct key key = {entry_key(entry), candidate->hash, candidate->shard, candidate->db};
    if (is_volatile(search->policy) && entry_expiry_ms(entry) == KEYSPACE_EXPIRY_NONE)
        return TAKEN_GONE;
    if (entry_is_due(entry, search->now_ms)) {
        keyspace_drop_expired_locked(keyspace, partition, &key, slot);
    } else {
        uint64_t score = is_random(search->policy) ? candidate->score : score_of(search, entry);
        if (score < candidate->score) {
            candidate->score = score;
            return TAKEN_YOUNGER;
        }
        keyspace_drop_evicted_locked(keyspace, partition, &key, slot);
    }
    partition_adjust(partition);
    partition_charge(partition);
    return TAKEN;
}

static enum taken
take(struct search *search, struct candidate *candidate)
{
    struct shard *shard = &search->keyspace->shards[candidate->shard];
    if (!shard_try_lock(shard))
        return TAKEN_BUSY;
    enum taken taken = take_locked(search, candidate);
    keyspace_unlock_shard(search->keyspace, candidate->shard);
    return taken;
}

/* Take the best of the pool that still deserves it. */
static bool
take_best(struct search *search)
{
    struct evictor *evictor = search->evictor;
    while (evictor->count > 0) {
        struct candidate candidate = evictor->pool[--evictor->count];
        switch (take(search, &candidate)) {
        case TAKEN:
            return true;
        case TAKEN_YOUNGER:
            pool_add(evictor, &candidate);
            break;
        case TAKEN_BUSY:
            search->is_busy = true;
            break;
        case TAKEN_GONE:
            break;
        }
    }
    return false;
}

enum eviction
keyspace_evict(struct keyspace *keyspace, struct evictor *evictor, int64_t now_ms)
{
    const struct eviction_settings *settings = &keyspace->eviction;
    struct search search = {
        .keyspace = keyspace,
        .evictor = evictor,
        .now_ms = now_ms,
        .policy =
            (enum eviction_policy)atomic_load_explicit(&settings->policy, memory_order_relaxed),
    };
    if (search.policy == EVICTION_NONE)
        return EVICTION_NOTHING;
    if (evictor->policy != search.policy || is_random(search.policy))
        evictor->count = 0;
    evictor->policy = search.policy;
    size_t wanted = is_random(search.policy)
                        ? 1
                        : atomic_load_explicit(&settings->samples, memory_order_relaxed);
    uint32_t start = (uint32_t)draw(evictor);
    for (uint32_t i = 0; i < keyspace->shard_count && search.seen < wanted; i++)
        sample_shard(&search, (start + i) & (keyspace->shard_count - 1), wanted);
    if (take_best(&search) || search.expired > 0)
        return EVICTION_DONE;
    return search.is_busy || search.seen > 0 ? EVICTION_BUSY : EVICTION_NOTHING;
}
