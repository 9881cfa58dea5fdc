#include "server/cmd/gate.h"
#include "server/cmd/handlers.h"
#include "server/schema/backfill.h"
#include "server/schema/background.h"
#include "server/schema/quarantine.h"
#include "server/schema/registry.h"
#include "server/schema/sweep.h"
#include "server/schema/usage.h"

/* Lists are gathered first, as their length is announced before them. */
enum { PAIRS_MAX = 1024, FAILURES_MAX = USAGE_KINDS_MAX };

struct pair {
    unsigned from;
    unsigned to;
    uint64_t count;
};

struct gathered {
    struct arena *arena;
    struct pair *pairs;
    size_t pair_count;
    struct usage_failure *failures;
    size_t failure_count;
    size_t quarantined;
};

static void
reply_count(struct reply *reply, const char *name, uint64_t count)
{
    reply_string(reply, name);
    reply_integer(reply, (int64_t)count);
}

static void
reply_withdrawal(struct reply *reply, const struct registry_withdrawal *withdrawal)
{
    if (withdrawal == NULL) {
        reply_null(reply);
        return;
    }
    reply_map(reply, 4);
    reply_count(reply, "at_ms", (uint64_t)withdrawal->at_ms);
    reply_string(reply, "by");
    reply_bulk(reply, withdrawal->by);
    reply_string(reply, "forced");
    reply_boolean(reply, withdrawal->is_forced);
    reply_string(reply, "evidence");
    reply_bulk(reply, withdrawal->evidence);
}

/* Is the version retired, and may it be? */
static void
reply_gate(struct request *request, const struct registry_schema *schema, unsigned version)
{
    struct gate gate;
    struct buffer text;
    buffer_init(&text, 0);
    reply_string(request->reply, "retired");
    reply_withdrawal(request->reply, registry_withdrawal(schema, version));
    gate_look(request->server, schema, version, request->now_ms, &gate);
    gate_describe(&gate, &text);
    reply_string(request->reply, "gate");
    if (gate_is_open(&gate)) {
        reply_string(request->reply, "open");
    } else {
        reply_bulk(request->reply, buffer_slice(&text));
    }
    buffer_fini(&text);
}

static void
reply_version(struct request *request, const struct registry_schema *schema, unsigned version)
{
    struct reply *reply = request->reply;
    struct usage_sum sum;
    uint64_t records = 0;
    uint64_t complements = 0;
    usage_sum(schema->usage, version, &sum);
    if (version != 0) {
        keyspace_census(request->server->keyspace, schema->id, version, &records, &complements);
    }
    reply_map(reply, version == 0 ? 8 : 10);
    reply_string(reply, "version");
    if (version == 0) {
        reply_string(reply, "RAW");
    } else {
        reply_integer(reply, version);
    }
    reply_count(reply, "connections", sum.connections > 0 ? (uint64_t)sum.connections : 0);
    reply_count(reply, "reads", sum.reads);
    reply_count(reply, "writes", sum.writes);
    reply_count(reply, "records", records);
    reply_count(reply, "complements", complements);
    reply_count(reply, "last_read_ms", (uint64_t)sum.read_ms);
    reply_count(reply, "last_write_ms", (uint64_t)sum.write_ms);
    if (version != 0) {
        reply_gate(request, schema, version);
    }
}

static void
reply_versions(struct request *request, const struct registry_schema *schema)
{
    unsigned count = lens_schema_version_count(schema->lens);
    struct usage_sum raw;
    usage_sum(schema->usage, 0, &raw);
    bool has_raw = raw.connections > 0 || raw.read_ms != 0 || raw.write_ms != 0;
    reply_string(request->reply, "versions");
    reply_array(request->reply, count + has_raw);
    for (unsigned i = 1; i <= count; i++) {
        reply_version(request, schema, i);
    }
    if (has_raw) {
        reply_version(request, schema, 0);
    }
}

static void
on_pair(void *context, unsigned from, unsigned to, uint64_t count)
{
    struct gathered *gathered = context;
    if (gathered->pair_count < PAIRS_MAX) {
        gathered->pairs[gathered->pair_count++] =
            (struct pair){.from = from, .to = to, .count = count};
    }
}

/* The samples die with the mutex of the failures: copies. */
static void
on_failure(void *context, const struct usage_failure *failure)
{
    struct gathered *gathered = context;
    struct usage_failure *copy = &gathered->failures[gathered->failure_count];
    if (gathered->failure_count == FAILURES_MAX) {
        return;
    }
    *copy = *failure;
    copy->sample_count = 0;
    for (size_t i = 0; i < failure->sample_count; i++) {
        if (arena_copy(gathered->arena, failure->samples[i],
                       &copy->samples[copy->sample_count])) {
            copy->sample_count++;
        }
    }
    gathered->failure_count++;
}

static void
on_quarantined(void *context, const struct quarantine_record *record)
{
    (void)record;
    ((struct gathered *)context)->quarantined++;
}

static void
reply_pairs(struct reply *reply, const struct gathered *gathered)
{
    reply_string(reply, "translations");
    reply_array(reply, gathered->pair_count);
    for (size_t i = 0; i < gathered->pair_count; i++) {
        reply_map(reply, 3);
        reply_count(reply, "from", gathered->pairs[i].from);
        reply_count(reply, "to", gathered->pairs[i].to);
        reply_count(reply, "count", gathered->pairs[i].count);
    }
}

static void
reply_failures(struct reply *reply, const struct gathered *gathered)
{
    reply_string(reply, "failures");
    reply_array(reply, gathered->failure_count);
    for (size_t i = 0; i < gathered->failure_count; i++) {
        const struct usage_failure *failure = &gathered->failures[i];
        reply_map(reply, 6);
        reply_count(reply, "from", failure->from);
        reply_count(reply, "to", failure->to);
        reply_string(reply, "reason");
        reply_string(reply, lens_reason_name(failure->reason));
        reply_count(reply, "count", failure->count);
        reply_count(reply, "last_seen_ms", (uint64_t)failure->seen_ms);
        reply_string(reply, "keys");
        reply_array(reply, failure->sample_count);
        for (size_t k = 0; k < failure->sample_count; k++) {
            reply_bulk(reply, failure->samples[k]);
        }
    }
}

static void
reply_backfill(struct request *request, const struct registry_schema *schema)
{
    struct reply *reply = request->reply;
    struct backfill_report report;
    reply_string(reply, "backfill");
    if (!backfill_report(request->server->backfill, schema->id, &report)) {
        reply_null(reply);
        return;
    }
    reply_map(reply, 14);
    reply_string(reply, "state");
    reply_string(reply, backfill_state_name(report.state));
    reply_string(reply, "waits_for");
    reply_string(reply, report.waits_for);
    reply_string(reply, "to");
    if (report.version == 0) {
        reply_string(reply, "RAW");
    } else {
        reply_integer(reply, report.version);
    }
    reply_count(reply, "rate", report.rate);
    reply_count(reply, "seen", report.seen);
    reply_count(reply, "of", report.total);
    reply_count(reply, "rewritten", report.rewritten);
    reply_count(reply, "expiring", report.expiring);
    reply_count(reply, "failed", report.failed);
    reply_count(reply, "complements_dropped", report.complements_dropped);
    reply_count(reply, "since_ms", (uint64_t)report.since_ms);
    reply_count(reply, "end_ms", (uint64_t)report.end_ms);
    reply_string(reply, "left_ms");
    reply_integer(reply, report.left_ms);
    reply_count(reply, "share_permille", report.share_permille);
}

static void
reply_schema(struct request *request, const struct registry_schema *schema,
             struct gathered *gathered)
{
    struct reply *reply = request->reply;
    gathered->pair_count = 0;
    gathered->failure_count = 0;
    gathered->quarantined = 0;
    usage_pairs(schema->usage, on_pair, gathered);
    (void)usage_failures(schema->usage, on_failure, gathered);
    quarantine_each(request->server->quarantine, schema->id, NULL, SIZE_MAX, request->now_ms,
                    on_quarantined, gathered);
    reply_map(reply, 9);
    reply_string(reply, "schema");
    reply_bulk(reply, lens_schema_name(schema->lens));
    reply_count(reply, "id", schema->id);
    reply_count(reply, "base_version", schema->base_version);
    reply_count(reply, "default_version", lens_schema_default_version(schema->lens));
    reply_versions(request, schema);
    reply_pairs(reply, gathered);
    reply_failures(reply, gathered);
    reply_count(reply, "quarantined", gathered->quarantined);
    reply_backfill(request, schema);
}

static void
reply_quarantine(struct request *request)
{
    struct quarantine_stats stats;
    quarantine_stats(request->server->quarantine, &stats);
    reply_string(request->reply, "quarantine");
    reply_map(request->reply, 4);
    reply_count(request->reply, "records", stats.records);
    reply_count(request->reply, "bytes", stats.size);
    reply_count(request->reply, "bytes_max",
                (uint64_t)config_number(request->server->config, CONFIG_QUARANTINE_MAX_BYTES));
    reply_count(request->reply, "dropped", stats.dropped);
}

static void
reply_sweep(struct request *request)
{
    struct sweep_stats stats;
    sweep_stats(request->server->sweep, &stats);
    reply_string(request->reply, "sweep");
    reply_map(request->reply, 4);
    reply_count(request->reply, "running", stats.is_running);
    reply_count(request->reply, "tagged", stats.tagged);
    reply_count(request->reply, "complements_dropped", stats.complements_dropped);
    reply_count(request->reply, "complements_collected", stats.complements_collected);
}

/* Jobs in the background; the mutex of their list is held while they are copied. */
enum { JOBS_MAX = 64 };

struct job {
    const char *kind;
    struct slice schema;
    int64_t since_ms;
    uint64_t seen;
    uint64_t total;
    uint64_t failed;
};

struct jobs {
    struct arena *arena;
    size_t count;
    struct job items[JOBS_MAX];
};

static void
on_job(void *context, const struct background_job *job)
{
    struct jobs *jobs = context;
    if (jobs->count == JOBS_MAX) {
        return;
    }
    struct job *copy = &jobs->items[jobs->count];
    *copy = (struct job){
        .kind = job->kind,
        .since_ms = job->since_ms,
        .seen = atomic_load_explicit(&job->seen, memory_order_relaxed),
        .total = atomic_load_explicit(&job->total, memory_order_relaxed),
        .failed = atomic_load_explicit(&job->failed, memory_order_relaxed),
    };
    jobs->count += arena_copy(jobs->arena, job->schema, &copy->schema);
}

static void
reply_jobs(struct request *request)
{
    struct reply *reply = request->reply;
    struct jobs *jobs = arena_alloc(request->arena, sizeof(*jobs));
    reply_string(reply, "jobs");
    if (jobs == NULL) {
        reply_array(reply, 0);
        return;
    }
    jobs->arena = request->arena;
    jobs->count = 0;
    background_each(request->server->background, on_job, jobs);
    reply_array(reply, jobs->count);
    for (size_t i = 0; i < jobs->count; i++) {
        const struct job *job = &jobs->items[i];
        reply_map(reply, 6);
        reply_string(reply, "job");
        reply_string(reply, job->kind);
        reply_string(reply, "schema");
        reply_bulk(reply, job->schema);
        reply_count(reply, "since_ms", (uint64_t)job->since_ms);
        reply_count(reply, "records", job->seen);
        reply_count(reply, "of", job->total);
        reply_count(reply, "failed", job->failed);
    }
}

void
cmd_schema_status(struct request *request)
{
    struct gathered gathered = {.arena = request->arena};
    gathered.pairs = arena_calloc(request->arena, PAIRS_MAX, sizeof(*gathered.pairs));
    gathered.failures = arena_calloc(request->arena, FAILURES_MAX, sizeof(*gathered.failures));
    if (gathered.pairs == NULL || gathered.failures == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    const struct registry *registry = request->registry;
    if (request->argc > 2) {
        struct slice name = request->argv[2];
        const struct registry_schema *schema = registry_schema_by_name(registry, name);
        if (request->argc > 3) {
            reply_syntax_error(request->reply);
        } else if (schema == NULL) {
            reply_error(request->reply, "NOSCHEMA no schema is called %.*s", reply_width(name),
                        name.data);
        } else {
            reply_schema(request, schema, &gathered);
        }
        return;
    }
    size_t count = registry_schema_count(registry);
    reply_map(request->reply, 5);
    reply_count(request->reply, "epoch", registry_epoch(registry));
    reply_string(request->reply, "schemas");
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_schema(request, registry_schema_at(registry, i), &gathered);
    }
    reply_quarantine(request);
    reply_sweep(request);
    reply_jobs(request);
}
