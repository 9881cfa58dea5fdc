/*
 * worker - a thread of the load generator: a loop, its share of the connections, its counts.
 *
 * Life: worker_start() opens the connections; all workers meet at <ready>, the main thread
 * reads the clock, and all go on from <go>.
 *
 * Thread:   its own, but for worker_start(), worker_stop(), worker_join() and what is [atomic].
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench/client.h"
#include "bench/histogram.h"
#include "bench/options.h"

#include <pthread.h>
#include <stdatomic.h>

enum { WORKER_READ_SIZE = 256 * 1024, WORKER_ERROR_SIZE = 192 };

/* What all workers of one run share. */
struct run {
    const struct options *options;
    bool is_filling;
    size_t pipeline;
    double rate;
    uint64_t requests; /* 0: no limit */
    uint64_t limit_ns; /* 0: no limit */
    pthread_barrier_t ready;
    pthread_barrier_t go;
    uint64_t start_ns;      /* written between the barriers */
    atomic_bool is_aborted; /* likewise: nobody begins */
    atomic_uint over_count; /* workers that have ended */
};

struct worker {
    struct run *run;
    unsigned index;
    pthread_t thread;
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_async_t stop;
    uv_poll_t pace;
    int pace_fd;
    struct generator generator;
    struct client *clients; /* [owned] */
    size_t client_count;
    size_t opened_count;
    size_t ready_count;
    size_t lost_count;
    size_t busy_count; /* clients with something in flight */
    uint64_t requests_left;
    uint64_t requests_all;
    double pace_ns;     /* between requests of this worker, in open loop; 0: closed loop */
    double pace_offset; /* so that workers take turns */
    uint64_t paced;     /* requests that have fallen due */
    bool is_running;
    bool is_stopping;
    struct buffer out; /* scratch: the batch that is being made */
    char *input;       /* [owned] scratch */

    /* counts */
    struct histogram *latency; /* [owned] of OP_COUNT */
    uint64_t misses;
    uint64_t errors;
    uint64_t late; /* fell due and were never sent */
    uint64_t end_ns;
    char error[WORKER_ERROR_SIZE]; /* the first one */
    _Atomic uint64_t replied;      /* [atomic] */
    _Atomic uint64_t slowest_ns;   /* [atomic] since it was last set to 0 */
};

void worker_start(struct worker *worker, struct run *run, unsigned index);

/* Ask it to end; from any thread. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
void worker_fini(struct worker *worker);

/* ---- for its clients ---- */

void worker_on_ready(struct worker *worker);
void worker_on_lost(struct worker *worker, const char *why);
void worker_on_error(struct worker *worker, struct slice text, bool is_setup);

/* May one more request go out? It is counted, if so. */
bool worker_take_request(struct worker *worker);

/* When request <number> of the client <index> was due. */
uint64_t worker_due_ns(const struct worker *worker, size_t index, uint64_t number);

/* Set how far the rollout is. */
void worker_update_share(struct worker *worker, uint64_t now_ns);

/* After replies or sending: end the run if nothing more will happen. */
void worker_settle(struct worker *worker);

#endif
