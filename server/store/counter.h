/*
 * counter - a number that is changed under a lock and read without it.
 *
 * Thread:   counter_set and counter_add by the lock's holder only: they need no locked
 *           instruction; counter_get by any.
 */
#ifndef SERVER_STORE_COUNTER_H
#define SERVER_STORE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

static inline uint64_t
counter_get(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

static inline void
counter_set(struct counter *counter, uint64_t value)
{
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

/* Wraps: adding (uint64_t)-n takes n away. */
static inline void
counter_add(struct counter *counter, uint64_t value)
{
    counter_set(counter, counter_get(counter) + value);
}

#endif
