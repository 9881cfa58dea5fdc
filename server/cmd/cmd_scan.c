/* The keyspace as a whole: walking it, counting it, emptying it. */
#include "server/cmd/argument.h"
#include "server/cmd/collected.h"
#include "server/cmd/handlers.h"
#include "server/cmd/number.h"
#include "server/cmd/scan_options.h"
#include "server/cmd/value.h"
#include "server/core/random.h"
#include "server/schema/quarantine.h"

enum {
    SCAN_STEP = 1000,         /* entries looked at between two chances to stop */
    SCAN_COUNT_MAX = 1000000, /* a larger COUNT is cut: the client comes again */
};

/* ---- SCAN and KEYS ---- */

struct walk {
    struct request *request;
    const struct scan_options *options;
    struct collected *names;
    uint64_t visited;
};

static const char *
type_name(struct request *request, const struct entry *entry)
{
    const struct key key = {.name = entry_key(entry), .db = request->db};
    return value_type(request, &key, entry) == ENTRY_HASH ? "hash" : "string";
}

static void
on_entry(void *context, const struct entry *entry)
{
    struct walk *walk = context;
    const struct scan_options *options = walk->options;
    struct slice name = entry_key(entry);
    walk->visited++;
    if (scan_options_match(options, name) &&
        (!options->has_type || slice_equal_nocase(options->type, slice_from_string(type_name(
                                                                     walk->request, entry))))) {
        collected_add(walk->names, name);
    }
}

/* Look at about <count> entries, a few at a time, into <names>; returns the next cursor. */
static uint64_t
walk_keyspace(struct request *request, const struct scan_options *options, uint64_t cursor,
              uint64_t count, struct collected *names)
{
    struct walk walk = {.request = request, .options = options, .names = names};
    do {
        uint64_t rest = count - walk.visited;
        cursor = keyspace_scan(request->server->keyspace, request->db, cursor,
                               rest < SCAN_STEP ? (size_t)rest : SCAN_STEP, request->now_ms,
                               request->all_locked, on_entry, &walk);
    } while (cursor != 0 && walk.visited < count && !collected_failed(names));
    return cursor;
}

void
cmd_scan(struct request *request)
{
    uint64_t cursor;
    struct scan_options options;
    if (!argument_cursor(request, 1, &cursor) ||
        !scan_options_parse(request, 2, true, &options)) {
        return;
    }
    uint64_t count = options.count < SCAN_COUNT_MAX ? options.count : SCAN_COUNT_MAX;
    struct collected names;
    collected_init(&names, request->reply);
    cursor = walk_keyspace(request, &options, cursor, count, &names);
    if (collected_failed(&names)) {
        reply_out_of_memory(request->reply);
    } else {
        char text[NUMBER_INT64_SIZE];
        reply_array(request->reply, 2);
        reply_bulk(request->reply, number_format_int64(text, (int64_t)cursor));
        collected_reply(&names, request->reply);
    }
    collected_fini(&names);
}

void
cmd_keys(struct request *request)
{
    const struct scan_options options = {.pattern = request->argv[1], .has_pattern = true};
    struct collected names;
    collected_init(&names, request->reply);
    /* Whole shards at a time: nobody gets a name twice because a table shrank in between. */
    struct walk walk = {.options = &options, .names = &names};
    uint64_t cursor = 0;
    do {
        cursor = keyspace_scan(request->server->keyspace, request->db, cursor, SIZE_MAX,
                               request->now_ms, request->all_locked, on_entry, &walk);
    } while (cursor != 0);
    if (collected_failed(&names)) {
        reply_out_of_memory(request->reply);
    } else {
        collected_reply(&names, request->reply);
    }
    collected_fini(&names);
}

void
cmd_dbsize(struct request *request)
{
    uint64_t size = keyspace_size(request->server->keyspace, request->db);
    reply_integer(request->reply, (int64_t)size);
}

void
cmd_randomkey(struct request *request)
{
    struct buffer name;
    buffer_init(&name, 0);
    bool found = keyspace_random(request->server->keyspace, request->db, random_next(),
                                 request->now_ms, request->all_locked, &name);
    if (name.failed) {
        reply_out_of_memory(request->reply);
    } else if (found) {
        reply_bulk(request->reply, buffer_slice(&name));
    } else {
        reply_null(request->reply);
    }
    buffer_fini(&name);
}

/* ---- FLUSHDB, FLUSHALL, SWAPDB ---- */

/*
 * [ASYNC | SYNC] make no difference: the tables go at once, and are freed in slices. False when
 * an error was replied.
 */
static bool
parse_flush(struct request *request)
{
    if (request->argc > 2 || (request->argc == 2 && !argument_is(request, 1, "ASYNC") &&
                              !argument_is(request, 1, "SYNC"))) {
        reply_syntax_error(request->reply);
        return false;
    }
    return true;
}

void
cmd_flushdb(struct request *request)
{
    if (parse_flush(request)) {
        keyspace_flush_locked(request->server->keyspace, request->db);
        reply_ok(request->reply);
    }
}

void
cmd_flushall(struct request *request)
{
    if (parse_flush(request)) {
        keyspace_flush_locked(request->server->keyspace, UINT32_MAX);
        reply_ok(request->reply);
    }
}

void
cmd_swapdb(struct request *request)
{
    int64_t numbers[2];
    uint32_t a;
    uint32_t b;
    if (argument_db_number(request, 1, "invalid first DB index", &numbers[0]) &&
        argument_db_number(request, 2, "invalid second DB index", &numbers[1]) &&
        argument_db(request, numbers[0], &a) && argument_db(request, numbers[1], &b)) {
        keyspace_swap_locked(request->server->keyspace, a, b);
        quarantine_swap(request->server->quarantine, a, b);
        reply_ok(request->reply);
    }
}
