#include "server/cmd/number.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
assert_formats(long double value, const char *expected)
{
    char text[NUMBER_TEXT_SIZE];
    size_t size = number_format(text, value);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void
floats_are_written_without_trailing_zeros(void **state)
{
    (void)state;
    assert_formats(0, "0");
    assert_formats(-0.0L, "0");
    assert_formats(100, "100");
    assert_formats(3.0L, "3");
    assert_formats(10.5L, "10.5");
    assert_formats(0.1L, "0.1");
    assert_formats(5.0e3L, "5000");
    assert_formats(-1e-18L, "0");
    assert_formats(1e17L, "100000000000000000");
}

static void
the_longest_float_fits(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_SIZE];
    size_t size = number_format(text, -LDBL_MAX);
    assert_true(size > 4900 && size < sizeof(text));
}

static void
floats_are_read_like_strtold(void **state)
{
    (void)state;
    long double value = 0;
    assert_true(number_parse(SLICE_OF("1.5e3"), &value));
    assert_true(value > 1499.0L && value < 1501.0L);
    assert_true(number_parse(SLICE_OF("-inf"), &value));
    assert_true(isinf(value));
    const char *const bad[] = {"", " 1", "1 ", "nan", "abc", "1e5000", "1.5x", "\t2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        value = 42;
        assert_false(number_parse(slice_from_string(bad[i]), &value));
        assert_true(value > 41.0L && value < 43.0L);
    }
    assert_false(number_parse(slice_make("1\0", 2), &value));
}

static void
a_text_longer_than_any_float_is_none(void **state)
{
    (void)state;
    static char digits[NUMBER_TEXT_SIZE];
    long double value;
    memset(digits, '1', sizeof(digits));
    assert_false(number_parse(slice_make(digits, sizeof(digits)), &value));
}

static void
sums_that_are_no_numbers_are_refused(void **state)
{
    (void)state;
    char text[NUMBER_TEXT_SIZE];
    struct slice sum;
    struct buffer out;
    buffer_init(&out, 0);
    struct reply reply = {.out = &out, .resp = 2};
    assert_true(number_add(&reply, 10.5L, 0.1L, text, &sum));
    assert_true(slice_equal(sum, SLICE_OF("10.6")));
    assert_int_equal(out.size, 0);
    assert_false(number_add(&reply, INFINITY, 1, text, &sum));
    assert_true(slice_equal(buffer_slice(&out),
                            SLICE_OF("-ERR increment would produce NaN or Infinity\r\n")));
    buffer_fini(&out);
}

static void
integers_are_written_at_their_limits(void **state)
{
    (void)state;
    char text[NUMBER_INT64_SIZE];
    assert_true(
        slice_equal(number_format_int64(text, INT64_MIN), SLICE_OF("-9223372036854775808")));
    assert_true(slice_equal(number_format_int64(text, 0), SLICE_OF("0")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_are_written_without_trailing_zeros),
        cmocka_unit_test(the_longest_float_fits),
        cmocka_unit_test(floats_are_read_like_strtold),
        cmocka_unit_test(a_text_longer_than_any_float_is_none),
        cmocka_unit_test(sums_that_are_no_numbers_are_refused),
        cmocka_unit_test(integers_are_written_at_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
