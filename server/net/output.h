/*
 * output - sending a run of replies, with the large values that it refers to in between.
 *
 * Thread:   the worker's.
 */
#ifndef SERVER_NET_OUTPUT_H
#define SERVER_NET_OUTPUT_H

#include "proto/base/buffer.h"
#include "server/cmd/references.h"

#include <uv.h>

/* What the socket takes at once: bytes of it, or libuv's error. */
int output_try_write(uv_stream_t *stream, const struct buffer *bytes,
                     const struct references *references);

/*
 * Write what lies behind the first <skip> bytes of it; both must stay until <on_written>. 0, or
 * libuv's error.
 */
int output_write(uv_write_t *write, uv_stream_t *stream, const struct buffer *bytes,
                 const struct references *references, size_t skip, uv_write_cb on_written);

#endif
