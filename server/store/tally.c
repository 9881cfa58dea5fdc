#include "server/store/tally.h"

#include "proto/base/check.h"
#include "server/store/memory.h"

#include <string.h>

static struct tally_row *
chunk_of(const struct tally *tally, unsigned dictionary)
{
    return atomic_load_explicit(&tally->chunks[dictionary / TALLY_CHUNK_ROWS],
                                memory_order_acquire);
}

void
tally_fini(struct tally *tally)
{
    for (unsigned i = 0; i < TALLY_CHUNKS; i++)
        memory_free(atomic_load(&tally->chunks[i]));
}

bool
tally_reserve(struct tally *tally, unsigned dictionary)
{
    CHECK(dictionary < TALLY_CHUNKS * TALLY_CHUNK_ROWS);
    if (chunk_of(tally, dictionary) != NULL)
        return true;
    struct tally_row *rows = memory_alloc(TALLY_CHUNK_ROWS * sizeof(*rows));
    if (rows == NULL)
        return false;
    memset(rows, 0, TALLY_CHUNK_ROWS * sizeof(*rows));
    tally->memory += memory_size(rows);
    atomic_store_explicit(&tally->chunks[dictionary / TALLY_CHUNK_ROWS], rows,
                          memory_order_release);
    return true;
}

void
tally_add(struct tally *tally, unsigned dictionary, int sign, size_t raw_size,
          size_t packed_size)
{
    struct tally_row *rows = chunk_of(tally, dictionary);
    CHECK(rows != NULL);
    struct tally_row *row = &rows[dictionary % TALLY_CHUNK_ROWS];
    counter_add(&row->entries, (uint64_t)(int64_t)sign);
    counter_add(&row->raw_size, sign > 0 ? raw_size : -(uint64_t)raw_size);
    counter_add(&row->packed_size, sign > 0 ? packed_size : -(uint64_t)packed_size);
}

void
tally_sum(const struct tally *tally, unsigned dictionary, struct tally_sum *sum)
{
    const struct tally_row *rows = chunk_of(tally, dictionary);
    if (rows != NULL) {
        const struct tally_row *row = &rows[dictionary % TALLY_CHUNK_ROWS];
        sum->entries += counter_get(&row->entries);
        sum->raw_size += counter_get(&row->raw_size);
        sum->packed_size += counter_get(&row->packed_size);
    }
}

void
tally_clear(struct tally *tally)
{
    for (unsigned i = 0; i < TALLY_CHUNKS; i++) {
        struct tally_row *rows = atomic_load(&tally->chunks[i]);
        for (unsigned k = 0; rows != NULL && k < TALLY_CHUNK_ROWS; k++) {
            counter_set(&rows[k].entries, 0);
            counter_set(&rows[k].raw_size, 0);
            counter_set(&rows[k].packed_size, 0);
        }
    }
}
