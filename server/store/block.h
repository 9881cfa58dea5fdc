/*
 * block - the bytes of one large value, held by as many as need them: the entry, replies that
 * are being sent, a request under way. So a large value is neither copied on its way in nor on
 * its way out, and is freed by whoever lets it go last, outside every lock.
 *
 * Thread:   any; the count of holders is atomic. Bytes are changed only by a holder that is
 *           alone (block_is_shared). Whoever wants to become another holder either is one, or
 *           holds the lock of the shard whose entry is one.
 */
#ifndef SERVER_STORE_BLOCK_H
#define SERVER_STORE_BLOCK_H

#include "proto/base/slice.h"

#include <stdalign.h>
#include <stdatomic.h>

enum { BLOCK_SIZE_MIN = 16 * 1024 }; /* smaller values are copied */

struct block {
    atomic_size_t holders;
    alignas(16) char bytes[];
};

/* Room for <size> bytes, held by the caller; NULL without memory. */
struct block *block_new(size_t size);
struct block *block_new_zeros(size_t size); /* untouched where the system gives zeros */
struct block *block_copy(struct slice bytes);

/* Of a block that is not shared: more room, or less. NULL, and it stays as it was, without
 * memory. */
struct block *block_resize(struct block *block, size_t size);

/* Bytes that the allocation holds, and those of them for the value; 0 for NULL. */
size_t block_memory(const struct block *block);
size_t block_room(const struct block *block);

/* Let go; the last holder's call frees. Takes NULL. */
void block_unref(struct block *block);

static inline struct block *
block_ref(struct block *block)
{
    atomic_fetch_add_explicit(&block->holders, 1, memory_order_relaxed);
    return block;
}

/* Does anybody but the caller, a holder, hold it? */
static inline bool
block_is_shared(const struct block *block)
{
    return atomic_load_explicit(&block->holders, memory_order_acquire) != 1;
}

#endif
