#include "proto/resp_reply.h"

/* A value is its type byte, then a line, then for bulks a body. */
enum state { AT_TYPE, IN_LINE, IN_NUMBER, AT_NUMBER_LF, IN_BODY, AT_BODY_CR, AT_BODY_LF };

/* More values than any server sends; below it, sums of lengths cannot overflow. */
static const uint64_t VALUES_MAX = (uint64_t)1 << 48;
static const uint64_t BULK_SIZE_MAX = (uint64_t)1 << 48;

void
resp_reply_init(struct resp_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
}

static bool
begin_value(struct resp_reply *reply, char type)
{
    if (!reply->is_begun) {
        reply->is_begun = true;
        reply->values_left = 1;
        reply->kind = type;
        reply->is_null = type == '_';
        reply->is_push = type == '>';
        reply->text_size = 0;
    }
    reply->type = type;
    reply->number = 0;
    reply->digit_count = 0;
    reply->is_negative = false;
    switch (type) {
    case '+':
    case '-':
    case ':':
    case '_':
    case ',':
    case '(':
    case '#':
        reply->state = IN_LINE;
        return true;
    case '$':
    case '!':
    case '=':
    case '*':
    case '~':
    case '>':
    case '%':
    case '|':
        reply->state = IN_NUMBER;
        return true;
    default:
        return false;
    }
}

static void
keep_text(struct resp_reply *reply, const char *data, size_t size)
{
    size_t room = sizeof(reply->text) - reply->text_size;
    size = size < room ? size : room;
    memcpy(reply->text + reply->text_size, data, size);
    reply->text_size += size;
}

static void
end_value(struct resp_reply *reply)
{
    reply->values_left--;
    reply->state = AT_TYPE;
}

static bool
end_number(struct resp_reply *reply)
{
    if (reply->digit_count == 0 || (reply->is_negative && reply->number != 1)) {
        return false;
    }
    bool is_top = reply->kind == reply->type && reply->values_left == 1;
    if (reply->is_negative) {
        if (reply->type != '$' && reply->type != '*') {
            return false;
        }
        reply->is_null = reply->is_null || is_top;
        end_value(reply);
        return true;
    }
    if (reply->type == '$' || reply->type == '!' || reply->type == '=') {
        reply->state = reply->number == 0 ? AT_BODY_CR : IN_BODY;
        return reply->number <= BULK_SIZE_MAX;
    }
    if (reply->number > VALUES_MAX) {
        return false;
    }
    bool is_pairs = reply->type == '%' || reply->type == '|';
    reply->values_left += is_pairs ? reply->number * 2 : reply->number;
    if (reply->type == '|') {
        reply->values_left++; /* the value that it is an attribute of */
    }
    end_value(reply);
    return reply->values_left <= VALUES_MAX;
}

/* One byte of a length; false for what is none. */
static bool
take_digit(struct resp_reply *reply, char byte)
{
    if (byte == '-' && reply->digit_count == 0 && !reply->is_negative) {
        reply->is_negative = true;
        return true;
    }
    if (byte < '0' || byte > '9' || reply->digit_count == RESP_REPLY_DIGITS_MAX - 2) {
        return false;
    }
    reply->number = reply->number * 10 + (uint64_t)(byte - '0');
    reply->digit_count++;
    return true;
}

/* Take one step inside the value at <data>, <size> > 0; 0 when the bytes are wrong. */
static size_t
step(struct resp_reply *reply, const char *data, size_t size)
{
    switch ((enum state)reply->state) {
    case AT_TYPE:
        return begin_value(reply, *data) ? 1 : 0;
    case IN_LINE: {
        const char *end = memchr(data, '\n', size);
        size_t line = end == NULL ? size : (size_t)(end - data);
        if (reply->kind == '-') {
            keep_text(reply, data, line);
        }
        if (end == NULL) {
            return size;
        }
        if (reply->text_size > 0 && reply->text[reply->text_size - 1] == '\r') {
            reply->text_size--;
        }
        end_value(reply);
        return line + 1;
    }
    case IN_NUMBER:
        if (*data == '\r') {
            reply->state = AT_NUMBER_LF;
            return 1;
        }
        return take_digit(reply, *data) ? 1 : 0;
    case AT_NUMBER_LF:
        return *data == '\n' && end_number(reply) ? 1 : 0;
    case IN_BODY: {
        size_t used = reply->number < size ? (size_t)reply->number : size;
        reply->number -= used;
        if (reply->number == 0) {
            reply->state = AT_BODY_CR;
        }
        return used;
    }
    case AT_BODY_CR:
        reply->state = AT_BODY_LF;
        return *data == '\r' ? 1 : 0;
    case AT_BODY_LF:
        if (*data != '\n') {
            return 0;
        }
        end_value(reply);
        return 1;
    }
    return 0;
}

enum resp_result
resp_reply_skip(struct resp_reply *reply, const char *data, size_t size, size_t *ret_used)
{
    size_t at = 0;
    while (at < size) {
        size_t used = step(reply, data + at, size - at);
        if (used == 0) {
            *ret_used = at;
            return RESP_BAD;
        }
        at += used;
        if (reply->state == AT_TYPE && reply->values_left == 0) {
            reply->is_begun = false;
            if (!reply->is_push) {
                *ret_used = at;
                return RESP_READY;
            }
        }
    }
    *ret_used = at;
    return RESP_MORE;
}
