/*
 * entry - one key with its value, in one allocation.
 *
 *   | body size or revision : 4 | flags : 1, clock : 3 | expiry : 8 ? |
 *   string: | schema : 2, version : 2, revision : 4 ? | complement size : 4 ? |
 *   hash:   | struct hash | schema ... as of a string
 *   | key size : 1 or 4 | key | complement | body, or a pointer to its block |
 *
 * What is marked ? is there only where needed; the flags say so, and the place of the key
 * follows from them. An expiry, once there, stays (as KEYSPACE_EXPIRY_NONE) until the entry is
 * replaced. A hash always has one, because it cannot move while others hold its struct hash,
 * and so has a string with a block: dead entries are linked there.
 *
 * A body of BLOCK_SIZE_MIN bytes or more lies in a block of its own, which others may hold,
 * too: it is never changed while they do.
 *
 * Revision: a number from the shard's counter, 32 bits, for hashes and for strings with a
 * schema. A plain string stores none: its revision is a hash of its bytes, so a value that was
 * changed and changed back counts as unchanged, which is what those who compare want to know.
 *
 * Thread:   under the lock of the key's shard.
 * Invariants: an allocation has room for a link at offset 8 once the entry is dead.
 */
#ifndef SERVER_STORE_ENTRY_H
#define SERVER_STORE_ENTRY_H

#include "server/store/keyspace.h"

enum {
    ENTRY_IS_HASH = 1,
    ENTRY_HAS_EXPIRY = 2,
    ENTRY_HAS_SCHEMA = 4,
    ENTRY_HAS_COMPLEMENT = 8,
    ENTRY_LONG_KEY = 16,
    ENTRY_HAS_BLOCK = 32,
    ENTRY_IS_PACKED = 64, /* the body: server/store/dictionaries.h; never together */
};

enum { ENTRY_CLOCK_MASK = 0xffffff }; /* seconds, modulo 194 days */

struct entry {
    uint32_t size; /* of the body; a hash's revision */
    uint32_t word; /* flags, and the access clock from bit 8 on */
};

/* Where the key's size lies, by the flags below ENTRY_LONG_KEY. */
extern const uint8_t entry_heads[16];

/* entry_key() for the lookup's inner loop. */
static inline bool
entry_has_key(const struct entry *entry, struct slice key)
{
    const char *size_at = (const char *)entry + entry_heads[entry->word & 15];
    if (__builtin_expect((entry->word & ENTRY_LONG_KEY) == 0, 1))
        return (unsigned char)*size_at == key.size &&
               (key.size == 0 || memcmp(size_at + 1, key.data, key.size) == 0);
    return slice_equal(entry_key(entry), key);
}

/* The access clock, in seconds; what is set may be wider and is cut. */
uint32_t entry_clock(const struct entry *entry);
void entry_touch(struct entry *entry, uint32_t clock);

/* NULL without memory. The bytes are copied, but for those of value->block, which is held. */
struct entry *entry_new_string(struct slice key, const struct value *value, int64_t expiry_ms,
                               uint32_t revision, uint32_t clock);

/* A hash entry that takes over *hash, which is left empty. Of <value> schema, version and
 * complement count. */
struct entry *entry_new_hash(struct slice key, struct hash *hash, const struct value *value,
                             int64_t expiry_ms, uint32_t revision, uint32_t clock);

/*
 * Write another value into the string <entry>, an allocation of <held> bytes, where it is:
 * false, unchanged, when it does not fit or would waste much of the allocation, and always
 * where the old or the new body has a block. The bytes may lie in the entry.
 */
bool entry_overwrite(struct entry *entry, size_t held, const struct value *value,
                     int64_t expiry_ms, uint32_t revision);

/*
 * Editing in place. A plain string (no schema, no complement, not packed) may be opened: NULL,
 * nothing changed, without memory. Else the entry that takes its place, with a body that nobody
 * else holds, of <size> bytes if it was shorter; those from the old end to <zeros_to> are zeros
 * and the rest undefined. <entry> is gone unless *ret_is_copy, where it is the caller's to
 * free. Some room is added for the next time.
 */
struct entry *entry_new_zeros(struct slice key, size_t size, uint32_t clock);
struct entry *entry_open(struct entry *entry, size_t held, size_t size, size_t zeros_to,
                         bool *ret_is_copy);
char *entry_body(struct entry *entry);

/* Set the expiry where the entry has room for one; false: it has none. */
bool entry_set_expiry(struct entry *entry, int64_t expiry_ms);

/* Parts of entry_value() alone. */
uint32_t entry_schema(const struct entry *entry);
uint32_t entry_version(const struct entry *entry);

/* What an entry adds to the sums over a partition; all zero (expiry NONE) for no entry. */
struct entry_share {
    int64_t expiry_ms;
    size_t size;     /* as entry_memory(), but of a hash what it was charged for */
    size_t own_size; /* without what hangs off the entry */
    uint32_t schema;
    uint32_t version;
    bool has_complement;
    uint8_t dictionary; /* 0: not packed, and the sizes mean nothing */
    uint32_t raw_size;
    uint32_t packed_size;
};
void entry_share(const struct entry *entry, struct entry_share *ret_share);

void entry_set_revision(struct entry *entry, uint32_t revision); /* where it stores one */

/* Dead entries in a list, newest first. */
struct entry_list {
    struct entry *first;
};
void entry_list_push(struct entry_list *list, struct entry *entry);
struct entry *entry_list_pop(struct entry_list *list); /* NULL: empty */

/* More is freed with it than should be in one go: a hash of many fields. */
bool entry_is_large(const struct entry *entry);

/* Move a live entry and what it owns, byte by byte, to where memory is denser: what takes its
 * place, or itself. A hash of many fields keeps those where they are. */
struct entry *entry_compact(struct entry *entry);

/* Free a dead entry. Of a hash at most *budget fields, which are taken off it: true while more
 * remains. */
bool entry_free_some(struct entry *entry, size_t *budget);
void entry_free(struct entry *entry); /* all of it; takes NULL */

#endif
