/*
 * arena - scratch memory for one request: allocate freely, give everything back at once.
 *
 * Blocks grow as more is asked for, and the newest one that is not huge is kept over
 * arena_clear(): a warm arena is one block that holds all a request needs, and allocates
 * nothing.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: everything allocated dies at arena_clear().
 */
#ifndef PROTO_BASE_ARENA_H
#define PROTO_BASE_ARENA_H

#include "proto/base/slice.h"

enum { ARENA_ALIGN = 16 };

struct arena_block;

struct arena {
    struct arena_block *blocks; /* [owned] newest first; allocation goes on in the first */
    char *at;                   /* in it: what is free, up to what may be used of it */
    char *end;
    size_t used;     /* bytes of older blocks handed out since the last clear */
    size_t used_max; /* 0: no limit */
};

void arena_init(struct arena *arena, size_t used_max);
void arena_fini(struct arena *arena);
void arena_clear(struct arena *arena);

/* arena_alloc() where the newest block has no room. */
void *arena_alloc_more(struct arena *arena, size_t size);

/* <size> uninitialized bytes aligned for any type; NULL without memory or past the limit. */
static inline void *
arena_alloc(struct arena *arena, size_t size)
{
    size_t room = (size_t)(arena->end - arena->at);
    size_t rounded = (size + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1);
    if (__builtin_expect(size - 1 >= room || rounded > room, 0)) { /* 0 goes the long way */
        return arena_alloc_more(arena, size);
    }
    void *memory = arena->at;
    arena->at += rounded;
    return memory;
}

/* Likewise <count> times <size> zeroed bytes; NULL on overflow, too. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* Give back what is behind <size> bytes of the allocation made last, <memory>. */
static inline void
arena_shrink(struct arena *arena, char *memory, size_t size)
{
    arena->at = memory + ((size + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1));
}

/* A copy that lives in the arena; false without memory. */
bool arena_copy(struct arena *arena, struct slice slice, struct slice *ret_copy);

#endif
