#include "server/cmd/collector.h"

#include "server/cmd/schema_change.h"
#include "server/schema/background.h"
#include "server/schema/sweep.h"

#include <stdlib.h>

enum { LOOK_US = 1000000 };

struct collector {
    struct background_job job; /* first */
    struct server *server;
    uint64_t epoch; /* that was looked at last */
    int64_t due_ms; /* the next retention to end; INT64_MAX: none */
};

/* The first retention that ends after <after_ms>, or INT64_MAX; *ret_is_due: some has ended. */
static int64_t
next_due(const struct registry *registry, int64_t after_ms, bool *ret_is_due)
{
    int64_t next_ms = INT64_MAX;
    *ret_is_due = false;
    for (size_t i = 0; i < registry_schema_count(registry); i++) {
        const struct registry_schema *schema = registry_schema_at(registry, i);
        for (size_t k = 0; k < schema->rollout.withdrawal_count; k++) {
            int64_t due_ms = sweep_due_ms(schema, &schema->rollout.withdrawals[k]);
            *ret_is_due |= due_ms <= after_ms;
            next_ms = due_ms > after_ms && due_ms < next_ms ? due_ms : next_ms;
        }
    }
    return next_ms;
}

/* Also after every change: a backfill that has ended may have left what is to be collected. */
static int64_t
step(struct background_job *job, int64_t now_ms)
{
    struct collector *collector = (struct collector *)job;
    struct server *server = collector->server;
    uint64_t epoch = registry_holder_epoch(server->registries);
    if (epoch == collector->epoch && now_ms < collector->due_ms) {
        return LOOK_US;
    }
    struct registry *registry = registry_copy(server->registries);
    bool is_due = false;
    if (registry != NULL) {
        collector->epoch = registry_epoch(registry);
        collector->due_ms = next_due(registry, now_ms, &is_due);
        registry_copy_free(registry);
    }
    if (is_due && !atomic_load(&server->is_stopping)) {
        schema_change_sweep(server);
    }
    return LOOK_US;
}

static void
on_end(struct background_job *job, bool is_stopped)
{
    (void)job;
    (void)is_stopped;
}

struct collector *
collector_new(struct server *server)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    if (collector != NULL) {
        collector->job = (struct background_job){.step = step, .on_end = on_end};
        collector->server = server;
        collector->due_ms = INT64_MAX;
    }
    return collector;
}

void
collector_begin(struct collector *collector)
{
    background_add(collector->server->background, &collector->job);
}

void
collector_free(struct collector *collector)
{
    free(collector);
}
