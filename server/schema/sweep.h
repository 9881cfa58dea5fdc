/*
 * sweep - after a change of schemas: entries get the schema that has their key now.
 *
 * What was stored before its schema was put carries no schema; a sweep marks it as what it is
 * read as anyway, a record of the base version, so that the counts of records are right. What
 * belongs to a schema that was deleted becomes plain, and its complement goes (counted).
 * Records of a live schema whose keys were narrowed keep what they are, for the day when the
 * keys are widened again. What only withdrawn versions have is dropped from complements, once
 * their schema's complement_retention is over.
 *
 * Thread:   sweep_request() and sweep_stats(): any. sweep_step(): one thread at a time.
 * Bounded:  a step looks at a few thousand entries, each lock is held for a few hundred.
 */
#ifndef SERVER_SCHEMA_SWEEP_H
#define SERVER_SCHEMA_SWEEP_H

#include "server/schema/registry.h"
#include "server/store/keyspace.h"

struct sweep;

struct sweep *sweep_new(struct registry_holder *holder, struct keyspace *keyspace,
                        uint32_t database_count); /* NULL without memory */
void sweep_free(struct sweep *sweep);             /* takes NULL */

/* When the retention of what <withdrawal> left behind ends. */
int64_t sweep_due_ms(const struct registry_schema *schema,
                     const struct registry_withdrawal *withdrawal);

/* A sweep over everything is wanted, from now on. True: call sweep_step() until it is done. */
bool sweep_request(struct sweep *sweep);

/* Do a bounded part; false when nothing is left to do. */
bool sweep_step(struct sweep *sweep, int64_t now_ms);

struct sweep_stats {
    bool is_running;
    uint64_t tagged;                /* entries that got a schema, since the start */
    uint64_t complements_dropped;   /* with schemas deleted by force, since the start */
    uint64_t complements_collected; /* made smaller, of withdrawn versions, since the start */
};
void sweep_stats(const struct sweep *sweep, struct sweep_stats *ret_stats);

#endif
