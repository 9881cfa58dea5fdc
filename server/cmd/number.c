#include "server/cmd/number.h"

#include "proto/base/check.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool
number_parse(struct slice text, long double *ret_value)
{
    char buf[NUMBER_TEXT_SIZE];
    if (text.size == 0 || text.size >= sizeof(buf) || isspace((unsigned char)text.data[0])) {
        return false;
    }
    memcpy(buf, text.data, text.size);
    buf[text.size] = '\0';
    char *end;
    errno = 0;
    long double value = strtold(buf, &end);
    bool out_of_range = errno == ERANGE && (isinf(value) || fpclassify(value) == FP_ZERO);
    if (end != buf + text.size || out_of_range || isnan(value)) {
        return false;
    }
    *ret_value = value;
    return true;
}

bool
number_is_finite(long double value)
{
    return !isnan(value) && !isinf(value);
}

size_t
number_format(char text[NUMBER_TEXT_SIZE], long double value)
{
    int written = snprintf(text, NUMBER_TEXT_SIZE, "%.17Lf", value);
    CHECK(written > 0 && written < NUMBER_TEXT_SIZE);
    size_t size = (size_t)written;
    if (memchr(text, '.', size) != NULL) {
        while (text[size - 1] == '0') {
            size--;
        }
        if (text[size - 1] == '.') {
            size--;
        }
    }
    if (size == 2 && memcmp(text, "-0", 2) == 0) {
        text[0] = '0';
        size = 1;
    }
    text[size] = '\0';
    return size;
}

struct slice
number_format_int64(char text[NUMBER_INT64_SIZE], int64_t value)
{
    int size = snprintf(text, NUMBER_INT64_SIZE, "%" PRId64, value);
    return slice_make(text, (size_t)size);
}

bool
number_add(struct reply *reply, long double value, long double amount,
           char text[NUMBER_TEXT_SIZE], struct slice *ret_sum)
{
    long double sum = value + amount;
    if (!number_is_finite(sum)) {
        reply_error(reply, "ERR increment would produce NaN or Infinity");
        return false;
    }
    *ret_sum = slice_make(text, number_format(text, sum));
    return true;
}
