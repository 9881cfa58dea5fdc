/*
 * worker - a thread with a loop and the connections it owns.
 *
 * Thread:   worker_post_*() and worker_load() from any; the rest from the worker's own thread.
 */
#ifndef SERVER_NET_WORKER_H
#define SERVER_NET_WORKER_H

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "proto/resp.h"
#include "server/cmd/request.h"
#include "server/core/ticks.h"
#include "server/net/conn.h"
#include "server/net/intake.h"
#include "server/net/loop.h"
#include "server/net/stage.h"

struct worker {
    struct loop loop;
    struct server *server;
    unsigned index;
    void (*on_stopped)(struct server *server); /* [const] */
    pthread_t thread;
    uv_timer_t timer;
    uv_idle_t idle;       /* runs while a connection has a backlog */
    uv_prepare_t prepare; /* before each wait: the end of a turn */
    uv_check_t check;     /* behind each: what was read is run */
    uint64_t turn_ticks;  /* when this turn began to do something; 0: not yet */
    struct counters *counters;
    struct directory *directory;
    struct arena arena;         /* of the request being run */
    struct buffer spare_output; /* lent to the connection being served */
    struct resp_request parser; /* likewise */
    struct intake intake;       /* likewise */
    struct stage stage;
    _Atomic uint64_t conn_count;     /* open connections, for the choice of a worker */
    _Atomic uint64_t arriving_count; /* accepted, not opened yet */
    struct conn *conns;
    uint64_t bound_epoch; /* of the registry, that all connections were bound by */
    bool is_stopping;
    int64_t stop_ms; /* loop time at which patience ends */
};

/*
 * Start the thread. False when the system gives none. <on_stopped> runs on it when it has
 * closed its connections and only ends: then worker_join() does not wait.
 */
bool worker_start(struct worker *worker, struct server *server, unsigned index,
                  void (*on_stopped)(struct server *server));

/* Ask for an orderly stop (within <grace_ms>), then wait for the thread. */
void worker_post_stop(struct worker *worker, int64_t grace_ms);
void worker_join(struct worker *worker);

/* Hand over an accepted socket (copied). */
void worker_post_accepted(struct worker *worker, const struct conn_accepted *accepted);

/* Something is being done in this turn of the loop: its time counts from the first call. */
static inline void
worker_begin_turn(struct worker *worker)
{
    if (worker->turn_ticks == 0) {
        worker->turn_ticks = ticks_own();
    }
}

/* A connection has a backlog: go on with it after a look at the others. */
void worker_serve_backlogs(struct worker *worker);

/* Connections it has or is about to have. */
uint64_t worker_load(const struct worker *worker);

/*
 * Let idle connections, too, speak what the registry says now, so that they are counted there;
 * a bounded number at once, the rest in later turns.
 */
void worker_rebind(struct worker *worker);

/* Look for killed connections. */
void worker_post_kill(struct worker *worker);

/* Deliver the answer (copied) of a parked request. */
void worker_post_resume(struct worker *worker, uint64_t session_id, struct slice reply);

#endif
