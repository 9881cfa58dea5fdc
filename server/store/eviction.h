/*
 * eviction - picks the keys that make room under maxmemory.
 *
 * As in Redis a few entries are sampled per eviction, and the best candidates of earlier
 * samples are remembered; here a candidate that was used since loses its place instead of its
 * life. Samples come from one shard, from more where the shards hold few keys; each is only
 * tried to be locked, one at a time.
 *
 * Thread:   an evictor belongs to one thread; the keyspace's calls are any's, without a lock.
 * Time:     callers pass the clock in.
 */
#ifndef SERVER_STORE_EVICTION_H
#define SERVER_STORE_EVICTION_H

#include "server/store/keyspace.h"

/* In the order of the names of maxmemory-policy. */
enum eviction_policy {
    EVICTION_VOLATILE_LRU,
    EVICTION_VOLATILE_LFU,
    EVICTION_VOLATILE_RANDOM,
    EVICTION_VOLATILE_TTL,
    EVICTION_ALLKEYS_LRU,
    EVICTION_ALLKEYS_LFU,
    EVICTION_ALLKEYS_RANDOM,
    EVICTION_NONE,
};

struct eviction_options {
    enum eviction_policy policy;
    uint32_t samples;           /* at least, per eviction; 1 .. 64 */
    uint32_t lfu_log_factor;    /* frequency.h */
    uint32_t lfu_decay_minutes; /* likewise */
};

/* NONE and Redis' numbers until called. Under LFU policies entries count accesses. */
void keyspace_set_eviction(struct keyspace *keyspace, const struct eviction_options *options);

enum { EVICTOR_POOL = 16 };

struct candidate {
    uint64_t score; /* the higher, the sooner evicted */
    uint64_t hash;
    uint32_t shard;
    uint32_t db;
};

struct evictor {
    uint64_t random;
    enum eviction_policy policy; /* of the pool */
    uint32_t count;
    struct candidate pool[EVICTOR_POOL]; /* ascending by score */
};

void evictor_init(struct evictor *evictor, uint64_t seed);

enum eviction {
    EVICTION_DONE,    /* a key is gone, or some that had expired */
    EVICTION_BUSY,    /* not this time: shards are locked, candidates were used meanwhile */
    EVICTION_NOTHING, /* there is no key that the policy allows */
};

/* Evict one key: watchers are marked, the remove hook is called. */
enum eviction keyspace_evict(struct keyspace *keyspace, struct evictor *evictor,
                             int64_t now_ms);

#endif
