#include "server/store/table.h"

#include "proto/base/check.h"
#include "server/store/memory.h"
#include "server/store/splitmix.h"

#include <string.h>

enum {
    /* Items per bucket: split above, merge below. At five, one lookup in six sees a second
     * bucket and the table costs 16 bytes per item; the gap keeps a steady size still. */
    LOAD_MAX = 5,
    LOAD_MIN = 3,
    CHAIN_SLOT = TABLE_SLOTS - 1, /* the overflow bucket's, in a chained bucket */
};

_Static_assert(sizeof(struct home) == MEMORY_LINE, "a home bucket is one cache line");

static unsigned
slot_of(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits) / 8;
}

static void
tag_set(struct bucket *bucket, unsigned slot, uint64_t tag)
{
    bucket->tags = (bucket->tags & ~((uint64_t)0xff << 8 * slot)) | tag << 8 * slot;
}

static uint64_t
tag_get(const struct bucket *bucket, unsigned slot)
{
    return bucket->tags >> 8 * slot & 0xff;
}

static struct bucket *
overflow_of(const struct bucket *bucket)
{
    return (bucket->tags & TABLE_CHAINED) != 0 ? bucket->slots[CHAIN_SLOT] : NULL;
}

/* The high bit of each occupied slot's tag. */
static uint64_t
occupied(const struct bucket *bucket)
{
    return ~table_tags_match(bucket->tags, 0) & TABLE_TAGS_HIGH;
}

static uint64_t
vacant(const struct bucket *bucket)
{
    uint64_t bits = table_tags_match(bucket->tags, 0);
    return (bucket->tags & TABLE_CHAINED) != 0 ? bits & ~((uint64_t)0x80 << 8 * CHAIN_SLOT)
                                               : bits;
}

/* How many tags' high bits are set. */
static size_t
bits_count(uint64_t bits)
{
    return (size_t)((bits >> 7) * TABLE_BYTES_LOW >> 56);
}

static size_t
chain_count(const struct bucket *bucket)
{
    size_t count = 0;
    for (; bucket != NULL; bucket = overflow_of(bucket))
        count += bits_count(occupied(bucket));
    return count;
}

void
table_init(struct table *table, table_hash *hash, uint64_t seed)
{
    /* Member by member: a flush does this to a live table, whose counters are read unlocked. */
    table->segments = NULL;
    table->bucket_count = 0;
    table->mask = 0;
    table->segment_capacity = 0;
    table->hash = hash;
    table->seed = seed;
    table->memory = 0;
    counter_set(&table->items, 0);
    counter_set(&table->due, (uint64_t)TABLE_DUE_NEVER);
}

/*
 * Overflow buckets are taken from a small supply that was allocated before anything changes, so
 * that a split, merge or insert cannot fail half-way. Linked through their last slot.
 */
struct supply {
    struct bucket *buckets;
};

static void
supply_give(struct table *table, struct supply *supply)
{
    while (supply->buckets != NULL) {
        struct bucket *bucket = supply->buckets;
        supply->buckets = bucket->slots[CHAIN_SLOT];
        table->memory -= memory_size(bucket);
        memory_free(bucket);
    }
}

/* What a chain of <count> items needs. */
static bool
supply_take(struct table *table, struct supply *supply, size_t count)
{
    supply->buckets = NULL;
    for (size_t held = TABLE_SLOTS; held < count; held += CHAIN_SLOT) {
        struct bucket *bucket = memory_alloc(sizeof(*bucket));
        if (bucket == NULL) {
            supply_give(table, supply);
            return false;
        }
        table->memory += memory_size(bucket);
        bucket->slots[CHAIN_SLOT] = supply->buckets;
        supply->buckets = bucket;
    }
    return true;
}

/* Add an item at the end of a chain; false when that takes a bucket and <supply> has none. */
static bool
chain_add(struct bucket *bucket, uint64_t tag, void *item, struct supply *supply)
{
    struct bucket *next;
    while ((next = overflow_of(bucket)) != NULL)
        bucket = next;
    uint64_t bits = vacant(bucket);
    if (bits == 0) {
        next = supply->buckets;
        if (next == NULL)
            return false;
        supply->buckets = next->slots[CHAIN_SLOT];
        next->tags = tag_get(bucket, CHAIN_SLOT);
        next->slots[0] = bucket->slots[CHAIN_SLOT];
        tag_set(bucket, CHAIN_SLOT, 0);
        bucket->slots[CHAIN_SLOT] = next;
        bucket->tags |= TABLE_CHAINED;
        bucket = next;
        bits = vacant(bucket);
    }
    unsigned slot = slot_of(bits);
    tag_set(bucket, slot, tag);
    bucket->slots[slot] = item;
    return true;
}

/*
 * Empty a chain into <ret_items>, as many as fit in one go: the caller puts them where they
 * belong and comes again. Works from the chain's end, freeing overflow buckets.
 */
struct picked {
    uint64_t tag;
    void *item;
};

static size_t
chain_pick(struct table *table, struct bucket *home, struct picked ret_items[TABLE_SLOTS])
{
    struct bucket *parent = NULL;
    struct bucket *last = home;
    struct bucket *next;
    while ((next = overflow_of(last)) != NULL) {
        parent = last;
        last = next;
    }
    size_t count = 0;
    for (uint64_t bits = occupied(last); bits != 0; bits &= bits - 1) {
        unsigned slot = slot_of(bits);
        ret_items[count++] = (struct picked){tag_get(last, slot), last->slots[slot]};
    }
    last->tags = 0;
    if (parent != NULL) {
        parent->tags &= ~TABLE_CHAINED;
        table->memory -= memory_size(last);
        memory_free(last);
    }
    return count;
}

/* Close the hole at <slot> with the chain's last item. */
static void
chain_close(struct table *table, struct bucket *home, void **slot)
{
    struct bucket *parent = NULL;
    struct bucket *last = home;
    struct bucket *holder = NULL;
    for (;;) {
        if (slot >= last->slots && slot < last->slots + TABLE_SLOTS)
            holder = last;
        struct bucket *next = overflow_of(last);
        if (next == NULL)
            break;
        parent = last;
        last = next;
    }
    CHECK(holder != NULL);
    tag_set(holder, (unsigned)(slot - holder->slots), 0);
    if (parent == NULL)
        return;
    if (holder != last) {
        unsigned source = slot_of(occupied(last));
        tag_set(holder, (unsigned)(slot - holder->slots), tag_get(last, source));
        *slot = last->slots[source];
        tag_set(last, source, 0);
    }
    uint64_t bits = occupied(last);
    if ((bits & (bits - 1)) == 0) { /* a single item is left: back to where the chain hung */
        unsigned source = slot_of(bits);
        parent->tags &= ~TABLE_CHAINED;
        tag_set(parent, CHAIN_SLOT, tag_get(last, source));
        parent->slots[CHAIN_SLOT] = last->slots[source];
        table->memory -= memory_size(last);
        memory_free(last);
    }
}

/* Segments and directory. */

static uint32_t
segment_count(uint32_t bucket_count)
{
    return (bucket_count + TABLE_SEGMENT - 1) >> TABLE_SEGMENT_LOG2;
}

static struct home *
homes_new(struct table *table, uint32_t count)
{
    struct home *homes = memory_alloc_lines(count * sizeof(*homes));
    if (homes != NULL)
        table->memory += memory_size(homes);
    return homes;
}

static void
homes_free(struct table *table, struct home *homes)
{
    table->memory -= memory_size(homes);
    memory_free(homes);
}

/* The first segment in another size. */
static bool
first_resize(struct table *table, uint32_t count, uint32_t capacity)
{
    struct home *homes = homes_new(table, capacity);
    if (homes == NULL)
        return false;
    memcpy(homes, table->segments[0].homes, count * sizeof(*homes));
    homes_free(table, table->segments[0].homes);
    table->segments[0].homes = homes;
    return true;
}

static bool
directory_resize(struct table *table, uint32_t capacity)
{
    struct segment *segments = memory_alloc(capacity * sizeof(*segments));
    if (segments == NULL)
        return false;
    table->memory += memory_size(segments);
    if (table->segments != NULL) {
        memcpy(segments, table->segments,
               segment_count(table->bucket_count) * sizeof(*segments));
        table->memory -= memory_size(table->segments);
        memory_free(table->segments);
    }
    table->segments = segments;
    table->segment_capacity = capacity;
    return true;
}

/* Room for one more bucket behind the last. */
static bool
room_for_bucket(struct table *table)
{
    uint32_t count = table->bucket_count;
    if (count > 0 && count < TABLE_SEGMENT)
        return (count & (count - 1)) != 0 || first_resize(table, count, count * 2);
    if (count % TABLE_SEGMENT != 0)
        return true;
    uint32_t index = segment_count(count);
    if (index == table->segment_capacity &&
        !directory_resize(table, index == 0 ? 1 : index * 2))
        return false;
    struct home *homes = homes_new(table, count == 0 ? 1 : TABLE_SEGMENT);
    if (homes == NULL)
        return false;
    table->segments[index] = (struct segment){homes, TABLE_DUE_NEVER};
    return true;
}

/* The last bucket is gone: give back what it lay in, where that is worth it. */
static void
room_trim(struct table *table)
{
    uint32_t count = table->bucket_count;
    if (count < TABLE_SEGMENT) {
        if ((count & (count - 1)) == 0)
            (void)first_resize(table, count, count);
        /* Without memory for the smaller one, the larger stays: room_for_bucket then replaces
         * it by one of the same size. */
    } else if (count % TABLE_SEGMENT == 0) {
        homes_free(table, table->segments[segment_count(count)].homes);
        if (segment_count(count) <= table->segment_capacity / 4)
            (void)directory_resize(table, table->segment_capacity / 2);
    }
}

static struct home *
bucket_append(struct table *table)
{
    uint32_t index = table->bucket_count++;
    if (index == 0)
        table->mask = 1;
    else if (index == table->mask)
        table->mask = table->mask * 2 + 1;
    struct home *home = table_home(table, index);
    home->due = TABLE_DUE_NEVER;
    home->bucket.tags = 0;
    return home;
}

static void
due_lower(struct table *table, uint32_t index, int64_t due)
{
    struct home *home = table_home(table, index);
    struct segment *segment = &table->segments[index >> TABLE_SEGMENT_LOG2];
    if (due >= home->due)
        return;
    home->due = due;
    if (due >= segment->due)
        return;
    segment->due = due;
    if (due < table_due(table))
        counter_set(&table->due, (uint64_t)due);
}

static void
split(struct table *table)
{
    if (table->bucket_count == UINT32_MAX / 2)
        return;
    uint32_t to_index = table->bucket_count;
    uint32_t half = (table->mask + 1) / 2;
    struct home *from = table_home(table, to_index - half);
    struct supply supply;
    /* What holds one chain holds its two halves. */
    if (!supply_take(table, &supply, chain_count(&from->bucket)))
        return;
    if (!room_for_bucket(table)) {
        supply_give(table, &supply);
        return;
    }

    from = table_home(table, to_index - half);
    struct home *to = bucket_append(table);
    due_lower(table, to_index, from->due);
    struct bucket old = from->bucket;
    from->bucket.tags = 0;
    struct picked picked[TABLE_SLOTS];
    size_t count;
    while ((count = chain_pick(table, &old, picked)) > 0) {
        for (size_t i = 0; i < count; i++) {
            bool moves = (table->hash(picked[i].item, table->seed) & half) != 0;
            CHECK(chain_add(moves ? &to->bucket : &from->bucket, picked[i].tag, picked[i].item,
                            &supply));
        }
    }
    supply_give(table, &supply);
}

static void
merge(struct table *table)
{
    uint32_t from_index = table->bucket_count - 1;
    uint32_t half = (table->mask + 1) / 2;
    if (table->bucket_count == half)
        half /= 2;
    struct home *from = table_home(table, from_index);
    struct home *to = table_home(table, from_index - half);
    struct supply supply;
    if (!supply_take(table, &supply, chain_count(&from->bucket) + chain_count(&to->bucket)))
        return;
    struct picked picked[TABLE_SLOTS];
    size_t count;
    while ((count = chain_pick(table, &from->bucket, picked)) > 0) {
        for (size_t i = 0; i < count; i++)
            CHECK(chain_add(&to->bucket, picked[i].tag, picked[i].item, &supply));
    }
    supply_give(table, &supply);
    due_lower(table, from_index - half, from->due);
    table->bucket_count--;
    table->mask = half * 2 - 1;
    room_trim(table);
}

void
table_adjust(struct table *table)
{
    size_t count = table_count(table);
    if (count > (size_t)table->bucket_count * LOAD_MAX)
        split(table);
    else if (table->bucket_count > 1 && count < (size_t)table->bucket_count * LOAD_MIN)
        merge(table);
}

bool
table_insert(struct table *table, uint64_t hash, void *item)
{
    if (table->bucket_count == 0) {
        if (!room_for_bucket(table))
            return false;
        (void)bucket_append(table);
    }
    struct bucket *bucket = &table_home(table, table_home_index(table, hash))->bucket;
    struct supply supply = {NULL};
    if (!chain_add(bucket, table_tag(hash), item, &supply)) {
        if (!supply_take(table, &supply, TABLE_SLOTS + 1))
            return false;
        CHECK(chain_add(bucket, table_tag(hash), item, &supply));
    }
    counter_add(&table->items, 1);
    return true;
}

void
table_remove(struct table *table, uint64_t hash, void **slot)
{
    chain_close(table, &table_home(table, table_home_index(table, hash))->bucket, slot);
    counter_add(&table->items, (uint64_t)-1);
}

void **
table_slot_at(const struct table *table, uint32_t index, size_t ordinal)
{
    struct bucket *bucket = &table_home(table, index)->bucket;
    for (; bucket != NULL; bucket = overflow_of(bucket)) {
        uint64_t bits = occupied(bucket);
        size_t count = bits_count(bits);
        if (ordinal >= count) {
            ordinal -= count;
            continue;
        }
        while (ordinal-- > 0)
            bits &= bits - 1;
        return &bucket->slots[slot_of(bits)];
    }
    return NULL;
}

void **
table_next(const struct table *table, size_t *position)
{
    enum { ORDINAL_BITS = 24 };
    size_t index = *position >> ORDINAL_BITS;
    size_t ordinal = *position & (((size_t)1 << ORDINAL_BITS) - 1);
    for (; index < table->bucket_count; index++, ordinal = 0) {
        void **slot = table_slot_at(table, (uint32_t)index, ordinal);
        if (slot != NULL) {
            *position = (index << ORDINAL_BITS) + ordinal + 1;
            return slot;
        }
    }
    *position = index << ORDINAL_BITS;
    return NULL;
}

static void
scan_bucket(const struct table *table, uint32_t index, table_on_slot *on_slot, void *context)
{
    struct bucket *bucket = &table_home(table, index)->bucket;
    for (; bucket != NULL; bucket = overflow_of(bucket)) {
        for (uint64_t bits = occupied(bucket); bits != 0; bits &= bits - 1)
            on_slot(context, &bucket->slots[slot_of(bits)]);
    }
}

static uint64_t
reverse(uint64_t value)
{
    value = (value >> 1 & 0x5555555555555555u) | (value & 0x5555555555555555u) << 1;
    value = (value >> 2 & 0x3333333333333333u) | (value & 0x3333333333333333u) << 2;
    value = (value >> 4 & 0x0f0f0f0f0f0f0f0fu) | (value & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(value);
}

uint64_t
table_scan(const struct table *table, uint64_t cursor, table_on_slot *on_slot, void *context)
{
    if (table->bucket_count == 0)
        return 0;
    uint32_t half = (table->mask + 1) / 2;
    uint32_t index = (uint32_t)cursor & (half - 1);
    scan_bucket(table, index, on_slot, context);
    if (index + half < table->bucket_count)
        scan_bucket(table, index + half, on_slot, context);
    /* Add one to the cursor's bits below <half>, read from the highest to the lowest. */
    return reverse(reverse(cursor | ~(uint64_t)(half - 1)) + 1);
}

void **
table_random(const struct table *table, uint64_t *random)
{
    if (table_count(table) == 0)
        return NULL;
    /* A place in a chain of up to 16, and none where the chain is shorter: uniform but for the
     * chains that are longer, which are too few to tell. */
    for (int draws = 0; draws < 256; draws++) {
        uint64_t bits = splitmix_next(random);
        uint32_t index = (uint32_t)((bits >> 32) * table->bucket_count >> 32);
        void **slot = table_slot_at(table, index, bits % 16);
        if (slot != NULL)
            return slot;
    }
    uint32_t start = (uint32_t)(splitmix_next(random) % table->bucket_count);
    for (uint32_t i = 0; i < table->bucket_count; i++) {
        void **slot = table_slot_at(table, (start + i) % table->bucket_count, 0);
        if (slot != NULL)
            return slot;
    }
    return NULL;
}

void
table_due_note(struct table *table, uint64_t hash, int64_t due)
{
    due_lower(table, table_home_index(table, hash), due);
}

bool
table_due_find(struct table *table, int64_t now, uint32_t *ret_index)
{
    if (table_due(table) >= now)
        return false;
    int64_t table_min = TABLE_DUE_NEVER;
    for (uint32_t s = 0; s < segment_count(table->bucket_count); s++) {
        struct segment *segment = &table->segments[s];
        if (segment->due < now) {
            uint32_t first = s * TABLE_SEGMENT;
            uint32_t end = table->bucket_count - first < TABLE_SEGMENT
                               ? table->bucket_count - first
                               : TABLE_SEGMENT;
            int64_t segment_min = TABLE_DUE_NEVER;
            for (uint32_t i = 0; i < end; i++) {
                int64_t due = segment->homes[i].due;
                if (due < now) {
                    *ret_index = first + i;
                    return true;
                }
                if (due < segment_min)
                    segment_min = due;
            }
            segment->due = segment_min;
        }
        if (segment->due < table_min)
            table_min = segment->due;
    }
    counter_set(&table->due, (uint64_t)table_min);
    return false;
}

uint32_t
table_expiring_find(const struct table *table, uint32_t index, uint32_t end)
{
    while (index < end) {
        const struct segment *segment = &table->segments[index >> TABLE_SEGMENT_LOG2];
        if (segment->due == TABLE_DUE_NEVER)
            index = (index | (TABLE_SEGMENT - 1)) + 1;
        else if (segment->homes[index % TABLE_SEGMENT].due == TABLE_DUE_NEVER)
            index++;
        else
            return index;
    }
    return end;
}

void
table_due_set(struct table *table, uint32_t index, int64_t due)
{
    /* Only upwards: the bounds above stay true as they are. */
    CHECK(due >= table_home(table, index)->due);
    table_home(table, index)->due = due;
}

bool
table_free_some(struct table *table, size_t *budget, table_on_item *on_item, void *context)
{
    while (table->bucket_count > 0) {
        uint32_t index = table->bucket_count - 1;
        struct bucket *home = &table_home(table, index)->bucket;
        struct picked picked[TABLE_SLOTS];
        size_t count;
        while ((count = chain_pick(table, home, picked)) > 0) {
            for (size_t i = 0; i < count; i++)
                on_item(context, picked[i].item);
            counter_add(&table->items, (uint64_t) - (int64_t)count);
            *budget -= count < *budget ? count : *budget;
        }
        table->bucket_count = index;
        if (index % TABLE_SEGMENT == 0)
            homes_free(table, table->segments[index >> TABLE_SEGMENT_LOG2].homes);
        if (*budget == 0 && index > 0)
            return true;
    }
    if (table->segments != NULL) {
        table->memory -= memory_size(table->segments);
        memory_free(table->segments);
        table->segments = NULL;
        table->segment_capacity = 0;
    }
    return false;
}

static void
ignore_item(void *context, void *item)
{
    (void)context;
    (void)item;
}

void
table_fini(struct table *table)
{
    size_t budget = SIZE_MAX;
    (void)table_free_some(table, &budget, ignore_item, NULL);
    CHECK(table->memory == 0);
}
