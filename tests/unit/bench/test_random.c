#include "bench/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { RANKS = 1000, DRAWS = 1000000 };

/* Frequencies are those of the law: chi squared over all ranks, far from its tails. */
static void
check_law(double exponent)
{
    static uint64_t counts[RANKS];
    for (size_t i = 0; i < RANKS; i++) {
        counts[i] = 0;
    }
    struct random random;
    struct zipf zipf;
    random_init(&random, 11);
    zipf_init(&zipf, RANKS, exponent);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t rank = zipf_take(&zipf, &random);
        assert_true(rank < RANKS);
        counts[rank]++;
    }
    double whole = 0;
    for (size_t i = 0; i < RANKS; i++) {
        whole += pow((double)i + 1, -exponent);
    }
    double chi_squared = 0;
    for (size_t i = 0; i < RANKS; i++) {
        double expected = DRAWS * pow((double)i + 1, -exponent) / whole;
        chi_squared += pow((double)counts[i] - expected, 2) / expected;
    }
    double degrees = RANKS - 1;
    assert_true(fabs(chi_squared - degrees) < 5 * sqrt(2 * degrees));
}

static void
ranks_follow_zipfs_law(void **state)
{
    (void)state;
    check_law(0.5);
    check_law(0.99);
    check_law(1);
    check_law(1.2);
}

static void
one_key_is_always_the_first(void **state)
{
    (void)state;
    struct random random;
    struct zipf zipf;
    random_init(&random, 1);
    zipf_init(&zipf, 1, 0.99);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(zipf_take(&zipf, &random), 0);
    }
}

static void
the_same_seed_gives_the_same_numbers_within_bounds(void **state)
{
    (void)state;
    struct random a;
    struct random b;
    random_init(&a, 5);
    random_init(&b, 5);
    uint64_t counts[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t number = random_take_below(&a, 10);
        assert_int_equal(number, random_take_below(&b, 10));
        assert_true(number < 10);
        counts[number]++;
        double real = random_take_real(&a);
        assert_true(real >= 0 && real < 1);
        (void)random_take_real(&b);
    }
    for (size_t i = 0; i < 10; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_follow_zipfs_law),
        cmocka_unit_test(one_key_is_always_the_first),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
