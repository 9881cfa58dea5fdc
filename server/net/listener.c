#include "server/net/listener.h"

#include "proto/base/check.h"
#include "server/net/net.h"
#include "server/net/worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENER_ACCEPTS_PER_TURN = 256 };

struct listener {
    uv_poll_t poll;
    struct net *net;
    int fd;
    uint16_t port;
    char *path; /* [owned] of a Unix socket */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

static void
print_address(const union address *address, char *ret_text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
        (void)snprintf(ret_text, size, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    } else {
        (void)inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
        (void)snprintf(ret_text, size, "%s:%u", host, ntohs(address->v4.sin_port));
    }
}

static void
describe(const struct listener *listener, struct conn_accepted *accepted,
         const union address *peer)
{
    accepted->is_unix = listener->path != NULL;
    accepted->listener_port = listener->port;
    if (accepted->is_unix) {
        (void)snprintf(accepted->address, sizeof(accepted->address), "%.120s:0",
                       listener->path);
        memcpy(accepted->local_address, accepted->address, sizeof(accepted->address));
        return;
    }
    print_address(peer, accepted->address, sizeof(accepted->address));
    union address local = {0};
    socklen_t size = sizeof(local);
    (void)getsockname(accepted->fd, &local.any, &size);
    print_address(&local, accepted->local_address, sizeof(accepted->local_address));
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)events;
    if (status < 0) {
        return;
    }
    for (int i = 0; i < LISTENER_ACCEPTS_PER_TURN; i++) {
        union address peer = {0};
        socklen_t size = sizeof(peer);
        int fd = accept4(listener->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EMFILE || errno == ENFILE) {
                net_out_of_descriptors(listener->net);
            }
            return;
        }
        struct conn_accepted accepted = {.fd = fd};
        describe(listener, &accepted, &peer);
        net_accept(listener->net, &accepted);
    }
}

static struct listener *
listener_new(struct net *net, int fd)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    CHECK(listener != NULL);
    listener->net = net;
    listener->fd = fd;
    CHECK(uv_poll_init(net_loop(net), &listener->poll, fd) == 0);
    listener->poll.data = listener;
    CHECK(uv_poll_start(&listener->poll, UV_READABLE, on_readable) == 0);
    return listener;
}

/* "127.0.0.1", "::1", "*" (any IPv4), "::*" (any IPv6). */
static bool
parse_address(const char *text, uint16_t port, union address *ret_address, socklen_t *ret_size)
{
    memset(ret_address, 0, sizeof(*ret_address));
    if (strcmp(text, "*") == 0) {
        text = "0.0.0.0";
    } else if (strcmp(text, "::*") == 0) {
        text = "::";
    }
    if (inet_pton(AF_INET, text, &ret_address->v4.sin_addr) == 1) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(port);
        *ret_size = sizeof(ret_address->v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret_address->v6.sin6_addr) == 1) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(port);
        *ret_size = sizeof(ret_address->v6);
        return true;
    }
    return false;
}

struct listener *
listener_open_tcp(struct net *net, const char *address, uint16_t port, int backlog,
                  struct buffer *ret_error)
{
    union address bound;
    socklen_t size;
    if (!parse_address(address, port, &bound, &size)) {
        buffer_printf(ret_error, "bind %s: not an IPv4 or IPv6 address", address);
        return NULL;
    }
    int yes = 1;
    int fd = socket(bound.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        (bound.any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0) ||
        bind(fd, &bound.any, size) != 0 || listen(fd, backlog) != 0) {
        buffer_printf(ret_error, "cannot listen on %s port %u: %s", address, port,
                      strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    struct listener *listener = listener_new(net, fd);
    listener->port = port;
    return listener;
}

struct listener *
listener_open_unix(struct net *net, const char *path, unsigned mode, int backlog,
                   struct buffer *ret_error)
{
    union address bound = {0};
    bound.path.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(bound.path.sun_path)) {
        buffer_printf(ret_error, "unixsocket %s: the path is longer than %zu bytes", path,
                      sizeof(bound.path.sun_path) - 1);
        return NULL;
    }
    (void)snprintf(bound.path.sun_path, sizeof(bound.path.sun_path), "%s", path);
    struct stat existing;
    if (lstat(path, &existing) == 0 && S_ISSOCK(existing.st_mode)) {
        (void)unlink(path); /* left behind by a server that did not stop in order */
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t old_mask = umask(0777); /* nobody gets in before the mode is set */
    bool is_bound = fd >= 0 && bind(fd, &bound.any, sizeof(bound.path)) == 0;
    int bind_errno = errno;
    (void)umask(old_mask);
    errno = bind_errno;
    if (!is_bound || chmod(path, (mode_t)mode) != 0 || listen(fd, backlog) != 0) {
        buffer_printf(ret_error, "cannot listen on %s: %s", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return NULL;
    }
    struct listener *listener = listener_new(net, fd);
    listener->path = strdup(path);
    CHECK(listener->path != NULL);
    return listener;
}

static void
on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    (void)close(listener->fd);
    free(listener->path);
    free(listener);
}

void
listener_close(struct listener *listener)
{
    if (listener->path != NULL) {
        (void)unlink(listener->path);
    }
    (void)uv_poll_stop(&listener->poll);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
}
