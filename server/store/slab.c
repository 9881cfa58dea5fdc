#include "server/store/slab.h"

#include "proto/base/check.h"
#include "server/store/lock.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* AddressSanitizer watches the C library's allocations: there, entries come from it. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { SLAB_IS_USED = 0 };
#else
enum { SLAB_IS_USED = 1 };
#endif

enum {
    GRAIN = 8,
    COARSE_MIN = 1024, /* from here on sizes are multiples of: */
    COARSE_GRAIN = 16,
    SIZE_MIN = 16,
    SPAN_SHIFT = 18,
    CLASS_MAX = 320,
    STEPS_LOG2 = 6,    /* classes to a doubling: 64 */
    GROUPS_LOG2 = 3,   /* lists of spans by fullness: 8 */
    SCALE_SHIFT = 32,  /* of a class' factor from objects to groups */
    OPEN_COUNT = 16,   /* spans made accessible by one system call: 4 MB */
    CACHE_SIZE = 8192, /* bytes, about, that a thread keeps of a class */
    CACHE_COUNT_MAX = 32,
    LINE = 64,
};

#define NO_SPAN UINT32_MAX
#define NO_OBJECT UINT16_MAX

_Static_assert(SLAB_SPAN_SIZE == 1 << SPAN_SHIFT, "");
_Static_assert(SLAB_SPAN_SIZE / GRAIN < NO_OBJECT, "a place in a span fits 16 bits");

struct span {
    uint32_t next; /* [class lock, or spans lock] */
    uint32_t previous;
    uint16_t free;        /* [class lock] the first free object's place, in grains */
    uint16_t class_index; /* [class lock] changes only while no object is out */
    atomic_ushort used;   /* [class lock] objects out; read by any */
    atomic_ushort fresh;  /* [class lock] objects ever out; read by any */
};

struct class
{
    alignas(LINE) struct lock lock;
    uint32_t size;                     /* [const] */
    uint32_t count;                    /* [const] objects per span */
    uint64_t scale;                    /* [const] groups per object, << SCALE_SHIFT */
    uint32_t batch;                    /* [const] objects that go to a cache at once */
    uint32_t occupied;                 /* [lock] a bit per group that has spans */
    atomic_size_t used;                /* [lock] sum over its spans; read by any */
    atomic_size_t fresh;               /* [lock] likewise */
    uint32_t groups[1 << GROUPS_LOG2]; /* [lock] heads of lists: spans not full, by fullness */
};

/* Spans of no class, in lists through span.next. */
struct spans {
    struct lock lock;
    uint32_t dirty; /* [lock] hold memory */
    uint32_t clean; /* [lock] hold none: given back */
    size_t dirty_count;
    size_t dirty_least; /* since the last trim */
    uint32_t opened;    /* [lock] accessible so far, from the range's start */
    uint32_t started;   /* [lock] of these, used so far */
};

struct bin {
    void *first;
    size_t count;
};

struct cache {
    struct bin bins[CLASS_MAX];
};

static char *range;        /* [const] from before main() on; NULL: no slab */
static size_t range_size;  /* [const] */
static struct span *table; /* [const] a row per span */
static struct class classes[CLASS_MAX];
static size_t class_count;                           /* [const] */
static uint16_t class_of[SLAB_SIZE_MAX / GRAIN + 1]; /* [const] by size in grains, rounded up */
static struct spans spans = {.dirty = NO_SPAN, .clean = NO_SPAN};
static _Thread_local struct cache *own_cache;

/* ---- the range and its classes ---- */

/* As much as could ever be resident, and as much again for spans that were given back. Where
 * the addresses of a process are limited, less. */
static void
reserve_range(void)
{
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    for (size_t count = memory / SLAB_SPAN_SIZE * 2; count >= OPEN_COUNT; count /= 2) {
        size_t size = count << SPAN_SHIFT;
        size_t table_size = count * sizeof(*table);
        size_t all = size + SLAB_SPAN_SIZE + table_size;
        char *place =
            mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (place == MAP_FAILED)
            continue;
        size_t skew = (size_t)((uintptr_t)place % SLAB_SPAN_SIZE);
        char *start = place + (skew > 0 ? SLAB_SPAN_SIZE - skew : 0);
        /* The table lies behind; untouched pages of it hold no memory. */
        union {
            char *bytes;
            struct span *rows;
        } behind = {start + size};
        if (mprotect(behind.bytes, table_size, PROT_READ | PROT_WRITE) != 0) {
            (void)munmap(place, all);
            continue;
        }
        /* Huge pages would hold what was given back; lookups gain nothing by them, measured. */
        (void)madvise(start, size, MADV_NOHUGEPAGE);
        range = start;
        range_size = size;
        table = behind.rows;
        return;
    }
}

static void
class_init(struct class *class, size_t size)
{
    class->size = (uint32_t)size;
    class->count = (uint32_t)(SLAB_SPAN_SIZE / size);
    class->scale = ((uint64_t)1 << (GROUPS_LOG2 + SCALE_SHIFT)) / class->count;
    class->batch = (uint32_t)(CACHE_SIZE / size);
    if (class->batch > CACHE_COUNT_MAX)
        class->batch = CACHE_COUNT_MAX;
    if (class->batch < 1)
        class->batch = 1;
    for (size_t i = 0; i < sizeof(class->groups) / sizeof(*class->groups); i++)
        class->groups[i] = NO_SPAN;
}

/* Before main(), so that nobody who asks whose a pointer is needs a fence. */
__attribute__((constructor)) static void
slab_init(void)
{
    if (!SLAB_IS_USED)
        return;
    size_t base = SIZE_MIN;
    size_t step = GRAIN;
    size_t last = 0;
    for (size_t wanted = SIZE_MIN; wanted <= SLAB_SIZE_MAX; wanted += step) {
        if (wanted >= base * 2)
            base *= 2;
        step = base >> STEPS_LOG2 > GRAIN ? base >> STEPS_LOG2 : GRAIN;
        /* As large as so many of them can be. */
        size_t grain = wanted < COARSE_MIN ? GRAIN : COARSE_GRAIN;
        size_t size = SLAB_SPAN_SIZE / (SLAB_SPAN_SIZE / wanted) & ~(grain - 1);
        if (size <= last)
            continue;
        CHECK(class_count < CLASS_MAX);
        class_init(&classes[class_count], size);
        for (size_t i = last / GRAIN + (last > 0); i <= size / GRAIN; i++)
            class_of[i] = (uint16_t)class_count;
        class_count++;
        last = size;
    }
    CHECK(last == SLAB_SIZE_MAX);
    reserve_range();
}

static size_t
class_index(size_t size)
{
    return class_of[(size + GRAIN - 1) / GRAIN];
}

bool
slab_is_there(void)
{
    return range != NULL;
}

bool
slab_owns(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)range < range_size;
}

static uint32_t
span_of(const void *object)
{
    return (uint32_t)(((uintptr_t)object - (uintptr_t)range) >> SPAN_SHIFT);
}

static char *
span_start(uint32_t index)
{
    return range + ((size_t)index << SPAN_SHIFT);
}

size_t
slab_size(const void *pointer)
{
    size_t offset = (uintptr_t)pointer - (uintptr_t)range;
    return offset < range_size ? classes[table[offset >> SPAN_SHIFT].class_index].size : 0;
}

size_t
slab_class_size(size_t size)
{
    return classes[class_index(size)].size;
}

/* Numbers that only the lock's holder changes. */

static size_t
get(const atomic_size_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void
add(atomic_size_t *number, size_t amount)
{
    atomic_store_explicit(number, get(number) + amount, memory_order_relaxed);
}

static unsigned
get_short(const atomic_ushort *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void
set_short(atomic_ushort *number, unsigned value)
{
    atomic_store_explicit(number, (unsigned short)value, memory_order_relaxed);
}

/* ---- spans ---- */

static uint32_t
pop_span(uint32_t *list)
{
    uint32_t index = *list;
    if (index != NO_SPAN)
        *list = table[index].next;
    return index;
}

static void
push_span(uint32_t *list, uint32_t index)
{
    table[index].next = *list;
    *list = index;
}

/* A span never used so far. */
static uint32_t
span_start_next(void)
{
    if (spans.started == spans.opened) {
        size_t left = (range_size >> SPAN_SHIFT) - spans.opened;
        size_t count = left < OPEN_COUNT ? left : OPEN_COUNT;
        if (count == 0 || mprotect(span_start(spans.opened), count << SPAN_SHIFT,
                                   PROT_READ | PROT_WRITE) != 0)
            return NO_SPAN;
        spans.opened += (uint32_t)count;
    }
    return spans.started++;
}

static uint32_t
pop_dirty(void)
{
    uint32_t index = pop_span(&spans.dirty);
    if (index != NO_SPAN && --spans.dirty_count < spans.dirty_least)
        spans.dirty_least = spans.dirty_count;
    return index;
}

static uint32_t
span_take(void)
{
    lock_take(&spans.lock);
    uint32_t index = pop_dirty();
    if (index == NO_SPAN)
        index = pop_span(&spans.clean);
    if (index == NO_SPAN)
        index = span_start_next();
    lock_give(&spans.lock);
    return index;
}

static void
span_give(uint32_t index)
{
    lock_take(&spans.lock);
    push_span(&spans.dirty, index);
    spans.dirty_count++;
    lock_give(&spans.lock);
}

size_t
slab_unneeded(void)
{
    lock_take(&spans.lock);
    size_t least = spans.dirty_least;
    spans.dirty_least = spans.dirty_count;
    lock_give(&spans.lock);
    return least;
}

size_t
slab_trim(size_t count)
{
    size_t done = 0;
    for (; done < count; done++) {
        lock_take(&spans.lock);
        uint32_t index = pop_dirty();
        lock_give(&spans.lock);
        if (index == NO_SPAN)
            break;
        (void)madvise(span_start(index), SLAB_SPAN_SIZE, MADV_DONTNEED);
        lock_take(&spans.lock);
        push_span(&spans.clean, index);
        lock_give(&spans.lock);
    }
    return done;
}

/* ---- classes ---- */

static unsigned
group_of(const struct class *class, unsigned used)
{
    return (unsigned)(used * class->scale >> SCALE_SHIFT);
}

static void
list_add(struct class *class, unsigned group, uint32_t index)
{
    struct span *span = &table[index];
    span->previous = NO_SPAN;
    span->next = class->groups[group];
    if (span->next != NO_SPAN)
        table[span->next].previous = index;
    class->groups[group] = index;
    class->occupied |= 1u << group;
}

static void
list_remove(struct class *class, unsigned group, uint32_t index)
{
    struct span *span = &table[index];
    if (span->next != NO_SPAN)
        table[span->next].previous = span->previous;
    if (span->previous != NO_SPAN)
        table[span->previous].next = span->next;
    else
        class->groups[group] = span->next;
    if (class->groups[group] == NO_SPAN)
        class->occupied &= ~(1u << group);
}

/* The fullest span that has room, or a new one, which is listed as if it held something. */
static uint32_t
span_with_room(struct class *class)
{
    if (class->occupied != 0)
        return class->groups[31 - __builtin_clz(class->occupied)];
    uint32_t index = span_take();
    if (index == NO_SPAN)
        return NO_SPAN;
    struct span *span = &table[index];
    span->class_index = (uint16_t)(class - classes);
    span->free = NO_OBJECT;
    set_short(&span->used, 0);
    set_short(&span->fresh, 0);
    list_add(class, 0, index);
    return index;
}

static void *
take_locked(struct class *class)
{
    uint32_t index = span_with_room(class);
    if (index == NO_SPAN)
        return NULL;
    struct span *span = &table[index];
    char *object;
    if (span->free != NO_OBJECT) {
        object = span_start(index) + (size_t)span->free * GRAIN;
        memcpy(&span->free, object, sizeof(span->free));
    } else {
        unsigned fresh = get_short(&span->fresh);
        object = span_start(index) + (size_t)fresh * class->size;
        set_short(&span->fresh, fresh + 1);
        add(&class->fresh, 1);
    }
    add(&class->used, 1);
    unsigned used = get_short(&span->used);
    set_short(&span->used, used + 1);
    unsigned from = group_of(class, used);
    unsigned to = group_of(class, used + 1);
    if (used + 1 == class->count) {
        list_remove(class, from, index);
    } else if (from != to) {
        list_remove(class, from, index);
        list_add(class, to, index);
    }
    return object;
}

static void
give_locked(struct class *class, void *object)
{
    uint32_t index = span_of(object);
    struct span *span = &table[index];
    memcpy(object, &span->free, sizeof(span->free));
    span->free = (uint16_t)(((uintptr_t)object - (uintptr_t)span_start(index)) / GRAIN);
    add(&class->used, (size_t)-1);
    unsigned used = get_short(&span->used);
    CHECK(used > 0);
    set_short(&span->used, used - 1);
    unsigned from = group_of(class, used);
    unsigned to = group_of(class, used - 1);
    if (used == class->count) {
        list_add(class, to, index);
    } else if (from != to) {
        list_remove(class, from, index);
        list_add(class, to, index);
    }
    if (used == 1) {
        list_remove(class, to, index);
        add(&class->fresh, -(size_t)get_short(&span->fresh));
        span_give(index);
    }
}

static struct class *
class_with(const void *object)
{
    return &classes[table[span_of(object)].class_index];
}

void *
slab_alloc_dense(size_t size)
{
    if (range == NULL || size > SLAB_SIZE_MAX)
        return NULL;
    struct class *class = &classes[class_index(size)];
    lock_take(&class->lock);
    void *object = take_locked(class);
    lock_give(&class->lock);
    return object;
}

void
slab_free_now(void *object)
{
    struct class *class = class_with(object);
    lock_take(&class->lock);
    give_locked(class, object);
    lock_give(&class->lock);
}

bool
slab_is_sparse(const void *object)
{
    const struct span *span = &table[span_of(object)];
    const struct class *class = class_with(object);
    size_t used = get(&class->used);
    size_t fresh = get(&class->fresh);
    return used + class->count <= fresh &&
           get_short(&span->used) * fresh <= used * get_short(&span->fresh);
}

void
slab_stats(struct slab_stats *ret_stats)
{
    struct slab_stats stats = {0};
    for (size_t i = 0; i < class_count; i++) {
        const struct class *class = &classes[i];
        size_t used = get(&class->used);
        size_t fresh = get(&class->fresh);
        stats.used += used * class->size;
        stats.touched += (fresh > used ? fresh : used) * class->size;
        if (used + class->count <= fresh)
            stats.holes += (fresh - used) * class->size;
    }
    lock_take(&spans.lock);
    stats.free = spans.dirty_count << SPAN_SHIFT;
    lock_give(&spans.lock);
    *ret_stats = stats;
}

/* ---- what a thread keeps ---- */

/* Free objects in a bin are linked through their first bytes, too. */

static void *
bin_pop(struct bin *bin)
{
    void *object = bin->first;
    if (object != NULL) {
        memcpy(&bin->first, object, sizeof(bin->first));
        bin->count--;
    }
    return object;
}

static void
bin_push(struct bin *bin, void *object)
{
    memcpy(object, &bin->first, sizeof(bin->first));
    bin->first = object;
    bin->count++;
}

/* An object, and more of them for the next calls. */
static void *
bin_refill(struct bin *bin, struct class *class)
{
    lock_take(&class->lock);
    void *object = take_locked(class);
    for (uint32_t i = 1; i < class->batch; i++) {
        void *more = take_locked(class);
        if (more == NULL)
            break;
        bin_push(bin, more);
    }
    lock_give(&class->lock);
    return object;
}

static void
bin_flush(struct bin *bin, struct class *class, size_t count)
{
    lock_take(&class->lock);
    while (count-- > 0)
        give_locked(class, bin_pop(bin));
    lock_give(&class->lock);
}

void *
slab_alloc(size_t size)
{
    struct cache *cache = own_cache;
    if (cache == NULL || size > SLAB_SIZE_MAX)
        return slab_alloc_dense(size);
    size_t index = class_index(size);
    void *object = bin_pop(&cache->bins[index]);
    return object != NULL ? object : bin_refill(&cache->bins[index], &classes[index]);
}

void
slab_free(void *object)
{
    struct cache *cache = own_cache;
    if (cache == NULL) {
        slab_free_now(object);
        return;
    }
    struct class *class = class_with(object);
    struct bin *bin = &cache->bins[class - classes];
    bin_push(bin, object);
    if (bin->count > 2 * (size_t) class->batch)
        bin_flush(bin, class, class->batch);
}

bool
slab_cache_open(void)
{
    if (range != NULL && own_cache == NULL)
        own_cache = calloc(1, sizeof(*own_cache));
    return own_cache != NULL || range == NULL;
}

void
slab_cache_clear(void)
{
    for (size_t i = 0; own_cache != NULL && i < class_count; i++) {
        struct bin *bin = &own_cache->bins[i];
        if (bin->count > 0)
            bin_flush(bin, &classes[i], bin->count);
    }
}

void
slab_cache_close(void)
{
    slab_cache_clear();
    free(own_cache);
    own_cache = NULL;
}
