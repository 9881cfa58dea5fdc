/* Whole records, for DUMP and RESTORE. */
#include "server/cmd/value_state.h"

#include "server/schema/bindings.h"
#include "server/schema/quarantine.h"

bool
value_stored(struct request *request, const struct key *key, const struct entry *entry,
             struct value *ret_value)
{
    if (!entry_record(entry, request->arena, ret_value)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    if (!ret_value->is_packed) {
        return true;
    }
    struct value_answer room;
    const struct value_answer *answer =
        value_unpack(request, key, entry, ret_value->body, &room);
    if (answer == NULL) {
        return false;
    }
    if (answer->is_lost) {
        reply_out_of_memory(request->reply);
        return false;
    }
    ret_value->body = answer->old_body;
    ret_value->is_packed = false;
    return true;
}

bool
value_whole(struct request *request, const struct key *key, const struct entry *entry,
            struct record *ret_record, bool *ret_is_hash)
{
    struct value value;
    if (!value_stored(request, key, entry, &value)) {
        return false;
    }
    const struct registry_schema *schema = value_schema_of(request, key);
    *ret_is_hash = value.is_hash;
    if (schema == NULL || !value_is_record(schema, &value)) {
        *ret_record =
            (struct record){.schema = SLICE(""), .complement = SLICE(""), .body = value.body};
        return true;
    }
    struct lens_record record = value_record(schema, &value);
    *ret_record = (struct record){
        .schema = lens_schema_name(schema->lens),
        .version = record.version,
        .complement = record.complement,
        .body = record.body,
    };
    return true;
}

/*
 * A record of another schema than the key's: what the caller sees of it, as a plain write.
 * False when an error was replied.
 */
static bool
translate(struct request *request, const struct key *key, const struct registry_schema *schema,
          const struct record *record, struct value *value)
{
    struct spoken from;
    struct spoken to;
    struct lens_failure failure;
    const struct registry_schema *source =
        registry_schema_by_name(request->registry, record->schema);
    if (source == NULL) {
        reply_error(request->reply,
                    "NOSCHEMA the payload is a record of schema %.*s, which is not there",
                    reply_width(record->schema), record->schema.data);
        return false;
    }
    if (!value_speak_schema(request, source, &from) ||
        !value_speak_schema(request, schema, &to)) {
        value_reply_failure(request);
        return false;
    }
    const struct lens_record whole = {
        .version = record->version, .body = record->body, .complement = record->complement};
    if (from.version != BINDINGS_RAW && !lens_view(source->lens, &whole, from.version,
                                                   request->arena, &value->body, &failure)) {
        value_fail_view(request, key, &from, record->version, &failure);
        value_reply_failure(request);
        return false;
    }
    value->complement = slice_make(NULL, 0);
    value->is_hash = lens_is_hash(source->lens, from.version == BINDINGS_RAW ? record->version
                                                                             : from.version);
    if (schema != NULL) {
        value->schema = schema->id;
        value->version = to.version == BINDINGS_RAW ? schema->base_version : to.version;
    }
    return true;
}

/* What its version of <schema> does not keep is stored plain. False when an error was replied.
 */
static bool
place_foreign(struct request *request, const struct registry_schema *schema,
              struct value *value)
{
    if (!value_may_be_foreign(request, schema, value->is_hash)) {
        return false;
    }
    value->schema = 0;
    value->version = 0;
    return true;
}

/* Which schema and version <record> is to have under <key>; false when an error was replied. */
static bool
place(struct request *request, const struct key *key, const struct registry_schema *schema,
      const struct record *record, struct value *value)
{
    bool is_whole = record->schema.size > 0;
    if (is_whole &&
        (schema == NULL || !slice_equal(record->schema, lens_schema_name(schema->lens)))) {
        if (!translate(request, key, schema, record, value)) {
            return false;
        }
    } else if (schema != NULL) {
        value->schema = schema->id;
        value->version = is_whole ? record->version : schema->base_version;
        value->is_hash = is_whole ? lens_is_hash(schema->lens, value->version) : value->is_hash;
    }
    if (schema == NULL) {
        return true;
    }
    struct slice name = lens_schema_name(schema->lens);
    if (value->version > lens_schema_version_count(schema->lens)) {
        reply_error(request->reply, "NOVERSION schema %.*s has no version %u",
                    reply_width(name), name.data, value->version);
        return false;
    }
    if (value->is_hash != lens_is_hash(schema->lens, value->version)) {
        if (!is_whole) {
            value->schema = value->version = 0; /* a type that no record of the base has */
            return true;
        }
        return place_foreign(request, schema, value);
    }
    if (lens_schema_strict(schema->lens) &&
        !lens_is_document(schema->lens, value->version, value->body)) {
        reply_error(request->reply,
                    "SCHEMA %.*s is strict, and this is no document of version %u",
                    reply_width(name), name.data, value->version);
        return false;
    }
    return true;
}

bool
value_restore(struct request *request, const struct key *key, const struct record *record,
              bool is_hash, int64_t expiry_ms)
{
    struct value value = {
        .body = record->body, .complement = record->complement, .is_hash = is_hash};
    if (!place(request, key, value_schema_of(request, key), record, &value)) {
        return false;
    }
    if (!keyspace_set_locked(request->server->keyspace, key, &value, expiry_ms)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    (void)quarantine_drop(request->server->quarantine, 0, &key->db, &key->name);
    return true;
}
