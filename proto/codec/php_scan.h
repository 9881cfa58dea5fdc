/*
 * php_scan - where the pieces of serialized text begin and end.
 *
 * All answer where a piece ends, or NULL for one that is not there, is cut off, or is written
 * as PHP would not.
 *
 * Thread:   pure functions.
 * Bounded:  no recursion; O(size), depth as the caller says, CODEC_DEPTH_MAX at most.
 */
#ifndef PROTO_CODEC_PHP_SCAN_H
#define PROTO_CODEC_PHP_SCAN_H

#include "proto/codec/codec.h"

/* A value from <start> on; <head>: a scalar whole, a container up to its bracket. */
typedef void php_on_value(void *context, const char *start, struct slice head);

static inline bool
php_is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* -?(0|[1-9][0-9]*) */
const char *php_integer_end(const char *at, const char *end);

/* A size or count, and the colon behind it. */
const char *php_size_end(const char *at, const char *end, uint64_t *ret_size);

/* One key: i:5; or s:1:"a"; - <ret_text> is what it spells. */
const char *php_key_end(const char *at, const char *end, struct slice *ret_text);

/*
 * One value. NULL: *ret_status says why, *ret_at where; *ret_kind is what it is. Every value on
 * the way, in order, is shown to <on_value>, unless that is NULL.
 */
const char *php_value_end(const char *at, const char *end, unsigned depth_max,
                          enum codec_status *ret_status, const char **ret_at,
                          enum kind *ret_kind, php_on_value *on_value, void *context);

/* Show every value of <raw>, valid or not, as far as it is. */
void php_values(struct slice raw, php_on_value *on_value, void *context);

/* What a valid key or string spells. */
struct slice php_key_label(struct slice raw);

/* Does the valid key <raw> say that it is number <index> of a list? */
bool php_is_position(struct slice raw, uint64_t index);

#endif
