#include "server/cmd/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
assert_range(int64_t first, int64_t last, uint64_t count, uint64_t expected_first,
             uint64_t expected_last)
{
    struct range range;
    assert_true(range_resolve(first, last, count, &range));
    assert_int_equal(range.first, expected_first);
    assert_int_equal(range.last, expected_last);
}

static void
ends_count_from_both_sides(void **state)
{
    (void)state;
    assert_range(0, -1, 5, 0, 4);
    assert_range(1, 3, 5, 1, 3);
    assert_range(-3, -2, 5, 2, 3);
    assert_range(0, 100, 5, 0, 4);
    assert_range(-100, 1, 5, 0, 1);
}

static void
what_lies_before_the_start_is_cut_to_the_first(void **state)
{
    (void)state;
    assert_range(0, -100, 5, 0, 0);
    assert_range(-100, -99, 5, 0, 0);
    assert_range(INT64_MIN, INT64_MAX, 5, 0, 4);
}

static void
empty_ranges_are_none(void **state)
{
    (void)state;
    struct range range;
    assert_false(range_resolve(0, -1, 0, &range));
    assert_false(range_resolve(3, 2, 5, &range));
    assert_false(range_resolve(5, 9, 5, &range));
    assert_false(range_resolve(-1, -2, 5, &range));
    assert_true(range_is_reversed(-1, -2));
    assert_false(range_is_reversed(-2, -2));
    assert_false(range_is_reversed(2, 1));
    assert_false(range_resolve(INT64_MAX, INT64_MAX, 5, &range));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_count_from_both_sides),
        cmocka_unit_test(what_lies_before_the_start_is_cut_to_the_first),
        cmocka_unit_test(empty_ranges_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
