#include "bench/histogram.h"
#include "bench/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void
small_values_are_exact(void **state)
{
    (void)state;
    static struct histogram histogram;
    histogram_init(&histogram);
    assert_int_equal(histogram_percentile(&histogram, 50), 0);
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_record(&histogram, value);
    }
    assert_int_equal(histogram_percentile(&histogram, 0), 1);
    assert_int_equal(histogram_percentile(&histogram, 50), 50);
    assert_int_equal(histogram_percentile(&histogram, 99), 99);
    assert_int_equal(histogram_percentile(&histogram, 100), 100);
    assert_int_equal(histogram.minimum, 1);
    assert_int_equal(histogram.maximum, 100);
    assert_true(histogram_mean(&histogram) > 50.4 && histogram_mean(&histogram) < 50.6);
}

static void
every_value_is_found_within_one_part_in_128(void **state)
{
    (void)state;
    static struct histogram histogram;
    struct random random;
    random_init(&random, 7);
    for (int i = 0; i < 20000; i++) {
        uint64_t value = random_take(&random) >> (24 + random_take_below(&random, 40));
        histogram_init(&histogram);
        histogram_record(&histogram, value);
        histogram_record(&histogram, UINT64_MAX); /* so that the maximum does not help */
        uint64_t found = histogram_percentile(&histogram, 50);
        assert_true(found >= value && found - value <= value / 128);
    }
}

static void
percentiles_are_those_of_the_sorted_values(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    static uint64_t values[COUNT];
    static struct histogram halves[2];
    struct random random;
    random_init(&random, 8);
    histogram_init(&halves[0]);
    histogram_init(&halves[1]);
    for (int i = 0; i < COUNT; i++) {
        values[i] = random_take(&random) >> (30 + random_take_below(&random, 20));
        histogram_record(&halves[i % 2], values[i]);
    }
    qsort(values, COUNT, sizeof(*values), compare);
    histogram_add(&halves[0], &halves[1]);
    assert_int_equal(halves[0].count, COUNT);
    static const double percents[] = {1, 25, 50, 90, 99, 99.9, 99.99};
    for (size_t i = 0; i < sizeof(percents) / sizeof(*percents); i++) {
        uint64_t exact = values[(size_t)(COUNT * percents[i] / 100) - 1];
        uint64_t found = histogram_percentile(&halves[0], percents[i]);
        assert_true(found >= exact && found - exact <= exact / 100 + 1);
    }
    assert_int_equal(histogram_percentile(&halves[0], 100), values[COUNT - 1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_value_is_found_within_one_part_in_128),
        cmocka_unit_test(percentiles_are_those_of_the_sorted_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
