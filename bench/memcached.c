#include "bench/memcached.h"

void
memcached_reply_init(struct memcached_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
}

static bool
line_starts_with(const struct memcached_reply *reply, const char *text)
{
    return slice_starts_with(slice_make(reply->line, reply->line_size),
                             slice_from_string(text));
}

/* The size is the fourth word: VALUE key flags size. */
static bool
begin_value(struct memcached_reply *reply)
{
    size_t end = reply->line_size;
    size_t start = end;
    while (start > 0 && reply->line[start - 1] != ' ') {
        start--;
    }
    uint64_t size;
    if (!slice_to_uint64(slice_make(reply->line + start, end - start), &size) ||
        size > (uint64_t)1 << 40) {
        return false;
    }
    reply->has_value = true;
    reply->body_left = size + 2;
    return true;
}

/* A whole line without CRLF has come. */
static enum resp_result
take_line(struct memcached_reply *reply)
{
    if (line_starts_with(reply, "VALUE ")) {
        return begin_value(reply) ? RESP_MORE : RESP_BAD;
    }
    bool is_end = slice_equal(slice_make(reply->line, reply->line_size), SLICE_OF("END"));
    reply->is_miss = (is_end && !reply->has_value) || line_starts_with(reply, "NOT_FOUND");
    reply->is_error = line_starts_with(reply, "ERROR") ||
                      line_starts_with(reply, "CLIENT_ERROR") ||
                      line_starts_with(reply, "SERVER_ERROR");
    reply->has_value = false;
    return RESP_READY;
}

enum resp_result
memcached_reply_skip(struct memcached_reply *reply, const char *data, size_t size,
                     size_t *ret_used)
{
    bool is_new = true;
    for (size_t at = 0; at < size;) {
        if (reply->body_left > 0) {
            size_t used = reply->body_left < size - at ? (size_t)reply->body_left : size - at;
            reply->body_left -= used;
            at += used;
            reply->line_size = 0;
            continue;
        }
        if (is_new && reply->line_size > 0 && reply->line[reply->line_size - 1] == '\n') {
            reply->line_size =
                0; /* the line of the reply before, kept for who wants to see it */
        }
        is_new = false;
        const char *end = memchr(data + at, '\n', size - at);
        size_t part = end == NULL ? size - at : (size_t)(end - data) - at + 1;
        if (part > sizeof(reply->line) - reply->line_size) {
            *ret_used = at;
            return RESP_BAD;
        }
        memcpy(reply->line + reply->line_size, data + at, part);
        reply->line_size += part;
        at += part;
        if (end == NULL) {
            break;
        }
        size_t whole = reply->line_size;
        reply->line_size -= whole > 1 && reply->line[whole - 2] == '\r' ? 2 : 1;
        enum resp_result result = take_line(reply);
        if (result != RESP_MORE) {
            reply->line_size = whole;
            *ret_used = at;
            return result;
        }
    }
    *ret_used = size;
    return RESP_MORE;
}
