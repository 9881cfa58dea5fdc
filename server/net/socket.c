#include "server/net/socket.h"

#include "proto/base/check.h"

bool
socket_adopt(union socket *socket, uv_loop_t *loop, int fd, bool is_unix, unsigned keepalive_s)
{
    if (is_unix) {
        CHECK(uv_pipe_init(loop, &socket->pipe, 0) == 0);
        return uv_pipe_open(&socket->pipe, fd) == 0;
    }
    CHECK(uv_tcp_init(loop, &socket->tcp) == 0);
    if (uv_tcp_open(&socket->tcp, fd) != 0) {
        return false;
    }
    (void)uv_tcp_nodelay(&socket->tcp, 1);
    (void)uv_tcp_keepalive(&socket->tcp, keepalive_s > 0, keepalive_s);
    return true;
}
