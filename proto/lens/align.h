/*
 * align - which element is which: identified by the value of its key, and by how many earlier
 * elements have the same. Elements without such a value share one; members go by name.
 *
 * Thread:   owned by one thread at a time.
 * Bounded:  O(n log n), whatever the keys are.
 */
#ifndef PROTO_LENS_ALIGN_H
#define PROTO_LENS_ALIGN_H

#include "proto/lens/run.h"

struct identity {
    struct slice key; /* shared exactly by equal values: a type byte and the value */
    uint64_t occurrence;
};

/* Elements with their identities, and an order to find them by. */
struct align {
    struct identity *identities; /* as the elements stand */
    uint32_t *order;             /* indexes, ascending by key, then as they stand */
    size_t count;
};

/* False if a key occurs twice in the element, or without memory. */
bool align_check(struct run *run, struct tree_node *element, const struct plan_path *path);

/*
 * Identify <count> elements; all members of an object if <by_name>, else by what <path> leads
 * to. Call it when keys are known to be free of duplicates.
 */
bool align_build(struct run *run, struct tree_node *const *elements, size_t count, bool by_name,
                 const struct plan_path *path, struct align *ret_align);

/* The index of an element, align->count if there is none. O(log n). */
size_t align_find(const struct align *align, const struct identity *identity);

void identity_write(struct writer *writer, const struct identity *identity);
struct identity identity_read(struct cursor *cursor);

#endif
