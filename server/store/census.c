#include "server/store/census.h"

#include "proto/base/check.h"
#include "server/store/memory.h"

enum { ROWS_MIN = 4 };

static uint32_t
pair_of(uint32_t schema, uint32_t version)
{
    return schema << 16 | version;
}

/* The row of <pair>, or the free one where it would go. */
static struct census_row *
row_of(struct census_row *rows, uint32_t capacity, uint32_t pair)
{
    uint32_t index = (pair * 0x9e3779b1u) >> 7;
    while (rows[index &= capacity - 1].pair != pair && rows[index].pair != 0)
        index++;
    return &rows[index];
}

void
census_fini(struct census *census)
{
    memory_free(census->rows);
    *census = (struct census){NULL, 0, 0};
}

static bool
is_live(const struct census_row *row)
{
    return row->records != 0 || row->complements != 0;
}

/* Room for the live rows and one more, half of it free so that the next time is far off. */
static bool
rebuild(struct census *census)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < census->capacity; i++)
        live += is_live(&census->rows[i]);
    uint32_t capacity = ROWS_MIN;
    while (capacity < 2 * (live + 1))
        capacity *= 2;
    struct census_row *rows = memory_alloc(capacity * sizeof(*rows));
    if (rows == NULL)
        return false;
    for (uint32_t i = 0; i < capacity; i++)
        rows[i] = (struct census_row){0, 0, 0};
    for (uint32_t i = 0; i < census->capacity; i++) {
        if (is_live(&census->rows[i]))
            *row_of(rows, capacity, census->rows[i].pair) = census->rows[i];
    }
    memory_free(census->rows);
    *census = (struct census){rows, capacity, live};
    return true;
}

bool
census_reserve(struct census *census, uint32_t schema, uint32_t version)
{
    uint32_t pair = pair_of(schema, version);
    if (census->capacity != 0 && row_of(census->rows, census->capacity, pair)->pair == pair)
        return true;
    if (census->used >= census->capacity / 4 * 3 && !rebuild(census))
        return false;
    row_of(census->rows, census->capacity, pair)->pair = pair;
    census->used++;
    return true;
}

void
census_add(struct census *census, uint32_t schema, uint32_t version, int records,
           int complements)
{
    CHECK(census->capacity != 0);
    struct census_row *row = row_of(census->rows, census->capacity, pair_of(schema, version));
    CHECK(row->pair != 0);
    row->records += (uint64_t)(int64_t)records;
    row->complements += (uint32_t)complements;
}

const struct census_row *
census_get(const struct census *census, uint32_t schema, uint32_t version)
{
    if (census->capacity == 0 || schema == 0)
        return NULL;
    const struct census_row *row =
        row_of(census->rows, census->capacity, pair_of(schema, version));
    return row->pair != 0 ? row : NULL;
}

void
census_clear(struct census *census)
{
    for (uint32_t i = 0; i < census->capacity; i++) {
        census->rows[i].records = 0;
        census->rows[i].complements = 0;
    }
}

size_t
census_memory(const struct census *census)
{
    return memory_size(census->rows);
}
