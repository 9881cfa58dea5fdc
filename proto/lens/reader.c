#include "proto/lens/reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/base/buffer.h"
#include "proto/codec/decimal.h"
#include "proto/codec/transcode.h"

void
path_append(char *path, size_t capacity, struct slice text, bool escape)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < text.size && size + 3 < capacity; i++) {
        char byte = text.data[i];
        if (escape && (byte == '~' || byte == '/')) {
            path[size++] = '~';
            byte = byte == '~' ? '0' : '1';
        }
        path[size++] = byte >= ' ' && byte <= '~' ? byte : '?';
    }
    path[size] = '\0';
}

/* The JSON Pointer of <node>: its ancestors are few, so each level is found by recursion-free
 * collection of the chain. */
static void
path_of(const struct tree_node *node, char *path, size_t capacity)
{
    const struct tree_node *chain[64];
    size_t count = 0;
    for (; node != NULL && node->parent != NULL && count < 64; node = node->parent) {
        chain[count++] = node;
    }
    path[0] = '\0';
    while (count > 0) {
        const struct tree_node *at = chain[--count];
        path_append(path, capacity, SLICE_OF("/"), false);
        if (at->key_size > 0) {
            struct slice raw = tree_key(at);
            path_append(path, capacity, slice_make(raw.data + 1, raw.size - 2), true);
        } else {
            size_t index = 0;
            char number[24];
            for (const struct tree_node *prev = at->prev; prev != NULL; prev = prev->prev) {
                index++;
            }
            snprintf(number, sizeof(number), "%zu", index);
            path_append(path, capacity, slice_from_string(number), false);
        }
    }
}

bool
reader_refuse(struct reader *reader, const struct tree_node *node, const char *format, ...)
{
    if (!reader->refused || reader_goes_on(reader)) {
        va_list arguments;
        char text[LENS_TEXT_SIZE];
        reader->refused = true;
        path_of(node, reader->problem->path, LENS_PATH_SIZE);
        va_start(arguments, format);
        vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        reader->problem->text[0] = '\0';
        path_append(reader->problem->text, LENS_TEXT_SIZE, slice_from_string(text), false);
        reader->problem_count++;
        if (reader->on_problem != NULL) {
            reader->on_problem(reader->context, reader->problem);
        }
    }
    return false;
}

bool
reader_no_memory(struct reader *reader)
{
    (void)reader_refuse(reader, NULL, "out of memory");
    reader->no_memory = true;
    return false;
}

bool
reader_object(struct reader *reader, struct tree_node *node, const char *what,
              const char *const names[])
{
    if (node->type != KIND_OBJECT) {
        return reader_refuse(reader, node, "%s must be an object", what);
    }
    if (!tree_open(&codec_json, node, reader->arena)) {
        return reader_no_memory(reader);
    }
    bool is_known = true;
    for (struct tree_node *member = tree_first(node);
         member != NULL && (is_known || reader_goes_on(reader)); member = member->next) {
        size_t i = 0;
        while (names[i] != NULL &&
               !json_spells(tree_key(member), slice_from_string(names[i]))) {
            i++;
        }
        if (names[i] == NULL) {
            struct slice raw = tree_key(member);
            is_known =
                reader_refuse(reader, member, "unknown member '%.*s' of %s",
                              (int)(raw.size - 2 < 40 ? raw.size - 2 : 40), raw.data + 1, what);
            continue;
        }
        struct tree_node *first;
        if (tree_find(node, slice_from_string(names[i]), &first) > 1) {
            is_known = reader_refuse(reader, member, "'%s' occurs twice", names[i]);
        }
    }
    return is_known;
}

struct tree_node *
reader_member(const struct tree_node *object, const char *name)
{
    struct tree_node *node = NULL;
    return tree_find(object, slice_from_string(name), &node) > 0 ? node : NULL;
}

bool
reader_need(struct reader *reader, struct tree_node *object, const char *name,
            struct tree_node **ret_node)
{
    struct tree_node *node = reader_member(object, name);
    if (node == NULL) {
        return reader_refuse(reader, object, "'%s' is missing", name);
    }
    *ret_node = node;
    return true;
}

bool
reader_string(struct reader *reader, struct tree_node *node, struct slice *ret_text)
{
    if (node->type != KIND_STRING) {
        return reader_refuse(reader, node, "must be a string");
    }
    if (!json_decode(slice_make(node->value, node->value_size), reader->arena, ret_text)) {
        return reader_no_memory(reader);
    }
    return true;
}

bool
reader_boolean(struct reader *reader, struct tree_node *node, bool *ret_value)
{
    if (node->type != KIND_TRUE && node->type != KIND_FALSE) {
        return reader_refuse(reader, node, "must be true or false");
    }
    *ret_value = node->type == KIND_TRUE;
    return true;
}

bool
reader_integer(struct reader *reader, struct tree_node *node, int64_t min, int64_t max,
               int64_t *ret_value)
{
    struct slice integer;
    int64_t value;
    if (node->type != KIND_NUMBER ||
        decimal_integer(slice_make(node->value, node->value_size), reader->arena, &integer) !=
            DECIMAL_OK ||
        !slice_to_int64(integer, &value) || value < min || value > max) {
        return reader_refuse(reader, node, "must be an integer from %lld to %lld",
                             (long long)min, (long long)max);
    }
    *ret_value = value;
    return true;
}

bool
reader_array(struct reader *reader, struct tree_node *node)
{
    if (node->type != KIND_ARRAY) {
        return reader_refuse(reader, node, "must be an array");
    }
    return tree_open(&codec_json, node, reader->arena) || reader_no_memory(reader);
}

static bool
name_make(struct reader *reader, struct slice text, struct plan_name *ret_name)
{
    struct slice raw;
    struct slice colon = reader->codec->colon;
    char *member;
    if (!reader->codec->key_encode(reader->arena, text, &raw) ||
        (member = arena_alloc(reader->arena, raw.size + colon.size)) == NULL) {
        return reader_no_memory(reader);
    }
    if (raw.size > 0) {
        memcpy(member, raw.data, raw.size);
    }
    if (colon.size > 0) {
        memcpy(member + raw.size, colon.data, colon.size);
    }
    *ret_name = (struct plan_name){.text = text, .raw = slice_make(member, raw.size)};
    return true;
}

bool
reader_name(struct reader *reader, struct tree_node *node, struct plan_name *ret_name)
{
    struct slice text;
    return reader_string(reader, node, &text) && name_make(reader, text, ret_name);
}

bool
reader_path(struct reader *reader, struct tree_node *node, bool may_be_empty,
            struct plan_path *ret_path)
{
    struct plan_path path = {0};
    if (!reader_string(reader, node, &path.text)) {
        return false;
    }
    if (path.text.size == 0) {
        *ret_path = path;
        return may_be_empty || reader_refuse(reader, node, "an empty path is for each only");
    }
    if (path.text.data[0] != '/') {
        return reader_refuse(reader, node, "a path must start with '/'");
    }
    for (size_t i = 0; i < path.text.size; i++) {
        path.count += path.text.data[i] == '/';
    }
    path.names = arena_calloc(reader->arena, path.count, sizeof(*path.names));
    char *text = arena_alloc(reader->arena, path.text.size);
    if (path.names == NULL || text == NULL) {
        return reader_no_memory(reader);
    }
    size_t index = 0;
    size_t i = 1;
    for (;;) {
        size_t size = 0;
        for (; i < path.text.size && path.text.data[i] != '/'; i++) {
            char byte = path.text.data[i];
            if (byte == '~') {
                byte = i + 1 < path.text.size ? path.text.data[i + 1] : ' ';
                if (byte != '0' && byte != '1') {
                    return reader_refuse(reader, node, "'~' in a path must be '~0' or '~1'");
                }
                byte = byte == '0' ? '~' : '/';
                i++;
            }
            text[size++] = byte;
        }
        if (!name_make(reader, slice_make(text, size), &path.names[index++])) {
            return false;
        }
        text += size;
        if (i == path.text.size) {
            break;
        }
        i++;
    }
    *ret_path = path;
    return true;
}

/* The text of a JSON value without white space. */
static bool
compact(struct reader *reader, struct tree_node *node, struct slice *ret_text)
{
    char *text = arena_alloc(reader->arena, node->value_size);
    size_t size = 0;
    bool inside = false;
    if (text == NULL) {
        return reader_no_memory(reader);
    }
    for (size_t i = 0; i < node->value_size; i++) {
        char byte = node->value[i];
        if (!inside && json_is_space(byte)) {
            continue;
        }
        text[size++] = byte;
        if (inside && byte == '\\') {
            text[size++] = node->value[++i];
        } else if (byte == '"') {
            inside = !inside;
        }
    }
    *ret_text = slice_make(text, size);
    return true;
}

bool
reader_value(struct reader *reader, struct tree_node *node, struct slice *ret_raw)
{
    const struct tree_node *where;
    struct writer writer = writer_in(reader->arena);
    if (reader->codec == &codec_json) {
        return compact(reader, node, ret_raw);
    }
    enum codec_status status =
        transcode(&codec_json, reader->codec, node, reader->arena, &writer, &where);
    *ret_raw = writer_slice(&writer);
    switch (status) {
    case CODEC_OK:
        return true;
    case CODEC_RANGE:
        return reader_refuse(reader, where, "codec '%s' has no place for this value",
                             reader->codec->name);
    default:
        return reader_no_memory(reader);
    }
}

/* A container being written canonically: its children in order of their names. */
struct level {
    struct level *up;
    struct tree_node **children;
    size_t count;
    size_t index;
    char close;
};

static bool
level_open(struct reader *reader, struct tree_node *node, struct level **top)
{
    struct level *level = arena_calloc(reader->arena, 1, sizeof(*level));
    if (level == NULL || !tree_open(&codec_json, node, reader->arena) ||
        !tree_children(node, reader->arena, &level->children)) {
        return reader_no_memory(reader);
    }
    level->count = node->box->count;
    level->close = node->type == KIND_OBJECT ? '}' : ']';
    for (size_t i = 1; node->type == KIND_OBJECT && i < level->count; i++) {
        if (json_compare(tree_key(level->children[i - 1]), tree_key(level->children[i])) == 0) {
            return reader_refuse(reader, level->children[i], "a member occurs twice");
        }
    }
    level->up = *top;
    *top = level;
    return true;
}

static bool
canonical_put(struct reader *reader, struct tree_node *node, struct buffer *out)
{
    struct level *top = NULL;
    for (;;) {
        struct slice raw = slice_make(node->value, node->value_size);
        struct slice text;
        char *key;
        switch (node->type) {
        case KIND_NUMBER:
            key = buffer_reserve(out, raw.size + 32);
            if (key != NULL) {
                buffer_commit(out, decimal_key(raw, key));
            }
            break;
        case KIND_STRING:
            if (!json_decode(raw, reader->arena, &text)) {
                return reader_no_memory(reader);
            }
            json_encode(out, text);
            break;
        case KIND_ARRAY:
        case KIND_OBJECT:
            buffer_append_char(out, node->type == KIND_OBJECT ? '{' : '[');
            if (!level_open(reader, node, &top)) {
                return false;
            }
            break;
        default:
            buffer_append_slice(out, raw);
        }
        while (top != NULL && top->index == top->count) {
            buffer_append_char(out, top->close);
            top = top->up;
        }
        if (top == NULL) {
            return !out->failed || reader_no_memory(reader);
        }
        node = top->children[top->index];
        if (top->index++ > 0) {
            buffer_append_char(out, ',');
        }
        if (node->key_size > 0) {
            if (!json_decode(tree_key(node), reader->arena, &text)) {
                return reader_no_memory(reader);
            }
            json_encode(out, text);
            buffer_append_char(out, ':');
        }
    }
}

bool
reader_canonical(struct reader *reader, struct tree_node *node, struct slice *ret_text)
{
    struct buffer buffer;
    buffer_init(&buffer, 0);
    bool done = canonical_put(reader, node, &buffer);
    if (done && !arena_copy(reader->arena, buffer_slice(&buffer), ret_text)) {
        done = reader_no_memory(reader);
    }
    buffer_fini(&buffer);
    return done;
}
