#include "server/core/longest.h"

#include <time.h>

static uint64_t first_ticks; /* [const] after ticks_init() */
static int64_t first_us;     /* [const] likewise */

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
