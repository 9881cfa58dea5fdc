/*
 * transcode - a value of one codec, spelled in another.
 *
 * Thread:   owned by one thread at a time.
 * Bounded:  no recursion; O(value).
 */
#ifndef PROTO_CODEC_TRANSCODE_H
#define PROTO_CODEC_TRANSCODE_H

#include "proto/base/writer.h"
#include "proto/codec/tree.h"

enum { TRANSCODE_EMPTIES_MAX = 64 };

/*
 * Append <node>, of a tree of <from>, in the compact spelling of <to>; opens containers on the
 * way. CODEC_RANGE, with *ret_where the node, for what <to> has no place for: bytes, values
 * that only <from> knows, keys that are no names, text that is no UTF-8, numbers that it does
 * not hold exactly. A string of bytes and text (PHP's) is text where it is UTF-8, else bytes;
 * bytes become such a string only where they would come back as bytes.
 */
enum codec_status transcode(const struct codec *from, const struct codec *to,
                            struct tree_node *node, struct arena *arena, struct writer *out,
                            const struct tree_node **ret_where);

/*
 * Likewise, where <empties> says where empty objects, rather than empty arrays, stand in
 * <node>: for codecs that cannot tell. transcode_empties() lists those of a value of a codec
 * that can: the first TRANSCODE_EMPTIES_MAX of them.
 */
enum codec_status transcode_with(const struct codec *from, const struct codec *to,
                                 struct tree_node *node, struct slice empties,
                                 struct arena *arena, struct writer *out,
                                 const struct tree_node **ret_where);
bool transcode_empties(const struct codec *codec, struct tree_node *node, struct arena *arena,
                       struct slice *ret_empties);

#endif
