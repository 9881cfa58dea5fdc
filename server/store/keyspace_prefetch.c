#include "server/store/keyspace_parts.h"

enum { CACHE_LINE = 64 };

static void
prefetch_entry(const struct partition *partition, const struct key *key)
{
    struct table_probe probe;
    void **slot = table_probe_first(&partition->table, key->hash, &probe);
    if (slot != NULL) {
        __builtin_prefetch(*slot);
        __builtin_prefetch((const char *)*slot + CACHE_LINE);
    }
}

static void
prefetch_bucket(const struct partition *partition, const struct key *key)
{
    if (partition->table.bucket_count > 0) {
        __builtin_prefetch(
            table_home(&partition->table, table_home_index(&partition->table, key->hash)));
    }
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
            pthread_mutex_t *lock = &keyspace->shards[key->shard].lock;
            if (partition != NULL && pthread_mutex_trylock(lock) == 0) {
                passes[pass](partition, key);
                (void)pthread_mutex_unlock(lock);
            }
        }
    }
}
