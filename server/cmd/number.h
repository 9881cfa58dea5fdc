/*
 * number - long doubles as text, the way INCRBYFLOAT and HINCRBYFLOAT read and write them.
 */
#ifndef SERVER_CMD_NUMBER_H
#define SERVER_CMD_NUMBER_H

#include "server/cmd/reply.h"

/* The longest long double (4,933 digits), its fraction and a NUL. */
enum { NUMBER_TEXT_SIZE = 5 * 1024, NUMBER_INT64_SIZE = 24 };

/*
 * Read all of <text> as strtold() does, infinities and hexadecimal included, but no leading
 * blanks, no NaN, nothing out of range. False, leaving <ret_value> untouched, otherwise.
 */
bool number_parse(struct slice text, long double *ret_value);

bool number_is_finite(long double value);

/* Write a finite <value> with up to 17 fraction digits, no trailing zeros. Returns the size. */
size_t number_format(char text[NUMBER_TEXT_SIZE], long double value);

/* Write <value> in decimal; the slice is of <text>. */
struct slice number_format_int64(char text[NUMBER_INT64_SIZE], int64_t value);

/*
 * <value> + <amount> as text, which *ret_sum is a slice of; false when "increment would produce
 * NaN or Infinity" was replied.
 */
bool number_add(struct reply *reply, long double value, long double amount,
                char text[NUMBER_TEXT_SIZE], struct slice *ret_sum);

#endif
