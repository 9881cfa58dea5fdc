/*
 * slab - memory for objects of up to 16 KB in size classes that lie close together.
 *
 * One range of addresses is reserved and cut into spans of 256 KB. A span holds objects of one
 * class; what is known of it lies in a table beside the range, so an object carries no header:
 * its class follows from its address. A class takes objects from its fullest span first, and a
 * span without objects serves any class, or goes back to the system. Spans that stay sparse are
 * emptied by moving what is left in them (slab_is_sparse, slab_alloc_dense).
 *
 *   range | span | span | span | ...        spans[] | class, used, fresh, free, list |
 *   span  | object | object | free -> free -> ... | never used yet |
 *
 * Classes: multiples of 8 up to 1 KB, then 64 to a doubling up to 4 KB; the largest are what a
 * whole number of fits a span (6 % apart at 16 KB). All powers of two are among them.
 *
 * Threads that allocate much keep a few objects of each class (slab_cache_open), so that a lock
 * is taken once for several objects; an object may be freed by another thread than it came to.
 * After Bonwick, The Slab Allocator (USENIX 1994), and Magazines and Vmem (2001).
 *
 * Thread:   any. Locks: a class', then that of the spans; both are leaves.
 * Invariants:
 *   1. a span in use belongs to one class and has used >= 1; it is in the list of its fullness,
 *      or in none when full.
 *   2. free objects of a span are linked through their first bytes; objects from <fresh> on
 * were never handed out since the span came to its class.
 */
#ifndef SERVER_STORE_SLAB_H
#define SERVER_STORE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLAB_SIZE_MAX = 16 * 1024, SLAB_SPAN_SIZE = 256 * 1024 };

/* NULL: larger than SLAB_SIZE_MAX, no memory, or no slab: in a build whose sanitizer is to see
 * every object by itself, or on a system that reserves no addresses. Aligned to 8 bytes, from
 * 1 KB on to 16, and to a power of two that divides slab_class_size(<size>). Undefined content.
 */
void *slab_alloc(size_t size);
void slab_free(void *object); /* slab_owns() it */

bool slab_is_there(void); /* false: slab_alloc() is always NULL */
bool slab_owns(const void *pointer);
size_t slab_size(const void *pointer); /* its class', >= what was asked; 0: not from here */
size_t slab_class_size(size_t size);   /* what an object of <size> bytes takes */

/* The calling thread keeps objects from now on. False without memory: it goes on without.
 * Clear gives them back, for a thread that rests; close ends it. Both take a thread without. */
bool slab_cache_open(void);
void slab_cache_clear(void);
void slab_cache_close(void);

/* Is the span of <object> no fuller than its class on the whole, which could do with a span
 * less? Then slab_alloc_dense() has a better place for it, past the thread's cache. */
bool slab_is_sparse(const void *object);
void *slab_alloc_dense(size_t size);
void slab_free_now(void *object); /* likewise past the cache */

/* The spans without objects that nobody needed since the last call. */
size_t slab_unneeded(void);

/* Give the memory of so many spans without objects back to the system; returns of how many. */
size_t slab_trim(size_t count);

struct slab_stats {
    size_t used;    /* bytes of objects handed out, the threads' caches included */
    size_t touched; /* bytes of these and of free objects between them */
    size_t holes;   /* bytes of free objects in classes that have more than a span of them */
    size_t free;    /* bytes of spans without objects, not given back yet */
};
void slab_stats(struct slab_stats *ret_stats);

#endif
