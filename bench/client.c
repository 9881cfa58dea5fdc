#include "bench/client.h"

#include "bench/worker.h"
#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>

/* The ring holds a pipeline, its changes of version, and the first words. */
static size_t
ring_size(size_t pipeline)
{
    size_t size = 16;
    while (size < pipeline * 2 + 8) {
        size *= 2;
    }
    return size;
}

static void
push_op(struct client *client, enum op op)
{
    if (client_in_flight(client) == 0) {
        client->worker->busy_count++;
    }
    CHECK(client_in_flight(client) <= client->op_mask);
    client->ops[client->op_tail++ & client->op_mask] = (uint8_t)op;
}

static void
lose(struct client *client, const char *why)
{
    if (client->is_closing) {
        return;
    }
    if (client_in_flight(client) > 0) {
        client->worker->busy_count--;
    }
    client_close(client);
    worker_on_lost(client->worker, why);
}

void
client_close(struct client *client)
{
    if (!client->is_closing && client->worker != NULL) {
        client->is_closing = true;
        uv_close(&client->uv.handle, NULL);
    }
}

void
client_fini(struct client *client)
{
    buffer_fini(&client->unsent);
    free(client->ops);
}

/* ---- output ---- */

static void
on_written(uv_write_t *write, int status)
{
    struct client *client = write->data;
    client->is_writing = false;
    buffer_clear(&client->unsent);
    if (status < 0) {
        lose(client, uv_strerror(status));
    } else if (client->worker->is_running) {
        client_send(client);
    }
}

static void
write_out(struct client *client, const struct buffer *out)
{
    CHECK(!out->failed);
    uv_buf_t bytes = uv_buf_init(out->data, (unsigned)out->size);
    int sent = uv_try_write(&client->uv.stream, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        lose(client, uv_strerror(sent));
        return;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    if (done == out->size) {
        return;
    }
    buffer_append(&client->unsent, out->data + done, out->size - done);
    CHECK(!client->unsent.failed);
    bytes = uv_buf_init(client->unsent.data, (unsigned)client->unsent.size);
    client->is_writing = true;
    client->write.data = client;
    CHECK(uv_write(&client->write, &client->uv.stream, &bytes, 1, on_written) == 0);
}

static size_t
room(const struct client *client)
{
    const struct worker *worker = client->worker;
    size_t in_flight = client_in_flight(client);
    if (worker->pace_ns <= 0) {
        return in_flight == 0 ? worker->run->pipeline : 0;
    }
    size_t free_slots =
        in_flight < worker->run->pipeline ? worker->run->pipeline - in_flight : 0;
    uint64_t waiting = client->due - client->sent;
    return waiting < free_slots ? (size_t)waiting : free_slots;
}

void
client_send(struct client *client)
{
    struct worker *worker = client->worker;
    if (client->is_writing || client->is_closing || worker->is_stopping) {
        return;
    }
    size_t wanted = room(client);
    if (wanted == 0) {
        return;
    }
    client->sent_ns = uv_hrtime();
    worker_update_share(worker, client->sent_ns);
    buffer_clear(&worker->out);
    while (wanted > 0 && !generator_is_done(&worker->generator, &client->stream) &&
           worker_take_request(worker)) {
        enum op op = generator_write(&worker->generator, &client->stream, &worker->out);
        push_op(client, op);
        if (op == OP_SETUP) { /* comes in addition */
            op = generator_write(&worker->generator, &client->stream, &worker->out);
            push_op(client, op);
        }
        client->sent++;
        wanted--;
    }
    if (worker->out.size > 0) {
        write_out(client, &worker->out);
    }
}

/* ---- input ---- */

struct outcome {
    bool is_miss;
    bool is_error;
    struct slice text;
};

static enum resp_result
skip_reply(struct client *client, const char *data, size_t size, size_t *ret_used,
           struct outcome *ret_outcome)
{
    enum resp_result result;
    if (client->worker->run->options->protocol == PROTOCOL_MEMCACHED) {
        struct memcached_reply *reply = &client->reply.memcached;
        result = memcached_reply_skip(reply, data, size, ret_used);
        *ret_outcome = (struct outcome){reply->is_miss, reply->is_error,
                                        slice_make(reply->line, reply->line_size)};
    } else {
        struct resp_reply *reply = &client->reply.resp;
        result = resp_reply_skip(reply, data, size, ret_used);
        *ret_outcome =
            (struct outcome){reply->is_null, reply->kind == '-' || reply->kind == '!',
                             slice_make(reply->text, reply->text_size)};
    }
    return result;
}

static void
take_reply(struct client *client, const struct outcome *outcome, uint64_t now_ns)
{
    struct worker *worker = client->worker;
    enum op op = (enum op)client->ops[client->op_head++ & client->op_mask];
    if (outcome->is_error) {
        worker_on_error(worker, outcome->text, op == OP_SETUP);
    }
    if (op == OP_SETUP) {
        return;
    }
    uint64_t since_ns = worker->pace_ns > 0
                            ? worker_due_ns(worker, client->index, client->replied)
                            : client->sent_ns;
    uint64_t latency_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    client->replied++;
    worker->misses += outcome->is_miss ? 1 : 0;
    histogram_record(&worker->latency[op], latency_ns);
    if (latency_ns > atomic_load_explicit(&worker->slowest_ns, memory_order_relaxed)) {
        atomic_store_explicit(&worker->slowest_ns, latency_ns, memory_order_relaxed);
    }
}

static void
take_input(struct client *client, const char *data, size_t size)
{
    uint64_t now_ns = uv_hrtime();
    uint64_t before = client->replied;
    for (size_t at = 0; at < size;) {
        size_t used;
        struct outcome outcome;
        enum resp_result result = skip_reply(client, data + at, size - at, &used, &outcome);
        at += used;
        if (result == RESP_MORE) {
            break;
        }
        if (result == RESP_BAD || client_in_flight(client) == 0) {
            lose(client, "sent what is no reply");
            return;
        }
        take_reply(client, &outcome, now_ns);
    }
    struct worker *worker = client->worker;
    uint64_t replied = atomic_load_explicit(&worker->replied, memory_order_relaxed);
    atomic_store_explicit(&worker->replied, replied + client->replied - before,
                          memory_order_relaxed);
    if (client_in_flight(client) == 0) {
        worker->busy_count--;
    }
    if (!client->is_ready && client_in_flight(client) == 0) {
        client->is_ready = true;
        worker_on_ready(worker);
    } else if (worker->is_running) {
        client_send(client);
        worker_settle(worker);
    }
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    (void)suggested;
    struct client *client = handle->data;
    *ret_buf = uv_buf_init(client->worker->input, WORKER_READ_SIZE);
}

static void
on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct client *client = stream->data;
    if (size < 0) {
        lose(client, size == UV_EOF ? "was closed by the server" : uv_strerror((int)size));
    } else if (size > 0 && !client->is_closing) {
        take_input(client, buf->base, (size_t)size);
    }
}

/* ---- connecting ---- */

static void
on_connect(uv_connect_t *connect, int status)
{
    struct client *client = connect->data;
    struct worker *worker = client->worker;
    if (status < 0) {
        lose(client, uv_strerror(status));
        return;
    }
    if (worker->run->options->socket == NULL) {
        (void)uv_tcp_nodelay(&client->uv.tcp, 1);
    }
    CHECK(uv_read_start(&client->uv.stream, on_alloc, on_read) == 0);
    client->is_connected = true;
    buffer_clear(&worker->out);
    bool is_first = worker->index == 0 && client->index == 0;
    unsigned count = generator_write_hello(&worker->generator, is_first, &worker->out);
    for (unsigned i = 0; i < count; i++) {
        push_op(client, OP_SETUP);
    }
    if (count > 0) {
        write_out(client, &worker->out);
    } else {
        client->is_ready = true;
        worker_on_ready(worker);
    }
}

void
client_open(struct client *client, struct worker *worker, size_t index)
{
    const struct options *options = worker->run->options;
    *client = (struct client){.worker = worker, .index = index};
    size_t size = ring_size(worker->run->pipeline);
    client->op_mask = size - 1;
    client->ops = malloc(size);
    CHECK(client->ops != NULL);
    buffer_init(&client->unsent, 0);
    if (options->protocol == PROTOCOL_MEMCACHED) {
        memcached_reply_init(&client->reply.memcached);
    } else {
        resp_reply_init(&client->reply.resp);
    }
    client->stream.position =
        ((double)(index * (size_t)options->threads + worker->index) + 0.5) /
        (double)options->connections;
    client->connect.data = client;
    if (options->socket != NULL) {
        CHECK(uv_pipe_init(&worker->loop, &client->uv.pipe, 0) == 0);
        client->uv.handle.data = client;
        uv_pipe_connect(&client->connect, &client->uv.pipe, options->socket, on_connect);
        return;
    }
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    int status = uv_ip4_addr(options->host, (int)options->port, &address.v4);
    if (status != 0) {
        status = uv_ip6_addr(options->host, (int)options->port, &address.v6);
    }
    CHECK(uv_tcp_init(&worker->loop, &client->uv.tcp) == 0);
    client->uv.handle.data = client;
    if (status == 0) {
        status = uv_tcp_connect(&client->connect, &client->uv.tcp, &address.any, on_connect);
    }
    if (status != 0) {
        lose(client, uv_strerror(status));
    }
}
