/* Whole records, for DUMP and RESTORE. */
#include "server/cmd/value_state.h"

#include "server/schema/quarantine.h"

static int
width(struct slice text)
{
    return text.size < 256 ? (int)text.size : 256;
}

static const struct registry_schema *
schema_of(const struct request *request, const struct key *key)
{
    return registry_is_empty(request->registry)
               ? NULL
               : registry_match(request->registry, key->db, key->name);
}

struct record
value_whole(struct request *request, const struct key *key, const struct entry *entry)
{
    struct value value;
    entry_value(entry, &value);
    const struct registry_schema *schema = schema_of(request, key);
    if (schema == NULL) {
        return (struct record){
            .schema = SLICE(""), .complement = SLICE(""), .body = value.body};
    }
    struct lens_record record = value_record(schema, &value);
    return (struct record){
        .schema = lens_schema_name(schema->lens),
        .version = record.version,
        .complement = record.complement,
        .body = record.body,
    };
}

/* Which schema and version <record> is to have under <key>; false when an error was replied. */
static bool
place(struct request *request, const struct registry_schema *schema,
      const struct record *record, struct value *value)
{
    if (record->schema.size == 0 && schema == NULL) {
        return true;
    }
    if (schema == NULL || (record->schema.size > 0 &&
                           !slice_equal(record->schema, lens_schema_name(schema->lens)))) {
        reply_error(request->reply,
                    "ERR the payload is a record of schema %.*s, which the key does not "
                    "belong to",
                    width(record->schema), record->schema.data);
        return false;
    }
    struct slice name = lens_schema_name(schema->lens);
    value->schema = schema->id;
    value->version = record->schema.size > 0 ? record->version : schema->base_version;
    if (value->version > lens_schema_version_count(schema->lens)) {
        reply_error(request->reply, "NOVERSION schema %.*s has no version %u", width(name),
                    name.data, value->version);
        return false;
    }
    if (lens_schema_strict(schema->lens) &&
        !lens_is_document(schema->lens, value->version, record->body)) {
        reply_error(request->reply,
                    "SCHEMA %.*s is strict, and this is no document of version %u", width(name),
                    name.data, value->version);
        return false;
    }
    return true;
}

bool
value_restore(struct request *request, const struct key *key, const struct record *record,
              int64_t expiry_ms)
{
    struct value value = {.body = record->body, .complement = record->complement};
    if (!place(request, schema_of(request, key), record, &value)) {
        return false;
    }
    if (!keyspace_set_locked(request->server->keyspace, key, &value, expiry_ms)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    (void)quarantine_drop(request->server->quarantine, 0, &key->db, &key->name);
    return true;
}
