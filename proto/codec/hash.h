/*
 * hash - the fields of a Redis hash as a document: each field is a member of one object.
 *
 *   body:  | field size : varint | field | value size : varint | value | ... in order
 *
 * which is how the store packs small hashes (server/store/hash.c), so those are bodies as they
 * lie. Varints are little-endian groups of 7 bits, the last without its high bit, 5 bytes at
 * most. A hash without fields is the empty body.
 *
 * To the tree and the ops a hash is a JSON object (codec_json is the codec of its values): a
 * field is a string, and one of codec->documents is the JSON that stands in it, byte for byte
 * with the white space around it. Bytes that are no UTF-8 become the surrogates U+DC80 to
 * U+DCFF by themselves (as in PEP 383), which no valid text holds, and come back as bytes.
 *
 * Thread:   pure functions.
 * Bounded:  no recursion; O(size).
 */
#ifndef PROTO_CODEC_HASH_H
#define PROTO_CODEC_HASH_H

#include "proto/codec/codec.h"

enum { HASH_VARINT_MAX = 5 };

/* Without documents; a schema that names fields has a copy of it. */
extern const struct codec codec_hash;

/* Is <field> one that holds a document? */
bool hash_holds_document(const struct codec *codec, struct slice field);

/* Take the first field off *rest; false: it is empty, or what stands there is no field. */
bool hash_take(struct slice *rest, struct slice *ret_field, struct slice *ret_value);

/* Bytes of a field in a body, and to write it; behind it. Sizes below 4 GiB. */
size_t hash_piece_size(struct slice piece);
char *hash_piece_put(char *out, struct slice piece);

/* Does a name occur twice in a valid body? False without memory. O(n log n). */
bool hash_has_twins(struct slice body, struct arena *arena, bool *ret_has);

/* Is all of a valid body text, names and values? Then JSON has a place for it. */
bool hash_is_text(struct slice body);

#endif
