/*
 * listener - listening sockets on the main loop; each connection goes to the least busy worker.
 *
 * Thread:   the main loop's.
 */
#ifndef SERVER_NET_LISTENER_H
#define SERVER_NET_LISTENER_H

#include "proto/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

struct net;
struct listener;

/*
 * Listen on <address> (an IPv4 or IPv6 address, "*" or "::*") and <port>, or on the Unix socket
 * <path> with permission bits <mode>. NULL with a message for people in <ret_error>.
 */
struct listener *listener_open_tcp(struct net *net, const char *address, uint16_t port,
                                   int backlog, struct buffer *ret_error);
struct listener *listener_open_unix(struct net *net, const char *path, unsigned mode,
                                    int backlog, struct buffer *ret_error);

/* Stop accepting; frees itself in the close callback. A Unix socket's file is removed. */
void listener_close(struct listener *listener);

#endif
