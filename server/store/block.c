#include "server/store/block.h"

#include "server/store/memory.h"

static struct block *
begin(struct block *block)
{
    if (block != NULL)
        atomic_init(&block->holders, 1);
    return block;
}

struct block *
block_new(size_t size)
{
    return begin(memory_alloc(sizeof(struct block) + size));
}

struct block *
block_new_zeros(size_t size)
{
    return begin(memory_alloc_zeroed(sizeof(struct block) + size));
}

struct block *
block_copy(struct slice bytes)
{
    struct block *block = block_new(bytes.size);
    if (block != NULL && bytes.size > 0)
        memcpy(block->bytes, bytes.data, bytes.size);
    return block;
}

struct block *
block_resize(struct block *block, size_t size)
{
    return memory_realloc(block, sizeof(struct block) + size);
}

size_t
block_memory(const struct block *block)
{
    return memory_size(block);
}

size_t
block_room(const struct block *block)
{
    return block == NULL ? 0 : memory_size(block) - sizeof(struct block);
}

void
block_unref(struct block *block)
{
    /* Release: what this holder read is read. Acquire: the last one frees after all of them. */
    if (block != NULL &&
        atomic_fetch_sub_explicit(&block->holders, 1, memory_order_acq_rel) == 1)
        memory_free(block);
}
