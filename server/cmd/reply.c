#include "server/cmd/reply.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { REPLY_ERROR_SIZE_MAX = 8 * 1024 };

enum { REPLY_HEADER_SIZE_MAX = 24 };

/* The digits of <value>, CRLF; returns what is behind. */
static char *
write_number(char *at, uint64_t value)
{
    char digits[20];
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    memcpy(at, digits + first, sizeof(digits) - first);
    at += sizeof(digits) - first;
    memcpy(at, "\r\n", 2);
    return at + 2;
}

/* <type> followed by a number and CRLF, at <at>; returns what is behind. */
static inline char *
write_header(char *at, char type, int64_t value)
{
    *at = type;
    if (value >= 1000 || value < 0) {
        at[1] = '-';
        return value < 0 ? write_number(at + 2, ~(uint64_t)value + 1)
                         : write_number(at + 1, (uint64_t)value);
    }
    /* Nearly all there are: at most three digits. The leading ones are written over. */
    unsigned small = (unsigned)value;
    unsigned hundreds = small / 100;
    unsigned tens = small / 10 % 10;
    at[1] = (char)('0' + hundreds);
    at += 1 + (small >= 100);
    at[0] = (char)('0' + tens);
    at += small >= 10;
    at[0] = (char)('0' + small % 10);
    memcpy(at + 1, "\r\n", 2);
    return at + 3;
}

static void
append_header(struct reply *reply, char type, int64_t value)
{
    char *room = buffer_reserve(reply->out, REPLY_HEADER_SIZE_MAX);
    if (room != NULL) {
        buffer_commit(reply->out, (size_t)(write_header(room, type, value) - room));
    }
}

void
reply_ok(struct reply *reply)
{
    buffer_append(reply->out, "+OK\r\n", 5);
}

void
reply_simple(struct reply *reply, const char *text)
{
    buffer_append_char(reply->out, '+');
    buffer_append_string(reply->out, text);
    buffer_append(reply->out, "\r\n", 2);
}

void
reply_integer(struct reply *reply, int64_t value)
{
    append_header(reply, ':', value);
}

void
reply_bulk(struct reply *reply, struct slice bytes)
{
    char *room = buffer_reserve(reply->out, REPLY_HEADER_SIZE_MAX + bytes.size + 2);
    if (room != NULL) {
        char *at = write_header(room, '$', (int64_t)bytes.size);
        if (bytes.size > 0) {
            memcpy(at, bytes.data, bytes.size);
        }
        memcpy(at + bytes.size, "\r\n", 2);
        buffer_commit(reply->out, (size_t)(at - room) + bytes.size + 2);
    }
}

void
reply_block(struct reply *reply, struct slice bytes, struct block *block)
{
    if (bytes.size < BLOCK_SIZE_MIN || reply->references == NULL) {
        reply_bulk(reply, bytes);
        return;
    }
    append_header(reply, '$', (int64_t)bytes.size);
    if (!reply->out->failed &&
        !references_add(reply->references, reply->out->size, bytes, block)) {
        reply->out->failed = true;
    }
    buffer_append(reply->out, "\r\n", 2);
}

void
reply_cut(struct reply *reply, size_t size)
{
    reply->out->size = size;
    if (reply->references != NULL) {
        references_cut(reply->references, size);
    }
}

size_t
reply_bulk_gap(struct reply *reply, size_t size)
{
    append_header(reply, '$', (int64_t)size);
    size_t offset = reply->out->size;
    char *room = buffer_reserve(reply->out, size + 2);
    if (room != NULL) {
        memcpy(room + size, "\r\n", 2);
        buffer_commit(reply->out, size + 2);
    }
    return offset;
}

void
reply_string(struct reply *reply, const char *text)
{
    reply_bulk(reply, slice_from_string(text));
}

void
reply_null(struct reply *reply)
{
    if (reply->resp >= 3) {
        buffer_append(reply->out, "_\r\n", 3);
    } else {
        buffer_append(reply->out, "$-1\r\n", 5);
    }
}

void
reply_null_array(struct reply *reply)
{
    if (reply->resp >= 3) {
        buffer_append(reply->out, "_\r\n", 3);
    } else {
        buffer_append(reply->out, "*-1\r\n", 5);
    }
}

void
reply_array(struct reply *reply, size_t count)
{
    append_header(reply, '*', (int64_t)count);
}

void
reply_map(struct reply *reply, size_t pair_count)
{
    if (reply->resp >= 3) {
        append_header(reply, '%', (int64_t)pair_count);
    } else {
        append_header(reply, '*', (int64_t)pair_count * 2);
    }
}

void
reply_set(struct reply *reply, size_t count)
{
    append_header(reply, reply->resp >= 3 ? '~' : '*', (int64_t)count);
}

void
reply_push(struct reply *reply, size_t count)
{
    append_header(reply, reply->resp >= 3 ? '>' : '*', (int64_t)count);
}

void
reply_double(struct reply *reply, double value)
{
    char text[40];
    int size;
    if (isinf(value)) {
        size = snprintf(text, sizeof(text), "%s", value < 0 ? "-inf" : "inf");
    } else {
        size = snprintf(text, sizeof(text), "%.17g", value);
    }
    if (reply->resp >= 3) {
        buffer_append_char(reply->out, ',');
        buffer_append(reply->out, text, (size_t)size);
        buffer_append(reply->out, "\r\n", 2);
    } else {
        reply_bulk(reply, slice_make(text, (size_t)size));
    }
}

void
reply_boolean(struct reply *reply, bool value)
{
    if (reply->resp >= 3) {
        buffer_append(reply->out, value ? "#t\r\n" : "#f\r\n", 4);
    } else {
        reply_integer(reply, value);
    }
}

void
reply_verbatim(struct reply *reply, struct slice text)
{
    if (reply->resp < 3) {
        reply_bulk(reply, text);
        return;
    }
    append_header(reply, '=', (int64_t)text.size + 4);
    buffer_append(reply->out, "txt:", 4);
    buffer_append_slice(reply->out, text);
    buffer_append(reply->out, "\r\n", 2);
}

void
reply_error(struct reply *reply, const char *format, ...)
{
    char text[REPLY_ERROR_SIZE_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    size_t used = size < 0 ? 0 : (size_t)size;
    used = used < sizeof(text) ? used : sizeof(text) - 1;
    for (size_t i = 0; i < used; i++) {
        if (text[i] == '\r' || text[i] == '\n') {
            text[i] = ' ';
        }
    }
    reply->errors++;
    buffer_append_char(reply->out, '-');
    buffer_append(reply->out, text, used);
    buffer_append(reply->out, "\r\n", 2);
}

void
reply_syntax_error(struct reply *reply)
{
    reply_error(reply, "ERR syntax error");
}

void
reply_not_integer(struct reply *reply)
{
    reply_error(reply, "ERR value is not an integer or out of range");
}

void
reply_not_float(struct reply *reply)
{
    reply_error(reply, "ERR value is not a valid float");
}

void
reply_wrong_type(struct reply *reply)
{
    reply_error(reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void
reply_out_of_memory(struct reply *reply)
{
    reply_error(reply, "OOM command not allowed when used memory > 'maxmemory'.");
}
