#include "proto/codec/tree.h"

#include "proto/base/check.h"
#include "proto/codec/decimal.h"

/* Nodes allocated at once for a container: twice these at first, then growing. */
enum { TREE_CHUNK_MIN = 1, TREE_CHUNK_ROOT = 8, TREE_CHUNK_MAX = 32 };

static struct tree_node *
node_new(struct arena *arena)
{
    return arena_calloc(arena, 1, sizeof(struct tree_node));
}

static struct tree_box *
box_new(struct arena *arena)
{
    return arena_calloc(arena, 1, sizeof(struct tree_box));
}

/* Children of <node> from a walk that has been set up over its text. */
static bool
node_fill(struct tree_node *node, struct json_walk *walk, size_t chunk_size,
          struct arena *arena)
{
    struct json_item item;
    struct tree_node *chunk = NULL;
    size_t chunk_used = 0; /* of the nodes allocated at once */
    struct tree_node *last = NULL;
    size_t count = 0;
    if ((node->box = box_new(arena)) == NULL) {
        return false;
    }
    struct tree_node **link = &node->box->first;
    while (json_walk_next(walk, &item)) {
        if (chunk == NULL || chunk_used == chunk_size) {
            chunk_size = chunk_size < TREE_CHUNK_MAX ? chunk_size * 2 : chunk_size;
            chunk = arena_alloc(arena, chunk_size * sizeof(*chunk));
            chunk_used = 0;
            if (chunk == NULL) {
                return false;
            }
        }
        struct tree_node *child = &chunk[chunk_used++];
        child->parent = node;
        child->box = NULL;
        child->head = item.start;
        child->value = item.value;
        child->tail = item.trail;
        child->lead_size = (uint32_t)(item.key - item.start);
        child->key_size = (uint32_t)(item.colon - item.key);
        child->head_size = (uint32_t)(item.value - item.start);
        child->value_size = (uint32_t)(item.trail - item.value);
        child->tail_size = (uint32_t)(item.end - item.trail);
        child->type = (uint8_t)json_type_of(*item.value);
        child->escaped = item.escaped;
        child->edited = false;
        child->listed = last != NULL;
        child->prev = last;
        *link = child;
        link = &child->next;
        last = child;
        count++;
    }
    *link = NULL;
    node->box->last = last;
    node->box->count = count;
    if (count == 0 && walk->status == JSON_OK) {
        node->box->inner = slice_make(walk->inner, (size_t)(walk->at - 1 - walk->inner));
    }
    return true;
}

enum json_status
tree_parse(struct slice text, unsigned depth_max, struct arena *arena,
           struct tree_node **ret_root, size_t *ret_offset)
{
    if (text.size == 0) {
        *ret_offset = 0;
        return JSON_BAD;
    }
    const char *end = text.data + text.size;
    const char *start = json_skip_space(text.data, end);
    struct tree_node *root = NULL;
    enum json_status status = JSON_OK;
    const char *at = end;
    if (text.size > UINT32_MAX) {
        *ret_root = NULL;
        return JSON_OK;
    }
    if (start == end || *start != '{') {
        size_t offset;
        status = json_check(text, depth_max, &offset);
        if (status != JSON_OK) {
            *ret_offset = offset;
            return status;
        }
        while (json_is_space(at[-1])) {
            at--;
        }
        root = node_new(arena);
    } else if (depth_max == 0) {
        *ret_offset = (size_t)(start - text.data);
        return JSON_DEEP;
    } else {
        struct json_walk walk;
        root = node_new(arena);
        json_walk_init(&walk, start, end, depth_max);
        if (root == NULL || !node_fill(root, &walk, TREE_CHUNK_ROOT, arena)) {
            *ret_root = NULL;
            return JSON_OK;
        }
        at = walk.at;
        status = walk.status;
        if (status == JSON_OK && json_skip_space(at, end) != end) {
            at = json_skip_space(at, end);
            status = JSON_BAD;
        }
        if (status != JSON_OK) {
            *ret_offset = (size_t)(at - text.data);
            return status;
        }
    }
    if (root != NULL) {
        root->head = text.data;
        root->lead_size = root->head_size = (uint32_t)(start - text.data);
        root->value = start;
        root->value_size = (uint32_t)(at - start);
        root->tail = at;
        root->tail_size = (uint32_t)(end - at);
        root->type = (uint8_t)json_type_of(*start);
    }
    *ret_root = root;
    return JSON_OK;
}

struct tree_node *
tree_value(struct slice text, struct arena *arena)
{
    struct tree_node *node = text.size > UINT32_MAX ? NULL : node_new(arena);
    if (node != NULL) {
        node->value = text.data;
        node->value_size = (uint32_t)text.size;
        node->type = (uint8_t)json_type_of(*text.data);
    }
    return node;
}

bool
tree_open(struct tree_node *node, struct arena *arena)
{
    struct json_walk walk;
    if (node->box != NULL || node->type < JSON_ARRAY) {
        return true;
    }
    json_walk_init(&walk, node->value, node->value + node->value_size, 0);
    return node_fill(node, &walk, TREE_CHUNK_MIN, arena);
}

unsigned
tree_find(const struct tree_node *object, struct slice name, struct tree_node **ret_first)
{
    unsigned count = 0;
    const size_t key_size = name.size + 2;
    const char first = name.size > 0 ? name.data[0] : '"';
    for (struct tree_node *node = object->box->first; node != NULL; node = node->next) {
        const char *key = node->head + node->lead_size;
        if (!node->escaped) {
            if (node->key_size != key_size || key[1] != first ||
                memcmp(key + 1, name.data, name.size) != 0) {
                continue;
            }
        } else if (!json_spells(slice_make(key, node->key_size), name)) {
            continue;
        }
        if (count++ == 1) {
            break;
        }
        *ret_first = node;
    }
    return count;
}

void
tree_touch(struct tree_node *container)
{
    for (; container != NULL && !container->edited; container = container->parent) {
        container->edited = true;
    }
}

void
tree_remove(struct tree_node *node)
{
    struct tree_node *parent = node->parent;
    struct tree_box *box = parent->box;
    tree_touch(parent);
    if (node->prev == NULL) {
        box->first = node->next;
    } else {
        node->prev->next = node->next;
    }
    if (node->next == NULL) {
        box->last = node->prev;
    } else {
        node->next->prev = node->prev;
    }
    node->parent = node->prev = node->next = NULL;
    if (--box->count == 0) {
        box->inner = slice_make(node->head, node->lead_size);
        node->head += node->lead_size;
        node->head_size -= node->lead_size;
        node->lead_size = 0;
        node->listed = false;
    }
}

bool
tree_insert(struct tree_node *container, struct tree_node *after, struct tree_node *node,
            struct arena *arena)
{
    struct tree_box *box = container->box;
    if (box->count == 0 && (box->inner.size > 0 || node->lead_size > 0)) {
        size_t size = box->inner.size + node->head_size - node->lead_size;
        char *head = arena_alloc(arena, size);
        if (head == NULL || size > UINT32_MAX) {
            return false;
        }
        if (box->inner.size > 0) {
            memcpy(head, box->inner.data, box->inner.size);
        }
        if (node->head_size > node->lead_size) {
            memcpy(head + box->inner.size, node->head + node->lead_size,
                   node->head_size - node->lead_size);
        }
        node->head = head;
        node->head_size = (uint32_t)size;
        node->lead_size = (uint32_t)box->inner.size;
        node->listed = false;
        box->inner.size = 0;
    }
    node->parent = container;
    node->prev = after;
    node->next = after == NULL ? box->first : after->next;
    if (node->prev == NULL) {
        box->first = node;
    } else {
        node->prev->next = node;
    }
    if (node->next == NULL) {
        box->last = node;
    } else {
        node->next->prev = node;
    }
    box->count++;
    tree_touch(container);
    return true;
}

bool
tree_set_key(struct tree_node *node, struct slice raw, struct arena *arena)
{
    size_t colon_size = node->head_size - node->lead_size - node->key_size;
    size_t size = node->lead_size + raw.size + colon_size;
    if (size > UINT32_MAX) {
        return false;
    }
    char *head = arena_alloc(arena, size);
    if (head == NULL) {
        return false;
    }
    if (node->lead_size > 0) {
        memcpy(head, node->head, node->lead_size);
    }
    memcpy(head + node->lead_size, raw.data, raw.size);
    memcpy(head + node->lead_size + raw.size, node->head + node->lead_size + node->key_size,
           colon_size);
    node->head = head;
    node->head_size = (uint32_t)size;
    node->key_size = (uint32_t)raw.size;
    node->listed = false;
    node->escaped = memchr(raw.data, '\\', raw.size) != NULL;
    tree_touch(node->parent);
    return true;
}

bool
tree_set_lead(struct tree_node *node, struct slice lead, struct arena *arena)
{
    size_t rest = node->head_size - node->lead_size;
    char *head = lead.size + rest > UINT32_MAX ? NULL : arena_alloc(arena, lead.size + rest);
    if (head == NULL) {
        return false;
    }
    if (lead.size > 0) {
        memcpy(head, lead.data, lead.size);
    }
    if (rest > 0) {
        memcpy(head + lead.size, node->head + node->lead_size, rest);
    }
    node->head = head;
    node->lead_size = (uint32_t)lead.size;
    node->head_size = (uint32_t)(lead.size + rest);
    node->listed = false;
    tree_touch(node->parent);
    return true;
}

void
tree_set_value(struct tree_node *node, struct slice raw)
{
    node->value = raw.data;
    node->value_size = (uint32_t)raw.size;
    node->type = (uint8_t)json_type_of(*raw.data);
    node->box = NULL;
    node->edited = false;
    tree_touch(node->parent);
}

void
tree_replace(struct tree_node *node, struct tree_node *by)
{
    struct tree_box *box = node->parent->box;
    by->head = node->head;
    by->head_size = node->head_size;
    by->lead_size = node->lead_size;
    by->key_size = node->key_size;
    by->escaped = node->escaped;
    by->listed = node->listed;
    by->tail = node->tail;
    by->tail_size = node->tail_size;
    by->parent = node->parent;
    by->prev = node->prev;
    by->next = node->next;
    if (by->prev == NULL) {
        box->first = by;
    } else {
        by->prev->next = by;
    }
    if (by->next == NULL) {
        box->last = by;
    } else {
        by->next->prev = by;
    }
    tree_touch(by->parent);
    node->parent = node->prev = node->next = NULL;
    node->head_size = node->lead_size = node->key_size = node->tail_size = 0;
    node->listed = false;
}

/* --- text ------------------------------------------------------------------------------ */

/* Text on its way out: what lies in one piece where it comes from goes out in one piece. */
struct outlet {
    char *out;
    const char *from; /* the piece at hand: not copied yet */
    const char *to;
};

static inline void
outlet_flush(struct outlet *outlet)
{
    size_t size = (size_t)(outlet->to - outlet->from);
    if (size > 0) {
        memcpy(outlet->out, outlet->from, size);
        outlet->out += size;
    }
}

static inline void
outlet_put(struct outlet *outlet, const char *data, size_t size)
{
    if (size == 0) {
        return;
    }
    if (data != outlet->to) {
        outlet_flush(outlet);
        outlet->from = data;
    }
    outlet->to = data + size;
}

/* The comma before <node>, and what it has before its value. */
static inline void
outlet_next(struct outlet *outlet, const struct tree_node *node)
{
    if (node->listed && node->head - 1 == outlet->to) {
        outlet->to++;
    } else {
        outlet_put(outlet, ",", 1);
    }
    outlet_put(outlet, node->head, node->head_size);
}

/* The value of <top>, along children, siblings and parents; behind what was written. */
static char *
value_put(const struct tree_node *top, char *out)
{
    struct outlet outlet = {.out = out};
    const struct tree_node *node = top;
    for (;;) {
        if (node->edited) {
            outlet_put(&outlet, node->type == JSON_OBJECT ? "{" : "[", 1);
            if (node->box->first != NULL) {
                node = node->box->first;
                outlet_put(&outlet, node->head, node->head_size);
                continue;
            }
            outlet_put(&outlet, node->box->inner.data, node->box->inner.size);
            outlet_put(&outlet, node->type == JSON_OBJECT ? "}" : "]", 1);
        } else {
            outlet_put(&outlet, node->value, node->value_size);
        }
        while (node != top) {
            outlet_put(&outlet, node->tail, node->tail_size);
            if (node->next != NULL) {
                node = node->next;
                outlet_next(&outlet, node);
                break;
            }
            node = node->parent;
            outlet_put(&outlet, node->type == JSON_OBJECT ? "}" : "]", 1);
        }
        if (node == top) {
            outlet_flush(&outlet);
            return outlet.out;
        }
    }
}

static size_t
value_size(const struct tree_node *top)
{
    const struct tree_node *node = top;
    size_t size = 0;
    for (;;) {
        if (!node->edited) {
            size += node->value_size;
        } else if (node->box->first == NULL) {
            size += 2 + node->box->inner.size;
        } else {
            size += 1 + node->box->count; /* brackets and commas */
            node = node->box->first;
            size += node->head_size;
            continue;
        }
        while (node != top) {
            size += node->tail_size;
            if (node->next != NULL) {
                node = node->next;
                size += node->head_size;
                break;
            }
            node = node->parent;
        }
        if (node == top) {
            return size;
        }
    }
}

bool
tree_text(struct tree_node *node, struct arena *arena, struct slice *ret_text)
{
    if (!node->edited) {
        *ret_text = slice_make(node->value, node->value_size);
        return true;
    }
    size_t size = value_size(node);
    char *text = arena_alloc(arena, size);
    if (text == NULL) {
        return false;
    }
    value_put(node, text);
    *ret_text = slice_make(text, size);
    return true;
}

size_t
tree_full_size(const struct tree_node *node)
{
    return node->head_size + value_size(node) + node->tail_size;
}

bool
tree_full_text(struct tree_node *node, struct arena *arena, struct slice *ret_text)
{
    size_t size = tree_full_size(node);
    char *text = arena_alloc(arena, size);
    if (text == NULL) {
        return false;
    }
    if (node->head_size > 0) {
        memcpy(text, node->head, node->head_size);
    }
    char *end = value_put(node, text + node->head_size);
    if (node->tail_size > 0) {
        memcpy(end, node->tail, node->tail_size);
    }
    *ret_text = slice_make(text, size);
    return true;
}

/* --- equality -------------------------------------------------------------------------- */

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
    for (size_t run = 1; object->type == JSON_OBJECT && run < count; run *= 2) {
        for (size_t start = 0; start < count; start += 2 * run) {
            size_t middle = start + run < count ? start + run : count;
            size_t stop = start + 2 * run < count ? start + 2 * run : count;
            size_t left = start;
            size_t right = middle;
            for (size_t out = start; out < stop; out++) {
                bool take_right =
                    left == middle || (right < stop && json_compare(tree_key(from[right]),
                                                                    tree_key(from[left])) < 0);
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
names_equal(const struct tree_node *a, const struct tree_node *b)
{
    if (!a->escaped && !b->escaped) {
        return slice_equal(tree_key(a), tree_key(b));
    }
    return json_compare(tree_key(a), tree_key(b)) == 0;
}

/* Set up the comparison of two containers of the same type and count. NULL without memory. */
static struct pair *
pair_new(const struct tree_node *a, const struct tree_node *b, struct pair *up,
         struct arena *arena)
{
    struct pair *pair = arena_calloc(arena, 1, sizeof(*pair));
    if (pair == NULL) {
        return NULL;
    }
    pair->up = up;
    pair->count = a->box->count;
    pair->next_a = a->box->first;
    pair->next_b = b->box->first;
    if (a->type == JSON_OBJECT) {
        const struct tree_node *x = pair->next_a;
        const struct tree_node *y = pair->next_b;
        while (x != NULL && names_equal(x, y)) {
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

bool
tree_equal(struct tree_node *a, struct tree_node *b, struct arena *arena, bool *ret_equal)
{
    struct pair *top = NULL;
    *ret_equal = false;
    for (;;) {
        struct slice raw_a = slice_make(a->value, a->value_size);
        struct slice raw_b = slice_make(b->value, b->value_size);
        if (a->type != b->type) {
            return true;
        }
        if (a->edited || b->edited || !slice_equal(raw_a, raw_b)) {
            if (a->type >= JSON_ARRAY) {
                if (!tree_open(a, arena) || !tree_open(b, arena)) {
                    return false;
                }
                if (a->box->count != b->box->count) {
                    return true;
                }
                if ((top = pair_new(a, b, top, arena)) == NULL) {
                    return false;
                }
            } else if (a->type == JSON_NUMBER   ? !decimal_equal(raw_a, raw_b)
                       : a->type == JSON_STRING ? json_compare(raw_a, raw_b) != 0
                                                : false) {
                return true;
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
            if (!names_equal(a, b)) {
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
