#include "server/cmd/backfill_host.h"

#include "server/core/log.h"
#include "server/core/ticks.h"
#include "server/schema/backfill.h"
#include "server/schema/registry.h"

#include <stdlib.h>

struct turn {
    struct server *server;
    uint64_t start; /* ticks */
};

static void
on_all_turned(void *context)
{
    struct turn *turn = context;
    backfill_note_turn(turn->server->backfill, ticks_to_us(ticks_now() - turn->start));
    free(turn);
}

/* What a message to every worker takes until the last one has run it. */
static void
measure_turn(void *context)
{
    struct server *server = context;
    struct turn *turn = malloc(sizeof(*turn));
    if (turn != NULL && !atomic_load(&server->is_stopping)) {
        *turn = (struct turn){.server = server, .start = ticks_now()};
        server->wake_workers(server, on_all_turned, turn);
    } else {
        free(turn);
    }
}

static bool
is_short_of_memory(void *context)
{
    struct server *server = context;
    uint64_t limit = atomic_load_explicit(&server->memory_limit, memory_order_relaxed);
    return limit != 0 && keyspace_memory(server->keyspace) > limit;
}

struct epoch {
    struct server *server;
    const struct registry *old;
};

static void
on_all_passed(void *context)
{
    struct epoch *epoch = context;
    registry_retire(epoch->server->registries, epoch->old);
    free(epoch);
}

/* A change that cannot be saved is only logged: after a restart the pass is made once more. */
static void
end(void *context, uint32_t id, unsigned version)
{
    struct server *server = context;
    struct backfill_report report = {0};
    struct buffer error;
    struct epoch *epoch = malloc(sizeof(*epoch));
    buffer_init(&error, 0);
    (void)backfill_report(server->backfill, id, &report);
    log_line(LOG_LEVEL_NOTICE,
             "Backfill of schema %u to %s%u is done: %llu records rewritten, %llu failed, "
             "%llu left to expire",
             id, version == 0 ? "RAW " : "", version, (unsigned long long)report.rewritten,
             (unsigned long long)report.failed, (unsigned long long)report.expiring);
    if (epoch == NULL) {
        buffer_fini(&error);
        return;
    }
    *epoch = (struct epoch){.server = server};
    if (!registry_end_backfill(server->registries, id, version, &epoch->old, &error)) {
        log_line(LOG_LEVEL_WARNING, "The end of a backfill was not saved: %.*s",
                 (int)error.size, error.data);
    }
    if (epoch->old != NULL) {
        server->wake_workers(server, on_all_passed, epoch);
    } else {
        free(epoch);
    }
    buffer_fini(&error);
}

bool
backfill_host_open(struct server *server)
{
    const struct backfill_host host = {
        .context = server,
        .measure_turn = measure_turn,
        .is_short_of_memory = is_short_of_memory,
        .end = end,
    };
    server->backfill = backfill_new(server->registries, server->keyspace,
                                    (uint32_t)config_number(server->config, CONFIG_DATABASES),
                                    server->sweep, &host);
    return server->backfill != NULL;
}

void
backfill_host_begin(struct server *server)
{
    backfill_begin(server->backfill, server->background);
}

void
backfill_host_close(struct server *server)
{
    backfill_free(server->backfill);
}
