#include "server/cmd/eviction.h"

#include "server/cmd/handlers.h"
#include "server/cmd/transaction.h"
#include "server/schema/quarantine.h"
#include "server/store/dictionaries.h"
#include "server/store/eviction.h"

#include <stdlib.h>

enum {
    EVICTION_GATE_MAX = 32,        /* keys evicted by one command ... */
    EVICTION_BYTES_PER_KEY = 4096, /* ... and one more for so many bytes it brings */
    EVICTION_TICK_MAX = 64,        /* keys evicted by one call of the timer's */
    EVICTION_FREE_SLICE = 1000,    /* detached entries freed by one command */
    EVICTION_STEPS_LOG2 = 16,      /* how exact the sum of memory is: maxmemory / 65,536 ... */
    EVICTION_STEP_MAX = 64 * 1024, /* ... per shard, in bytes */
};

/* ---- directives ---- */

static void
configure(struct server *server)
{
    const struct config *config = server->config;
    uint64_t limit = (uint64_t)config_number(config, CONFIG_MAXMEMORY);
    uint64_t step = limit >> EVICTION_STEPS_LOG2;
    const struct eviction_options options = {
        .policy = (enum eviction_policy)config_number(config, CONFIG_MAXMEMORY_POLICY),
        .samples = (uint32_t)config_number(config, CONFIG_MAXMEMORY_SAMPLES),
        .lfu_log_factor = (uint32_t)config_number(config, CONFIG_LFU_LOG_FACTOR),
        .lfu_decay_minutes = (uint32_t)config_number(config, CONFIG_LFU_DECAY_TIME),
    };
    keyspace_set_eviction(server->keyspace, &options);
    keyspace_set_memory_step(server->keyspace,
                             limit == 0 || step > EVICTION_STEP_MAX ? EVICTION_STEP_MAX : step);
    atomic_store_explicit(&server->memory_limit, limit, memory_order_release);
}

static void
on_change(void *context, const struct config *config, enum config_id id)
{
    (void)config;
    (void)id;
    configure(context);
}

bool
eviction_open(struct server *server)
{
    static const enum config_id directives[] = {
        CONFIG_MAXMEMORY,      CONFIG_MAXMEMORY_POLICY, CONFIG_MAXMEMORY_SAMPLES,
        CONFIG_LFU_LOG_FACTOR, CONFIG_LFU_DECAY_TIME,
    };
    server->evictors = calloc(server->worker_count + 1, sizeof(*server->evictors));
    if (server->evictors == NULL) {
        return false;
    }
    for (unsigned i = 0; i <= server->worker_count; i++) {
        evictor_init(&server->evictors[i], (uint64_t)server->start_ms + ((uint64_t)i << 48));
    }
    configure(server);
    for (size_t i = 0; i < sizeof(directives) / sizeof(*directives); i++) {
        config_on_change(server->config, directives[i], on_change, server);
    }
    return true;
}

void
eviction_close(struct server *server)
{
    free(server->evictors);
}

/* ---- making room ---- */

uint64_t
eviction_memory(const struct server *server)
{
    return keyspace_memory(server->keyspace) + quarantine_size(server->quarantine) +
           atomic_load_explicit(&server->memo_bytes, memory_order_relaxed) +
           dictionaries_memory(keyspace_dictionaries(server->keyspace));
}

enum room { ROOM_THERE, ROOM_SOON, ROOM_NONE };

/*
 * Evict until <extra> more bytes fit, at most <victims_max> keys. SOON: that many are gone, or
 * shards were busy; there is more to evict. What is detached will be freed anyway: nothing is
 * evicted for it.
 */
static enum room
evict(struct server *server, struct evictor *evictor, uint64_t extra, size_t victims_max,
      int64_t now_ms)
{
    uint64_t limit = atomic_load_explicit(&server->memory_limit, memory_order_relaxed);
    if (limit == 0) {
        return ROOM_THERE;
    }
    bool is_hopeless = extra > limit; /* evicting everything would not help: it may stay */
    extra = is_hopeless ? 0 : extra;
    for (size_t victims = 0; eviction_memory(server) > limit - extra; victims++) {
        if (victims == victims_max) {
            return is_hopeless ? ROOM_NONE : ROOM_SOON;
        }
        switch (keyspace_evict(server->keyspace, evictor, now_ms)) {
        case EVICTION_DONE:
            break;
        case EVICTION_BUSY:
            return is_hopeless ? ROOM_NONE : ROOM_SOON;
        case EVICTION_NOTHING:
            return ROOM_NONE;
        }
    }
    uint64_t detached = keyspace_detached(server->keyspace);
    if (detached > 0 && eviction_memory(server) + detached > limit - extra) {
        (void)keyspace_free_some(server->keyspace, EVICTION_FREE_SLICE);
    }
    return is_hopeless ? ROOM_NONE : ROOM_THERE;
}

/* ---- the gate ---- */

/* Does the want of memory concern this request? <ret_extra>: bytes it brings. */
static bool
is_concerned(const struct request *request, uint64_t *ret_extra)
{
    const struct command *command = request->command;
    *ret_extra = 0;
    if (transaction_is_active(request->session)) {
        if (command->handler == cmd_exec) {
            return transaction_may_grow(request->session, ret_extra);
        }
        if (command->handler == cmd_discard || command->handler == cmd_quit ||
            command->handler == cmd_reset) {
            return false;
        }
    } else if ((command->flags & COMMAND_DENY_OOM) == 0) {
        return false;
    }
    if ((command->flags & COMMAND_DENY_OOM) != 0) {
        for (size_t i = 0; i < request->argc; i++) {
            *ret_extra += request->argv[i].size;
        }
    }
    return true;
}

bool
eviction_make_room(struct request *request)
{
    static const char text[] = "OOM command not allowed when used memory > 'maxmemory'.";
    struct server *server = request->server;
    uint64_t extra;
    if (!is_concerned(request, &extra) ||
        evict(server, &server->evictors[request->worker_index], extra,
              EVICTION_GATE_MAX + extra / EVICTION_BYTES_PER_KEY,
              request->now_ms) != ROOM_NONE) {
        return true;
    }
    if (request->command->handler == cmd_exec) {
        transaction_reset(request);
        reply_error(request->reply, "EXECABORT Transaction discarded because of: %s", text);
    } else {
        reply_error(request->reply, "%s", text);
    }
    return false;
}

bool
eviction_tick(struct server *server, int64_t now_ms)
{
    keyspace_settle_memory(server->keyspace);
    return evict(server, &server->evictors[server->worker_count], 0, EVICTION_TICK_MAX,
                 now_ms) == ROOM_SOON;
}
