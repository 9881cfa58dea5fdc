/* DUMP and RESTORE: whole records, in Redis' format where they are plain. */
#include "proto/codec/hash.h"
#include "server/cmd/argument.h"
#include "server/cmd/handlers.h"
#include "server/cmd/payload.h"
#include "server/cmd/value.h"

void
cmd_dump(struct request *request)
{
    const struct entry *entry =
        keyspace_peek_locked(request->server->keyspace, &request->keys[0], request->now_ms);
    if (entry == NULL) {
        reply_null(request->reply);
        return;
    }
    struct record record;
    bool is_hash;
    if (!value_whole(request, &request->keys[0], entry, &record, &is_hash)) {
        return;
    }
    struct buffer payload;
    buffer_init(&payload, 0);
    if (!is_hash || record.schema.size > 0) {
        payload_write_string(&payload, &record);
    } else {
        payload_write_hash(&payload, entry_hash(entry));
    }
    if (payload.failed) {
        reply_out_of_memory(request->reply);
    } else {
        reply_bulk(request->reply, buffer_slice(&payload));
    }
    buffer_fini(&payload);
}

struct restore_options {
    bool replaces;
    bool is_absolute;
    int64_t idle_s;    /* -1: not given */
    int64_t frequency; /* likewise */
};

/* IDLETIME or FREQ: which keys to evict first. */
static bool
parse_rank(struct request *request, size_t index, struct restore_options *options)
{
    bool is_idle = argument_is(request, index, "IDLETIME");
    int64_t value;
    if (!argument_int64(request, index + 1, &value)) {
        return false;
    }
    if (is_idle && value < 0) {
        reply_error(request->reply, "ERR Invalid IDLETIME value, must be >= 0");
        return false;
    }
    if (!is_idle && (value < 0 || value > 255)) {
        reply_error(request->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
        return false;
    }
    *(is_idle ? &options->idle_s : &options->frequency) = value;
    return true;
}

static void
set_rank(struct request *request, const struct restore_options *options)
{
    struct keyspace *keyspace = request->server->keyspace;
    struct entry *entry = keyspace_peek_locked(keyspace, &request->keys[0], request->now_ms);
    if (entry != NULL && options->idle_s >= 0) {
        keyspace_set_idle_locked(keyspace, entry, options->idle_s, request->now_ms);
    }
    if (entry != NULL && options->frequency >= 0) {
        keyspace_set_frequency_locked(keyspace, entry, (uint32_t)options->frequency,
                                      request->now_ms);
    }
}

static bool
parse_options(struct request *request, struct restore_options *ret_options)
{
    struct restore_options options = {.idle_s = -1, .frequency = -1};
    for (size_t index = 4; index < request->argc; index++) {
        if (argument_is(request, index, "REPLACE")) {
            options.replaces = true;
        } else if (argument_is(request, index, "ABSTTL")) {
            options.is_absolute = true;
        } else if (index + 1 < request->argc && (argument_is(request, index, "IDLETIME") ||
                                                 argument_is(request, index, "FREQ"))) {
            if (!parse_rank(request, index++, &options)) {
                return false;
            }
        } else {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* 0: none. False when an error was replied. */
static bool
parse_ttl(struct request *request, bool is_absolute, int64_t *ret_expiry_ms)
{
    int64_t ttl;
    if (!argument_int64(request, 2, &ttl)) {
        return false;
    }
    if (ttl < 0) {
        reply_error(request->reply, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    if (ttl == 0) {
        *ret_expiry_ms = KEYSPACE_EXPIRY_NONE;
        return true;
    }
    return argument_expiry(request, 2, (struct expiry_unit){.is_absolute = is_absolute},
                           ret_expiry_ms);
}

static bool
parse_payload(struct request *request, struct payload *ret_payload)
{
    switch (payload_read(request->argv[3], request->arena, ret_payload)) {
    case PAYLOAD_READ:
        return true;
    case PAYLOAD_BAD_CHECKSUM:
        reply_error(request->reply, "ERR DUMP payload version or checksum are wrong");
        break;
    case PAYLOAD_BAD_FORMAT:
        reply_error(request->reply, "ERR Bad data format");
        break;
    case PAYLOAD_NO_MEMORY:
        reply_out_of_memory(request->reply);
        break;
    }
    return false;
}

/* The fields of a hash as a body; false: no memory, replied. */
static bool
hash_body(struct request *request, const struct payload *payload, struct slice *ret_body)
{
    size_t size = 0;
    for (size_t i = 0; i < 2 * payload->pair_count; i++) {
        size += hash_piece_size(payload->pairs[i]);
    }
    char *body = arena_alloc(request->arena, size);
    if (body == NULL) {
        reply_out_of_memory(request->reply);
        return false;
    }
    char *at = body;
    for (size_t i = 0; i < 2 * payload->pair_count; i++) {
        at = hash_piece_put(at, payload->pairs[i]);
    }
    *ret_body = slice_make(body, size);
    return true;
}

void
cmd_restore(struct request *request)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    struct restore_options options;
    struct payload payload;
    int64_t expiry_ms;
    if (!parse_options(request, &options)) {
        return;
    }
    if (!options.replaces && keyspace_peek_locked(keyspace, key, request->now_ms) != NULL) {
        reply_error(request->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!parse_ttl(request, options.is_absolute, &expiry_ms) ||
        !parse_payload(request, &payload)) {
        return;
    }
    bool is_past = expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms;
    if (is_past) {
        (void)keyspace_delete_locked(keyspace, key, request->now_ms);
    }
    if (payload.is_hash && !hash_body(request, &payload, &payload.record.body)) {
        return;
    }
    if (is_past || value_restore(request, key, &payload.record, payload.is_hash, expiry_ms)) {
        set_rank(request, &options);
        reply_ok(request->reply);
    }
}
