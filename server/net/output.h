/*
 * output - what a connection has to send: replies in one run of bytes, large values by
 * reference in between. What the socket does not take at once waits in a second run, which
 * libuv sends.
 *
 *   bytes, references   | replies that no write has taken     output_waiting()
 *   writing             | what uv_write() is sending          output_size(): both
 *
 * An empty output holds no memory: buffers are lent on by the worker.
 *
 * Thread:   the worker's.
 */
#ifndef SERVER_NET_OUTPUT_H
#define SERVER_NET_OUTPUT_H

#include "proto/base/buffer.h"
#include "server/cmd/references.h"
#include "server/core/config.h"

#include <uv.h>

enum { OUTPUT_SPARE_SIZE_MAX = 256 * 1024 }; /* bigger buffers are freed, not lent on */

struct output_run {
    struct buffer bytes;
    struct references references;
};

struct output {
    struct buffer bytes;          /* replies are appended here, ... */
    struct references references; /* ... or refer to values */
    struct output_run writing;
    uv_write_t write;
    bool is_writing;
    int64_t over_soft_since_ms; /* 0: under the soft limit */
};

void output_fini(struct output *output);

/* Lend <buffer>, what it held being sent, on to <spare>, or free it. */
static inline void
output_lend(struct buffer *buffer, struct buffer *spare)
{
    if (__builtin_expect(spare->data == NULL && buffer->capacity <= OUTPUT_SPARE_SIZE_MAX, 1)) {
        *spare = (struct buffer){.data = buffer->data, .capacity = buffer->capacity};
        *buffer = (struct buffer){.data = NULL};
    } else {
        buffer_fini(buffer);
    }
}

/* Take a buffer for replies from <spare>, if there is none; and give it back once it is empty.
 */
static inline void
output_take_buffer(struct output *output, struct buffer *spare)
{
    if (output->bytes.data == NULL) {
        output->bytes = *spare;
        *spare = (struct buffer){.data = NULL};
    }
}

/* Bytes that no write has taken; a large value counts like a copy of it. */
static inline size_t
output_waiting(const struct output *output)
{
    return output->bytes.size + output->references.size;
}

static inline size_t
output_size(const struct output *output)
{
    return output_waiting(output) + output->writing.bytes.size +
           output->writing.references.size;
}

enum output_result {
    OUTPUT_EMPTY,   /* the socket took all of it */
    OUTPUT_WRITING, /* <on_written> will be called: output_written() */
    OUTPUT_FAILED,  /* without memory, or the connection is broken */
};

/* What is left of a run when the socket has taken <sent> bytes of it, or answered so. */
enum output_result output_flush_rest(struct output *output, uv_stream_t *stream, int sent,
                                     uv_write_cb on_written, void *context);

/* uv_try_write() of a run that refers to values. */
int output_try_write(const struct output *output, uv_stream_t *stream);

/* Give the socket what it takes now; the rest goes out as it drains. There must be some, and no
 * write under way. <context>: write->data. */
static inline enum output_result
output_flush(struct output *output, uv_stream_t *stream, struct buffer *spare,
             uv_write_cb on_written, void *context)
{
    if (__builtin_expect(output->references.count != 0 || output->bytes.failed, 0)) {
        int sent = output->bytes.failed ? UV_ENOMEM : output_try_write(output, stream);
        enum output_result result =
            output_flush_rest(output, stream, sent, on_written, context);
        if (result == OUTPUT_EMPTY) {
            output_lend(&output->bytes, spare);
        }
        return result;
    }
    uv_buf_t all = {.base = output->bytes.data, .len = output->bytes.size};
    int sent = uv_try_write(stream, &all, 1);
    if (__builtin_expect(sent >= 0 && (size_t)sent == all.len, 1)) {
        output_lend(&output->bytes, spare);
        return OUTPUT_EMPTY;
    }
    return output_flush_rest(output, stream, sent, on_written, context);
}

/* libuv is done with what it was sending. */
void output_written(struct output *output, struct buffer *spare);

/* Is it over <limit>: beyond the hard one, or for a while beyond the soft one? */
bool output_is_over(struct output *output, const struct config_limit *limit, int64_t now_ms);

#endif
