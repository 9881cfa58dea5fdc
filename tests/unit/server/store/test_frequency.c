#include "server/store/frequency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW_S = 1700000000 };

static void
a_counter_grows_with_the_logarithm_of_accesses(void **state)
{
    (void)state;
    /* Redis' table for its factor of 10: about 10 after 100 accesses, 18 after 1,000, 142 after
     * 100,000, 255 after a million; here with a generator of our own. */
    uint64_t random = 1;
    uint32_t word = frequency_new(NOW_S);
    uint32_t after[7] = {0};
    int power = 0;
    for (int i = 1, next = 1; i <= 1000000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        word = frequency_touch(word, NOW_S, 1, 10, random);
        if (i == next) {
            after[power++] = frequency_counter(word, NOW_S, 1);
            next *= 10;
        }
    }
    print_message("after 100: %u, 1,000: %u, 100,000: %u, a million: %u\n", after[2], after[3],
                  after[5], after[6]);
    assert_in_range(after[2], 7, 14);
    assert_in_range(after[3], 14, 24);
    assert_in_range(after[5], 125, 160);
    assert_int_equal(after[6], FREQUENCY_MAX);
}

static void
a_counter_sinks_with_time_also_past_the_wrap_of_its_minutes(void **state)
{
    (void)state;
    uint32_t wrap_s = 65536 * 60 * 500u;
    uint32_t word = frequency_word(100, wrap_s - 60);
    assert_int_equal(frequency_counter(word, wrap_s - 60, 1), 100);
    assert_int_equal(frequency_counter(word, wrap_s, 1), 99);
    assert_int_equal(frequency_counter(word, wrap_s + 9 * 60, 1), 90);
    assert_int_equal(frequency_counter(word, wrap_s + 9 * 60, 5), 98);
    assert_int_equal(frequency_counter(word, wrap_s + 9 * 60, 0), 100);
    assert_int_equal(frequency_counter(word, wrap_s + 1000 * 60, 1), 0);
    assert_int_equal(frequency_idle_minutes(word, wrap_s + 9 * 60), 10);
}

static void
an_access_counts_for_sure_below_the_start_and_with_factor_0(void **state)
{
    (void)state;
    uint32_t word = frequency_word(0, NOW_S);
    for (uint32_t i = 1; i <= FREQUENCY_INITIAL + 1; i++) {
        word = frequency_touch(word, NOW_S, 1, UINT32_MAX, UINT64_MAX);
        assert_int_equal(frequency_counter(word, NOW_S, 1), i);
    }
    word = frequency_touch(word, NOW_S, 1, UINT32_MAX, UINT64_MAX);
    assert_int_equal(frequency_counter(word, NOW_S, 1), FREQUENCY_INITIAL + 1);
    for (int i = 0; i < 300; i++)
        word = frequency_touch(word, NOW_S, 1, 0, UINT64_MAX);
    assert_int_equal(frequency_counter(word, NOW_S, 1), FREQUENCY_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_grows_with_the_logarithm_of_accesses),
        cmocka_unit_test(a_counter_sinks_with_time_also_past_the_wrap_of_its_minutes),
        cmocka_unit_test(an_access_counts_for_sure_below_the_start_and_with_factor_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
