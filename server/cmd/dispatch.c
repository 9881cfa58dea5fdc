#include "server/cmd/dispatch.h"

#include "server/cmd/argument.h"
#include "server/cmd/eviction.h"
#include "server/cmd/handlers.h"
#include "server/cmd/slowlog.h"
#include "server/cmd/transaction.h"
#include "server/cmd/value.h"
#include "server/schema/mapping.h"
#include "server/schema/registry.h"

enum { DISPATCH_FEW_KEYS = 8 };

/* ---- the row ---- */

static void
reply_unknown_command(struct request *request)
{
    char arguments[160];
    size_t used = 0;
    for (size_t i = 1; i < request->argc && used < 128; i++) {
        struct slice argument = request->argv[i];
        size_t room = 128 - used;
        size_t size = argument.size < room ? argument.size : room;
        arguments[used++] = '\'';
        for (size_t at = 0; at < size; at++) {
            arguments[used++] = argument.data[at] == '\0' ? ' ' : argument.data[at];
        }
        arguments[used++] = '\'';
        arguments[used++] = ' ';
    }
    struct slice name = request->argv[0];
    reply_error(request->reply, "ERR unknown command '%.*s', with args beginning with: %.*s",
                name.size < 128 ? (int)name.size : 128, name.data, (int)used, arguments);
}

/* Set request->command to the row of argv, a subcommand's row where there is one. */
static bool
find_row(struct request *request)
{
    if (request->command != NULL) {
        return true; /* prepared */
    }
    const struct command *command = command_find(request->argv[0]);
    if (command == NULL &&
        (argument_is(request, 0, "POST") || argument_is(request, 0, "HOST:"))) {
        request->session->is_closing = true; /* HTTP: a browser was lured here; as Redis does */
        return false;
    }
    if (command == NULL) {
        reply_unknown_command(request);
        return false;
    }
    if ((command->flags & COMMAND_CONTAINER) != 0 && request->argc > 1) {
        struct slice name = request->argv[1];
        const struct command *sub = command_find_sub(command, name);
        if (sub == NULL && command->handler == cmd_container) {
            reply_error(request->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                        name.size < 128 ? (int)name.size : 128, name.data, command->name);
            return false;
        }
        command = sub != NULL ? sub : command;
    }
    request->command = command;
    return true;
}

/* ---- the gates: each may reply and refuse ---- */

static void
lower_name(const struct command *command, char *ret_name, size_t size)
{
    size_t i = 0;
    for (; command->name[i] != '\0' && i + 1 < size; i++) {
        char byte = command->name[i];
        ret_name[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
    }
    ret_name[i] = '\0';
}

static bool
gate_arity(struct request *request)
{
    int arity = request->command->arity;
    bool fits = arity >= 0 ? request->argc == (size_t)arity
                           : request->argc >= (size_t) - (int64_t)arity;
    if (!fits) {
        char name[64];
        lower_name(request->command, name, sizeof(name));
        reply_error(request->reply, "ERR wrong number of arguments for '%s' command", name);
        return false;
    }
    return true;
}

static bool
gate_authentication(struct request *request)
{
    if (!request->session->is_authenticated &&
        (request->command->flags & COMMAND_NO_AUTH) == 0) {
        reply_error(request->reply, "NOAUTH Authentication required.");
        return false;
    }
    return true;
}

static bool
gate_transaction(struct request *request)
{
    if (transaction_is_active(request->session) &&
        (request->command->flags & COMMAND_NO_MULTI) != 0) {
        reply_error(request->reply, "ERR Command not allowed inside a transaction");
        return false;
    }
    return true;
}

static bool
gate_memory(struct request *request)
{
    return eviction_gate(request);
}

static bool (*const gates[])(struct request *request) = {
    gate_arity,
    gate_authentication,
    gate_transaction,
    gate_memory,
};

static bool
pass_gates(struct request *request)
{
    for (size_t i = 0; i < sizeof(gates) / sizeof(*gates); i++) {
        if (!gates[i](request)) {
            return false;
        }
    }
    return true;
}

/* ---- begin, handler, end ---- */

/* The database whose data the session sees. */
static uint32_t
data_db(const struct request *request)
{
    uint32_t db = atomic_load_explicit(&request->session->db, memory_order_relaxed);
    return mapping_database(request->server->mapping, db);
}

bool
dispatch_find_keys(struct request *request)
{
    const struct command *command = request->command;
    struct keyspace *keyspace = request->server->keyspace;
    request->db = data_db(request);
    request->keys = NULL;
    request->key_count = 0;
    if (command->keys.first == 0) {
        return true;
    }
    if (command->keys.first == command->keys.last && request->key_room != NULL) {
        size_t index = (size_t)command->keys.first;
        if (index < request->argc) {
            *request->key_room = keyspace_key(keyspace, request->db, request->argv[index]);
            request->keys = request->key_room;
            request->key_count = 1;
        }
        return true;
    }
    size_t few[DISPATCH_FEW_KEYS];
    size_t *indices = few;
    if (request->argc > DISPATCH_FEW_KEYS) {
        indices = arena_calloc(request->arena, request->argc, sizeof(*indices));
        if (indices == NULL) {
            return false;
        }
    }
    size_t count = command_key_indices(command, request->argc, indices);
    struct key *keys = arena_calloc(request->arena, count, sizeof(*keys));
    if (keys == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        keys[i] = keyspace_key(keyspace, request->db, request->argv[indices[i]]);
    }
    request->keys = keys;
    request->key_count = count;
    return true;
}

static void
begin(struct request *request)
{
    if ((request->command->flags & COMMAND_ALL_SHARDS) != 0) {
        keyspace_lock_all(request->server->keyspace);
        request->all_locked = true;
    } else if (request->key_count > 0) {
        keyspace_lock(request->server->keyspace, request->keys, request->key_count);
    }
}

static void
end(struct request *request)
{
    if (request->all_locked) {
        keyspace_unlock_all(request->server->keyspace);
        request->all_locked = false;
    } else if (request->key_count > 0) {
        keyspace_unlock(request->server->keyspace, request->keys, request->key_count);
    }
}

static void
add(_Atomic uint64_t *sum, uint64_t value)
{
    atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

/*
 * The handler has run, also several times: count it, with the time since the end of the one
 * before it. No clock is asked, and the processor's counter once. Returns the ticks.
 */
static uint64_t
note_run(struct request *request)
{
    struct command_use *use =
        &request->server->command_uses[request->worker_index * command_count() +
                                       command_row(request->command)];
    uint64_t now = ticks_now();
    uint64_t ticks = now - request->end_ticks;
    request->end_ticks = now;
    add(&use->calls, 1);
    add(&use->ticks, ticks);
    counters_add(request->counters, COUNTER_COMMANDS_PROCESSED, 1);
    return ticks;
}

void
dispatch_locked(struct request *request)
{
    request->command->handler(request);
    (void)note_run(request);
}

void
dispatch_prepare(struct request *request)
{
    const struct command *command = command_find(request->argv[0]);
    if (command != NULL && (command->flags & COMMAND_CONTAINER) == 0) {
        request->command = command;
        if (!dispatch_find_keys(request)) {
            request->command = NULL;
        }
    }
}

/* Prepared keys were hashed before the requests in front ran: one may have changed databases.
 */
static bool
have_keys(struct request *request)
{
    uint32_t db = data_db(request);
    if (request->keys == NULL || request->keys[0].db != db) {
        return dispatch_find_keys(request);
    }
    request->db = db;
    return true;
}

/*
 * Between begin and end. Where values need translating the handler may be run again, the
 * translation having been made with nothing locked: reads of any keys, writes of one.
 */
static void
run_handler(struct request *request)
{
    const struct reply before = *request->reply;
    size_t size_before = request->reply->out->size;
    bool is_write = (request->command->flags & COMMAND_WRITE) != 0;
    request->may_run_again = (request->has_schemas || request->is_packing) &&
                             request->key_count > 0 && (request->key_count == 1 || !is_write) &&
                             (request->command->flags & COMMAND_ALL_SHARDS) == 0;
    if (__builtin_expect(request->is_packing, 0)) {
        value_pack(request);
    }
    begin(request);
    request->command->handler(request);
    bool is_kept = value_must_run_again(request) && value_keep(request);
    end(request);
    while (value_must_run_again(request)) {
        *request->reply = before;
        reply_cut(request->reply, size_before);
        value_prepare(request);
        if (is_kept) {
            request->command->handler(request);
        } else {
            begin(request);
            request->command->handler(request);
            end(request);
        }
    }
    if (__builtin_expect(request->reply->gaps != NULL, 0)) {
        value_fill(request);
    }
}

static void
run(struct request *request)
{
    if (!have_keys(request)) {
        reply_out_of_memory(request->reply);
        return;
    }
    run_handler(request);
    uint64_t ticks = note_run(request);
    if (ticks >= request->slow_ticks && !request->is_parked) {
        slowlog_add(request->server->slowlog, request->argc, request->argv,
                    (int64_t)ticks_to_us(ticks), request->session);
    }
}

static void
gate_and_run(struct request *request)
{
    struct session *session = request->session;
    if (!find_row(request) || !pass_gates(request)) {
        transaction_fail(session);
        return;
    }
    atomic_store_explicit(&session->last_command, request->command, memory_order_relaxed);
    if (transaction_is_active(session) && (request->command->flags & COMMAND_NOW) == 0) {
        if (transaction_queue(request)) {
            reply_simple(request->reply, "QUEUED");
        } else {
            transaction_fail(session);
            reply_out_of_memory(request->reply);
        }
        return;
    }
    run(request);
}

void
dispatch(struct request *request)
{
    struct session *session = request->session;
    size_t size_before = request->reply->out->size;
    uint64_t errors_before = request->reply->errors;
    bool is_skipped = session->skip_next_reply;
    session->skip_next_reply = false;
    request->is_parked = false;
    request->is_in_exec = false;
    request->all_locked = false;
    request->may_run_again = false;
    request->value_state = NULL;

    gate_and_run(request);
    if (request->value_state != NULL) {
        value_end(request);
    }

    if (request->reply->errors != errors_before) {
        counters_add(request->counters, COUNTER_ERROR_REPLIES,
                     request->reply->errors - errors_before);
    }
    if (is_skipped || session->reply_mode == SESSION_REPLY_OFF) {
        reply_cut(request->reply, size_before);
    }
    session->skip_next_reply |= is_skipped && request->is_parked; /* the one still to come */
}
