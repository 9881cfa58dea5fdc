#include "server/net/worker.h"

#include "proto/base/check.h"
#include "server/cmd/directory.h"
#include "server/cmd/value.h"
#include "server/core/log.h"
#include "server/schema/registry.h"
#include "server/store/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { WORKER_TIMER_MS = 1000, WORKER_STOP_TIMER_MS = 20 };

/* ---- the thread ---- */

static void
for_each_conn(struct worker *worker, void (*visit)(struct worker *worker, struct conn *conn))
{
    struct conn *conn = worker->conns;
    while (conn != NULL) {
        struct conn *next = conn_next(conn); /* visiting may close this one, no other */
        visit(worker, conn);
        conn = next;
    }
}

static void
close_killed(struct worker *worker, struct conn *conn)
{
    (void)worker;
    if (atomic_load(&conn_session(conn)->is_killed)) {
        conn_close(conn);
    }
}

static void
tick(struct worker *worker, struct conn *conn)
{
    conn_tick(conn, config_number(worker->server->config, CONFIG_TIMEOUT) * 1000);
}

static void
finish(struct worker *worker, struct conn *conn)
{
    (void)worker;
    conn_finish(conn);
}

static void
close_now(struct worker *worker, struct conn *conn)
{
    (void)worker;
    conn_close(conn);
}

static void
stop_when_done(struct worker *worker)
{
    if (worker->conns != NULL && (int64_t)uv_now(&worker->loop.uv) >= worker->stop_ms) {
        for_each_conn(worker, close_now);
    }
    if (worker->conns == NULL) {
        uv_close((uv_handle_t *)&worker->timer, NULL);
        uv_close((uv_handle_t *)&worker->prepare, NULL);
        uv_close((uv_handle_t *)&worker->idle, NULL);
        uv_close((uv_handle_t *)&worker->check, NULL);
        uv_stop(&worker->loop.uv);
    }
}

static void
on_timer(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    value_trim_memo(worker->server, worker->index);
    memory_thread_rest();
    if (worker->is_stopping) {
        stop_when_done(worker);
    } else {
        for_each_conn(worker, tick);
    }
}

static void
on_prepare(uv_prepare_t *prepare)
{
    struct worker *worker = prepare->data;
    if (worker->turn_ticks != 0) {
        counters_note_turn(worker->counters, ticks_own() - worker->turn_ticks);
        worker->turn_ticks = 0;
    }
}

static void
on_check(uv_check_t *check)
{
    stage_run(check->data);
}

static void
serve_backlog(struct worker *worker, struct conn *conn)
{
    (void)worker;
    conn_serve_backlog(conn);
}

static void
on_idle(uv_idle_t *idle)
{
    struct worker *worker = idle->data;
    (void)uv_idle_stop(idle); /* whoever has more to do starts it again */
    worker_begin_turn(worker);
    for_each_conn(worker, serve_backlog);
}

void
worker_serve_backlogs(struct worker *worker)
{
    (void)uv_idle_start(&worker->idle, on_idle);
}

static void *
worker_main(void *argument)
{
    struct worker *worker = argument;
    char role[16];
    (void)snprintf(role, sizeof(role), "worker %u", worker->index % 1000);
    log_set_role(role);
    (void)ticks_watch(config_number(worker->server->config, CONFIG_EXACT_TIMES) != 0);
    memory_thread_begin();
    (void)uv_run(&worker->loop.uv, UV_RUN_DEFAULT);
    /* Stopped: let the close callbacks run before the loop goes. */
    loop_fini(&worker->loop);
    arena_fini(&worker->arena);
    buffer_fini(&worker->spare_output);
    resp_request_fini(&worker->parser);
    memory_thread_end();
    worker->on_stopped(worker->server);
    return NULL;
}

bool
worker_start(struct worker *worker, struct server *server, unsigned index,
             void (*on_stopped)(struct server *server))
{
    worker->server = server;
    worker->on_stopped = on_stopped;
    worker->index = index;
    worker->counters = &server->counters[index];
    worker->directory = server->directories[index];
    arena_init(&worker->arena, 0);
    buffer_init(&worker->spare_output, 0);
    resp_request_init(&worker->parser);
    loop_init(&worker->loop, worker);
    CHECK(uv_timer_init(&worker->loop.uv, &worker->timer) == 0);
    worker->timer.data = worker;
    (void)uv_timer_start(&worker->timer, on_timer, WORKER_TIMER_MS, WORKER_TIMER_MS);
    CHECK(uv_idle_init(&worker->loop.uv, &worker->idle) == 0);
    worker->idle.data = worker;
    CHECK(uv_prepare_init(&worker->loop.uv, &worker->prepare) == 0);
    worker->prepare.data = worker;
    CHECK(uv_prepare_start(&worker->prepare, on_prepare) == 0);
    CHECK(uv_check_init(&worker->loop.uv, &worker->check) == 0);
    worker->check.data = worker;
    CHECK(uv_check_start(&worker->check, on_check) == 0);
    return pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
}

void
worker_join(struct worker *worker)
{
    (void)pthread_join(worker->thread, NULL);
}

/* ---- messages ---- */

static void
on_accepted(void *owner, void *argument)
{
    struct worker *worker = owner;
    struct conn_accepted *accepted = argument;
    (void)conn_open(worker, accepted);
    atomic_fetch_sub_explicit(&worker->arriving_count, 1, memory_order_relaxed);
    free(accepted);
    if (worker->is_stopping) {
        stage_run(worker);
        for_each_conn(worker, finish);
    }
}

void
worker_post_accepted(struct worker *worker, const struct conn_accepted *accepted)
{
    struct conn_accepted *copy = malloc(sizeof(*copy));
    CHECK(copy != NULL);
    *copy = *accepted;
    atomic_fetch_add_explicit(&worker->arriving_count, 1, memory_order_relaxed);
    loop_post(&worker->loop, on_accepted, copy);
}

static void
on_kill(void *owner, void *argument)
{
    (void)argument;
    for_each_conn(owner, close_killed);
}

void
worker_post_kill(struct worker *worker)
{
    loop_post(&worker->loop, on_kill, NULL);
}

struct resume {
    uint64_t session_id;
    size_t size;
    char reply[];
};

static void
on_resume(void *owner, void *argument)
{
    struct worker *worker = owner;
    struct resume *resume = argument;
    for (struct conn *conn = worker->conns; conn != NULL; conn = conn_next(conn)) {
        if (conn_session(conn)->id == resume->session_id) {
            conn_resume(conn, slice_make(resume->reply, resume->size));
            break;
        }
    }
    free(resume);
}

void
worker_post_resume(struct worker *worker, uint64_t session_id, struct slice reply)
{
    struct resume *resume = malloc(sizeof(*resume) + reply.size);
    CHECK(resume != NULL);
    resume->session_id = session_id;
    resume->size = reply.size;
    if (reply.size > 0) {
        memcpy(resume->reply, reply.data, reply.size);
    }
    loop_post(&worker->loop, on_resume, resume);
}

static void
on_stop(void *owner, void *argument)
{
    struct worker *worker = owner;
    int64_t *grace_ms = argument;
    worker->is_stopping = true;
    uv_update_time(&worker->loop.uv);
    worker->stop_ms = (int64_t)uv_now(&worker->loop.uv) + *grace_ms;
    free(grace_ms);
    stage_run(worker);
    for_each_conn(worker, finish);
    (void)uv_timer_start(&worker->timer, on_timer, 0, WORKER_STOP_TIMER_MS);
}

void
worker_post_stop(struct worker *worker, int64_t grace_ms)
{
    int64_t *copy = malloc(sizeof(*copy));
    CHECK(copy != NULL);
    *copy = grace_ms;
    loop_post(&worker->loop, on_stop, copy);
}

uint64_t
worker_load(const struct worker *worker)
{
    return atomic_load_explicit(&worker->conn_count, memory_order_relaxed) +
           atomic_load_explicit(&worker->arriving_count, memory_order_relaxed);
}

enum { REBIND_SIZE = 256 };

static void
on_rebind(void *owner, void *argument)
{
    (void)argument;
    worker_rebind(owner);
}

void
worker_rebind(struct worker *worker)
{
    const struct registry *registry = registry_current(worker->server->registries);
    size_t count = 0;
    if (worker->bound_epoch == registry_epoch(registry) || worker->is_stopping) {
        return;
    }
    for (struct conn *conn = worker->conns; conn != NULL && count < REBIND_SIZE;
         conn = conn_next(conn)) {
        count += value_rebind(worker->server, conn_session(conn), registry);
    }
    if (count == REBIND_SIZE) {
        loop_post(&worker->loop, on_rebind, NULL);
    } else {
        worker->bound_epoch = registry_epoch(registry);
    }
}
