/*
 * exact - decimal numbers as digit strings, exactly: the tests' own arithmetic.
 *
 * Slow and plain on purpose; shares nothing with the code it checks.
 *
 * Borrowed: digits live in the arena passed in.
 */
#ifndef TESTS_PROPERTY_MODEL_EXACT_H
#define TESTS_PROPERTY_MODEL_EXACT_H

#include "proto/base/arena.h"

/* digits * 10^exponent, without leading or trailing zeros; zero has no digits. */
struct exact {
    bool negative;
    const char *digits;
    size_t count;
    long exponent;
};

enum { EXACT_DIGITS_MAX = 1000 };

/* Read a JSON number (which <text> must be). */
struct exact exact_read(struct arena *arena, struct slice text);

bool exact_equal(struct exact a, struct exact b);
bool exact_is_integer(struct exact a);

/* Digits it has when written without an exponent. */
size_t exact_written_count(struct exact a);

struct slice exact_write(struct arena *arena, struct exact a);

struct exact exact_multiply(struct arena *arena, struct exact a, struct exact b);

/* Half-even to <digits> behind the point. */
struct exact exact_round(struct arena *arena, struct exact a, long digits);

/*
 * a / b, half-even to <digits>, exactly when that is negative; false when an exact quotient
 * does not end. <b> has at most nine digits and is not zero.
 */
bool exact_divide(struct arena *arena, struct exact a, struct exact b, long digits,
                  struct exact *ret_quotient);

#endif
