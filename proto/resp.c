#include "proto/resp.h"

#include <stdio.h>
#include <stdlib.h>

enum { SPAN_CAPACITY_MIN = 8, SPAN_CAPACITY_KEPT = 1024, APART_CAPACITY_MIN = 4 };

void
resp_request_init(struct resp_request *request)
{
    *request = (struct resp_request){0};
}

void
resp_request_fini(struct resp_request *request)
{
    free(request->spans);
    free(request->aparts);
    *request = (struct resp_request){0};
}

void
resp_request_clear(struct resp_request *request)
{
    if (request->span_capacity > SPAN_CAPACITY_KEPT) {
        free(request->spans);
        request->spans = NULL;
        request->span_capacity = 0;
    }
    request->position = 0;
    request->argc = 0;
    request->argc_expected = 0;
    request->has_bulk_size = false;
    request->apart_count = 0;
}

static enum resp_result
bad(struct resp_request *request, const char *what)
{
    (void)snprintf(request->error, sizeof(request->error), "Protocol error: %s", what);
    return RESP_BAD;
}

/* Grown by what was read, never by what was announced. */
static bool
add_span(struct resp_request *request, size_t offset, size_t size)
{
    if (request->argc == request->span_capacity) {
        size_t capacity = request->span_capacity * 2;
        capacity = capacity < SPAN_CAPACITY_MIN ? SPAN_CAPACITY_MIN : capacity;
        struct resp_span *spans = realloc(request->spans, capacity * sizeof(*spans));
        if (spans == NULL) {
            return false;
        }
        request->spans = spans;
        request->span_capacity = capacity;
    }
    request->spans[request->argc++] = (struct resp_span){offset, size};
    return true;
}

/*
 * One to three digits without a leading zero, then CRLF: nearly every length there is. Returns
 * the bytes they take, 0 for anything else.
 */
static size_t
parse_short_length(const char *line, size_t available, int64_t *ret_length)
{
    if (available < 5 || line[0] < '1' || line[0] > '9') {
        return 0;
    }
    int64_t length = line[0] - '0';
    for (size_t i = 1; i < 4; i++) {
        if (line[i] == '\r') {
            *ret_length = length;
            return line[i + 1] == '\n' ? i + 2 : 0;
        }
        if (line[i] < '0' || line[i] > '9') {
            return 0;
        }
        length = length * 10 + (line[i] - '0');
    }
    return 0;
}

/*
 * A header line "<type><digits>CRLF" at the position. READY moves past it. What is wrong with
 * the number is the caller's business: *ret_valid is false then.
 */
static enum resp_result
parse_length(struct resp_request *request, const char *data, size_t size, const char *too_long,
             int64_t *ret_length, bool *ret_valid)
{
    const char *line = data + request->position + 1;
    size_t available = size - request->position - 1;
    size_t taken = parse_short_length(line, available, ret_length);
    if (taken > 0) {
        *ret_valid = true;
        request->position += 1 + taken;
        return RESP_READY;
    }
    size_t window = available < RESP_INLINE_SIZE_MAX ? available : RESP_INLINE_SIZE_MAX;
    const char *end = window == 0 ? NULL : memchr(line, '\r', window);
    if (end == NULL) {
        return available >= RESP_INLINE_SIZE_MAX ? bad(request, too_long) : RESP_MORE;
    }
    size_t length = (size_t)(end - line);
    if (length + 1 >= available) {
        return RESP_MORE;
    }
    *ret_valid =
        line[length + 1] == '\n' && slice_to_int64(slice_make(line, length), ret_length);
    request->position += 1 + length + 2;
    return RESP_READY;
}

static enum resp_result
parse_multibulk(struct resp_request *request, const char *data, size_t size,
                const struct resp_limits *limits)
{
    int64_t length = 0;
    bool valid = false;
    if (request->argc_expected == 0) {
        enum resp_result result =
            parse_length(request, data, size, "too big mbulk count string", &length, &valid);
        if (result != RESP_READY) {
            return result;
        }
        if (!valid) {
            return bad(request, "invalid multibulk length");
        }
        if (length <= 0) {
            return RESP_READY;
        }
        if ((uint64_t)length > limits->argc_max) {
            return bad(request, limits->is_authenticated ? "invalid multibulk length"
                                                         : "unauthenticated multibulk length");
        }
        request->argc_expected = (size_t)length;
    }
    while (request->argc < request->argc_expected) {
        if (!request->has_bulk_size) {
            if (request->position >= size) {
                return RESP_MORE;
            }
            if (data[request->position] != '$') {
                char text[32];
                char got = data[request->position];
                (void)snprintf(text, sizeof(text), "expected '$', got '%c'",
                               got >= ' ' && got <= '~' ? got : ' ');
                return bad(request, text);
            }
            enum resp_result result =
                parse_length(request, data, size, "too big bulk count string", &length, &valid);
            if (result != RESP_READY) {
                return result;
            }
            if (!valid || length < 0) {
                return bad(request, "invalid bulk length");
            }
            if ((uint64_t)length > limits->bulk_size_max) {
                return bad(request, limits->is_authenticated ? "invalid bulk length"
                                                             : "unauthenticated bulk length");
            }
            request->bulk_size = (size_t)length;
            request->has_bulk_size = true;
        }
        size_t available = size - request->position;
        if (available < 2 || available - 2 < request->bulk_size) {
            return RESP_MORE;
        }
        const char *end = data + request->position + request->bulk_size;
        if (end[0] != '\r' || end[1] != '\n') {
            return bad(request, "expected CRLF after bulk");
        }
        if (!add_span(request, request->position, request->bulk_size)) {
            return bad(request, "out of memory");
        }
        request->position += request->bulk_size + 2;
        request->has_bulk_size = false;
    }
    return RESP_READY;
}

static bool
is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\0';
}

static int
hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    return byte >= 'A' && byte <= 'F' ? byte - 'A' + 10 : -1;
}

/* Decode the escape at data[*at] == '\\' of a double-quoted run; moves past it. */
static char
decode_escape(const char *data, size_t end, size_t *at)
{
    if (*at + 3 < end && data[*at + 1] == 'x' && hex_value(data[*at + 2]) >= 0 &&
        hex_value(data[*at + 3]) >= 0) {
        int value = hex_value(data[*at + 2]) * 16 + hex_value(data[*at + 3]);
        *at += 4;
        return (char)(unsigned char)value;
    }
    char byte = data[*at + 1];
    *at += 2;
    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return byte;
    }
}

/*
 * One argument from data[*at], as redis-cli quotes: "..." with escapes, '...' with \' only. Its
 * bytes are written to data[*put], which never overtakes *at. False: unbalanced quotes.
 */
static bool
split_argument(char *data, size_t end, size_t *at, size_t *put)
{
    while (*at < end && !is_blank(data[*at])) {
        char quote = data[*at];
        if (quote != '"' && quote != '\'') {
            data[(*put)++] = quote;
            (*at)++;
            continue;
        }
        (*at)++;
        for (;;) {
            if (*at >= end) {
                return false;
            }
            if (data[*at] == quote) {
                (*at)++;
                break;
            }
            if (quote == '"' && data[*at] == '\\' && *at + 1 < end) {
                char byte = decode_escape(data, end, at);
                data[(*put)++] = byte;
            } else if (quote == '\'' && data[*at] == '\\' && *at + 1 < end &&
                       data[*at + 1] == '\'') {
                data[(*put)++] = '\'';
                *at += 2;
            } else {
                data[(*put)++] = data[(*at)++];
            }
        }
        if (*at < end && !is_blank(data[*at])) {
            return false; /* a closing quote must be followed by a blank */
        }
    }
    return true;
}

static enum resp_result
parse_inline(struct resp_request *request, char *data, size_t size,
             const struct resp_limits *limits)
{
    size_t from = request->position; /* looked through before */
    const char *newline = memchr(data + from, '\n', size - from);
    if (newline == NULL) {
        if (size > RESP_INLINE_SIZE_MAX) {
            return bad(request, "too big inline request");
        }
        request->position = size;
        return RESP_MORE;
    }
    size_t end = (size_t)(newline - data);
    if (end > RESP_INLINE_SIZE_MAX) {
        return bad(request, "too big inline request");
    }
    request->position = end + 1;
    if (end > 0 && data[end - 1] == '\r') {
        end--;
    }
    size_t at = 0;
    size_t put = 0;
    for (;;) {
        while (at < end && is_blank(data[at])) {
            at++;
        }
        if (at >= end) {
            return RESP_READY;
        }
        size_t start = put = at;
        if (!split_argument(data, end, &at, &put)) {
            return bad(request, "unbalanced quotes in request");
        }
        if (request->argc >= limits->argc_max) {
            return bad(request, "too many arguments in inline request");
        }
        if (!add_span(request, start, put - start)) {
            return bad(request, "out of memory");
        }
    }
}

enum resp_result
resp_request_parse(struct resp_request *request, char *data, size_t size,
                   const struct resp_limits *limits)
{
    if (size == 0) {
        return RESP_MORE;
    }
    return data[0] == '*' ? parse_multibulk(request, data, size, limits)
                          : parse_inline(request, data, size, limits);
}

enum { LENGTH_DIGITS_MAX = 9 }; /* of what is taken at once */

static inline bool
is_line_end(const char *at)
{
    return memcmp(at, "\r\n", 2) == 0; /* one comparison of 16 bits */
}

/* Behind the line "<digits>CRLF" that starts at <at>; NULL: it is none, or goes on behind
 * <end>. */
static inline const char *
take_length(const char *at, const char *end, size_t *ret_length)
{
    if (end - at < LENGTH_DIGITS_MAX + 2) {
        /* Too near the end to look ahead: only a short one fits, as in "1CRLFxCRLF". */
        if (end - at < 3 || (unsigned char)(at[0] - '0') > 9 || !is_line_end(at + 1)) {
            return NULL;
        }
        *ret_length = (size_t)(at[0] - '0');
        return at + 3;
    }
    size_t length = (unsigned char)(at[0] - '0');
    if (length > 9) {
        return NULL;
    }
    if (!is_line_end(++at)) {
        unsigned digit = (unsigned char)(at[0] - '0');
        const char *last = at + LENGTH_DIGITS_MAX - 1;
        if (length == 0) {
            return NULL; /* a leading zero */
        }
        do {
            if (digit > 9 || at == last) {
                return NULL;
            }
            length = length * 10 + digit;
            digit = (unsigned char)(*++at - '0');
        } while (*at != '\r');
        if (at[1] != '\n') {
            return NULL;
        }
    }
    *ret_length = length;
    return at + 2;
}

size_t
resp_request_take(const char *data, size_t size, const struct resp_limits *limits,
                  size_t argc_max, struct slice *ret_argv, size_t *ret_argc)
{
    const char *end = data + size;
    size_t argc;
    if (size == 0 || data[0] != '*') {
        return 0;
    }
    const char *at = take_length(data + 1, end, &argc);
    if (at == NULL || argc == 0 || argc > argc_max || argc > limits->argc_max) {
        return 0;
    }
    for (size_t i = 0; i < argc; i++) {
        size_t length;
        if (at == end || *at != '$' || (at = take_length(at + 1, end, &length)) == NULL ||
            length > limits->bulk_size_max || (size_t)(end - at) < length + 2 ||
            !is_line_end(at + length)) {
            return 0;
        }
        ret_argv[i] = slice_make(at, length);
        at += length + 2;
    }
    *ret_argc = argc;
    return (size_t)(at - data);
}

bool
resp_request_set_apart(struct resp_request *request, const char *bytes)
{
    if (request->apart_count == request->apart_capacity) {
        size_t capacity = request->apart_capacity * 2;
        capacity = capacity < APART_CAPACITY_MIN ? APART_CAPACITY_MIN : capacity;
        struct resp_apart *aparts = realloc(request->aparts, capacity * sizeof(*aparts));
        if (aparts == NULL) {
            return false;
        }
        request->aparts = aparts;
        request->apart_capacity = capacity;
    }
    request->aparts[request->apart_count++] =
        (struct resp_apart){request->argc, slice_make(bytes, request->bulk_size)};
    request->bulk_size = 0;
    return true;
}

size_t
resp_request_missing(const struct resp_request *request, size_t size)
{
    if (!request->has_bulk_size) {
        return 0;
    }
    size_t need = request->position + request->bulk_size + 2;
    return need > size ? need - size : 0;
}
