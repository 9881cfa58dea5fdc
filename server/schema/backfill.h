/*
 * backfill - the records of a schema become records of one version, in the background, and
 * nothing notices: no view, no watcher, no event, no expiry, no access clock, no revision.
 *
 * What is wanted is said by the registry (registry_backfill); this does it, one schema at a
 * time: a pass over everything, in slices of BACKFILL_SLICE_US. Each record is copied out,
 * rebased with nothing locked, and put back if it has not changed since. So a pass that is
 * begun anew (a restart) skips quickly what is done.
 *
 * Throttle: at most the wanted rate, and at most a share of the thread's time, which falls by
 * half when the loops take longer to turn than they do without, and rises slowly otherwise.
 *
 * A record that will have expired when the pass is over, by its estimate, is left alone. One
 * that cannot be rebased is left as it is, and counted in the usage of the schema.
 *
 * Back to the base version with nothing remembered (version 0, "RAW"): what is hidden from the
 * writers of the base version is lost to the others, so that waits while another version is
 * spoken by anybody.
 *
 * Thread:   runs on the thread of a background; all calls: any thread.
 */
#ifndef SERVER_SCHEMA_BACKFILL_H
#define SERVER_SCHEMA_BACKFILL_H

#include "server/schema/registry.h"
#include "server/store/keyspace.h"

struct backfill;
struct background;
struct sweep;

enum { BACKFILL_SLICE_US = 100 };

/* What it needs of the server around it. */
struct backfill_host {
    void *context;
    /* Measure how long the loops take to turn: calls backfill_note_turn() once, later. */
    void (*measure_turn)(void *context);
    bool (*is_short_of_memory)(void *context);
    /* The pass over schema <id> is done: say so to the registry. Blocks. */
    void (*end)(void *context, uint32_t id, unsigned version);
};

struct backfill *backfill_new(struct registry_holder *registries, struct keyspace *keyspace,
                              uint32_t database_count, const struct sweep *sweep,
                              const struct backfill_host *host); /* NULL without memory */
void backfill_free(struct backfill *backfill); /* takes NULL; its background has stopped */

/* Begin to look after what is wanted. The background must outlive it or be stopped before. */
void backfill_begin(struct backfill *backfill, struct background *background);

/*
 * To be called before the registry is told that schema <id> is to be backfilled to <version>:
 * from then on the report is of that, and not of what was before.
 */
void backfill_announce(struct backfill *backfill, uint32_t id, unsigned version,
                       int64_t now_ms);

/* Something else is wanted now. */
void backfill_wake(struct backfill *backfill);

void backfill_note_turn(struct backfill *backfill, uint64_t duration_us);

enum backfill_state {
    BACKFILL_WAITING, /* for its turn, or as <waits_for> says */
    BACKFILL_RUNNING,
    BACKFILL_PAUSED,
    BACKFILL_DONE,
    BACKFILL_CANCELLED,
};
const char *backfill_state_name(enum backfill_state state);

struct backfill_report {
    enum backfill_state state;
    const char *waits_for; /* static; "" if for nothing */
    unsigned version;      /* 0: RAW */
    uint64_t rate;
    uint64_t seen; /* entries looked at, of any kind */
    uint64_t total;
    uint64_t rewritten;
    uint64_t expiring; /* left alone: they go by themselves */
    uint64_t failed;
    uint64_t complements_dropped; /* RAW */
    int64_t since_ms;
    int64_t end_ms;          /* 0: not yet */
    int64_t left_ms;         /* by what was seen so far; -1: not known */
    unsigned share_permille; /* of a core that it takes at most, now */
};

/* Of all schemas: backfills that have not ended, and records rewritten by the last ones. */
void backfill_sums(struct backfill *backfill, uint64_t *ret_count, uint64_t *ret_rewritten);

/* The last backfill of schema <id>, or the one under way; false: there was none. */
bool backfill_report(struct backfill *backfill, uint32_t id,
                     struct backfill_report *ret_report);

#endif
