#include "server/server.h"

#include "proto/base/check.h"
#include "server/cmd/backfill_host.h"
#include "server/cmd/collector.h"
#include "server/cmd/compression.h"
#include "server/cmd/directory.h"
#include "server/cmd/eviction.h"
#include "server/cmd/slowlog.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/ticks.h"
#include "server/core/version.h"
#include "server/net/net.h"
#include "server/schema/background.h"
#include "server/schema/mapping.h"
#include "server/schema/memo.h"
#include "server/schema/presets.h"
#include "server/schema/quarantine.h"
#include "server/schema/registry.h"
#include "server/schema/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SERVER_SHARDS_LOG2 = 8, SERVER_DESCRIPTORS_RESERVED = 64 };

static void
random_bytes(void *ret_bytes, size_t size)
{
    CHECK(getrandom(ret_bytes, size, 0) == (ssize_t)size);
}

static unsigned
thread_count(const struct config *config)
{
    int64_t count = config_number(config, CONFIG_THREADS);
    if (count == 0) {
        count = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return count < 1 ? 1 : (unsigned)count;
}

/* As many descriptors as maxclients needs, or fewer clients. */
static void
raise_descriptor_limit(struct config *config)
{
    struct rlimit limit;
    rlim_t need =
        (rlim_t)config_number(config, CONFIG_MAXCLIENTS) + SERVER_DESCRIPTORS_RESERVED;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < need ? limit.rlim_max : need;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < need) {
        log_line(LOG_LEVEL_WARNING,
                 "The limit of %llu open files allows fewer clients than maxclients %llu",
                 (unsigned long long)limit.rlim_cur,
                 (unsigned long long)(need - SERVER_DESCRIPTORS_RESERVED));
    }
}

static void
set_identity(struct server *server)
{
    unsigned char bytes[20];
    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        (void)snprintf(server->run_id + i * 2, 3, "%02x", bytes[i]);
    }
    server->start_ms = clock_wall_ms();
}

static bool
open_directory(struct server *server, struct buffer *ret_error)
{
    struct buffer path;
    buffer_init(&path, 0);
    config_string(server->config, CONFIG_DIR, &path);
    buffer_append_char(&path, '\0');
    bool is_there = chdir(path.data) == 0;
    if (!is_there) {
        buffer_printf(ret_error, "dir %s: %s", path.data, strerror(errno));
    }
    buffer_fini(&path);
    return is_there;
}

static bool
open_parts(struct server *server, struct buffer *ret_error)
{
    if (!open_directory(server, ret_error)) {
        return false;
    }
    server->mapping = mapping_new(server->config, ret_error);
    server->registries = server->mapping == NULL ? NULL : registry_open(".", ret_error);
    if (server->registries == NULL ||
        !presets_put(server->config, server->registries, ret_error)) {
        return false;
    }
    struct keyspace_options options = {
        .database_count = (uint32_t)config_number(server->config, CONFIG_DATABASES),
        .shard_count_log2 = SERVER_SHARDS_LOG2,
        .now_ms = server->start_ms,
    };
    options.hash_seed = (uint64_t)config_number(server->config, CONFIG_HASH_SEED);
    if (options.hash_seed == 0) {
        random_bytes(&options.hash_seed, sizeof(options.hash_seed));
    }
    server->keyspace = keyspace_new(&options);
    server->quarantine = quarantine_new();
    server->counters =
        aligned_alloc(64, (server->worker_count + 1) * sizeof(*server->counters));
    server->command_uses =
        calloc((server->worker_count + 1) * command_count(), sizeof(*server->command_uses));
    server->directories = calloc(server->worker_count, sizeof(*server->directories));
    server->memos = calloc(server->worker_count, sizeof(*server->memos));
    server->slowlog = slowlog_new(server->config);
    server->sweep = sweep_new(server->registries, server->keyspace, options.database_count);
    server->background = background_new();
    CHECK(server->background != NULL);
    CHECK(server->keyspace != NULL && server->quarantine != NULL && server->sweep != NULL &&
          server->memos != NULL && server->slowlog != NULL && server->counters != NULL &&
          server->command_uses != NULL && server->directories != NULL);
    server->compression = compression_new(server);
    CHECK(server->compression != NULL);
    CHECK(eviction_open(server));
    CHECK(backfill_host_open(server));
    server->collector = collector_new(server);
    CHECK(server->collector != NULL);
    keyspace_set_remove_hook(server->keyspace, quarantine_gate(server->quarantine),
                             quarantine_on_remove, server->quarantine);
    memset(server->counters, 0, (server->worker_count + 1) * sizeof(*server->counters));
    for (unsigned i = 0; i < server->worker_count; i++) {
        server->directories[i] = directory_new();
        server->memos[i] = memo_new(&server->memo_bytes);
        CHECK(server->directories[i] != NULL && server->memos[i] != NULL);
    }
    return true;
}

static void
close_parts(struct server *server)
{
    for (unsigned i = 0; server->directories != NULL && i < server->worker_count; i++) {
        directory_free(server->directories[i]);
    }
    for (unsigned i = 0; server->memos != NULL && i < server->worker_count; i++) {
        memo_free(server->memos[i]);
    }
    compression_free(server->compression);
    eviction_close(server);
    free(server->memos);
    free(server->directories);
    free(server->command_uses);
    free(server->counters);
    slowlog_free(server->slowlog);
    backfill_host_close(server);
    collector_free(server->collector);
    background_free(server->background);
    sweep_free(server->sweep);
    keyspace_free(server->keyspace);
    quarantine_free(server->quarantine);
    registry_close(server->registries);
    mapping_free(server->mapping);
}

bool
server_run(struct config *config, struct buffer *ret_error)
{
    struct server server = {.config = config, .worker_count = thread_count(config)};
    ticks_init();
    set_identity(&server);
    raise_descriptor_limit(config);
    bool is_open = open_parts(&server, ret_error);
    struct net *net = is_open ? net_open(&server, ret_error) : NULL;
    if (net != NULL) {
        log_line(LOG_LEVEL_NOTICE, "Segue %s, %u worker threads, pid %ld", SEGUE_VERSION,
                 server.worker_count, (long)getpid());
        log_line(LOG_LEVEL_NOTICE, "Ready to accept connections on port %lld",
                 (long long)config_number(config, CONFIG_PORT));
        backfill_host_begin(&server);
        collector_begin(server.collector);
        net_run(net);
        background_stop(server.background); /* its jobs answer through net */
        net_free(net);
        log_line(LOG_LEVEL_NOTICE, "Stopped in order, bye");
    }
    close_parts(&server);
    return net != NULL;
}
