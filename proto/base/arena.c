#include "proto/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
    ARENA_BLOCK_MIN = 16 * 1024,
    ARENA_BLOCK_MAX = 256 * 1024, /* blocks grow up to here, and larger ones are not kept */
};

_Static_assert(ARENA_ALIGN % alignof(max_align_t) == 0, "aligned for any type");

struct arena_block {
    struct arena_block *next;
    size_t size;
    alignas(ARENA_ALIGN) char data[];
};

void
arena_init(struct arena *arena, size_t used_max)
{
    *arena = (struct arena){.used_max = used_max};
}

static void
free_chain(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

void
arena_fini(struct arena *arena)
{
    free_chain(arena->blocks);
    *arena = (struct arena){0};
}

/* Allocate from the newest block on, as far as the limit allows. */
static void
begin_block(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    size_t size = block->size;
    if (arena->used_max != 0 && size > arena->used_max - arena->used) {
        size = arena->used_max - arena->used;
    }
    arena->at = block->data;
    arena->end = block->data + size;
}

void
arena_clear(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    if (block == NULL) {
        return;
    }
    if (block->next != NULL || block->size > ARENA_BLOCK_MAX) {
        struct arena_block *kept = block;
        while (kept != NULL && kept->size > ARENA_BLOCK_MAX) {
            kept = kept->next;
        }
        while (block != NULL) {
            struct arena_block *next = block->next;
            if (block != kept) {
                free(block);
            }
            block = next;
        }
        arena->blocks = kept;
        arena->at = arena->end = NULL;
        if (kept == NULL) {
            arena->used = 0;
            return;
        }
        kept->next = NULL;
    }
    arena->used = 0;
    begin_block(arena);
}

void *
arena_alloc_more(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = size == 0 ? ARENA_ALIGN : (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (size > (size_t)(arena->end - arena->at)) {
        struct arena_block *last = arena->blocks;
        size_t used = arena->used + (last == NULL ? 0 : (size_t)(arena->at - last->data));
        if (arena->used_max != 0 && size > arena->used_max - used) {
            return NULL;
        }
        size_t block_size = last == NULL ? ARENA_BLOCK_MIN : last->size * 2;
        block_size = block_size > ARENA_BLOCK_MAX ? ARENA_BLOCK_MAX : block_size;
        block_size = block_size < size ? size : block_size;
        struct arena_block *block = malloc(sizeof(*block) + block_size);
        if (block == NULL) {
            return NULL;
        }
        block->next = last;
        block->size = block_size;
        arena->blocks = block;
        arena->used = used;
        begin_block(arena);
    }
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

void *
arena_calloc(struct arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *memory = arena_alloc(arena, count * size);
    if (memory != NULL) {
        memset(memory, 0, count * size);
    }
    return memory;
}

bool
arena_copy(struct arena *arena, struct slice slice, struct slice *ret_copy)
{
    char *memory = arena_alloc(arena, slice.size);
    if (memory == NULL) {
        return false;
    }
    if (slice.size > 0) {
        memcpy(memory, slice.data, slice.size);
    }
    *ret_copy = slice_make(memory, slice.size);
    return true;
}
