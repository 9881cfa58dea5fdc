/*
 * quarantine - records that a write replaced although they could not be rebased: per key the
 * latest of each version, within a budget of bytes.
 *
 * Beyond the budget the oldest are dropped, and counted. A record goes when its expiry is over,
 * or when its key is deleted, expires or is flushed (the keyspace's remove hook).
 *
 * Thread:   any; one mutex, which is the last in the lock order (taken under shard locks).
 * Time:     callers pass the clock in.
 */
#ifndef SERVER_SCHEMA_QUARANTINE_H
#define SERVER_SCHEMA_QUARANTINE_H

#include "proto/lens.h"
#include "server/store/keyspace.h"

struct quarantine;
struct quarantined; /* one record that is kept, or about to be */

/* A record as seen from outside; slices borrowed. */
struct quarantine_record {
    uint32_t db;
    struct slice key;
    struct value value; /* with schema and version */
    int64_t expiry_ms;  /* of the key */
    int64_t since_ms;
    unsigned to; /* the version that it could not be rebased to, and why */
    enum lens_reason reason;
};

struct quarantine *quarantine_new(void); /* NULL without memory */
void quarantine_free(struct quarantine *quarantine);

/* Not zero while there are records: the gate of the keyspace's remove hook. */
const atomic_size_t *quarantine_gate(const struct quarantine *quarantine);

/* The keyspace's remove hook; <context> is the quarantine. */
void quarantine_on_remove(void *context, uint32_t db, const struct key *key);

/* Copy a record, so that quarantine_add() cannot fail; NULL without memory. */
struct quarantined *quarantine_prepare(const struct quarantine_record *record);
void quarantine_discard(struct quarantined *prepared); /* takes NULL, and what was detached */

/* Take <prepared> over; then drop the oldest until <size_max> is held. */
void quarantine_add(struct quarantine *quarantine, struct quarantined *prepared,
                    size_t size_max);

/*
 * Drop records; returns how many. <schema> 0: of any; <key> NULL: of all keys, and of all
 * databases where <db> is NULL, too.
 */
size_t quarantine_drop(struct quarantine *quarantine, uint32_t schema, const uint32_t *db,
                       const struct slice *key);

/*
 * Take all records of a key out, to be attached to another name or discarded: the keyspace's
 * remove hook would drop them when the key moves. NULL: none.
 */
struct quarantined *quarantine_detach(struct quarantine *quarantine, const struct key *key);
void quarantine_attach(struct quarantine *quarantine, struct quarantined *detached,
                       const struct key *key);

/* What is kept of <key> lives as long as the key does now: one load where nothing is kept. */
void quarantine_expire(struct quarantine *quarantine, const struct key *key, int64_t expiry_ms);

void quarantine_swap(struct quarantine *quarantine, uint32_t a, uint32_t b);

/*
 * Visit the records of a schema, newest first, at most <count>; under the mutex: the callback
 * takes no locks. <db> NULL: of all databases.
 */
typedef void quarantine_on_record(void *context, const struct quarantine_record *record);
void quarantine_each(struct quarantine *quarantine, uint32_t schema, const uint32_t *db,
                     size_t count, int64_t now_ms, quarantine_on_record *on_record,
                     void *context);

/*
 * Take the newest record of a key of <schema> out, for the caller to put back or discard; NULL:
 * there is none.
 */
struct quarantined *quarantine_take(struct quarantine *quarantine, uint32_t schema, uint32_t db,
                                    struct slice key, int64_t now_ms);
void quarantined_record(const struct quarantined *quarantined,
                        struct quarantine_record *ret_record);

size_t quarantine_size(const struct quarantine *quarantine); /* bytes in records; no lock */

struct quarantine_stats {
    size_t records;
    size_t size;      /* bytes held */
    uint64_t dropped; /* for want of room, since the start */
};
void quarantine_stats(struct quarantine *quarantine, struct quarantine_stats *ret_stats);

#endif
