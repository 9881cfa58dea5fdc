#include "server/cmd/references.h"

#include <stdlib.h>

enum { REFERENCES_CAPACITY_MIN = 4 };

void
references_fini(struct references *references)
{
    references_cut(references, 0);
    free(references->items);
    *references = (struct references){0};
}

bool
references_add(struct references *references, size_t at, struct slice bytes,
               struct block *block)
{
    if (references->count == references->capacity) {
        size_t capacity = references->capacity * 2;
        capacity = capacity < REFERENCES_CAPACITY_MIN ? REFERENCES_CAPACITY_MIN : capacity;
        struct reference *items = realloc(references->items, capacity * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        references->items = items;
        references->capacity = capacity;
    }
    references->items[references->count++] =
        (struct reference){.at = at, .bytes = bytes, .block = block_ref(block)};
    references->size += bytes.size;
    return true;
}

void
references_cut(struct references *references, size_t size)
{
    while (references->count > 0 && references->items[references->count - 1].at > size) {
        struct reference *last = &references->items[--references->count];
        references->size -= last->bytes.size;
        block_unref(last->block);
    }
}

void
references_settle(struct references *references)
{
    for (size_t i = 0; i < references->count; i++) {
        struct reference *reference = &references->items[i];
        if (reference->bytes.size >= block_room(reference->block) / 2) {
            continue;
        }
        struct block *copy = block_copy(reference->bytes);
        if (copy != NULL) {
            block_unref(reference->block);
            reference->block = copy;
            reference->bytes.data = copy->bytes;
        }
    }
}
