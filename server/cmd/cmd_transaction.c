/*
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. EXEC is the one handler that takes locks itself: those
 * of all queued and watched keys at once, so that nothing happens between its commands.
 */
#include "proto/base/check.h"
#include "server/cmd/argument.h"
#include "server/cmd/dispatch.h"
#include "server/cmd/handlers.h"
#include "server/cmd/transaction.h"
#include "server/cmd/value.h"

#include <stdlib.h>

enum { WATCHED_LOOKED_AT = 64 };

struct queued {
    struct queued *next;
    const struct command *command;
    struct block **blocks; /* [owned] of large arguments, which are not copied */
    size_t block_count;
    struct slice *packed; /* value.h's, in the arena of EXEC */
    size_t argc;
    struct slice argv[];
};

struct watched {
    struct watched *next;
    struct watch node; /* [shard lock] */
};

struct transaction {
    bool is_active;
    bool is_failed; /* a command was refused while queuing */
    bool may_grow;  /* a queued command may grow memory */
    struct arena memory;
    struct queued *first;
    struct queued *last;
    size_t count;
    size_t block_size;       /* bytes of large arguments */
    struct watched *watched; /* [owned] */
    atomic_bool is_dirty;    /* a watched key was changed; set by other workers */
};

static struct transaction *
transaction_get(struct session *session)
{
    if (session->transaction == NULL) {
        session->transaction = calloc(1, sizeof(*session->transaction));
        if (session->transaction != NULL) {
            arena_init(&session->transaction->memory, 0);
        }
    }
    return session->transaction;
}

bool
transaction_is_active(const struct session *session)
{
    return session->transaction != NULL && session->transaction->is_active;
}

bool
transaction_may_grow(const struct session *session, uint64_t *ret_size)
{
    const struct transaction *transaction = session->transaction;
    *ret_size = transaction->may_grow ? transaction->memory.used + transaction->block_size : 0;
    return transaction->may_grow;
}

void
transaction_fail(struct session *session)
{
    if (transaction_is_active(session)) {
        session->transaction->is_failed = true;
    }
}

static void
let_go(struct queued *queued)
{
    for (size_t i = 0; i < queued->block_count; i++) {
        block_unref(queued->blocks[i]);
    }
}

/* Keep argv: large arguments by their blocks, the others as copies. False without memory. */
static bool
keep_arguments(struct request *request, struct transaction *transaction, struct queued *queued)
{
    struct arena *memory = &transaction->memory;
    if (request->block_count > 0) {
        queued->blocks = arena_calloc(memory, request->block_count, sizeof(*queued->blocks));
        if (queued->blocks == NULL) {
            return false;
        }
    }
    for (size_t i = 0; i < request->argc; i++) {
        struct slice argument = request->argv[i];
        struct block *block = argument_block(request, argument);
        if (block == NULL && !arena_copy(memory, argument, &queued->argv[i])) {
            return false;
        }
        if (block != NULL) {
            queued->argv[i] = argument;
            queued->blocks[queued->block_count++] = block_ref(block);
            transaction->block_size += argument.size;
        }
    }
    return memory->used_max == 0 || transaction->block_size <= memory->used_max - memory->used;
}

bool
transaction_queue(struct request *request)
{
    struct transaction *transaction = request->session->transaction;
    transaction->memory.used_max =
        (size_t)config_number(request->server->config, CONFIG_CLIENT_QUERY_BUFFER_LIMIT);
    struct queued *queued = arena_alloc(&transaction->memory,
                                        sizeof(*queued) + request->argc * sizeof(struct slice));
    if (queued == NULL) {
        return false;
    }
    *queued = (struct queued){.command = request->command, .argc = request->argc};
    if (!keep_arguments(request, transaction, queued)) {
        let_go(queued);
        return false;
    }
    if (transaction->last != NULL) {
        transaction->last->next = queued;
    } else {
        transaction->first = queued;
    }
    transaction->last = queued;
    transaction->count++;
    transaction->may_grow |= (request->command->flags & COMMAND_DENY_OOM) != 0;
    atomic_store_explicit(&request->session->queued_count, (uint32_t)transaction->count + 1,
                          memory_order_relaxed);
    return true;
}

static void
clear_queue(struct session *session)
{
    struct transaction *transaction = session->transaction;
    transaction->is_active = false;
    transaction->is_failed = false;
    transaction->may_grow = false;
    transaction->block_size = 0;
    for (struct queued *queued = transaction->first; queued != NULL; queued = queued->next) {
        let_go(queued);
    }
    transaction->first = transaction->last = NULL;
    transaction->count = 0;
    arena_fini(&transaction->memory);
    arena_init(&transaction->memory, 0);
    atomic_store_explicit(&session->queued_count, 0, memory_order_relaxed);
}

/* The watched keys' shards are locked. */
static void
unwatch_locked(struct server *server, struct session *session)
{
    struct transaction *transaction = session->transaction;
    struct watched *watched = transaction->watched;
    while (watched != NULL) {
        struct watched *next = watched->next;
        keyspace_unwatch_locked(server->keyspace, &watched->node);
        free(watched);
        watched = next;
    }
    transaction->watched = NULL;
    atomic_store(&transaction->is_dirty, false);
    atomic_store_explicit(&session->watched_count, 0, memory_order_relaxed);
}

static void
add_watched(const struct transaction *transaction, struct shard_set *shards)
{
    for (const struct watched *watched = transaction->watched; watched != NULL;
         watched = watched->next) {
        shard_set_add(shards, &watched->node.key);
    }
}

static void
unwatch(struct server *server, struct session *session)
{
    if (session->transaction == NULL || session->transaction->watched == NULL) {
        return;
    }
    struct shard_set shards;
    shard_set_clear(&shards);
    add_watched(session->transaction, &shards);
    keyspace_lock_set(server->keyspace, &shards);
    unwatch_locked(server, session);
    keyspace_unlock_set(server->keyspace, &shards);
}

void
transaction_reset(struct request *request)
{
    if (request->session->transaction != NULL) {
        unwatch(request->server, request->session);
        clear_queue(request->session);
    }
}

void
transaction_close(struct server *server, struct session *session)
{
    if (session->transaction != NULL) {
        unwatch(server, session);
        clear_queue(session);
        arena_fini(&session->transaction->memory);
        free(session->transaction);
        session->transaction = NULL;
    }
}

void
cmd_multi(struct request *request)
{
    struct transaction *transaction = transaction_get(request->session);
    if (transaction == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    if (transaction->is_active) {
        reply_error(request->reply, "ERR MULTI calls can not be nested");
        return;
    }
    transaction->is_active = true;
    atomic_store_explicit(&request->session->queued_count, 1, memory_order_relaxed);
    reply_ok(request->reply);
}

void
cmd_discard(struct request *request)
{
    if (!transaction_is_active(request->session)) {
        reply_error(request->reply, "ERR DISCARD without MULTI");
        return;
    }
    transaction_reset(request);
    reply_ok(request->reply);
}

/*
 * Watching twice is harmless, so only the latest few are looked through: a client that watches
 * many keys must not make this quadratic.
 */
static bool
is_watched(const struct transaction *transaction, const struct key *key)
{
    const struct watched *watched = transaction->watched;
    for (size_t i = 0; i < WATCHED_LOOKED_AT && watched != NULL; i++) {
        if (watched->node.key.db == key->db && slice_equal(watched->node.key.name, key->name)) {
            return true;
        }
        watched = watched->next;
    }
    return false;
}

void
cmd_watch(struct request *request)
{
    if (transaction_is_active(request->session)) {
        reply_error(request->reply, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    struct transaction *transaction = transaction_get(request->session);
    for (size_t i = 0; transaction != NULL && i < request->key_count; i++) {
        const struct key *key = &request->keys[i];
        if (is_watched(transaction, key)) {
            continue;
        }
        /* A key that has expired already is gone now, not later under the watcher's eyes. */
        (void)keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
        struct watched *watched = calloc(1, sizeof(*watched));
        if (watched == NULL || !keyspace_watch_locked(request->server->keyspace, &watched->node,
                                                      key, &transaction->is_dirty)) {
            free(watched);
            transaction = NULL;
            break;
        }
        watched->next = transaction->watched;
        transaction->watched = watched;
        atomic_fetch_add_explicit(&request->session->watched_count, 1, memory_order_relaxed);
    }
    if (transaction == NULL) {
        reply_out_of_memory(request->reply);
    } else {
        reply_ok(request->reply);
    }
}

void
cmd_unwatch(struct request *request)
{
    unwatch(request->server, request->session);
    reply_ok(request->reply);
}

/* What a queued command needs locked; everything when it may change what follows means. What it
 * is about to store is packed. */
static bool
prepare(struct request *request, struct queued *queued, struct shard_set *shards)
{
    struct request probe = *request;
    probe.command = queued->command;
    probe.argc = queued->argc;
    probe.argv = queued->argv;
    if ((queued->command->flags & (COMMAND_ALL_SHARDS | COMMAND_KEYSPACE)) != 0) {
        shard_set_add_all(shards, request->server->keyspace);
        return true;
    }
    if (!dispatch_find_keys(&probe)) {
        return false;
    }
    for (size_t i = 0; i < probe.key_count; i++) {
        shard_set_add(shards, &probe.keys[i]);
    }
    if (request->is_packing) {
        value_pack(&probe);
        queued->packed = probe.packed;
    }
    return true;
}

static void
run_queued(struct request *request, const struct transaction *transaction, bool all_locked)
{
    struct arena scratch; /* of one command at a time: there may be many */
    arena_init(&scratch, 0);
    reply_array(request->reply, transaction->count);
    for (const struct queued *queued = transaction->first; queued != NULL;
         queued = queued->next) {
        struct request each = *request;
        each.arena = &scratch;
        each.exec_arena = request->arena;
        each.command = queued->command;
        each.argc = queued->argc;
        each.argv = queued->argv;
        each.blocks = queued->blocks;
        each.block_count = queued->block_count;
        each.block_next = 0;
        each.packed = queued->packed;
        each.is_in_exec = true;
        each.all_locked = all_locked;
        if (dispatch_find_keys(&each)) {
            dispatch_locked(&each);
            request->end_ticks = each.end_ticks;
            if (each.value_state != NULL) {
                value_end(&each); /* locked, but what it frees was made locked, too */
            }
        } else {
            reply_out_of_memory(request->reply);
        }
        CHECK(!each.is_parked);
        arena_clear(&scratch);
    }
    arena_fini(&scratch);
}

void
cmd_exec(struct request *request)
{
    struct session *session = request->session;
    struct transaction *transaction = session->transaction;
    if (!transaction_is_active(session)) {
        reply_error(request->reply, "ERR EXEC without MULTI");
        return;
    }
    if (transaction->is_failed) {
        transaction_reset(request);
        reply_error(request->reply,
                    "EXECABORT Transaction discarded because of previous errors.");
        return;
    }
    struct keyspace *keyspace = request->server->keyspace;
    struct shard_set shards;
    shard_set_clear(&shards);
    bool all_locked = false;
    for (struct queued *queued = transaction->first; queued != NULL; queued = queued->next) {
        if (!prepare(request, queued, &shards)) {
            transaction_reset(request);
            reply_out_of_memory(request->reply);
            return;
        }
        all_locked |= (queued->command->flags & (COMMAND_ALL_SHARDS | COMMAND_KEYSPACE)) != 0;
    }
    add_watched(transaction, &shards);

    keyspace_lock_set(keyspace, &shards);
    for (const struct watched *watched = transaction->watched; watched != NULL;
         watched = watched->next) {
        (void)keyspace_peek_locked(keyspace, &watched->node.key, request->now_ms);
    }
    bool is_dirty = atomic_load(&transaction->is_dirty);
    unwatch_locked(request->server, session); /* its own commands must not mark it */
    if (is_dirty) {
        reply_null_array(request->reply);
    } else {
        transaction->is_active = false;
        run_queued(request, transaction, all_locked);
    }
    keyspace_unlock_set(keyspace, &shards);
    clear_queue(session);
}
