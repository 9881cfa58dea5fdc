/*
 * reply - what a command answers, in the RESP version of its connection.
 *
 * Handlers say what they mean (a map, a double, nothing); the encoding for RESP2 and RESP3 is
 * decided here alone. Aggregates announce their length first, then the elements follow.
 *
 * Thread:   owned by the worker that runs the request.
 */
#ifndef SERVER_CMD_REPLY_H
#define SERVER_CMD_REPLY_H

#include "proto/base/buffer.h"
#include "proto/base/slice.h"
#include "server/cmd/references.h"

struct reply {
    struct buffer *out;            /* [borrowed] */
    unsigned resp;                 /* 2 or 3 */
    uint64_t errors;               /* error replies written, for counters */
    struct references *references; /* [borrowed] into <out>; NULL: everything is copied */
    struct reply_gap *gaps;        /* value.h's: bytes of <out> that are yet to be written */
};

void reply_ok(struct reply *reply);
void reply_simple(struct reply *reply, const char *text);
void reply_integer(struct reply *reply, int64_t value);
void reply_bulk(struct reply *reply, struct slice bytes);
/* A bulk string of <size> bytes that the caller writes later; returns where in <out>. */
size_t reply_bulk_gap(struct reply *reply, size_t size);
void reply_string(struct reply *reply, const char *text); /* a bulk string */

/* A bulk that lies in <block>: held until it is written, and copied only if it is small. */
void reply_block(struct reply *reply, struct slice bytes, struct block *block);

/* Take back what was replied since <out> had <size> bytes; with no lock held. */
void reply_cut(struct reply *reply, size_t size);

void reply_null(struct reply *reply);       /* nil bulk string; "_" in RESP3 */
void reply_null_array(struct reply *reply); /* nil array (EXEC); "_" in RESP3 */
void reply_array(struct reply *reply, size_t count);
void reply_map(struct reply *reply, size_t pair_count);      /* RESP2: array of 2 * pairs */
void reply_set(struct reply *reply, size_t count);           /* RESP2: array */
void reply_push(struct reply *reply, size_t count);          /* RESP2: array */
void reply_double(struct reply *reply, double value);        /* RESP2: bulk string, %.17g */
void reply_boolean(struct reply *reply, bool value);         /* RESP2: 1 or 0 */
void reply_verbatim(struct reply *reply, struct slice text); /* RESP2: bulk string */

/*
 * An error reply: "-" format CRLF. <format> starts with the code ("ERR ..."). CR and LF in what
 * it expands to become blanks; cut at 8 KiB.
 */
void reply_error(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Of a name in such an error, for "%.*s": no more than 256 bytes are repeated. */
static inline int
reply_width(struct slice text)
{
    return text.size < 256 ? (int)text.size : 256;
}

/* Errors that many commands share, with Redis' texts. */
void reply_syntax_error(struct reply *reply);  /* ERR syntax error */
void reply_not_integer(struct reply *reply);   /* ERR value is not an integer or out of range */
void reply_not_float(struct reply *reply);     /* ERR value is not a valid float */
void reply_wrong_type(struct reply *reply);    /* WRONGTYPE Operation against ... */
void reply_out_of_memory(struct reply *reply); /* OOM: an allocation failed */

#endif
