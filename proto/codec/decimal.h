/*
 * decimal - exact arithmetic on decimal numbers as JSON spells them.
 *
 * Thread:   pure functions.
 * Bounded:  numbers of up to DECIMAL_DIGITS_MAX digits written out (no exponent); comparison
 *           takes any.
 */
#ifndef PROTO_CODEC_DECIMAL_H
#define PROTO_CODEC_DECIMAL_H

#include "proto/base/arena.h"
#include "proto/base/slice.h"

enum { DECIMAL_DIGITS_MAX = 1000 };

enum decimal_status {
    DECIMAL_OK,
    DECIMAL_TOO_LONG, /* over DECIMAL_DIGITS_MAX digits */
    DECIMAL_INEXACT,  /* a quotient without end */
    DECIMAL_FRACTION, /* an integer was asked for */
    DECIMAL_NO_MEMORY,
};

/* Are two JSON numbers the same number? O(digits). */
bool decimal_equal(struct slice a, struct slice b);

/*
 * A text that two JSON numbers share exactly if they are the same number: sign, digits without
 * zeros at either end, and the power of ten. Into <out> of at least <number>.size + 32 bytes;
 * the size written.
 */
size_t decimal_key(struct slice number, char *out);

/* Is the number 0? */
bool decimal_is_zero(struct slice number);

/* Does 1 / <number> end? Not for 0. False for numbers too long to say. */
bool decimal_inverse_ends(struct slice number);

/*
 * <a> * <b>, and <a> / <b> (b not 0), written out without exponent; rounded half-even to
 * <digits> fraction digits unless that is negative. Zeros at the end of a fraction are left
 * out.
 */
enum decimal_status decimal_multiply(struct slice a, struct slice b, int digits,
                                     struct arena *arena, struct slice *ret_number);
enum decimal_status decimal_divide(struct slice a, struct slice b, int digits,
                                   struct arena *arena, struct slice *ret_number);

/* The number without fraction or exponent; DECIMAL_FRACTION where it has one. */
enum decimal_status decimal_integer(struct slice number, struct arena *arena,
                                    struct slice *ret_number);

/*
 * The number as seconds and billionths (0 to 999,999,999, added). DECIMAL_TOO_LONG beyond 18
 * digits of whole seconds; DECIMAL_INEXACT when it needs more than nine fraction digits, which
 * are cut off then.
 */
enum decimal_status decimal_seconds(struct slice number, int64_t *ret_seconds,
                                    uint32_t *ret_billionths);

#endif
