#include "server/cmd/schema_change.h"

#include <stdlib.h>

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
    return change;
}

static void
finish(struct schema_change *change)
{
    struct buffer out;
    buffer_init(&out, 0);
    struct reply reply = {.out = &out, .resp = change->parked.resp};
    if (change->succeeded) {
        reply_ok(&reply);
    } else if (change->error.size == 0) {
        reply_out_of_memory(&reply);
    } else {
        reply_error(&reply, "%.*s", (int)(change->error.size & 0xffff), change->error.data);
    }
    request_resume(&change->parked, buffer_slice(&out));
    buffer_fini(&out);
    buffer_fini(&change->error);
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
    finish(change);
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
    if (change->succeeded && change->old != NULL) {
        change->server->wake_workers(change->server, on_all_passed, change);
    } else {
        finish(change);
    }
}

void
schema_change_start(struct request *request, struct schema_change *change)
{
    change->parked = request_park(request);
    change->server->run_blocking(change->server, work, after, change);
}
