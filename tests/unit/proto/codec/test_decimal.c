#include "proto/codec/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char *
named(enum decimal_status status)
{
    static const char *const names[] = {"ok", "too-long", "inexact", "fraction", "no-memory"};
    return names[status];
}

static void
gives(enum decimal_status status, struct slice number, const char *expected)
{
    struct slice got = status == DECIMAL_OK ? number : slice_from_string(named(status));
    if (!slice_equal(got, slice_from_string(expected))) {
        fail_msg("%.*s, not %s", (int)got.size, got.data, expected);
    }
}

static void
product(const char *a, const char *b, int digits, const char *expected)
{
    struct arena arena;
    struct slice number = {NULL, 0};
    arena_init(&arena, 0);
    enum decimal_status status =
        decimal_multiply(slice_from_string(a), slice_from_string(b), digits, &arena, &number);
    gives(status, number, expected);
    arena_fini(&arena);
}

static void
quotient(const char *a, const char *b, int digits, const char *expected)
{
    struct arena arena;
    struct slice number = {NULL, 0};
    arena_init(&arena, 0);
    enum decimal_status status =
        decimal_divide(slice_from_string(a), slice_from_string(b), digits, &arena, &number);
    gives(status, number, expected);
    arena_fini(&arena);
}

static void
arithmetic_is_exact(void **state)
{
    (void)state;
    product("19.99", "100", -1, "1999");
    product("0.1", "0.2", -1, "0.02");
    product("-1.5e3", "2e-5", -1, "-0.03");
    product("99999999999999999999", "99999999999999999999", -1,
            "9999999999999999999800000000000000000001");
    product("-0", "5", -1, "0");
    quotient("1", "8", -1, "0.125");
    quotient("10", "3", -1, "inexact");
    quotient("9", "3", -1, "3");
    quotient("1e-3", "1e5", -1, "0.00000001");
    quotient("123456789012345678901234567891", "3", 4, "41152263004115226300411522630.3333");
    quotient("12345678901234567890123456789012345", "-12345678901234567890.5", 20,
             "-999999999999999.99996949999963549994");
}

static void
rounding_is_half_even(void **state)
{
    (void)state;
    product("0.5", "1", 0, "0");
    product("1.5", "1", 0, "2");
    product("2.5", "1", 0, "2");
    product("2.50000000000000000000001", "1", 0, "3");
    product("-2.5", "1", 0, "-2");
    product("-0.4", "1", 0, "0");
    product("9.995", "1", 2, "10");
    quotient("1", "3", 0, "0");
    quotient("2", "3", 2, "0.67");
    quotient("5", "10", 0, "0");
    quotient("15", "10", 0, "2");
    quotient("5e-2000", "1", 0, "too-long");
    quotient("1e-900", "1e90", 30, "0");
}

static void
numbers_over_1000_digits_are_refused(void **state)
{
    (void)state;
    char nines[1002];
    memset(nines, '9', sizeof(nines));
    nines[1001] = '\0';
    product(nines, "1", -1, "too-long");
    nines[1000] = '\0';
    product(nines, "1", -1, nines);
    product(nines, "2", -1, "too-long");
    product("1e1000", "0.1", -1, "too-long");
    product("1e999", "10", -1, "too-long");
    product("1e-999", "0.1", -1, "too-long");
    product("1e-999", "0.1", 3, "0");
    product("1e1000000000000000000000", "0", -1, "too-long");
    product("0e1000000000000000000000", "1", -1, "0");
}

static void
equality_is_by_value_whatever_the_exponent(void **state)
{
    (void)state;
    assert_true(decimal_equal(SLICE_OF("1e400"), SLICE_OF("10e399")));
    assert_true(decimal_equal(SLICE_OF("0.00100"), SLICE_OF("1E-3")));
    assert_true(decimal_equal(SLICE_OF("-0.0"), SLICE_OF("0e99999999999999999999")));
    assert_false(decimal_equal(SLICE_OF("1"), SLICE_OF("-1")));
    assert_false(
        decimal_equal(SLICE_OF("1e99999999999999999999"), SLICE_OF("1e99999999999999999998")));
    assert_true(decimal_equal(SLICE_OF("1.50e99999999999999999999"),
                              SLICE_OF("1.5E+0099999999999999999999")));
}

static void
keys_are_shared_by_equal_numbers_only(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0", "1", "-1", "10", "0.1", "11", "1.1", "1e30"};
    static const char *const spelled[] = {
        "-0.0", "1.0",   "-1e0",    "1e1",
        "1e-1", "1.1e1", "0.11e+1", "1000000000000000000000000000000"};
    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < 8; k++) {
            char a[80];
            char b[80];
            size_t size_a = decimal_key(slice_from_string(numbers[i]), a);
            size_t size_b = decimal_key(slice_from_string(spelled[k]), b);
            assert_int_equal(slice_equal(slice_make(a, size_a), slice_make(b, size_b)), i == k);
        }
    }
}

static void
integers_and_seconds(void **state)
{
    (void)state;
    struct arena arena;
    struct slice number;
    int64_t seconds;
    uint32_t billionths;
    arena_init(&arena, 0);
    gives(decimal_integer(SLICE_OF("-1.20e2"), &arena, &number), number, "-120");
    gives(decimal_integer(SLICE_OF("0.0"), &arena, &number), number, "0");
    gives(decimal_integer(SLICE_OF("1.25e1"), &arena, &number), number, "fraction");
    gives(decimal_integer(SLICE_OF("1e1000"), &arena, &number), number, "too-long");
    assert_int_equal(decimal_seconds(SLICE_OF("-1.5"), &seconds, &billionths), DECIMAL_OK);
    assert_int_equal(seconds, -2);
    assert_int_equal(billionths, 500000000);
    assert_int_equal(decimal_seconds(SLICE_OF("17e-2"), &seconds, &billionths), DECIMAL_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(billionths, 170000000);
    assert_int_equal(decimal_seconds(SLICE_OF("1e-10"), &seconds, &billionths),
                     DECIMAL_INEXACT);
    assert_int_equal(decimal_seconds(SLICE_OF("1e18"), &seconds, &billionths),
                     DECIMAL_TOO_LONG);
    assert_true(decimal_inverse_ends(SLICE_OF("0.0640")));
    assert_false(decimal_inverse_ends(SLICE_OF("0.3")));
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic_is_exact),
        cmocka_unit_test(rounding_is_half_even),
        cmocka_unit_test(numbers_over_1000_digits_are_refused),
        cmocka_unit_test(equality_is_by_value_whatever_the_exponent),
        cmocka_unit_test(keys_are_shared_by_equal_numbers_only),
        cmocka_unit_test(integers_and_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
