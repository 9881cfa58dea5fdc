/*
 * random - unpredictable enough for sampling, not for secrets.
 *
 * Thread:   any; each thread has its own state, seeded by the system when first used.
 */
#ifndef SERVER_CORE_RANDOM_H
#define SERVER_CORE_RANDOM_H

#include <stdint.h>

uint64_t random_next(void);

/* Uniform in 0 .. bound - 1; <bound> is not 0. */
uint64_t random_below(uint64_t bound);

#endif
