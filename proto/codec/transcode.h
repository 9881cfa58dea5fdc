/*
 * transcode - a value of one codec, spelled in another.
 *
 * Thread:   owned by one thread at a time.
 * Bounded:  no recursion; O(value).
 */
#ifndef PROTO_CODEC_TRANSCODE_H
#define PROTO_CODEC_TRANSCODE_H

#include "proto/base/buffer.h"
#include "proto/codec/tree.h"

/*
 * Append <node>, of a tree of <from>, in the compact spelling of <to>; opens containers on the
 * way. CODEC_RANGE, with *ret_where the node, for what <to> has no place for: bytes, values
 * that only <from> knows, keys that are no names, text that is no UTF-8, integers too large.
 */
enum codec_status transcode(const struct codec *from, const struct codec *to,
                            struct tree_node *node, struct arena *arena, struct buffer *out,
                            const struct tree_node **ret_where);

#endif
