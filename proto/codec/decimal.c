#include "proto/codec/decimal.h"

#include "proto/base/check.h"

/*
 * A number is read as 0.d1 d2 … dn * 10^power with d1 and dn not zero, in place: the digits are
 * found between <first> and <last>, with perhaps a point among them.
 */
struct number {
    const char *first;
    const char *last; /* behind the last digit that is not zero */
    size_t count;     /* of digits; 0: the number is zero */
    int64_t power;
    const char *huge; /* an exponent of more than 18 digits, from its first to its last digit */
    size_t huge_size;
    bool huge_negative;
    bool negative;
};

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static struct number
number_read(struct slice text)
{
    struct number number = {0};
    const char *at = text.data;
    const char *end = text.data + text.size;
    int64_t whole = 0; /* digits before the point, from the first that is not zero on */
    int64_t zeros = 0; /* zeros behind the point before that */
    size_t seen = 0;   /* digits from the first that is not zero on */
    bool point = false;
    if (at < end && *at == '-') {
        number.negative = true;
        at++;
    }
    for (; at < end && (is_digit(*at) || *at == '.'); at++) {
        if (*at == '.') {
            point = true;
        } else if (number.first == NULL && *at == '0') {
            zeros += point;
        } else {
            if (number.first == NULL) {
                number.first = at;
            }
            seen++;
            whole += !point;
            if (*at != '0') {
                number.last = at + 1;
                number.count = seen;
            }
        }
    }
    if (number.count == 0) {
        return (struct number){0}; /* -0 is 0 */
    }
    number.power = whole > 0 ? whole : -zeros;
    if (at < end) {
        bool negative = at[1] == '-';
        at += at[1] == '-' || at[1] == '+' ? 2 : 1;
        while (at < end && *at == '0') {
            at++;
        }
        if (end - at > 18) {
            number.huge = at;
            number.huge_size = (size_t)(end - at);
            number.huge_negative = negative;
            return number;
        }
        int64_t exponent = 0;
        for (; at < end; at++) {
            exponent = exponent * 10 + (*at - '0');
        }
        number.power += negative ? -exponent : exponent;
    }
    return number;
}

/* The digits of a number, without the point, into <out> of at least count bytes. */
static void
number_digits(const struct number *number, char *out)
{
    for (const char *at = number->first; at < number->last; at++) {
        if (*at != '.') {
            *out++ = *at;
        }
    }
}

bool
decimal_equal(struct slice text_a, struct slice text_b)
{
    struct number a = number_read(text_a);
    struct number b = number_read(text_b);
    if (a.count != b.count || a.negative != b.negative || a.power != b.power ||
        a.huge_negative != b.huge_negative || a.huge_size != b.huge_size ||
        (a.huge_size > 0 && memcmp(a.huge, b.huge, a.huge_size) != 0)) {
        return false;
    }
    const char *at_a = a.first;
    const char *at_b = b.first;
    for (size_t i = 0; i < a.count; i++) {
        at_a += *at_a == '.';
        at_b += *at_b == '.';
        if (*at_a++ != *at_b++) {
            return false;
        }
    }
    return true;
}

size_t
decimal_key(struct slice text, char *out)
{
    struct number number = number_read(text);
    size_t size = 0;
    if (number.count == 0) {
        out[0] = '0';
        return 1;
    }
    if (number.negative) {
        out[size++] = '-';
    }
    number_digits(&number, out + size);
    size += number.count;
    if (number.huge != NULL) {
        out[size++] = number.huge_negative ? 'm' : 'p';
        memcpy(out + size, number.huge, number.huge_size);
        size += number.huge_size;
    }
    out[size++] = 'e';
    uint64_t power = (uint64_t)number.power;
    if (number.power < 0) {
        out[size++] = '-';
        power = 0 - power;
    }
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + power % 10);
        power /= 10;
    } while (power > 0);
    while (count > 0) {
        out[size++] = digits[--count];
    }
    return size;
}

bool
decimal_is_zero(struct slice number)
{
    return number_read(number).count == 0;
}

/* Digits of the number written out without exponent, a zero before the point included. */
static bool
number_fits(const struct number *number)
{
    if (number->count == 0) {
        return true;
    }
    if (number->huge != NULL || number->count > DECIMAL_DIGITS_MAX ||
        number->power > DECIMAL_DIGITS_MAX || number->power < -DECIMAL_DIGITS_MAX) {
        return false;
    }
    int64_t whole = number->power > 0 ? number->power : 1;
    int64_t fraction = (int64_t)number->count - number->power;
    return whole + (fraction > 0 ? fraction : 0) <= DECIMAL_DIGITS_MAX;
}

/* --- natural numbers: limbs of nine digits, the lowest first --------------------------------
 */

enum {
    LIMB_BASE = 1000000000,
    LIMB_DIGITS = 9,
    /* 1,000 digits, times ten to the 3,400th at most (the longest exact quotient), and room */
    LIMBS_MAX = 520,
};

struct natural {
    size_t count; /* without leading zero limbs; 0: zero */
    uint32_t limb[LIMBS_MAX];
};

static void
natural_trim(struct natural *natural)
{
    while (natural->count > 0 && natural->limb[natural->count - 1] == 0) {
        natural->count--;
    }
}

/* natural = natural * factor + carry, both below the base (or up to 2^32 - 1). */
static void
natural_multiply_small(struct natural *natural, uint32_t factor, uint32_t carry)
{
    uint64_t rest = carry;
    for (size_t i = 0; i < natural->count; i++) {
        rest += (uint64_t)natural->limb[i] * factor;
        natural->limb[i] = (uint32_t)(rest % LIMB_BASE);
        rest /= LIMB_BASE;
    }
    while (rest > 0) {
        CHECK(natural->count < LIMBS_MAX);
        natural->limb[natural->count++] = (uint32_t)(rest % LIMB_BASE);
        rest /= LIMB_BASE;
    }
}

/* The remainder of natural / divisor, which becomes the quotient. */
static uint32_t
natural_divide_small(struct natural *natural, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = natural->count; i-- > 0;) {
        rest = rest * LIMB_BASE + natural->limb[i];
        natural->limb[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    natural_trim(natural);
    return (uint32_t)rest;
}

static const uint32_t power_of_ten[LIMB_DIGITS + 1] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

/* Times ten to the <count>th. */
static void
natural_shift_left(struct natural *natural, size_t count)
{
    size_t limbs = count / LIMB_DIGITS;
    if (natural->count == 0) {
        return;
    }
    natural_multiply_small(natural, power_of_ten[count % LIMB_DIGITS], 0);
    CHECK(natural->count + limbs <= LIMBS_MAX);
    memmove(natural->limb + limbs, natural->limb, natural->count * sizeof(uint32_t));
    memset(natural->limb, 0, limbs * sizeof(uint32_t));
    natural->count += limbs;
}

/*
 * Divided by ten to the <count>th; what is cut off is compared with one half: *ret_half gets
 * -1, 0, 1 for below, equal, above, and *ret_rest says whether it was not zero.
 */
static void
natural_shift_right(struct natural *natural, size_t count, int *ret_half, bool *ret_rest)
{
    *ret_half = -1;
    *ret_rest = false;
    if (count == 0 || natural->count == 0) {
        return;
    }
    if (count > natural->count * LIMB_DIGITS) {
        natural->count = 0;
        *ret_rest = true;
        return;
    }
    /* All but the last digit to be cut, then that one. */
    size_t limbs = (count - 1) / LIMB_DIGITS;
    bool below = false;
    for (size_t i = 0; i < limbs; i++) {
        below = below || natural->limb[i] != 0;
    }
    memmove(natural->limb, natural->limb + limbs, (natural->count - limbs) * sizeof(uint32_t));
    natural->count -= limbs;
    below =
        natural_divide_small(natural, power_of_ten[(count - 1) % LIMB_DIGITS]) != 0 || below;
    uint32_t digit = natural_divide_small(natural, 10);
    *ret_half = digit > 5 || (digit == 5 && below) ? 1 : digit == 5 ? 0 : -1;
    *ret_rest = digit != 0 || below;
}

static void
natural_read(struct natural *natural, const struct number *number)
{
    uint32_t chunk = 0;
    unsigned held = 0;
    natural->count = 0;
    for (const char *at = number->first; at < number->last; at++) {
        if (*at == '.') {
            continue;
        }
        chunk = chunk * 10 + (uint32_t)(*at - '0');
        if (++held == LIMB_DIGITS) {
            natural_multiply_small(natural, LIMB_BASE, chunk);
            chunk = held = 0;
        }
    }
    if (held > 0) {
        natural_multiply_small(natural, power_of_ten[held], chunk);
    }
}

static void
natural_multiply(const struct natural *a, const struct natural *b, struct natural *product)
{
    CHECK(a->count + b->count <= LIMBS_MAX);
    product->count = a->count + b->count;
    memset(product->limb, 0, product->count * sizeof(uint32_t));
    for (size_t i = 0; i < a->count; i++) {
        uint64_t carry = 0;
        for (size_t k = 0; k < b->count; k++) {
            carry += product->limb[i + k] + (uint64_t)a->limb[i] * b->limb[k];
            product->limb[i + k] = (uint32_t)(carry % LIMB_BASE);
            carry /= LIMB_BASE;
        }
        product->limb[i + b->count] = (uint32_t)carry;
    }
    natural_trim(product);
}

static int
natural_compare(const struct natural *a, const struct natural *b)
{
    if (a->count != b->count) {
        return a->count < b->count ? -1 : 1;
    }
    for (size_t i = a->count; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i] ? -1 : 1;
        }
    }
    return 0;
}

/*
 * Long division (Knuth, The Art of Computer Programming 4.3.1, algorithm D): <a> becomes the
 * remainder, times a factor (so only its being zero means something to the caller);
 * *ret_half compares the remainder with one half of the divisor.
 */
static void
natural_divide(struct natural *a, struct natural *b, struct natural *quotient, int *ret_half,
               bool *ret_rest)
{
    if (b->count == 1) {
        uint32_t divisor = b->limb[0];
        uint64_t rest = natural_divide_small(a, divisor);
        memcpy(quotient->limb, a->limb, a->count * sizeof(uint32_t));
        quotient->count = a->count;
        *ret_half = rest * 2 > divisor ? 1 : rest * 2 == divisor ? 0 : -1;
        *ret_rest = rest != 0;
        return;
    }
    quotient->count = 0;
    if (natural_compare(a, b) >= 0) {
        uint32_t scale = (uint32_t)(LIMB_BASE / (b->limb[b->count - 1] + 1));
        natural_multiply_small(a, scale, 0);
        natural_multiply_small(b, scale, 0);
        size_t n = b->count;
        CHECK(a->count < LIMBS_MAX);
        a->limb[a->count++] = 0;
        quotient->count = a->count - n;
        for (size_t j = quotient->count; j-- > 0;) {
            uint64_t head = (uint64_t)a->limb[j + n] * LIMB_BASE + a->limb[j + n - 1];
            uint64_t guess = head / b->limb[n - 1];
            uint64_t rest = head % b->limb[n - 1];
            while (guess >= LIMB_BASE ||
                   guess * b->limb[n - 2] > rest * LIMB_BASE + a->limb[j + n - 2]) {
                guess--;
                rest += b->limb[n - 1];
                if (rest >= LIMB_BASE) {
                    break;
                }
            }
            uint64_t carry = 0;
            int64_t borrow = 0;
            for (size_t i = 0; i < n; i++) {
                carry += guess * b->limb[i];
                int64_t value = (int64_t)a->limb[i + j] - borrow - (int64_t)(carry % LIMB_BASE);
                carry /= LIMB_BASE;
                borrow = value < 0;
                a->limb[i + j] = (uint32_t)(value + (borrow ? LIMB_BASE : 0));
            }
            int64_t value = (int64_t)a->limb[j + n] - borrow - (int64_t)carry;
            borrow = value < 0;
            a->limb[j + n] = (uint32_t)(value + (borrow ? LIMB_BASE : 0));
            if (borrow) {
                uint64_t sum = 0;
                guess--;
                for (size_t i = 0; i < n; i++) {
                    sum += (uint64_t)a->limb[i + j] + b->limb[i];
                    a->limb[i + j] = (uint32_t)(sum % LIMB_BASE);
                    sum /= LIMB_BASE;
                }
                a->limb[j + n] = (uint32_t)((a->limb[j + n] + sum) % LIMB_BASE);
            }
            quotient->limb[j] = (uint32_t)guess;
        }
        natural_trim(a);
        natural_trim(quotient);
    }
    *ret_rest = a->count > 0;
    natural_multiply_small(a, 2, 0);
    int order = natural_compare(a, b);
    *ret_half = order;
}

/* How often <divisor> goes into <natural>, which is divided by it as often. */
static size_t
natural_strip(struct natural *natural, uint32_t divisor)
{
    size_t count = 0;
    while (natural->count > 0) {
        struct natural trial;
        trial.count = natural->count;
        memcpy(trial.limb, natural->limb, natural->count * sizeof(uint32_t));
        if (natural_divide_small(&trial, divisor) != 0) {
            break;
        }
        natural->count = trial.count;
        memcpy(natural->limb, trial.limb, trial.count * sizeof(uint32_t));
        count++;
    }
    return count;
}

static bool
natural_is_one(const struct natural *natural)
{
    return natural->count == 1 && natural->limb[0] == 1;
}

/* natural * 10^exponent as text. */
static enum decimal_status
number_write(struct natural *natural, int64_t exponent, bool negative, struct arena *arena,
             struct slice *ret_number)
{
    char digits[LIMBS_MAX * LIMB_DIGITS];
    size_t count = 0; /* of digits, the lowest first */
    for (size_t i = 0; i < natural->count; i++) {
        uint32_t limb = natural->limb[i];
        for (unsigned k = 0; k < LIMB_DIGITS; k++) {
            digits[count++] = (char)('0' + limb % 10);
            limb /= 10;
        }
    }
    while (count > 0 && digits[count - 1] == '0') {
        count--;
    }
    size_t low = 0; /* zeros at the end of a fraction */
    while (low < count && digits[low] == '0' && exponent < 0) {
        low++;
        exponent++;
    }
    if (count == 0) {
        char *zero = arena_alloc(arena, 1);
        if (zero == NULL) {
            return DECIMAL_NO_MEMORY;
        }
        *zero = '0';
        *ret_number = slice_make(zero, 1);
        return DECIMAL_OK;
    }
    int64_t held = (int64_t)(count - low);
    int64_t whole = held + exponent > 0 ? held + exponent : 1;
    int64_t fraction = exponent < 0 ? -exponent : 0;
    if (whole + fraction > DECIMAL_DIGITS_MAX) {
        return DECIMAL_TOO_LONG;
    }
    char *text = arena_alloc(arena, (size_t)(whole + fraction) + 2);
    if (text == NULL) {
        return DECIMAL_NO_MEMORY;
    }
    size_t size = 0;
    if (negative) {
        text[size++] = '-';
    }
    /* Place 0 is the ones, -1 the tenths; the digit at <low> stands at place <exponent>. */
    for (int64_t place = whole - 1; place >= -fraction; place--) {
        if (place == -1) {
            text[size++] = '.';
        }
        int64_t index = place - exponent;
        text[size++] = index >= 0 && index < held ? digits[low + (size_t)index] : '0';
    }
    *ret_number = slice_make(text, size);
    return DECIMAL_OK;
}

/* Half-even: add one where more than half, or half of an odd number, was cut off. */
static void
natural_round(struct natural *natural, int half)
{
    bool odd = natural->count > 0 && natural->limb[0] % 2 == 1;
    if (half > 0 || (half == 0 && odd)) {
        natural_multiply_small(natural, 1, 1);
    }
}

bool
decimal_inverse_ends(struct slice text)
{
    struct number number = number_read(text);
    struct natural natural;
    if (number.count == 0 || !number_fits(&number)) {
        return false;
    }
    natural_read(&natural, &number);
    natural_strip(&natural, 2);
    natural_strip(&natural, 5);
    return natural_is_one(&natural);
}

enum decimal_status
decimal_multiply(struct slice text_a, struct slice text_b, int digits, struct arena *arena,
                 struct slice *ret_number)
{
    struct number number_a = number_read(text_a);
    struct number number_b = number_read(text_b);
    struct natural a;
    struct natural b;
    struct natural product;
    if (!number_fits(&number_a) || !number_fits(&number_b)) {
        return DECIMAL_TOO_LONG;
    }
    natural_read(&a, &number_a);
    natural_read(&b, &number_b);
    natural_multiply(&a, &b, &product);
    int64_t exponent =
        number_a.power - (int64_t)number_a.count + number_b.power - (int64_t)number_b.count;
    if (digits >= 0 && -exponent > digits) {
        int half;
        bool rest;
        natural_shift_right(&product, (size_t)(-exponent - digits), &half, &rest);
        natural_round(&product, half);
        exponent = -digits;
    }
    return number_write(&product, exponent, number_a.negative != number_b.negative, arena,
                        ret_number);
}

enum decimal_status
decimal_divide(struct slice text_a, struct slice text_b, int digits, struct arena *arena,
               struct slice *ret_number)
{
    struct number number_a = number_read(text_a);
    struct number number_b = number_read(text_b);
    struct natural a;
    struct natural b;
    struct natural quotient;
    int half;
    bool rest;
    if (!number_fits(&number_a) || !number_fits(&number_b)) {
        return DECIMAL_TOO_LONG;
    }
    CHECK(number_b.count > 0);
    natural_read(&a, &number_a);
    natural_read(&b, &number_b);
    int64_t exponent =
        number_a.power - (int64_t)number_a.count - number_b.power + (int64_t)number_b.count;
    /* quotient * 10^exponent, with as many more places as are asked for or needed */
    int64_t places = digits + exponent;
    if (digits < 0) {
        struct natural odd = b;
        size_t twos = natural_strip(&odd, 2);
        size_t fives = natural_strip(&odd, 5);
        places = (int64_t)(twos > fives ? twos : fives);
    }
    natural_shift_left(places < 0 ? &b : &a, (size_t)(places < 0 ? -places : places));
    natural_divide(&a, &b, &quotient, &half, &rest);
    if (digits < 0 && rest) {
        return DECIMAL_INEXACT;
    }
    natural_round(&quotient, half);
    return number_write(&quotient, exponent - places, number_a.negative != number_b.negative,
                        arena, ret_number);
}

enum decimal_status
decimal_integer(struct slice text, struct arena *arena, struct slice *ret_number)
{
    struct number number = number_read(text);
    if (number.count == 0) {
        struct natural zero = {.count = 0};
        return number_write(&zero, 0, false, arena, ret_number);
    }
    if (number.huge != NULL) {
        return number.huge_negative ? DECIMAL_FRACTION : DECIMAL_TOO_LONG;
    }
    if (number.power < (int64_t)number.count) {
        return DECIMAL_FRACTION;
    }
    if (number.power > DECIMAL_DIGITS_MAX) {
        return DECIMAL_TOO_LONG;
    }
    char *out = arena_alloc(arena, (size_t)number.power + 1);
    if (out == NULL) {
        return DECIMAL_NO_MEMORY;
    }
    size_t size = 0;
    if (number.negative) {
        out[size++] = '-';
    }
    number_digits(&number, out + size);
    memset(out + size + number.count, '0', (size_t)number.power - number.count);
    *ret_number = slice_make(out, size + (size_t)number.power);
    return DECIMAL_OK;
}

enum decimal_status
decimal_seconds(struct slice text, int64_t *ret_seconds, uint32_t *ret_billionths)
{
    struct number number = number_read(text);
    enum decimal_status status = DECIMAL_OK;
    int64_t seconds = 0;
    uint32_t billionths = 0;
    if (number.huge != NULL && !number.huge_negative) {
        return DECIMAL_TOO_LONG;
    }
    if (number.huge != NULL) {
        status = DECIMAL_INEXACT;
    } else if (number.count > 0) {
        if (number.power > 18) {
            return DECIMAL_TOO_LONG;
        }
        if ((int64_t)number.count - number.power > 9) {
            status = DECIMAL_INEXACT;
        }
        int64_t place = number.power; /* the next digit stands at place - 1 */
        uint32_t unit = 100000000;
        for (int64_t i = place; i < 0 && unit > 0; i++) {
            unit /= 10;
        }
        for (const char *at = number.first; at < number.last; at++) {
            if (*at == '.') {
                continue;
            }
            if (place > 0) {
                seconds = seconds * 10 + (*at - '0');
            } else {
                billionths += (uint32_t)(*at - '0') * unit;
                unit /= 10;
            }
            place--;
        }
        for (; place > 0; place--) {
            seconds *= 10;
        }
        if (number.negative) {
            seconds = -seconds;
            if (billionths > 0) {
                seconds--;
                billionths = 1000000000 - billionths;
            }
        }
    }
    *ret_seconds = seconds;
    *ret_billionths = billionths;
    return status;
}
