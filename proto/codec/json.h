/*
 * json - RFC 8259 text, read strictly: where values begin and end, what names and strings mean.
 *
 * Nothing is copied: members and elements are reported as raw spans, so that text which nobody
 * changes can be spliced through byte for byte. Strings must be valid UTF-8; duplicates of a
 * name are kept; a byte order mark is refused. Unpaired surrogate escapes are read as the code
 * points they spell.
 *
 * Thread:   pure functions.
 * Bounded:  no recursion; depth as the caller says, CODEC_DEPTH_MAX at most; O(size).
 */
#ifndef PROTO_CODEC_JSON_H
#define PROTO_CODEC_JSON_H

#include "proto/base/buffer.h"
#include "proto/codec/codec.h"

/* The kind of a value by its first byte; only for text known to be valid. */
static inline enum kind
json_kind(char first)
{
    switch (first) {
    case '{':
        return KIND_OBJECT;
    case '[':
        return KIND_ARRAY;
    case '"':
        return KIND_STRING;
    case 't':
        return KIND_TRUE;
    case 'f':
        return KIND_FALSE;
    case 'n':
        return KIND_NULL;
    default:
        return KIND_NUMBER;
    }
}

/* Is all of <text> one value with white space around it? *ret_offset: where it goes wrong. */
enum codec_status json_check(struct slice text, unsigned depth_max, size_t *ret_offset);

/* For json_index.c: an escape at <at>, a backslash; a whole number, true, false or null. */
bool json_is_escape(const char *at, const char *end);
bool json_is_scalar(const char *at, const char *end);
bool json_is_utf8(struct slice text);

/*
 * A walk over the children of a valid container, whose text starts with '{' or '['; <end> may
 * lie behind it.
 */
void json_walk_init(struct codec_walk *walk, const char *text, const char *end);

/* The next child, into <item>; false at the end of the container, walk->at then behind it. */
bool json_walk_next(struct codec_walk *walk, struct codec_item *item);

static inline bool
json_is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* Behind the white space from <at> on. */
const char *json_skip_space(const char *at, const char *end);

/*
 * The text of a raw string (with its quotes) as UTF-8; escapes decoded into the arena, or the
 * inside itself when there are none. False without memory.
 */
bool json_decode(struct slice raw, struct arena *arena, struct slice *ret_text);

/* Does the raw string (with its quotes) spell <text>? No allocation. */
bool json_spells(struct slice raw, struct slice text);

/* Order of the code points that two raw strings spell: <0, 0 or >0. No allocation. */
int json_compare(struct slice raw_a, struct slice raw_b);

/* Is it text that a JSON string can spell: UTF-8, or surrogates by themselves? */
bool json_is_text(struct slice text);

/* Append <text> (UTF-8) as a JSON string with quotes, escaping only what must be. */
void json_encode(struct buffer *buffer, struct slice text);

/* Likewise into the arena; false without memory. */
bool json_encode_arena(struct arena *arena, struct slice text, struct slice *ret_raw);

#endif
