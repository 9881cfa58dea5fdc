/* SCHEMA TRY json [COUNT n]: a dry run in the background; the connection waits for the report.
 */
#include "server/cmd/directory.h"
#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"
#include "server/schema/background.h"
#include "server/schema/trial.h"

#include <stdlib.h>

enum {
    COUNT_DEFAULT = 10000,
    TRIALS_MAX = 4,                /* at once */
    PAUSE_US = 3 * TRIAL_SLICE_US, /* between slices: a quarter of one core at most */
    LOOK_MS = 100,                 /* after that, look whether anybody still waits */
};

struct run {
    struct background_job job;
    struct schema_change *change;
    struct trial *trial;
    uint64_t count_max;
    int64_t looked_ms;
    int64_t end_ms;
    bool is_gone;
};

/* ---- the report ---- */

static void
reply_count(struct reply *reply, const char *name, uint64_t count)
{
    reply_string(reply, name);
    reply_integer(reply, (int64_t)count);
}

static void
reply_pair(struct reply *reply, const struct trial_pair *pair)
{
    reply_map(reply, 10);
    reply_count(reply, "from", pair->from);
    reply_count(reply, "to", pair->to);
    reply_count(reply, "count", pair->count);
    reply_count(reply, "failed", pair->failed);
    reply_count(reply, "p50_ns", pair->p50_ns);
    reply_count(reply, "p99_ns", pair->p99_ns);
    reply_count(reply, "body_bytes_before", pair->body_before);
    reply_count(reply, "body_bytes_after", pair->body_after);
    reply_count(reply, "complement_bytes_before", pair->complement_before);
    reply_count(reply, "complement_bytes_after", pair->complement_after);
}

static void
reply_loser(struct reply *reply, const struct trial_loser *loser)
{
    reply_map(reply, 7);
    reply_count(reply, "from", loser->from);
    reply_count(reply, "to", loser->to);
    reply_string(reply, "what");
    reply_string(reply, loser->what);
    reply_count(reply, "count", loser->count);
    reply_string(reply, "path");
    reply_string(reply, loser->first.path);
    reply_string(reply, "text");
    reply_string(reply, loser->first.text);
    reply_string(reply, "keys");
    reply_array(reply, loser->sample_count);
    for (size_t i = 0; i < loser->sample_count; i++) {
        reply_bulk(reply, loser->samples[i]);
    }
}

static void
reply_trial(struct reply *reply, const struct run *run)
{
    struct trial_sums sums;
    trial_sums(run->trial, &sums);
    reply_map(reply, 7);
    reply_string(reply, "schema");
    reply_bulk(reply, run->job.schema);
    reply_count(reply, "records", sums.tried);
    reply_count(reply, "clean", sums.clean);
    reply_count(reply, "lost", sums.tried - sums.clean);
    reply_count(
        reply, "duration_ms",
        (uint64_t)(run->end_ms > run->job.since_ms ? run->end_ms - run->job.since_ms : 0));
    reply_string(reply, "translations");
    reply_array(reply, sums.pair_count);
    for (size_t i = 0; i < sums.pair_count; i++) {
        struct trial_pair pair;
        trial_pair(run->trial, i, &pair);
        reply_pair(reply, &pair);
    }
    reply_string(reply, "losers");
    reply_array(reply, sums.loser_count);
    for (size_t i = 0; i < sums.loser_count; i++) {
        reply_loser(reply, trial_loser(run->trial, i));
    }
}

/* ---- the run ---- */

static int64_t
step(struct background_job *job, int64_t now_ms)
{
    struct run *run = (struct run *)job;
    const struct parked *parked = &run->change->parked;
    struct trial_sums sums;
    run->end_ms = now_ms;
    if (atomic_load(&parked->server->is_stopping)) {
        run->is_gone = true;
        return BACKGROUND_END;
    }
    if (now_ms - run->looked_ms > LOOK_MS || now_ms < run->looked_ms) {
        run->looked_ms = now_ms;
        run->is_gone = !directory_is_connected(
            parked->server->directories[parked->worker_index], parked->session_id);
    }
    bool has_more = !run->is_gone && trial_step(run->trial, now_ms);
    trial_sums(run->trial, &sums);
    atomic_store_explicit(&job->seen, sums.tried, memory_order_relaxed);
    atomic_store_explicit(&job->failed, sums.tried - sums.clean, memory_order_relaxed);
    return has_more ? PAUSE_US : BACKGROUND_END;
}

static void
on_end(struct background_job *job, bool is_stopped)
{
    struct run *run = (struct run *)job;
    struct schema_change *change = run->change;
    struct reply reply = {.out = &change->answer, .resp = change->parked.resp};
    if (is_stopped || run->is_gone) {
        change->succeeded = false;
        buffer_append_string(&change->error, "ERR the dry run was given up");
    } else {
        reply_trial(&reply, run);
    }
    trial_free(run->trial);
    free(run);
    schema_change_finish(change);
}

static uint64_t
record_count(const struct server *server)
{
    uint64_t count = 0;
    int64_t databases = config_number(server->config, CONFIG_DATABASES);
    for (uint32_t db = 0; db < (uint32_t)databases; db++) {
        count += keyspace_size(server->keyspace, db);
    }
    return count;
}

/* On a pool thread: what would be published, and a run over what there is. */
static bool
apply_try(struct schema_change *change)
{
    struct run *run = change->context;
    const struct registry_schema *schema = NULL;
    struct server *server = change->server;
    struct registry *preview =
        registry_preview(server->registries, change->argv[2], &schema, &change->error);
    if (preview == NULL) {
        free(run);
        return false;
    }
    run->trial =
        trial_new(server->keyspace, (uint32_t)config_number(server->config, CONFIG_DATABASES),
                  preview, schema, run->count_max);
    if (run->trial == NULL) {
        registry_copy_free(preview);
        free(run);
        return false;
    }
    uint64_t count = record_count(server);
    run->job.schema = lens_schema_name(schema->lens);
    atomic_init(&run->job.total, count < run->count_max ? count : run->count_max);
    return true;
}

static void
proceed_try(struct schema_change *change)
{
    struct run *run = change->context;
    background_add(change->server->background, &run->job);
}

static void
count_trial(void *context, const struct background_job *job)
{
    *(size_t *)context += job->step == step;
}

/* [COUNT n]; false when an error was replied. */
static bool
parse_count(struct request *request, uint64_t *ret_count)
{
    *ret_count = COUNT_DEFAULT;
    if (request->argc == 3) {
        return true;
    }
    if (request->argc != 5 || !slice_equal_nocase(request->argv[3], SLICE_OF("COUNT"))) {
        reply_syntax_error(request->reply);
        return false;
    }
    if (!slice_to_uint64(request->argv[4], ret_count) || *ret_count == 0) {
        reply_not_integer(request->reply);
        return false;
    }
    return true;
}

void
cmd_schema_try(struct request *request)
{
    uint64_t count_max;
    size_t trials = 0;
    if (!parse_count(request, &count_max)) {
        return;
    }
    background_each(request->server->background, count_trial, &trials);
    if (trials >= TRIALS_MAX) {
        reply_error(request->reply, "ERR %d dry runs are under way already", TRIALS_MAX);
        return;
    }
    struct run *run = calloc(1, sizeof(*run));
    struct schema_change *change = run == NULL ? NULL : schema_change_new(request);
    if (change == NULL) {
        free(run);
        if (run == NULL) {
            reply_out_of_memory(request->reply);
        }
        return;
    }
    *run = (struct run){
        .job = {.step = step, .on_end = on_end, .kind = "try", .since_ms = request->now_ms},
        .change = change,
        .count_max = count_max};
    change->context = run;
    change->apply = apply_try;
    change->proceed = proceed_try;
    schema_change_start(request, change);
}
