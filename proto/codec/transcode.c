#include "proto/codec/transcode.h"

#include <stdio.h>

/* One transcoding at work. */
struct transcoder {
    const struct codec *from;
    const struct codec *to;
    struct arena *arena;
    struct buffer *out;
};

static enum codec_status
scalar_put(struct transcoder *at, enum kind kind, struct slice raw)
{
    enum codec_status status = CODEC_OK;
    struct slice text;
    struct slice fresh;
    switch (kind) {
    case KIND_NULL:
        fresh = at->to->null;
        break;
    case KIND_FALSE:
    case KIND_TRUE:
        fresh = at->to->truth[kind == KIND_TRUE];
        break;
    case KIND_NUMBER:
        status = at->from->number_text(raw, at->arena, &text);
        if (status == CODEC_OK) {
            status = at->to->number_encode(at->arena, text, &fresh);
        }
        break;
    case KIND_STRING:
        if (!at->from->string_text(raw, at->arena, &text) ||
            !at->to->string_encode(at->arena, text, &fresh)) {
            status = CODEC_NO_MEMORY;
        } else if (!at->to->is_value(fresh, 0)) {
            status = CODEC_RANGE; /* not UTF-8 */
        }
        break;
    case KIND_BYTES:
        if (at->to->bytes_encode == NULL) {
            status = CODEC_RANGE;
        } else if (!at->from->string_text(raw, at->arena, &text) ||
                   !at->to->bytes_encode(at->arena, text, &fresh)) {
            status = CODEC_NO_MEMORY;
        }
        break;
    default:
        status = CODEC_RANGE;
    }
    if (status == CODEC_OK) {
        buffer_append_slice(at->out, fresh);
    }
    return status;
}

static enum codec_status
key_put(struct transcoder *at, const struct tree_node *node, bool object, size_t index)
{
    struct slice text;
    struct slice fresh;
    char number[24];
    if (object) {
        if (!at->from->key_text(tree_key(node), at->arena, &text)) {
            return CODEC_NO_MEMORY;
        }
        if (!at->from->key_is(tree_key(node), text)) {
            return CODEC_RANGE;
        }
    } else if (at->to->is_position != NULL) {
        text = slice_make(number, (size_t)snprintf(number, sizeof(number), "%zu", index));
    } else {
        return CODEC_OK;
    }
    if (!at->to->key_encode(at->arena, text, &fresh)) {
        return CODEC_NO_MEMORY;
    }
    if (!at->to->key_is_valid(fresh)) {
        return CODEC_RANGE;
    }
    buffer_append_slice(at->out, fresh);
    buffer_append_slice(at->out, at->to->colon);
    return CODEC_OK;
}

/* Before the children of a container, and behind them. */
static void
header_put(struct transcoder *at, bool object, size_t count)
{
    if (!codec_is_framed(at->to)) {
        buffer_append_char(at->out, object ? '{' : '[');
        return;
    }
    char header[CODEC_HEADER_MAX];
    struct slice empty = object ? at->to->empty_object : at->to->empty_array;
    buffer_append(at->out, header, at->to->put_header(empty, count, header));
}

static void
footer_put(struct transcoder *at, bool object)
{
    if (!codec_is_framed(at->to)) {
        buffer_append_char(at->out, object ? '}' : ']');
    } else {
        buffer_append_slice(at->out, at->to->footer);
    }
}

/* A container being written. */
struct level {
    struct level *up;
    struct tree_node *next;
    size_t index;
    bool object;
};

enum codec_status
transcode(const struct codec *from, const struct codec *to, struct tree_node *node,
          struct arena *arena, struct buffer *out, const struct tree_node **ret_where)
{
    struct transcoder at = {from, to, arena, out};
    struct level *top = NULL;
    for (;;) {
        enum kind kind = tree_kind(node);
        enum codec_status status = CODEC_OK;
        *ret_where = node;
        if (kind_is_container(kind)) {
            struct level *level = arena_calloc(arena, 1, sizeof(*level));
            if (level == NULL || !tree_open(from, node, arena)) {
                return CODEC_NO_MEMORY;
            }
            level->up = top;
            level->next = tree_first(node);
            level->object = kind == KIND_OBJECT || (kind == KIND_EMPTY && top == NULL);
            header_put(&at, level->object, node->box->count);
            top = level;
        } else {
            status = scalar_put(&at, kind, slice_make(node->value, node->value_size));
        }
        if (status != CODEC_OK) {
            return status;
        }
        while (top != NULL && top->next == NULL) {
            footer_put(&at, top->object);
            top = top->up;
        }
        if (top == NULL) {
            return out->failed ? CODEC_NO_MEMORY : CODEC_OK;
        }
        node = top->next;
        top->next = node->next;
        if (top->index > 0 && !codec_is_framed(to)) {
            buffer_append_char(out, ',');
        }
        *ret_where = node;
        status = key_put(&at, node, top->object, top->index++);
        if (status != CODEC_OK) {
            return status;
        }
    }
}
