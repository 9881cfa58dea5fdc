/*
 * arena - scratch memory for one request: allocate freely, give everything back at once.
 *
 * One block is kept over arena_clear(), so a warm arena seldom allocates.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: everything allocated dies at arena_clear().
 */
#ifndef PROTO_BASE_ARENA_H
#define PROTO_BASE_ARENA_H

#include "proto/base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* [owned] newest first; allocation goes on in the first */
    struct arena_block *large;  /* [owned] blocks of a single big allocation */
    size_t used;                /* bytes handed out since the last clear */
    size_t used_max;            /* 0: no limit */
};

void arena_init(struct arena *arena, size_t used_max);
void arena_fini(struct arena *arena);
void arena_clear(struct arena *arena);

/* <size> uninitialized bytes aligned for any type; NULL without memory or past the limit. */
void *arena_alloc(struct arena *arena, size_t size);

/* Likewise <count> times <size> zeroed bytes; NULL on overflow, too. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A copy that lives in the arena; false without memory. */
bool arena_copy(struct arena *arena, struct slice slice, struct slice *ret_copy);

#endif
