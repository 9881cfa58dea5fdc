/*
 * frequency - how often an entry is used, in the 24 bits of its access clock, as in Redis: the
 * minute of the last access (16 bits) and a counter (8 bits) that grows logarithmically with
 * accesses and sinks with the minutes since.
 *
 * Thread:   any. Time: callers pass it in, in seconds.
 */
#ifndef SERVER_STORE_FREQUENCY_H
#define SERVER_STORE_FREQUENCY_H

#include <stdint.h>

enum { FREQUENCY_INITIAL = 5, FREQUENCY_MAX = 255 };

/* Of a new entry. */
uint32_t frequency_new(uint32_t now_s);

/* The counter as it stands now; <decay_minutes> per step down, 0: it never sinks. */
uint32_t frequency_counter(uint32_t word, uint32_t now_s, uint32_t decay_minutes);

uint32_t frequency_idle_minutes(uint32_t word, uint32_t now_s); /* modulo 45 days */

/*
 * The word after one more access: the counter goes up with a probability of
 * 1 / ((counter - 5) * <log_factor> + 1). <random> is the caller's, uniform in 64 bits.
 */
uint32_t frequency_touch(uint32_t word, uint32_t now_s, uint32_t decay_minutes,
                         uint32_t log_factor, uint64_t random);

/* A word with this counter (at most 255), accessed now. */
uint32_t frequency_word(uint32_t counter, uint32_t now_s);

#endif
