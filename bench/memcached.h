/*
 * memcached - find where replies of memcached's text protocol end, without building them.
 *
 * Of one key at a time: VALUE with its data and END; or a single line.
 *
 * Thread:   owned by one thread at a time. A plain value: nothing to free.
 * Source: doc/protocol.txt of memcached
 */
#ifndef BENCH_MEMCACHED_H
#define BENCH_MEMCACHED_H

#include "proto/resp.h"

enum { MEMCACHED_LINE_SIZE = 512 };

struct memcached_reply {
    size_t line_size; /* of the line as far as it has come */
    char line[MEMCACHED_LINE_SIZE];
    uint64_t body_left; /* data and CRLF of a value */
    bool has_value;
    bool is_miss;  /* END without a value, or NOT_FOUND; valid when READY */
    bool is_error; /* the line tells; valid when READY */
};

void memcached_reply_init(struct memcached_reply *reply);

/* As resp_reply_skip(). */
enum resp_result memcached_reply_skip(struct memcached_reply *reply, const char *data,
                                      size_t size, size_t *ret_used);

#endif
