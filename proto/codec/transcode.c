#include "proto/codec/transcode.h"

#include <stdio.h>

#include "proto/codec/decimal.h"
#include "proto/codec/json.h"

/* One transcoding at work. */
struct transcoder {
    const struct codec *from;
    const struct codec *to;
    struct arena *arena;
    struct writer *out;
    struct slice empties;
    const struct tree_node *root;
};

/* --- places: the names and indexes from the root to a value, each behind its size --------- */

enum { TOKEN_SIZE = 4 };

static void
place_token(struct writer *place, struct slice text)
{
    for (unsigned i = 0; i < TOKEN_SIZE; i++) {
        writer_char(place, (char)(text.size >> (8 * i)));
    }
    writer_bytes(place, text);
}

/* Append where <node> stands, from the inside out. */
static bool
place_put(const struct codec *codec, const struct tree_node *root, const struct tree_node *node,
          struct arena *arena, struct writer *place)
{
    for (; node != root; node = node->parent) {
        char number[24];
        struct slice text;
        if (node->key_size > 0) {
            if (!codec->key_text(tree_key(node), arena, &text)) {
                return false;
            }
        } else {
            size_t index = 0;
            for (const struct tree_node *prev = node->prev; prev != NULL; prev = prev->prev) {
                index++;
            }
            text = slice_make(number, (size_t)snprintf(number, sizeof(number), "%zu", index));
        }
        place_token(place, text);
    }
    return !place->failed;
}

/* Is <node>, an empty container, among those listed? False without memory. */
static bool
find_listed(struct transcoder *at, const struct tree_node *node, bool *ret_listed)
{
    struct writer place = writer_in(at->arena);
    struct slice left = at->empties;
    *ret_listed = false;
    if (left.size == 0) {
        return true;
    }
    if (!place_put(at->from, at->root, node, at->arena, &place)) {
        return false;
    }
    while (left.size >= TOKEN_SIZE && !*ret_listed) {
        size_t size = 0;
        for (unsigned i = 0; i < TOKEN_SIZE; i++) {
            size |= (size_t)(uint8_t)left.data[i] << (8 * i);
        }
        left = slice_make(left.data + TOKEN_SIZE, left.size - TOKEN_SIZE);
        if (size > left.size) {
            break;
        }
        *ret_listed = slice_equal(slice_make(left.data, size), writer_slice(&place));
        left = slice_make(left.data + size, left.size - size);
    }
    return true;
}

/* The container behind <node>, or in it, in the order in which they stand; NULL at the end. */
static struct tree_node *
next_node(const struct tree_node *root, struct tree_node *node)
{
    struct tree_node *first = tree_first(node);
    if (first != NULL) {
        return first;
    }
    while (node != root && node->next == NULL) {
        node = node->parent;
    }
    return node == root ? NULL : node->next;
}

bool
transcode_empties(const struct codec *codec, struct tree_node *root, struct arena *arena,
                  struct slice *ret_empties)
{
    struct writer all = writer_in(arena);
    struct writer place = writer_in(arena);
    unsigned count = 0;
    bool done = true;
    for (struct tree_node *node = root; node != NULL && done; node = next_node(root, node)) {
        done = tree_open(codec, node, arena);
        if (done && node != root && node->type == KIND_OBJECT && node->box->count == 0 &&
            count++ < TRANSCODE_EMPTIES_MAX) {
            place.size = 0;
            done = place_put(codec, root, node, arena, &place);
            place_token(&all, writer_slice(&place));
        }
    }
    *ret_empties = writer_slice(&all);
    return done && !all.failed;
}

/* --- values ------------------------------------------------------------------------------ */

/* A number that <to> holds exactly. */
static enum codec_status
number_put(struct transcoder *at, struct slice raw, struct slice *ret_fresh)
{
    struct slice text;
    struct slice again;
    enum codec_status status = at->from->number_text(raw, at->arena, &text);
    if (status == CODEC_OK) {
        status = at->to->number_encode(at->arena, text, ret_fresh);
    }
    if (status == CODEC_OK) {
        status = at->to->number_text(*ret_fresh, at->arena, &again);
    }
    return status == CODEC_OK && !decimal_equal(text, again) ? CODEC_RANGE : status;
}

/* A string of <from>: as text, or as bytes. */
static enum codec_status
string_put(struct transcoder *at, bool is_bytes, struct slice raw, struct slice *ret_fresh)
{
    struct slice text;
    if (!at->from->string_text(raw, at->arena, &text)) {
        return CODEC_NO_MEMORY;
    }
    bool readable = json_is_text(text);
    if (at->to->is_text_or_bytes) {
        if (is_bytes && readable) {
            return CODEC_RANGE; /* it would come back as text */
        }
        is_bytes = false;
    } else if (at->from->is_text_or_bytes) {
        is_bytes = !readable;
    } else if (!is_bytes && !readable) {
        return CODEC_RANGE;
    }
    if (is_bytes) {
        return at->to->bytes_encode == NULL                       ? CODEC_RANGE
               : at->to->bytes_encode(at->arena, text, ret_fresh) ? CODEC_OK
                                                                  : CODEC_NO_MEMORY;
    }
    return at->to->string_encode(at->arena, text, ret_fresh) ? CODEC_OK : CODEC_NO_MEMORY;
}

static enum codec_status
scalar_put(struct transcoder *at, enum kind kind, struct slice raw)
{
    enum codec_status status = CODEC_OK;
    struct slice fresh = {NULL, 0};
    switch (kind) {
    case KIND_NULL:
        fresh = at->to->null;
        break;
    case KIND_FALSE:
    case KIND_TRUE:
        fresh = at->to->truth[kind == KIND_TRUE];
        break;
    case KIND_NUMBER:
        status = number_put(at, raw, &fresh);
        break;
    case KIND_STRING:
    case KIND_BYTES:
        status = string_put(at, kind == KIND_BYTES, raw, &fresh);
        break;
    default:
        status = CODEC_RANGE;
    }
    if (status == CODEC_OK) {
        writer_bytes(at->out, fresh);
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
            if (at->from != at->to || at->from->kind(tree_key(node)) >= KIND_OTHER) {
                return CODEC_RANGE;
            }
            writer_bytes(at->out, tree_key(node)); /* no name, but in both */
            return CODEC_OK;
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
    writer_bytes(at->out, fresh);
    writer_bytes(at->out, at->to->colon);
    return CODEC_OK;
}

/* Before the children of a container, and behind them. */
static void
header_put(struct transcoder *at, bool object, size_t count)
{
    if (!codec_is_framed(at->to)) {
        writer_char(at->out, object ? '{' : '[');
        return;
    }
    char header[CODEC_HEADER_MAX];
    struct slice empty = object ? at->to->empty_object : at->to->empty_array;
    writer_bytes(at->out, slice_make(header, at->to->put_header(empty, count, header)));
}

static void
footer_put(struct transcoder *at, bool object)
{
    if (!codec_is_framed(at->to)) {
        writer_char(at->out, object ? '}' : ']');
    } else {
        writer_bytes(at->out, at->to->footer);
    }
}

/* A container being written. */
struct level {
    struct level *up;
    struct tree_node *next;
    size_t index;
    bool object;
};

/* Would the object <node> be a list to <to>, which tells them apart by their names? */
static bool
would_be_list(struct transcoder *at, const struct tree_node *node)
{
    uint64_t index = 0;
    for (const struct tree_node *child = tree_first(node); child != NULL;
         child = child->next, index++) {
        char number[24];
        int size = snprintf(number, sizeof(number), "%llu", (unsigned long long)index);
        if (!at->from->key_is(tree_key(child), slice_make(number, (size_t)size))) {
            return false;
        }
    }
    return index > 0 && at->from->is_position == NULL;
}

enum codec_status
transcode(const struct codec *from, const struct codec *to, struct tree_node *node,
          struct arena *arena, struct writer *out, const struct tree_node **ret_where)
{
    return transcode_with(from, to, node, (struct slice){NULL, 0}, arena, out, ret_where);
}

enum codec_status
transcode_with(const struct codec *from, const struct codec *to, struct tree_node *node,
               struct slice empties, struct arena *arena, struct writer *out,
               const struct tree_node **ret_where)
{
    struct transcoder at = {from, to, arena, out, empties, node};
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
            bool listed = false;
            if (kind == KIND_EMPTY && top != NULL && !find_listed(&at, node, &listed)) {
                return CODEC_NO_MEMORY;
            }
            level->object =
                kind == KIND_OBJECT || (kind == KIND_EMPTY && (top == NULL || listed));
            if (kind == KIND_OBJECT && to->is_position != NULL && would_be_list(&at, node)) {
                return CODEC_RANGE;
            }
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
            writer_char(out, ',');
        }
        *ret_where = node;
        status = key_put(&at, node, top->object, top->index++);
        if (status != CODEC_OK) {
            return status;
        }
    }
}
