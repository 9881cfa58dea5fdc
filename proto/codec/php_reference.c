#include "proto/codec/php_reference.h"

#include "proto/codec/php_scan.h"

/* The values of a text that have numbers, and what refers to numbers, as they stand. */
struct census {
    const char **values; /* NULL: only counted */
    const char **references;
    size_t value_count;
    size_t reference_count;
    uint64_t target_max; /* the highest number referred to */
};

static void
count_value(void *context, const char *start, struct slice head)
{
    struct census *census = context;
    uint64_t target = 0;
    if (*start != 'R') {
        if (census->values != NULL) {
            census->values[census->value_count] = start;
        }
        census->value_count++;
    }
    if (*start == 'R' || *start == 'r') {
        (void)slice_to_uint64(slice_make(head.data + 2, head.size - 3), &target);
    } else if (*start == 'C') {
        target = census->value_count;
    } else {
        return;
    }
    if (census->references != NULL) {
        census->references[census->reference_count] = start;
    }
    census->reference_count++;
    if (target > census->target_max) {
        census->target_max = target;
    }
}

bool
php_refers(struct slice raw)
{
    struct census census = {0};
    php_values(raw, count_value, &census);
    return census.reference_count > 0;
}

/* How many of <count> ascending places lie before <place>. */
static size_t
places_before(const char *const *places, size_t count, const char *place)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((uintptr_t)places[middle] < (uintptr_t)place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The values of the new document, counted as they will stand. */
struct recount {
    const struct census *before;
    struct slice text; /* of the document that was */
    uint64_t number;   /* of the value counted last */
    size_t reference_count;
};

/* <count> values, the first of which was number <was> (0: it is new); are they in order? */
static bool
recount_values(struct recount *recount, size_t count, uint64_t was)
{
    bool stays = count == 0 || recount->number >= recount->before->target_max ||
                 was == recount->number + 1;
    recount->number += count;
    return stays;
}

static bool
recount_text(struct recount *recount, struct slice raw)
{
    const struct census *before = recount->before;
    const char *end = raw.data + raw.size;
    uintptr_t offset = (uintptr_t)raw.data - (uintptr_t)recount->text.data;
    if (offset >= recount->text.size) {
        struct census fresh = {0};
        php_values(raw, count_value, &fresh);
        return fresh.reference_count == 0 && recount_values(recount, fresh.value_count, 0);
    }
    size_t first = places_before(before->values, before->value_count, raw.data);
    size_t behind = places_before(before->values, before->value_count, end);
    recount->reference_count +=
        places_before(before->references, before->reference_count, end) -
        places_before(before->references, before->reference_count, raw.data);
    return recount_values(recount, behind - first, first + 1);
}

static bool
recount_node(struct recount *recount, const struct tree_node *node)
{
    const struct census *before = recount->before;
    struct slice raw = slice_make(node->value, node->value_size);
    if (!node->edited) {
        return recount_text(recount, raw);
    }
    size_t at = places_before(before->values, before->value_count, raw.data);
    bool is_old = at < before->value_count && before->values[at] == raw.data;
    return recount_values(recount, 1, is_old ? at + 1 : 0);
}

bool
php_references_stay(const struct codec_document *document, const struct tree_node *root,
                    struct arena *arena)
{
    struct census census = {0};
    if (!root->edited) {
        return true;
    }
    php_values(document->value, count_value, &census);
    if (census.reference_count == 0) {
        return true;
    }
    census.values = arena_calloc(arena, census.value_count, sizeof(*census.values));
    census.references = arena_calloc(arena, census.reference_count, sizeof(*census.references));
    if (census.values == NULL || census.references == NULL) {
        return false;
    }
    census.value_count = census.reference_count = 0;
    census.target_max = 0;
    php_values(document->value, count_value, &census);
    if (document->form == PHP_SESSION && root->type >= KIND_ARRAY) {
        census.target_max++; /* the root is no value of a session */
    }
    struct recount recount = {.before = &census, .text = document->value};
    const struct tree_node *node = root;
    for (;;) {
        if (!recount_node(&recount, node)) {
            return false;
        }
        if (node->edited && node->box->first != NULL) {
            node = node->box->first;
            continue;
        }
        while (node != root && node->next == NULL) {
            node = node->parent;
        }
        if (node == root) {
            return recount.reference_count == census.reference_count;
        }
        node = node->next;
    }
}
