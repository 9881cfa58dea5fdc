/*
 * prng - splitmix64: the same numbers from the same seed, everywhere.
 */
#ifndef TESTS_PROPERTY_MODEL_PRNG_H
#define TESTS_PROPERTY_MODEL_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t
prng_next(struct prng *prng)
{
    uint64_t mixed = prng->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* 0 .. count - 1; <count> must not be 0. */
static inline size_t
prng_below(struct prng *prng, size_t count)
{
    return (size_t)(prng_next(prng) >> 16) % count;
}

static inline bool
prng_chance(struct prng *prng, unsigned percent)
{
    return prng_below(prng, 100) < percent;
}

#endif
