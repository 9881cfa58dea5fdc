#include "bench/histogram.h"

#include <math.h>
#include <string.h>

static const uint64_t VALUE_MAX = ((uint64_t)1 << HISTOGRAM_VALUE_BITS) - 1;

void
histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof(*histogram));
    histogram->minimum = UINT64_MAX;
}

/* Slots of a power of two: values shifted until they have one bit more than slots need. */
static size_t
index_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned shift = bits > HISTOGRAM_SLOTS_LOG2 + 1 ? bits - HISTOGRAM_SLOTS_LOG2 - 1 : 0;
    return ((size_t)shift << HISTOGRAM_SLOTS_LOG2) + (size_t)(value >> shift);
}

/* The largest value of the slot <index>. */
static uint64_t
top_of(size_t index)
{
    size_t row = index >> HISTOGRAM_SLOTS_LOG2;
    unsigned shift = row < 2 ? 0 : (unsigned)row - 1;
    uint64_t slot = index - ((size_t)shift << HISTOGRAM_SLOTS_LOG2);
    return ((slot + 1) << shift) - 1;
}

void
histogram_record(struct histogram *histogram, uint64_t value)
{
    value = value < VALUE_MAX ? value : VALUE_MAX;
    histogram->count++;
    histogram->sum += value;
    histogram->minimum = value < histogram->minimum ? value : histogram->minimum;
    histogram->maximum = value > histogram->maximum ? value : histogram->maximum;
    histogram->counts[index_of(value)]++;
}

void
histogram_add(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    histogram->sum += other->sum;
    histogram->minimum =
        other->minimum < histogram->minimum ? other->minimum : histogram->minimum;
    histogram->maximum =
        other->maximum > histogram->maximum ? other->maximum : histogram->maximum;
    for (size_t i = 0; i < HISTOGRAM_SIZE; i++) {
        histogram->counts[i] += other->counts[i];
    }
}

uint64_t
histogram_percentile(const struct histogram *histogram, double percent)
{
    if (histogram->count == 0) {
        return 0;
    }
    uint64_t want = (uint64_t)ceil((double)histogram->count * percent / 100);
    want = want < 1 ? 1 : want;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_SIZE; i++) {
        seen += histogram->counts[i];
        if (seen >= want) {
            uint64_t top = top_of(i);
            return top < histogram->maximum ? top : histogram->maximum;
        }
    }
    return histogram->maximum;
}

double
histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
