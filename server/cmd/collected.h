/*
 * collected - the elements of an array whose length is known only at its end.
 *
 * Thread:   owned by the worker that runs the request.
 */
#ifndef SERVER_CMD_COLLECTED_H
#define SERVER_CMD_COLLECTED_H

#include "server/cmd/reply.h"

struct collected {
    struct buffer bytes; /* [owned] */
    struct reply reply;  /* writes to bytes */
    size_t count;
};

/* Not to be moved afterwards. */
void collected_init(struct collected *collected, const struct reply *like);
void collected_fini(struct collected *collected);

/* One more bulk string. */
void collected_add(struct collected *collected, struct slice bytes);

/* Did an allocation fail? To be asked before replying. */
bool collected_failed(const struct collected *collected);

/* The array, as the next element of <reply>. */
void collected_reply(const struct collected *collected, struct reply *reply);

#endif
