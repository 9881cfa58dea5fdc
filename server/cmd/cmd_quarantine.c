#include "server/cmd/handlers.h"
#include "server/schema/quarantine.h"
#include "server/schema/registry.h"

/* What one call shows or puts back at most: the newest. */
enum { RECORDS_MAX = 1000 };

struct gathered {
    struct arena *arena;
    struct quarantine_record *records;
    size_t count;
    const struct slice *key; /* NULL: of all */
    uint32_t db;
};

/* Keys are copied; bodies only where one key is asked for, else they are only measured. */
static void
on_record(void *context, const struct quarantine_record *record)
{
    struct gathered *gathered = context;
    struct quarantine_record *copy = &gathered->records[gathered->count];
    if (gathered->count == RECORDS_MAX ||
        (gathered->key != NULL &&
         (record->db != gathered->db || !slice_equal(record->key, *gathered->key)))) {
        return;
    }
    *copy = *record;
    if (arena_copy(gathered->arena, record->key, &copy->key) &&
        (gathered->key == NULL ||
         arena_copy(gathered->arena, record->value.body, &copy->value.body))) {
        gathered->count++;
    }
}

static bool
gather(struct request *request, const struct registry_schema *schema, const struct slice *key,
       struct gathered *ret_gathered)
{
    *ret_gathered = (struct gathered){.arena = request->arena, .key = key, .db = request->db};
    ret_gathered->records =
        arena_calloc(request->arena, RECORDS_MAX, sizeof(*ret_gathered->records));
    if (ret_gathered->records == NULL) {
        reply_out_of_memory(request->reply);
        return false;
    }
    quarantine_each(request->server->quarantine, schema->id, NULL,
                    key == NULL ? RECORDS_MAX : SIZE_MAX, request->now_ms, on_record,
                    ret_gathered);
    return true;
}

static void
reply_number(struct reply *reply, const char *name, int64_t value)
{
    reply_string(reply, name);
    reply_integer(reply, value);
}

static void
list(struct request *request, const struct registry_schema *schema)
{
    struct gathered gathered;
    struct reply *reply = request->reply;
    const struct slice *key = request->argc > 4 ? &request->argv[4] : NULL;
    if (!gather(request, schema, key, &gathered)) {
        return;
    }
    reply_array(reply, gathered.count);
    for (size_t i = 0; i < gathered.count; i++) {
        const struct quarantine_record *record = &gathered.records[i];
        int64_t ttl_ms = record->expiry_ms == KEYSPACE_EXPIRY_NONE
                             ? -1
                             : record->expiry_ms - request->now_ms;
        reply_map(reply, key == NULL ? 8 : 9);
        reply_string(reply, "key");
        reply_bulk(reply, record->key);
        reply_number(reply, "db", record->db);
        reply_number(reply, "version", record->value.version);
        reply_number(reply, "to", record->to);
        reply_string(reply, "reason");
        reply_string(reply, lens_reason_name(record->reason));
        reply_number(reply, "bytes",
                     (int64_t)(record->value.body.size + record->value.complement.size));
        reply_number(reply, "since_ms", record->since_ms);
        reply_number(reply, "ttl_ms", ttl_ms);
        if (key != NULL) {
            reply_string(reply, "body");
            reply_bulk(reply, record->value.body);
        }
    }
}

/*
 * Put the newest record of a key back, where the key is absent. Takes the shard's lock itself:
 * the row has no keys, as one call may go through many.
 */
static bool
put_back(struct request *request, const struct registry_schema *schema, uint32_t db,
         struct slice name)
{
    struct keyspace *keyspace = request->server->keyspace;
    struct quarantine *quarantine = request->server->quarantine;
    struct key key = keyspace_key(keyspace, db, name);
    struct quarantined *taken = NULL;
    bool ok = false;
    keyspace_lock(keyspace, &key, 1);
    if (keyspace_peek_locked(keyspace, &key, request->now_ms) == NULL) {
        taken = quarantine_take(quarantine, schema->id, db, name, request->now_ms);
    }
    if (taken != NULL) {
        struct quarantine_record record;
        quarantined_record(taken, &record);
        record.value.is_hash = lens_is_hash(schema->lens, record.value.version);
        ok = keyspace_set_locked(keyspace, &key, &record.value, record.expiry_ms);
    }
    keyspace_unlock(keyspace, &key, 1);
    if (taken != NULL && !ok) {
        quarantine_add(quarantine, taken, SIZE_MAX);
    } else {
        quarantine_discard(taken);
    }
    return ok;
}

static void
replay(struct request *request, const struct registry_schema *schema)
{
    if (request->argc > 4) {
        reply_integer(request->reply, put_back(request, schema, request->db, request->argv[4]));
        return;
    }
    struct gathered gathered;
    if (!gather(request, schema, NULL, &gathered)) {
        return;
    }
    int64_t count = 0;
    for (size_t i = 0; i < gathered.count; i++) {
        const struct quarantine_record *record = &gathered.records[i];
        count += put_back(request, schema, record->db, record->key);
    }
    reply_integer(request->reply, count);
}

static void
drop(struct request *request, const struct registry_schema *schema)
{
    const struct slice *key = request->argc > 4 ? &request->argv[4] : NULL;
    size_t count = quarantine_drop(request->server->quarantine, schema->id, &request->db, key);
    reply_integer(request->reply, (int64_t)count);
}

void
cmd_schema_quarantine(struct request *request)
{
    static const struct {
        struct slice name;
        void (*run)(struct request *request, const struct registry_schema *schema);
        size_t argc_max;
    } actions[] = {
        {SLICE("LIST"), list, 5},
        {SLICE("REPLAY"), replay, 5},
        {SLICE("DROP"), drop, 5},
    };
    struct slice name = request->argv[2];
    const struct registry_schema *schema = registry_schema_by_name(request->registry, name);
    if (schema == NULL) {
        reply_error(request->reply, "NOSCHEMA no schema is called %.*s", reply_width(name),
                    name.data);
        return;
    }
    struct slice action = request->argc > 3 ? request->argv[3] : actions[0].name;
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (slice_equal_nocase(action, actions[i].name) &&
            request->argc <= actions[i].argc_max) {
            actions[i].run(request, schema);
            return;
        }
    }
    reply_syntax_error(request->reply);
}
