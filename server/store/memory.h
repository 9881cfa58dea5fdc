/*
 * memory - the counted door through which the store takes its heap.
 *
 * What an allocation costs is asked of the allocator (memory_size), so sums are exact; who owns
 * the sum charges it: a partition of the keyspace, under its shard's lock.
 *
 * Thread:   any.
 */
#ifndef SERVER_STORE_MEMORY_H
#define SERVER_STORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum { MEMORY_LINE = 64 }; /* bytes of a cache line */

void *memory_alloc(size_t size);

/* Zeros; of large blocks no byte is touched for it. */
void *memory_alloc_zeroed(size_t size);

/* <size> (a multiple of MEMORY_LINE) bytes that start at a cache line. */
void *memory_alloc_lines(size_t size);

/* As realloc(); NULL leaves <pointer> as it was. */
void *memory_realloc(void *pointer, size_t size);
void memory_free(void *pointer); /* takes NULL */

/* Bytes the allocation holds, without the allocator's own header; 0 for NULL. */
size_t memory_size(const void *pointer);

/* For tests: the <count>th allocation from now on fails, once; 0: none does. The return value
 * is what had been left to count: 0 when the failure has happened (or none was asked for). */
int64_t memory_fail_at(int64_t count);

#endif
