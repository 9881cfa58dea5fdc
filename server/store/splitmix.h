/*
 * splitmix - a generator of one word of state, for sampling (Steele, Lea, Flood 2014).
 */
#ifndef SERVER_STORE_SPLITMIX_H
#define SERVER_STORE_SPLITMIX_H

#include <stdint.h>

/* The next of a sequence; *state moves on. */
static inline uint64_t
splitmix_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#endif
