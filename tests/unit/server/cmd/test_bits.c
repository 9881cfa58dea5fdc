#include "server/cmd/bits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BYTES = 40 };

/* A deterministic mix of runs and noise. */
static void
fill(char bytes[BYTES], unsigned seed)
{
    for (unsigned i = 0; i < BYTES; i++) {
        unsigned noise = (i * 2654435761U + seed * 40503U) >> 7;
        bytes[i] = (char)(seed % 3 == 0 ? 0 : seed % 3 == 1 ? 0xff : noise);
    }
    bytes[seed % BYTES] = (char)seed;
}

static bool
bit_at(const char *bytes, uint64_t offset)
{
    return (unsigned char)bytes[offset / 8] >> (7 - offset % 8) & 1;
}

static void
counting_and_finding_agree_with_a_walk_bit_by_bit(void **state)
{
    (void)state;
    char bytes[BYTES];
    for (unsigned seed = 0; seed < 60; seed++) {
        fill(bytes, seed);
        for (uint64_t first = 0; first < BYTES * 8; first += 7) {
            for (uint64_t last = first; last < BYTES * 8; last += 11) {
                uint64_t count = 0;
                int64_t found[2] = {-1, -1};
                for (uint64_t at = last + 1; at-- > first;) {
                    count += bit_at(bytes, at);
                    found[bit_at(bytes, at)] = (int64_t)at;
                }
                struct range range = {first, last};
                struct slice slice = slice_make(bytes, BYTES);
                assert_int_equal(bits_count(slice, range), count);
                assert_int_equal(bits_find(slice, range, true), found[1]);
                assert_int_equal(bits_find(slice, range, false), found[0]);
            }
        }
    }
}

static void
what_was_set_is_read_and_nothing_else_changes(void **state)
{
    (void)state;
    char before[BYTES];
    char after[BYTES];
    for (unsigned width = 1; width <= 64; width++) {
        for (uint64_t offset = 0; offset < 70; offset++) {
            fill(before, 2 + width);
            memcpy(after, before, sizeof(after));
            uint64_t value = 0xa5c3f00d12345678U >> (64 - width);
            bits_set(after, offset, width, value);
            assert_true(bits_get(slice_make(after, BYTES), offset, width) == value);
            for (uint64_t at = 0; at < BYTES * 8; at++) {
                if (at < offset || at >= offset + width) {
                    assert_int_equal(bit_at(after, at), bit_at(before, at));
                }
            }
        }
    }
}

static void
zeros_lie_beyond_the_end(void **state)
{
    (void)state;
    assert_int_equal(bits_get(SLICE_OF("\xff"), 4, 8), 0xf0);
    assert_int_equal(bits_get(SLICE_OF(""), 1000, 64), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counting_and_finding_agree_with_a_walk_bit_by_bit),
        cmocka_unit_test(what_was_set_is_read_and_nothing_else_changes),
        cmocka_unit_test(zeros_lie_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
