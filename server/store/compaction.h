/*
 * compaction - entries that are left over among many holes are moved together.
 *
 * An entry is referenced by its slot alone, so moving one is a copy under its shard's lock. It
 * begins when holes are a tenth of what is used, and ends when they are half of that.
 *
 * Thread:   one, the background's; takes one shard's lock at a time.
 * Time:     callers pass the clock in.
 */
#ifndef SERVER_STORE_COMPACTION_H
#define SERVER_STORE_COMPACTION_H

#include "server/store/keyspace.h"

/* All zero: nothing was done yet. */
struct compaction {
    bool is_running;             /* a pass over all databases is under way */
    bool is_urgent;              /* holes grow faster than they are closed */
    struct keyspace_place place; /* in it */
    size_t holes_size;           /* bytes, when it began */
    size_t moved_size;           /* bytes, in it */
    int64_t rest_ms;             /* since when there is no use in another */
};

/* Look after it: a slice, where there is something to do. True: more is to be done soon. */
bool compaction_some(struct compaction *compaction, struct keyspace *keyspace, int64_t now_ms);

#endif
