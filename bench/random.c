#include "bench/random.h"

#include <math.h>

void
random_init(struct random *random, uint64_t seed)
{
    random->state = seed;
}

uint64_t
random_take(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The high half of a product instead of a remainder (Lemire 2019); for bounds far below 2^64
 * its bias is not seen. */
uint64_t
random_take_below(struct random *random, uint64_t bound)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)random_take(random) * bound) >> 64);
}

double
random_take_real(struct random *random)
{
    return (double)(random_take(random) >> 11) * 0x1p-53;
}

/* log(1 + x) / x and (exp(x) - 1) / x, smooth at 0. */
static double
log_ratio(double x)
{
    return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x * (1.0 / 3 - 0.25 * x));
}

static double
exp_ratio(double x)
{
    return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x * 0.5 * (1 + x * (1.0 / 3) * (1 + 0.25 * x));
}

static double
height(const struct zipf *zipf, double x)
{
    return exp(-zipf->exponent * log(x));
}

/* The integral of height from 1 to x, and its inverse. */
static double
integral(const struct zipf *zipf, double x)
{
    double logarithm = log(x);
    return exp_ratio((1 - zipf->exponent) * logarithm) * logarithm;
}

static double
integral_inverse(const struct zipf *zipf, double x)
{
    double t = x * (1 - zipf->exponent);
    t = t < -1 ? -1 : t; /* rounding */
    return exp(log_ratio(t) * x);
}

void
zipf_init(struct zipf *zipf, uint64_t count, double exponent)
{
    zipf->count = count;
    zipf->exponent = exponent;
    zipf->integral_first = integral(zipf, 1.5) - 1;
    zipf->integral_last = integral(zipf, (double)count + 0.5);
    zipf->shortcut = 2 - integral_inverse(zipf, integral(zipf, 2.5) - height(zipf, 2));
}

uint64_t
zipf_take(const struct zipf *zipf, struct random *random)
{
    for (;;) {
        double u = zipf->integral_last +
                   random_take_real(random) * (zipf->integral_first - zipf->integral_last);
        double x = integral_inverse(zipf, u);
        double k = floor(x + 0.5);
        k = k < 1 ? 1 : k > (double)zipf->count ? (double)zipf->count : k;
        if (k - x <= zipf->shortcut || u >= integral(zipf, k + 0.5) - height(zipf, k)) {
            return (uint64_t)k - 1;
        }
    }
}
