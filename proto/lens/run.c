#include "proto/lens/run.h"

#include <stdio.h>

#include "proto/lens/reader.h"

/* --- failures and notes ------------------------------------------------------------------ */

static void
path_put(char *path, struct slice text, bool escape)
{
    path_append(path, LENS_PATH_SIZE, text, escape);
}

static void
frame_put(const struct codec *codec, char *path, const struct run_frame *frame)
{
    const struct run_frame *chain[PLAN_NESTING_MAX];
    size_t count = 0;
    for (; frame != NULL && count < PLAN_NESTING_MAX; frame = frame->up) {
        chain[count++] = frame;
    }
    while (count > 0) {
        const struct run_frame *at = chain[--count];
        path_put(path, at->op->path.text, false);
        path_put(path, SLICE_OF("/"), false);
        if (at->element->key_size > 0) {
            path_put(path, codec->key_label(tree_key(at->element)), true);
        } else {
            size_t index = 0;
            char number[24];
            for (const struct tree_node *node = at->element->prev; node != NULL;
                 node = node->prev) {
                index++;
            }
            snprintf(number, sizeof(number), "%zu", index);
            path_put(path, slice_from_string(number), false);
        }
    }
}

bool
run_fail(struct run *run, enum lens_reason reason, const struct plan_path *path,
         const char *text)
{
    struct lens_failure *failure = run->failure;
    *failure = (struct lens_failure){.reason = reason, .from = run->from, .to = run->to};
    frame_put(run->codec, failure->path, run->frame);
    if (path != NULL) {
        for (size_t i = 0; i < path->count; i++) {
            path_put(failure->path, SLICE_OF("/"), false);
            path_put(failure->path, path->names[i].text, true);
        }
    }
    snprintf(failure->text, sizeof(failure->text), "%s", text);
    return false;
}

bool
run_no_memory(struct run *run)
{
    run->no_memory = true;
    return run_fail(run, LENS_BUDGET, NULL, "out of memory");
}

void
run_note(struct run *run, const struct plan_op *op, const char *text)
{
    if (run->on_note != NULL) {
        char path[LENS_PATH_SIZE] = "";
        frame_put(run->codec, path, run->frame);
        path_put(path, op->path.text, false);
        struct lens_note note = {.from = run->from,
                                 .to = run->to,
                                 .op = op->name,
                                 .path = slice_from_string(path),
                                 .text = text};
        run->on_note(run->context, &note);
    }
}

/* --- the tree, with failures noted ------------------------------------------------------- */

void
run_hold_node(struct run *run, const struct tree_node *node)
{
    run_hold(run, tree_full_size(node) + (node->prev == NULL ? 0 : node->prev->key_size));
}

bool
run_spend(struct run *run, size_t size)
{
    if (size > run->text_max || size > run->text_left) {
        run->no_memory = true;
        return run_fail(run, LENS_BUDGET, NULL, "beyond the limit of output");
    }
    run->text_left -= size;
    return true;
}

bool
run_work(struct run *run, size_t count)
{
    if (count > run->work_left) {
        run->no_memory = true;
        return run_fail(run, LENS_BUDGET, NULL, "beyond the limit of work");
    }
    run->work_left -= count;
    return true;
}

bool
run_text(struct run *run, struct tree_node *node, struct slice *ret_text)
{
    if (!node->edited) {
        *ret_text = slice_make(node->value, node->value_size);
        return true;
    }
    if (!run_spend(run, tree_full_size(node))) {
        return false;
    }
    return tree_text(node, run->arena, ret_text) || run_no_memory(run);
}

bool
run_depth(struct run *run, const struct tree_node *parent, size_t levels,
          struct tree_node *node, const struct plan_path *path)
{
    size_t depth = levels;
    size_t depth_max = run->schema->limits.depth;
    for (const struct tree_node *at = parent; at != NULL; at = at->parent) {
        depth++;
    }
    bool container = kind_is_container(node->type);
    if (container && depth < depth_max) {
        struct slice text;
        if (!run_text(run, node, &text)) {
            return false;
        }
        if (run->codec->is_value(text, (unsigned)(depth_max - depth))) {
            return true;
        }
    } else if (!container && depth <= depth_max) {
        return true;
    }
    return run_fail(run, LENS_BUDGET, path, "nested too deep");
}

/* JSON: no escape is as short as its meaning. */
static bool
name_is_escaped(const struct plan_name *name)
{
    return name->raw.size > name->text.size + 2;
}

bool
run_set_key(struct run *run, struct tree_node *node, struct slice raw,
            const struct plan_name *name)
{
    bool is_usual = raw.data == name->raw.data;
    bool is_escaped = is_usual ? name_is_escaped(name)
                               : raw.size > 0 && memchr(raw.data, '\\', raw.size) != NULL;
    return tree_set_key(node, raw, is_escaped, is_usual, run->arena) || run_no_memory(run);
}

bool
run_insert(struct run *run, struct tree_node *container, struct tree_node *after,
           struct tree_node *node)
{
    return tree_insert(container, after, node, run->arena) || run_no_memory(run);
}

bool
run_open(struct run *run, struct tree_node *node)
{
    return tree_open(run->codec, node, run->arena) || run_no_memory(run);
}

bool
run_emptied(struct run *run, const struct tree_node *container, struct slice *ret_text)
{
    const struct codec *codec = run->codec;
    char text[CODEC_HEADER_MAX + 8];
    if (!codec_is_framed(codec)) {
        *ret_text = codec->empty_object;
        return true;
    }
    size_t size =
        codec->put_header(slice_make(container->value, container->value_size), 0, text);
    memcpy(text + size, codec->footer.data == NULL ? "" : codec->footer.data,
           codec->footer.size);
    return arena_copy(run->arena, slice_make(text, size + codec->footer.size), ret_text) ||
           run_no_memory(run);
}

struct tree_node *
run_value(struct run *run, struct slice raw)
{
    struct tree_node *node = tree_value(run->codec, raw, run->arena);
    if (node == NULL) {
        run_no_memory(run);
    }
    return node;
}

bool
run_decode(struct run *run, struct slice raw, struct slice *ret_text)
{
    return run->codec->string_text(raw, run->arena, ret_text) || run_no_memory(run);
}

bool
run_encode(struct run *run, struct slice text, struct slice *ret_raw)
{
    return run->codec->string_encode(run->arena, text, ret_raw) || run_no_memory(run);
}

bool
run_equal(struct run *run, struct tree_node *node, struct slice raw, bool *ret_equal)
{
    *ret_equal = !node->edited && slice_equal(slice_make(node->value, node->value_size), raw);
    if (*ret_equal || raw.size == 0 ||
        (!codec_is_framed(run->codec) && json_kind(raw.data[0]) != node->type)) {
        return true;
    }
    struct tree_node *other = run_value(run, raw);
    if (other == NULL) {
        return false;
    }
    return tree_equal(run->codec, node, other, run->arena, ret_equal) || run_no_memory(run);
}

bool
run_resolve(struct run *run, struct tree_node *object, const struct plan_path *path,
            struct place *ret_place)
{
    struct place place = {0};
    for (size_t i = 0;; i++) {
        struct tree_node *member = NULL;
        if (!kind_has_names(object->type)) {
            place.blocked = true;
            break;
        }
        if (!run_open(run, object) || !run_work(run, object->box->count)) {
            return false;
        }
        place.deepest = object;
        place.reached = i;
        unsigned count = tree_find(object, path->names[i].text, &member);
        if (count > 1) {
            return run_fail(run, LENS_DUPLICATE, path, "a member occurs twice");
        }
        if (i + 1 == path->count) {
            place.object = object;
            place.member = member;
            break;
        }
        if (member == NULL) {
            break;
        }
        object = member;
    }
    *ret_place = place;
    return true;
}

/* --- places and segments -------------------------------------------------------------------
 */

bool
hole_of(struct run *run, const struct tree_node *node, struct hole *ret_hole)
{
    const struct tree_node *prev = node->prev;
    struct hole hole = {.where = HOLE_START};
    if (prev != NULL) {
        hole.where = HOLE_AFTER;
        if (!run->codec->key_text(tree_key(prev), run->arena, &hole.name)) {
            return run_no_memory(run);
        }
        for (prev = prev->prev; prev != NULL; prev = prev->prev) {
            hole.occurrence += run->codec->key_has_text(tree_key(prev), hole.name);
        }
    }
    *ret_hole = hole;
    return true;
}

struct tree_node *
hole_find(const struct tree_node *object, const struct hole *hole)
{
    const struct codec *codec = object->box->codec;
    if (hole->where == HOLE_START) {
        return NULL;
    }
    if (hole->where == HOLE_AFTER) {
        uint64_t occurrence = hole->occurrence;
        for (struct tree_node *node = object->box->first; node != NULL; node = node->next) {
            if (codec->key_has_text(tree_key(node), hole->name) && occurrence-- == 0) {
                return node;
            }
        }
    }
    return object->box->last;
}

void
hole_write(struct writer *writer, const struct hole *hole)
{
    if (hole->where == HOLE_AFTER) {
        writer_number(writer, HOLE_AFTER + hole->occurrence);
        writer_text(writer, hole->name);
    } else {
        writer_number(writer, hole->where);
    }
}

struct hole
hole_read(struct cursor *cursor)
{
    struct hole hole = {.where = HOLE_END};
    uint64_t number = cursor_number(cursor);
    if (number >= HOLE_AFTER) {
        hole.where = HOLE_AFTER;
        hole.occurrence = number - HOLE_AFTER;
        hole.name = cursor_text(cursor);
    } else if (number == HOLE_START) {
        hole.where = HOLE_START;
    }
    return hole;
}

/* How the text around a value is spelled; the first three need no bytes. */
enum {
    SPELLING_COMPACT, /* "key":value */
    SPELLING_SPACED,  /* _"key":_value, behind a comma as some encoders put it */
    SPELLING_FIRST,   /* "key":_value, likewise at the start of an object */
    SPELLING_OTHER,
};

static unsigned
segment_spelling(const struct run *run, const struct tree_node *node, struct slice key)
{
    const char *colon = node->head + node->lead_size + node->key_size;
    size_t colon_size = node->head_size - node->lead_size - node->key_size;
    if (node->tail_size > 0 || !slice_equal(tree_key(node), key)) {
        return SPELLING_OTHER;
    }
    bool lead = node->lead_size == 1 && node->head[0] == ' ';
    if (key.size == 0) {
        return node->lead_size == 0 ? SPELLING_COMPACT
               : lead               ? SPELLING_SPACED
                                    : SPELLING_OTHER;
    }
    if (node->lead_size == 0 && colon_size == run->codec->colon.size) {
        return SPELLING_COMPACT;
    }
    if (colon_size == 2 && colon[0] == ':' && colon[1] == ' ') {
        return lead ? SPELLING_SPACED : node->lead_size == 0 ? SPELLING_FIRST : SPELLING_OTHER;
    }
    return SPELLING_OTHER;
}

bool
segment_is_plain(const struct run *run, const struct tree_node *node, struct slice key)
{
    return segment_spelling(run, node, key) == SPELLING_COMPACT;
}

bool
segment_write(struct run *run, struct writer *writer, struct tree_node *node, struct slice key)
{
    unsigned spelling = segment_spelling(run, node, key);
    struct slice text;
    if (!run_text(run, node, &text)) {
        return false;
    }
    writer_number(writer, spelling);
    if (spelling == SPELLING_OTHER) {
        writer_number(writer, node->lead_size);
        writer_number(writer, node->key_size);
        writer_text(writer, slice_make(node->head, node->head_size));
        writer_text(writer, slice_make(node->tail, node->tail_size));
    }
    writer_text(writer, text);
    return !writer->failed || run_no_memory(run);
}

bool
space_is_valid(const struct run *run, struct slice text)
{
    return text.size == 0 ||
           (!codec_is_framed(run->codec) &&
            json_skip_space(text.data, text.data + text.size) == text.data + text.size);
}

/* May <text> stand between a key and its value? */
static bool
colon_is_valid(const struct run *run, struct slice text)
{
    const char *end = text.data + text.size;
    if (codec_is_framed(run->codec)) {
        return text.size == 0;
    }
    const char *mark = json_skip_space(text.data, end);
    return mark < end && *mark == ':' && json_skip_space(mark + 1, end) == end;
}

bool
key_is_valid(const struct run *run, struct slice raw, struct slice name)
{
    return run->codec->key_is_valid(raw) && run->codec->key_is(raw, name);
}

bool
value_is_valid(struct run *run, struct slice raw)
{
    return raw.size > 0 && raw.size <= UINT32_MAX &&
           run->codec->is_value(raw, run->schema->limits.depth);
}

/* Set the head of <node>: <lead>, the key, and <colon>. */
static bool
segment_head(struct run *run, struct tree_node *node, const char *lead, struct slice key,
             struct slice colon)
{
    size_t lead_size = strlen(lead);
    size_t colon_size = key.size == 0 ? 0 : colon.size;
    size_t size = lead_size + key.size + colon_size;
    char *head = arena_alloc(run->arena, size);
    if (head == NULL) {
        return run_no_memory(run);
    }
    memcpy(head, lead, lead_size);
    if (key.size > 0) {
        memcpy(head + lead_size, key.data, key.size);
        memcpy(head + lead_size + key.size, colon.data, colon_size);
    }
    node->head = head;
    node->lead_size = (uint32_t)lead_size;
    node->key_size = (uint32_t)key.size;
    node->head_size = (uint32_t)size;
    node->escaped = key.size > 0 && memchr(key.data, '\\', key.size) != NULL;
    return true;
}

struct tree_node *
segment_new(struct run *run, const struct plan_name *name, struct slice value)
{
    struct tree_node *node = run_value(run, value);
    if (node != NULL) {
        node->head = name->raw.data;
        node->key_size = (uint32_t)name->raw.size;
        node->head_size = (uint32_t)(name->raw.size + run->codec->colon.size);
        node->escaped = name_is_escaped(name);
    }
    return node;
}

struct tree_node *
segment_read(struct run *run, struct cursor *cursor, struct slice key)
{
    uint64_t spelling = cursor_number(cursor);
    uint64_t lead_size = 0;
    uint64_t key_size = 0;
    struct slice head = {NULL, 0};
    struct slice tail = {NULL, 0};
    if (spelling >= SPELLING_OTHER) {
        lead_size = cursor_number(cursor);
        key_size = cursor_number(cursor);
        head = cursor_text(cursor);
        tail = cursor_text(cursor);
    }
    struct slice value = cursor_text(cursor);
    if (cursor->bad || !value_is_valid(run, value)) {
        return NULL;
    }
    struct tree_node *node = run_value(run, value);
    if (node == NULL) {
        return NULL;
    }
    if (spelling < SPELLING_OTHER) {
        bool compact = spelling == SPELLING_COMPACT || codec_is_framed(run->codec);
        bool lead = spelling == SPELLING_SPACED && !codec_is_framed(run->codec);
        return segment_head(run, node, lead ? " " : "", key,
                            compact ? run->codec->colon : SLICE_OF(": "))
                   ? node
                   : NULL;
    }
    if (head.size > UINT32_MAX || tail.size > UINT32_MAX || lead_size > head.size ||
        key_size > head.size - lead_size ||
        !space_is_valid(run, slice_make(head.data, lead_size)) || !space_is_valid(run, tail)) {
        return NULL;
    }
    size_t colon_size = head.size - lead_size - key_size;
    const char *colon = head.data + lead_size + key_size;
    if (key.size == 0) {
        if (key_size > 0 || colon_size > 0) {
            return NULL;
        }
    } else {
        struct slice raw = slice_make(head.data + lead_size, key_size);
        struct slice name;
        if (!run->codec->key_text(key, run->arena, &name)) {
            run_no_memory(run);
            return NULL;
        }
        if (!key_is_valid(run, raw, name) ||
            !colon_is_valid(run, slice_make(colon, colon_size))) {
            return NULL;
        }
        node->escaped = memchr(raw.data, '\\', raw.size) != NULL;
    }
    node->head = head.data;
    node->head_size = (uint32_t)head.size;
    node->lead_size = (uint32_t)lead_size;
    node->key_size = (uint32_t)key_size;
    node->tail = tail.data;
    node->tail_size = (uint32_t)tail.size;
    return node;
}

/* --- lists ---------------------------------------------------------------------------------
 */

static run_op *const ops[] = {
    [PLAN_RENAME] = op_rename, [PLAN_ADD] = op_add,       [PLAN_REMOVE] = op_add,
    [PLAN_MOVE] = op_move,     [PLAN_MAP] = op_convert,   [PLAN_CONVERT] = op_convert,
    [PLAN_SCALE] = op_convert, [PLAN_WRAP] = op_convert,  [PLAN_UNWRAP] = op_convert,
    [PLAN_SPLIT] = op_split,   [PLAN_JOIN] = op_split,    [PLAN_FILL] = op_fill,
    [PLAN_EACH] = op_each,     [PLAN_FILTER] = op_filter,
};

/*
 * The ops done so far, and the one that failed at <failed>, leave what remains of <in> in
 * <out>: those before it are undone.
 */
static void
list_undo(struct run *run, const struct plan_list *list, bool up, size_t failed,
          struct tree_node *object, const struct slice *in, struct slice *out)
{
    struct lens_failure first = *run->failure;
    for (size_t done = failed; done-- > 0;) {
        size_t index = up ? done : list->count - 1 - done;
        struct slice back = {NULL, 0};
        const struct plan_op *op = &list->ops[index];
        bool undone = ops[op->kind](run, op, !up, object, out[index], &back);
        out[index] = undone ? back : in[index];
    }
    for (size_t rest = failed + 1; rest < list->count; rest++) {
        size_t index = up ? rest : list->count - 1 - rest;
        out[index] = in[index];
    }
    run->forget = false;
    *run->failure = first;
}

bool
run_list(struct run *run, const struct plan_list *list, bool up, struct tree_node *object,
         const struct slice *in, struct slice *out)
{
    const struct slice nothing = {NULL, 0};
    for (size_t done = 0; done < list->count; done++) {
        size_t index = up ? done : list->count - 1 - done;
        const struct plan_op *op = &list->ops[index];
        struct slice entry = nothing;
        run->forget = false;
        if (!run_work(run, 1) ||
            !ops[op->kind](run, op, up, object, in == NULL ? nothing : in[index], &entry)) {
            if (run->settling && !run->no_memory) {
                if (op->kind != PLAN_EACH) {
                    entry = run->forget ? nothing : in[index];
                }
                out[index] = entry;
                list_undo(run, list, up, done, object, in, out);
            }
            return false;
        }
        if (out != NULL) {
            out[index] = entry;
        }
    }
    return true;
}
