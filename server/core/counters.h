/*
 * counters - event counts: one row per counter in counters.def, one set per worker.
 *
 * Thread:   a set is written by its worker alone and read by anybody: relaxed atomics.
 */
#ifndef SERVER_CORE_COUNTERS_H
#define SERVER_CORE_COUNTERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum counter {
#define COUNTER(id, name) COUNTER_##id,
#include "server/core/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    _Alignas(64) _Atomic uint64_t values[COUNTER_COUNT];
    _Atomic uint64_t longest_turn; /* of the worker's loop without waiting, in own ticks */
};

/* Only by the worker that owns the set: no read-modify-write instruction needed. */
static inline void
counters_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
    atomic_store_explicit(&counters->values[counter], value + amount, memory_order_relaxed);
}

/* A turn of the worker's loop took <ticks>; likewise. */
static inline void
counters_note_turn(struct counters *counters, uint64_t ticks)
{
    if (ticks > atomic_load_explicit(&counters->longest_turn, memory_order_relaxed)) {
        atomic_store_explicit(&counters->longest_turn, ticks, memory_order_relaxed);
    }
}

const char *counter_name(enum counter counter);

#endif
