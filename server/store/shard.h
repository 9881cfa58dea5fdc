/*
 * shard - one lock and what it guards; the keys themselves lie in its partitions.
 *
 * Thread:   any; *_locked calls by the lock's holder; counters are read by any.
 */
#ifndef SERVER_STORE_SHARD_H
#define SERVER_STORE_SHARD_H

#include "server/core/ticks.h"
#include "server/store/counter.h"
#include "server/store/entry.h"
#include "server/store/lock.h"
#include "server/store/memory.h"
#include "server/store/watch.h"

#include <stdalign.h>

struct shard {
    alignas(MEMORY_LINE) struct lock lock;
    uint64_t locked_ticks;     /* [shard lock] ticks_own() when it was taken */
    struct entry_list garbage; /* [shard lock] freed after the unlock */
    uint32_t revision;         /* [shard lock] the last one given out */
    uint32_t clock_s;          /* [shard lock] the last seen, for entries written */
    uint64_t random;           /* [shard lock] for LFU's counters */
    struct counter hits;
    struct counter misses;
    struct counter expired;
    struct counter evicted;
    struct counter longest_hold; /* in own ticks of the holder */
    struct watch_table watches;  /* [shard lock] */
};

void shard_init(struct shard *shard);
void shard_fini(struct shard *shard); /* nothing watched, no garbage */

/* Spins briefly, then parks. */
static inline void
shard_lock(struct shard *shard)
{
    lock_take(&shard->lock);
    shard->locked_ticks = ticks_own();
}

/* False: somebody else holds it. */
static inline bool
shard_try_lock(struct shard *shard)
{
    if (!lock_try(&shard->lock))
        return false;
    shard->locked_ticks = ticks_own();
    return true;
}

/* The list is the caller's to free, best after the last unlock. */
static inline struct entry_list
shard_unlock(struct shard *shard)
{
    struct entry_list garbage = shard->garbage;
    shard->garbage.first = NULL;
    uint64_t held = ticks_own() - shard->locked_ticks;
    if (__builtin_expect(held > counter_get(&shard->longest_hold), 0))
        counter_set(&shard->longest_hold, held);
    lock_give(&shard->lock);
    return garbage;
}

#endif
