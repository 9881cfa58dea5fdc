/* Strings edited or read in part: APPEND, ranges, and counters. */
#include "server/cmd/argument.h"
#include "server/cmd/edit.h"
#include "server/cmd/handlers.h"
#include "server/cmd/number.h"
#include "server/cmd/range.h"

void
cmd_strlen(struct request *request)
{
    struct value_view view;
    enum value_find found = value_look(request, &request->keys[0], &view);
    if (found != VALUE_FAILED) {
        reply_integer(request->reply, found == VALUE_FOUND ? (int64_t)value_size(&view) : 0);
    }
}

/* Write <patch> at <offset> of the string whose <view> was read, and answer its size. */
static void
patch_string(struct request *request, struct slice view, size_t offset, struct slice patch)
{
    const struct key *key = &request->keys[0];
    struct edit edit;
    if (!edit_open(request, key, view, offset + patch.size, offset, &edit)) {
        return;
    }
    if (patch.size > 0) {
        memcpy(edit.bytes + offset, patch.data, patch.size);
    }
    if (edit_close(request, key, &edit)) {
        reply_integer(request->reply, (int64_t)edit.size);
    }
}

void
cmd_append(struct request *request)
{
    struct slice view;
    struct slice tail = request->argv[2];
    bool exists;
    if (!edit_read(request, &request->keys[0], &view, &exists) ||
        (exists && !argument_string_fits(request, view.size, tail.size))) {
        return;
    }
    patch_string(request, view, view.size, tail);
}

void
cmd_getrange(struct request *request)
{
    int64_t first;
    int64_t last;
    struct slice view = SLICE("");
    if (!argument_int64(request, 2, &first) || !argument_int64(request, 3, &last)) {
        return;
    }
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FAILED) {
        return;
    }
    struct range range;
    if (found == VALUE_FOUND && !range_is_reversed(first, last) &&
        range_resolve(first, last, view.size, &range)) {
        value_reply(
            request, &request->keys[0],
            slice_make(view.data + range.first, (size_t)(range.last - range.first + 1)));
    } else {
        reply_bulk(request->reply, SLICE_OF(""));
    }
}

void
cmd_setrange(struct request *request)
{
    int64_t offset;
    struct slice patch = request->argv[3];
    struct slice view;
    bool exists;
    if (!argument_int64(request, 2, &offset)) {
        return;
    }
    if (offset < 0) {
        reply_error(request->reply, "ERR offset is out of range");
        return;
    }
    if (!edit_read(request, &request->keys[0], &view, &exists)) {
        return;
    }
    if (patch.size == 0) {
        reply_integer(request->reply, (int64_t)view.size);
        return;
    }
    if (!argument_string_fits(request, (uint64_t)offset, patch.size)) {
        return;
    }
    patch_string(request, view, (size_t)offset, patch);
}

/* ---- counters ---- */

static void
increment(struct request *request, int64_t amount)
{
    struct slice view;
    bool exists;
    int64_t value = 0;
    if (!edit_read(request, &request->keys[0], &view, &exists)) {
        return;
    }
    if (exists && !slice_to_int64(view, &value)) {
        reply_not_integer(request->reply);
        return;
    }
    if (__builtin_add_overflow(value, amount, &value)) {
        reply_error(request->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_INT64_SIZE];
    if (value_write(request, &request->keys[0], number_format_int64(text, value),
                    VALUE_KEEP_TTL)) {
        reply_integer(request->reply, value);
    }
}

void
cmd_incr(struct request *request)
{
    increment(request, 1);
}

void
cmd_decr(struct request *request)
{
    increment(request, -1);
}

void
cmd_incrby(struct request *request)
{
    int64_t amount;
    if (argument_int64(request, 2, &amount)) {
        increment(request, amount);
    }
}

void
cmd_decrby(struct request *request)
{
    int64_t amount;
    if (!argument_int64(request, 2, &amount)) {
        return;
    }
    if (amount == INT64_MIN) {
        reply_error(request->reply, "ERR decrement would overflow");
        return;
    }
    increment(request, -amount);
}

void
cmd_incrbyfloat(struct request *request)
{
    struct slice view;
    bool exists;
    long double value = 0;
    long double amount;
    if (!edit_read(request, &request->keys[0], &view, &exists)) {
        return;
    }
    if (exists && !number_parse(view, &value)) {
        reply_not_float(request->reply);
        return;
    }
    if (!argument_float(request, 2, &amount)) {
        return;
    }
    char text[NUMBER_TEXT_SIZE];
    struct slice sum;
    if (!number_add(request->reply, value, amount, text, &sum)) {
        return;
    }
    if (value_write(request, &request->keys[0], sum, VALUE_KEEP_TTL)) {
        reply_bulk(request->reply, sum);
    }
}
