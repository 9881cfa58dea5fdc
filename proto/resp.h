/*
 * resp - the Redis protocol, RESP2 and RESP3: requests, incrementally.
 *
 * Bytes come in as they may; parsing goes on where it stopped. A parser is a plain value apart
 * from its array of spans. Three answers: MORE, READY, BAD.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: spans are offsets into the caller's input, valid for the input they were parsed
 * from wherever it moves. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
#ifndef PROTO_RESP_H
#define PROTO_RESP_H

#include "proto/base/slice.h"

enum resp_result { RESP_MORE, RESP_READY, RESP_BAD };

enum {
    RESP_INLINE_SIZE_MAX = 64 * 1024, /* of an inline command and of any length line */
    RESP_ARGC_MAX = 1024 * 1024,
    RESP_ERROR_SIZE = 64,
};

struct resp_span {
    size_t offset; /* from the first byte of the request */
    size_t size;
};

/* An argument that was read to a place of its own. */
struct resp_apart {
    size_t index; /* of the argument */
    struct slice bytes;
};

/* What a request may be; smaller before authentication. */
struct resp_limits {
    size_t argc_max;
    size_t bulk_size_max;
    bool is_authenticated; /* picks the error text when a limit is passed */
};

struct resp_request {
    size_t position;      /* bytes of the request parsed so far; all of them when READY */
    size_t argc;          /* spans filled */
    size_t argc_expected; /* 0: the first line is still to come */
    size_t bulk_size;     /* of the argument whose header has been read */
    bool has_bulk_size;
    struct resp_span *spans; /* [owned] */
    size_t span_capacity;
    struct resp_apart *aparts; /* [owned] ascending */
    size_t apart_count;
    size_t apart_capacity;
    char error[RESP_ERROR_SIZE]; /* when BAD: "Protocol error: ..." without CRLF */
};

void resp_request_init(struct resp_request *request);
void resp_request_fini(struct resp_request *request);

/* Ready for the next request; memory for up to a few arguments is kept. */
void resp_request_clear(struct resp_request *request);

/*
 * Parse on: <data>[0..size) starts at the request's first byte and contains at least what was
 * given before. Inline arguments with quotes are decoded in place, which changes <data>.
 * READY with argc 0 is an empty request, to be skipped. Without memory: BAD.
 */
enum resp_result resp_request_parse(struct resp_request *request, char *data, size_t size,
                                    const struct resp_limits *limits);

/*
 * The usual request at once: a multibulk that is here whole, of 1 to <argc_max> arguments, as
 * clients spell it. Returns its bytes, with the arguments borrowed from <data>; 0 for whatever
 * else there is, wrong or merely unusual: resp_request_parse() from the start will tell.
 */
size_t resp_request_take(const char *data, size_t size, const struct resp_limits *limits,
                         size_t argc_max, struct slice *ret_argv, size_t *ret_argc);

/*
 * After MORE in the middle of a bulk, whose bytes from data[position] on lie elsewhere in the
 * meantime: the <bulk_size> bytes at <bytes> are the argument. In the data, what follows it
 * comes at the position; its span means nothing. False without memory.
 */
bool resp_request_set_apart(struct resp_request *request, const char *bytes);

/* Bytes still missing of the argument being read; 0 when unknown. */
size_t resp_request_missing(const struct resp_request *request, size_t size);

#endif
