#include "proto/lens/align.h"

#include "proto/codec/decimal.h"

bool
align_check(struct run *run, struct tree_node *element, const struct plan_path *path)
{
    struct place place;
    return path->count == 0 || !kind_has_names(element->type) ||
           run_resolve(run, element, path, &place);
}

static bool
align_key(struct run *run, struct tree_node *element, const struct plan_path *path,
          struct slice *ret_key)
{
    struct place place;
    *ret_key = (struct slice){NULL, 0};
    if (path->count == 0 || !kind_has_names(element->type)) {
        return true;
    }
    if (!run_resolve(run, element, path, &place)) {
        return false;
    }
    const struct tree_node *node = place.member;
    if (node == NULL || node->type == KIND_NULL || node->type > KIND_STRING) {
        return true;
    }
    struct slice text = slice_make(node->value, node->value_size);
    if (node->type == KIND_STRING && !run_decode(run, text, &text)) {
        return false;
    }
    if (node->type == KIND_NUMBER) {
        enum codec_status status = run->codec->number_text(text, run->arena, &text);
        if (status != CODEC_OK) {
            return status == CODEC_RANGE || run_no_memory(run);
        }
    }
    char *key = arena_alloc(run->arena, text.size + 33);
    if (key == NULL) {
        return run_no_memory(run);
    }
    size_t size = 1;
    if (node->type == KIND_NUMBER) {
        key[0] = 'n';
        size += decimal_key(text, key + 1);
    } else if (node->type == KIND_STRING) {
        key[0] = 's';
        if (text.size > 0) {
            memcpy(key + 1, text.data, text.size);
        }
        size += text.size;
    } else {
        key[0] = node->type == KIND_TRUE ? 't' : 'f';
    }
    *ret_key = slice_make(key, size);
    return true;
}

/* Names have a type byte of their own: an array may take the place of an object. */
static bool
name_key(struct run *run, const struct tree_node *member, struct slice *ret_key)
{
    struct slice name;
    char *key;
    if (!run->codec->key_text(tree_key(member), run->arena, &name) ||
        (key = arena_alloc(run->arena, name.size + 1)) == NULL) {
        return run_no_memory(run);
    }
    key[0] = 'm';
    if (name.size > 0) {
        memcpy(key + 1, name.data, name.size);
    }
    *ret_key = slice_make(key, name.size + 1);
    return true;
}

static int
compare(const struct align *align, uint32_t a, uint32_t b)
{
    int order = slice_compare(align->identities[a].key, align->identities[b].key);
    return order != 0 ? order : a < b ? -1 : a > b;
}

/* Already in order, as they stand? The usual case for common values, and cheap to ask. */
static bool
is_sorted(const struct align *align)
{
    for (uint32_t i = 1; i < align->count; i++) {
        if (compare(align, i - 1, i) > 0) {
            return false;
        }
    }
    return true;
}

static bool
sort(struct run *run, struct align *align)
{
    size_t count = align->count;
    uint32_t *from = align->order;
    if (is_sorted(align)) {
        return true;
    }
    uint32_t *to = arena_calloc(run->arena, count, sizeof(*to));
    if (to == NULL) {
        return run_no_memory(run);
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t stop = start + 2 * width < count ? start + 2 * width : count;
            size_t left = start;
            size_t right = middle;
            for (size_t out = start; out < stop; out++) {
                bool take_right = left == middle ||
                                  (right < stop && compare(align, from[right], from[left]) < 0);
                to[out] = take_right ? from[right++] : from[left++];
            }
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    align->order = from;
    return true;
}

bool
align_build(struct run *run, struct tree_node *const *elements, size_t count, bool by_name,
            const struct plan_path *path, struct align *ret_align)
{
    struct align align = {.count = count};
    align.identities = arena_calloc(run->arena, count, sizeof(*align.identities));
    align.order = arena_calloc(run->arena, count, sizeof(*align.order));
    if (align.identities == NULL || align.order == NULL || count > UINT32_MAX) {
        return run_no_memory(run);
    }
    for (size_t i = 0; i < count; i++) {
        align.order[i] = (uint32_t)i;
        if (by_name) {
            if (!name_key(run, elements[i], &align.identities[i].key)) {
                return false;
            }
        } else if (!align_key(run, elements[i], path, &align.identities[i].key)) {
            return false;
        }
    }
    if (!sort(run, &align)) {
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        struct identity *earlier = &align.identities[align.order[i - 1]];
        struct identity *later = &align.identities[align.order[i]];
        if (slice_equal(earlier->key, later->key)) {
            later->occurrence = earlier->occurrence + 1;
        }
    }
    *ret_align = align;
    return true;
}

size_t
align_find(const struct align *align, const struct identity *identity)
{
    size_t low = 0;
    size_t high = align->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct identity *at = &align->identities[align->order[middle]];
        int order = slice_compare(at->key, identity->key);
        if (order == 0 && at->occurrence != identity->occurrence) {
            order = at->occurrence < identity->occurrence ? -1 : 1;
        }
        if (order == 0) {
            return align->order[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return align->count;
}

void
identity_write(struct writer *writer, const struct identity *identity)
{
    writer_number(writer, identity->occurrence);
    writer_text(writer, identity->key);
}

struct identity
identity_read(struct cursor *cursor)
{
    struct identity identity;
    identity.occurrence = cursor_number(cursor);
    identity.key = cursor_text(cursor);
    return identity;
}
