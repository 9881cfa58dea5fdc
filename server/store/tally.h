/*
 * tally - how many packed bodies use each dictionary, and their sizes.
 *
 * A row per number of a dictionary, in chunks that stay where they are.
 *
 * Thread:   changes under the shard's lock; read by any.
 */
#ifndef SERVER_STORE_TALLY_H
#define SERVER_STORE_TALLY_H

#include "server/store/counter.h"

#include <stdbool.h>
#include <stddef.h>

enum { TALLY_CHUNKS = 16, TALLY_CHUNK_ROWS = 16 }; /* 256 dictionaries */

struct tally_row {
    struct counter entries;
    struct counter raw_size;
    struct counter packed_size;
};

struct tally {
    _Atomic(struct tally_row *) chunks[TALLY_CHUNKS]; /* [owned] made when they are needed */
    size_t memory;
};

struct tally_sum {
    uint64_t entries;
    uint64_t raw_size;
    uint64_t packed_size;
};

void tally_fini(struct tally *tally);

/* Make room for <dictionary>, so that tally_add() cannot fail; false without memory. */
bool tally_reserve(struct tally *tally, unsigned dictionary);

/* Count one body in (1) or out (-1). */
void tally_add(struct tally *tally, unsigned dictionary, int sign, size_t raw_size,
               size_t packed_size);

/* Add what there is of <dictionary>. */
void tally_sum(const struct tally *tally, unsigned dictionary, struct tally_sum *sum);
void tally_clear(struct tally *tally); /* all counts 0 */

#endif
