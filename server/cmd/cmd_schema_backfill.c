/* SCHEMA BACKFILL name v|RAW [RATE n], and PAUSE, RESUME, CANCEL: what is wanted is noted. */
#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"
#include "server/schema/backfill.h"
#include "server/schema/usage.h"

#include <stdio.h>

static bool
apply_backfill(struct schema_change *change)
{
    if (change->backfill.state == REGISTRY_BACKFILL_RUNNING) {
        backfill_announce(change->server->backfill, change->schema_id, change->backfill.version,
                          change->since_ms);
    }
    return registry_set_backfill(change->server->registries, change->argv[2], &change->backfill,
                                 &change->old, &change->error);
}

static void
done_backfill(struct schema_change *change)
{
    backfill_wake(change->server->backfill);
}

static void
want(struct request *request, const struct registry_schema *schema,
     const struct registry_backfill *backfill)
{
    struct schema_change *change = schema_change_new(request);
    if (change != NULL) {
        change->backfill = *backfill;
        change->schema_id = schema->id;
        change->since_ms = request->now_ms;
        change->apply = apply_backfill;
        change->done = done_backfill;
        schema_change_start(request, change);
    }
}

/* PAUSE, RESUME, CANCEL; false: <word> is none of them. */
static bool
control(struct request *request, const struct registry_schema *schema, struct slice word)
{
    struct registry_backfill wanted = schema->rollout.backfill;
    bool is_there = wanted.state != REGISTRY_BACKFILL_NONE;
    if (slice_equal_nocase(word, SLICE_OF("PAUSE"))) {
        wanted.state = REGISTRY_BACKFILL_PAUSED;
    } else if (slice_equal_nocase(word, SLICE_OF("RESUME"))) {
        wanted.state = REGISTRY_BACKFILL_RUNNING;
    } else if (slice_equal_nocase(word, SLICE_OF("CANCEL"))) {
        wanted = (struct registry_backfill){.state = REGISTRY_BACKFILL_NONE};
    } else {
        return false;
    }
    if (request->argc > 4) {
        reply_syntax_error(request->reply);
    } else if (!is_there) {
        struct slice name = lens_schema_name(schema->lens);
        reply_error(request->reply, "ERR no backfill of schema %.*s is under way",
                    reply_width(name), name.data);
    } else {
        want(request, schema, &wanted);
    }
    return true;
}

/* What is hidden from the base version would be lost to these. */
static bool
pass_raw_gate(struct request *request, const struct registry_schema *schema)
{
    struct slice name = lens_schema_name(schema->lens);
    unsigned count = lens_schema_version_count(schema->lens);
    if (lens_schema_default_version(schema->lens) != schema->base_version) {
        reply_error(request->reply,
                    "GATE %.*s cannot go back to raw bodies: its default version is %u, not "
                    "its base version %u",
                    reply_width(name), name.data, lens_schema_default_version(schema->lens),
                    schema->base_version);
        return false;
    }
    for (unsigned i = 1; i <= count; i++) {
        struct usage_sum sum;
        usage_sum(schema->usage, i, &sum);
        if (i != schema->base_version && sum.connections > 0) {
            reply_error(request->reply,
                        "GATE %.*s cannot go back to raw bodies: %lld connections speak its "
                        "version %u, and would lose what its base version %u does not show",
                        reply_width(name), name.data, (long long)sum.connections, i,
                        schema->base_version);
            return false;
        }
    }
    return true;
}

/* v|RAW; false when an error was replied. */
static bool
parse_version(struct request *request, const struct registry_schema *schema,
              unsigned *ret_version)
{
    struct slice word = request->argv[3];
    struct slice name = lens_schema_name(schema->lens);
    uint64_t version = 0;
    if (slice_equal_nocase(word, SLICE_OF("RAW"))) {
        *ret_version = 0;
        return pass_raw_gate(request, schema);
    }
    if (!slice_to_uint64(word, &version) || version == 0 ||
        version > lens_schema_version_count(schema->lens)) {
        reply_error(request->reply, "NOVERSION schema %.*s has no version %.*s",
                    reply_width(name), name.data, reply_width(word), word.data);
        return false;
    }
    if (registry_withdrawal(schema, (unsigned)version) != NULL) {
        reply_error(request->reply, "NOVERSION schema %.*s has retired its version %u",
                    reply_width(name), name.data, (unsigned)version);
        return false;
    }
    *ret_version = (unsigned)version;
    return true;
}

/* [RATE n]; false when an error was replied. */
static bool
parse_rate(struct request *request, uint64_t *ret_rate)
{
    *ret_rate = 0;
    if (request->argc == 4) {
        return true;
    }
    if (request->argc != 6 || !slice_equal_nocase(request->argv[4], SLICE_OF("RATE"))) {
        reply_syntax_error(request->reply);
        return false;
    }
    if (!slice_to_uint64(request->argv[5], ret_rate) || *ret_rate == 0 ||
        *ret_rate > 1000000000) {
        reply_not_integer(request->reply);
        return false;
    }
    return true;
}

void
cmd_schema_backfill(struct request *request)
{
    struct slice name = request->argv[2];
    const struct registry_schema *schema = registry_schema_by_name(request->registry, name);
    struct registry_backfill wanted = {.state = REGISTRY_BACKFILL_RUNNING};
    if (schema == NULL) {
        reply_error(request->reply, "NOSCHEMA no schema is called %.*s", reply_width(name),
                    name.data);
        return;
    }
    if (control(request, schema, request->argv[3]) ||
        !parse_version(request, schema, &wanted.version) ||
        !parse_rate(request, &wanted.rate)) {
        return;
    }
    const struct registry_backfill *now = &schema->rollout.backfill;
    if (now->state != REGISTRY_BACKFILL_NONE && now->version != wanted.version) {
        char version[16] = "RAW";
        if (now->version != 0) {
            (void)snprintf(version, sizeof(version), "%u", now->version);
        }
        reply_error(request->reply,
                    "GATE a backfill of schema %.*s to %s is under way: CANCEL it first",
                    reply_width(name), name.data, version);
        return;
    }
    want(request, schema, &wanted);
}
