/*
 * census - how many records of each (schema, version) there are, and with a complement.
 *
 * A small open-addressed map, one per partition. A pair without records keeps its row until
 * the map would have to grow: schemas come and go, and their numbers are never used again.
 *
 * Thread:   under the shard's lock.
 */
#ifndef SERVER_STORE_CENSUS_H
#define SERVER_STORE_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct census_row {
    uint32_t pair; /* schema << 16 | version; 0: free, as there is no schema 0 */
    uint32_t complements;
    uint64_t records;
};

struct census {
    struct census_row *rows; /* [owned] */
    uint32_t capacity;       /* 0 or a power of two */
    uint32_t used;
};

void census_fini(struct census *census);

/* Make room for the pair, so that census_add cannot fail; false without memory. Pairs reserved
 * before that have no record yet may lose their room. */
bool census_reserve(struct census *census, uint32_t schema, uint32_t version);

/* Add <records> and <complements> (each -1, 0 or 1) to a reserved pair. */
void census_add(struct census *census, uint32_t schema, uint32_t version, int records,
                int complements);

/* NULL: none. Borrowed until the next census_reserve. */
const struct census_row *census_get(const struct census *census, uint32_t schema,
                                    uint32_t version);
void census_clear(struct census *census); /* all counts 0 */
size_t census_memory(const struct census *census);

#endif
