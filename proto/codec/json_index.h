/*
 * json_index - all of a JSON object checked, and where its members stand, in one pass without a
 * step per byte or token.
 *
 * Blocks of 64 bytes become bit masks, and the grammar is checked on these: strings by the
 * parity of quotes (Langdale, Lemire: Parsing Gigabytes of JSON per Second, VLDB Journal 28,
 * 2019); keys by carries that run through them; what must follow what by shifts, and by carries
 * through white space. Only brackets are looked at one by one, and scalars that are more than
 * digits.
 *
 * As strict as json_check(). What does not pass is refused without a reason: json_check() tells
 * which, and where.
 *
 * Thread:   pure functions.
 * Bounded:  no recursion; O(size); never a byte outside the text.
 */
#ifndef PROTO_CODEC_JSON_INDEX_H
#define PROTO_CODEC_JSON_INDEX_H

#include "proto/codec/json.h"

/* Where the member stands: offsets of its colon, and of the comma or brace behind it. */
struct json_mark {
    uint32_t colon;
    uint32_t stop;
};

struct json_index {
    struct json_mark *marks; /* in the arena */
    size_t count;
    size_t capacity;
    size_t size;      /* of the object, from its first to its last brace */
    bool has_escapes; /* somewhere */
};

/*
 * Check the object that <text> (less than 4 GiB) starts with: CODEC_OK, CODEC_BAD for whatever
 * reason, CODEC_NO_MEMORY. What is behind the object is not looked at.
 */
enum codec_status json_index(struct slice text, unsigned depth_max, struct arena *arena,
                             struct json_index *ret_index);

#endif
