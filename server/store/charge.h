/*
 * charge - bytes that many owners hold, summed up without contention.
 *
 * Each owner keeps its own exact count and tells the sum of a change once it is larger than a
 * step; so <total> is off by at most one step per owner.
 *
 * Thread:   any.
 */
#ifndef SERVER_STORE_CHARGE_H
#define SERVER_STORE_CHARGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct charge {
    atomic_uint_least64_t total;
    atomic_uint_least64_t step;
};

static inline uint64_t
charge_total(const struct charge *charge)
{
    return atomic_load_explicit(&charge->total, memory_order_relaxed);
}

/* Is <now>, of which <told> is in the sum, worth telling? */
static inline bool
charge_is_due(const struct charge *charge, uint64_t told, uint64_t now)
{
    uint64_t step = atomic_load_explicit(&charge->step, memory_order_relaxed);
    return now - told + step > 2 * step; /* wraps: a difference of either sign */
}

static inline void
charge_tell(struct charge *charge, uint64_t *told, uint64_t now)
{
    atomic_fetch_add_explicit(&charge->total, now - *told, memory_order_relaxed);
    *told = now;
}

#endif
