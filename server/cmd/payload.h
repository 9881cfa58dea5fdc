/*
 * payload - the byte form of DUMP and RESTORE: a value as in an RDB file, the RDB version (two
 * bytes, little endian), CRC-64 (Jones) of all before it (eight bytes, little endian).
 *
 * Written are strings and hashes in their plainest form, which every Redis reads; read are the
 * packed forms of Redis 2.8 to 7.x as well. A record of a schema stands as proto/record.h
 * writes it: its mark is no type of Redis', which refuses it.
 */
#ifndef SERVER_CMD_PAYLOAD_H
#define SERVER_CMD_PAYLOAD_H

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "proto/record.h"

struct hash;

void payload_write_string(struct buffer *out, const struct record *record);
void payload_write_hash(struct buffer *out, const struct hash *hash);

struct payload {
    bool is_hash;
    struct record record; /* of a string */
    struct slice *pairs;  /* of a hash: field, value, field, value ... */
    size_t pair_count;    /* not 0 for a hash */
};

enum payload_result {
    PAYLOAD_READ,
    PAYLOAD_BAD_CHECKSUM, /* or a version that is too new */
    PAYLOAD_BAD_FORMAT,   /* or a type that we do not have */
    PAYLOAD_NO_MEMORY,
};

/* Slices point into <bytes> or <arena>. Any bytes are safe. */
enum payload_result payload_read(struct slice bytes, struct arena *arena,
                                 struct payload *ret_payload);

uint64_t payload_checksum(struct slice bytes);

#endif
