/*
 * record - the byte form of a record: what stands under a key, whole, independent of a server.
 *
 *   0xC1, 1, schema's name (size, bytes), version, complement (size, bytes), body
 *
 * Numbers are LEB128. No JSON, UTF-8 text or MessagePack value starts with 0xC1.
 *
 * Borrowed: what is read lies in the bytes.
 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include "proto/base/buffer.h"

enum { RECORD_MARK = 0xc1, RECORD_FORMAT = 1 };

struct record {
    struct slice schema; /* its name; empty: a plain value */
    uint32_t version;    /* of the writer, 1 .. 65,535; 0 for a plain value */
    struct slice complement;
    struct slice body;
};

void record_write(struct buffer *out, const struct record *record);

/* False, leaving *ret_record untouched, for anything that record_write() does not write. */
bool record_read(struct slice bytes, struct record *ret_record);

#endif
