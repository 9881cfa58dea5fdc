#include "server/core/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
every_result_below_the_bound_comes_about_equally_often(void **state)
{
    (void)state;
    enum { BOUND = 7, ROUNDS = 70000 };
    unsigned counts[BOUND] = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        counts[random_below(BOUND)]++;
    }
    for (unsigned i = 0; i < BOUND; i++) {
        assert_in_range(counts[i], ROUNDS / BOUND * 9 / 10, ROUNDS / BOUND * 11 / 10);
    }
    assert_int_equal(random_below(1), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_below_the_bound_comes_about_equally_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
