#include "server/schema/usage.h"

#include "proto/base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One cache line: written by one worker alone. */
struct cell {
    _Alignas(64) _Atomic uint64_t reads;
    _Atomic uint64_t writes;
    _Atomic uint64_t translations;
    _Atomic int64_t read_ms;
    _Atomic int64_t write_ms;
};

/* A cell for each worker, made when it first counts here. */
struct cells {
    _Atomic(struct cell *) workers[USAGE_WORKERS_MAX];
};

struct pair {
    unsigned to;
    struct pair *next; /* [const] once linked */
    struct cells cells;
};

struct version {
    struct cells cells;
    _Atomic(struct pair *) pairs;
};

struct failure {
    struct failure *next;
    struct usage_failure counts;
    char *keys[USAGE_SAMPLES_MAX]; /* [owned] */
};

struct usage {
    _Atomic uint32_t references;
    _Atomic int64_t connections[USAGE_VERSIONS_MAX];
    _Atomic(struct version *) versions[USAGE_VERSIONS_MAX];
    pthread_mutex_t mutex;
    struct failure *failures; /* [mutex] */
    size_t failure_count;     /* [mutex] */
};

struct usage *
usage_new(void)
{
    struct usage *usage = calloc(1, sizeof(*usage));
    if (usage == NULL) {
        return NULL;
    }
    usage->references = 1;
    CHECK(pthread_mutex_init(&usage->mutex, NULL) == 0);
    return usage;
}

struct usage *
usage_ref(struct usage *usage)
{
    atomic_fetch_add_explicit(&usage->references, 1, memory_order_relaxed);
    return usage;
}

static void
cells_fini(struct cells *cells)
{
    for (size_t i = 0; i < USAGE_WORKERS_MAX; i++) {
        free(cells->workers[i]);
    }
}

static void
version_free(struct version *version)
{
    if (version == NULL) {
        return;
    }
    cells_fini(&version->cells);
    for (struct pair *pair = version->pairs, *next; pair != NULL; pair = next) {
        next = pair->next;
        cells_fini(&pair->cells);
        free(pair);
    }
    free(version);
}

void
usage_unref(struct usage *usage)
{
    if (usage == NULL ||
        atomic_fetch_sub_explicit(&usage->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < USAGE_VERSIONS_MAX; i++) {
        version_free(usage->versions[i]);
    }
    for (struct failure *failure = usage->failures, *next; failure != NULL; failure = next) {
        next = failure->next;
        for (size_t i = 0; i < failure->counts.sample_count; i++) {
            free(failure->keys[i]);
        }
        free(failure);
    }
    pthread_mutex_destroy(&usage->mutex);
    free(usage);
}

void
usage_connect(struct usage *usage, unsigned version, int64_t change)
{
    if (version < USAGE_VERSIONS_MAX) {
        atomic_fetch_add_explicit(&usage->connections[version], change, memory_order_relaxed);
    }
}

/* Workers race to make a version; the loser frees its own. */
static struct version *
version_get(struct usage *usage, unsigned number)
{
    if (number >= USAGE_VERSIONS_MAX) {
        return NULL;
    }
    _Atomic(struct version *) *slot = &usage->versions[number];
    struct version *version = atomic_load_explicit(slot, memory_order_acquire);
    if (version == NULL) {
        struct version *fresh = calloc(1, sizeof(*fresh));
        if (fresh == NULL) {
            return NULL;
        }
        if (atomic_compare_exchange_strong_explicit(slot, &version, fresh, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return fresh;
        }
        free(fresh);
    }
    return version;
}

static struct cell *
cell_get(struct cells *cells, unsigned worker)
{
    if (worker >= USAGE_WORKERS_MAX) {
        return NULL;
    }
    struct cell *cell = atomic_load_explicit(&cells->workers[worker], memory_order_relaxed);
    if (cell == NULL) {
        cell = aligned_alloc(_Alignof(struct cell), sizeof(*cell));
        if (cell == NULL) {
            return NULL;
        }
        memset(cell, 0, sizeof(*cell));
        atomic_store_explicit(&cells->workers[worker], cell, memory_order_release);
    }
    return cell;
}

static void
add_one(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static struct cell *
version_cell(struct usage *usage, unsigned worker, unsigned number)
{
    struct version *version = version_get(usage, number);
    return version == NULL ? NULL : cell_get(&version->cells, worker);
}

void
usage_read(struct usage *usage, unsigned worker, unsigned version, int64_t now_ms)
{
    struct cell *cell = version_cell(usage, worker, version);
    if (cell != NULL) {
        add_one(&cell->reads);
        atomic_store_explicit(&cell->read_ms, now_ms, memory_order_relaxed);
    }
}

void
usage_write(struct usage *usage, unsigned worker, unsigned version, int64_t now_ms)
{
    struct cell *cell = version_cell(usage, worker, version);
    if (cell != NULL) {
        add_one(&cell->writes);
        atomic_store_explicit(&cell->write_ms, now_ms, memory_order_relaxed);
    }
}

void
usage_translated(struct usage *usage, unsigned worker, unsigned from, unsigned to)
{
    struct version *version = version_get(usage, from);
    if (version == NULL || to >= USAGE_VERSIONS_MAX) {
        return;
    }
    struct pair *first = atomic_load_explicit(&version->pairs, memory_order_acquire);
    struct pair *pair = first;
    while (pair != NULL && pair->to != to) {
        pair = pair->next;
    }
    if (pair == NULL) {
        pair = calloc(1, sizeof(*pair));
        if (pair == NULL) {
            return;
        }
        /* Two workers may add the same pair at once: readers add such twins up. */
        pair->to = to;
        do {
            pair->next = first;
        } while (!atomic_compare_exchange_weak_explicit(
            &version->pairs, &first, pair, memory_order_acq_rel, memory_order_acquire));
    }
    struct cell *cell = cell_get(&pair->cells, worker);
    if (cell != NULL) {
        add_one(&cell->translations);
    }
}

static struct failure *
failure_get_locked(struct usage *usage, unsigned from, unsigned to, enum lens_reason reason)
{
    for (struct failure *failure = usage->failures; failure != NULL; failure = failure->next) {
        if (failure->counts.from == from && failure->counts.to == to &&
            failure->counts.reason == reason) {
            return failure;
        }
    }
    if (usage->failure_count == USAGE_KINDS_MAX) {
        return NULL;
    }
    struct failure *failure = calloc(1, sizeof(*failure));
    if (failure != NULL) {
        failure->counts.from = from;
        failure->counts.to = to;
        failure->counts.reason = reason;
        failure->next = usage->failures;
        usage->failures = failure;
        usage->failure_count++;
    }
    return failure;
}

static void
sample_locked(struct failure *failure, struct slice key)
{
    struct usage_failure *counts = &failure->counts;
    key.size = key.size < USAGE_KEY_SIZE_MAX ? key.size : USAGE_KEY_SIZE_MAX;
    for (size_t i = 0; i < counts->sample_count; i++) {
        if (slice_equal(counts->samples[i], key)) {
            return;
        }
    }
    char *copy = malloc(key.size + 1);
    if (copy == NULL) {
        return;
    }
    memcpy(copy, key.data, key.size);
    if (counts->sample_count == USAGE_SAMPLES_MAX) {
        free(failure->keys[0]);
        size_t rest = USAGE_SAMPLES_MAX - 1;
        memmove(failure->keys, failure->keys + 1, rest * sizeof(*failure->keys));
        memmove(counts->samples, counts->samples + 1, rest * sizeof(*counts->samples));
        counts->sample_count = rest;
    }
    failure->keys[counts->sample_count] = copy;
    counts->samples[counts->sample_count++] = slice_make(copy, key.size);
}

void
usage_failed(struct usage *usage, unsigned from, unsigned to, enum lens_reason reason,
             struct slice key, int64_t now_ms)
{
    pthread_mutex_lock(&usage->mutex);
    struct failure *failure = failure_get_locked(usage, from, to, reason);
    if (failure != NULL) {
        failure->counts.count++;
        failure->counts.seen_ms = now_ms;
        sample_locked(failure, key);
    }
    pthread_mutex_unlock(&usage->mutex);
}

static int64_t
later(int64_t time_ms, const _Atomic int64_t *other)
{
    int64_t other_ms = atomic_load_explicit(other, memory_order_relaxed);
    return other_ms > time_ms ? other_ms : time_ms;
}

void
usage_sum(const struct usage *usage, unsigned version, struct usage_sum *ret_sum)
{
    *ret_sum = (struct usage_sum){0};
    if (version >= USAGE_VERSIONS_MAX) {
        return;
    }
    ret_sum->connections =
        atomic_load_explicit(&usage->connections[version], memory_order_relaxed);
    const struct version *found =
        atomic_load_explicit(&usage->versions[version], memory_order_acquire);
    for (size_t i = 0; found != NULL && i < USAGE_WORKERS_MAX; i++) {
        const struct cell *cell =
            atomic_load_explicit(&found->cells.workers[i], memory_order_acquire);
        if (cell != NULL) {
            ret_sum->reads += atomic_load_explicit(&cell->reads, memory_order_relaxed);
            ret_sum->writes += atomic_load_explicit(&cell->writes, memory_order_relaxed);
            ret_sum->read_ms = later(ret_sum->read_ms, &cell->read_ms);
            ret_sum->write_ms = later(ret_sum->write_ms, &cell->write_ms);
        }
    }
}

static uint64_t
pair_count(const struct pair *pair)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < USAGE_WORKERS_MAX; i++) {
        const struct cell *cell =
            atomic_load_explicit(&pair->cells.workers[i], memory_order_acquire);
        if (cell != NULL) {
            sum += atomic_load_explicit(&cell->translations, memory_order_relaxed);
        }
    }
    return sum;
}

static bool
is_first_twin(const struct pair *first, const struct pair *pair)
{
    while (first->to != pair->to) {
        first = first->next;
    }
    return first == pair;
}

void
usage_pairs(const struct usage *usage, usage_on_pair *on_pair, void *context)
{
    for (unsigned from = 0; from < USAGE_VERSIONS_MAX; from++) {
        const struct version *version =
            atomic_load_explicit(&usage->versions[from], memory_order_acquire);
        if (version == NULL) {
            continue;
        }
        const struct pair *first = atomic_load_explicit(&version->pairs, memory_order_acquire);
        for (const struct pair *pair = first; pair != NULL; pair = pair->next) {
            if (!is_first_twin(first, pair)) {
                continue;
            }
            uint64_t count = 0;
            for (const struct pair *twin = pair; twin != NULL; twin = twin->next) {
                count += twin->to == pair->to ? pair_count(twin) : 0;
            }
            on_pair(context, from, pair->to, count);
        }
    }
}

size_t
usage_failures(struct usage *usage, usage_on_failure *on_failure, void *context)
{
    pthread_mutex_lock(&usage->mutex);
    size_t count = usage->failure_count;
    for (struct failure *failure = usage->failures; failure != NULL && on_failure != NULL;
         failure = failure->next) {
        on_failure(context, &failure->counts);
    }
    pthread_mutex_unlock(&usage->mutex);
    return count;
}
