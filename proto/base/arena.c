#include "proto/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ARENA_BLOCK_SIZE = 16 * 1024, ARENA_LARGE_MIN = ARENA_BLOCK_SIZE / 4 };

struct arena_block {
    struct arena_block *next;
    size_t used;
    alignas(max_align_t) char data[];
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
    free_chain(arena->large);
    *arena = (struct arena){0};
}

void
arena_clear(struct arena *arena)
{
    free_chain(arena->large);
    arena->large = NULL;
    arena->used = 0;
    if (arena->blocks != NULL) {
        free_chain(arena->blocks->next);
        arena->blocks->next = NULL;
        arena->blocks->used = 0;
    }
}

static struct arena_block *
block_new(size_t size, struct arena_block **chain)
{
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (block != NULL) {
        block->next = *chain;
        block->used = 0;
        *chain = block;
    }
    return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = size == 0 ? align : (size + align - 1) / align * align;
    if (arena->used_max != 0 &&
        (arena->used > arena->used_max || size > arena->used_max - arena->used)) {
        return NULL;
    }
    struct arena_block *block = arena->blocks;
    if (size >= ARENA_LARGE_MIN) {
        block = block_new(size, &arena->large);
    } else if (block == NULL || ARENA_BLOCK_SIZE - block->used < size) {
        block = block_new(ARENA_BLOCK_SIZE, &arena->blocks);
    }
    if (block == NULL) {
        return NULL;
    }
    void *memory = block->data + block->used;
    block->used += size;
    arena->used += size;
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
