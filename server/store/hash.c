/*
 * Packed: | field size : varint | field | value size : varint | value | ... in insertion order,
 * as in proto/codec/hash.h.
 * Table: server/store/table.h over one allocation per field.
 */
#include "server/store/hash_life.h"

#include "proto/base/check.h"
#include "proto/codec/hash.h"
#include "server/store/memory.h"
#include "server/store/table.h"

#include <stdatomic.h>

#include <xxhash.h>

struct field {
    uint32_t field_size;
    uint32_t value_size;
    char bytes[];
};

struct hash_table {
    struct table table;
    size_t fields_memory;
};

/* Whatever the limits say: sizes of runs are 32 bits wide. */
enum { RUN_SIZE_MAX = 1 << 24 };

static _Atomic uint32_t packed_count_max = 128;
static _Atomic uint32_t packed_size_max = 64;
static _Atomic uint64_t table_seed;

void
hash_set_limits(uint32_t count_max, uint32_t size_max)
{
    atomic_store_explicit(&packed_count_max, count_max, memory_order_relaxed);
    atomic_store_explicit(&packed_size_max, size_max, memory_order_relaxed);
}

void
hash_seed(uint64_t seed)
{
    atomic_store_explicit(&table_seed, seed, memory_order_relaxed);
}

void
hash_init(struct hash *hash)
{
    *hash = (struct hash){.charged = 0};
}

bool
hash_is_packed(const struct hash *hash)
{
    return hash->run_size != HASH_RUN_NONE;
}

size_t
hash_size(const struct hash *hash)
{
    return hash_is_packed(hash) ? hash->run_count : table_count(&hash->of.table->table);
}

size_t
hash_memory(const struct hash *hash)
{
    if (hash_is_packed(hash))
        return memory_size(hash->of.run);
    const struct hash_table *table = hash->of.table;
    return memory_size(table) + table->fields_memory + table->table.memory;
}

/* The packed form. */

static size_t
varint_size(uint32_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static unsigned char *
varint_put(unsigned char *to, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (unsigned char)(value | 0x80);
    *to++ = (unsigned char)value;
    return to;
}

static struct slice
piece_get(const unsigned char *run, size_t *offset)
{
    uint32_t size = 0;
    unsigned shift = 0;
    unsigned char byte;
    do {
        byte = run[(*offset)++];
        size |= (uint32_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    struct slice piece = slice_make(run + *offset, size);
    *offset += size;
    return piece;
}

static unsigned char *
piece_put(unsigned char *to, struct slice piece)
{
    to = varint_put(to, (uint32_t)piece.size);
    if (piece.size != 0)
        memcpy(to, piece.data, piece.size);
    return to + piece.size;
}

static size_t
piece_size(struct slice piece)
{
    return varint_size((uint32_t)piece.size) + piece.size;
}

/* Where a field and its value lie in a run. */
struct place {
    size_t start;
    size_t value_start;
    size_t end;
    struct slice value;
};

static bool
packed_find(const struct hash *hash, struct slice field, struct place *ret_place)
{
    size_t offset = 0;
    while (offset < hash->run_size) {
        size_t start = offset;
        struct slice name = piece_get(hash->of.run, &offset);
        size_t value_start = offset;
        struct slice value = piece_get(hash->of.run, &offset);
        if (slice_equal(name, field)) {
            *ret_place = (struct place){start, value_start, offset, value};
            return true;
        }
    }
    return false;
}

/*
 * Replace the bytes start .. end of the run by the piece(s) given: field and value, or only the
 * value when <field> is NULL. Built anew: either may lie in the old run.
 */
static bool
packed_splice(struct hash *hash, size_t start, size_t end, const struct slice *field,
              const struct slice *value)
{
    size_t insert = piece_size(*value) + (field != NULL ? piece_size(*field) : 0);
    size_t size = hash->run_size - (end - start) + insert;
    unsigned char *run = memory_alloc(size);
    if (run == NULL)
        return false;
    if (start > 0)
        memcpy(run, hash->of.run, start);
    unsigned char *to = run + start;
    if (field != NULL)
        to = piece_put(to, *field);
    to = piece_put(to, *value);
    if (end < hash->run_size)
        memcpy(to, hash->of.run + end, hash->run_size - end);
    memory_free(hash->of.run);
    hash->of.run = run;
    hash->run_size = (uint32_t)size;
    return true;
}

static enum hash_set
packed_update(struct hash *hash, const struct place *place, struct slice value)
{
    if (value.size == place->value.size) {
        if (value.size != 0)
            memmove(hash->of.run + place->end - value.size, value.data, value.size);
        return HASH_UPDATED;
    }
    return packed_splice(hash, place->value_start, place->end, NULL, &value) ? HASH_UPDATED
                                                                             : HASH_NO_MEMORY;
}

static enum hash_set
packed_append(struct hash *hash, struct slice field, struct slice value)
{
    size_t held = memory_size(hash->of.run);
    /* In place, bytes from the used part of the run are copied behind it. */
    if (held - hash->run_size < piece_size(field) + piece_size(value)) {
        if (!packed_splice(hash, hash->run_size, hash->run_size, &field, &value))
            return HASH_NO_MEMORY;
    } else {
        unsigned char *to = piece_put(hash->of.run + hash->run_size, field);
        to = piece_put(to, value);
        hash->run_size = (uint32_t)(to - hash->of.run);
    }
    hash->run_count++;
    return HASH_ADDED;
}

static bool
packed_delete(struct hash *hash, struct slice field)
{
    struct place place;
    if (!packed_find(hash, field, &place))
        return false;
    memmove(hash->of.run + place.start, hash->of.run + place.end, hash->run_size - place.end);
    hash->run_size -= (uint32_t)(place.end - place.start);
    hash->run_count--;
    if (hash->run_count == 0) {
        memory_free(hash->of.run);
        hash->of.run = NULL;
    } else if (memory_size(hash->of.run) > 32 + (size_t)hash->run_size * 2) {
        unsigned char *run = memory_realloc(hash->of.run, hash->run_size);
        if (run != NULL)
            hash->of.run = run;
    }
    return true;
}

/* The table form. */

static struct slice
field_name(const struct field *field)
{
    return slice_make(field->bytes, field->field_size);
}

static struct slice
field_value(const struct field *field)
{
    return slice_make(field->bytes + field->field_size, field->value_size);
}

static uint64_t
name_hash(struct slice name, uint64_t seed)
{
    return XXH3_64bits_withSeed(name.data, name.size, seed);
}

static uint64_t
item_hash(const void *item, uint64_t seed)
{
    return name_hash(field_name(item), seed);
}

static void **
table_find(const struct hash_table *table, struct slice name, uint64_t hash)
{
    struct table_probe probe;
    void **slot = table_probe_first(&table->table, hash, &probe);
    while (slot != NULL && !slice_equal(field_name(*slot), name))
        slot = table_probe_next(&probe);
    return slot;
}

static void
field_free(void *context, void *item)
{
    struct hash_table *table = context;
    table->fields_memory -= memory_size(item);
    memory_free(item);
}

static struct field *
field_new(struct hash_table *table, struct slice name, struct slice value)
{
    CHECK(name.size <= UINT32_MAX && value.size <= UINT32_MAX);
    struct field *field = memory_alloc(sizeof(*field) + name.size + value.size);
    if (field == NULL)
        return NULL;
    field->field_size = (uint32_t)name.size;
    field->value_size = (uint32_t)value.size;
    if (name.size != 0)
        memcpy(field->bytes, name.data, name.size);
    if (value.size != 0)
        memcpy(field->bytes + name.size, value.data, value.size);
    table->fields_memory += memory_size(field);
    return field;
}

static enum hash_set
table_set(struct hash_table *table, struct slice name, struct slice value)
{
    uint64_t hash = name_hash(name, table->table.seed);
    void **slot = table_find(table, name, hash);
    if (slot != NULL) {
        struct field *field = *slot;
        size_t held = memory_size(field);
        size_t size = sizeof(*field) + name.size + value.size;
        if (size <= held && held - size <= 16 + held / 8) {
            if (value.size != 0)
                memmove(field->bytes + name.size, value.data, value.size);
            field->value_size = (uint32_t)value.size;
            return HASH_UPDATED;
        }
    }
    struct field *field = field_new(table, name, value);
    if (field == NULL)
        return HASH_NO_MEMORY;
    if (slot != NULL) {
        field_free(table, *slot);
        *slot = field;
        return HASH_UPDATED;
    }
    if (!table_insert(&table->table, hash, field)) {
        field_free(table, field);
        return HASH_NO_MEMORY;
    }
    table_adjust(&table->table);
    return HASH_ADDED;
}

static struct hash_table *
hash_table_new(void)
{
    struct hash_table *table = memory_alloc(sizeof(*table));
    if (table != NULL) {
        table_init(&table->table, item_hash,
                   atomic_load_explicit(&table_seed, memory_order_relaxed));
        table->fields_memory = 0;
    }
    return table;
}

static bool
hash_table_free_some(struct hash_table *table, size_t *budget)
{
    if (table_free_some(&table->table, budget, field_free, table))
        return true;
    table_fini(&table->table);
    CHECK(table->fields_memory == 0);
    memory_free(table);
    return false;
}

/* A table of all fields of <hash>, and of one more where <field> is not NULL. */
static struct hash_table *
table_of(const struct hash *hash, const struct slice *field, const struct slice *value)
{
    struct hash_table *table = hash_table_new();
    if (table == NULL)
        return NULL;
    size_t position = 0;
    struct slice name;
    struct slice content;
    bool fits = true;
    while (fits && hash_next(hash, &position, &name, &content))
        fits = table_set(table, name, content) != HASH_NO_MEMORY;
    if (fits && field != NULL)
        fits = table_set(table, *field, *value) != HASH_NO_MEMORY;
    if (!fits) {
        size_t budget = SIZE_MAX;
        (void)hash_table_free_some(table, &budget);
        return NULL;
    }
    return table;
}

/* Either form. */

bool
hash_get(const struct hash *hash, struct slice field, struct slice *ret_value)
{
    if (hash_is_packed(hash)) {
        struct place place;
        if (!packed_find(hash, field, &place))
            return false;
        *ret_value = place.value;
        return true;
    }
    const struct hash_table *table = hash->of.table;
    void **slot = table_find(table, field, name_hash(field, table->table.seed));
    if (slot == NULL)
        return false;
    *ret_value = field_value(*slot);
    return true;
}

enum hash_set
hash_set(struct hash *hash, struct slice field, struct slice value)
{
    if (!hash_is_packed(hash))
        return table_set(hash->of.table, field, value);

    struct place place;
    bool found = packed_find(hash, field, &place);
    size_t size_max = atomic_load_explicit(&packed_size_max, memory_order_relaxed);
    size_max = size_max < RUN_SIZE_MAX ? size_max : RUN_SIZE_MAX;
    size_t count_max = atomic_load_explicit(&packed_count_max, memory_order_relaxed);
    if (field.size <= size_max && value.size <= size_max && hash->run_size < RUN_SIZE_MAX) {
        if (found)
            return packed_update(hash, &place, value);
        if (hash->run_count < count_max)
            return packed_append(hash, field, value);
    }
    struct hash_table *table = table_of(hash, &field, &value);
    if (table == NULL)
        return HASH_NO_MEMORY;
    memory_free(hash->of.run);
    hash->of.table = table;
    hash->run_size = HASH_RUN_NONE;
    hash->run_count = 0;
    return found ? HASH_UPDATED : HASH_ADDED;
}

bool
hash_delete(struct hash *hash, struct slice field)
{
    if (hash_is_packed(hash))
        return packed_delete(hash, field);
    struct hash_table *table = hash->of.table;
    uint64_t number = name_hash(field, table->table.seed);
    void **slot = table_find(table, field, number);
    if (slot == NULL)
        return false;
    void *item = *slot;
    table_remove(&table->table, number, slot);
    field_free(table, item);
    table_adjust(&table->table);
    return true;
}

bool
hash_next(const struct hash *hash, size_t *position, struct slice *ret_field,
          struct slice *ret_value)
{
    if (hash_is_packed(hash)) {
        if (*position >= hash->run_size)
            return false;
        *ret_field = piece_get(hash->of.run, position);
        *ret_value = piece_get(hash->of.run, position);
        return true;
    }
    void **slot = table_next(&hash->of.table->table, position);
    if (slot == NULL)
        return false;
    *ret_field = field_name(*slot);
    *ret_value = field_value(*slot);
    return true;
}

struct scan {
    hash_on_field *on_field;
    void *context;
    size_t seen;
};

static void
scan_slot(void *context, void **slot)
{
    struct scan *scan = context;
    scan->seen++;
    scan->on_field(scan->context, field_name(*slot), field_value(*slot));
}

uint64_t
hash_scan(const struct hash *hash, uint64_t cursor, size_t count, hash_on_field *on_field,
          void *context)
{
    if (hash_is_packed(hash)) {
        size_t position = 0;
        struct slice field;
        struct slice value;
        while (hash_next(hash, &position, &field, &value))
            on_field(context, field, value);
        return 0;
    }
    struct scan scan = {on_field, context, 0};
    size_t buckets = 0;
    do {
        cursor = table_scan(&hash->of.table->table, cursor, scan_slot, &scan);
    } while (cursor != 0 && scan.seen < count && ++buckets / 10 < count);
    return cursor;
}

void
hash_random(const struct hash *hash, uint64_t random, struct slice *ret_field,
            struct slice *ret_value)
{
    CHECK(hash_size(hash) > 0);
    if (hash_is_packed(hash)) {
        size_t position = 0;
        for (uint64_t skip = random % hash->run_count + 1; skip > 0; skip--)
            CHECK(hash_next(hash, &position, ret_field, ret_value));
        return;
    }
    void **slot = table_random(&hash->of.table->table, &random);
    CHECK(slot != NULL);
    *ret_field = field_name(*slot);
    *ret_value = field_value(*slot);
}

bool
hash_copy(const struct hash *source, struct hash *ret_copy)
{
    struct hash result = {.run_size = source->run_size, .run_count = source->run_count};
    if (!hash_is_packed(source)) {
        result.of.table = table_of(source, NULL, NULL);
        if (result.of.table == NULL)
            return false;
    } else if (source->run_size != 0) {
        result.of.run = memory_alloc(source->run_size);
        if (result.of.run == NULL)
            return false;
        memcpy(result.of.run, source->of.run, source->run_size);
    }
    *ret_copy = result;
    return true;
}

struct slice
hash_run(const struct hash *hash)
{
    CHECK(hash_is_packed(hash));
    return slice_make(hash->of.run, hash->run_size);
}

size_t
hash_body_size(const struct hash *hash)
{
    size_t position = 0;
    size_t size = 0;
    struct slice field;
    struct slice value;
    while (hash_next(hash, &position, &field, &value))
        size += piece_size(field) + piece_size(value);
    return size;
}

void
hash_body_write(const struct hash *hash, char *out)
{
    size_t position = 0;
    struct slice field;
    struct slice value;
    while (hash_next(hash, &position, &field, &value))
        out = hash_piece_put(hash_piece_put(out, field), value);
}

bool
hash_read(struct slice body, struct hash *ret_hash)
{
    struct hash hash;
    struct slice field;
    struct slice value;
    hash_init(&hash);
    while (hash_take(&body, &field, &value)) {
        if (hash_set(&hash, field, value) == HASH_NO_MEMORY) {
            size_t budget = SIZE_MAX;
            (void)hash_free_some(&hash, &budget);
            return false;
        }
    }
    *ret_hash = hash;
    return true;
}

void
hash_compact(struct hash *hash, size_t fields_max)
{
    if (hash_is_packed(hash)) {
        void *run = hash->of.run != NULL ? memory_move(hash->of.run) : NULL;
        if (run != NULL)
            hash->of.run = run;
        return;
    }
    if (hash_size(hash) > fields_max)
        return;
    size_t position = 0;
    void **slot;
    while ((slot = table_next(&hash->of.table->table, &position)) != NULL) {
        void *field = memory_move(*slot);
        if (field != NULL)
            *slot = field;
    }
}

bool
hash_free_some(struct hash *hash, size_t *budget)
{
    if (!hash_is_packed(hash)) {
        if (hash_table_free_some(hash->of.table, budget))
            return true;
    } else {
        memory_free(hash->of.run);
    }
    hash_init(hash);
    return false;
}
