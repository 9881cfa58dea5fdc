/*
 * decimal - exact decimal numbers as digit strings: the tests' own arithmetic.
 *
 * Slow and plain on purpose; shares nothing with the code it checks.
 *
 * Borrowed: digits live in the arena passed in.
 */
#ifndef TESTS_PROPERTY_MODEL_DECIMAL_H
#define TESTS_PROPERTY_MODEL_DECIMAL_H

#include "proto/base/arena.h"

/* digits * 10^exponent, without leading or trailing zeros; zero has no digits. */
struct decimal {
    bool negative;
    const char *digits;
    size_t count;
    long exponent;
};

enum { DECIMAL_DIGITS_MAX = 1000 };

/* Read a JSON number (which <text> must be). */
struct decimal decimal_read(struct arena *arena, struct slice text);

bool decimal_equal(struct decimal a, struct decimal b);
bool decimal_is_integer(struct decimal a);

/* Digits it has when written without an exponent. */
size_t decimal_written_count(struct decimal a);

struct slice decimal_write(struct arena *arena, struct decimal a);

struct decimal decimal_multiply(struct arena *arena, struct decimal a, struct decimal b);

/* Half-even to <digits> behind the point. */
struct decimal decimal_round(struct arena *arena, struct decimal a, long digits);

/*
 * a / b, half-even to <digits>, exactly when that is negative; false when an exact quotient does
 * not end. <b> has at most nine digits and is not zero.
 */
bool decimal_divide(struct arena *arena, struct decimal a, struct decimal b, long digits,
                    struct decimal *ret_quotient);

#endif
