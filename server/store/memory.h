/*
 * memory - the counted door through which the store takes its heap.
 *
 * Up to 16 KB it comes from server/store/slab.h, beyond that from the C library. What an
 * allocation costs is asked of either (memory_size), so sums are exact; who owns the sum
 * charges it: a partition of the keyspace, under its shard's lock.
 *
 * Thread:   any.
 */
#ifndef SERVER_STORE_MEMORY_H
#define SERVER_STORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_LINE = 64 }; /* bytes of a cache line */

/* Aligned to 8 bytes. */
void *memory_alloc(size_t size);

/* Zeros; of large blocks no byte is touched for it. */
void *memory_alloc_zeroed(size_t size);

/* <size> (a multiple of MEMORY_LINE) bytes that start at a cache line. */
void *memory_alloc_lines(size_t size);

/* As realloc(); NULL leaves <pointer> as it was. */
void *memory_realloc(void *pointer, size_t size);
void memory_free(void *pointer); /* takes NULL */

/* Bytes the allocation holds, without the allocator's own; 0 for NULL. */
size_t memory_size(const void *pointer);

/* Move an allocation, bytes and size as they are, where that helps to empty a sparse part of
 * memory: its new place, <pointer> is gone. NULL: it stays, as most do. Looks at no byte of
 * what stays. Not for what memory_alloc_lines() gave. */
void *memory_move(void *pointer);

/* A thread that allocates much may keep some memory at hand, between begin and end; when it
 * rests, it gives that back. All other threads do without. */
void memory_thread_begin(void);
void memory_thread_rest(void);
void memory_thread_end(void);

/* Give memory that was free for a while back to the system, a slice of it: called regularly by
 * one thread. True: there is more to give. After a purge its next calls give back all there is.
 */
bool memory_trim(int64_t now_ms);
void memory_purge(void);

struct memory_stats {
    size_t used;    /* bytes allocated in size classes */
    size_t touched; /* bytes of these and of the holes between them */
    size_t holes;   /* bytes of holes, as far as memory_move() can close some */
    size_t free;    /* bytes that hold nothing and are still to be given back */
    size_t large;   /* bytes allocated in large blocks */
};
void memory_stats(struct memory_stats *ret_stats);
const char *memory_allocator_name(void);

/* For tests: the <count>th allocation from now on fails, once; 0: none does. The return value
 * is what had been left to count: 0 when the failure has happened (or none was asked for). */
int64_t memory_fail_at(int64_t count);

#endif
