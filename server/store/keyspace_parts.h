/*
 * keyspace_parts - what the files of the keyspace share and nobody else sees.
 *
 * keyspace.c: life, keys, locks, single-key calls. keyspace_sweep.c: calls over many keys.
 *
 * A database is a row of partitions, one per shard, made when first written to and kept until
 * the keyspace is freed: so sums are read without a lock. SWAPDB swaps two rows.
 */
#ifndef SERVER_STORE_KEYSPACE_PARTS_H
#define SERVER_STORE_KEYSPACE_PARTS_H

#include "server/store/keyspace.h"
#include "server/store/partition.h"
#include "server/store/shard.h"

#include <stdalign.h>

/* struct eviction_options, to be read by any thread. */
struct eviction_settings {
    atomic_uint policy;
    atomic_bool is_lfu;
    atomic_uint_least32_t samples;
    atomic_uint_least32_t lfu_log_factor;
    atomic_uint_least32_t lfu_decay_minutes;
};

struct keyspace {
    uint32_t shard_count_log2;              /* [const] */
    uint32_t shard_count;                   /* [const] */
    uint32_t database_count;                /* [const] */
    uint64_t hash_seed;                     /* [const] */
    struct shard *shards;                   /* [owned] */
    _Atomic(struct partition *) *databases; /* [owned] NULL until first written to */

    struct eviction_settings eviction;
    atomic_uint_least32_t database_end; /* no database from here on was ever written to */
    atomic_bool is_charge_stale;        /* the step sank: partitions may owe more than one */

    struct dictionaries *dictionaries; /* [owned] */

    const atomic_size_t *remove_gate; /* [const] */
    keyspace_on_remove *on_remove;    /* [const] */
    void *remove_context;             /* [const] */

    atomic_uint_least32_t clock_s; /* the latest keyspace_expire_some() saw */
    atomic_size_t expire_cursor;   /* where the next one goes on: database x shards + shard */

    struct lock detached_lock;
    struct detached *detached;   /* [detached lock] flushed tables */
    struct entry_list large;     /* [detached lock] dead entries that are large to free */
    atomic_size_t detached_size; /* bytes in both */

    alignas(MEMORY_LINE) struct charge charge; /* of all partitions */
};

/* NULL: nothing was ever written to <db>. */
static inline struct partition *
keyspace_partition(const struct keyspace *keyspace, uint32_t db, uint32_t shard)
{
    struct partition *row =
        atomic_load_explicit(&keyspace->databases[db], memory_order_acquire);
    return row != NULL ? &row[shard] : NULL;
}

static inline bool
entry_is_due(const struct entry *entry, int64_t now_ms)
{
    int64_t expiry_ms = entry_expiry_ms(entry);
    return expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms < now_ms;
}

/* Give the fields of the dead <from> to <to>, an entry of <partition> that has none. */
void keyspace_hand_fields_over(struct partition *partition, uint64_t hash, struct entry *from,
                               struct entry *to);

/* Lock or unlock shard <index> alone. */
void keyspace_lock_shard(struct keyspace *keyspace, uint32_t index);
void keyspace_unlock_shard(struct keyspace *keyspace, uint32_t index);

/* Take the expired entry of <key> out: watchers, hook, counter, garbage. <key> may lie in the
 * entry. The table keeps its size: partition_adjust(). */
void keyspace_drop_expired_locked(struct keyspace *keyspace, struct partition *partition,
                                  const struct key *key, void **slot);

/* Likewise of an entry that makes room. */
void keyspace_drop_evicted_locked(struct keyspace *keyspace, struct partition *partition,
                                  const struct key *key, void **slot);

#endif
