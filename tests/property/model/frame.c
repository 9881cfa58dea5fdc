#include "tests/property/model/frame.h"

#include "proto/base/check.h"
#include "tests/property/model/reference.h"

enum { CHILDREN_MAX = 24 };

struct node {
    struct slice name;
    bool opaque;          /* an op may have replaced it */
    struct node *element; /* each: what its steps name */
    struct node *children[CHILDREN_MAX];
    size_t count;
};

struct group {
    struct slice name;
    size_t leader;
    bool only_each;
    bool has_key;
    struct slice key; /* of one token */
};

struct frame {
    struct node root;
    struct group groups[FRAME_GROUPS_MAX];
    size_t group_count;
    bool all_related; /* the root itself is gone through */
};

static struct node *
child_of(struct arena *arena, struct node *node, struct slice name)
{
    for (size_t i = 0; i < node->count; i++) {
        if (slice_equal(node->children[i]->name, name)) {
            return node->children[i];
        }
    }
    if (node->count == CHILDREN_MAX) {
        node->opaque = true;
        return node;
    }
    struct node *child = arena_calloc(arena, 1, sizeof(*child));
    CHECK(child != NULL);
    child->name = name;
    node->children[node->count++] = child;
    return child;
}

static struct node *
node_at(struct arena *arena, struct node *node, const struct pointer *pointer)
{
    for (size_t i = 0; i < pointer->count; i++) {
        node = child_of(arena, node, pointer->tokens[i]);
    }
    return node;
}

static void
mention(struct arena *arena, struct node *root, struct pointer pointer)
{
    node_at(arena, root, &pointer)->opaque = true;
}

static struct pointer
sibling(struct pointer pointer, struct slice name)
{
    pointer.tokens[pointer.count - 1] = name;
    return pointer;
}

static void mention_steps(struct arena *arena, struct node *root, const struct value *steps);

static void
mention_op(struct arena *arena, struct node *root, const struct value *op)
{
    const struct value *path = value_get_string(op, "path");
    const struct value *from = value_get_string(op, "from");
    const struct value *to = value_get_string(op, "to");
    const struct value *into = value_get_string(op, "into");
    struct slice kind = value_get_string(op, "op")->text;
    struct pointer at = {0};
    if (path != NULL) {
        at = pointer_parse(arena, path->text);
    }
    if (slice_equal(kind, SLICE_OF("each"))) {
        struct node *node = node_at(arena, root, &at);
        if (node->element == NULL) {
            node->element = arena_calloc(arena, 1, sizeof(*node));
            CHECK(node->element != NULL);
        }
        mention_steps(arena, node->element, value_get_string(op, "steps"));
        return;
    }
    if (slice_equal(kind, SLICE_OF("move"))) {
        mention(arena, root, pointer_parse(arena, from->text));
        mention(arena, root, pointer_parse(arena, to->text));
        return;
    }
    mention(arena, root, at);
    if (slice_equal(kind, SLICE_OF("rename"))) {
        mention(arena, root, sibling(at, to->text));
    }
    const struct value *list = slice_equal(kind, SLICE_OF("join")) ? from : into;
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        mention(arena, root, sibling(at, list->members[i].value->text));
    }
}

static void
mention_steps(struct arena *arena, struct node *root, const struct value *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        mention_op(arena, root, steps->members[i].value);
    }
}

static size_t
group_index(struct frame *frame, struct slice name)
{
    for (size_t i = 0; i < frame->group_count; i++) {
        if (slice_equal(frame->groups[i].name, name)) {
            return i;
        }
    }
    if (frame->group_count == FRAME_GROUPS_MAX) {
        frame->all_related = true;
        return 0;
    }
    frame->groups[frame->group_count] =
        (struct group){.name = name, .leader = frame->group_count, .only_each = true};
    return frame->group_count++;
}

static size_t
leader_of(const struct frame *frame, size_t index)
{
    while (frame->groups[index].leader != index) {
        index = frame->groups[index].leader;
    }
    return index;
}

static void
relate_op(struct arena *arena, struct frame *frame, const struct value *op)
{
    struct slice names[16];
    size_t count = 0;
    const struct value *path = value_get_string(op, "path");
    const struct value *from = value_get_string(op, "from");
    const struct value *to = value_get_string(op, "to");
    const struct value *into = value_get_string(op, "into");
    struct slice kind = value_get_string(op, "op")->text;
    bool each = slice_equal(kind, SLICE_OF("each"));
    bool in_root = true;
    size_t token_count = 1;
    if (path != NULL) {
        struct pointer at = pointer_parse(arena, path->text);
        if (at.count == 0) {
            frame->all_related = true;
            return;
        }
        token_count = at.count;
        in_root = at.count == 1;
        names[count++] = at.tokens[0];
    }
    if (slice_equal(kind, SLICE_OF("move"))) {
        names[count++] = pointer_parse(arena, from->text).tokens[0];
        names[count++] = pointer_parse(arena, to->text).tokens[0];
    } else if (slice_equal(kind, SLICE_OF("rename")) && in_root) {
        names[count++] = to->text;
    } else if (slice_equal(kind, SLICE_OF("join")) || into != NULL) {
        const struct value *list = into != NULL ? into : from;
        for (size_t i = 0; in_root && i < list->count && count < 16; i++) {
            names[count++] = list->members[i].value->text;
        }
    }
    size_t first = group_index(frame, names[0]);
    for (size_t i = 1; i < count; i++) {
        size_t other = leader_of(frame, group_index(frame, names[i]));
        frame->groups[other].leader = leader_of(frame, first);
    }
    const struct value *key = value_get_string(op, "key");
    struct group *group = &frame->groups[first];
    struct pointer key_at = {0};
    if (key != NULL) {
        key_at = pointer_parse(arena, key->text);
    }
    if (!each || token_count != 1 || key_at.count != 1 ||
        value_get_string(op, "new_key") != NULL ||
        (group->has_key && !slice_equal(group->key, key_at.tokens[0]))) {
        for (size_t i = 0; i < count; i++) {
            frame->groups[group_index(frame, names[i])].only_each = false;
        }
    } else {
        group->has_key = true;
        group->key = key_at.tokens[0];
    }
}

struct frame *
frame_new(struct arena *arena, const struct value *schema)
{
    struct frame *frame = arena_calloc(arena, 1, sizeof(*frame));
    const struct value *versions = value_get_string(schema, "versions");
    CHECK(frame != NULL);
    for (size_t i = 1; i < versions->count; i++) {
        const struct value *steps = value_get_string(versions->members[i].value, "steps");
        if (steps == NULL) {
            continue;
        }
        mention_steps(arena, &frame->root, steps);
        for (size_t k = 0; k < steps->count; k++) {
            relate_op(arena, frame, steps->members[k].value);
        }
    }
    return frame;
}

size_t
frame_group(const struct frame *frame, struct slice name)
{
    if (frame->all_related) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < frame->group_count; i++) {
        if (slice_equal(frame->groups[i].name, name)) {
            return leader_of(frame, i);
        }
    }
    return FRAME_GROUPS_MAX; /* named by no step */
}

bool
frame_keyed_array(const struct frame *frame, struct slice name, struct slice *ret_key)
{
    for (size_t i = 0; i < frame->group_count && !frame->all_related; i++) {
        const struct group *group = &frame->groups[i];
        if (slice_equal(group->name, name)) {
            *ret_key = group->key;
            return group->only_each && group->has_key && leader_of(frame, i) == i;
        }
    }
    return false;
}

static const struct node *
named(const struct node *node, struct slice name)
{
    for (size_t i = 0; i < node->count; i++) {
        if (slice_equal(node->children[i]->name, name)) {
            return node->children[i];
        }
    }
    return NULL;
}

static bool
differs(struct slice name, struct slice *ret_name)
{
    *ret_name = name;
    return false;
}

static bool
untouched(const struct node *node, const struct value *body, const struct value *view,
          struct slice *ret_name)
{
    if (node->opaque || (node->element != NULL && node->count > 0)) {
        return true;
    }
    if (!spelling_is_modelled() && node->count > 0 &&
        (body->kind == VALUE_ARRAY || view->kind == VALUE_ARRAY)) {
        return true; /* where lists have names, an op may touch one */
    }
    if (node->element != NULL && body->kind == view->kind && body->kind >= VALUE_ARRAY) {
        if (body->count != view->count) {
            return differs(SLICE_OF("(number of elements)"), ret_name);
        }
        for (size_t i = 0; i < body->count; i++) {
            if (!slice_equal(body->members[i].raw_name, view->members[i].raw_name)) {
                return differs(body->members[i].raw_name, ret_name);
            }
            if (!untouched(node->element, body->members[i].value, view->members[i].value,
                           ret_name)) {
                return false;
            }
        }
        return true;
    }
    if (body->kind != VALUE_OBJECT || view->kind != VALUE_OBJECT) {
        return slice_equal(body->raw, view->raw) || differs(SLICE_OF("(all)"), ret_name);
    }
    size_t at = 0;
    for (size_t i = 0; i < body->count; i++) {
        const struct member *member = &body->members[i];
        if (named(node, member->name) != NULL) {
            continue;
        }
        while (at < view->count && named(node, view->members[at].name) != NULL) {
            at++;
        }
        if (at == view->count || !slice_equal(view->members[at].raw_name, member->raw_name) ||
            !slice_equal(view->members[at].value->raw, member->value->raw)) {
            return differs(member->name, ret_name);
        }
        at++;
    }
    for (; at < view->count; at++) {
        if (named(node, view->members[at].name) == NULL) {
            return differs(view->members[at].name, ret_name);
        }
    }
    for (size_t i = 0; i < node->count; i++) {
        struct slice name = node->children[i]->name;
        const struct value *inner_body = value_get(body, name);
        const struct value *inner_view = value_get(view, name);
        if (inner_body != NULL && inner_view != NULL &&
            !untouched(node->children[i], inner_body, inner_view, ret_name)) {
            return false;
        }
    }
    return true;
}

bool
frame_untouched(const struct frame *frame, const struct value *body, const struct value *view,
                struct slice *ret_name)
{
    return untouched(&frame->root, body, view, ret_name);
}
