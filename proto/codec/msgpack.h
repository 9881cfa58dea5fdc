/*
 * msgpack - MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), read strictly
 * and kept byte for byte: whatever width a number, string or header was written in, it stays
 * in as long as nobody changes it.
 *
 *   kind           written as
 *   NULL, TRUE …   nil, true, false
 *   NUMBER         integers of all widths; float32 and float64, shown as the shortest decimal
 *                  that reads back as the same float, and with a fraction or an exponent
 *   STRING         str (its bytes are not looked at)
 *   BYTES          bin
 *   OTHER          extension types, timestamps among them
 *   ARRAY, OBJECT  array, map; keys that are no str are no names, and passed through
 *
 * What is written anew is written in the shortest form; a container whose header was longer
 * than it had to be keeps at least the width it had.
 */
#ifndef PROTO_CODEC_MSGPACK_H
#define PROTO_CODEC_MSGPACK_H

#include "proto/codec/codec.h"

extern const struct codec codec_msgpack;

/* What the first bytes of a value say. */
struct msgpack_head {
    enum kind kind;
    size_t size;     /* of the head */
    uint64_t body;   /* bytes behind it: of scalars */
    uint64_t values; /* values behind it: of containers, keys among them */
};

/* The head of the valid value that starts at <at>. */
struct msgpack_head msgpack_head_of(const char *at, const char *end);

/* False without memory. */
bool msgpack_integer(struct arena *arena, int64_t number, struct slice *ret_raw);

#endif
