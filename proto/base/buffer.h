/*
 * buffer - a growing run of bytes with a sticky failure flag.
 *
 * Once an allocation has failed, or the limit would be passed, <failed> is set, the bytes held
 * so far stay, and every later append does nothing: callers append freely and look once.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: slices of a buffer die at the next append.
 */
#ifndef PROTO_BASE_BUFFER_H
#define PROTO_BASE_BUFFER_H

#include "proto/base/check.h"
#include "proto/base/slice.h"

struct buffer {
    char *data; /* [owned] */
    size_t size;
    size_t capacity;
    size_t size_max; /* 0: no limit */
    bool failed;
};

void buffer_init(struct buffer *buffer, size_t size_max);
void buffer_fini(struct buffer *buffer);

/* Empty again, memory kept, failure forgotten. */
void buffer_clear(struct buffer *buffer);

char *buffer_reserve_more(struct buffer *buffer, size_t size); /* of buffer_reserve() */

/*
 * Make room for <size> more bytes; NULL (and failed) without it. Write there, then commit.
 * Capacity never exceeds the limit, so what fits is allowed.
 */
static inline char *
buffer_reserve(struct buffer *buffer, size_t size)
{
    if (buffer->data != NULL && !buffer->failed && buffer->capacity - buffer->size >= size) {
        return buffer->data + buffer->size;
    }
    return buffer_reserve_more(buffer, size);
}

static inline void
buffer_commit(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer->capacity - buffer->size);
    buffer->size += size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size);
void buffer_append_slice(struct buffer *buffer, struct slice slice);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_char(struct buffer *buffer, char byte);
void buffer_append_int64(struct buffer *buffer, int64_t value);
void buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Drop the first <size> bytes; O(bytes that remain). */
void buffer_consume(struct buffer *buffer, size_t size);

static inline struct slice
buffer_slice(const struct buffer *buffer)
{
    return slice_make(buffer->data, buffer->size);
}

#endif
