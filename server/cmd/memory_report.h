/*
 * memory_report - what memory is used for: the figures of INFO memory and MEMORY.
 *
 * Thread:   any. Takes no shard's lock.
 */
#ifndef SERVER_CMD_MEMORY_REPORT_H
#define SERVER_CMD_MEMORY_REPORT_H

#include "server/cmd/request.h"

/* All in bytes. */
struct memory_report {
    uint64_t used; /* what counts for maxmemory, and what was flushed but is not freed yet */
    uint64_t peak; /* the most that a report has seen of it */
    uint64_t keyspace;  /* of it: keys, values and tables */
    uint64_t resident;  /* of the whole process */
    uint64_t allocated; /* from the store's allocator; size classes included */
    uint64_t active;    /* what it holds for that: holes included */
    uint64_t held;      /* and what is free and goes back to the system soon */
    uint64_t keys;
    bool is_compacting; /* closing holes right now */
};

void memory_report(struct server *server, struct memory_report *ret_report);

/* How often <part> goes into <whole>; 0 of nothing. */
double memory_report_ratio(uint64_t whole, uint64_t part);

#endif
