#include "server/store/entry.h"

#include "proto/base/check.h"
#include "server/store/block.h"
#include "server/store/dictionaries.h"
#include "server/store/hash_life.h"
#include "server/store/memory.h"

#include <xxhash.h>

enum {
    FLAGS_MASK = 0xff,
    CLOCK_SHIFT = 8,
    FIXED_SIZE = sizeof(struct entry),
    EXPIRY_SIZE = 8,
    SCHEMA_SIZE = 8,
    COMPLEMENT_SIZE = 4,
    SHORT_KEY_MAX = UINT8_MAX,
    SMALL_FIELDS_MAX = 256,
    MOVED_FIELDS_MAX = 64, /* under one hold of the shard's lock */
    ROOM_SHARE = 4,        /* a string that grows gets a quarter more than it needs */
    ROOM_MIN = 16,
    ROOM_COPIED_BELOW = 4,
};

#define HEAD(flags)                                                                            \
    (uint8_t)(FIXED_SIZE + ((flags)&ENTRY_HAS_EXPIRY ? EXPIRY_SIZE : 0) +                      \
              ((flags)&ENTRY_IS_HASH ? sizeof(struct hash) : 0) +                              \
              ((flags)&ENTRY_HAS_SCHEMA ? SCHEMA_SIZE : 0) +                                   \
              ((flags)&ENTRY_HAS_COMPLEMENT ? COMPLEMENT_SIZE : 0))
const uint8_t entry_heads[16] = {
    HEAD(0), HEAD(1), HEAD(2),  HEAD(3),  HEAD(4),  HEAD(5),  HEAD(6),  HEAD(7),
    HEAD(8), HEAD(9), HEAD(10), HEAD(11), HEAD(12), HEAD(13), HEAD(14), HEAD(15),
};

/* A dead entry's link lies over its expiry or what comes there. */
struct dead {
    struct entry entry;
    struct entry *next;
};

static char *
at(struct entry *entry, size_t offset)
{
    return (char *)entry + offset;
}

static const char *
at_const(const struct entry *entry, size_t offset)
{
    return (const char *)entry + offset;
}

static uint32_t
flags_of(const struct entry *entry)
{
    return entry->word & FLAGS_MASK;
}

static size_t
head_size(uint32_t flags)
{
    return entry_heads[flags & 15];
}

static size_t
key_offset(uint32_t flags)
{
    return head_size(flags) + (flags & ENTRY_LONG_KEY ? 4 : 1);
}

static size_t
schema_offset(uint32_t flags)
{
    return (size_t)FIXED_SIZE + (flags & ENTRY_HAS_EXPIRY ? (size_t)EXPIRY_SIZE : 0) +
           (flags & ENTRY_IS_HASH ? sizeof(struct hash) : 0);
}

static uint32_t
complement_size(const struct entry *entry)
{
    uint32_t size = 0;
    uint32_t flags = flags_of(entry);
    if (flags & ENTRY_HAS_COMPLEMENT)
        memcpy(&size, at_const(entry, head_size(flags) - COMPLEMENT_SIZE), sizeof(size));
    return size;
}

struct slice
entry_key(const struct entry *entry)
{
    uint32_t flags = flags_of(entry);
    const char *size_at = at_const(entry, head_size(flags));
    if (__builtin_expect((flags & ENTRY_LONG_KEY) == 0, 1))
        return slice_make(size_at + 1, (unsigned char)*size_at);
    uint32_t size;
    memcpy(&size, size_at, sizeof(size));
    return slice_make(size_at + 4, size);
}

static size_t
complement_offset(const struct entry *entry)
{
    return key_offset(flags_of(entry)) + entry_key(entry).size;
}

enum entry_type
entry_type(const struct entry *entry)
{
    return flags_of(entry) & ENTRY_IS_HASH ? ENTRY_HASH : ENTRY_STRING;
}

int64_t
entry_expiry_ms(const struct entry *entry)
{
    int64_t expiry_ms = KEYSPACE_EXPIRY_NONE;
    if (flags_of(entry) & ENTRY_HAS_EXPIRY)
        memcpy(&expiry_ms, at_const(entry, FIXED_SIZE), sizeof(expiry_ms));
    return expiry_ms;
}

bool
entry_set_expiry(struct entry *entry, int64_t expiry_ms)
{
    if ((flags_of(entry) & ENTRY_HAS_EXPIRY) == 0)
        return expiry_ms == KEYSPACE_EXPIRY_NONE;
    memcpy(at(entry, FIXED_SIZE), &expiry_ms, sizeof(expiry_ms));
    return true;
}

uint32_t
entry_schema(const struct entry *entry)
{
    uint16_t schema = 0;
    uint32_t flags = flags_of(entry);
    if (flags & ENTRY_HAS_SCHEMA)
        memcpy(&schema, at_const(entry, schema_offset(flags)), sizeof(schema));
    return schema;
}

uint32_t
entry_version(const struct entry *entry)
{
    uint16_t version = 0;
    uint32_t flags = flags_of(entry);
    if (flags & ENTRY_HAS_SCHEMA)
        memcpy(&version, at_const(entry, schema_offset(flags) + 2), sizeof(version));
    return version;
}

static __attribute__((noinline)) void
share_packed(const struct entry *entry, struct entry_share *share)
{
    struct value value;
    entry_value(entry, &value);
    share->dictionary = (uint8_t)packed_dictionary(value.body);
    share->raw_size = (uint32_t)packed_raw_size(value.body);
    share->packed_size = entry->size;
}

void
entry_share(const struct entry *entry, struct entry_share *ret_share)
{
    uint32_t flags = flags_of(entry);
    ret_share->expiry_ms = entry_expiry_ms(entry);
    ret_share->size = ret_share->own_size = memory_size(entry);
    ret_share->schema = 0;
    ret_share->version = 0;
    ret_share->has_complement = (flags & ENTRY_HAS_COMPLEMENT) != 0;
    ret_share->dictionary = 0;
    if (flags & ENTRY_HAS_SCHEMA) {
        ret_share->schema = entry_schema(entry);
        ret_share->version = entry_version(entry);
    }
    if (__builtin_expect(flags & (ENTRY_IS_HASH | ENTRY_HAS_BLOCK | ENTRY_IS_PACKED), 0)) {
        if (flags & ENTRY_IS_PACKED)
            share_packed(entry, ret_share);
        else
            ret_share->size += flags & ENTRY_IS_HASH ? entry_hash(entry)->charged
                                                     : block_memory(entry_block(entry));
    }
}

static size_t
body_offset(const struct entry *entry)
{
    return complement_offset(entry) + complement_size(entry);
}

struct block *
entry_block(const struct entry *entry)
{
    struct block *block = NULL;
    if (__builtin_expect(flags_of(entry) & ENTRY_HAS_BLOCK, 0))
        memcpy(&block, at_const(entry, body_offset(entry)), sizeof(block));
    return block;
}

void
entry_value(const struct entry *entry, struct value *ret_value)
{
    size_t offset = complement_offset(entry);
    uint32_t size = complement_size(entry);
    ret_value->is_hash = entry_type(entry) == ENTRY_HASH;
    ret_value->complement = slice_make(at_const(entry, offset), size);
    ret_value->body =
        slice_make(at_const(entry, offset + size), ret_value->is_hash ? 0 : entry->size);
    ret_value->block = NULL;
    if (__builtin_expect(flags_of(entry) & ENTRY_HAS_BLOCK, 0)) {
        ret_value->block = entry_block(entry);
        ret_value->body.data = ret_value->block->bytes;
    }
    ret_value->schema = entry_schema(entry);
    ret_value->version = entry_version(entry);
    ret_value->is_packed = (flags_of(entry) & ENTRY_IS_PACKED) != 0;
}

struct hash *
entry_hash(const struct entry *entry)
{
    CHECK(entry_type(entry) == ENTRY_HASH);
    union {
        const char *borrowed;
        struct hash *hash;
    } cast = {at_const(entry, FIXED_SIZE + EXPIRY_SIZE)};
    return cast.hash;
}

bool
entry_record(const struct entry *entry, struct arena *arena, struct value *ret_value)
{
    struct value value;
    entry_value(entry, &value);
    if (value.is_hash && hash_is_packed(entry_hash(entry))) {
        value.body = hash_run(entry_hash(entry));
    } else if (value.is_hash) {
        size_t size = hash_body_size(entry_hash(entry));
        char *body = arena_alloc(arena, size);
        if (body == NULL)
            return false;
        hash_body_write(entry_hash(entry), body);
        value.body = slice_make(body, size);
    }
    *ret_value = value;
    return true;
}

uint64_t
entry_revision(const struct entry *entry)
{
    uint32_t flags = flags_of(entry);
    if (flags & ENTRY_IS_HASH)
        return entry->size;
    if (flags & ENTRY_HAS_SCHEMA) {
        uint32_t revision;
        memcpy(&revision, at_const(entry, schema_offset(flags) + 4), sizeof(revision));
        return revision;
    }
    struct value value;
    entry_value(entry, &value);
    return XXH3_64bits_withSeed(value.body.data, value.body.size, value.is_packed);
}

void
entry_set_revision(struct entry *entry, uint32_t revision)
{
    uint32_t flags = flags_of(entry);
    if (flags & ENTRY_IS_HASH)
        entry->size = revision;
    else if (flags & ENTRY_HAS_SCHEMA)
        memcpy(at(entry, schema_offset(flags) + 4), &revision, sizeof(revision));
}

size_t
entry_memory(const struct entry *entry)
{
    size_t size = memory_size(entry) + block_memory(entry_block(entry));
    return entry_type(entry) == ENTRY_HASH ? size + hash_memory(entry_hash(entry)) : size;
}

uint32_t
entry_clock(const struct entry *entry)
{
    return entry->word >> CLOCK_SHIFT;
}

void
entry_touch(struct entry *entry, uint32_t clock)
{
    clock &= ENTRY_CLOCK_MASK;
    /* Compared first: an unwritten line stays shared among cores. */
    if (entry_clock(entry) != clock)
        entry->word = flags_of(entry) | clock << CLOCK_SHIFT;
}

int64_t
entry_idle_s(const struct entry *entry, int64_t now_ms)
{
    return (now_ms / 1000 - entry_clock(entry)) & ENTRY_CLOCK_MASK;
}

static uint32_t
flags_for(const struct value *value, bool has_expiry)
{
    return (has_expiry ? (uint32_t)ENTRY_HAS_EXPIRY : 0) |
           (value->schema != 0 ? (uint32_t)ENTRY_HAS_SCHEMA : 0) |
           (value->complement.size != 0 ? (uint32_t)ENTRY_HAS_COMPLEMENT : 0) |
           (value->is_packed ? (uint32_t)ENTRY_IS_PACKED : 0);
}

static void
copy(char *to, struct slice from)
{
    if (from.size != 0)
        memmove(to, from.data, from.size);
}

/* What an entry has of a record beside its body; not the flags that decide the layout. */
static void
write_meta(struct entry *entry, const struct value *value, int64_t expiry_ms, uint32_t revision)
{
    uint32_t flags = flags_of(entry);
    if (__builtin_expect(((flags & ENTRY_IS_PACKED) != 0) != value->is_packed, 0))
        entry->word ^= ENTRY_IS_PACKED;
    if (flags & ENTRY_HAS_EXPIRY)
        memcpy(at(entry, FIXED_SIZE), &expiry_ms, sizeof(expiry_ms));
    if (flags & ENTRY_HAS_SCHEMA) {
        uint16_t pair[2] = {(uint16_t)value->schema, (uint16_t)value->version};
        memcpy(at(entry, schema_offset(flags)), pair, sizeof(pair));
        memcpy(at(entry, schema_offset(flags) + 4), &revision, sizeof(revision));
    }
    if (flags & ENTRY_HAS_COMPLEMENT) {
        uint32_t size = (uint32_t)value->complement.size;
        memcpy(at(entry, head_size(flags) - COMPLEMENT_SIZE), &size, sizeof(size));
    }
}

/* Everything but flags, clock and key, which decide the layout; <body>: its bytes, or those of
 * the pointer to its block. */
static void
write_value(struct entry *entry, const struct value *value, struct slice body,
            int64_t expiry_ms, uint32_t revision)
{
    size_t offset = complement_offset(entry);
    copy(at(entry, offset), value->complement);
    copy(at(entry, offset + value->complement.size), body);
    entry->size = (uint32_t)value->body.size;
    write_meta(entry, value, expiry_ms, revision);
}

static void
check_value(const struct value *value)
{
    CHECK(value->body.size <= UINT32_MAX && value->complement.size <= UINT32_MAX);
    CHECK(value->schema <= UINT16_MAX && value->version <= UINT16_MAX);
}

static struct entry *
entry_new(struct slice key, uint32_t flags, size_t value_size, uint32_t clock, bool zeroed)
{
    CHECK(key.size <= UINT32_MAX);
    if (key.size > SHORT_KEY_MAX)
        flags |= ENTRY_LONG_KEY;
    size_t size = key_offset(flags) + key.size + value_size;
    if (size < sizeof(struct dead))
        size = sizeof(struct dead);
    struct entry *entry = zeroed ? memory_alloc_zeroed(size) : memory_alloc(size);
    if (entry == NULL)
        return NULL;
    entry->size = 0;
    entry->word = flags | (clock & ENTRY_CLOCK_MASK) << CLOCK_SHIFT;
    uint32_t key_size = (uint32_t)key.size;
    if (flags & ENTRY_LONG_KEY)
        memcpy(at(entry, head_size(flags)), &key_size, sizeof(key_size));
    else
        *at(entry, head_size(flags)) = (char)key_size;
    copy(at(entry, key_offset(flags)), key);
    return entry;
}

struct entry *
entry_new_string(struct slice key, const struct value *value, int64_t expiry_ms,
                 uint32_t revision, uint32_t clock)
{
    check_value(value);
    uint32_t flags = flags_for(value, expiry_ms != KEYSPACE_EXPIRY_NONE);
    struct block *block = NULL;
    struct slice body = value->body;
    if (__builtin_expect(value->body.size >= BLOCK_SIZE_MIN, 0)) {
        flags |= ENTRY_HAS_EXPIRY | ENTRY_HAS_BLOCK;
        block = value->block != NULL ? block_ref(value->block) : block_copy(value->body);
        if (block == NULL)
            return NULL;
        CHECK(value->block == NULL || value->block->bytes == value->body.data);
        body = slice_make(&block, sizeof(block));
    }
    struct entry *entry =
        entry_new(key, flags, body.size + value->complement.size, clock, false);
    if (entry == NULL) {
        block_unref(block);
        return NULL;
    }
    write_value(entry, value, body, expiry_ms, revision);
    return entry;
}

struct entry *
entry_new_hash(struct slice key, struct hash *hash, const struct value *value,
               int64_t expiry_ms, uint32_t revision, uint32_t clock)
{
    check_value(value);
    uint32_t flags = flags_for(value, true) | ENTRY_IS_HASH;
    struct entry *entry = entry_new(key, flags, value->complement.size, clock, false);
    if (entry == NULL)
        return NULL;
    copy(at(entry, complement_offset(entry)), value->complement);
    write_meta(entry, value, expiry_ms, revision);
    entry->size = revision;
    *entry_hash(entry) = *hash;
    hash_init(hash);
    return entry;
}

static bool
lies_in(struct slice slice, const struct entry *entry, size_t size)
{
    uintptr_t start = (uintptr_t)entry;
    return (uintptr_t)slice.data < start + size && (uintptr_t)slice.data + slice.size > start;
}

bool
entry_overwrite(struct entry *entry, size_t held, const struct value *value, int64_t expiry_ms,
                uint32_t revision)
{
    check_value(value);
    uint32_t flags = flags_of(entry);
    bool has_expiry = (flags & ENTRY_HAS_EXPIRY) != 0;
    if (!has_expiry && expiry_ms != KEYSPACE_EXPIRY_NONE)
        return false;
    static const uint32_t free_flags = ENTRY_LONG_KEY | ENTRY_IS_PACKED;
    if (((flags ^ flags_for(value, has_expiry)) & ~free_flags) != 0 ||
        value->body.size >= BLOCK_SIZE_MIN)
        return false;
    size_t size = complement_offset(entry) + value->complement.size + value->body.size;
    if (size > held || held - size > 16 + held / 8)
        return false;
    /* Two pieces that may overlap their own old places cannot both be moved safely. */
    if (value->complement.size != 0 &&
        (lies_in(value->complement, entry, held) || lies_in(value->body, entry, held)))
        return false;
    write_value(entry, value, value->body, expiry_ms, revision);
    return true;
}

bool
entry_is_plain(const struct entry *entry)
{
    return (flags_of(entry) &
            (ENTRY_IS_HASH | ENTRY_HAS_SCHEMA | ENTRY_HAS_COMPLEMENT | ENTRY_IS_PACKED)) == 0;
}

bool
entry_is_packed(const struct entry *entry)
{
    return (flags_of(entry) & ENTRY_IS_PACKED) != 0;
}

char *
entry_body(struct entry *entry)
{
    struct block *block = entry_block(entry);
    return block != NULL ? block->bytes : at(entry, body_offset(entry));
}

/* ---- editing in place ---- */

static void
set_block(struct entry *entry, struct block *block)
{
    memcpy(at(entry, body_offset(entry)), &block, sizeof(block));
}

/* A plain string of <size> bytes in <block>, which it takes over; NULL (block too): no memory.
 */
static struct entry *
entry_new_block(struct slice key, struct block *block, size_t size, int64_t expiry_ms,
                uint32_t clock)
{
    const uint32_t flags = ENTRY_HAS_EXPIRY | ENTRY_HAS_BLOCK;
    struct entry *entry = NULL;
    if (block != NULL)
        entry = entry_new(key, flags, sizeof(block), clock, false);
    if (entry == NULL) {
        block_unref(block);
        return NULL;
    }
    entry->size = (uint32_t)size;
    set_block(entry, block);
    (void)entry_set_expiry(entry, expiry_ms);
    return entry;
}

struct entry *
entry_new_zeros(struct slice key, size_t size, uint32_t clock)
{
    CHECK(size <= UINT32_MAX);
    if (size >= BLOCK_SIZE_MIN)
        return entry_new_block(key, block_new_zeros(size), size, KEYSPACE_EXPIRY_NONE, clock);
    struct entry *entry = entry_new(key, 0, size, clock, true);
    if (entry != NULL)
        entry->size = (uint32_t)size;
    return entry;
}

static size_t
with_room(size_t size)
{
    return size + size / ROOM_SHARE + ROOM_MIN;
}

/* Is nearly all of it new? Zeros that come from the system need no writing. */
static bool
is_mostly_new(size_t size, size_t held)
{
    return size / ROOM_COPIED_BELOW > held;
}

/* The body of <entry> in a block of <size> bytes that nobody else holds; NULL: no memory. Zeros
 * from the old end to <zeros_to>. */
static struct block *
body_copied(struct entry *entry, size_t size, size_t zeros_to)
{
    bool is_new = is_mostly_new(size, entry->size);
    struct block *block = is_new               ? block_new_zeros(size)
                          : size > entry->size ? block_new(with_room(size))
                                               : block_new(size);
    if (block == NULL)
        return NULL;
    memcpy(block->bytes, entry_body(entry), entry->size);
    if (!is_new && zeros_to > entry->size)
        memset(block->bytes + entry->size, 0, zeros_to - entry->size);
    return block;
}

/* entry_open() to or of a body that has a block. */
static struct entry *
open_block(struct entry *entry, size_t size, size_t zeros_to, bool *ret_is_copy)
{
    struct block *block = entry_block(entry);
    size_t room = block_room(block);
    bool is_copy =
        block == NULL || block_is_shared(block) || (size > room && is_mostly_new(size, room));
    if (is_copy) {
        struct block *own = body_copied(entry, size, zeros_to);
        struct entry *opened = entry_new_block(entry_key(entry), own, size,
                                               entry_expiry_ms(entry), entry_clock(entry));
        if (opened == NULL)
            return NULL;
        *ret_is_copy = true;
        return opened;
    }
    if (size > room) {
        block = block_resize(block, with_room(size));
        if (block == NULL)
            return NULL;
        set_block(entry, block);
    }
    if (zeros_to > entry->size)
        memset(block->bytes + entry->size, 0, zeros_to - entry->size);
    entry->size = (uint32_t)size;
    *ret_is_copy = false;
    return entry;
}

struct entry *
entry_open(struct entry *entry, size_t held, size_t size, size_t zeros_to, bool *ret_is_copy)
{
    CHECK(entry_is_plain(entry) && size <= UINT32_MAX);
    size = size < entry->size ? entry->size : size;
    if (size >= BLOCK_SIZE_MIN)
        return open_block(entry, size, zeros_to, ret_is_copy);
    size_t offset = complement_offset(entry);
    size_t old_size = entry->size;
    struct entry *opened = entry;
    if (offset + size > held) {
        opened = memory_realloc(entry, offset + with_room(size));
        if (opened == NULL)
            return NULL;
    }
    if (zeros_to > old_size)
        memset(at(opened, offset + old_size), 0, zeros_to - old_size);
    opened->size = (uint32_t)size;
    *ret_is_copy = false;
    return opened;
}

/* ---- death ---- */

void
entry_list_push(struct entry_list *list, struct entry *entry)
{
    memcpy(at(entry, offsetof(struct dead, next)), &list->first, sizeof(list->first));
    list->first = entry;
}

struct entry *
entry_list_pop(struct entry_list *list)
{
    struct entry *entry = list->first;
    if (entry != NULL)
        memcpy(&list->first, at(entry, offsetof(struct dead, next)), sizeof(list->first));
    return entry;
}

bool
entry_is_large(const struct entry *entry)
{
    return entry_type(entry) == ENTRY_HASH && hash_size(entry_hash(entry)) > SMALL_FIELDS_MAX;
}

struct entry *
entry_compact(struct entry *entry)
{
    if (entry_type(entry) == ENTRY_HASH)
        hash_compact(entry_hash(entry), MOVED_FIELDS_MAX);
    struct entry *moved = memory_move(entry);
    return moved != NULL ? moved : entry;
}

bool
entry_free_some(struct entry *entry, size_t *budget)
{
    if (entry_type(entry) == ENTRY_HASH && hash_free_some(entry_hash(entry), budget))
        return true;
    *budget -= *budget > 0;
    if (flags_of(entry) & ENTRY_HAS_BLOCK)
        block_unref(entry_block(entry));
    memory_free(entry);
    return false;
}

void
entry_free(struct entry *entry)
{
    size_t budget = SIZE_MAX;
    if (entry != NULL)
        (void)entry_free_some(entry, &budget);
}
