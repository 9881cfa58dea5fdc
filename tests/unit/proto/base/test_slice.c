#include "proto/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool
glob(const char *pattern, const char *text)
{
    return slice_glob(slice_from_string(pattern), slice_from_string(text), false);
}

static void
globs_match_as_in_redis(void **state)
{
    (void)state;
    assert_true(glob("*", ""));
    assert_true(glob("h?llo", "hello"));
    assert_true(glob("h*llo", "heeeello"));
    assert_true(glob("h[ae]llo", "hallo"));
    assert_false(glob("h[ae]llo", "hillo"));
    assert_true(glob("h[^e]llo", "hallo"));
    assert_false(glob("h[^e]llo", "hello"));
    assert_true(glob("h[a-b]llo", "hbllo"));
    assert_true(glob("a\\*c", "a*c"));
    assert_false(glob("a\\*c", "abc"));
    assert_false(glob("", "a"));
    assert_true(glob("sess:*:end", "sess:a:b:end"));
    assert_false(glob("sess:*:end", "sess:a:b:end2"));
    assert_true(slice_glob(SLICE_OF("AB[c-d]*"), SLICE_OF("abDx"), true));
}

static void
a_hostile_glob_takes_quadratic_time_at_worst(void **state)
{
    (void)state;
    char pattern[401];
    char text[4001];
    for (size_t i = 0; i < 400; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[399] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(slice_glob(slice_make(pattern, 400), slice_make(text, 4000), false));
}

static void
integers_are_read_strictly(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(slice_to_int64(SLICE_OF("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_true(slice_to_int64(SLICE_OF("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(slice_to_int64(SLICE_OF("0"), &value));
    assert_int_equal(value, 0);
    const char *const bad[] = {
        "", "-", "-0", "+1", "01", " 1", "1 ", "0x", "1.0", "1e1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        value = 42;
        assert_false(slice_to_int64(slice_from_string(bad[i]), &value));
        assert_int_equal(value, 42);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match_as_in_redis),
        cmocka_unit_test(a_hostile_glob_takes_quadratic_time_at_worst),
        cmocka_unit_test(integers_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
