/*
 * histogram - counts of values, log-linear: exact below 128, within 1/128 above.
 *
 * Source: G. Tene's HdrHistogram, https://hdrhistogram.org: every power of two is divided into
 * the same number of slots.
 *
 * Thread:   owned by one thread at a time. A plain value of 34 KiB: nothing to free.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_SLOTS_LOG2 = 7,
    HISTOGRAM_VALUE_BITS =
        40, /* 18 minutes of nanoseconds; what is larger is counted as that */
    HISTOGRAM_SIZE = (HISTOGRAM_VALUE_BITS - HISTOGRAM_SLOTS_LOG2 + 1) << HISTOGRAM_SLOTS_LOG2,
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t minimum; /* UINT64_MAX while empty */
    uint64_t maximum;
    uint64_t counts[HISTOGRAM_SIZE];
};

void histogram_init(struct histogram *histogram);

void histogram_record(struct histogram *histogram, uint64_t value);

/* Add what <other> has counted. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/*
 * The smallest value that at least <percent> of the values do not exceed: the upper end of its
 * slot, never more than the maximum. 0 while empty. O(slots).
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

double histogram_mean(const struct histogram *histogram); /* 0 while empty */

#endif
