#include "server/store/shard.h"

#include "proto/base/check.h"

void
shard_init(struct shard *shard)
{
    *shard = (struct shard){.revision = 0};
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP) == 0);
    CHECK(pthread_mutex_init(&shard->lock, &attributes) == 0);
    CHECK(pthread_mutexattr_destroy(&attributes) == 0);
}

void
shard_fini(struct shard *shard)
{
    CHECK(shard->garbage.first == NULL);
    watch_table_fini(&shard->watches);
    CHECK(pthread_mutex_destroy(&shard->lock) == 0);
}

void
shard_lock(struct shard *shard)
{
    CHECK(pthread_mutex_lock(&shard->lock) == 0);
}

bool
shard_try_lock(struct shard *shard)
{
    return pthread_mutex_trylock(&shard->lock) == 0;
}

struct entry_list
shard_unlock(struct shard *shard)
{
    struct entry_list garbage = shard->garbage;
    shard->garbage.first = NULL;
    CHECK(pthread_mutex_unlock(&shard->lock) == 0);
    return garbage;
}
