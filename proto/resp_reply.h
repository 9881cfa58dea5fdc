/*
 * resp_reply - find where replies end, RESP2 and RESP3, without building them.
 *
 * Bytes come in as they may and are never looked at twice: nothing of the input is kept but the
 * first byte of the reply and, of an error, its line. Pushes ('>') are skipped and are no
 * replies; attributes ('|') belong to the reply behind them. Streamed types ('?') are BAD.
 *
 * Thread:   owned by one thread at a time. A plain value: nothing to free.
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
#ifndef PROTO_RESP_REPLY_H
#define PROTO_RESP_REPLY_H

#include "proto/resp.h"

enum {
    RESP_REPLY_TEXT_SIZE = 128, /* of an error's line, what is longer is cut */
    RESP_REPLY_DIGITS_MAX = 20,
};

struct resp_reply {
    char kind;      /* first byte of the reply or of its attribute; valid when READY */
    bool is_null;   /* "$-1", "*-1" or "_"; valid when READY */
    bool is_push;   /* what is being skipped is no reply */
    bool is_begun;  /* some bytes of the value have been seen */
    unsigned state; /* of the value being skipped */
    uint64_t values_left;
    uint64_t number; /* a length as far as it has been read, then bytes left of a bulk */
    unsigned digit_count;
    bool is_negative;
    char type; /* first byte of the value being skipped */
    size_t text_size;
    char text[RESP_REPLY_TEXT_SIZE]; /* of an error: its line without '-' and CRLF */
};

void resp_reply_init(struct resp_reply *reply);

/*
 * Skip on over <data>, which goes on where the last call ended, to the end of one reply: READY,
 * and the next call begins the next one. MORE: all of <data> belongs to it. BAD: this is no
 * RESP. <ret_used> is the count of bytes skipped. O(lines), not O(bytes) of bulks.
 */
enum resp_result resp_reply_skip(struct resp_reply *reply, const char *data, size_t size,
                                 size_t *ret_used);

#endif
