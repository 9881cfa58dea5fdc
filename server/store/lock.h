/*
 * lock - a mutex of four bytes: one atomic instruction to take it, one to give it back; who
 * finds it taken spins briefly, then parks in the kernel.
 *
 * A shard is locked for every request, and pthread_mutex_t costs five times the instructions.
 * Source: U. Drepper, Futexes Are Tricky, 2011, "mutex 2".
 *
 * Thread:   any. Not recursive, and not fair.
 */
#ifndef SERVER_STORE_LOCK_H
#define SERVER_STORE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

enum { LOCK_FREE, LOCK_TAKEN, LOCK_AWAITED /* taken, and somebody may be parked */ };

/* Zeroed: free. */
struct lock {
    atomic_uint state;
};

void lock_wait(struct lock *lock); /* of lock_take() */
void lock_wake(struct lock *lock); /* of lock_give() */

static inline bool
lock_try(struct lock *lock)
{
    unsigned expected = LOCK_FREE;
    return atomic_compare_exchange_strong_explicit(&lock->state, &expected, LOCK_TAKEN,
                                                   memory_order_acquire, memory_order_relaxed);
}

static inline void
lock_take(struct lock *lock)
{
    if (__builtin_expect(!lock_try(lock), 0)) {
        lock_wait(lock);
    }
}

static inline void
lock_give(struct lock *lock)
{
    if (__builtin_expect(atomic_exchange_explicit(&lock->state, LOCK_FREE,
                                                  memory_order_release) == LOCK_AWAITED,
                         0)) {
        lock_wake(lock);
    }
}

#endif
