/*
 * move: a member to another object, perhaps with parents made for it.
 *
 * Three cases: the target is an ancestor of the place taken from (the objects between go, the
 * value takes their place: lift), the other way round (sink), or neither (carry).
 *
 * What is remembered, seen from where the member is now:
 *   lift, sink   the segments of the objects between, the outermost first, where they are not
 *                compact
 *   carry        flags: KEY the key spelled unusually; HOLE where it stood, unless at the end;
 *                LEAD the white space before it, where it could not be carried along; CREATED
 * how many parents were made for it; FRAMES the segments of the parents that went when it left
 * them empty, the outermost first, with its hole
 */
#include "proto/lens/run.h"

enum { MOVE_KEY = 1, MOVE_HOLE = 2, MOVE_CREATED = 4, MOVE_FRAMES = 8, MOVE_LEAD = 16 };

static const struct plan_name *
last_name(const struct plan_path *path)
{
    return &path->names[path->count - 1];
}

/* The value of <from> takes the place of its ancestor <to>. */
static bool
lift(struct run *run, const struct plan_op *op, const struct plan_path *from,
     const struct plan_path *to, struct tree_node *object, struct slice *out)
{
    struct place target;
    struct place source;
    if (!run_resolve(run, object, to, &target) || !run_resolve(run, object, from, &source)) {
        return false;
    }
    if (target.member == NULL) {
        return true;
    }
    if (source.member == NULL) {
        return run_fail(run, LENS_COLLISION, to, "the target of a move is there already");
    }
    for (struct tree_node *at = source.member; at != target.member; at = at->parent) {
        if (at->parent->box->count > 1) {
            return run_fail(run, LENS_COLLISION, to,
                            "the object to be replaced holds other members");
        }
    }
    for (struct tree_node *at = source.member; at != target.member; at = at->parent) {
        run_hold(run, (size_t)at->head_size + at->tail_size);
    }
    if (run->remember) {
        /* Each level as a segment around the object that held it, emptied. */
        struct writer writer = writer_in(run->arena);
        bool plain = true;
        size_t levels = from->count - to->count;
        struct tree_node *chain = source.member;
        for (size_t i = 1; i < levels; i++) {
            chain = chain->parent;
        }
        writer_number(&writer, levels);
        for (size_t i = 0; i < levels; i++) {
            struct slice key = from->names[to->count + i].raw;
            struct tree_node frame = *chain;
            struct slice holder;
            if (!run_emptied(run, chain->parent, &holder)) {
                return false;
            }
            plain = plain && segment_is_plain(run, chain, key) &&
                    slice_equal(holder, run->codec->empty_object);
            frame.parent = NULL;
            run_set_value(run, &frame, holder);
            if (!segment_write(run, &writer, &frame, key)) {
                return false;
            }
            chain = tree_first(chain);
        }
        if (!plain) {
            *out = writer_slice(&writer);
        }
    }
    run_note(run, op, "moved");
    struct tree_node *member = source.member;
    tree_remove(member);
    tree_replace(target.member, member);
    return true;
}

/* The object, emptied, that held what the segment <frame> remembers. */
static bool
holder_of(struct run *run, const struct tree_node *frame, struct slice *ret_raw)
{
    struct slice raw = slice_make(frame->value, frame->value_size);
    *ret_raw = run->codec->empty_object;
    if (kind_has_names(frame->type) && !slice_equal(raw, *ret_raw)) {
        struct tree_node *holder = run_value(run, raw);
        if (holder == NULL || !run_open(run, holder)) {
            return false;
        }
        if (holder->box->count == 0 && codec_is_framed(run->codec)) {
            *ret_raw = raw;
        }
    }
    return true;
}

/* The value of <from> goes into objects made in its place, down to <to>. */
static bool
sink(struct run *run, const struct plan_op *op, const struct plan_path *from,
     const struct plan_path *to, struct tree_node *object, struct slice in)
{
    struct place source;
    size_t levels = to->count - from->count;
    if (!run_resolve(run, object, from, &source)) {
        return false;
    }
    if (source.member == NULL) {
        return true;
    }
    if (!run_depth(run, source.object, levels, source.member, from)) {
        return false;
    }
    /* The segments to be made, outermost first. */
    struct tree_node **frames = arena_calloc(run->arena, levels, sizeof(*frames));
    if (frames == NULL) {
        return run_no_memory(run);
    }
    struct cursor cursor = cursor_over(in);
    bool held = in.size > 0 && cursor_number(&cursor) == levels;
    for (size_t i = 0; i < levels; i++) {
        struct slice key = to->names[from->count + i].raw;
        frames[i] = held ? segment_read(run, &cursor, key) : NULL;
        held = held && frames[i] != NULL;
        if (run->no_memory) {
            return false;
        }
    }
    for (size_t i = 0; i < levels; i++) {
        const struct plan_name *name = &to->names[from->count + i];
        if (!held && (frames[i] = segment_new(run, name, run->codec->empty_object)) == NULL) {
            return false;
        }
    }
    /* Build from the outside in; the innermost frame holds the value itself. */
    struct slice holder;
    if (!holder_of(run, frames[0], &holder)) {
        return false;
    }
    struct tree_node *outer = run_value(run, holder);
    if (outer == NULL) {
        return false;
    }
    run_note(run, op, "moved");
    struct tree_node *member = source.member;
    tree_replace(member, outer);
    for (size_t i = 0; i < levels; i++) {
        struct tree_node *frame = frames[i];
        if (!run_open(run, outer)) {
            return false;
        }
        outer->box->inner = slice_make(frame->head, frame->lead_size);
        if (i + 1 == levels) {
            if (!run_insert(run, outer, NULL, frame)) {
                return false;
            }
            tree_replace(frame, member);
        } else {
            if (!holder_of(run, frames[i + 1], &holder)) {
                return false;
            }
            run_set_value(run, frame, holder);
            if (!run_insert(run, outer, NULL, frame)) {
                return false;
            }
            outer = frame;
        }
    }
    return true;
}

/* What a carry remembered, read. */
struct carried {
    struct slice key;
    struct hole hole;
    bool has_lead;
    struct slice lead;
    uint64_t created;
    uint64_t frame_count;
    struct hole frame_hole;
    struct cursor frames;
};

static struct carried
carried_read(const struct run *run, struct slice in)
{
    struct carried carried = {.hole = {.where = HOLE_END}};
    struct cursor cursor = cursor_over(in);
    uint64_t flags = in.size > 0 ? cursor_number(&cursor) : 0;
    if (flags & MOVE_KEY) {
        carried.key = cursor_text(&cursor);
    }
    if (flags & MOVE_HOLE) {
        carried.hole = hole_read(&cursor);
    }
    if (flags & MOVE_LEAD) {
        carried.has_lead = true;
        carried.lead = cursor_text(&cursor);
    }
    if (flags & MOVE_CREATED) {
        carried.created = cursor_number(&cursor);
    }
    if (flags & MOVE_FRAMES) {
        carried.frame_count = cursor_number(&cursor);
        carried.frame_hole = hole_read(&cursor);
    }
    carried.frames = cursor;
    if (cursor.bad || !space_is_valid(run, carried.lead)) {
        return (struct carried){.hole = {.where = HOLE_END}};
    }
    return carried;
}

/*
 * Take out up to <count> parents that stand empty, from <object> upwards. Their segments go to
 * ret_removed, the innermost first, the place of the outermost to ret_hole.
 */
static bool
parents_remove(struct run *run, struct tree_node *object, size_t count,
               struct tree_node **ret_removed, size_t *ret_count, struct hole *ret_hole)
{
    size_t removed = 0;
    while (removed < count && object->box->count == 0 && object->parent != NULL &&
           object->key_size > 0) {
        struct tree_node *parent = object->parent;
        ret_hole->where = HOLE_END;
        run_hold_node(run, object);
        if (run->remember && object->next != NULL && !hole_of(run, object, ret_hole)) {
            return false;
        }
        tree_remove(object);
        ret_removed[removed++] = object;
        object = parent;
    }
    *ret_count = removed;
    return true;
}

/*
 * Make the parents that <path> lacks from <place> on; as remembered where that fits. The
 * innermost is *ret_object.
 */
static bool
parents_create(struct run *run, const struct plan_path *path, const struct place *place,
               struct carried *carried, struct tree_node **ret_object, size_t *ret_count)
{
    struct tree_node *object = place->deepest;
    size_t count = path->count - 1 - place->reached;
    bool held = carried->frame_count == count;
    struct hole hole = {.where = HOLE_END};
    if (held) {
        hole = carried->frame_hole;
    }
    for (size_t i = 0; i < count; i++) {
        const struct plan_name *name = &path->names[place->reached + i];
        struct tree_node *node = held ? segment_read(run, &carried->frames, name->raw) : NULL;
        if (run->no_memory) {
            return false;
        }
        if (node != NULL && kind_has_names(node->type)) {
            if (!run_open(run, node)) {
                return false;
            }
        }
        if (node == NULL || !kind_has_names(node->type) || node->box->count > 0) {
            held = false;
            node = segment_new(run, name, run->codec->empty_object);
            if (node == NULL || !run_open(run, node)) {
                return false;
            }
        }
        if (!run_insert(run, object, hole_find(object, &hole), node)) {
            return false;
        }
        hole.where = HOLE_END;
        object = node;
    }
    *ret_object = object;
    *ret_count = count;
    return true;
}

static bool
carry(struct run *run, const struct plan_op *op, const struct plan_path *from,
      const struct plan_path *to, struct tree_node *object, struct slice in, struct slice *out)
{
    struct place source;
    struct place target;
    if (!run_resolve(run, object, from, &source) || !run_resolve(run, object, to, &target)) {
        return false;
    }
    if (target.member != NULL) {
        return run_fail(run, LENS_COLLISION, to, "the target of a move is there already");
    }
    if (source.member == NULL) {
        return true;
    }
    if (target.object == NULL && target.blocked) {
        return run_fail(run, LENS_TYPE, to, "a parent of the target is no object");
    }
    size_t missing = to->count - 1 - target.reached;
    if ((to->count > from->count || missing > 0) &&
        !run_depth(run, target.deepest, missing, source.member, to)) {
        return false;
    }

    /* Out of its place, with the parents that were made for it. */
    struct carried carried = carried_read(run, in);
    struct tree_node *member = source.member;
    struct slice key = tree_key(member);
    struct hole hole = {.where = HOLE_END};
    run_hold(run,
             (size_t)member->head_size + (member->prev == NULL ? 0 : member->prev->key_size));
    if (run->remember && member->next != NULL && !hole_of(run, member, &hole)) {
        return false;
    }
    run_note(run, op, "moved");
    tree_remove(member);
    struct slice lead = slice_make(member->head, member->lead_size);
    bool left_alone =
        source.object->box->count == 0; /* it gives its white space on coming back */
    size_t created = from->count - 1;
    if (carried.created < created) {
        created = (size_t)carried.created;
    }
    struct tree_node **removed = arena_calloc(run->arena, created, sizeof(*removed));
    size_t removed_count = 0;
    struct hole removed_hole = {.where = HOLE_END};
    if (removed == NULL) {
        return run_no_memory(run);
    }
    if (!parents_remove(run, source.object, created, removed, &removed_count, &removed_hole)) {
        return false;
    }

    /* Into the other. Parents that went may have been on the way there. */
    struct tree_node *parent;
    size_t made;
    if (removed_count > 0 && !run_resolve(run, object, to, &target)) {
        return false;
    }
    if (!parents_create(run, to, &target, &carried, &parent, &made)) {
        return false;
    }
    bool held = carried.key.size > 0 && key_is_valid(run, carried.key, last_name(to)->text);
    struct slice new_key = held ? carried.key : last_name(to)->raw;
    if (!slice_equal(new_key, key) && !run_set_key(run, member, new_key, last_name(to))) {
        return false;
    }
    if (carried.has_lead && !tree_set_lead(member, carried.lead, run->arena)) {
        return run_no_memory(run);
    }
    if (op->is_field && to->count == 1 && member->lead_size > 0 &&
        !tree_set_lead(member, SLICE_OF(""), run->arena)) {
        return run_no_memory(run); /* between fields there is no place for white space */
    }
    bool alone = parent->box->count == 0; /* then it takes the white space of its parent */
    if (!run_insert(run, parent, hole_find(parent, &carried.hole), member)) {
        return false;
    }
    if (!run->remember) {
        return true;
    }

    bool frames = removed_count > 0 && removed_hole.where != HOLE_END;
    for (size_t i = 0; i < removed_count; i++) {
        struct slice usual = from->names[from->count - 2 - i].raw;
        struct slice emptied;
        if (!run_emptied(run, removed[i], &emptied)) {
            return false;
        }
        frames = frames || !segment_is_plain(run, removed[i], usual) ||
                 removed[i]->box->inner.size > 0 ||
                 !slice_equal(emptied, run->codec->empty_object);
    }
    bool spelled = !slice_equal(key, last_name(from)->raw);
    bool led = !left_alone &&
               !slice_equal(lead, slice_make(member->head, alone ? 0 : member->lead_size));
    unsigned flags = (spelled ? MOVE_KEY : 0u) | (hole.where != HOLE_END ? MOVE_HOLE : 0u) |
                     (led ? MOVE_LEAD : 0u) | (made > 0 ? MOVE_CREATED : 0u) |
                     (frames ? MOVE_FRAMES : 0u);
    if (flags == 0) {
        return true;
    }
    struct writer writer = writer_in(run->arena);
    writer_number(&writer, flags);
    if (flags & MOVE_KEY) {
        writer_text(&writer, key);
    }
    if (flags & MOVE_HOLE) {
        hole_write(&writer, &hole);
    }
    if (flags & MOVE_LEAD) {
        writer_text(&writer, lead);
    }
    if (flags & MOVE_CREATED) {
        writer_number(&writer, made);
    }
    if (flags & MOVE_FRAMES) {
        writer_number(&writer, removed_count);
        hole_write(&writer, &removed_hole);
        for (size_t i = removed_count; i-- > 0;) {
            struct slice usual = from->names[from->count - 2 - i].raw;
            if (!segment_write(run, &writer, removed[i], usual)) {
                return false;
            }
        }
    }
    *out = writer_slice(&writer);
    return !writer.failed || run_no_memory(run);
}

bool
op_move(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
        struct slice in, struct slice *out)
{
    const struct plan_path *from = up ? &op->path : &op->to;
    const struct plan_path *to = up ? &op->to : &op->path;
    if (plan_path_covers(to, from)) {
        return lift(run, op, from, to, object, out);
    }
    if (plan_path_covers(from, to)) {
        return sink(run, op, from, to, object, in);
    }
    return carry(run, op, from, to, object, in, out);
}
