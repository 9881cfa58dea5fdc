#include "server/store/partition.h"

#include "proto/base/check.h"
#include "server/store/dictionaries.h"
#include "server/store/hash_life.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { TYPICAL_SHARE_LOG2 = 4 }; /* a new entry's share in the average is a sixteenth */

uint64_t
partition_hash(struct slice name, uint64_t seed)
{
    return XXH3_64bits_withSeed(name.data, name.size, seed);
}

static uint64_t
item_hash(const void *item, uint64_t seed)
{
    return partition_hash(entry_key(item), seed);
}

void
partition_charge(struct partition *partition)
{
    charge_tell(partition->charge, &partition->charged, counter_get(&partition->memory_size));
}

static void
update_memory(struct partition *partition)
{
    uint64_t size = counter_get(&partition->entries_size) + partition->table.memory +
                    census_memory(&partition->census) + partition->tally.memory +
                    memory_size(partition->spare);
    counter_set(&partition->memory_size, size);
    if (charge_is_due(partition->charge, partition->charged, size))
        partition_charge(partition);
}

void
partition_init(struct partition *partition, uint64_t seed, struct charge *charge)
{
    *partition = (struct partition){.charge = charge};
    table_init(&partition->table, item_hash, seed);
}

void
partition_fini(struct partition *partition)
{
    size_t size = 0;
    struct detached *detached = partition_detach(partition, &size);
    if (detached != NULL) {
        size_t budget = SIZE_MAX;
        CHECK(!detached_free_some(detached, &budget, NULL, &size));
    }
    memory_free(partition->spare);
    census_fini(&partition->census);
    tally_fini(&partition->tally);
}

void **
partition_find(const struct partition *partition, const struct key *key)
{
    struct table_probe probe;
    void **slot = table_probe_first(&partition->table, key->hash, &probe);
    while (slot != NULL && !entry_has_key(*slot, key->name))
        slot = table_probe_next(&probe);
    return slot;
}

void **
partition_find_hash(const struct partition *partition, uint64_t hash)
{
    struct table_probe probe;
    void **slot = table_probe_first(&partition->table, hash, &probe);
    while (slot != NULL && item_hash(*slot, partition->table.seed) != hash)
        slot = table_probe_next(&probe);
    return slot;
}

bool
partition_reserve(struct partition *partition, const struct value *value)
{
    if (value->schema == 0 && !value->is_packed)
        return true;
    bool reserved =
        (value->schema == 0 ||
         census_reserve(&partition->census, value->schema, value->version)) &&
        (!value->is_packed || tally_reserve(&partition->tally, packed_dictionary(value->body)));
    update_memory(partition);
    return reserved;
}

static const struct entry_share no_share = {.expiry_ms = KEYSPACE_EXPIRY_NONE};

static void
count_expiry(struct partition *partition, int64_t expiry_ms, int sign)
{
    if (expiry_ms == KEYSPACE_EXPIRY_NONE)
        return;
    counter_add(&partition->expiring, (uint64_t)(int64_t)sign);
    counter_add(&partition->expiry_sum,
                (uint64_t)(sign * (expiry_ms >> PARTITION_EXPIRY_SHIFT)));
}

static void
count_record(struct partition *partition, const struct entry_share *share, int sign)
{
    if (share->schema != 0)
        census_add(&partition->census, share->schema, share->version, sign,
                   share->has_complement ? sign : 0);
}

static void
count_packed(struct partition *partition, const struct entry_share *share, int sign)
{
    if (share->dictionary != 0)
        tally_add(&partition->tally, share->dictionary, sign, share->raw_size,
                  share->packed_size);
}

/* One share of the sums in place of another. */
static void
count(struct partition *partition, const struct entry_share *before,
      const struct entry_share *after)
{
    if (after->expiry_ms != before->expiry_ms) {
        count_expiry(partition, before->expiry_ms, -1);
        count_expiry(partition, after->expiry_ms, 1);
    }
    if (after->schema != before->schema || after->version != before->version ||
        after->has_complement != before->has_complement) {
        count_record(partition, before, -1);
        count_record(partition, after, 1);
    }
    if (__builtin_expect((before->dictionary | after->dictionary) != 0, 0)) {
        count_packed(partition, before, -1);
        count_packed(partition, after, 1);
    }
    if (after->size != before->size) {
        if (after->own_size != 0) /* the shift is of a difference of either sign */
            partition->typical_size +=
                (size_t)(((int64_t)after->own_size - (int64_t)partition->typical_size) >>
                         TYPICAL_SHARE_LOG2);
        counter_add(&partition->entries_size, after->size - before->size);
        update_memory(partition);
    }
}

void
partition_recount(struct partition *partition, uint64_t hash, const struct entry_share *before,
                  struct entry *entry)
{
    if (entry_type(entry) == ENTRY_HASH)
        entry_hash(entry)->charged = hash_memory(entry_hash(entry));
    struct entry_share after;
    entry_share(entry, &after);
    count(partition, before, &after);
    if (after.expiry_ms != KEYSPACE_EXPIRY_NONE)
        table_due_note(&partition->table, hash, after.expiry_ms);
}

bool
partition_put(struct partition *partition, const struct key *key, void **slot,
              struct entry *entry)
{
    if (slot != NULL) {
        struct entry_share before;
        entry_share(*slot, &before);
        *slot = entry;
        partition_recount(partition, key->hash, &before, entry);
        return true;
    }
    if (partition->spare == NULL) {
        partition->spare = memory_alloc(sizeof(*partition->spare));
        if (partition->spare == NULL)
            return false;
    }
    bool inserted = table_insert(&partition->table, key->hash, entry);
    if (inserted) {
        partition_recount(partition, key->hash, &no_share, entry);
        table_adjust(&partition->table);
    }
    update_memory(partition);
    return inserted;
}

struct entry *
partition_take(struct partition *partition, uint64_t hash, void **slot)
{
    struct entry *entry = *slot;
    struct entry_share share;
    entry_share(entry, &share);
    table_remove(&partition->table, hash, slot);
    count(partition, &share, &no_share); /* and what the table holds now */
    return entry;
}

void
partition_adjust(struct partition *partition)
{
    table_adjust(&partition->table);
    update_memory(partition);
}

struct detached *
partition_detach(struct partition *partition, size_t *ret_size)
{
    struct detached *detached = partition->spare;
    if (detached == NULL)
        return NULL;
    *detached = (struct detached){.next = NULL, .table = partition->table};
    *ret_size +=
        counter_get(&partition->entries_size) + partition->table.memory + memory_size(detached);
    table_init(&partition->table, partition->table.hash, partition->table.seed);
    partition->spare = NULL;
    counter_set(&partition->expiring, 0);
    counter_set(&partition->expiry_sum, 0);
    counter_set(&partition->entries_size, 0);
    census_clear(&partition->census);
    tally_clear(&partition->tally);
    update_memory(partition);
    return detached;
}

struct freeing {
    struct entry_list *large;
    size_t size;
};

static void
free_item(void *context, void *item)
{
    struct freeing *freeing = context;
    if (freeing->large != NULL && entry_is_large(item)) {
        entry_list_push(freeing->large, item);
        return;
    }
    freeing->size += entry_memory(item);
    entry_free(item);
}

bool
detached_free_some(struct detached *detached, size_t *budget, struct entry_list *large,
                   size_t *ret_size)
{
    struct freeing freeing = {large, 0};
    size_t held = detached->table.memory;
    bool more = table_free_some(&detached->table, budget, free_item, &freeing);
    *ret_size += freeing.size + held - detached->table.memory;
    if (more)
        return true;
    *ret_size += memory_size(detached);
    table_fini(&detached->table);
    memory_free(detached);
    return false;
}
