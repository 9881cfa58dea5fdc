#include "server/core/random.h"

#include "proto/base/check.h"

#include <stdbool.h>
#include <sys/random.h>

/* SplitMix64 (Steele, Lea, Flood 2014): a counter and a mixer. */
uint64_t
random_next(void)
{
    static _Thread_local uint64_t state;
    static _Thread_local bool is_seeded;
    if (!is_seeded) {
        CHECK(getrandom(&state, sizeof(state), 0) == (ssize_t)sizeof(state));
        is_seeded = true;
    }
    uint64_t mixed = state += 0x9e3779b97f4a7c15U;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebU;
    return mixed ^ mixed >> 31;
}

uint64_t
random_below(uint64_t bound)
{
    CHECK(bound > 0);
    /* Values below the remainder would make small results likelier. */
    uint64_t remainder = (UINT64_MAX - bound + 1) % bound;
    uint64_t value;
    do {
        value = random_next();
    } while (value < remainder);
    return value % bound;
}
