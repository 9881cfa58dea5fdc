/*
 * client - one connection of the load: sends batches, counts replies, times them.
 *
 * Closed loop: a batch of <pipeline> requests goes out once all replies of the last are in.
 * Open loop: requests fall due by the worker's schedule and go out as soon as the pipeline has
 * room; the latency of one counts from when it was due.
 *
 * Thread:   owned by its worker's thread.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "bench/memcached.h"
#include "bench/workload.h"
#include "proto/resp_reply.h"

#include <uv.h>

struct worker;

struct client {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    uv_connect_t connect;
    uv_write_t write;
    struct worker *worker;
    struct stream stream;
    union {
        struct resp_reply resp;
        struct memcached_reply memcached;
    } reply;
    struct buffer unsent; /* what uv_write() is sending */
    uint8_t *ops;         /* [owned] ring: what the requests in flight are */
    size_t op_mask;
    size_t op_head;   /* replies taken */
    size_t op_tail;   /* requests sent */
    uint64_t sent_ns; /* when the last batch went out */
    size_t index;     /* in the worker */
    uint64_t due;     /* requests that have fallen due, in open loop */
    uint64_t sent;    /* requests, without those of the setup */
    uint64_t replied; /* likewise */
    bool is_writing;
    bool is_connected;
    bool is_ready; /* connected, and its first words were answered */
    bool is_closing;
};

/* Start connecting; worker_on_ready() or worker_on_lost() follows. Aborts without memory. */
void client_open(struct client *client, struct worker *worker, size_t index);

/* Send what may go now. */
void client_send(struct client *client);

/* Requests sent and not yet answered. */
static inline size_t
client_in_flight(const struct client *client)
{
    return client->op_tail - client->op_head;
}

/* Close what is open; the memory of the client itself is the worker's. */
void client_close(struct client *client);
void client_fini(struct client *client); /* after the loop has ended */

#endif
