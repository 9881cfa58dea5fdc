#include "server/cmd/hash_key.h"

bool
hash_key_find(struct request *request, struct hash **ret_hash)
{
    struct entry *entry = request_find(request, &request->keys[0]);
    if (entry != NULL && entry_type(entry) != ENTRY_HASH) {
        reply_wrong_type(request->reply);
        return false;
    }
    *ret_hash = entry == NULL ? NULL : entry_hash(entry);
    return true;
}

struct hash *
hash_key_add(struct request *request)
{
    struct hash *hash;
    if (!hash_key_find(request, &hash)) {
        return NULL;
    }
    if (hash != NULL) {
        return hash;
    }
    struct entry *entry =
        keyspace_add_hash_locked(request->server->keyspace, &request->keys[0]);
    if (entry == NULL) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    return entry_hash(entry);
}

void
hash_key_settle(struct request *request, const struct hash *hash)
{
    struct keyspace *keyspace = request->server->keyspace;
    if (hash_size(hash) == 0) {
        (void)keyspace_delete_locked(keyspace, &request->keys[0], request->now_ms);
    } else {
        keyspace_changed_locked(keyspace, &request->keys[0]);
    }
}
