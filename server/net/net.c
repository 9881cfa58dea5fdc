#include "server/net/net.h"

#include "proto/base/check.h"
#include "server/cmd/compression.h"
#include "server/cmd/directory.h"
#include "server/cmd/eviction.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/ticks.h"
#include "server/core/words.h"
#include "server/net/listener.h"
#include "server/net/worker.h"
#include "server/store/compaction.h"
#include "server/store/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    NET_LISTENERS_MAX = 64,
    NET_GRACE_MS = 10 * 1000, /* for clients to take their last replies */
    NET_EXPIRE_EFFORT = 256,  /* entries looked at in one slice of active expiry */
    NET_FREE_SLICE = 256,     /* entries of flushed tables freed in one slice */
    NET_STINT_US = 250,       /* of such slices at one go ... */
    NET_LONG_STINT_US = 1000, /* ... where memory runs away otherwise ... */
    NET_REST_MS = 1,          /* ... and the rest before the next, while there is more */
};

struct net {
    struct loop loop;
    struct server *server;
    struct listener *listeners[NET_LISTENERS_MAX];
    size_t listener_count;
    struct worker *workers; /* [owned] server->worker_count of them */
    unsigned running_count; /* workers that have not stopped */
    uv_signal_t signals[2];
    uv_timer_t timer;
    struct compaction compaction;
    uint64_t last_id;
    bool is_stopping;
    _Atomic uint64_t background_count; /* run_blocking() jobs under way */
    int64_t descriptors_logged_ms;
};

uv_loop_t *
net_loop(struct net *net)
{
    return &net->loop.uv;
}

/* ---- accepting ---- */

static uint64_t
connection_count(struct server *server)
{
    struct net *net = server->net;
    uint64_t count = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        count += worker_load(&net->workers[i]);
    }
    return count;
}

void
net_accept(struct net *net, const struct conn_accepted *accepted)
{
    struct server *server = net->server;
    struct counters *counters = &server->counters[server->worker_count];
    int64_t clients_max = config_number(server->config, CONFIG_MAXCLIENTS);
    if (connection_count(server) >= (uint64_t)clients_max) {
        static const char refusal[] = "-ERR max number of clients reached\r\n";
        counters_add(counters, COUNTER_REJECTED_CONNECTIONS, 1);
        ssize_t written = write(accepted->fd, refusal, sizeof(refusal) - 1);
        (void)written; /* best effort: the connection is closed either way */
        (void)close(accepted->fd);
        return;
    }
    unsigned best = 0;
    uint64_t best_load = UINT64_MAX;
    for (unsigned i = 0; i < server->worker_count; i++) {
        uint64_t load = worker_load(&net->workers[i]);
        if (load < best_load) {
            best = i;
            best_load = load;
        }
    }
    struct conn_accepted numbered = *accepted;
    numbered.id = ++net->last_id;
    worker_post_accepted(&net->workers[best], &numbered);
}

void
net_out_of_descriptors(struct net *net)
{
    int64_t now_ms = (int64_t)uv_now(&net->loop.uv);
    if (now_ms - net->descriptors_logged_ms > 1000) {
        net->descriptors_logged_ms = now_ms;
        log_line(LOG_LEVEL_WARNING,
                 "Cannot accept connections: out of file descriptors (see ulimit -n)");
    }
}

/* ---- hooks of the server ---- */

static void
kill_session(struct server *server, struct session *session)
{
    (void)server;
    atomic_store(&session->is_killed, true);
    worker_post_kill(conn_worker(session->owner));
}

struct passage {
    _Atomic unsigned left;
    void (*on_all_passed)(void *context);
    void *context;
};

static void
on_passed(void *owner, void *argument)
{
    worker_rebind(owner);
    struct passage *passage = argument;
    if (atomic_fetch_sub(&passage->left, 1) == 1) {
        passage->on_all_passed(passage->context);
        free(passage);
    }
}

/* Each worker passes a turn: whatever it held from before is let go. */
static void
wake_workers(struct server *server, void (*on_all_passed)(void *context), void *context)
{
    struct net *net = server->net;
    struct passage *passage = malloc(sizeof(*passage));
    CHECK(passage != NULL);
    atomic_init(&passage->left, server->worker_count);
    passage->on_all_passed = on_all_passed;
    passage->context = context;
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < server->worker_count; i++) {
        loop_post(&net->workers[i].loop, on_passed, passage);
    }
}

struct job {
    uv_work_t work;
    struct net *net;
    void (*run)(void *context);
    void (*after)(void *context);
    void *context;
};

static void
on_job(uv_work_t *work)
{
    struct job *job = work->data;
    job->run(job->context);
}

static void
on_job_done(uv_work_t *work, int status)
{
    (void)status;
    struct job *job = work->data;
    job->after(job->context);
    atomic_fetch_sub(&job->net->background_count, 1);
    free(job);
}

static void
queue_job(void *owner, void *argument)
{
    struct net *net = owner;
    struct job *job = argument;
    job->work.data = job;
    CHECK(uv_queue_work(&net->loop.uv, &job->work, on_job, on_job_done) == 0);
}

static void
run_blocking(struct server *server, void (*run)(void *context), void (*after)(void *context),
             void *context)
{
    struct net *net = server->net;
    struct job *job = malloc(sizeof(*job));
    CHECK(job != NULL);
    *job = (struct job){.net = net, .run = run, .after = after, .context = context};
    atomic_fetch_add(&net->background_count, 1);
    loop_post(&net->loop, queue_job, job);
}

struct parked
request_park(struct request *request)
{
    CHECK((request->command->flags & COMMAND_MAY_PARK) != 0 && !request->is_in_exec);
    request->is_parked = true;
    return (struct parked){request->server, request->session->id, request->worker_index,
                           request->reply->resp};
}

void
request_resume(const struct parked *parked, struct slice reply)
{
    struct net *net = parked->server->net;
    worker_post_resume(&net->workers[parked->worker_index], parked->session_id, reply);
}

/* ---- periodic work ---- */

/* A slice of what nobody waits for; false when nothing is left of it for now. */
static bool
tidy(struct net *net, int64_t now_ms)
{
    struct server *server = net->server;
    bool is_more = keyspace_expire_some(server->keyspace, now_ms, NET_EXPIRE_EFFORT) >=
                   NET_EXPIRE_EFFORT / 4;
    is_more |= keyspace_free_some(server->keyspace, NET_FREE_SLICE);
    is_more |= compaction_some(&net->compaction, server->keyspace, now_ms);
    atomic_store_explicit(&server->is_compacting, net->compaction.is_running,
                          memory_order_relaxed);
    is_more |= memory_trim(now_ms);
    return eviction_tick(server, now_ms) || is_more;
}

/*
 * In short stints with rests between them, however much there is: where this thread shares a
 * processor with a worker, requests wait for it.
 */
static void
on_timer(uv_timer_t *timer)
{
    struct net *net = timer->data;
    int64_t now_ms = clock_wall_ms();
    ticks_calibrate();
    compression_tick(net->server, now_ms);
    uint64_t start = ticks_own();
    uint64_t taken;
    uint64_t stint_us;
    bool is_more;
    do {
        is_more = tidy(net, now_ms);
        taken = ticks_own() - start;
        stint_us = net->compaction.is_urgent ? NET_LONG_STINT_US : NET_STINT_US;
    } while (is_more && ticks_to_us(taken) < stint_us);
    counters_note_turn(&net->server->counters[net->server->worker_count], taken);
    if (is_more) {
        (void)uv_timer_start(timer, on_timer, NET_REST_MS, uv_timer_get_repeat(timer));
    }
}

/* ---- stopping ---- */

static void
begin_stop(struct net *net)
{
    if (net->is_stopping) {
        return;
    }
    net->is_stopping = true;
    atomic_store(&net->server->is_stopping, true);
    for (size_t i = 0; i < net->listener_count; i++) {
        listener_close(net->listeners[i]);
    }
    net->listener_count = 0;
    for (unsigned i = 0; i < net->server->worker_count; i++) {
        worker_post_stop(&net->workers[i], NET_GRACE_MS);
    }
}

/* The loop goes on until no worker can wait for its jobs: a parked request gets its answer. */
static void
on_worker_stopped(void *owner, void *argument)
{
    struct net *net = owner;
    (void)argument;
    if (--net->running_count == 0) {
        uv_stop(&net->loop.uv);
    }
}

static void
worker_stopped(struct server *server)
{
    struct net *net = server->net;
    loop_post(&net->loop, on_worker_stopped, NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
    struct net *net = handle->data;
    log_line(LOG_LEVEL_NOTICE, "Received %s, stopping",
             number == SIGTERM ? "SIGTERM" : "SIGINT");
    begin_stop(net);
}

static void
on_shutdown(void *owner, void *argument)
{
    (void)argument;
    begin_stop(owner);
}

static void
shut_down(struct server *server)
{
    struct net *net = server->net;
    loop_post(&net->loop, on_shutdown, NULL);
}

/* ---- opening ---- */

/* NET_LISTENERS_MAX addresses and ports at most: see listen_everywhere(). */
static bool
add_listener(struct net *net, struct listener *listener)
{
    if (listener == NULL) {
        return false;
    }
    net->listeners[net->listener_count++] = listener;
    return true;
}

/* Listen on <port> of every address of `bind`; one that starts with '-' may be missing. */
static bool
listen_everywhere(struct net *net, const struct words *addresses, uint16_t port, int backlog,
                  struct buffer *ret_error)
{
    size_t opened = 0;
    if (net->listener_count + addresses->count >= NET_LISTENERS_MAX) { /* one for unixsocket */
        buffer_printf(ret_error, "more than %d addresses and ports to listen on",
                      NET_LISTENERS_MAX - 1);
        return false;
    }
    for (size_t i = 0; i < addresses->count; i++) {
        char address[64];
        struct slice word = addresses->items[i];
        bool may_miss = word.size > 0 && word.data[0] == '-';
        (void)snprintf(address, sizeof(address), "%.*s", (int)word.size - may_miss,
                       word.data + may_miss);
        struct listener *listener = listener_open_tcp(net, address, port, backlog, ret_error);
        if (listener == NULL && !may_miss) {
            return false;
        }
        if (listener == NULL) {
            buffer_clear(ret_error);
        } else {
            opened += add_listener(net, listener);
        }
    }
    if (opened == 0) {
        buffer_printf(ret_error, "bind: no address to listen on port %u", port);
    }
    return opened > 0;
}

static bool
listen_unix(struct net *net, int backlog, struct buffer *ret_error)
{
    struct buffer path;
    struct buffer mode;
    buffer_init(&path, 0);
    buffer_init(&mode, 0);
    config_string(net->server->config, CONFIG_UNIXSOCKET, &path);
    config_string(net->server->config, CONFIG_UNIXSOCKETPERM, &mode);
    buffer_append_char(&path, '\0');
    buffer_append_char(&mode, '\0');
    bool is_open = true;
    if (path.data[0] != '\0') {
        unsigned bits = (unsigned)strtoul(mode.data, NULL, 8);
        is_open = add_listener(net, listener_open_unix(net, path.data, bits == 0 ? 0700 : bits,
                                                       backlog, ret_error));
    }
    buffer_fini(&path);
    buffer_fini(&mode);
    return is_open;
}

/* `listener-release 6380 web@2026.11`: such a port is listened on, too. */
static bool
listen_for_releases(struct net *net, const struct words *addresses, int backlog,
                    struct buffer *ret_error)
{
    struct buffer line;
    buffer_init(&line, 0);
    bool is_open = true;
    int64_t main_port = config_number(net->server->config, CONFIG_PORT);
    for (size_t i = 0;
         is_open && config_line(net->server->config, CONFIG_LISTENER_RELEASE, i, &line); i++) {
        buffer_append_char(&line, '\0');
        long port = strtol(line.data, NULL, 10);
        if (port > 0 && port <= 65535 && port != main_port) {
            is_open = listen_everywhere(net, addresses, (uint16_t)port, backlog, ret_error);
        }
        buffer_clear(&line);
    }
    buffer_fini(&line);
    return is_open;
}

static bool
open_listeners(struct net *net, struct buffer *ret_error)
{
    const struct config *config = net->server->config;
    struct buffer bind;
    struct words addresses = {0};
    buffer_init(&bind, 0);
    config_string(net->server->config, CONFIG_BIND, &bind);
    int backlog = (int)config_number(config, CONFIG_TCP_BACKLOG);
    uint16_t port = (uint16_t)config_number(config, CONFIG_PORT);
    bool is_open = false;
    if (words_init(&addresses, buffer_slice(&bind)) == WORDS_READY) {
        is_open = (port == 0 || listen_everywhere(net, &addresses, port, backlog, ret_error)) &&
                  listen_for_releases(net, &addresses, backlog, ret_error) &&
                  listen_unix(net, backlog, ret_error);
        words_fini(&addresses);
    }
    buffer_fini(&bind);
    return is_open;
}

static void
close_listeners(struct net *net)
{
    for (size_t i = 0; i < net->listener_count; i++) {
        listener_close(net->listeners[i]);
    }
    net->listener_count = 0;
}

struct net *
net_open(struct server *server, struct buffer *ret_error)
{
    struct net *net = calloc(1, sizeof(*net));
    CHECK(net != NULL);
    net->server = server;
    server->net = net;
    server->kill_session = kill_session;
    server->shutdown = shut_down;
    server->connection_count = connection_count;
    server->wake_workers = wake_workers;
    server->run_blocking = run_blocking;
    loop_init(&net->loop, net);
    if (!open_listeners(net, ret_error)) {
        close_listeners(net);
        loop_fini(&net->loop);
        free(net);
        server->net = NULL;
        return NULL;
    }
    net->workers = calloc(server->worker_count, sizeof(*net->workers));
    CHECK(net->workers != NULL);
    for (unsigned i = 0; i < server->worker_count; i++) {
        CHECK(worker_start(&net->workers[i], server, i, worker_stopped));
        net->running_count++;
    }
    return net;
}

void
net_run(struct net *net)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        CHECK(uv_signal_init(&net->loop.uv, &net->signals[i]) == 0);
        net->signals[i].data = net;
        CHECK(uv_signal_start(&net->signals[i], on_signal, numbers[i]) == 0);
    }
    CHECK(uv_timer_init(&net->loop.uv, &net->timer) == 0);
    net->timer.data = net;
    uint64_t period_ms = 1000 / (uint64_t)config_number(net->server->config, CONFIG_HZ);
    (void)uv_timer_start(&net->timer, on_timer, period_ms, period_ms);
    (void)ticks_watch(config_number(net->server->config, CONFIG_EXACT_TIMES) != 0);
    (void)uv_run(&net->loop.uv, UV_RUN_DEFAULT);

    for (unsigned i = 0; i < net->server->worker_count; i++) {
        worker_join(&net->workers[i]);
    }
    while (atomic_load(&net->background_count) > 0) {
        (void)uv_run(&net->loop.uv, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&net->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&net->timer, NULL);
}

void
net_free(struct net *net)
{
    loop_fini(&net->loop);
    free(net->workers);
    free(net);
}
