#include "server/schema/registry_draft.h"

#include "proto/base/check.h"

#include <pthread.h>
#include <stdlib.h>

/* An epoch that was replaced, but may still be held by a worker. */
struct retired {
    struct registry *registry;
    struct retired *next;
};

struct registry_holder {
    atomic_bool wants_compression;
    atomic_uint_least64_t change_count;
    _Atomic(struct registry *) current; /* [atomic] stored under <mutex> */
    _Atomic uint64_t epoch;             /* [atomic] of <current> */
    pthread_mutex_t mutex;              /* serializes changes, held while the disk is busy */
    char *directory;                    /* [const] [owned] */
    pthread_mutex_t retired_mutex;
    struct retired *retired; /* [retired_mutex] */
};

static struct registry *
load(const char *directory, struct buffer *ret_error)
{
    struct registry *registry = NULL;
    struct draft draft;
    struct buffer file;
    bool found;
    buffer_init(&file, 0);
    char *path = realpath(directory, NULL); /* for people: the server calls it "." */
    buffer_printf(ret_error, "%s/segue-registry: ", path == NULL ? directory : path);
    free(path);
    size_t prefix_size = ret_error->size;
    if (!registry_file_read(directory, &file, &found, ret_error)) {
        goto done;
    }
    bool ready = found ? registry_file_decode(buffer_slice(&file), &draft, ret_error)
                       : draft_init(&draft, 0, 0);
    if (ready) {
        draft.epoch = found ? draft.epoch : 1;
        registry = registry_new(&draft);
        draft_fini(&draft);
    }
    if (registry == NULL && ret_error->size == prefix_size) {
        buffer_append_string(ret_error, "no memory");
    }
done:
    if (registry == NULL) {
        buffer_append_string(ret_error,
                             ". Put back a good copy of this file (the same schemas and "
                             "releases), or move it away to start without schemas and put "
                             "them again.");
    } else {
        buffer_clear(ret_error);
    }
    buffer_fini(&file);
    return registry;
}

/* For those that cannot look into an epoch. */
static void
note_change(struct registry_holder *holder, const struct registry *registry)
{
    bool wants = false;
    for (size_t i = 0; i < registry_schema_count(registry); i++) {
        wants |= lens_schema_compression(registry_schema_at(registry, i)->lens) >
                 LENS_COMPRESSION_NONE;
    }
    atomic_store_explicit(&holder->wants_compression, wants, memory_order_relaxed);
    atomic_fetch_add_explicit(&holder->change_count, 1, memory_order_relaxed);
}

struct registry_holder *
registry_open(const char *directory, struct buffer *ret_error)
{
    struct registry_holder *holder = calloc(1, sizeof(*holder));
    char *copy = strdup(directory);
    struct registry *registry = load(directory, ret_error);
    if (holder == NULL || copy == NULL || registry == NULL) {
        if (registry != NULL) {
            buffer_append_string(ret_error, "no memory for the registry");
        }
        registry_free(registry);
        free(copy);
        free(holder);
        return NULL;
    }
    CHECK(pthread_mutex_init(&holder->mutex, NULL) == 0);
    CHECK(pthread_mutex_init(&holder->retired_mutex, NULL) == 0);
    holder->directory = copy;
    atomic_init(&holder->current, registry);
    atomic_init(&holder->epoch, registry_epoch(registry));
    note_change(holder, registry);
    return holder;
}

bool
registry_wants_compression(const struct registry_holder *holder)
{
    return atomic_load_explicit(&holder->wants_compression, memory_order_relaxed);
}

uint64_t
registry_change_count(const struct registry_holder *holder)
{
    return atomic_load_explicit(&holder->change_count, memory_order_relaxed);
}

void
registry_close(struct registry_holder *holder)
{
    if (holder == NULL) {
        return;
    }
    while (holder->retired != NULL) {
        registry_retire(holder, holder->retired->registry);
    }
    registry_free(atomic_load(&holder->current));
    pthread_mutex_destroy(&holder->mutex);
    pthread_mutex_destroy(&holder->retired_mutex);
    free(holder->directory);
    free(holder);
}

const struct registry *
registry_current(const struct registry_holder *holder)
{
    return atomic_load_explicit(&holder->current, memory_order_acquire);
}

uint64_t
registry_holder_epoch(const struct registry_holder *holder)
{
    return atomic_load(&holder->epoch);
}

struct registry *
registry_copy(struct registry_holder *holder)
{
    struct registry *copy = NULL;
    struct draft draft;
    if (draft_from_registry(&draft, registry_lock(holder))) {
        copy = registry_new(&draft);
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return copy;
}

void
registry_copy_free(struct registry *copy)
{
    registry_free(copy);
}

void
registry_retire(struct registry_holder *holder, const struct registry *old)
{
    if (old == NULL) {
        return;
    }
    pthread_mutex_lock(&holder->retired_mutex);
    struct retired **link = &holder->retired;
    while (*link != NULL && (*link)->registry != old) {
        link = &(*link)->next;
    }
    struct retired *found = *link;
    CHECK(found != NULL);
    *link = found->next;
    pthread_mutex_unlock(&holder->retired_mutex);
    registry_free(found->registry);
    free(found);
}

const struct registry *
registry_lock(struct registry_holder *holder)
{
    pthread_mutex_lock(&holder->mutex);
    return atomic_load(&holder->current);
}

void
registry_unlock(struct registry_holder *holder)
{
    pthread_mutex_unlock(&holder->mutex);
}

bool
registry_commit_locked(struct registry_holder *holder, struct draft *draft,
                       const struct registry **ret_old, struct buffer *ret_error)
{
    bool ok = false;
    struct buffer file;
    struct buffer reason;
    buffer_init(&file, 0);
    buffer_init(&reason, 0);
    draft->epoch++;
    struct registry *next = registry_new(draft);
    struct retired *retired = calloc(1, sizeof(*retired));
    if (next == NULL || retired == NULL || !registry_file_encode(draft, &file)) {
        buffer_append_string(ret_error, "OOM no memory to change the registry");
        goto done;
    }
    if (!registry_file_write(holder->directory, buffer_slice(&file), &reason)) {
        buffer_append_string(ret_error, "SCHEMA the file segue-registry was not saved: ");
        buffer_append_slice(ret_error, buffer_slice(&reason));
        goto done;
    }
    retired->registry = atomic_load_explicit(&holder->current, memory_order_relaxed);
    *ret_old = retired->registry;
    pthread_mutex_lock(&holder->retired_mutex);
    retired->next = holder->retired;
    holder->retired = retired;
    pthread_mutex_unlock(&holder->retired_mutex);
    atomic_store_explicit(&holder->current, next, memory_order_seq_cst);
    atomic_store(&holder->epoch, registry_epoch(next));
    note_change(holder, next);
    next = NULL;
    retired = NULL;
    ok = true;
done:
    registry_free(next);
    free(retired);
    buffer_fini(&file);
    buffer_fini(&reason);
    return ok;
}
