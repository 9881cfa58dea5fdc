#include "server/schema/memo.h"

#include <malloc.h>
#include <stdlib.h>

enum {
    MEMO_WAYS = 4, /* slots that a hash may be in: a cache line */
    MEMO_SLOTS_MIN = 256,
    MEMO_SLOTS_MAX = 1024 * 1024,
    MEMO_SLOT_BYTES = 1024,   /* of room for which there is a slot */
    MEMO_SEEN_PER_SLOT = 4,   /* hashes that the doorkeeper remembers, about */
    MEMO_TICKS = 32,          /* of its clock, in which as much is asked as there are slots */
    MEMO_TICKS_MAX = 16,      /* since a question was asked last, for it to be kept */
    MEMO_PREFETCH_LINES = 18, /* of an item, at most: one of half a KB and its view */
    MEMO_SHARE = 16,          /* of the room, that one view may take */
};

struct item {
    uint64_t epoch;
    uint32_t schema;
    unsigned from;
    unsigned to;
    uint32_t body_size;
    uint32_t complement_size;
    uint32_t view_size;
    char bytes[]; /* body, complement, view */
};

struct slot {
    uint32_t tag; /* of the hash */
    bool is_used; /* since the clock's hand passed */
    struct item *item;
};

struct sighting {
    uint16_t tag;
    uint16_t tick;
};

struct memo {
    _Atomic uint64_t *bytes;
    size_t size;           /* held by all of it */
    size_t slot_count;     /* a power of two */
    struct slot *slots;    /* [owned] NULL: nothing was put */
    struct sighting *seen; /* [owned] the doorkeeper */
    size_t hand;
    size_t asked; /* questions that the doorkeeper saw */
};

static void
charge(struct memo *memo, const void *memory)
{
    union {
        const void *borrowed;
        void *plain;
    } cast = {memory};
    size_t size = malloc_usable_size(cast.plain);
    memo->size += size;
    atomic_fetch_add_explicit(memo->bytes, size, memory_order_relaxed);
}

static void
discharge_and_free(struct memo *memo, void *memory)
{
    size_t size = malloc_usable_size(memory);
    memo->size -= size;
    atomic_fetch_sub_explicit(memo->bytes, size, memory_order_relaxed);
    free(memory);
}

struct memo *
memo_new(_Atomic uint64_t *bytes)
{
    struct memo *memo = calloc(1, sizeof(*memo));
    if (memo != NULL) {
        memo->bytes = bytes;
    }
    return memo;
}

static void
slot_clear(struct memo *memo, struct slot *slot)
{
    discharge_and_free(memo, slot->item);
    *slot = (struct slot){.item = NULL};
}

/* Everything goes, the tables too. */
static void
clear(struct memo *memo)
{
    if (memo->slots == NULL) {
        return;
    }
    for (size_t i = 0; i < memo->slot_count; i++) {
        if (memo->slots[i].item != NULL) {
            slot_clear(memo, &memo->slots[i]);
        }
    }
    discharge_and_free(memo, memo->slots);
    discharge_and_free(memo, memo->seen);
    memo->slots = NULL;
    memo->seen = NULL;
}

void
memo_free(struct memo *memo)
{
    if (memo != NULL) {
        clear(memo);
        free(memo);
    }
}

static size_t
tables_size(size_t slot_count)
{
    return slot_count * (sizeof(struct slot) + MEMO_SEEN_PER_SLOT * sizeof(struct sighting));
}

static bool
make_tables(struct memo *memo, size_t size_max)
{
    if (memo->slots != NULL) {
        return true;
    }
    size_t count = MEMO_SLOTS_MIN;
    while (count < MEMO_SLOTS_MAX && count < size_max / MEMO_SLOT_BYTES) {
        count *= 2;
    }
    if (tables_size(count) > size_max / 2) {
        return false;
    }
    memo->slots = aligned_alloc(64, count * sizeof(*memo->slots));
    memo->seen = calloc(count * MEMO_SEEN_PER_SLOT, sizeof(*memo->seen));
    if (memo->slots == NULL || memo->seen == NULL) {
        free(memo->slots);
        free(memo->seen);
        memo->slots = NULL;
        memo->seen = NULL;
        return false;
    }
    memset(memo->slots, 0, count * sizeof(*memo->slots));
    memo->slot_count = count;
    charge(memo, memo->slots);
    charge(memo, memo->seen);
    return true;
}

static struct slot *
set_of(const struct memo *memo, uint64_t hash)
{
    return &memo->slots[hash % (memo->slot_count / MEMO_WAYS) * MEMO_WAYS];
}

static bool
is_answer(const struct item *item, const struct memo_question *question)
{
    const struct lens_record *record = question->record;
    return item->epoch == question->epoch && item->schema == question->schema &&
           item->from == record->version && item->to == question->version &&
           slice_equal(slice_make(item->bytes, item->body_size), record->body) &&
           slice_equal(slice_make(item->bytes + item->body_size, item->complement_size),
                       record->complement);
}

void
memo_prefetch(const struct memo *memo, uint64_t hash)
{
    if (memo->slots != NULL) {
        __builtin_prefetch(set_of(memo, hash));
    }
}

void
memo_prefetch_view(const struct memo *memo, uint64_t hash)
{
    if (memo->slots == NULL) {
        return;
    }
    const struct slot *set = set_of(memo, hash);
    for (size_t i = 0; i < MEMO_WAYS; i++) {
        if (set[i].tag == (uint32_t)(hash >> 32) && set[i].item != NULL) {
            const char *item = (const char *)set[i].item;
            for (size_t line = 0; line < MEMO_PREFETCH_LINES; line++) {
                __builtin_prefetch(item + line * 64);
            }
        }
    }
}

bool
memo_find(struct memo *memo, const struct memo_question *question, struct slice *ret_view)
{
    if (memo->slots == NULL || question->record->body.size > MEMO_RECORD_SIZE_MAX) {
        return false;
    }
    struct slot *set = set_of(memo, question->hash);
    uint32_t tag = (uint32_t)(question->hash >> 32);
    for (size_t i = 0; i < MEMO_WAYS; i++) {
        struct item *item = set[i].item;
        if (set[i].tag == tag && item != NULL && is_answer(item, question)) {
            set[i].is_used = true;
            *ret_view = slice_make(item->bytes + item->body_size + item->complement_size,
                                   item->view_size);
            return true;
        }
    }
    return false;
}

/*
 * Was it asked for a short while ago? What comes again only after so many others that it would
 * be gone by then, is not worth the room.
 */
static bool
was_seen(struct memo *memo, const struct memo_question *question)
{
    uint64_t hash = question->hash + (uint64_t)question->version * UINT64_C(0x9e3779b97f4a7c15);
    uint16_t tick = (uint16_t)(memo->asked++ / (memo->slot_count / MEMO_TICKS));
    uint16_t tag = (uint16_t)(hash >> 48 | 1);
    struct sighting *last = &memo->seen[(hash >> 16) % (memo->slot_count * MEMO_SEEN_PER_SLOT)];
    bool is_known = last->tag == tag && (uint16_t)(tick - last->tick) <= MEMO_TICKS_MAX;
    *last = (struct sighting){tag, tick};
    return is_known;
}

/* The slot for a new item: one of the same key in another state, a free one, one not used. */
static struct slot *
choose(struct memo *memo, const struct memo_question *question)
{
    struct slot *set = set_of(memo, question->hash);
    uint32_t tag = (uint32_t)(question->hash >> 32);
    struct slot *chosen = &set[memo->hand % MEMO_WAYS];
    for (size_t i = 0; i < MEMO_WAYS; i++) {
        if (set[i].item != NULL && set[i].tag == tag && set[i].item->to == question->version) {
            return &set[i];
        }
        if (set[i].item == NULL ||
            (chosen->item != NULL && chosen->is_used && !set[i].is_used)) {
            chosen = &set[i];
        }
    }
    return chosen;
}

void
memo_trim(struct memo *memo, size_t size_max)
{
    if (memo->slots != NULL && tables_size(memo->slot_count) > size_max / 2) {
        clear(memo);
        return;
    }
    while (memo->size > size_max) {
        struct slot *slot = &memo->slots[memo->hand++ % memo->slot_count];
        if (slot->is_used) {
            slot->is_used = false;
        } else if (slot->item != NULL) {
            slot_clear(memo, slot);
        }
    }
}

void
memo_put(struct memo *memo, const struct memo_question *question, struct slice view,
         size_t size_max)
{
    const struct lens_record *record = question->record;
    if (record->body.size + record->complement.size > MEMO_RECORD_SIZE_MAX ||
        view.size > UINT32_MAX || !make_tables(memo, size_max) || !was_seen(memo, question)) {
        return;
    }
    size_t size = sizeof(struct item) + record->body.size + record->complement.size + view.size;
    struct item *item = size > size_max / MEMO_SHARE ? NULL : malloc(size);
    if (item == NULL) {
        return;
    }
    *item = (struct item){
        .epoch = question->epoch,
        .schema = question->schema,
        .from = record->version,
        .to = question->version,
        .body_size = (uint32_t)record->body.size,
        .complement_size = (uint32_t)record->complement.size,
        .view_size = (uint32_t)view.size,
    };
    const struct slice parts[] = {record->body, record->complement, view};
    char *at = item->bytes;
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].size > 0) {
            memcpy(at, parts[i].data, parts[i].size);
            at += parts[i].size;
        }
    }
    struct slot *slot = choose(memo, question);
    if (slot->item != NULL) {
        slot_clear(memo, slot);
    }
    charge(memo, item);
    *slot =
        (struct slot){.tag = (uint32_t)(question->hash >> 32), .is_used = false, .item = item};
    memo_trim(memo, size_max);
}
