/*
 * net - the libuv part of the server: the main loop (listeners, signals, periodic work) and the
 * workers.
 *
 * Thread:   the main thread's, except what server->* hooks offer to any thread.
 */
#ifndef SERVER_NET_NET_H
#define SERVER_NET_NET_H

#include "server/cmd/request.h"
#include "server/net/conn.h"

#include <uv.h>

struct net;

/*
 * Open the listeners that the configuration names, set the server's hooks, start the workers.
 * NULL with a message for people in <ret_error>.
 */
struct net *net_open(struct server *server, struct buffer *ret_error);

/* Serve until SIGTERM, SIGINT or SHUTDOWN; returns when every worker has stopped in order. */
void net_run(struct net *net);
void net_free(struct net *net);

/* For listeners. */
uv_loop_t *net_loop(struct net *net);
void net_accept(struct net *net, const struct conn_accepted *accepted); /* takes its fd */
void net_out_of_descriptors(struct net *net); /* stop accepting for a moment */

#endif
