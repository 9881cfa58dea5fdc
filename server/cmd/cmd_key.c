/* Keys of any type: deleting, renaming, copying, looking at how they are stored. */
#include "server/cmd/argument.h"
#include "server/cmd/handlers.h"
#include "server/cmd/value.h"
#include "server/store/eviction.h"
#include "server/store/hash.h"

static const struct entry *
peek(struct request *request, const struct key *key)
{
    return keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
}

void
cmd_del(struct request *request)
{
    int64_t count = 0;
    for (size_t i = 0; i < request->key_count; i++) {
        count += keyspace_delete_locked(request->server->keyspace, &request->keys[i],
                                        request->now_ms);
    }
    reply_integer(request->reply, count);
}

void
cmd_exists(struct request *request)
{
    int64_t count = 0;
    for (size_t i = 0; i < request->key_count; i++) {
        count += peek(request, &request->keys[i]) != NULL;
    }
    reply_integer(request->reply, count);
}

void
cmd_touch(struct request *request)
{
    int64_t count = 0;
    for (size_t i = 0; i < request->key_count; i++) {
        count += keyspace_find_locked(request->server->keyspace, &request->keys[i],
                                      request->now_ms) != NULL;
    }
    reply_integer(request->reply, count);
}

void
cmd_type(struct request *request)
{
    const struct entry *entry = peek(request, &request->keys[0]);
    bool is_hash = entry != NULL && value_type(request, &request->keys[0], entry) == ENTRY_HASH;
    /* Of a record that is a hash to the caller, but has no field, others see some. */
    if (entry == NULL ||
        (is_hash && entry_type(entry) == ENTRY_HASH && hash_size(entry_hash(entry)) == 0)) {
        reply_simple(request->reply, "none");
    } else {
        reply_simple(request->reply, is_hash ? "hash" : "string");
    }
}

/* ---- RENAME, COPY, MOVE ---- */

/* Renames keys[0] to keys[1]; false when an error was replied. */
static bool
rename_key(struct request *request, bool replace, bool *ret_renamed)
{
    const struct key *from = &request->keys[0];
    const struct key *to = &request->keys[1];
    if (peek(request, from) == NULL) {
        reply_error(request->reply, "ERR no such key");
        return false;
    }
    if (slice_equal(from->name, to->name)) {
        *ret_renamed = replace;
        return true;
    }
    *ret_renamed = replace || peek(request, to) == NULL;
    return !*ret_renamed || value_move(request, from, to, false);
}

void
cmd_rename(struct request *request)
{
    bool renamed;
    if (rename_key(request, true, &renamed)) {
        reply_ok(request->reply);
    }
}

void
cmd_renamenx(struct request *request)
{
    bool renamed;
    if (rename_key(request, false, &renamed)) {
        reply_integer(request->reply, renamed);
    }
}

/* Answer whether <from> came to stand under <to>, in this or another database. */
static void
transfer(struct request *request, const struct key *from, const struct key *to, bool copy,
         bool replace)
{
    if (from->db == to->db && slice_equal(from->name, to->name)) {
        reply_error(request->reply, "ERR source and destination objects are the same");
        return;
    }
    bool possible = peek(request, from) != NULL && (replace || peek(request, to) == NULL);
    if (!possible || value_move(request, from, to, copy)) {
        reply_integer(request->reply, possible);
    }
}

void
cmd_copy(struct request *request)
{
    uint32_t db = request->db;
    bool replace = false;
    int64_t number;
    for (size_t index = 3; index < request->argc; index++) {
        if (argument_is(request, index, "REPLACE")) {
            replace = true;
        } else if (argument_is(request, index, "DB") && index + 1 < request->argc) {
            if (!argument_db_number(request, ++index, NULL, &number) ||
                !argument_db(request, number, &db)) {
                return;
            }
        } else {
            reply_syntax_error(request->reply);
            return;
        }
    }
    /* The shard follows from the name alone: it is locked, whatever the database. */
    struct key to = keyspace_key(request->server->keyspace, db, request->argv[2]);
    transfer(request, &request->keys[0], &to, true, replace);
}

void
cmd_move(struct request *request)
{
    int64_t number;
    uint32_t db;
    if (!argument_db_number(request, 2, NULL, &number) || !argument_db(request, number, &db)) {
        return;
    }
    struct key to = keyspace_key(request->server->keyspace, db, request->argv[1]);
    transfer(request, &request->keys[0], &to, false, false);
}

/* ---- OBJECT, MEMORY ---- */

enum { EMBEDDED_SIZE_MAX = 44 }; /* Redis' limit for "embstr" */

/* NULL: see value_stored(). */
static const char *
encoding_name(struct request *request, const struct entry *entry)
{
    if (entry_type(entry) == ENTRY_HASH) {
        return hash_is_packed(entry_hash(entry)) ? "listpack" : "hashtable";
    }
    struct value value;
    int64_t number;
    if (!value_stored(request, &request->keys[0], entry, &value)) {
        return NULL;
    }
    if (slice_to_int64(value.body, &number)) {
        return "int";
    }
    return value.body.size <= EMBEDDED_SIZE_MAX ? "embstr" : "raw";
}

void
cmd_object_encoding(struct request *request)
{
    const struct entry *entry = peek(request, &request->keys[0]);
    const char *name = entry == NULL ? NULL : encoding_name(request, entry);
    if (entry == NULL) {
        reply_null(request->reply);
    } else if (name != NULL) {
        reply_string(request->reply, name);
    }
}

void
cmd_object_refcount(struct request *request)
{
    if (peek(request, &request->keys[0]) == NULL) {
        reply_null(request->reply);
    } else {
        reply_integer(request->reply, 1);
    }
}

static bool
is_lfu(const struct request *request)
{
    int64_t policy = config_number(request->server->config, CONFIG_MAXMEMORY_POLICY);
    return policy == EVICTION_ALLKEYS_LFU || policy == EVICTION_VOLATILE_LFU;
}

void
cmd_object_idletime(struct request *request)
{
    const struct entry *entry = peek(request, &request->keys[0]);
    if (entry == NULL) {
        reply_null(request->reply);
    } else if (is_lfu(request)) {
        reply_error(request->reply,
                    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please "
                    "note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    } else {
        reply_integer(request->reply, entry_idle_s(entry, request->now_ms));
    }
}

void
cmd_object_freq(struct request *request)
{
    const struct entry *entry = peek(request, &request->keys[0]);
    if (entry == NULL) {
        reply_null(request->reply);
    } else if (is_lfu(request)) {
        reply_integer(request->reply,
                      keyspace_frequency(request->server->keyspace, entry, request->now_ms));
    } else {
        reply_error(request->reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not "
                    "tracked. Please note that when switching between policies at runtime LRU "
                    "and LFU data will take some time to adjust.");
    }
}

void
cmd_memory_usage(struct request *request)
{
    for (size_t index = 3; index < request->argc; index += 2) {
        int64_t samples;
        if (!argument_is(request, index, "SAMPLES") || index + 1 >= request->argc) {
            reply_syntax_error(request->reply);
            return;
        }
        if (!argument_int64(request, index + 1, &samples)) {
            return;
        }
        if (samples < 0) {
            reply_syntax_error(request->reply);
            return;
        }
    }
    const struct entry *entry = peek(request, &request->keys[0]);
    if (entry == NULL) {
        reply_null(request->reply);
    } else {
        reply_integer(request->reply, (int64_t)entry_memory(entry));
    }
}
