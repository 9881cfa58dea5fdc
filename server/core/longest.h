/*
 * longest - the longest times that something took, per worker: cheap enough for every request.
 *
 * Time is read from the processor's counter (x86: TSC, ARM: CNTVCT), which costs no system
 * call, and turned into microseconds only when somebody asks.
 *
 * Thread:   a set is written by its worker alone and read by anybody: relaxed atomics.
 */
#ifndef SERVER_CORE_LONGEST_H
#define SERVER_CORE_LONGEST_H

#include <stdatomic.h>
#include <stdint.h>

enum longest_what {
    LONGEST_LOCK_HOLD, /* from begin to end of a request, shards locked */
    LONGEST_TURN,      /* of a worker's loop, without waiting */
    LONGEST_COUNT
};

struct longest {
    _Atomic uint64_t ticks[LONGEST_COUNT];
};

static inline uint64_t
ticks_now(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
#error "no cheap clock is known for this processor"
#endif
}

/* Only by the worker that owns the set. */
static inline void
longest_note(struct longest *longest, enum longest_what what, uint64_t ticks)
{
    if (ticks > atomic_load_explicit(&longest->ticks[what], memory_order_relaxed)) {
        atomic_store_explicit(&longest->ticks[what], ticks, memory_order_relaxed);
    }
}

/* Note what the counter stands at; once, at the start. */
void ticks_init(void);

/* <ticks> in microseconds, by how fast the counter has run since ticks_init(). */
uint64_t ticks_to_us(uint64_t ticks);

#endif
