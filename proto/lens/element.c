/*
 * Ops on elements: each and filter.
 *
 * What they remember:
 *   each     (identity, list)*: of every element, what its steps remember
 *   filter   in the older form: for every run of elements taken out, whether it stood at the
 *            START or AFTER the identity of the element left before it, how many there are,
 *            and their segments
 */
#include "proto/lens/align.h"

#include <stdio.h>

enum { FILTER_START = 0, FILTER_AFTER = 1 };

/* The children of <container> as they stand. */
static bool
elements_of(struct run *run, const struct tree_node *container,
            struct tree_node ***ret_elements)
{
    struct tree_node **elements =
        arena_calloc(run->arena, container->box->count, sizeof(struct tree_node *));
    size_t index = 0;
    if (elements == NULL) {
        return run_no_memory(run);
    }
    for (struct tree_node *node = tree_first(container); node != NULL; node = node->next) {
        elements[index++] = node;
    }
    *ret_elements = elements;
    return true;
}

/* --- each
 * --------------------------------------------------------------------------------------- */

/* An each at work. */
struct each {
    const struct plan_op *op;
    bool up;
    bool by_name;
    struct tree_node **elements;
    size_t count;
    struct slice *in;        /* lists, by element */
    struct slice *out;       /* likewise */
    struct align align;      /* in the form before; empty where it was not needed */
    struct writer unmatched; /* entries of elements that are not there */
};

/* Give every element the list remembered for it. */
static bool
each_align(struct run *run, struct each *each, struct slice in)
{
    const struct plan_path *path = each->up ? &each->op->key : &each->op->new_key;
    struct cursor cursor = cursor_over(in);
    if (!align_build(run, each->elements, each->count, each->by_name, path, &each->align)) {
        return false;
    }
    while (cursor_more(&cursor)) {
        struct identity identity = identity_read(&cursor);
        struct slice list = cursor_text(&cursor);
        if (cursor.bad) {
            break;
        }
        size_t index = align_find(&each->align, &identity);
        if (index < each->count) {
            each->in[index] = list;
        } else if (run->settling) {
            identity_write(&each->unmatched, &identity);
            writer_text(&each->unmatched, list);
        }
    }
    return true;
}

/* What <lists> hold, under the identities of <path>. */
static bool
each_write(struct run *run, const struct each *each, const struct plan_path *path,
           const struct slice *lists, struct slice *out)
{
    struct writer writer = writer_in(run->arena);
    struct align align;
    bool any = false;
    for (size_t i = 0; i < each->count; i++) {
        any = any || lists[i].size > 0;
    }
    if (!any) {
        return true;
    }
    if (!align_build(run, each->elements, each->count, each->by_name, path, &align)) {
        return false;
    }
    for (size_t i = 0; i < each->count; i++) {
        if (lists[i].size > 0) {
            identity_write(&writer, &align.identities[i]);
            writer_text(&writer, lists[i]);
        }
    }
    *out = writer_slice(&writer);
    return !writer.failed || run_no_memory(run);
}

/* Run the steps on one element. */
static bool
element_run(struct run *run, const struct each *each, bool up, size_t index, struct slice in,
            struct slice *out)
{
    const struct plan_list *steps = &each->op->steps;
    struct run_frame frame = {
        .up = run->frame, .op = each->op, .element = each->elements[index]};
    struct slice *before = NULL;
    struct slice *after = NULL;
    if ((in.size > 0 || run->settling) && !memory_read(in, steps->count, run->arena, &before)) {
        return run_no_memory(run);
    }
    if ((run->remember || run->settling) &&
        (after = arena_calloc(run->arena, steps->count, sizeof(*after))) == NULL) {
        return run_no_memory(run);
    }
    run_hold(run, each->by_name ? each->elements[index]->key_size
                                : each->elements[index]->value_size);
    run->frame = &frame;
    bool done = run_list(run, steps, up, each->elements[index], before, after);
    run->frame = frame.up;
    if (after != NULL && !run->no_memory &&
        !memory_write(after, steps->count, run->arena, out)) {
        return run_no_memory(run);
    }
    return done;
}

/*
 * The first <done> elements are done, and element <failed> is where it ended (where it is not
 * done itself, its out says what remains of its memory): undo them, and say what remains of
 * all.
 */
static bool
each_undo(struct run *run, struct each *each, size_t done, size_t failed, struct slice *out)
{
    struct lens_failure first = *run->failure;
    for (size_t i = done; i-- > 0;) {
        struct slice back = {NULL, 0};
        bool undone = element_run(run, each, !each->up, i, each->out[i], &back);
        each->out[i] = undone ? back : each->in[i];
    }
    for (size_t i = failed + 1; i < each->count; i++) {
        each->out[i] = each->in[i];
    }
    bool written =
        each_write(run, each, each->up ? &each->op->key : &each->op->new_key, each->out, out);
    if (written && each->unmatched.size > 0) {
        writer_bytes(&each->unmatched, *out);
        *out = writer_slice(&each->unmatched);
    }
    *run->failure = first;
    return false;
}

bool
op_each(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
        struct slice in, struct slice *out)
{
    const struct plan_path *before = up ? &op->key : &op->new_key;
    const struct plan_path *after = up ? &op->new_key : &op->key;
    struct each each = {.op = op, .up = up, .unmatched = writer_in(run->arena)};
    struct tree_node *container = object;
    *out = in; /* what remains where the steps are not reached */
    if (op->path.count > 0) {
        struct place place;
        if (!run_resolve(run, object, &op->path, &place)) {
            return false;
        }
        container = place.member;
    }
    if (container == NULL) {
        *out = (struct slice){NULL, 0};
        return true;
    }
    if (!kind_is_container(container->type)) {
        return run_fail(run, LENS_TYPE, &op->path, "neither an array nor an object");
    }
    if (!run_open(run, container) || !elements_of(run, container, &each.elements)) {
        return false;
    }
    each.count = container->box->count;
    each.by_name = tree_kind(container) == KIND_OBJECT;
    for (size_t i = 0; i < each.count; i++) {
        struct run_frame frame = {.up = run->frame, .op = op, .element = each.elements[i]};
        bool good = true;
        run->frame = &frame;
        if (!kind_has_names(each.elements[i]->type)) {
            good = run_fail(run, LENS_TYPE, NULL, "an element is no object");
        } else if (!each.by_name) {
            good = align_check(run, each.elements[i], before);
        }
        run->frame = frame.up;
        if (!good) {
            return false;
        }
    }
    each.in = arena_calloc(run->arena, each.count, sizeof(*each.in));
    each.out = arena_calloc(run->arena, each.count, sizeof(*each.out));
    if (each.in == NULL || each.out == NULL) {
        return run_no_memory(run);
    }
    if (in.size > 0 && !each_align(run, &each, in)) {
        return false;
    }
    for (size_t i = 0; i < each.count; i++) {
        bool done = element_run(run, &each, up, i, each.in[i], &each.out[i]);
        size_t reached = i;
        if (done && !each.by_name && op->key.count > 0 && !plan_path_same(before, after)) {
            /* The new key must not occur twice, either. */
            done = align_check(run, each.elements[i], after);
            reached = i + 1;
        }
        if (!done) {
            return run->settling && !run->no_memory ? each_undo(run, &each, reached, i, out)
                                                    : false;
        }
    }
    *out = (struct slice){NULL, 0};
    return !run->remember || each_write(run, &each, after, each.out, out);
}

/* --- filter
 * ------------------------------------------------------------------------------------- */

/* Where elements have their positions for names, give them those that they have now. */
static bool
number_elements(struct run *run, struct tree_node *array)
{
    const struct codec *codec = run->codec;
    uint64_t index = 0;
    if (codec->is_position == NULL) {
        return true;
    }
    for (struct tree_node *node = tree_first(array); node != NULL; node = node->next, index++) {
        char number[24];
        struct slice key;
        if (codec->is_position(tree_key(node), index)) {
            continue;
        }
        int size = snprintf(number, sizeof(number), "%llu", (unsigned long long)index);
        if (!codec->key_encode(run->arena, slice_make(number, (size_t)size), &key)) {
            return run_no_memory(run);
        }
        if (!tree_set_key(node, key, false, false, run->arena)) {
            return run_no_memory(run);
        }
    }
    return true;
}

static bool
is_hidden(struct run *run, const struct plan_op *op, struct tree_node *element,
          bool *ret_hidden)
{
    struct place place;
    *ret_hidden = false;
    if (!kind_has_names(element->type)) {
        return true;
    }
    if (!run_resolve(run, element, &op->hide, &place)) {
        return false;
    }
    for (size_t i = 0; i < op->hidden_count && place.member != NULL && !*ret_hidden; i++) {
        if (!run_equal(run, place.member, op->hidden[i], ret_hidden)) {
            return false;
        }
    }
    return true;
}

/* Put back what <in> holds. */
static bool
filter_restore(struct run *run, const struct plan_op *op, struct tree_node *array,
               struct tree_node *const *elements, size_t count, struct slice in)
{
    struct cursor cursor = cursor_over(in);
    struct align align;
    /* Nodes to put in, with the element they go behind; those with none of their own go last.
     */
    struct pending {
        struct pending *next;
        struct tree_node *node;
    };
    struct pending **behind = arena_calloc(run->arena, count + 2, sizeof(struct pending *));
    if (behind == NULL) {
        return run_no_memory(run);
    }
    if (!align_build(run, elements, count, false, &op->key, &align)) {
        return false;
    }
    /* behind[0]: at the start; behind[i + 1]: behind element i; behind[count + 1]: at the end
     */
    while (cursor_more(&cursor)) {
        size_t slot = 0;
        if (cursor_number(&cursor) == FILTER_AFTER) {
            struct identity identity = identity_read(&cursor);
            slot = align_find(&align, &identity) + 1;
        }
        uint64_t held = cursor_number(&cursor);
        for (; held > 0 && cursor_more(&cursor); held--) {
            struct pending *pending = arena_calloc(run->arena, 1, sizeof(*pending));
            if (pending == NULL) {
                return run_no_memory(run);
            }
            pending->node = segment_read(run, &cursor, (struct slice){NULL, 0});
            if (run->no_memory) {
                return false;
            }
            if (pending->node == NULL) {
                continue;
            }
            if (!run_depth(run, array, 0, pending->node, &op->path)) {
                return false;
            }
            pending->next = behind[slot];
            behind[slot] = pending;
        }
    }
    /* From the last to the first, the way they were taken out turned round. */
    for (size_t slot = count + 2; slot-- > 0;) {
        struct tree_node *after = slot == 0       ? NULL
                                  : slot <= count ? elements[slot - 1]
                                  : count > 0     ? elements[count - 1]
                                                  : NULL;
        for (struct pending *pending = behind[slot]; pending != NULL; pending = pending->next) {
            if (!run_insert(run, array, after, pending->node)) {
                return false;
            }
            run_note(run, op, "hidden element restored");
        }
    }
    return number_elements(run, array);
}

static bool
filter_take(struct run *run, const struct plan_op *op, struct tree_node *array,
            struct tree_node *const *elements, const bool *hidden, size_t count,
            struct slice *out)
{
    struct tree_node **left = arena_calloc(run->arena, count, sizeof(struct tree_node *));
    size_t left_count = 0;
    struct align align;
    struct writer writer = writer_in(run->arena);
    if (left == NULL) {
        return run_no_memory(run);
    }
    for (size_t i = 0; i < count; i++) {
        if (!hidden[i]) {
            left[left_count++] = elements[i];
        }
    }
    if (run->remember && !align_build(run, left, left_count, false, &op->key, &align)) {
        return false;
    }
    size_t seen = 0; /* elements left before this one */
    for (size_t i = 0; i < count; i++) {
        if (!hidden[i]) {
            seen++;
            continue;
        }
        if (run->remember && (i == 0 || !hidden[i - 1])) {
            size_t held = 1;
            while (i + held < count && hidden[i + held]) {
                held++;
            }
            writer_number(&writer, seen == 0 ? FILTER_START : FILTER_AFTER);
            if (seen > 0) {
                identity_write(&writer, &align.identities[seen - 1]);
            }
            writer_number(&writer, held);
        }
        run_hold_node(run, elements[i]);
        run_hold(run, i > 0 ? elements[i - 1]->value_size : 0); /* an identity at most */
        tree_remove(elements[i]);
        if (elements[i]->key_size > 0 &&
            !tree_set_key(elements[i], (struct slice){NULL, 0}, false, false, run->arena)) {
            return run_no_memory(run);
        }
        if (run->remember &&
            !segment_write(run, &writer, elements[i], (struct slice){NULL, 0})) {
            return false;
        }
        run_note(run, op, "element hidden");
    }
    *out = writer_slice(&writer);
    return writer.failed ? run_no_memory(run) : number_elements(run, array);
}

bool
op_filter(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
          struct slice in, struct slice *out)
{
    struct place place;
    struct tree_node **elements;
    bool any = false;
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    struct tree_node *array = place.member;
    if (array == NULL) {
        return true;
    }
    if (!kind_is_array(tree_kind(array))) {
        return run_fail(run, LENS_TYPE, &op->path, "not an array");
    }
    if (!run_open(run, array) || !elements_of(run, array, &elements)) {
        return false;
    }
    size_t count = array->box->count;
    bool *hidden = arena_calloc(run->arena, count, sizeof(*hidden));
    if (hidden == NULL) {
        return run_no_memory(run);
    }
    for (size_t i = 0; i < count; i++) {
        struct run_frame frame = {.up = run->frame, .op = op, .element = elements[i]};
        run->frame = &frame;
        bool good = is_hidden(run, op, elements[i], &hidden[i]) &&
                    align_check(run, elements[i], &op->key);
        if (good && up && hidden[i]) {
            good = run_fail(run, LENS_COLLISION, &op->hide,
                            "an element that the older form must not have");
        }
        run->frame = frame.up;
        if (!good) {
            return false;
        }
        any = any || hidden[i];
    }
    if (up) {
        return in.size == 0 || filter_restore(run, op, array, elements, count, in);
    }
    return !any || filter_take(run, op, array, elements, hidden, count, out);
}
