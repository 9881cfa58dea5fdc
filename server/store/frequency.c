#include "server/store/frequency.h"

enum { COUNTER_BITS = 8, COUNTER_MASK = 0xff, MINUTE_MASK = 0xffff };

uint32_t
frequency_word(uint32_t counter, uint32_t now_s)
{
    return (now_s / 60 & MINUTE_MASK) << COUNTER_BITS | counter;
}

uint32_t
frequency_new(uint32_t now_s)
{
    return frequency_word(FREQUENCY_INITIAL, now_s);
}

uint32_t
frequency_idle_minutes(uint32_t word, uint32_t now_s)
{
    return (now_s / 60 - (word >> COUNTER_BITS)) & MINUTE_MASK;
}

uint32_t
frequency_counter(uint32_t word, uint32_t now_s, uint32_t decay_minutes)
{
    uint32_t counter = word & COUNTER_MASK;
    if (decay_minutes == 0)
        return counter;
    uint32_t steps = frequency_idle_minutes(word, now_s) / decay_minutes;
    return steps < counter ? counter - steps : 0;
}

uint32_t
frequency_touch(uint32_t word, uint32_t now_s, uint32_t decay_minutes, uint32_t log_factor,
                uint64_t random)
{
    uint32_t counter = frequency_counter(word, now_s, decay_minutes);
    if (counter < FREQUENCY_MAX) {
        uint64_t above = counter > FREQUENCY_INITIAL ? counter - FREQUENCY_INITIAL : 0;
        uint64_t odds = above * log_factor + 1;
        if (odds > UINT32_MAX)
            odds = UINT32_MAX;
        counter += (random >> 32) * odds >> 32 == 0;
    }
    return frequency_word(counter, now_s);
}
