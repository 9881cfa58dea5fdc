#include "proto/codec/time.h"

enum { DAY_SECONDS = 86400 };

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar; years from 0. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
    /* Years counted from March, in eras of 400: leap days come last. */
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    unsigned year_of_era = (unsigned)(shifted - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static bool
is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* <count> digits at *at, which moves on. */
static bool
digits(const char **at, const char *end, unsigned count, unsigned *ret_value)
{
    unsigned value = 0;
    if (end - *at < (int)count) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        char byte = *(*at)++;
        if (byte < '0' || byte > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(byte - '0');
    }
    *ret_value = value;
    return true;
}

static bool
mark(const char **at, const char *end, char byte)
{
    return *at < end && *(*at)++ == byte;
}

bool
time_parse(struct slice text, struct time_point *ret_point)
{
    static const uint8_t month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.data;
    const char *end = text.data + text.size;
    unsigned year;
    unsigned month;
    unsigned day;
    unsigned hour;
    unsigned minute;
    unsigned second;
    uint32_t billionths = 0;
    int64_t offset = 0;
    if (!digits(&at, end, 4, &year) || !mark(&at, end, '-') || !digits(&at, end, 2, &month) ||
        !mark(&at, end, '-') || !digits(&at, end, 2, &day) || !mark(&at, end, 'T') ||
        !digits(&at, end, 2, &hour) || !mark(&at, end, ':') || !digits(&at, end, 2, &minute) ||
        !mark(&at, end, ':') || !digits(&at, end, 2, &second)) {
        return false;
    }
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !is_leap(year)) || hour > 23 || minute > 59 ||
        second > 59) {
        return false;
    }
    if (at < end && *at == '.') {
        uint32_t unit = 100000000;
        at++;
        if (at == end || *at < '0' || *at > '9') {
            return false;
        }
        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            if (unit == 0) {
                return false; /* a tenth digit */
            }
            billionths += (uint32_t)(*at - '0') * unit;
            unit /= 10;
        }
    }
    if (at == end) {
        return false;
    }
    char zone = *at++;
    if (zone == '+' || zone == '-') {
        unsigned hours;
        unsigned minutes;
        if (!digits(&at, end, 2, &hours) || !mark(&at, end, ':') ||
            !digits(&at, end, 2, &minutes) || hours > 23 || minutes > 59) {
            return false;
        }
        offset = (int64_t)hours * 3600 + (int64_t)minutes * 60;
        offset = zone == '-' ? -offset : offset;
    } else if (zone != 'Z') {
        return false;
    }
    if (at != end) {
        return false;
    }
    ret_point->seconds = days_of(year, month, day) * DAY_SECONDS + (int64_t)hour * 3600 +
                         (int64_t)minute * 60 + second - offset;
    ret_point->billionths = billionths;
    return true;
}

static char *
put_digits(char *out, uint64_t value, unsigned count)
{
    for (unsigned i = count; i-- > 0;) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

size_t
time_format(struct time_point point, char out[TIME_TEXT_SIZE])
{
    static const int64_t first = -62167219200; /* 0000-01-01T00:00:00Z */
    static const int64_t last = 253402300799;  /* 9999-12-31T23:59:59Z */
    if (point.seconds < first || point.seconds > last) {
        return 0;
    }
    /* The inverse of days_of(), over days since 0000-03-01 of an era earlier. */
    uint64_t since = (uint64_t)(point.seconds - first);
    uint64_t days = since / DAY_SECONDS + 146097 - 60;
    uint64_t rest = since % DAY_SECONDS;
    uint64_t era = days / 146097;
    uint64_t day_of_era = days % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    uint64_t year = year_of_era + era * 400 + (month <= 2) - 400;

    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, rest / 3600, 2);
    *at++ = ':';
    at = put_digits(at, rest / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, rest % 60, 2);
    if (point.billionths > 0) {
        *at++ = '.';
        at = put_digits(at, point.billionths, 9);
        while (at[-1] == '0') {
            at--;
        }
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}
