/*
 * random - numbers of a load that is the same for the same seed: a generator and a Zipf
 * distribution over it.
 *
 * Thread:   owned by one thread at a time. Plain values: nothing to free.
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood 2014). */
struct random {
    uint64_t state;
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_take(struct random *random);

/* Uniform in 0 .. bound - 1; <bound> is not 0. */
uint64_t random_take_below(struct random *random, uint64_t bound);

/* Uniform in [0, 1). */
double random_take_real(struct random *random);

/*
 * Ranks 0 .. count - 1, rank k as often as 1 / (k + 1)^exponent. Exact, O(1), no tables:
 * rejection-inversion, W. Hoermann and G. Derflinger, "Rejection-inversion to generate variates
 * from monotone discrete distributions", ACM TOMACS 6(3), 1996.
 */
struct zipf {
    uint64_t count;
    double exponent;
    double integral_first;
    double integral_last;
    double shortcut;
};

/* <count> > 0; <exponent> > 0. */
void zipf_init(struct zipf *zipf, uint64_t count, double exponent);
uint64_t zipf_take(const struct zipf *zipf, struct random *random);

#endif
