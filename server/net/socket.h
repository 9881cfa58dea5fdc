/*
 * socket - an accepted socket as a stream of libuv: TCP or Unix, alike from then on.
 */
#ifndef SERVER_NET_SOCKET_H
#define SERVER_NET_SOCKET_H

#include <stdbool.h>
#include <uv.h>

union socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

/*
 * Take <fd> over, with TCP_NODELAY and, unless <keepalive_s> is 0, keepalive after so many
 * seconds. False: <fd> is still the caller's. The handle must be closed in either case.
 */
bool socket_adopt(union socket *socket, uv_loop_t *loop, int fd, bool is_unix,
                  unsigned keepalive_s);

#endif
