/*
 * ticks - time for measuring, from the processor's counter (x86: TSC, ARM: CNTVCT): no system
 * call, and turned into microseconds only when somebody asks.
 *
 * ticks_own() stands still while the kernel has taken the thread off its processor, so that
 * what is measured is our doing and not a busy machine's. How that is seen, at the price of one
 * load: the kernel clears the rseq_cs word of a thread's restartable sequence area whenever it
 * takes the thread off and finds it outside of the sequence that the word names (linux/rseq.h).
 * We name a sequence of no instructions, which everything is outside of. Where two readings
 * find the word cleared, the time between them is left out: also the little of it that we ran.
 * Parked at a lock or in a system call counts as taken off, what a hypervisor or interrupts
 * take is not seen. A thread that is watched exactly asks the kernel for its processor time at
 * every reading: all of that is seen then, at the price of a system call.
 *
 * Thread:   any; the own time of two threads does not compare.
 */
#ifndef SERVER_CORE_TICKS_H
#define SERVER_CORE_TICKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

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

/* Of one thread. */
struct ticks_thread {
    const volatile uint64_t *mark; /* [borrowed] 0: the thread was taken off since <seen> */
    uint64_t seen;                 /* the last reading */
    uint64_t lost;                 /* what was left out so far */
    double per_ns;                 /* ticks; 0: not watched exactly */
    double reading_ns;             /* what an exact reading takes of the thread's time */
    double own_ns;                 /* the last exact reading */
    uint64_t readings;             /* exact ones so far */
};

extern _Thread_local struct ticks_thread ticks_thread;

/* For ticks_own(): leave out what passed since the last reading; the time now. */
uint64_t ticks_resume(void);

/* The time that this thread had; all time in threads without ticks_watch(). */
static inline uint64_t
ticks_own(void)
{
    struct ticks_thread *thread = &ticks_thread;
    uint64_t now = ticks_now();
    /* In this order: a thread taken off between the two is seen now, one after them next time.
     */
    if (__builtin_expect(*thread->mark == 0, 0)) {
        now = ticks_resume();
    }
    thread->seen = now;
    return now - thread->lost;
}

/* Once, at the start of the process: note what the counter stands at. */
void ticks_init(void);

/* Once, at the start of a thread: see when it is taken off. False where the kernel or the C
 * library does not help: ticks_own() is then all time. <is_exact>: true, after milliseconds. */
bool ticks_watch(bool is_exact);

/* Find out how fast the counter runs, the better the later; by one thread, now and then. */
void ticks_calibrate(void);

extern _Atomic uint64_t ticks_per_ms; /* ticks_calibrate()'s finding; 0: none yet */

/* <us> in ticks; 0 until the counter's speed is known. */
static inline uint64_t
ticks_from_us(uint64_t us)
{
    uint64_t rate = atomic_load_explicit(&ticks_per_ms, memory_order_relaxed);
    return us / 1000 * rate + us % 1000 * rate / 1000;
}

/* <ticks> in microseconds, by how fast the counter has run since ticks_init(). */
uint64_t ticks_to_us(uint64_t ticks);

#endif
