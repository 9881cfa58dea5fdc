#include "proto/codec/decimal.h"
#include "proto/codec/tree.h"

/* Two containers that are being compared, child by child. */
struct pair {
    struct pair *up;
    struct tree_node **a; /* children in comparable order; NULL: along ->next */
    struct tree_node **b;
    struct tree_node *next_a;
    struct tree_node *next_b;
    size_t index;
    size_t count;
};

/* A merge sort: stable. */
bool
tree_children(const struct tree_node *object, struct arena *arena,
              struct tree_node ***ret_children)
{
    size_t count = object->box->count;
    struct tree_node **from = arena_calloc(arena, count, sizeof(struct tree_node *));
    struct tree_node **to = arena_calloc(arena, count, sizeof(struct tree_node *));
    if (from == NULL || to == NULL) {
        return false;
    }
    size_t index = 0;
    for (struct tree_node *node = object->box->first; node != NULL; node = node->next) {
        from[index++] = node;
    }
    const struct codec *codec = object->box->codec;
    bool named = tree_kind(object) == KIND_OBJECT;
    for (size_t run = 1; named && run < count; run *= 2) {
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t stop = start + 2 * run < count ? start + 2 * run : count;
            size_t left = start;
            size_t right = middle;
            for (size_t out = start; out < stop; out++) {
                bool take_right =
                    left == middle ||
                    (right < stop &&
                     codec->key_compare(tree_key(from[right]), tree_key(from[left])) < 0);
                to[out] = take_right ? from[right++] : from[left++];
            }
        }
        struct tree_node **swap = from;
        from = to;
        to = swap;
    }
    *ret_children = from;
    return true;
}

static bool
names_equal(const struct codec *codec, const struct tree_node *a, const struct tree_node *b)
{
    return slice_equal(tree_key(a), tree_key(b)) ||
           codec->key_compare(tree_key(a), tree_key(b)) == 0;
}

/* Set up the comparison of two containers of the same type and count. NULL without memory. */
static struct pair *
pair_new(const struct codec *codec, const struct tree_node *a, const struct tree_node *b,
         struct pair *up, struct arena *arena)
{
    struct pair *pair = arena_calloc(arena, 1, sizeof(*pair));
    if (pair == NULL) {
        return NULL;
    }
    pair->up = up;
    pair->count = a->box->count;
    pair->next_a = a->box->first;
    pair->next_b = b->box->first;
    if (tree_kind(a) == KIND_OBJECT) {
        const struct tree_node *x = pair->next_a;
        const struct tree_node *y = pair->next_b;
        while (x != NULL && names_equal(codec, x, y)) {
            x = x->next;
            y = y->next;
        }
        if (x != NULL) {
            if (!tree_children(a, arena, &pair->a) || !tree_children(b, arena, &pair->b)) {
                return NULL;
            }
        }
    }
    return pair;
}

/* Are two scalars of one kind, spelled differently, the same value? */
static bool
scalar_equal(const struct codec *codec, enum kind kind, struct slice raw_a, struct slice raw_b,
             struct arena *arena, bool *ret_equal)
{
    struct slice a;
    struct slice b;
    enum codec_status status;
    *ret_equal = false;
    switch (kind) {
    case KIND_NUMBER:
        status = codec->number_text(raw_a, arena, &a);
        if (status == CODEC_OK) {
            status = codec->number_text(raw_b, arena, &b);
        }
        *ret_equal = status == CODEC_OK && decimal_equal(a, b);
        return status != CODEC_NO_MEMORY;
    case KIND_STRING:
    case KIND_BYTES:
        *ret_equal = codec->string_compare(raw_a, raw_b) == 0;
        return true;
    case KIND_OTHER:
        return true;
    default:
        *ret_equal = true;
        return true;
    }
}

bool
tree_equal(const struct codec *codec, struct tree_node *a, struct tree_node *b,
           struct arena *arena, bool *ret_equal)
{
    struct pair *top = NULL;
    *ret_equal = false;
    for (;;) {
        struct slice raw_a = slice_make(a->value, a->value_size);
        struct slice raw_b = slice_make(b->value, b->value_size);
        enum kind kind = tree_kind(a);
        if (kind != tree_kind(b)) {
            return true;
        }
        if (a->edited || b->edited || !slice_equal(raw_a, raw_b)) {
            if (kind_is_container(kind)) {
                if (!tree_open(codec, a, arena) || !tree_open(codec, b, arena)) {
                    return false;
                }
                if (a->box->count != b->box->count) {
                    return true;
                }
                if ((top = pair_new(codec, a, b, top, arena)) == NULL) {
                    return false;
                }
            } else {
                bool same;
                if (!scalar_equal(codec, kind, raw_a, raw_b, arena, &same)) {
                    return false;
                }
                if (!same) {
                    return true;
                }
            }
        }
        while (top != NULL && top->index == top->count) {
            top = top->up;
        }
        if (top == NULL) {
            *ret_equal = true;
            return true;
        }
        if (top->a != NULL) {
            a = top->a[top->index];
            b = top->b[top->index];
            if (!names_equal(codec, a, b)) {
                return true;
            }
        } else {
            a = top->next_a;
            b = top->next_b;
            top->next_a = a->next;
            top->next_b = b->next;
        }
        top->index++;
    }
}
