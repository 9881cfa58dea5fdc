/*
 * table - a hash table of pointers that grows and shrinks by one bucket at a time.
 *
 * Linear hashing: with n the largest power of two <= bucket_count, an item lives in bucket
 * hash mod 2n if there is such a bucket yet, in hash mod n otherwise. Adding bucket n + i
 * splits bucket i, taking it away merges them again. So the load stays the same at every size,
 * nothing is ever kept twice, a lookup sees one bucket, and a mutation does the work of one
 * split or merge at most (table_adjust).
 *
 * A bucket is one cache line: a lower bound of its items' expiries, a tag byte of the hash per
 * slot, compared all at once, and six pointers. A full one keeps an overflow bucket in place of
 * its last slot:
 *
 *   home      | due : 8 | tags 6, 0, chained : 8 | slots : 6 x 8 |
 *   overflow            | tags 6, 0, chained : 8 | slots : 6 x 8 |
 *
 * Buckets lie in segments of 64, found by a directory; the first segment starts smaller.
 *
 * The table knows three things of an item: its hash, asked for again at a split or merge, the
 * pointer, and, where the owner tells, a lower bound of its expiry. Finding what is due walks
 * the bounds: table, segment, bucket. They sink when items come and rise only when the owner
 * has looked through a bucket, so extending an item's life costs nothing here.
 *
 * Thread:   under the owner's lock; table_count and table_due by any.
 * Borrowed: slots die at the next insert, remove or adjust.
 * Invariants:
 *   1. every item is in the chain of its home bucket; its tag is 1 .. 255, an empty slot's 0.
 *   2. only a chain's last bucket has empty slots, except a home bucket without overflow;
 *      the last overflow bucket of a chain holds at least two items.
 *   3. due of table <= due of segment <= due of bucket <= the expiry of each of its items.
 *   4. n <= bucket_count < 2n and mask = 2n - 1; without buckets, bucket_count is 0.
 */
#ifndef SERVER_STORE_TABLE_H
#define SERVER_STORE_TABLE_H

#include "server/store/counter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TABLE_SLOTS = 6,
    TABLE_SEGMENT_LOG2 = 6,
    TABLE_SEGMENT = 1 << TABLE_SEGMENT_LOG2, /* buckets */
};

struct bucket {
    uint64_t tags;
    void *slots[TABLE_SLOTS];
};

struct home {
    int64_t due;
    struct bucket bucket;
};

struct segment {
    struct home *homes; /* [owned] */
    int64_t due;
};

/* The hash of <item>, which was inserted with it. */
typedef uint64_t table_hash(const void *item, uint64_t seed);

struct table {
    struct segment *segments; /* [owned] the directory; NULL while there are no buckets */
    uint32_t bucket_count;
    uint32_t mask;
    uint32_t segment_capacity;
    table_hash *hash;
    uint64_t seed;
    size_t memory;        /* bytes of segments, overflow and directory */
    struct counter items; /* use table_count() */
    struct counter due;   /* use table_due() */
};

#define TABLE_DUE_NEVER INT64_MAX

void table_init(struct table *table, table_hash *hash, uint64_t seed);

/* Frees the table, not the items. O(buckets). */
void table_fini(struct table *table);

static inline size_t
table_count(const struct table *table)
{
    return (size_t)counter_get(&table->items);
}

/* Nothing in the table expires before this time. */
static inline int64_t
table_due(const struct table *table)
{
    return (int64_t)counter_get(&table->due);
}

/* Put <item>, which must not be there, in. False, nothing changed, without memory. */
bool table_insert(struct table *table, uint64_t hash, void *item);

/* Take the item in <slot> out. */
void table_remove(struct table *table, uint64_t hash, void **slot);

/* One step, a split or a merge, towards the size that fits; where memory lacks, none. */
void table_adjust(struct table *table);

/* Lookup: every item whose tag matches; the caller compares keys. NULL at the end. */
struct table_probe {
    struct bucket *bucket;
    uint64_t pattern;
    uint64_t matches;
};

#define TABLE_BYTES_LOW 0x0101010101010101u
#define TABLE_TAGS_HIGH 0x0000808080808080u /* the high bits of the six tags */
#define TABLE_CHAINED ((uint64_t)1 << 56)

static inline uint64_t
table_tag(uint64_t hash)
{
    uint64_t tag = hash >> 40 & 0xff;
    return tag + (tag == 0);
}

/* The high bit of each tag that equals the byte repeated in <pattern>. */
static inline uint64_t
table_tags_match(uint64_t tags, uint64_t pattern)
{
    const uint64_t low7 = 0x7f7f7f7f7f7f7f7fu;
    uint64_t zero = tags ^ pattern;
    return ~(((zero & low7) + low7) | zero) & TABLE_TAGS_HIGH;
}

static inline uint32_t
table_home_index(const struct table *table, uint64_t hash)
{
    uint32_t index = (uint32_t)hash & table->mask;
    return index < table->bucket_count ? index : index - (table->mask + 1) / 2;
}

static inline struct home *
table_home(const struct table *table, uint32_t index)
{
    return &table->segments[index >> TABLE_SEGMENT_LOG2].homes[index % TABLE_SEGMENT];
}

static inline void **
table_probe_next(struct table_probe *probe)
{
    while (probe->matches == 0) {
        if ((probe->bucket->tags & TABLE_CHAINED) == 0)
            return NULL;
        probe->bucket = (struct bucket *)probe->bucket->slots[TABLE_SLOTS - 1];
        probe->matches = table_tags_match(probe->bucket->tags, probe->pattern);
    }
    unsigned index = (unsigned)__builtin_ctzll(probe->matches) / 8;
    probe->matches &= probe->matches - 1;
    return &probe->bucket->slots[index];
}

static inline void **
table_probe_first(const struct table *table, uint64_t hash, struct table_probe *probe)
{
    if (table->bucket_count == 0)
        return NULL;
    probe->bucket = &table_home(table, table_home_index(table, hash))->bucket;
    probe->pattern = table_tag(hash) * TABLE_BYTES_LOW;
    probe->matches = table_tags_match(probe->bucket->tags, probe->pattern);
    return table_probe_next(probe);
}

/*
 * Walk all slots; start with *position = 0, NULL at the end. O(chain) a step. No changes
 * between, except to *slot.
 */
void **table_next(const struct table *table, size_t *position);

/*
 * SCAN: call <on_slot> for the items of the bucket at <cursor> and of the one it was split
 * into; the return value is the next cursor, 0 at the end. The cursor counts in bits reversed,
 * so that what was split is seen through both halves and what was merged is seen again: an item
 * that is there from start to end is visited at least once. <on_slot> may change *slot, not the
 * table.
 */
typedef void table_on_slot(void *context, void **slot);
uint64_t table_scan(const struct table *table, uint64_t cursor, table_on_slot *on_slot,
                    void *context);

/* A uniformly chosen slot; NULL when the table is empty, or (rarely) by bad luck after a
 * bounded number of draws from *random, which moves on. */
void **table_random(const struct table *table, uint64_t *random);

/* Note that the item with <hash> expires at <due> or later. */
void table_due_note(struct table *table, uint64_t hash, int64_t due);

/* The next bucket that may hold an item due before <now>: false when there is none, with the
 * bounds brought up to date. Look through its items by table_slot_at, then table_due_set. */
bool table_due_find(struct table *table, int64_t now, uint32_t *ret_index);
void table_due_set(struct table *table, uint32_t index, int64_t due);

/* The first bucket of <index> .. <end> - 1 that may hold an item that expires; <end>: none. */
uint32_t table_expiring_find(const struct table *table, uint32_t index, uint32_t end);

/* The <ordinal>th occupied slot of home bucket <index>'s chain; NULL past its end. */
void **table_slot_at(const struct table *table, uint32_t index, size_t ordinal);

/* Free the items (by <on_item>) and buckets of a table nobody looks up any more, at least one
 * bucket, until *budget items are gone. False when all is freed. */
typedef void table_on_item(void *context, void *item);
bool table_free_some(struct table *table, size_t *budget, table_on_item *on_item,
                     void *context);

#endif
