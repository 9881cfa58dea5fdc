#include "server/net/conn.h"

#include "proto/base/check.h"
#include "server/cmd/directory.h"
#include "server/cmd/dispatch.h"
#include "server/cmd/transaction.h"
#include "server/core/clock.h"
#include "server/net/batch.h"
#include "server/net/output.h"
#include "server/net/pending.h"
#include "server/net/socket.h"
#include "server/net/worker.h"
#include "server/schema/bindings.h"
#include "server/schema/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    CONN_ARGC_MAX_UNAUTHENTICATED = 10,
    CONN_BULK_MAX_UNAUTHENTICATED = 16 * 1024,
    CONN_FLUSH_SIZE = 256 * 1024,  /* write in the middle of a batch from here on */
    CONN_PAUSE_SIZE = 1024 * 1024, /* run nothing more while so much waits */
    CONN_CLOCK_US = 300,           /* read the clock anew after so long in a batch */
    CONN_TURN_SIZE = 64 * 1024,    /* bytes of requests run before others have their turn */
    CONN_HEAD_SIZE = 4 * 1024,     /* read at first where a large value is likely to follow */
};

struct conn {
    union socket uv;
    struct worker *worker;
    struct conn *next;
    struct conn *previous;
    struct session session;
    struct pending *pending; /* [owned] NULL: between requests */
    struct output output;
    bool has_backlog;      /* requests that could be run now, but others have their turn */
    bool is_sending_large; /* lately: then little is read to where it is copied from */
    bool is_reading;
    bool is_parked;
    bool is_finishing;
    bool is_closed;
    char addresses[]; /* the session's two, no longer than they are */
};

struct session *
conn_session(struct conn *conn)
{
    return &conn->session;
}

/* ---- life ---- */

static void
on_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    pending_free(conn->pending);
    output_fini(&conn->output);
    free(conn);
}

void
conn_close(struct conn *conn)
{
    if (conn->is_closed) {
        return;
    }
    conn->is_closed = true;
    struct worker *worker = conn->worker;
    stage_take_out(worker, conn);
    directory_remove(worker->directory, &conn->session);
    transaction_close(worker->server, &conn->session);
    session_fini(&conn->session);
    bindings_free(conn->session.bindings);
    if (conn->previous != NULL) {
        conn->previous->next = conn->next;
    } else {
        worker->conns = conn->next;
    }
    if (conn->next != NULL) {
        conn->next->previous = conn->previous;
    }
    atomic_fetch_sub_explicit(&worker->conn_count, 1, memory_order_relaxed);
    uv_close(&conn->uv.handle, on_closed);
}

/* ---- output ---- */

static void serve_pending(struct conn *conn);
static void read_or_not(struct conn *conn);

static void
on_written(uv_write_t *write, int status)
{
    struct conn *conn = write->data;
    output_written(&conn->output, &conn->worker->spare_output);
    if (conn->is_closed) {
        return;
    }
    if (status < 0) {
        conn_close(conn);
        return;
    }
    serve_pending(conn);
}

static void
flush(struct conn *conn)
{
    struct output *output = &conn->output;
    struct worker *worker = conn->worker;
    if (output->is_writing || conn->is_closed) {
        return;
    }
    size_t size = output_waiting(output);
    if (size == 0 && !output->bytes.failed) {
        if (output->bytes.data != NULL) {
            output_lend(&output->bytes, &worker->spare_output);
        }
        return;
    }
    enum output_result result =
        output_flush(output, &conn->uv.stream, &worker->spare_output, on_written, conn);
    if (result == OUTPUT_FAILED) {
        conn_close(conn);
        return;
    }
    counters_add(worker->counters, COUNTER_WRITES_PROCESSED, 1);
    counters_add(worker->counters, COUNTER_NET_OUTPUT_BYTES, size);
    atomic_store_explicit(&conn->session.output_size,
                          result == OUTPUT_EMPTY ? 0 : output_size(output),
                          memory_order_relaxed);
}

/* client-output-buffer-limit */
static bool
is_over_output_limit(struct conn *conn)
{
    if (output_size(&conn->output) < CONN_FLUSH_SIZE) {
        conn->output.over_soft_since_ms = 0;
        return false;
    }
    struct config_limit limit =
        config_output_limit(conn->worker->server->config, CONFIG_CLIENT_NORMAL);
    /* The loop's time: it makes no steps. */
    return output_is_over(&conn->output, &limit, (int64_t)uv_now(&conn->worker->loop.uv));
}

static void
keep_output_limit(struct conn *conn)
{
    if (!conn->is_closed && is_over_output_limit(conn)) {
        counters_add(conn->worker->counters, COUNTER_OUTPUT_LIMIT_DISCONNECTIONS, 1);
        conn_close(conn);
    }
}

void
conn_tick(struct conn *conn, int64_t idle_ms_max)
{
    int64_t active_ms = atomic_load_explicit(&conn->session.active_ms, memory_order_relaxed);
    if (idle_ms_max > 0 && clock_wall_ms() - active_ms > idle_ms_max) {
        conn_close(conn);
    }
    keep_output_limit(conn);
}

/* ---- requests ---- */

static bool
is_paused(const struct conn *conn)
{
    return conn->is_closed || conn->is_parked || conn->session.is_closing ||
           (conn->output.is_writing && output_waiting(&conn->output) >= CONN_PAUSE_SIZE);
}

static struct resp_limits
request_limits(const struct conn *conn)
{
    if (!conn->session.is_authenticated) {
        return (struct resp_limits){CONN_ARGC_MAX_UNAUTHENTICATED,
                                    CONN_BULK_MAX_UNAUTHENTICATED, false};
    }
    int64_t bulk_max = config_number(conn->worker->server->config, CONFIG_PROTO_MAX_BULK_LEN);
    return (struct resp_limits){RESP_ARGC_MAX, (size_t)bulk_max, true};
}

static void
refuse(struct conn *conn, struct reply *reply, const char *error)
{
    counters_add(conn->worker->counters, COUNTER_PROTOCOL_ERRORS, 1);
    reply_error(reply, "ERR %s", error);
    conn->session.is_closing = true;
}

static uint64_t
slow_ticks(const struct config *config)
{
    int64_t slow_us = config_number(config, CONFIG_SLOWLOG_LOG_SLOWER_THAN);
    return slow_us < 0 ? UINT64_MAX : ticks_from_us((uint64_t)slow_us);
}

/* In the middle of a batch, when much waits or may. */
static void
keep_output_small(struct conn *conn)
{
    if (output_waiting(&conn->output) >= CONN_FLUSH_SIZE) {
        flush(conn);
        output_take_buffer(&conn->output, &conn->worker->spare_output);
    }
    keep_output_limit(conn);
}

/* <clock_ticks>: when the request's clock was read. */
static void
run_request(struct conn *conn, struct request *request, uint64_t *clock_ticks)
{
    request->reply->resp = atomic_load_explicit(&conn->session.resp, memory_order_relaxed);
    dispatch(request);
    conn->is_parked = request->is_parked;
    if (request->command == NULL || (request->command->flags & COMMAND_FAST) == 0) {
        request->slow_ticks =
            slow_ticks(request->server->config); /* it may have changed that */
    }
    if (request->end_ticks - *clock_ticks >= ticks_from_us(CONN_CLOCK_US)) {
        request->now_ms = clock_wall_ms(); /* time has passed */
        *clock_ticks = request->end_ticks;
    }
    if (atomic_load_explicit(&conn->session.is_killed, memory_order_relaxed)) {
        conn->session.is_closing = true;
    }
    const struct output *output = &conn->output;
    if (__builtin_expect(output->is_writing || output_waiting(output) >= CONN_FLUSH_SIZE, 0)) {
        keep_output_small(conn);
        request->end_ticks = ticks_now(); /* that was nobody's */
    }
}

/* Its large arguments, as blocks that the handler may hold. */
static void
lend_blocks(struct conn *conn, struct batch_item *item, struct request *request)
{
    struct intake *intake = &conn->worker->intake;
    if (conn->pending != NULL) {
        *intake = conn->pending->intake;
        conn->pending->intake = (struct intake){0};
    }
    intake_complete(intake, item->argv, item->argc);
    request->blocks = intake->blocks;
    request->block_count = intake->count;
    request->block_next = 0;
}

static void
take_blocks_back(struct conn *conn, struct request *request)
{
    request->block_count = 0;
    intake_fini(&conn->worker->intake);
}

/* Run the requests in <data> while nothing is in the way, for about a turn of the loop; returns
 * the bytes they took. */
static size_t
serve(struct conn *conn, struct resp_request *parser, char *data, size_t size)
{
    struct worker *worker = conn->worker;
    const struct registry *registry = registry_current(worker->server->registries);
    struct reply reply = {.out = &conn->output.bytes, .references = &conn->output.references};
    struct request request = {
        .server = worker->server,
        .session = &conn->session,
        .reply = &reply,
        .arena = &worker->arena,
        .registry = registry,
        .has_schemas = !registry_is_empty(registry),
        .is_packing = atomic_load_explicit(&worker->server->is_packing, memory_order_relaxed),
        .counters = worker->counters,
        .worker_index = worker->index,
        .now_ms = clock_wall_ms(),
    };
    request.slow_ticks = slow_ticks(worker->server->config);
    uint64_t clock_ticks = ticks_now();
    request.end_ticks = clock_ticks;
    struct batch batch;
    size_t used = 0;
    uint64_t count = 0;
    batch.end = RESP_READY;
    output_take_buffer(&conn->output, &conn->worker->spare_output);
    size_t stop = size < CONN_TURN_SIZE ? size : CONN_TURN_SIZE;
    while (used < stop && !is_paused(conn) && batch.end == RESP_READY) {
        struct resp_limits limits = request_limits(conn);
        batch_parse(&batch, parser, data + used, size - used, &limits, &worker->arena);
        if (batch.count > 1) {
            batch_prefetch(&batch, &request);
        }
        size_t done = 0;
        for (; done < batch.count && !is_paused(conn); done++) {
            if (batch.items[done].argc > 0) {
                batch_load(&batch.items[done], &request);
                bool may_be_large = (batch.large >> done & 1) != 0;
                if (__builtin_expect(may_be_large, 0)) {
                    lend_blocks(conn, &batch.items[done], &request);
                }
                run_request(conn, &request, &clock_ticks);
                if (__builtin_expect(may_be_large, 0)) {
                    take_blocks_back(conn, &request);
                }
                count++;
            }
            used += batch.items[done].size;
        }
        if (done < batch.count) {
            resp_request_clear(parser); /* it had gone ahead */
        } else if (batch.end == RESP_BAD && !is_paused(conn)) {
            reply.resp = atomic_load_explicit(&conn->session.resp, memory_order_relaxed);
            refuse(conn, &reply, parser->error);
        }
        arena_clear(&worker->arena);
    }
    if (count > 0 && !conn->is_closed) {
        atomic_store_explicit(&conn->session.active_ms, request.now_ms, memory_order_relaxed);
        atomic_fetch_add_explicit(&conn->session.command_count, count, memory_order_relaxed);
    }
    return used;
}

/* ---- input ---- */

/* After serving: send, go on reading or not, close when that is due. */
static void
settle(struct conn *conn)
{
    flush(conn);
    if (conn->is_closed) {
        return;
    }
    bool is_drained =
        !conn->output.is_writing && conn->output.bytes.size == 0 && !conn->has_backlog;
    if (is_drained && !conn->is_parked && (conn->session.is_closing || conn->is_finishing)) {
        conn_close(conn);
        return;
    }
    atomic_store_explicit(&conn->session.input_size, pending_size(conn->pending),
                          memory_order_relaxed);
    read_or_not(conn);
}

/* Run what waits in the pending bytes, as far as possible in this turn. */
static void
serve_pending(struct conn *conn)
{
    struct pending *pending = conn->pending;
    conn->has_backlog = false;
    if (pending != NULL && !is_paused(conn)) {
        size_t left = pending_left(pending);
        size_t used = serve(conn, &pending->parser, pending_data(pending), left);
        if (conn->is_closed) {
            return;
        }
        conn->has_backlog = used >= CONN_TURN_SIZE && used < left && !is_paused(conn);
        if (conn->has_backlog) {
            worker_serve_backlogs(conn->worker);
        }
        if (used == left || conn->session.is_closing) {
            pending_free(pending);
            conn->pending = NULL;
        } else if (!pending_consume(pending, used)) {
            conn_close(conn);
            return;
        }
    }
    settle(conn);
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_room)
{
    (void)suggested;
    struct conn *conn = handle->data;
    struct worker *worker = conn->worker;
    if (conn->pending == NULL) {
        size_t size;
        char *room = stage_room(worker, &size);
        *ret_room = (uv_buf_t){.base = room, .len = size};
        if (conn->is_sending_large) {
            ret_room->len = CONN_HEAD_SIZE;
        }
        return;
    }
    size_t size = 0;
    char *room = pending_room(conn->pending, &size);
    *ret_room = (uv_buf_t){.base = room, .len = room == NULL ? 0 : size};
}

/* More has come of what is pending. */
static void
go_on(struct conn *conn, enum intake_result result)
{
    switch (result) {
    case INTAKE_MORE:
        settle(conn);
        break;
    case INTAKE_READY:
        serve_pending(conn);
        break;
    case INTAKE_FAILED:
        conn_close(conn);
        break;
    }
}

static void
on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *room)
{
    struct conn *conn = stream->data;
    struct worker *worker = conn->worker;
    if (size == 0) {
        return;
    }
    worker_begin_turn(worker);
    if (size < 0) {
        stage_run(worker); /* what came before the end */
        if (size == UV_ENOBUFS) {
            counters_add(worker->counters, COUNTER_QUERY_LIMIT_DISCONNECTIONS, 1);
        }
        if (size == UV_EOF && conn->output.is_writing) {
            conn_finish(conn); /* it may yet read */
        } else {
            conn_close(conn);
        }
        return;
    }
    counters_add(worker->counters, COUNTER_READS_PROCESSED, 1);
    counters_add(worker->counters, COUNTER_NET_INPUT_BYTES, (uint64_t)size);
    if (conn->pending != NULL) {
        go_on(conn, pending_commit(conn->pending, room->base, (size_t)size));
        return;
    }
    stage_add(worker, conn, (size_t)size);
    bool is_followed = (size_t)size == room->len; /* by another read at once */
    if (is_followed) {
        conn->is_sending_large = false;
    }
    if (stage_is_full(worker) || is_followed) {
        stage_run(worker);
    }
}

void
conn_run_input(struct conn *conn, char *data, size_t size)
{
    struct worker *worker = conn->worker;
    struct resp_request *parser = &worker->parser;
    if (conn->pending != NULL) {
        go_on(conn, pending_add(conn->pending, data, size)); /* it was staged twice */
        return;
    }
    size_t used = serve(conn, parser, data, size);
    if (!conn->is_closed && !conn->session.is_closing && used < size) {
        int64_t limit = config_number(worker->server->config, CONFIG_CLIENT_QUERY_BUFFER_LIMIT);
        conn->pending = pending_new(parser, data + used, size - used, (size_t)limit);
        if (conn->pending == NULL) {
            counters_add(worker->counters, COUNTER_QUERY_LIMIT_DISCONNECTIONS, 1);
            conn_close(conn);
        }
    }
    resp_request_clear(parser);
    if (conn->pending != NULL && conn->pending->intake.filling != NULL) {
        conn->is_sending_large = true;
    }
    if (!conn->is_closed) {
        settle(conn);
    }
}

/*
 * Read while requests can be run, or once they can when replies are taken: a client may send
 * all its requests before it reads the first reply. What it sends meanwhile is kept, up to
 * client-query-buffer-limit, and not run.
 */
static void
read_or_not(struct conn *conn)
{
    bool may_wait = conn->session.is_authenticated; /* others are kept nothing of */
    bool should_read = !conn->is_closed && !conn->is_parked && !conn->session.is_closing &&
                       !conn->is_finishing && !conn->has_backlog &&
                       (may_wait || !is_paused(conn));
    if (should_read && !conn->is_reading) {
        if (uv_read_start(&conn->uv.stream, on_alloc, on_read) < 0) {
            conn_close(conn);
            return;
        }
        conn->is_reading = true;
    } else if (!should_read && conn->is_reading) {
        (void)uv_read_stop(&conn->uv.stream);
        conn->is_reading = false;
    }
}

void
conn_serve_backlog(struct conn *conn)
{
    if (conn->has_backlog) {
        serve_pending(conn);
    }
}

void
conn_finish(struct conn *conn)
{
    conn->is_finishing = true;
    serve_pending(conn);
}

void
conn_resume(struct conn *conn, struct slice reply)
{
    if (conn->is_closed || !conn->is_parked) {
        return;
    }
    conn->is_parked = false;
    struct session *session = &conn->session;
    if (session->reply_mode == SESSION_REPLY_ON && !session->skip_next_reply) {
        output_take_buffer(&conn->output, &conn->worker->spare_output);
        buffer_append_slice(&conn->output.bytes, reply);
    }
    session->skip_next_reply = false;
    serve_pending(conn);
}

static bool
is_password_required(struct config *config)
{
    struct buffer password;
    buffer_init(&password, 0);
    config_string(config, CONFIG_REQUIREPASS, &password);
    bool is_required = password.size > 0;
    buffer_fini(&password);
    return is_required;
}

bool
conn_open(struct worker *worker, const struct conn_accepted *accepted)
{
    size_t address_size = strlen(accepted->address) + 1;
    size_t local_size = strlen(accepted->local_address) + 1;
    struct conn *conn = calloc(1, sizeof(*conn) + address_size + local_size);
    if (conn == NULL) {
        (void)close(accepted->fd);
        return false;
    }
    conn->worker = worker;
    int64_t keepalive_s = config_number(worker->server->config, CONFIG_TCP_KEEPALIVE);
    bool is_adopted = socket_adopt(&conn->uv, &worker->loop.uv, accepted->fd, accepted->is_unix,
                                   (unsigned)keepalive_s);
    conn->uv.handle.data = conn;
    if (!is_adopted) {
        (void)close(accepted->fd);
        uv_close(&conn->uv.handle, on_closed);
        return false;
    }
    struct session *session = &conn->session;
    session->id = accepted->id;
    session->created_ms = clock_wall_ms();
    session->is_authenticated = !is_password_required(worker->server->config);
    atomic_init(&session->resp, 2);
    atomic_init(&session->active_ms, session->created_ms);
    session->address = memcpy(conn->addresses, accepted->address, address_size);
    session->local_address =
        memcpy(conn->addresses + address_size, accepted->local_address, local_size);
    session->fd = accepted->fd;
    session->listener_port = accepted->listener_port;
    session->owner = conn;
    session->directory = worker->directory;
    directory_add(worker->directory, session);
    conn->next = worker->conns;
    if (conn->next != NULL) {
        conn->next->previous = conn;
    }
    worker->conns = conn;
    atomic_fetch_add_explicit(&worker->conn_count, 1, memory_order_relaxed);
    counters_add(worker->counters, COUNTER_CONNECTIONS_RECEIVED, 1);
    read_or_not(conn);
    return !conn->is_closed;
}

struct conn *
conn_next(struct conn *conn)
{
    return conn->next;
}

struct worker *
conn_worker(struct conn *conn)
{
    return conn->worker;
}
