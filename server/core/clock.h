/*
 * clock - the time of day.
 *
 * Modules get the time passed in; this is for those that begin something: a batch of requests,
 * a slice of work in the background.
 *
 * Thread:   any.
 * Cost:     no system call where the kernel maps its clock (vDSO): about 25 ns.
 */
#ifndef SERVER_CORE_CLOCK_H
#define SERVER_CORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970. It may be set back. */
static inline int64_t
clock_wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
