/*
 * partition - the keys of one database in one shard: their table and the sums over them.
 *
 * Thread:   under the shard's lock; counters are read by any.
 * Invariants: the sums are those over the entries of the table; an entry is counted in while,
 *             and only while, it is in the table.
 */
#ifndef SERVER_STORE_PARTITION_H
#define SERVER_STORE_PARTITION_H

#include "server/store/census.h"
#include "server/store/charge.h"
#include "server/store/counter.h"
#include "server/store/entry.h"
#include "server/store/memory.h"
#include "server/store/table.h"
#include "server/store/tally.h"

#include <stdalign.h>

/* A table put aside, to be freed in slices. */
struct detached {
    struct detached *next;
    struct table table;
};

struct partition {
    alignas(MEMORY_LINE) struct table table;
    struct counter expiring;     /* entries with an expiry */
    struct counter expiry_sum;   /* of their expiries, each >> PARTITION_EXPIRY_SHIFT */
    struct counter entries_size; /* bytes of entries, hashes included */
    struct counter memory_size;  /* of everything here */
    struct charge *charge;       /* [const] where it is summed up */
    uint64_t charged;            /* what the sum was told */
    size_t typical_size;         /* of an entry written lately, about: a moving average */
    struct census census;
    struct tally tally;
    struct detached *spare; /* [owned] so that a flush needs no memory */
};

enum { PARTITION_EXPIRY_SHIFT = 4 };

uint64_t partition_hash(struct slice name, uint64_t seed); /* of a key */

void partition_init(struct partition *partition, uint64_t seed, struct charge *charge);
void partition_fini(struct partition *partition); /* frees the entries, too */

/* The slot of <key>; NULL: absent. Expiry is not looked at. */
void **partition_find(const struct partition *partition, const struct key *key);

/* Likewise of a key of which only the hash is known. */
void **partition_find_hash(const struct partition *partition, uint64_t hash);

/* Room for <value> in the census and the tally; a plain one needs none. */
bool partition_reserve(struct partition *partition, const struct value *value);

/* Put <entry> under <key>: into <slot>, where it replaces (counts out) what is there, which
 * stays the caller's, or as a new item where <slot> is NULL. False, nothing changed, without
 * memory, which a slot given does not need. */
bool partition_put(struct partition *partition, const struct key *key, void **slot,
                   struct entry *entry);

/* Take the entry out; the table keeps its size: partition_adjust() when the slots are done
 * with. */
struct entry *partition_take(struct partition *partition, uint64_t hash, void **slot);
void partition_adjust(struct partition *partition);

/* Tell the sum at once. */
void partition_charge(struct partition *partition);

/* After a change in place of the entry that added <before> to the sums. */
void partition_recount(struct partition *partition, uint64_t hash,
                       const struct entry_share *before, struct entry *entry);

/* Detach all entries; NULL when there never were any. What they, the table and the struct hold
 * is added to *ret_size. */
struct detached *partition_detach(struct partition *partition, size_t *ret_size);

/*
 * Free about *budget entries; true while more remains. Entries that are large to free are put
 * into <large> instead (NULL: freed, too). What was freed is added to *ret_size.
 */
bool detached_free_some(struct detached *detached, size_t *budget, struct entry_list *large,
                        size_t *ret_size);

#endif
