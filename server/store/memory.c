#include "server/store/memory.h"

#include "proto/base/check.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static _Atomic int64_t countdown;

static bool
fails(void)
{
    if (__builtin_expect(atomic_load_explicit(&countdown, memory_order_relaxed) <= 0, 1))
        return false;
    return atomic_fetch_sub(&countdown, 1) == 1;
}

void *
memory_alloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

void *
memory_alloc_zeroed(size_t size)
{
    return fails() ? NULL : calloc(1, size);
}

void *
memory_alloc_lines(size_t size)
{
    CHECK(size % MEMORY_LINE == 0);
    return fails() ? NULL : aligned_alloc(MEMORY_LINE, size);
}

void *
memory_realloc(void *pointer, size_t size)
{
    return fails() ? NULL : realloc(pointer, size);
}

void
memory_free(void *pointer)
{
    free(pointer);
}

size_t
memory_size(const void *pointer)
{
    union {
        const void *borrowed;
        void *plain;
    } cast = {pointer}; /* the C library's prototype lacks const */
    return malloc_usable_size(cast.plain);
}

int64_t
memory_fail_at(int64_t count)
{
    return atomic_exchange(&countdown, count);
}
