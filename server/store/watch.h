/*
 * watch - who watches which key of a shard.
 *
 * Thread:   under the shard's lock.
 * Invariants: a node's name is allocated while, and only while, the node is in a table.
 */
#ifndef SERVER_STORE_WATCH_H
#define SERVER_STORE_WATCH_H

#include "server/store/keyspace.h"

struct watch_table {
    struct watch **heads; /* [owned] */
    uint32_t head_count;  /* 0 or a power of two */
    uint32_t count;
};

/* False, nothing changed, without memory. */
bool watch_table_add(struct watch_table *table, struct watch *node, const struct key *key,
                     atomic_bool *dirty);
void watch_table_remove(struct watch_table *table, struct watch *node);
void watch_table_fini(struct watch_table *table); /* empty by now */

/* Mark all watchers of <key>. */
void watch_table_mark(const struct watch_table *table, const struct key *key);

/* Mark the watchers of every watched key for which <matches> says so. */
typedef bool watch_matches(void *context, const struct key *key);
void watch_table_mark_if(const struct watch_table *table, watch_matches *matches,
                         void *context);

#endif
