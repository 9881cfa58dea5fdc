/* SCHEMA RETIRE name v [FORCE|UNDO]: nobody is to speak a version any more, if nobody does. */
#include "server/cmd/gate.h"
#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"
#include "server/core/log.h"

#include <stdio.h>
#include <stdlib.h>

struct retirement {
    unsigned version;
    int64_t now_ms;
    char by[256];
};

/* The registry may have changed since the command came: look there, on a copy. */
static bool
look(struct schema_change *change, struct gate *ret_gate, struct buffer *ret_evidence)
{
    const struct retirement *retirement = change->context;
    struct registry *registry = registry_copy(change->server->registries);
    if (registry == NULL) {
        return false;
    }
    const struct registry_schema *schema = registry_schema_by_name(registry, change->argv[2]);
    if (schema == NULL) {
        buffer_printf(&change->error, "NOSCHEMA no schema is called %.*s",
                      reply_width(change->argv[2]), change->argv[2].data);
    } else {
        gate_look(change->server, schema, retirement->version, retirement->now_ms, ret_gate);
        if (ret_gate->records > 0) {
            gate_scan(change->server, schema, retirement->now_ms, ret_gate);
        }
        gate_describe(ret_gate, ret_evidence);
    }
    registry_copy_free(registry);
    return schema != NULL && !ret_evidence->failed;
}

static bool
withdraw(struct schema_change *change, struct slice evidence)
{
    const struct retirement *retirement = change->context;
    const struct registry_withdrawal withdrawal = {
        .version = retirement->version,
        .is_forced = change->force,
        .at_ms = retirement->now_ms,
        .by = slice_from_string(retirement->by),
        .evidence = evidence,
    };
    if (!registry_withdraw(change->server->registries, change->argv[2], &withdrawal,
                           &change->old, &change->error)) {
        return false;
    }
    log_line(change->force ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
             "Version %u of schema %.*s was retired %sby %s%s%.*s", retirement->version,
             reply_width(change->argv[2]), change->argv[2].data,
             change->force ? "by FORCE " : "", retirement->by,
             evidence.size > 0 ? ", although " : "",
             (int)(evidence.size < 1024 ? evidence.size : 1024), evidence.data);
    return true;
}

static bool
apply_retire(struct schema_change *change)
{
    const struct retirement *retirement = change->context;
    struct gate gate;
    struct buffer evidence;
    buffer_init(&evidence, 0);
    bool ok = look(change, &gate, &evidence);
    if (ok && !change->force && !gate_is_open(&gate)) {
        buffer_printf(&change->error,
                      "GATE version %u of %.*s is in use: ", retirement->version,
                      reply_width(change->argv[2]), change->argv[2].data);
        buffer_append_slice(&change->error, buffer_slice(&evidence));
        ok = false;
    } else if (ok) {
        ok = withdraw(change, buffer_slice(&evidence));
    }
    buffer_fini(&evidence);
    free(change->context);
    return ok;
}

static bool
apply_undo(struct schema_change *change)
{
    const struct retirement *retirement = change->context;
    bool ok = registry_readmit(change->server->registries, change->argv[2], retirement->version,
                               &change->old, &change->error);
    if (ok) {
        log_line(LOG_LEVEL_NOTICE, "Version %u of schema %.*s is no longer retired, by %s",
                 retirement->version, reply_width(change->argv[2]), change->argv[2].data,
                 retirement->by);
    }
    free(change->context);
    return ok;
}

/* v, of a schema that is there; false when an error was replied. */
static bool
parse_version(struct request *request, unsigned *ret_version)
{
    struct slice name = request->argv[2];
    struct slice word = request->argv[3];
    const struct registry_schema *schema = registry_schema_by_name(request->registry, name);
    uint64_t version;
    if (schema == NULL) {
        reply_error(request->reply, "NOSCHEMA no schema is called %.*s", reply_width(name),
                    name.data);
        return false;
    }
    if (!slice_to_uint64(word, &version) || version == 0 ||
        version > lens_schema_version_count(schema->lens)) {
        reply_error(request->reply, "NOVERSION schema %.*s has no version %.*s",
                    reply_width(name), name.data, reply_width(word), word.data);
        return false;
    }
    *ret_version = (unsigned)version;
    return true;
}

void
cmd_schema_retire(struct request *request)
{
    bool has_word = request->argc == 5;
    bool force = has_word && slice_equal_nocase(request->argv[4], SLICE_OF("FORCE"));
    bool undo = has_word && slice_equal_nocase(request->argv[4], SLICE_OF("UNDO"));
    unsigned version;
    if (request->argc > 5 || (has_word && !force && !undo)) {
        reply_syntax_error(request->reply);
        return;
    }
    if (!parse_version(request, &version)) {
        return;
    }
    struct retirement *retirement = calloc(1, sizeof(*retirement));
    struct schema_change *change = retirement == NULL ? NULL : schema_change_new(request);
    if (change == NULL) {
        free(retirement);
        if (retirement == NULL) {
            reply_out_of_memory(request->reply);
        }
        return;
    }
    const struct session *session = request->session;
    retirement->version = version;
    retirement->now_ms = request->now_ms;
    (void)snprintf(retirement->by, sizeof(retirement->by), "%s@%s%s%s",
                   session->user == NULL ? "default" : session->user, session->address,
                   session->name == NULL ? "" : " ",
                   session->name == NULL ? "" : session->name);
    change->force = force;
    change->context = retirement;
    change->apply = undo ? apply_undo : apply_retire;
    schema_change_start(request, change);
}
