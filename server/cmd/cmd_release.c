#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"

#include <stdlib.h>

/* RELEASE SET name schema version [schema version ...] */
static bool
apply_set(struct schema_change *change)
{
    size_t count = (change->argc - 3) / 2;
    struct slice *names = calloc(count, sizeof(*names));
    unsigned *versions = calloc(count, sizeof(*versions));
    bool ok = false;
    if (names == NULL || versions == NULL) {
        buffer_append_string(&change->error, "OOM no memory to change the registry");
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t version = 0;
        names[i] = change->argv[3 + i * 2];
        (void)slice_to_uint64(change->argv[4 + i * 2], &version); /* checked before */
        versions[i] = version <= UINT32_MAX ? (unsigned)version : UINT32_MAX;
    }
    ok = registry_release_set(change->server->registries, change->argv[2], names, versions,
                              count, &change->old, &change->error);
done:
    free(names);
    free(versions);
    return ok;
}

static bool
apply_delete(struct schema_change *change)
{
    return registry_release_delete(change->server->registries, change->argv[2], &change->old,
                                   &change->error);
}

static void
start(struct request *request, bool (*apply)(struct schema_change *change))
{
    struct schema_change *change = schema_change_new(request);
    if (change != NULL) {
        change->apply = apply;
        schema_change_start(request, change);
    }
}

void
cmd_release_set(struct request *request)
{
    if (request->argc % 2 == 0) {
        reply_error(request->reply, "ERR RELEASE SET takes schemas and versions in pairs");
        return;
    }
    for (size_t i = 4; i < request->argc; i += 2) {
        uint64_t version;
        struct slice text = request->argv[i];
        if (!slice_to_uint64(text, &version)) {
            reply_error(request->reply, "NOVERSION schema %.*s has no version %.*s",
                        reply_width(request->argv[i - 1]), request->argv[i - 1].data,
                        reply_width(text), text.data);
            return;
        }
    }
    start(request, apply_set);
}

void
cmd_release_del(struct request *request)
{
    start(request, apply_delete);
}

void
cmd_release_list(struct request *request)
{
    const struct registry *registry = request->registry;
    struct reply *reply = request->reply;
    size_t release_count = registry_release_count(registry);
    uint32_t schema_count = (uint32_t)registry_schema_count(registry);
    reply_map(reply, release_count);
    for (size_t i = 0; i < release_count; i++) {
        const struct release *release = registry_release_at(registry, i);
        size_t count = 0;
        for (uint32_t k = 0; k < schema_count; k++) {
            count += release_version(release, k) != 0;
        }
        reply_bulk(reply, release_name(release));
        reply_map(reply, count);
        for (uint32_t k = 0; k < schema_count; k++) {
            unsigned version = release_version(release, k);
            if (version != 0) {
                reply_bulk(reply, lens_schema_name(registry_schema_at(registry, k)->lens));
                reply_integer(reply, version);
            }
        }
    }
}
