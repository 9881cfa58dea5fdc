#include "server/core/ticks.h"

#include <stddef.h>
#include <sys/rseq.h>
#include <time.h>

enum { CALIBRATION_US = 10 * 1000, CALIBRATION_READINGS = 2000 };

static const volatile uint64_t never_cleared = 1;

_Thread_local struct ticks_thread ticks_thread = {.mark = &never_cleared};

static uint64_t first_ticks; /* [const] after ticks_init() */
static int64_t first_us;     /* [const] likewise */
_Atomic uint64_t ticks_per_ms;

static int64_t
now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void
ticks_init(void)
{
    first_ticks = ticks_now();
    first_us = now_us();
}

void
ticks_calibrate(void)
{
    uint64_t elapsed = ticks_now() - first_ticks;
    int64_t elapsed_us = now_us() - first_us;
    if (elapsed_us > 0) {
        double rate = (double)elapsed / (double)elapsed_us * 1000;
        atomic_store_explicit(&ticks_per_ms, (uint64_t)rate, memory_order_relaxed);
    }
}

uint64_t
ticks_to_us(uint64_t ticks)
{
    uint64_t elapsed = ticks_now() - first_ticks;
    int64_t elapsed_us = now_us() - first_us;
    if (elapsed == 0 || elapsed_us <= 0) {
        return 0;
    }
    return (uint64_t)((double)ticks / (double)elapsed * (double)elapsed_us);
}

/* ---- being taken off ---- */

/*
 * The sequence of no instructions. The kernel wants its abort handler to follow the signature,
 * and never jumps there: no instruction lies within the sequence.
 */
static const uint32_t signature = RSEQ_SIG;
static struct rseq_cs no_instructions; /* [const] after the first ticks_watch() */

static struct rseq *
restartable_area(void)
{
    char *thread_pointer;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(thread_pointer));
#elif defined(__aarch64__)
    __asm__("mrs %0, tpidr_el0" : "=r"(thread_pointer));
#endif
    return (struct rseq *)(void *)(thread_pointer + __rseq_offset);
}

static void
name_sequence(void)
{
    volatile uint64_t *word = (volatile uint64_t *)&restartable_area()->rseq_cs;
    *word = (uint64_t)(uintptr_t)&no_instructions;
}

static const volatile uint64_t always_cleared;

static double
ticks_per_ns(void)
{
    int64_t elapsed_us;
    while ((elapsed_us = now_us() - first_us) < CALIBRATION_US) {
    }
    return (double)(ticks_now() - first_ticks) / ((double)elapsed_us * 1e3);
}

static double
processor_ns(void)
{
    struct timespec cpu;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (double)cpu.tv_sec * 1e9 + (double)cpu.tv_nsec;
}

static double
reading_ns(void)
{
    double start_ns = processor_ns();
    for (int i = 1; i < CALIBRATION_READINGS; i++) {
        (void)processor_ns();
    }
    return (processor_ns() - start_ns) / CALIBRATION_READINGS;
}

bool
ticks_watch(bool is_exact)
{
    if (is_exact) {
        ticks_thread.per_ns = ticks_per_ns();
        ticks_thread.reading_ns = reading_ns();
        ticks_thread.mark = &always_cleared;
        return true;
    }
    if (__rseq_size == 0) { /* not registered by the C library: an old kernel, or valgrind */
        return false;
    }
    uint64_t behind = (uint64_t)(uintptr_t)(&signature + 1);
    /* The same from every thread. */
    __atomic_store_n(&no_instructions.start_ip, behind, __ATOMIC_RELAXED);
    __atomic_store_n(&no_instructions.abort_ip, behind, __ATOMIC_RELAXED);
    name_sequence();
    ticks_thread.mark = (const volatile uint64_t *)&restartable_area()->rseq_cs;
    ticks_thread.seen = ticks_now();
    return true;
}

static uint64_t
resume_exactly(void)
{
    struct ticks_thread *thread = &ticks_thread;
    /* Less what the readings themselves took, of which a turn has thousands; never backwards,
     * since one may take less than they do in the mean. */
    double own_ns = processor_ns() - (double)thread->readings++ * thread->reading_ns;
    thread->own_ns = own_ns > thread->own_ns ? own_ns : thread->own_ns;
    uint64_t now = ticks_now();
    thread->lost = now - (uint64_t)(thread->own_ns * thread->per_ns);
    return now;
}

uint64_t
ticks_resume(void)
{
    if (ticks_thread.per_ns > 0) {
        return resume_exactly();
    }
    name_sequence();
    /* Read after naming it: if the thread is taken off in between, that is left out as well. */
    uint64_t now = ticks_now();
    ticks_thread.lost += now - ticks_thread.seen;
    return now;
}
