#include "proto/codec/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static void
reads(const char *text, int64_t seconds, uint32_t billionths, const char *written)
{
    struct time_point point;
    char out[TIME_TEXT_SIZE];
    if (!time_parse(slice_from_string(text), &point)) {
        fail_msg("refused: %s", text);
    }
    assert_int_equal(point.seconds, seconds);
    assert_int_equal(point.billionths, billionths);
    size_t size = time_format(point, out);
    if (!slice_equal(slice_make(out, size), slice_from_string(written))) {
        fail_msg("%.*s, not %s", (int)size, out, written);
    }
}

static void
refused(const char *text)
{
    struct time_point point;
    if (time_parse(slice_from_string(text), &point)) {
        fail_msg("not refused: %s", text);
    }
}

static void
times_are_read_and_written(void **state)
{
    (void)state;
    reads("1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z");
    reads("2024-02-29T23:59:59.5+23:59", 1709164859, 500000000, "2024-02-29T00:00:59.5Z");
    reads("1969-12-31T23:59:59.999999999Z", -1, 999999999, "1969-12-31T23:59:59.999999999Z");
    reads("0000-01-01T00:00:00-00:00", -62167219200, 0, "0000-01-01T00:00:00Z");
    reads("0000-01-01T00:00:00+00:01", -62167219260, 0, "");
    reads("9999-12-31T23:59:59Z", 253402300799, 0, "9999-12-31T23:59:59Z");
    reads("2000-03-01T00:00:00.100Z", 951868800, 100000000, "2000-03-01T00:00:00.1Z");
    refused("");
    refused("2024-02-30T00:00:00Z");
    refused("2023-02-29T00:00:00Z");
    refused("1900-02-29T00:00:00Z");
    refused("2024-13-01T00:00:00Z");
    refused("2024-00-01T00:00:00Z");
    refused("2024-01-00T00:00:00Z");
    refused("2024-01-01T24:00:00Z");
    refused("2024-01-01T00:60:00Z");
    refused("2024-12-31T23:59:60Z");
    refused("2024-01-01 00:00:00Z");
    refused("2024-01-01T00:00:00z");
    refused("2024-01-01T00:00:00");
    refused("2024-01-01T00:00Z");
    refused("2024-01-01T00:00:00.Z");
    refused("2024-01-01T00:00:00.1234567890Z");
    refused("2024-01-01T00:00:00+0100");
    refused("2024-01-01T00:00:00+24:00");
    refused("2024-01-01T00:00:00Zx");
    refused("+2024-01-01T00:00:00Z");
}

static void
every_day_of_ten_thousand_years_comes_back(void **state)
{
    (void)state;
    unsigned days = 0;
    for (int64_t seconds = -62167219200; seconds <= 253402300799; seconds += 86400) {
        struct time_point point = {.seconds = seconds};
        struct time_point back;
        char out[TIME_TEXT_SIZE];
        size_t size = time_format(point, out);
        assert_int_equal(size, 20);
        assert_true(time_parse(slice_make(out, size), &back));
        assert_int_equal(back.seconds, seconds);
        days++;
    }
    assert_int_equal(days, 3652425);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(every_day_of_ten_thousand_years_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
