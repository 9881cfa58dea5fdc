/*
 * split and join: one string (the whole) and several (the parts) in the same object.
 *
 * The whole stands where one part, the anchor, stands; the other parts are taken out and put
 * in around it. What is remembered:
 *   flags   SHADOW: the value shown and the original, of which one is the whole and one all
 *           parts, absent ones too. KEY: the key of what was the anchor or the whole, spelled
 *           unusually. ANCHOR: which part is the anchor, where that is not clear. LAYOUT (on
 *           the side of the whole): for each other part nothing, or its hole and segment.
 */
#include "proto/lens/run.h"

enum { PARTS_SHADOW = 1, PARTS_KEY = 2, PARTS_ANCHOR = 4, PARTS_LAYOUT = 8 };

enum { LAYOUT_USUAL, LAYOUT_HELD };

/* A tuple is all parts of one op: raw text, NULL data for an absent one. */

static const struct plan_name *
whole_name(const struct plan_op *op)
{
    return &op->path.names[op->path.count - 1];
}

static bool
part_fail(struct run *run, const struct plan_op *op, enum lens_reason reason, const char *text)
{
    return run_fail(run, reason, &op->path, text);
}

/* --- what is remembered ----------------------------------------------------------------------
 */

struct held {
    bool shadow;
    struct slice whole; /* of the shadow */
    struct slice parts[PLAN_PARTS_MAX];
    struct slice key;
    bool has_anchor;
    uint64_t anchor;
    bool layout;
    struct cursor layout_at;
};

static void
tuple_write(struct writer *writer, const struct plan_op *op, const struct slice *tuple)
{
    for (size_t i = 0; i < op->part_count; i++) {
        if (tuple[i].data == NULL) {
            writer_number(writer, 0);
        } else {
            writer_number(writer, tuple[i].size + 1);
            writer_bytes(writer, tuple[i]);
        }
    }
}

static bool
string_is_valid(struct run *run, struct slice raw)
{
    return value_is_valid(run, raw) && run->codec->kind(raw) == KIND_STRING;
}

static void
held_read(struct run *run, const struct plan_op *op, struct slice in, struct held *held)
{
    held->key = (struct slice){NULL, 0};
    held->shadow = held->has_anchor = held->layout = false;
    if (in.size == 0) {
        return;
    }
    struct cursor cursor = cursor_over(in);
    uint64_t flags = cursor_number(&cursor);
    held->anchor = 0;
    held->shadow = (flags & PARTS_SHADOW) != 0;
    held->has_anchor = (flags & PARTS_ANCHOR) != 0;
    held->layout = (flags & PARTS_LAYOUT) != 0;
    if (held->shadow) {
        bool valid;
        bool any = false;
        held->whole = cursor_text(&cursor);
        valid = string_is_valid(run, held->whole);
        for (size_t i = 0; i < op->part_count; i++) {
            uint64_t size = cursor_number(&cursor);
            held->parts[i] = (struct slice){NULL, 0};
            if (size > 0) {
                held->parts[i] = cursor_bytes(&cursor, size - 1);
                valid = valid && string_is_valid(run, held->parts[i]);
                any = true;
            }
        }
        held->shadow = valid && any;
    }
    if (flags & PARTS_KEY) {
        held->key = cursor_text(&cursor);
    }
    if (flags & PARTS_ANCHOR) {
        held->anchor = cursor_number(&cursor);
    }
    held->layout_at = cursor;
    if (cursor.bad) {
        held->shadow = held->has_anchor = held->layout = false;
        held->key.size = 0;
    }
}

/* --- strings
 * ----------------------------------------------------------------------------------- */

/* The parts that are not empty, joined; raw. */
static bool
join_fresh(struct run *run, const struct plan_op *op, const struct slice *tuple,
           struct slice *ret_raw)
{
    size_t size = 0;
    for (size_t i = 0; i < op->part_count; i++) {
        size += tuple[i].size + op->separator.size;
    }
    char *text = arena_alloc(run->arena, size);
    size_t at = 0;
    if (text == NULL) {
        return run_no_memory(run);
    }
    for (size_t i = 0; i < op->part_count; i++) {
        struct slice part;
        if (tuple[i].data == NULL) {
            continue;
        }
        if (!run_decode(run, tuple[i], &part)) {
            return false;
        }
        if (part.size == 0) {
            continue;
        }
        if (at > 0) {
            memcpy(text + at, op->separator.data, op->separator.size);
            at += op->separator.size;
        }
        memcpy(text + at, part.data, part.size);
        at += part.size;
    }
    return run_encode(run, slice_make(text, at), ret_raw);
}

static bool
split_fresh(struct run *run, const struct plan_op *op, struct slice whole, struct slice *tuple)
{
    struct slice rest;
    if (!run_decode(run, whole, &rest)) {
        return false;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        struct slice part = rest;
        const char *cut =
            i + 1 == op->part_count || rest.size == 0 ? NULL
            : op->separator.size == 1
                ? memchr(rest.data, op->separator.data[0], rest.size)
                : memmem(rest.data, rest.size, op->separator.data, op->separator.size);
        if (cut != NULL) {
            part.size = (size_t)(cut - rest.data);
            rest.data = cut + op->separator.size;
            rest.size -= part.size + op->separator.size;
        } else {
            rest.size = 0;
        }
        if (!run_encode(run, part, &tuple[i])) {
            return false;
        }
    }
    return true;
}

static bool
tuples_equal(const struct plan_op *op, const struct slice *a, const struct slice *b)
{
    for (size_t i = 0; i < op->part_count; i++) {
        if ((a[i].data == NULL) != (b[i].data == NULL) ||
            (a[i].data != NULL && !slice_equal(a[i], b[i]))) {
            return false;
        }
    }
    return true;
}

static void
shadow_write(struct writer *writer, const struct plan_op *op, struct slice whole,
             const struct slice *tuple)
{
    writer_text(writer, whole);
    tuple_write(writer, op, tuple);
}

/* --- the whole to its parts
 * -------------------------------------------------------------------- */

static bool
spread(struct run *run, const struct plan_op *op, struct tree_node *object, struct slice in,
       struct slice *out)
{
    const struct plan_name *name = whole_name(op);
    struct place place;
    struct held held;
    struct slice tuple[PLAN_PARTS_MAX];
    bool same = false;
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    if (place.object == NULL) {
        return true;
    }
    if (!run_work(run, op->part_count * place.object->box->count)) {
        return false;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        struct tree_node *stray;
        if (!slice_equal(op->parts[i].text, name->text) &&
            tree_find(place.object, op->parts[i].text, &stray) > 0) {
            return part_fail(run, op, LENS_COLLISION, "a part is there already");
        }
    }
    struct tree_node *whole = place.member;
    if (whole == NULL) {
        return true;
    }
    struct slice original;
    if (!run_text(run, whole, &original)) {
        return false;
    }
    held_read(run, op, in, &held);
    if (held.shadow && !run_equal(run, whole, held.whole, &same)) {
        return false;
    }
    if (same) {
        memcpy(tuple, held.parts, sizeof(tuple[0]) * op->part_count);
    } else if (whole->type != KIND_STRING) {
        run->forget = true;
        return part_fail(run, op, LENS_TYPE, "not a string");
    } else if (!split_fresh(run, op, original, tuple)) {
        return false;
    }
    run_note(run, op, same ? "restored from the complement" : "split");

    size_t anchor = held.has_anchor && held.anchor < op->part_count ? (size_t)held.anchor : 0;
    for (size_t i = 0; tuple[anchor].data == NULL; i++) {
        anchor = i;
    }
    struct slice key = tree_key(whole);
    struct slice anchor_key = op->parts[anchor].raw;
    if (held.key.size > 0 && key_is_valid(run, held.key, op->parts[anchor].text)) {
        anchor_key = held.key;
    }
    run_hold_node(run, whole);
    for (size_t i = 0; i < op->part_count; i++) {
        run_hold(run, tuple[i].size);
    }
    if (!run_set_key(run, whole, anchor_key, &op->parts[anchor])) {
        return false;
    }
    run_set_value(run, whole, tuple[anchor]);
    struct tree_node *before = whole; /* the part put in last, in order of the names */
    for (size_t i = 0; i < op->part_count; i++) {
        struct tree_node *node = NULL;
        struct hole hole = {.where = HOLE_END};
        bool explicit = false;
        if (i == anchor) {
            before = whole;
            continue;
        }
        if (held.layout && cursor_number(&held.layout_at) == LAYOUT_HELD) {
            hole = hole_read(&held.layout_at);
            node = segment_read(run, &held.layout_at, op->parts[i].raw);
            explicit = node != NULL;
            held.layout = held.layout && !held.layout_at.bad;
        }
        if (run->no_memory) {
            return false;
        }
        if (tuple[i].data == NULL) {
            continue;
        }
        if (node == NULL && (node = segment_new(run, &op->parts[i], tuple[i])) == NULL) {
            return false;
        }
        run_set_value(run, node, tuple[i]);
        if (!run_insert(run, place.object, explicit ? hole_find(place.object, &hole) : before,
                        node)) {
            return false;
        }
        before = node;
    }
    if (!run->remember) {
        return true;
    }

    /* To gather them again: the shadow, the key, and which part stands for the whole. */
    struct slice back;
    if (!join_fresh(run, op, tuple, &back)) {
        return false;
    }
    bool shadow = !slice_equal(back, original);
    bool spelled = !slice_equal(key, name->raw);
    bool first = true;
    for (struct tree_node *node = whole->prev; node != NULL && first; node = node->prev) {
        for (size_t i = 0; i < op->part_count; i++) {
            first = first && !run->codec->key_is(tree_key(node), op->parts[i].text);
        }
    }
    unsigned flags =
        (shadow ? PARTS_SHADOW : 0u) | (spelled ? PARTS_KEY : 0u) | (first ? 0u : PARTS_ANCHOR);
    if (flags != 0) {
        struct writer writer = writer_in(run->arena);
        writer_number(&writer, flags);
        if (shadow) {
            shadow_write(&writer, op, original, tuple);
        }
        if (spelled) {
            writer_text(&writer, key);
        }
        if (!first) {
            writer_number(&writer, anchor);
        }
        *out = writer_slice(&writer);
        return !writer.failed || run_no_memory(run);
    }
    return true;
}

/* --- parts to the whole
 * ------------------------------------------------------------------------ */

/* Every part's node, NULL for absent ones. */
static bool
find_parts(struct run *run, const struct plan_op *op, struct tree_node *object,
           struct tree_node **nodes, size_t *ret_count)
{
    size_t count = 0;
    if (!run_work(run, op->part_count * object->box->count)) {
        return false;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        nodes[i] = NULL;
        unsigned found = tree_find(object, op->parts[i].text, &nodes[i]);
        if (found > 1) {
            return part_fail(run, op, LENS_DUPLICATE, "a part occurs twice");
        }
        count += found;
    }
    *ret_count = count;
    return true;
}

static bool
shadow_matches(struct run *run, const struct plan_op *op, struct tree_node *const *nodes,
               const struct held *held, bool *ret_same)
{
    *ret_same = false;
    if (!held->shadow) {
        return true;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        bool same;
        if ((nodes[i] == NULL) != (held->parts[i].data == NULL)) {
            return true;
        }
        if (nodes[i] != NULL) {
            if (!run_equal(run, nodes[i], held->parts[i], &same)) {
                return false;
            }
            if (!same) {
                return true;
            }
        }
    }
    *ret_same = true;
    return true;
}

static bool
gather(struct run *run, const struct plan_op *op, struct tree_node *object, struct slice in,
       struct slice *out)
{
    const struct plan_name *name = whole_name(op);
    struct tree_node *nodes[PLAN_PARTS_MAX];
    struct place place;
    struct held held;
    struct slice whole;
    struct slice tuple[PLAN_PARTS_MAX];
    size_t count = 0;
    bool same;
    bool among = false; /* the whole has the name of a part */
    for (size_t i = 0; i < op->part_count; i++) {
        among = among || slice_equal(op->parts[i].text, name->text);
    }
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    if (place.object == NULL) {
        return true;
    }
    if (place.member != NULL && !among) {
        return part_fail(run, op, LENS_COLLISION, "the whole is there already");
    }
    if (!find_parts(run, op, place.object, nodes, &count)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    held_read(run, op, in, &held);
    if (!shadow_matches(run, op, nodes, &held, &same)) {
        return false;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        tuple[i] = (struct slice){NULL, 0};
        if (nodes[i] != NULL) {
            if (nodes[i]->type != KIND_STRING) {
                run->forget = true;
                return part_fail(run, op, LENS_TYPE, "a part is not a string");
            }
            tuple[i] = slice_make(nodes[i]->value, nodes[i]->value_size);
        }
    }
    if (same) {
        whole = held.whole;
    } else if (!join_fresh(run, op, tuple, &whole)) {
        return false;
    }
    run_note(run, op, same ? "restored from the complement" : "joined");

    /* The anchor: as remembered, or the part that stands first. */
    size_t anchor = op->part_count;
    if (held.has_anchor && held.anchor < op->part_count && nodes[held.anchor] != NULL) {
        anchor = (size_t)held.anchor;
    }
    for (struct tree_node *node = tree_first(place.object); anchor == op->part_count;
         node = node->next) {
        for (size_t i = 0; i < op->part_count; i++) {
            anchor = nodes[i] == node ? i : anchor;
        }
    }

    run_hold(run, whole.size);
    for (size_t i = 0; i < op->part_count; i++) {
        if (nodes[i] != NULL) {
            run_hold_node(run, nodes[i]);
        }
    }

    /* The others go, the last name first, each with the place it has at that moment. */
    struct slice layout[PLAN_PARTS_MAX];
    bool usual = true;
    size_t first = 0;
    while (nodes[first] == NULL) {
        first++;
    }
    for (size_t i = op->part_count; i-- > 0;) {
        layout[i] = (struct slice){NULL, 0};
        if (i == anchor || nodes[i] == NULL) {
            continue;
        }
        struct tree_node *before = nodes[anchor];
        for (size_t k = i; k-- > 0;) {
            if (nodes[k] != NULL) {
                before = nodes[k];
                break;
            }
        }
        bool follows = nodes[i]->prev == before;
        struct hole hole;
        if (run->remember && !hole_of(run, nodes[i], &hole)) {
            return false;
        }
        tree_remove(nodes[i]);
        if (run->remember && !(follows && segment_is_plain(run, nodes[i], op->parts[i].raw))) {
            struct writer writer = writer_in(run->arena);
            usual = false;
            hole_write(&writer, &hole);
            struct slice empty;
            if (!run_encode(run, SLICE_OF(""), &empty)) {
                return false;
            }
            run_set_value(run, nodes[i], empty);
            if (!segment_write(run, &writer, nodes[i], op->parts[i].raw)) {
                return false;
            }
            layout[i] = writer_slice(&writer);
        }
    }
    struct slice key = tree_key(nodes[anchor]);
    struct slice whole_key = name->raw;
    if (held.key.size > 0 && key_is_valid(run, held.key, name->text)) {
        whole_key = held.key;
    }
    if (!run_set_key(run, nodes[anchor], whole_key, name)) {
        return false;
    }
    run_set_value(run, nodes[anchor], whole);
    if (!run->remember) {
        return true;
    }

    struct slice back[PLAN_PARTS_MAX];
    if (!split_fresh(run, op, whole, back)) {
        return false;
    }
    bool shadow = !tuples_equal(op, tuple, back);
    bool spelled = !slice_equal(key, op->parts[anchor].raw);
    unsigned flags = (shadow ? PARTS_SHADOW : 0u) | (spelled ? PARTS_KEY : 0u) |
                     (anchor != first ? PARTS_ANCHOR : 0u) | (usual ? 0u : PARTS_LAYOUT);
    if (flags != 0) {
        struct writer writer = writer_in(run->arena);
        writer_number(&writer, flags);
        if (shadow) {
            shadow_write(&writer, op, whole, tuple);
        }
        if (spelled) {
            writer_text(&writer, key);
        }
        if (anchor != first) {
            writer_number(&writer, anchor);
        }
        for (size_t i = 0; i < op->part_count && !usual; i++) {
            if (i != anchor) {
                writer_number(&writer, layout[i].size > 0 ? LAYOUT_HELD : LAYOUT_USUAL);
                writer_bytes(&writer, layout[i]);
            }
        }
        *out = writer_slice(&writer);
        return !writer.failed || run_no_memory(run);
    }
    return true;
}

bool
op_split(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
         struct slice in, struct slice *out)
{
    return (op->kind == PLAN_SPLIT) == up ? spread(run, op, object, in, out)
                                          : gather(run, op, object, in, out);
}
