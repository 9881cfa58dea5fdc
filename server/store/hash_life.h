/*
 * hash_life - what only the keyspace does with a hash: its layout, birth, copy and death.
 *
 * struct hash is part of its entry; what it owns hangs off it, so it may be moved bytewise.
 */
#ifndef SERVER_STORE_HASH_LIFE_H
#define SERVER_STORE_HASH_LIFE_H

#include "server/store/hash.h"

#define HASH_RUN_NONE UINT32_MAX /* run_size of a hash in table form */

struct hash {
    union {
        unsigned char *run;       /* [owned] packed form; NULL while empty */
        struct hash_table *table; /* [owned] */
    } of;
    uint32_t run_size;  /* bytes used, or HASH_RUN_NONE */
    uint32_t run_count; /* fields in the run */
    size_t charged;     /* [keyspace] hash_memory() when it was last added to the sums */
};

void hash_init(struct hash *hash);

/* A copy of all of <source>; false without memory, *ret_copy untouched. O(fields). */
bool hash_copy(const struct hash *source, struct hash *ret_copy);

/* A hash of the fields in <body> (proto/codec/hash.h), up to where that is none; likewise. */
bool hash_read(struct slice body, struct hash *ret_hash);

/* Move what the hash owns, of up to <fields_max> fields, where memory_move() sees a use in it.
 */
void hash_compact(struct hash *hash, size_t fields_max);

/* Free at most *budget fields, which are taken off it; true while more remains. */
bool hash_free_some(struct hash *hash, size_t *budget);

/* The secret of the hash tables that large hashes become: called before any exists. */
void hash_seed(uint64_t seed);

#endif
