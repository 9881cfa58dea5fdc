/*
 * request - one command being run: what a handler is given.
 *
 * dispatch() finds the row in commands.def, passes the gates, computes the keys, and calls the
 * handler between begin and end: in between the shards of the row's KEYS are locked (all shards
 * for ALL_SHARDS, none for rows without keys, unless EXEC runs it). Handlers read argv, call
 * the store, answer through reply_*; they write no bytes, read no clock, take no locks.
 */
#ifndef SERVER_CMD_REQUEST_H
#define SERVER_CMD_REQUEST_H

#include "proto/base/arena.h"
#include "server/cmd/reply.h"
#include "server/cmd/session.h"
#include "server/core/config.h"
#include "server/core/counters.h"
#include "server/core/ticks.h"
#include "server/store/keyspace.h"

struct registry;        /* server/schema/registry.h: one immutable epoch of schemas, releases */
struct registry_holder; /* the current epoch, its file, and how epochs change */
struct quarantine;      /* server/schema/quarantine.h */
struct sweep;           /* server/schema/sweep.h */
struct memo;            /* server/schema/memo.h */
struct background;      /* server/schema/background.h: long work over live records */
struct backfill;        /* server/schema/backfill.h */
struct collector;       /* server/cmd/collector.h */
struct mapping;         /* server/schema/mapping.h: releases of listeners and databases */
struct value_state;     /* server/cmd/value.c */
struct slowlog;         /* server/cmd/slowlog.h */
struct compression;     /* server/cmd/compression.h */
struct evictor;         /* server/store/eviction.h */
struct server;

enum { REQUEST_ARGC_MAX = 1024 * 1024 };

struct request {
    struct server *server;
    struct session *session;
    const struct command *command;
    struct reply *reply;
    size_t argc;
    const struct slice *argv; /* argv[0] as sent; borrowed until the handler returns */
    struct block *const
        *blocks; /* [borrowed] of large arguments, ascending: argument_block() */
    size_t block_count;
    size_t block_next;      /* where argument_block() looks first */
    const struct key *keys; /* of the row's KEYS, in order of argv */
    size_t key_count;
    uint64_t end_ticks;       /* for dispatch: when the handler before this one ended */
    uint64_t slow_ticks;      /* what takes longer may be one for the slow log */
    struct key *key_room;     /* for dispatch: where a single key may be put; NULL: nowhere */
    uint32_t db;              /* keyspace database: the SELECTed one, or what it is mapped to */
    int64_t now_ms;           /* fixed for the request, and for all of an EXEC */
    struct arena *arena;      /* scratch, cleared after the reply */
    struct arena *exec_arena; /* inside EXEC: that of EXEC itself */
    struct slice *packed; /* value.h's; of a STORES command while packing is on, else NULL */
    const struct registry *registry; /* fixed likewise */
    bool has_schemas;                /* in <registry> */
    bool is_packing;                 /* server->is_packing, likewise */
    struct counters *counters;       /* the worker's */
    unsigned worker_index;
    bool is_in_exec;    /* inside EXEC: locks are held for the whole of it */
    bool all_locked;    /* every shard is locked: pass on to keyspace_scan() and the like */
    bool is_parked;     /* set by a handler that will answer later: request_park() */
    bool may_run_again; /* set by dispatch: value.h, "Translation outside the lock" */
    struct value_state *value_state; /* value.c's own, in <arena>; NULL to begin with */
};

typedef void command_handler(struct request *request);

enum command_flags {
    COMMAND_READ = 1 << 0,
    COMMAND_WRITE = 1 << 1,
    COMMAND_FAST = 1 << 2, /* O(1) or O(log N) */
    COMMAND_ADMIN = 1 << 3,
    COMMAND_NO_AUTH = 1 << 4,  /* runs before AUTH */
    COMMAND_NO_MULTI = 1 << 5, /* refused inside MULTI */
    COMMAND_NOW = 1 << 6,      /* runs at once inside MULTI: EXEC, DISCARD, MULTI, WATCH ... */
    COMMAND_ALL_SHARDS = 1 << 7, /* dispatch locks the whole keyspace: FLUSHALL, SWAPDB */
    COMMAND_KEYSPACE = 1 << 8,   /* walks shard by shard itself: SCAN, KEYS; EXEC locks all */
    COMMAND_DENY_OOM = 1 << 9,   /* may grow memory */
    COMMAND_CONTAINER = 1 << 10, /* has subcommands: rows named "PARENT|CHILD" */
    COMMAND_NO_SCRIPT = 1 << 11,
    COMMAND_MAY_PARK = 1 << 12, /* may answer later */
    COMMAND_VIEWS = 1 << 13,    /* reads, by value_read() and value_peek() of its keys alone */
    COMMAND_STORES = 1 << 14,   /* what follows a key in argv, or stands last, is its value */
};

/* Where keys stand in argv, as in Redis' COMMAND: first, last (negative: from the end), step.
 */
struct command_keys {
    int16_t first; /* 0: none */
    int16_t last;
    int16_t step;
};

struct command {
    const char *name; /* upper case; "CLIENT|SETNAME" for a subcommand */
    command_handler *handler;
    int arity; /* argc, or -minimum; counts the parent's name, too */
    unsigned flags;
    struct command_keys keys;
    const char *family; /* string, hash, generic, connection, server, transactions, schema */
    const char *since;
    const char *cost;
    const char *summary;
    size_t name_size;
};

/* Case does not matter. NULL: unknown. For "CLIENT" and the like the container's row. */
const struct command *command_find(struct slice name);
const struct command *command_find_sub(const struct command *container, struct slice name);
const struct command *command_at(size_t index); /* NULL past the end; rows of commands.def */
size_t command_count(void);
size_t command_row(const struct command *command); /* its index */

/* Indices in argv of the keys; at most argc of them are written. Returns the count. */
size_t command_key_indices(const struct command *command, size_t argc, size_t *ret_indices);

/* How often a command was run, and for how long; written by one worker: relaxed. */
struct command_use {
    _Atomic uint64_t calls;
    _Atomic uint64_t ticks; /* server/core/ticks.h */
};

/* Shared state of the whole server; the composition root (server/server.c) builds it. */
struct server {
    struct config *config;
    struct keyspace *keyspace;
    struct registry_holder *registries;
    struct mapping *mapping;
    struct quarantine *quarantine;
    struct sweep *sweep; /* server/schema/sweep.h */
    struct background *background;
    struct backfill *backfill;   /* server/schema/backfill.h */
    struct memo **memos;         /* one per worker */
    _Atomic uint64_t memo_bytes; /* that they hold together */
    struct collector *collector;
    struct slowlog *slowlog;
    struct compression *compression;
    atomic_bool is_packing;         /* values may be packed: compression has begun, once */
    struct directory **directories; /* one per worker */
    struct counters *counters; /* one set per worker; [worker_count] is the main thread's */
    unsigned worker_count;
    _Atomic uint64_t memory_limit; /* maxmemory in bytes; 0: none */
    struct evictor *evictors;      /* one per thread, as <counters> */
    int64_t start_ms;
    char run_id[41];
    struct command_use *command_uses; /* [worker * command_count() + row] */

    /* Set by net/: what commands need from it. Any thread. */
    void (*kill_session)(struct server *server,
                         struct session *session); /* under its directory */
    void (*shutdown)(struct server *server);       /* begin an orderly stop, like SIGTERM */
    uint64_t (*connection_count)(struct server *server);
    void (*wake_workers)(struct server *server, void (*on_all_passed)(void *context),
                         void *context);
    /* Run <work> on a pool thread, then <after> on a thread that may call the above. */
    void (*run_blocking)(struct server *server, void (*work)(void *context),
                         void (*after)(void *context), void *context);
    atomic_bool is_compacting; /* set by net/: holes in memory are being closed */
    atomic_bool is_stopping;   /* set by net/: long work in the background ends soon */
    void *net;                 /* net/'s own */
};

/*
 * Answer later. The connection runs nothing more until request_resume(), called once from any
 * thread with the reply's bytes in the RESP version of the session (copied). A connection that
 * went away meanwhile makes the resume a no-op. Only rows with MAY_PARK, never inside EXEC.
 */
struct parked {
    struct server *server;
    uint64_t session_id;
    unsigned worker_index;
    unsigned resp;
};
struct parked request_park(struct request *request);
void request_resume(const struct parked *parked, struct slice reply);

/* The entry of <key>, as an access of this request: CLIENT NO-TOUCH is heeded. */
static inline struct entry *
request_find(struct request *request, const struct key *key)
{
    struct keyspace *keyspace = request->server->keyspace;
    if (__builtin_expect(
            atomic_load_explicit(&request->session->is_no_touch, memory_order_relaxed), 0)) {
        return keyspace_look_locked(keyspace, key, request->now_ms);
    }
    return keyspace_find_locked(keyspace, key, request->now_ms);
}

#endif
