#include "server/store/shard.h"

#include "proto/base/check.h"

void
shard_init(struct shard *shard)
{
    *shard = (struct shard){.revision = 0};
}

void
shard_fini(struct shard *shard)
{
    CHECK(shard->garbage.first == NULL);
    watch_table_fini(&shard->watches);
}
