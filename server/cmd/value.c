/*
 * Plain values only: no schemas yet.
 */
#include "server/cmd/value.h"

enum value_find
value_peek(struct request *request, const struct key *key, struct slice *ret_view)
{
    struct entry *entry = keyspace_find_locked(request->server->keyspace, key, request->now_ms);
    if (entry == NULL || entry_type(entry) != ENTRY_STRING) {
        return VALUE_ABSENT;
    }
    struct value value;
    entry_value(entry, &value);
    *ret_view = value.body;
    return VALUE_FOUND;
}

enum value_find
value_read(struct request *request, const struct key *key, struct slice *ret_view)
{
    struct entry *entry = keyspace_find_locked(request->server->keyspace, key, request->now_ms);
    if (entry == NULL) {
        return VALUE_ABSENT;
    }
    if (entry_type(entry) != ENTRY_STRING) {
        reply_wrong_type(request->reply);
        return VALUE_FAILED;
    }
    struct value value;
    entry_value(entry, &value);
    *ret_view = value.body;
    return VALUE_FOUND;
}

enum value_find
value_read_for_update(struct request *request, const struct key *key, struct slice *ret_view,
                      bool *ret_is_hidden)
{
    *ret_is_hidden = false;
    return value_read(request, key, ret_view);
}

bool
value_write(struct request *request, const struct key *key, struct slice body,
            int64_t expiry_ms)
{
    struct keyspace *keyspace = request->server->keyspace;
    if (expiry_ms == VALUE_KEEP_TTL) {
        struct entry *old = keyspace_peek_locked(keyspace, key, request->now_ms);
        expiry_ms = old == NULL ? KEYSPACE_EXPIRY_NONE : entry_expiry_ms(old);
    }
    if (expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms) {
        (void)keyspace_delete_locked(keyspace, key, request->now_ms);
        return true;
    }
    struct value value = {.body = body};
    if (!keyspace_set_locked(keyspace, key, &value, expiry_ms)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    return true;
}

void
value_reply_failure(struct request *request)
{
    reply_error(request->reply, "UNTRANSLATABLE");
}

bool
value_move(struct request *request, const struct key *from, const struct key *to, bool copy)
{
    if (!keyspace_move_locked(request->server->keyspace, from, to, copy)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    return true;
}
