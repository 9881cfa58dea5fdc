#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"
#include "server/cmd/value.h"
#include "server/schema/bindings.h"
#include "server/schema/quarantine.h"

/* The schema called <name>; NULL when NOSCHEMA was replied. */
static const struct registry_schema *
find_schema(struct request *request, struct slice name)
{
    const struct registry_schema *schema = registry_schema_by_name(request->registry, name);
    if (schema == NULL) {
        reply_error(request->reply, "NOSCHEMA no schema is called %.*s", reply_width(name),
                    name.data);
    }
    return schema;
}

/* [FORCE] behind the first three arguments; false when an error was replied. */
static bool
parse_force(struct request *request, bool *ret_force)
{
    *ret_force = request->argc == 4 && slice_equal_nocase(request->argv[3], SLICE_OF("FORCE"));
    if (request->argc > 3 && !*ret_force) {
        reply_syntax_error(request->reply);
        return false;
    }
    return true;
}

static void
start(struct request *request, bool force, bool (*apply)(struct schema_change *change),
      void (*done)(struct schema_change *change))
{
    struct schema_change *change = schema_change_new(request);
    if (change != NULL) {
        change->force = force;
        change->apply = apply;
        change->done = done;
        schema_change_start(request, change);
    }
}

/* ---- PUT ---- */

static bool
apply_put(struct schema_change *change)
{
    return registry_put(change->server->registries, change->argv[2], change->force,
                        &change->old, &change->error);
}

static void
done_put(struct schema_change *change)
{
    schema_change_sweep(change->server);
}

void
cmd_schema_put(struct request *request)
{
    bool force;
    if (parse_force(request, &force)) {
        start(request, force, apply_put, done_put);
    }
}

/* ---- DEL ---- */

/* Records that would lose something: of other versions than the base, or with a complement. */
static bool
may_delete(void *context, const struct registry_schema *schema, struct buffer *ret_error)
{
    struct schema_change *change = context;
    change->schema_id = schema->id;
    uint64_t foreign = 0;
    uint64_t hidden = 0;
    for (unsigned i = 1; i <= lens_schema_version_count(schema->lens); i++) {
        uint64_t records;
        uint64_t complements;
        keyspace_census(change->server->keyspace, schema->id, i, &records, &complements);
        foreign += i == schema->base_version ? 0 : records;
        hidden += complements;
    }
    if (change->force || (foreign == 0 && hidden == 0)) {
        return true;
    }
    struct slice name = lens_schema_name(schema->lens);
    buffer_printf(ret_error,
                  "SCHEMA %.*s has %llu records of other versions than its base version %u, "
                  "and %llu with data hidden from their writers; FORCE keeps the bodies and "
                  "drops the rest",
                  reply_width(name), name.data, (unsigned long long)foreign,
                  schema->base_version, (unsigned long long)hidden);
    return false;
}

static bool
apply_delete(struct schema_change *change)
{
    return registry_delete(change->server->registries, change->argv[2], may_delete, change,
                           &change->old, &change->error);
}

static void
done_delete(struct schema_change *change)
{
    (void)quarantine_drop(change->server->quarantine, change->schema_id, NULL, NULL);
    schema_change_sweep(change->server);
}

void
cmd_schema_del(struct request *request)
{
    bool force;
    if (parse_force(request, &force)) {
        start(request, force, apply_delete, done_delete);
    }
}

/* ---- GET, LIST ---- */

void
cmd_schema_get(struct request *request)
{
    const struct registry_schema *schema = find_schema(request, request->argv[2]);
    if (schema != NULL) {
        reply_bulk(request->reply, lens_schema_json(schema->lens));
    }
}

void
cmd_schema_list(struct request *request)
{
    size_t count = registry_schema_count(request->registry);
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk(request->reply,
                   lens_schema_name(registry_schema_at(request->registry, i)->lens));
    }
}

/* ---- USE ---- */

/* A version of <schema>, or RAW; false when NOVERSION was replied. */
static bool
parse_version(struct request *request, const struct registry_schema *schema, struct slice text,
              unsigned *ret_version)
{
    uint64_t version;
    if (slice_equal_nocase(text, SLICE_OF("RAW"))) {
        *ret_version = BINDINGS_RAW;
        return true;
    }
    if (slice_to_uint64(text, &version) && version >= 1 &&
        version <= lens_schema_version_count(schema->lens)) {
        *ret_version = (unsigned)version;
        if (registry_withdrawal(schema, *ret_version) == NULL) {
            return true;
        }
    }
    struct slice name = lens_schema_name(schema->lens);
    if (slice_to_uint64(text, &version) && version <= UINT32_MAX &&
        registry_withdrawal(schema, (unsigned)version) != NULL) {
        reply_error(request->reply, "NOVERSION schema %.*s has retired its version %u",
                    reply_width(name), name.data, (unsigned)version);
        return false;
    }
    reply_error(request->reply, "NOVERSION schema %.*s has no version %.*s", reply_width(name),
                name.data, reply_width(text), text.data);
    return false;
}

void
cmd_schema_use(struct request *request)
{
    if (request->argc % 2 != 0) {
        reply_error(request->reply, "ERR SCHEMA USE takes names and versions in pairs");
        return;
    }
    unsigned version;
    for (size_t i = 2; i < request->argc; i += 2) {
        const struct registry_schema *schema = find_schema(request, request->argv[i]);
        if (schema == NULL || !parse_version(request, schema, request->argv[i + 1], &version)) {
            return;
        }
    }
    struct session *session = request->session;
    if (session->bindings == NULL && (session->bindings = bindings_new()) == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    for (size_t i = 2; i < request->argc; i += 2) {
        const struct registry_schema *schema = find_schema(request, request->argv[i]);
        if (!parse_version(request, schema, request->argv[i + 1], &version) ||
            !bindings_use(session->bindings, request->argv[i], version)) {
            reply_out_of_memory(request->reply);
            return;
        }
    }
    value_bind(request);
    reply_ok(request->reply);
}

/* ---- HELP ---- */

/* What a row of the table does not say. */
static const struct {
    const char *name;
    const char *arguments;
} arguments[] = {
    {"PUT", " <json> [FORCE]"},
    {"GET", " <name>"},
    {"DEL", " <name> [FORCE]"},
    {"USE", " <name> <version>|RAW [<name> <version>|RAW ...]"},
    {"CHECK", " <json>"},
    {"TRY", " <json> [COUNT <records>]"},
    {"STATUS", " [<name>]"},
    {"EXPLAIN", " <key> [AS <version>|RAW]"},
    {"BACKFILL", " <name> <version>|RAW [RATE <records per second>] | PAUSE | RESUME | CANCEL"},
    {"RETIRE", " <name> <version> [FORCE|UNDO]"},
    {"QUARANTINE", " <name> [LIST [<key>] | REPLAY [<key>] | DROP [<key>]]"},
};

static const char *
arguments_of(const char *name)
{
    for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
        if (strcmp(arguments[i].name, name) == 0) {
            return arguments[i].arguments;
        }
    }
    return "";
}

void
cmd_schema_help(struct request *request)
{
    static const char container[] = "SCHEMA|";
    struct buffer *out = request->reply->out;
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        count += strncmp(command_at(i)->name, container, sizeof(container) - 1) == 0;
    }
    reply_array(request->reply, 1 + 2 * count);
    reply_simple(request->reply, "SCHEMA <subcommand> [<arg> ...]. Subcommands are:");
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *row = command_at(i);
        if (strncmp(row->name, container, sizeof(container) - 1) == 0) {
            const char *name = row->name + sizeof(container) - 1;
            buffer_printf(out, "+%s%s\r\n+    %s\r\n", name, arguments_of(name), row->summary);
        }
    }
}
