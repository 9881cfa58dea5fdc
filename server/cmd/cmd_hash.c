#include "server/cmd/argument.h"
#include "server/cmd/collected.h"
#include "server/cmd/handlers.h"
#include "server/cmd/hash_key.h"
#include "server/cmd/number.h"
#include "server/cmd/scan_options.h"

enum { HSCAN_COUNT_MAX = 10000 }; /* the shard is locked meanwhile; the client comes again */

/* ---- reading ---- */

static void
reply_field(struct reply *reply, const struct hash *hash, struct slice field)
{
    struct slice value;
    if (hash != NULL && hash_get(hash, field, &value)) {
        reply_bulk(reply, value);
    } else {
        reply_null(reply);
    }
}

void
cmd_hget(struct request *request)
{
    struct hash *hash;
    if (hash_key_find(request, &hash)) {
        reply_field(request->reply, hash, request->argv[2]);
    }
}

void
cmd_hmget(struct request *request)
{
    struct hash *hash;
    if (!hash_key_find(request, &hash)) {
        return;
    }
    reply_array(request->reply, request->argc - 2);
    for (size_t index = 2; index < request->argc; index++) {
        reply_field(request->reply, hash, request->argv[index]);
    }
}

void
cmd_hexists(struct request *request)
{
    struct hash *hash;
    struct slice value;
    if (hash_key_find(request, &hash)) {
        reply_integer(request->reply, hash != NULL && hash_get(hash, request->argv[2], &value));
    }
}

void
cmd_hstrlen(struct request *request)
{
    struct hash *hash;
    struct slice value = SLICE("");
    if (hash_key_find(request, &hash)) {
        bool found = hash != NULL && hash_get(hash, request->argv[2], &value);
        reply_integer(request->reply, found ? (int64_t)value.size : 0);
    }
}

void
cmd_hlen(struct request *request)
{
    struct hash *hash;
    if (hash_key_find(request, &hash)) {
        reply_integer(request->reply, hash == NULL ? 0 : (int64_t)hash_size(hash));
    }
}

static void
reply_all(struct request *request, bool fields, bool values)
{
    struct hash *hash;
    if (!hash_key_find(request, &hash)) {
        return;
    }
    size_t count = hash == NULL ? 0 : hash_size(hash);
    if (fields && values) {
        reply_map(request->reply, count);
    } else {
        reply_array(request->reply, count);
    }
    size_t position = 0;
    struct slice field;
    struct slice value;
    while (hash != NULL && hash_next(hash, &position, &field, &value)) {
        if (fields) {
            reply_bulk(request->reply, field);
        }
        if (values) {
            reply_bulk(request->reply, value);
        }
    }
}

void
cmd_hgetall(struct request *request)
{
    reply_all(request, true, true);
}

void
cmd_hkeys(struct request *request)
{
    reply_all(request, true, false);
}

void
cmd_hvals(struct request *request)
{
    reply_all(request, false, true);
}

/* ---- writing ---- */

/* Set one field, and settle; false: return. */
static bool
set_field(struct request *request, struct hash *hash, struct slice field, struct slice value)
{
    if (hash_set(hash, field, value) == HASH_NO_MEMORY) {
        hash_key_give_up(request, hash);
        return false;
    }
    return hash_key_settle(request, hash);
}

/* HSET and HMSET; false: return. */
static bool
set_fields(struct request *request, int64_t *ret_added)
{
    if (request->argc % 2 != 0) {
        argument_wrong_count(request);
        return false;
    }
    struct hash *hash = hash_key_add(request);
    if (hash == NULL) {
        return false;
    }
    int64_t added = 0;
    enum hash_set done = HASH_UPDATED;
    for (size_t index = 2; index < request->argc && done != HASH_NO_MEMORY; index += 2) {
        done = hash_set(hash, request->argv[index], request->argv[index + 1]);
        added += done == HASH_ADDED;
    }
    *ret_added = added;
    if (done == HASH_NO_MEMORY) {
        hash_key_give_up(request, hash);
        return false;
    }
    return hash_key_settle(request, hash);
}

void
cmd_hset(struct request *request)
{
    int64_t added;
    if (set_fields(request, &added)) {
        reply_integer(request->reply, added);
    }
}

void
cmd_hmset(struct request *request)
{
    int64_t added;
    if (set_fields(request, &added)) {
        reply_ok(request->reply);
    }
}

void
cmd_hsetnx(struct request *request)
{
    struct slice value;
    struct hash *hash = hash_key_add(request);
    if (hash == NULL) {
        return;
    }
    if (hash_get(hash, request->argv[2], &value)) {
        reply_integer(request->reply, 0);
    } else if (set_field(request, hash, request->argv[2], request->argv[3])) {
        reply_integer(request->reply, 1);
    }
}

void
cmd_hdel(struct request *request)
{
    struct hash *hash;
    if (!hash_key_open(request, &hash)) {
        return;
    }
    int64_t count = 0;
    for (size_t index = 2; hash != NULL && index < request->argc; index++) {
        count += hash_delete(hash, request->argv[index]);
    }
    if (count == 0 || hash_key_settle(request, hash)) {
        reply_integer(request->reply, count);
    }
}

void
cmd_hincrby(struct request *request)
{
    int64_t amount;
    int64_t sum = 0;
    struct slice old;
    struct hash *hash;
    if (!argument_int64(request, 3, &amount) || !hash_key_open(request, &hash)) {
        return;
    }
    if (hash != NULL && hash_get(hash, request->argv[2], &old) && !slice_to_int64(old, &sum)) {
        reply_error(request->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(sum, amount, &sum)) {
        reply_error(request->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_INT64_SIZE];
    hash = hash != NULL ? hash : hash_key_add(request);
    if (hash != NULL &&
        set_field(request, hash, request->argv[2], number_format_int64(text, sum))) {
        reply_integer(request->reply, sum);
    }
}

void
cmd_hincrbyfloat(struct request *request)
{
    long double amount;
    long double value = 0;
    struct slice old;
    struct hash *hash;
    if (!argument_float(request, 3, &amount)) {
        return;
    }
    if (!number_is_finite(amount)) {
        reply_error(request->reply, "ERR value is NaN or Infinity");
        return;
    }
    if (!hash_key_open(request, &hash)) {
        return;
    }
    if (hash != NULL && hash_get(hash, request->argv[2], &old) && !number_parse(old, &value)) {
        reply_error(request->reply, "ERR hash value is not a float");
        return;
    }
    char text[NUMBER_TEXT_SIZE];
    struct slice sum;
    if (!number_add(request->reply, value, amount, text, &sum)) {
        return;
    }
    hash = hash != NULL ? hash : hash_key_add(request);
    if (hash != NULL && set_field(request, hash, request->argv[2], sum)) {
        reply_bulk(request->reply, sum);
    }
}

/* ---- HSCAN ---- */

struct hash_walk {
    const struct scan_options *options;
    struct collected *fields;
};

static void
on_field(void *context, struct slice field, struct slice value)
{
    struct hash_walk *walk = context;
    if (scan_options_match(walk->options, field)) {
        collected_add(walk->fields, field);
        collected_add(walk->fields, value);
    }
}

static void
reply_scan(struct request *request, uint64_t cursor, const struct collected *fields)
{
    char text[NUMBER_INT64_SIZE];
    reply_array(request->reply, 2);
    reply_bulk(request->reply, number_format_int64(text, (int64_t)cursor));
    collected_reply(fields, request->reply);
}

void
cmd_hscan(struct request *request)
{
    uint64_t cursor;
    struct hash *hash;
    struct scan_options options;
    struct collected fields;
    if (!argument_cursor(request, 2, &cursor) || !hash_key_find(request, &hash)) {
        return;
    }
    collected_init(&fields, request->reply);
    if (hash == NULL) {
        reply_scan(request, 0, &fields);
    } else if (scan_options_parse(request, 3, false, &options)) {
        struct hash_walk walk = {&options, &fields};
        uint64_t count = options.count < HSCAN_COUNT_MAX ? options.count : HSCAN_COUNT_MAX;
        cursor = hash_scan(hash, cursor, (size_t)count, on_field, &walk);
        if (collected_failed(&fields)) {
            reply_out_of_memory(request->reply);
        } else {
            reply_scan(request, cursor, &fields);
        }
    }
    collected_fini(&fields);
}
