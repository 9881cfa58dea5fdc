/*
 * pending - the bytes of a connection that could not be run yet: an unfinished request, or
 * requests that wait for the socket to take earlier replies.
 *
 *   bytes: | requests that were run | those that wait |   and the first one's large arguments,
 *                                     pending_data()      apart from them (net/intake)
 *
 * Thread:   the worker's.
 */
#ifndef SERVER_NET_PENDING_H
#define SERVER_NET_PENDING_H

#include "server/net/intake.h"

struct pending {
    struct resp_request parser; /* of the first request */
    struct buffer bytes;
    size_t start;    /* of those that wait, in <bytes> */
    size_t size_max; /* of what waits */
    struct intake intake;
};

static inline char *
pending_data(const struct pending *pending)
{
    return pending->bytes.data + pending->start;
}

static inline size_t
pending_left(const struct pending *pending)
{
    return pending->bytes.size - pending->start;
}

/*
 * Keep <data>, of which <parser> has read a part; its state is taken over. At most <size_max>
 * bytes will be kept. NULL without memory or beyond that.
 */
struct pending *pending_new(struct resp_request *parser, const char *data, size_t size,
                            size_t size_max);
void pending_free(struct pending *pending); /* takes NULL */

/* Bytes that wait, the large arguments included; takes NULL. */
size_t pending_size(const struct pending *pending);

/* Where to read what comes next, NULL without memory or beyond the limit. It grows with what
 * has come, not with what was announced. */
char *pending_room(struct pending *pending, size_t *ret_size);

/* <size> bytes were read there. READY: the parser may find something in the bytes now. */
enum intake_result pending_commit(struct pending *pending, const char *room, size_t size);

/* <size> bytes were read elsewhere: they are copied. FAILED also beyond the limit. */
enum intake_result pending_add(struct pending *pending, const char *data, size_t size);

/* The first <size> bytes were run. False without memory. O(1), amortized. */
bool pending_consume(struct pending *pending, size_t size);

#endif
