/*
 * writer - bytes that grow in an arena, with a sticky failure flag.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: slices of a writer die with the arena, and at the next byte written.
 */
#ifndef PROTO_BASE_WRITER_H
#define PROTO_BASE_WRITER_H

#include "proto/base/arena.h"

struct writer {
    struct arena *arena;
    char *data;
    size_t size;
    size_t capacity;
    bool failed;
};

static inline struct writer
writer_in(struct arena *arena)
{
    return (struct writer){.arena = arena};
}

static inline struct slice
writer_slice(const struct writer *writer)
{
    return slice_make(writer->data, writer->size);
}

/* Room for <size> more bytes, to be written and then added to <size>; NULL without memory. */
char *writer_reserve(struct writer *writer, size_t size);

void writer_char(struct writer *writer, char byte);
void writer_bytes(struct writer *writer, struct slice bytes);
void writer_number(struct writer *writer, uint64_t number); /* LEB128 */
void writer_text(struct writer *writer, struct slice text); /* size, bytes */

#endif
