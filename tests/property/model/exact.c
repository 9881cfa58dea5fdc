#include "tests/property/model/exact.h"

#include "proto/base/check.h"

#include <stdlib.h>

static char *
room(struct arena *arena, size_t size)
{
    char *data = arena_alloc(arena, size + 1);
    CHECK(data != NULL);
    return data;
}

static struct exact
normal(bool negative, const char *digits, size_t count, long exponent)
{
    while (count > 0 && digits[0] == '0') {
        digits++;
        count--;
    }
    while (count > 0 && digits[count - 1] == '0') {
        count--;
        exponent++;
    }
    if (count == 0) {
        return (struct exact){false, "", 0, 0};
    }
    return (struct exact){negative, digits, count, exponent};
}

struct exact
exact_read(struct arena *arena, struct slice text)
{
    char *digits = room(arena, text.size);
    size_t count = 0;
    long exponent = 0;
    bool fraction = false;
    size_t at = 0;
    bool negative = text.data[0] == '-';
    for (at = negative; at < text.size && text.data[at] != 'e' && text.data[at] != 'E'; at++) {
        if (text.data[at] == '.') {
            fraction = true;
        } else {
            digits[count++] = text.data[at];
            exponent -= fraction;
        }
    }
    if (at < text.size) {
        char buf[24] = {0};
        size_t size = text.size - at - 1;
        CHECK(size < sizeof(buf));
        memcpy(buf, text.data + at + 1, size);
        exponent += strtol(buf, NULL, 10);
    }
    return normal(negative, digits, count, exponent);
}

bool
exact_equal(struct exact a, struct exact b)
{
    return a.negative == b.negative && a.exponent == b.exponent && a.count == b.count &&
           memcmp(a.digits, b.digits, a.count) == 0;
}

bool
exact_is_integer(struct exact a)
{
    return a.exponent >= 0;
}

size_t
exact_written_count(struct exact a)
{
    if (a.count == 0) {
        return 1;
    }
    if (a.exponent >= 0) {
        return a.count + (size_t)a.exponent;
    }
    size_t fraction = (size_t)-a.exponent;
    return a.count > fraction ? a.count : fraction + 1;
}

struct slice
exact_write(struct arena *arena, struct exact a)
{
    size_t written = exact_written_count(a);
    char *text = room(arena, written + 2);
    size_t size = 0;
    if (a.count == 0) {
        return slice_make("0", 1);
    }
    if (a.negative) {
        text[size++] = '-';
    }
    size_t fraction = a.exponent < 0 ? (size_t)-a.exponent : 0;
    for (size_t i = 0; i < written; i++) {
        if (fraction > 0 && i == written - fraction) {
            text[size++] = '.';
        }
        size_t padding = fraction > 0 ? written - a.count : 0;
        text[size++] = i < padding || i - padding >= a.count ? '0' : a.digits[i - padding];
    }
    return slice_make(text, size);
}

struct exact
exact_multiply(struct arena *arena, struct exact a, struct exact b)
{
    size_t count = a.count + b.count;
    char *digits = room(arena, count);
    memset(digits, 0, count);
    for (size_t i = a.count; i-- > 0;) {
        int carry = 0;
        for (size_t k = b.count; k-- > 0;) {
            int sum = digits[i + k + 1] + (a.digits[i] - '0') * (b.digits[k] - '0') + carry;
            digits[i + k + 1] = (char)(sum % 10);
            carry = sum / 10;
        }
        digits[i] = (char)(digits[i] + carry);
    }
    for (size_t i = 0; i < count; i++) {
        digits[i] = (char)(digits[i] + '0');
    }
    return normal(a.negative != b.negative, digits, count, a.exponent + b.exponent);
}

struct exact
exact_round(struct arena *arena, struct exact a, long digits)
{
    if (a.count == 0 || -a.exponent <= digits) {
        return a;
    }
    size_t drop = (size_t)(-a.exponent - digits);
    if (drop > a.count) {
        return normal(false, "", 0, 0);
    }
    size_t keep = a.count - drop;
    char *rounded = room(arena, keep + 1);
    rounded[0] = '0';
    memcpy(rounded + 1, a.digits, keep);
    /* no trailing zeros: exactly one half is a lone 5 */
    bool half = drop == 1 && a.digits[keep] == '5';
    bool odd = keep > 0 && (a.digits[keep - 1] - '0') % 2 == 1;
    if (half ? odd : a.digits[keep] >= '5') {
        size_t at = keep;
        while (rounded[at] == '9') {
            rounded[at--] = '0';
        }
        rounded[at]++;
    }
    return normal(a.negative, rounded, keep + 1, -digits);
}

bool
exact_divide(struct arena *arena, struct exact a, struct exact b, long digits,
             struct exact *ret_quotient)
{
    enum { FRACTION_MAX = 3000 };
    uint64_t divisor = 0;
    CHECK(b.count > 0 && b.count <= 9);
    for (size_t i = 0; i < b.count; i++) {
        divisor = divisor * 10 + (uint64_t)(b.digits[i] - '0');
    }
    long exponent = a.exponent - b.exponent;
    long fraction_max = digits < 0 ? FRACTION_MAX : digits + 2 + exponent;
    if (fraction_max < 0) {
        fraction_max = 0;
    }
    char *quotient = room(arena, a.count + (size_t)fraction_max + 1);
    size_t count = 0;
    uint64_t rest = 0;
    for (size_t i = 0; i < a.count; i++) {
        rest = rest * 10 + (uint64_t)(a.digits[i] - '0');
        quotient[count++] = (char)('0' + rest / divisor);
        rest %= divisor;
    }
    for (long i = 0; i < fraction_max && rest > 0; i++) {
        rest *= 10;
        quotient[count++] = (char)('0' + rest / divisor);
        rest %= divisor;
        exponent--;
    }
    if (rest > 0) {
        if (digits < 0) {
            return false;
        }
        quotient[count++] = '1'; /* there is more: no tie */
        exponent--;
    }
    struct exact exact = normal(a.negative != b.negative, quotient, count, exponent);
    *ret_quotient = digits < 0 ? exact : exact_round(arena, exact, digits);
    return true;
}
