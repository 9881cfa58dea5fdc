/*
 * gate - may a version be retired? The evidence: who speaks it, who did lately, what is stored
 * as it, and until when.
 *
 * Thread:   any.
 */
#ifndef SERVER_CMD_GATE_H
#define SERVER_CMD_GATE_H

#include "server/cmd/request.h"
#include "server/schema/backfill.h"
#include "server/schema/registry.h"

struct gate {
    unsigned version;
    bool is_default;      /* whoever names no version speaks it */
    int64_t connections;  /* that speak it */
    int64_t read_ago_ms;  /* since the last read as it; -1: none since the start */
    int64_t write_ago_ms; /* likewise */
    bool is_quiet;        /* neither was within `retire-quiet-period` */
    bool is_counted;      /* no sweep may still find records of it */
    uint64_t records;     /* that are of it */
    uint64_t complements; /* of which so many have data hidden from it */
    bool has_backfill;    /* to another version, under way */
    struct backfill_report backfill;
    bool is_scanned;          /* the rest says something */
    uint64_t lasting_records; /* that never expire */
    int64_t ttl_ms_max;       /* of the others; 0: none */
};

/* Look at what is counted anyway. O(workers). */
void gate_look(struct server *server, const struct registry_schema *schema, unsigned version,
               int64_t now_ms, struct gate *ret_gate);

/* Go through all entries for the times to live. Blocks: for pool threads. */
void gate_scan(struct server *server, const struct registry_schema *schema, int64_t now_ms,
               struct gate *gate);

bool gate_is_open(const struct gate *gate);

/* What is in the way, in words; nothing where it is open. */
void gate_describe(const struct gate *gate, struct buffer *ret_text);

#endif
