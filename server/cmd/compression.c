#include "server/cmd/compression.h"

#include "server/core/clock.h"

#include <pthread.h>
#include <stdlib.h>

enum { JOB_MS = 20 }; /* of work between two ticks */

/* Rules that no worker uses once all have passed a turn. */
struct retired_rules {
    struct retired_rules *next;
    struct packing_rules *rules; /* [owned] */
};

struct compression {
    struct server *server;
    struct repack *repack;          /* [owned] */
    struct pack_context **contexts; /* [owned] one per worker, made when it is needed */
    _Atomic(struct packing_rules *) rules;
    pthread_mutex_t mutex;         /* changes of the rules */
    struct retired_rules *retired; /* [mutex] */
    struct retired_rules *leaving; /* of the job: freed after the passage */
    atomic_bool is_busy;           /* a job is under way, or workers pass */
    atomic_bool is_woken;          /* something was changed: the next walk is due at once */
    uint64_t registry_changes;     /* the main thread's: how many were seen */
    bool must_pass;                /* the job's */
};

/* ---- rules ---- */

static bool
read_rules(struct compression *compression)
{
    struct buffer text;
    buffer_init(&text, 0);
    config_string(compression->server->config, CONFIG_COMPRESSION, &text);
    struct packing_rules *before = atomic_load(&compression->rules);
    struct packing_rules *rules = packing_rules_new(buffer_slice(&text), before);
    struct retired_rules *retired = calloc(1, sizeof(*retired));
    buffer_fini(&text);
    if (rules == NULL || retired == NULL) {
        packing_rules_free(rules);
        free(retired);
        return false; /* the old ones stay */
    }
    *retired = (struct retired_rules){.next = compression->retired, .rules = before};
    compression->retired = retired;
    atomic_store(&compression->rules, rules);
    return true;
}

static void
on_change(void *context, const struct config *config, enum config_id id)
{
    (void)config;
    (void)id;
    struct compression *compression = context;
    pthread_mutex_lock(&compression->mutex);
    (void)read_rules(compression);
    pthread_mutex_unlock(&compression->mutex);
    atomic_store(&compression->is_woken, true);
}

static void
free_retired(struct retired_rules *retired)
{
    while (retired != NULL) {
        struct retired_rules *next = retired->next;
        packing_rules_free(retired->rules);
        free(retired);
        retired = next;
    }
}

/* ---- the job in the background ---- */

static void
work(void *context)
{
    struct compression *compression = context;
    pthread_mutex_lock(&compression->mutex);
    compression->leaving = compression->retired;
    compression->retired = NULL;
    const struct packing_rules *rules = atomic_load(&compression->rules);
    pthread_mutex_unlock(&compression->mutex);
    compression->must_pass = compression->leaving != NULL;
    if (!repack_is_walking(compression->repack)) {
        atomic_store(&compression->is_woken, false);
    }
    int64_t start_ms = clock_wall_ms();
    int64_t now_ms = start_ms;
    bool must_pass = false;
    enum repack_next next = REPACK_GOES_ON;
    while (next == REPACK_GOES_ON && !must_pass && now_ms - start_ms < JOB_MS &&
           now_ms >= start_ms && !atomic_load(&compression->server->is_stopping)) {
        next = repack_step(compression->repack, rules, now_ms, &must_pass);
        now_ms = clock_wall_ms();
    }
    compression->must_pass |= must_pass;
    if (repack_has_begun(compression->repack)) {
        atomic_store(&compression->server->is_packing, true);
    }
}

/* ---- life ---- */

struct compression *
compression_new(struct server *server)
{
    struct compression *compression = calloc(1, sizeof(*compression));
    if (compression == NULL) {
        return NULL;
    }
    compression->server = server;
    pthread_mutex_init(&compression->mutex, NULL);
    bool is_eager = config_number(server->config, CONFIG_COMPRESSION_EAGER) != 0;
    compression->contexts = calloc(server->worker_count, sizeof(struct pack_context *));
    compression->repack =
        repack_new(server->registries, server->keyspace,
                   (uint32_t)config_number(server->config, CONFIG_DATABASES), is_eager);
    if (compression->contexts == NULL || compression->repack == NULL ||
        !read_rules(compression)) {
        compression_free(compression);
        return NULL;
    }
    config_on_change(server->config, CONFIG_COMPRESSION, on_change, compression);
    if (is_eager) {
        work(compression); /* no request is to come before */
        free_retired(compression->leaving);
        compression->leaving = NULL;
    }
    return compression;
}

void
compression_free(struct compression *compression)
{
    if (compression == NULL) {
        return;
    }
    for (unsigned i = 0; compression->contexts != NULL && i < compression->server->worker_count;
         i++) {
        pack_context_free(compression->contexts[i]);
    }
    free(compression->contexts);
    free_retired(compression->retired);
    free_retired(compression->leaving);
    repack_free(compression->repack);
    packing_rules_free(atomic_load(&compression->rules));
    pthread_mutex_destroy(&compression->mutex);
    free(compression);
}

/* ---- for requests ---- */

const struct packing_rules *
compression_rules(const struct compression *compression)
{
    return atomic_load_explicit(&compression->rules, memory_order_acquire);
}

bool
compression_find(const struct request *request, const struct key *key,
                 struct packing_group *ret_group)
{
    return packing_find(request->registry, compression_rules(request->server->compression),
                        key->db, key->name, ret_group);
}

struct pack_context *
compression_context(struct request *request)
{
    struct pack_context **context =
        &request->server->compression->contexts[request->worker_index];
    if (*context == NULL) {
        *context = pack_context_new();
    }
    return *context;
}

struct repack *
compression_repack(const struct compression *compression)
{
    return compression->repack;
}

/* ---- when it runs ---- */

static void
on_all_passed(void *context)
{
    struct compression *compression = context;
    free_retired(compression->leaving);
    compression->leaving = NULL;
    atomic_store(&compression->is_busy, false);
}

static void
after(void *context)
{
    struct compression *compression = context;
    if (compression->must_pass && !atomic_load(&compression->server->is_stopping)) {
        compression->server->wake_workers(compression->server, on_all_passed, compression);
    } else {
        atomic_store(&compression->is_busy, false);
    }
}

/* A rest that looks longer than any means that the clock was set back. */
static bool
is_due(struct compression *compression, int64_t now_ms)
{
    int64_t left_ms = repack_rested_ms(compression->repack) - now_ms;
    return left_ms <= 0 || left_ms > REPACK_REST_MAX_MS || atomic_load(&compression->is_woken);
}

void
compression_tick(struct server *server, int64_t now_ms)
{
    struct compression *compression = server->compression;
    bool is_wanted = packing_rules_count(compression_rules(compression)) > 0 ||
                     registry_wants_compression(server->registries) ||
                     repack_has_begun(compression->repack);
    if (registry_change_count(server->registries) != compression->registry_changes) {
        compression->registry_changes = registry_change_count(server->registries);
        atomic_store(&compression->is_woken, true);
    }
    if (is_wanted && !atomic_load(&server->is_stopping) && is_due(compression, now_ms) &&
        !atomic_exchange(&compression->is_busy, true)) {
        server->run_blocking(server, work, after, compression);
    }
}
