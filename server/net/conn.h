/*
 * conn - one client connection: bytes in, requests through dispatch, replies out.
 *
 * Input is parsed where it was read, in the worker's shared buffer; only what cannot be run yet
 * is copied to the connection, and a large argument read to memory that may become a value.
 * Replies of a whole read gather in one buffer and leave in one write; what the socket does not
 * take waits, and while much of it waits nothing more is run. An idle connection holds no
 * buffer.
 *
 * Thread:   the worker's, all calls.
 * Life:     conn_open() → serving → conn_close() → freed in the last close callback.
 */
#ifndef SERVER_NET_CONN_H
#define SERVER_NET_CONN_H

#include "proto/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct worker;

/* What the listener hands over with an accepted socket. */
struct conn_accepted {
    int fd;
    bool is_unix;
    uint16_t listener_port; /* 0: Unix socket */
    uint64_t id;
    char address[128];
    char local_address[128];
};

/* Takes <accepted>->fd in any case. False when the connection could not be set up. */
bool conn_open(struct worker *worker, const struct conn_accepted *accepted);

/* Close at once; idempotent. */
void conn_close(struct conn *conn);

/* Orderly stop: run what has been read, answer, close when the answers are out. */
void conn_finish(struct conn *conn);

/* Close what has been idle for longer (0: does not matter), or does not take its replies. To be
 * called every second or so. */
void conn_tick(struct conn *conn, int64_t idle_ms_max);

/* For stage_run(): run what was read for a connection that had nothing pending then. */
void conn_run_input(struct conn *conn, char *data, size_t size);

/* Run on where the turn of the loop had ended; nothing where there is no such backlog. */
void conn_serve_backlog(struct conn *conn);

/* A parked request's answer has come. */
void conn_resume(struct conn *conn, struct slice reply);

struct session *conn_session(struct conn *conn);
struct conn *conn_next(struct conn *conn); /* in the worker's list; NULL at its end */

/* [const], so also for other threads while the session is in its directory. */
struct worker *conn_worker(struct conn *conn);

#endif
