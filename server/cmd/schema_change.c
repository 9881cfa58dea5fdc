#include "server/cmd/schema_change.h"

#include "server/core/clock.h"
#include "server/schema/sweep.h"

#include <stdlib.h>

enum { ERROR_SIZE_MAX = 4096 };

struct schema_change *
schema_change_new(struct request *request)
{
    size_t size = request->argc * sizeof(struct slice);
    for (size_t i = 0; i < request->argc; i++) {
        size += request->argv[i].size;
    }
    struct schema_change *change = calloc(1, sizeof(*change) + size);
    struct slice *argv = calloc(request->argc, sizeof(*argv));
    if (change == NULL || argv == NULL) {
        free(change);
        free(argv);
        reply_out_of_memory(request->reply);
        return NULL;
    }
    char *end = change->bytes;
    for (size_t i = 0; i < request->argc; i++) {
        struct slice argument = request->argv[i];
        argv[i] = slice_make(end, argument.size);
        if (argument.size > 0) {
            memcpy(end, argument.data, argument.size);
        }
        end += argument.size;
    }
    change->server = request->server;
    change->argc = request->argc;
    change->argv = argv;
    buffer_init(&change->error, 0);
    buffer_init(&change->answer, 0);
    return change;
}

/* ---- the sweep, part by part: each is a job of its own ---- */

struct sweep_job {
    struct server *server;
    bool has_more;
};

static void
on_sweep(void *context)
{
    struct sweep_job *job = context;
    job->has_more = sweep_step(job->server->sweep, clock_wall_ms());
}

static void
after_sweep(void *context)
{
    struct sweep_job *job = context;
    if (job->has_more && !atomic_load(&job->server->is_stopping)) {
        job->server->run_blocking(job->server, on_sweep, after_sweep, job);
    } else {
        free(job);
    }
}

void
schema_change_sweep(struct server *server)
{
    struct sweep_job *job = malloc(sizeof(*job));
    if (job == NULL || !sweep_request(server->sweep)) {
        free(job); /* the one under way will see it */
        return;
    }
    job->server = server;
    server->run_blocking(server, on_sweep, after_sweep, job);
}

/* ---- changes ---- */

void
schema_change_finish(struct schema_change *change)
{
    struct buffer out;
    buffer_init(&out, 0);
    struct reply reply = {.out = &out, .resp = change->parked.resp};
    if (change->answer.failed) {
        reply_out_of_memory(&reply);
    } else if (change->succeeded && change->answer.size > 0) {
        buffer_append_slice(&out, buffer_slice(&change->answer));
    } else if (change->succeeded) {
        reply_ok(&reply);
    } else if (change->error.size == 0) {
        reply_out_of_memory(&reply);
    } else {
        size_t size = change->error.size < ERROR_SIZE_MAX ? change->error.size : ERROR_SIZE_MAX;
        reply_error(&reply, "%.*s", (int)size, change->error.data);
    }
    request_resume(&change->parked, buffer_slice(&out));
    buffer_fini(&out);
    buffer_fini(&change->error);
    buffer_fini(&change->answer);
    free((void *)(uintptr_t)change->argv);
    free(change);
}

/* No worker holds the old epoch any more. */
static void
on_all_passed(void *context)
{
    struct schema_change *change = context;
    registry_retire(change->server->registries, change->old);
    if (change->done != NULL) {
        change->done(change);
    }
    schema_change_finish(change);
}

static void
work(void *context)
{
    struct schema_change *change = context;
    change->succeeded = change->apply(change);
}

static void
after(void *context)
{
    struct schema_change *change = context;
    if (change->succeeded && change->proceed != NULL) {
        change->proceed(change);
    } else if (change->succeeded && change->old != NULL) {
        change->server->wake_workers(change->server, on_all_passed, change);
    } else {
        schema_change_finish(change);
    }
}

void
schema_change_start(struct request *request, struct schema_change *change)
{
    change->parked = request_park(request);
    change->server->run_blocking(change->server, work, after, change);
}
