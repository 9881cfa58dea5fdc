/*
 * maxmemory: room for commands that may grow memory, made by evicting keys.
 *
 * Thread:   any, each with an evictor of its own; no shard lock held. Without maxmemory
 *           eviction_gate() is one load.
 */
#ifndef SERVER_CMD_EVICTION_H
#define SERVER_CMD_EVICTION_H

#include "server/cmd/request.h"

/* Take the directives over now and whenever CONFIG SET changes them. False without memory. */
bool eviction_open(struct server *server);
void eviction_close(struct server *server);

/* What maxmemory counts: keys and values, and the quarantine. */
uint64_t eviction_memory(const struct server *server);

/* Slow path of eviction_gate(). */
bool eviction_make_room(struct request *request);

/*
 * May the request run? Where it may grow memory beyond maxmemory a bounded number of keys is
 * evicted first; false, replied, when that cannot help. Within MULTI as in Redis: nothing more
 * is queued, and EXEC is refused if anything queued may grow memory.
 */
static inline bool
eviction_gate(struct request *request)
{
    return __builtin_expect(
               atomic_load_explicit(&request->server->memory_limit, memory_order_relaxed) == 0,
               1) ||
           eviction_make_room(request);
}

/* For the main thread's timer: evict some; true while there is more to do soon. */
bool eviction_tick(struct server *server, int64_t now_ms);

#endif
