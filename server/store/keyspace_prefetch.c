#include "server/store/keyspace_parts.h"

enum {
    LINE = 64,
    ENTRY_SIZE_MAX = 16 * LINE, /* what is longer is found out by the processor itself */
};

static void
prefetch_bucket(const struct partition *partition, const struct key *key)
{
    if (partition->table.bucket_count > 0) {
        __builtin_prefetch(
            table_home(&partition->table, table_home_index(&partition->table, key->hash)));
    }
}

/* Of an entry only its address is known as yet: as much as entries here usually take. */
static void
prefetch_entry(const struct partition *partition, const struct key *key)
{
    struct table_probe probe;
    void **slot = table_probe_first(&partition->table, key->hash, &probe);
    if (slot == NULL)
        return;
    size_t size = partition->typical_size;
    size = size < ENTRY_SIZE_MAX ? size : ENTRY_SIZE_MAX;
    const char *entry = *slot;
    for (size_t at = 0; at < size + LINE; at += LINE) /* it starts anywhere in its first line */
        __builtin_prefetch(entry + at);
}

void
keyspace_prefetch(struct keyspace *keyspace, const struct key *keys, size_t count)
{
    void (*const passes[])(const struct partition *partition,
                           const struct key *key) = {prefetch_bucket, prefetch_entry};
    for (size_t pass = 0; pass < sizeof(passes) / sizeof(*passes); pass++) {
        for (size_t i = 0; i < count; i++) {
            const struct key *key = &keys[i];
            struct partition *partition = keyspace_partition(keyspace, key->db, key->shard);
            struct lock *lock = &keyspace->shards[key->shard].lock;
            if (partition != NULL && lock_try(lock)) {
                passes[pass](partition, key);
                lock_give(lock);
            }
        }
    }
}
