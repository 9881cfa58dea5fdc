/*
 * time - points in time as seconds since 1970 and billionths, and as ISO 8601 text.
 *
 * Thread:   pure functions. No clock.
 */
#ifndef PROTO_CODEC_TIME_H
#define PROTO_CODEC_TIME_H

#include "proto/base/slice.h"

enum { TIME_TEXT_SIZE = 32 };

struct time_point {
    int64_t seconds;
    uint32_t billionths; /* 0 to 999,999,999, later than <seconds> */
};

/*
 * YYYY-MM-DDThh:mm:ss, up to nine fraction digits, and Z or an offset of +hh:mm or -hh:mm. No
 * leap second. False for anything else.
 */
bool time_parse(struct slice text, struct time_point *ret_point);

/*
 * In UTC, YYYY-MM-DDThh:mm:ss[.fff]Z without zeros at the end of the fraction. The size
 * written; 0 outside the years 0000 to 9999.
 */
size_t time_format(struct time_point point, char out[TIME_TEXT_SIZE]);

#endif
