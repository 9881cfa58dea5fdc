/* RENAME, COPY and MOVE of values. */
#include "server/cmd/hash_key.h"
#include "server/cmd/value_state.h"

#include "server/schema/bindings.h"
#include "server/schema/quarantine.h"

/* What is in quarantine under a name goes with it: the store only sees a key that is removed.
 */
static bool
move_entry(struct request *request, const struct key *from, const struct key *to, bool copy)
{
    struct quarantine *quarantine = request->server->quarantine;
    struct quarantined *aside = copy ? NULL : quarantine_detach(quarantine, from);
    bool ok = keyspace_move_locked(request->server->keyspace, from, to, copy);
    if (aside != NULL) {
        quarantine_attach(quarantine, aside, ok ? to : from);
    }
    if (!ok) {
        reply_out_of_memory(request->reply);
    }
    return ok;
}

/* What the caller sees under <from>; false when an error was replied. */
static bool
copy_view(struct request *request, const struct key *from, struct value *ret_value)
{
    struct slice view;
    bool is_hidden;
    const struct entry *entry =
        keyspace_peek_locked(request->server->keyspace, from, request->now_ms);
    *ret_value = (struct value){.is_hash = value_type(request, from, entry) == ENTRY_HASH};
    if (ret_value->is_hash) {
        return hash_key_view(request, from, &ret_value->body);
    }
    enum value_find found = value_read_for_update(request, from, &view, &is_hidden);
    if (found != VALUE_FOUND) {
        if (is_hidden) {
            value_reply_failure(request);
        }
        return false;
    }
    ret_value->body = view;
    ret_value->block = value_block(request, from, view);
    if (ret_value->block == NULL && !arena_copy(request->arena, view, &ret_value->body)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    return true;
}

/* To a key of another schema, or of none: the caller's view, over nothing. */
static bool
write_elsewhere(struct request *request, const struct key *from, const struct key *to,
                bool copy)
{
    struct keyspace *keyspace = request->server->keyspace;
    struct spoken spoken;
    struct value value;
    if (!value_speak(request, to, &spoken)) {
        value_reply_failure(request);
        return false;
    }
    if (!copy_view(request, from, &value)) {
        return false;
    }
    const struct entry *entry = keyspace_peek_locked(keyspace, from, request->now_ms);
    int64_t expiry_ms = entry_expiry_ms(entry);
    if (spoken.schema == NULL) {
        if (!value_store(request, to, &value, expiry_ms)) {
            return false;
        }
    } else {
        if (spoken.version == BINDINGS_RAW) {
            spoken.version = spoken.schema->base_version;
        }
        bool is_foreign = lens_is_hash(spoken.schema->lens, spoken.version) != value.is_hash;
        if (is_foreign
                ? !value_may_be_foreign(request, spoken.schema, value.is_hash) ||
                      !value_store(request, to, &value, expiry_ms)
                : !value_write_record(request, to, NULL, &spoken, NULL, &value, expiry_ms)) {
            return false;
        }
    }
    (void)quarantine_drop(request->server->quarantine, 0, &to->db, &to->name);
    if (!copy) {
        (void)keyspace_delete_locked(keyspace, from, request->now_ms);
    }
    return true;
}

bool
value_move(struct request *request, const struct key *from, const struct key *to, bool copy)
{
    if (value_schema_of(request, from) != value_schema_of(request, to)) {
        return write_elsewhere(request, from, to, copy);
    }
    return move_entry(request, from, to, copy);
}
