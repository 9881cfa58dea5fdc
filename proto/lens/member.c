/*
 * Ops on one member that leave values alone: rename, add, remove, fill.
 *
 * What they remember:
 *   rename        the key as it was spelled, where that is not the usual way
 *   add, remove   ABSENT, or HELD with the hole and the segment of the member taken out
 *   fill, older   ABSENT (in the newer form), or HELD as above where the member taken out did
 * not stand where, and as, it would be filled in again fill, newer   FILLED
 */
#include "proto/lens/run.h"

enum { MEMBER_ABSENT = 1, MEMBER_HELD = 2, MEMBER_FILLED = 3 };

static const struct plan_name *
last_name(const struct plan_path *path)
{
    return &path->names[path->count - 1];
}

bool
op_rename(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
          struct slice in, struct slice *out)
{
    const struct plan_path *from = up ? &op->path : &op->to;
    const struct plan_name *name = last_name(up ? &op->to : &op->path);
    struct place place;
    struct tree_node *stray;
    if (!run_resolve(run, object, from, &place)) {
        return false;
    }
    if (place.object == NULL) {
        return true;
    }
    if (tree_find(place.object, name->text, &stray) > 0) {
        return run_fail(run, LENS_COLLISION, up ? &op->to : &op->path,
                        "a member has the new name already");
    }
    if (place.member == NULL) {
        return true;
    }
    struct slice raw = in.size > 0 && key_is_valid(run, in, name->text) ? in : name->raw;
    run_hold(run, place.member->key_size);
    if (run->remember && !slice_equal(tree_key(place.member), last_name(from)->raw)) {
        *out = tree_key(place.member);
    }
    run_note(run, op, "renamed");
    return run_set_key(run, place.member, raw, name);
}

/*
 * Take the member out and remember it, unless it is <value> spelled, and standing, as it would
 * be put in anew.
 */
static bool
take(struct run *run, struct tree_node *member, const struct plan_name *name,
     const struct slice *value, struct slice *out)
{
    struct hole hole;
    bool last = member->next == NULL;
    run_hold_node(run, member);
    if (!run->remember) {
        tree_remove(member);
        return true;
    }
    if (!hole_of(run, member, &hole)) {
        return false;
    }
    tree_remove(member);
    struct slice text;
    if (!run_text(run, member, &text)) {
        return false;
    }
    if (value != NULL && last && segment_is_plain(run, member, name->raw) &&
        slice_equal(text, *value)) {
        return true;
    }
    struct writer writer = writer_in(run->arena);
    writer_number(&writer, MEMBER_HELD);
    hole_write(&writer, &hole);
    if (!segment_write(run, &writer, member, name->raw)) {
        return false;
    }
    *out = writer_slice(&writer);
    return true;
}

/* The member that <in> holds, and where it goes; NULL if it holds none that is any good. */
static struct tree_node *
held(struct run *run, struct slice in, const struct plan_name *name, struct hole *ret_hole)
{
    struct cursor cursor = cursor_over(in);
    if (in.size == 0 || cursor_number(&cursor) != MEMBER_HELD) {
        return NULL;
    }
    *ret_hole = hole_read(&cursor);
    return segment_read(run, &cursor, name->raw);
}

static bool
is_absent(struct slice in)
{
    return in.size == 1 && in.data[0] == MEMBER_ABSENT;
}

static bool
remember(struct run *run, char what, struct slice *out)
{
    run_hold(run, 1);
    static const char marks[] = {0, MEMBER_ABSENT, MEMBER_HELD, MEMBER_FILLED};
    if (run->remember) {
        *out = slice_make(&marks[(size_t)what], 1);
    }
    return true;
}

/* Put in what is held, or else <value>. */
static bool
put(struct run *run, const struct plan_op *op, struct tree_node *object, struct slice in,
    const struct slice *value, bool *ret_done)
{
    const struct plan_name *name = last_name(&op->path);
    struct hole hole = {.where = HOLE_END};
    struct tree_node *node = held(run, in, name, &hole);
    const char *text = "restored from the complement";
    *ret_done = false;
    if (run->no_memory) {
        return false;
    }
    if (node == NULL && value != NULL) {
        hole.where = HOLE_END;
        text = "default";
        if ((node = segment_new(run, name, *value)) == NULL) {
            return false;
        }
    }
    if (node == NULL) {
        return true;
    }
    if (kind_is_container(node->type) && !run_depth(run, object, 0, node, &op->path)) {
        return false;
    }
    *ret_done = true;
    run_note(run, op, text);
    return run_insert(run, object, hole_find(object, &hole), node);
}

bool
op_add(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
       struct slice in, struct slice *out)
{
    const struct slice *value = op->has_value ? &op->value : NULL;
    struct place place;
    bool done;
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    if (place.object == NULL) {
        return true;
    }
    if ((op->kind == PLAN_ADD) != up) {
        if (place.member == NULL) {
            return value == NULL || remember(run, MEMBER_ABSENT, out);
        }
        run_note(run, op, "taken out");
        return take(run, place.member, last_name(&op->path), value, out);
    }
    if (place.member != NULL) {
        return run_fail(run, LENS_COLLISION, &op->path, "the member is there already");
    }
    if (is_absent(in)) {
        run_note(run, op, "remembered as absent");
        return true;
    }
    return put(run, op, place.object, in, value, &done);
}

bool
op_fill(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
        struct slice in, struct slice *out)
{
    struct place place;
    bool done;
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    if (place.object == NULL) {
        return true;
    }
    if (up) {
        if (place.member != NULL) {
            return true;
        }
        if (is_absent(in)) {
            run_note(run, op, "remembered as absent");
            return true;
        }
        return put(run, op, place.object, in, &op->value, &done) &&
               remember(run, MEMBER_FILLED, out);
    }
    if (place.member == NULL) {
        return remember(run, MEMBER_ABSENT, out);
    }
    if (in.size != 1 || in.data[0] != MEMBER_FILLED) {
        return true;
    }
    if (!run_equal(run, place.member, op->value, &done)) {
        return false;
    }
    if (!done) {
        return true;
    }
    run_note(run, op, "taken out: filled in here");
    return take(run, place.member, last_name(&op->path), &op->value, out);
}
