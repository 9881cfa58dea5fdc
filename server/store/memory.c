#include "server/store/memory.h"

#include "proto/base/check.h"
#include "server/store/slab.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIM_PERIOD_MS = 100,
    TRIM_SLICE = 8,       /* spans given back in one call: 2 MB */
    LARGE_TRIM_SHARE = 4, /* trim when a quarter of what large blocks held at most is free */
    LARGE_TRIM_MIN = 32 * 1024 * 1024,
};

static _Atomic int64_t countdown;

/* Bytes in blocks beyond the slab, and the most that were since the C library was trimmed. */
static atomic_size_t large_size;
static size_t large_peak; /* [memory_trim()] */

static atomic_bool is_purge_asked;

/* What is being given back: half of what nobody needed for a while, so that a load that comes
 * and goes finds the most part of it there. [memory_trim()] */
static struct {
    int64_t begun_ms;
    size_t span_count; /* still to go */
} trim;

static bool
fails(void)
{
    if (__builtin_expect(atomic_load_explicit(&countdown, memory_order_relaxed) <= 0, 1))
        return false;
    return atomic_fetch_sub(&countdown, 1) == 1;
}

/* ---- the C library's blocks ---- */

static size_t
block_size(const void *pointer)
{
    union {
        const void *borrowed;
        void *plain;
    } cast = {pointer}; /* the C library's prototype lacks const */
    return malloc_usable_size(cast.plain);
}

static void *
block_count(void *block)
{
    size_t size = block_size(block);
    if (size > SLAB_SIZE_MAX)
        atomic_fetch_add_explicit(&large_size, size, memory_order_relaxed);
    return block;
}

static void
block_uncount(size_t size)
{
    if (size > SLAB_SIZE_MAX)
        atomic_fetch_sub_explicit(&large_size, size, memory_order_relaxed);
}

static void *
block_realloc(void *block, size_t size)
{
    size_t before = block_size(block);
    void *moved = realloc(block, size);
    if (moved == NULL)
        return NULL;
    block_uncount(before);
    return block_count(moved);
}

/* ---- the door ---- */

void *
memory_alloc(size_t size)
{
    if (fails())
        return NULL;
    void *object = slab_alloc(size);
    return object != NULL ? object : block_count(malloc(size));
}

void *
memory_alloc_zeroed(size_t size)
{
    if (fails())
        return NULL;
    void *object = slab_alloc(size);
    return object != NULL ? memset(object, 0, size) : block_count(calloc(1, size));
}

void *
memory_alloc_lines(size_t size)
{
    CHECK(size % MEMORY_LINE == 0);
    if (fails())
        return NULL;
    bool fits = size <= SLAB_SIZE_MAX && slab_class_size(size) % MEMORY_LINE == 0;
    void *object = fits ? slab_alloc(size) : NULL;
    return object != NULL ? object : block_count(aligned_alloc(MEMORY_LINE, size));
}

void *
memory_realloc(void *pointer, size_t size)
{
    if (fails())
        return NULL;
    size_t held = slab_size(pointer);
    if (held > 0 && size <= SLAB_SIZE_MAX && slab_class_size(size) == held)
        return pointer;
    void *moved = slab_alloc(size);
    if (moved == NULL && held == 0)
        return block_realloc(pointer, size);
    if (moved == NULL)
        moved = block_count(malloc(size));
    if (moved == NULL)
        return NULL;
    if (held == 0)
        held = block_size(pointer);
    if (held > 0)
        memcpy(moved, pointer, held < size ? held : size);
    memory_free(pointer);
    return moved;
}

void
memory_free(void *pointer)
{
    if (slab_owns(pointer)) {
        slab_free(pointer);
    } else {
        block_uncount(block_size(pointer));
        free(pointer);
    }
}

size_t
memory_size(const void *pointer)
{
    size_t size = slab_size(pointer);
    return size > 0 ? size : block_size(pointer);
}

void *
memory_move(void *pointer)
{
    if (!slab_owns(pointer) || !slab_is_sparse(pointer) || fails())
        return NULL;
    size_t size = slab_size(pointer);
    void *moved = slab_alloc_dense(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, pointer, size);
    slab_free_now(pointer);
    return moved;
}

/* ---- threads, and what goes back ---- */

void
memory_thread_begin(void)
{
    (void)slab_cache_open(); /* without memory for it, every call takes a lock */
}

void
memory_thread_rest(void)
{
    slab_cache_clear();
}

void
memory_thread_end(void)
{
    slab_cache_close();
}

/* Of blocks that come and go, the C library keeps what it can use again. */
static void
trim_blocks(void)
{
    size_t size = atomic_load_explicit(&large_size, memory_order_relaxed);
    if (size > large_peak) {
        large_peak = size;
    } else if (large_peak - size >= LARGE_TRIM_MIN &&
               large_peak - size >= large_peak / LARGE_TRIM_SHARE) {
        large_peak = size;
        (void)malloc_trim(0);
    }
}

bool
memory_trim(int64_t now_ms)
{
    if (atomic_exchange_explicit(&is_purge_asked, false, memory_order_relaxed)) {
        trim.span_count = SIZE_MAX;
        (void)malloc_trim(0);
    } else if (now_ms < trim.begun_ms || now_ms - trim.begun_ms >= TRIM_PERIOD_MS) {
        size_t count = (slab_unneeded() + 1) / 2;
        trim.begun_ms = now_ms;
        trim.span_count = trim.span_count > count ? trim.span_count : count;
        trim_blocks();
    }
    size_t count = trim.span_count < TRIM_SLICE ? trim.span_count : TRIM_SLICE;
    bool is_all = slab_trim(count) < count;
    trim.span_count = is_all ? 0 : trim.span_count - count;
    return trim.span_count > 0;
}

void
memory_purge(void)
{
    atomic_store_explicit(&is_purge_asked, true, memory_order_relaxed);
}

void
memory_stats(struct memory_stats *ret_stats)
{
    struct slab_stats slab;
    slab_stats(&slab);
    *ret_stats = (struct memory_stats){
        .used = slab.used,
        .touched = slab.touched,
        .holes = slab.holes,
        .free = slab.free,
        .large = atomic_load_explicit(&large_size, memory_order_relaxed),
    };
}

const char *
memory_allocator_name(void)
{
    return slab_is_there() ? "slab+libc" : "libc";
}

/* ---- tests ---- */

int64_t
memory_fail_at(int64_t count)
{
    return atomic_exchange(&countdown, count);
}
