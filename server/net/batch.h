/*
 * batch - pipelined requests, parsed ahead of the first one's run.
 *
 * So the rows and keys of all are known, and the memory that they will look at is fetched while
 * the first are being run. What is not run in the end is parsed again: nothing is lost by
 * throwing a batch away.
 *
 * Thread:   the worker's.
 * Borrowed: items point into the input, the batch and the request's arena.
 */
#ifndef SERVER_NET_BATCH_H
#define SERVER_NET_BATCH_H

#include "proto/resp.h"
#include "server/cmd/request.h"

enum { BATCH_COUNT_MAX = 16, BATCH_ARGUMENT_COUNT = 128 };

struct batch_item {
    size_t size; /* bytes of input */
    size_t argc; /* 0: empty, to be skipped */
    struct slice *argv;
    const struct command *command; /* from dispatch_prepare(); NULL: not prepared */
    const struct key *keys;
    size_t key_count;
    struct key key; /* where a row has one key, it is put here */
};

struct batch {
    size_t count;
    enum resp_result end; /* why it ends here; READY: because it is full */
    uint32_t large;       /* bit i: item i may have large arguments, see intake_complete() */
    struct batch_item items[BATCH_COUNT_MAX];
    struct slice arguments[BATCH_ARGUMENT_COUNT]; /* of the items; the arena has the rest */
};

/*
 * Parse what <data> holds, up to a batch. BAD: parser->error says why, behind the items.
 * <arena> takes the arguments' slices; without memory the batch ends BAD.
 */
void batch_parse(struct batch *batch, struct resp_request *parser, char *data, size_t size,
                 const struct resp_limits *limits, struct arena *arena);

/* Find rows and keys of all items, and prefetch the keys. <request> is a model, changed. */
void batch_prefetch(struct batch *batch, struct request *request);

/* Make <request> the one of <item>, with what was found out ahead. */
void batch_load(struct batch_item *item, struct request *request);

#endif
