/*
 * pending - the bytes of a connection that could not be run yet: an unfinished request, or
 * requests that wait for the socket to take earlier replies.
 *
 *   bytes of requests, as they came   | large arguments of the first, apart (net/intake)
 *
 * Thread:   the worker's.
 */
#ifndef SERVER_NET_PENDING_H
#define SERVER_NET_PENDING_H

#include "server/net/intake.h"

struct pending {
    struct resp_request parser; /* of the first request */
    struct buffer bytes;
    struct intake intake;
};

/*
 * Keep <data>, of which <parser> has read a part; its state is taken over. At most <size_max>
 * bytes will be kept. NULL without memory or beyond that.
 */
struct pending *pending_new(struct resp_request *parser, const char *data, size_t size,
                            size_t size_max);
void pending_free(struct pending *pending); /* takes NULL */

/* Bytes kept; takes NULL. */
size_t pending_size(const struct pending *pending);

/* Where to read what comes next, NULL without memory or beyond the limit. It grows with what
 * has come, not with what was announced. */
char *pending_room(struct pending *pending, size_t *ret_size);

/* <size> bytes were read there. READY: the parser may find something in the bytes now. */
enum intake_result pending_commit(struct pending *pending, const char *room, size_t size);

/* The first <size> bytes were run. False without memory. */
bool pending_consume(struct pending *pending, size_t size);

#endif
