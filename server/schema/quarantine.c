#include "server/schema/quarantine.h"

#include "proto/base/check.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <xxhash.h>

/*
 * Every record is in two lists: the chain of its bucket (newest first), and the list of all by
 * age. The table only grows; it is small beside the records.
 */
enum { BUCKETS_MIN = 64 };

struct quarantined {
    struct quarantined *next; /* in the bucket */
    struct quarantined *older;
    struct quarantined *newer;
    uint64_t hash;                   /* of database and key */
    size_t size;                     /* of the whole allocation */
    struct quarantine_record record; /* its slices lie behind */
    char bytes[];
};

struct quarantine {
    pthread_mutex_t mutex;
    atomic_size_t count;          /* [atomic] changed under the mutex */
    struct quarantined **buckets; /* [mutex] */
    size_t bucket_count;          /* a power of two */
    struct quarantined *oldest;
    struct quarantined *newest;
    atomic_size_t size; /* [atomic] changed under the mutex */
    uint64_t dropped;
};

struct quarantine *
quarantine_new(void)
{
    struct quarantine *quarantine = calloc(1, sizeof(*quarantine));
    struct quarantined **buckets = calloc(BUCKETS_MIN, sizeof(struct quarantined *));
    if (quarantine == NULL || buckets == NULL) {
        free(quarantine);
        free(buckets);
        return NULL;
    }
    CHECK(pthread_mutex_init(&quarantine->mutex, NULL) == 0);
    quarantine->buckets = buckets;
    quarantine->bucket_count = BUCKETS_MIN;
    return quarantine;
}

void
quarantine_free(struct quarantine *quarantine)
{
    if (quarantine == NULL) {
        return;
    }
    for (struct quarantined *at = quarantine->oldest, *next; at != NULL; at = next) {
        next = at->newer;
        free(at);
    }
    pthread_mutex_destroy(&quarantine->mutex);
    free(quarantine->buckets);
    free(quarantine);
}

size_t
quarantine_size(const struct quarantine *quarantine)
{
    return atomic_load_explicit(&quarantine->size, memory_order_relaxed);
}

const atomic_size_t *
quarantine_gate(const struct quarantine *quarantine)
{
    return &quarantine->count;
}

static uint64_t
hash_key(uint32_t db, struct slice key)
{
    return XXH3_64bits_withSeed(key.data, key.size, db);
}

static struct quarantined **
bucket(const struct quarantine *quarantine, uint64_t hash)
{
    return &quarantine->buckets[hash & (quarantine->bucket_count - 1)];
}

static bool
is_of_key(const struct quarantined *at, uint64_t hash, uint32_t db, struct slice key)
{
    return at->hash == hash && at->record.db == db && slice_equal(at->record.key, key);
}

static bool
is_over(const struct quarantined *at, int64_t now_ms)
{
    return at->record.expiry_ms != KEYSPACE_EXPIRY_NONE && at->record.expiry_ms <= now_ms;
}

static void
link_bucket_locked(struct quarantine *quarantine, struct quarantined *at)
{
    struct quarantined **head = bucket(quarantine, at->hash);
    at->next = *head;
    *head = at;
}

static void
unlink_bucket_locked(struct quarantine *quarantine, struct quarantined *at)
{
    struct quarantined **link = bucket(quarantine, at->hash);
    while (*link != at) {
        link = &(*link)->next;
    }
    *link = at->next;
}

/* Out of all lists; the caller frees it, better after the mutex. */
static void
unlink_locked(struct quarantine *quarantine, struct quarantined *at)
{
    unlink_bucket_locked(quarantine, at);
    *(at->older != NULL ? &at->older->newer : &quarantine->oldest) = at->newer;
    *(at->newer != NULL ? &at->newer->older : &quarantine->newest) = at->older;
    quarantine->size -= at->size;
    atomic_fetch_sub_explicit(&quarantine->count, 1, memory_order_relaxed);
}

/* Unlink and gather what is to be freed after the mutex is given up. */
static void
take_out_locked(struct quarantine *quarantine, struct quarantined *at,
                struct quarantined **garbage)
{
    unlink_locked(quarantine, at);
    at->next = *garbage;
    *garbage = at;
}

static void
free_chain(struct quarantined *at)
{
    while (at != NULL) {
        struct quarantined *next = at->next;
        free(at);
        at = next;
    }
}

static void
grow_locked(struct quarantine *quarantine)
{
    size_t count = quarantine->bucket_count * 2;
    struct quarantined **buckets = calloc(count, sizeof(struct quarantined *));
    if (buckets == NULL) {
        return; /* longer chains will do */
    }
    free(quarantine->buckets);
    quarantine->buckets = buckets;
    quarantine->bucket_count = count;
    for (struct quarantined *at = quarantine->oldest; at != NULL; at = at->newer) {
        link_bucket_locked(quarantine, at);
    }
}

struct quarantined *
quarantine_prepare(const struct quarantine_record *record)
{
    const struct value *value = &record->value;
    struct quarantined *at =
        malloc(sizeof(*at) + record->key.size + value->body.size + value->complement.size);
    if (at == NULL) {
        return NULL;
    }
    at->next = NULL;
    at->record = *record;
    at->hash = hash_key(record->db, record->key);
    at->size = malloc_usable_size(at);
    char *end = at->bytes;
    struct slice *const slices[] = {&at->record.key, &at->record.value.body,
                                    &at->record.value.complement};
    for (size_t i = 0; i < sizeof(slices) / sizeof(*slices); i++) {
        if (slices[i]->size > 0) {
            memcpy(end, slices[i]->data, slices[i]->size);
        }
        slices[i]->data = end;
        end += slices[i]->size;
    }
    return at;
}

void
quarantine_discard(struct quarantined *prepared)
{
    free_chain(prepared);
}

/* The record of the same key, schema and version that <at> replaces; NULL: none. */
static struct quarantined *
find_twin_locked(const struct quarantine *quarantine, const struct quarantined *at)
{
    struct quarantined *other = *bucket(quarantine, at->hash);
    while (other != NULL && !(is_of_key(other, at->hash, at->record.db, at->record.key) &&
                              other->record.value.schema == at->record.value.schema &&
                              other->record.value.version == at->record.value.version)) {
        other = other->next;
    }
    return other;
}

void
quarantine_add(struct quarantine *quarantine, struct quarantined *prepared, size_t size_max)
{
    struct quarantined *garbage = NULL;
    pthread_mutex_lock(&quarantine->mutex);
    struct quarantined *twin = find_twin_locked(quarantine, prepared);
    if (twin != NULL) {
        take_out_locked(quarantine, twin, &garbage);
    }
    if (atomic_load_explicit(&quarantine->count, memory_order_relaxed) >=
        quarantine->bucket_count) {
        grow_locked(quarantine);
    }
    link_bucket_locked(quarantine, prepared);
    prepared->newer = NULL;
    prepared->older = quarantine->newest;
    *(quarantine->newest != NULL ? &quarantine->newest->newer : &quarantine->oldest) = prepared;
    quarantine->newest = prepared;
    quarantine->size += prepared->size;
    atomic_fetch_add_explicit(&quarantine->count, 1, memory_order_relaxed);
    while (quarantine->size > size_max && quarantine->oldest != NULL) {
        take_out_locked(quarantine, quarantine->oldest, &garbage);
        quarantine->dropped++;
    }
    pthread_mutex_unlock(&quarantine->mutex);
    free_chain(garbage);
}

/* Gather the records of a key that are of <schema> (0: any). */
static size_t
take_key_locked(struct quarantine *quarantine, uint32_t schema, uint32_t db, struct slice key,
                struct quarantined **garbage)
{
    size_t count = 0;
    uint64_t hash = hash_key(db, key);
    for (struct quarantined *at = *bucket(quarantine, hash), *next; at != NULL; at = next) {
        next = at->next;
        if (is_of_key(at, hash, db, key) &&
            (schema == 0 || at->record.value.schema == schema)) {
            take_out_locked(quarantine, at, garbage);
            count++;
        }
    }
    return count;
}

/* Gather whatever is of <schema> (0: any) and <db> (NULL: any); O(records). */
static size_t
take_all_locked(struct quarantine *quarantine, uint32_t schema, const uint32_t *db,
                struct quarantined **garbage)
{
    size_t count = 0;
    for (struct quarantined *at = quarantine->oldest, *next; at != NULL; at = next) {
        next = at->newer;
        if ((schema == 0 || at->record.value.schema == schema) &&
            (db == NULL || at->record.db == *db)) {
            take_out_locked(quarantine, at, garbage);
            count++;
        }
    }
    return count;
}

size_t
quarantine_drop(struct quarantine *quarantine, uint32_t schema, const uint32_t *db,
                const struct slice *key)
{
    struct quarantined *garbage = NULL;
    pthread_mutex_lock(&quarantine->mutex);
    size_t count = key != NULL && db != NULL
                       ? take_key_locked(quarantine, schema, *db, *key, &garbage)
                       : take_all_locked(quarantine, schema, db, &garbage);
    pthread_mutex_unlock(&quarantine->mutex);
    free_chain(garbage);
    return count;
}

void
quarantine_on_remove(void *context, uint32_t db, const struct key *key)
{
    const uint32_t *of_db = db == UINT32_MAX ? NULL : &db;
    (void)quarantine_drop(context, 0, of_db, key == NULL ? NULL : &key->name);
}

struct quarantined *
quarantine_detach(struct quarantine *quarantine, const struct key *key)
{
    struct quarantined *detached = NULL;
    if (atomic_load_explicit(&quarantine->count, memory_order_relaxed) != 0) {
        pthread_mutex_lock(&quarantine->mutex);
        (void)take_key_locked(quarantine, 0, key->db, key->name, &detached);
        pthread_mutex_unlock(&quarantine->mutex);
    }
    return detached;
}

/*
 * A record's key is part of its allocation, so it is copied under the new name; one for which
 * there is no memory is lost. Detaching gathered newest first and pushed in front, so the chain
 * is oldest first, as it should be added.
 */
void
quarantine_attach(struct quarantine *quarantine, struct quarantined *detached,
                  const struct key *key)
{
    for (const struct quarantined *at = detached; at != NULL; at = at->next) {
        struct quarantine_record record = at->record;
        record.db = key->db;
        record.key = key->name;
        struct quarantined *copy = quarantine_prepare(&record);
        if (copy != NULL) {
            quarantine_add(quarantine, copy, SIZE_MAX);
        }
    }
    free_chain(detached);
}

void
quarantine_expire(struct quarantine *quarantine, const struct key *key, int64_t expiry_ms)
{
    if (atomic_load_explicit(&quarantine->count, memory_order_relaxed) == 0) {
        return;
    }
    uint64_t hash = hash_key(key->db, key->name);
    pthread_mutex_lock(&quarantine->mutex);
    for (struct quarantined *at = *bucket(quarantine, hash); at != NULL; at = at->next) {
        if (is_of_key(at, hash, key->db, key->name)) {
            at->record.expiry_ms = expiry_ms;
        }
    }
    pthread_mutex_unlock(&quarantine->mutex);
}

void
quarantine_swap(struct quarantine *quarantine, uint32_t a, uint32_t b)
{
    pthread_mutex_lock(&quarantine->mutex);
    for (struct quarantined *at = quarantine->oldest; at != NULL; at = at->newer) {
        if (at->record.db == a || at->record.db == b) {
            unlink_bucket_locked(quarantine, at);
            at->record.db = at->record.db == a ? b : a;
            at->hash = hash_key(at->record.db, at->record.key);
            link_bucket_locked(quarantine, at);
        }
    }
    pthread_mutex_unlock(&quarantine->mutex);
}

void
quarantine_each(struct quarantine *quarantine, uint32_t schema, const uint32_t *db,
                size_t count, int64_t now_ms, quarantine_on_record *on_record, void *context)
{
    struct quarantined *garbage = NULL;
    pthread_mutex_lock(&quarantine->mutex);
    for (struct quarantined *at = quarantine->newest, *next; at != NULL && count > 0;
         at = next) {
        next = at->older;
        if (is_over(at, now_ms)) {
            take_out_locked(quarantine, at, &garbage);
        } else if (at->record.value.schema == schema && (db == NULL || at->record.db == *db)) {
            on_record(context, &at->record);
            count--;
        }
    }
    pthread_mutex_unlock(&quarantine->mutex);
    free_chain(garbage);
}

struct quarantined *
quarantine_take(struct quarantine *quarantine, uint32_t schema, uint32_t db, struct slice key,
                int64_t now_ms)
{
    struct quarantined *garbage = NULL;
    struct quarantined *found = NULL;
    uint64_t hash = hash_key(db, key);
    pthread_mutex_lock(&quarantine->mutex);
    for (struct quarantined *at = *bucket(quarantine, hash), *next; at != NULL && found == NULL;
         at = next) {
        next = at->next;
        if (!is_of_key(at, hash, db, key) || at->record.value.schema != schema) {
            continue;
        }
        if (is_over(at, now_ms)) {
            take_out_locked(quarantine, at, &garbage);
        } else {
            unlink_locked(quarantine, at);
            at->next = NULL;
            found = at;
        }
    }
    pthread_mutex_unlock(&quarantine->mutex);
    free_chain(garbage);
    return found;
}

void
quarantined_record(const struct quarantined *quarantined, struct quarantine_record *ret_record)
{
    *ret_record = quarantined->record;
}

void
quarantine_stats(struct quarantine *quarantine, struct quarantine_stats *ret_stats)
{
    pthread_mutex_lock(&quarantine->mutex);
    ret_stats->records = atomic_load_explicit(&quarantine->count, memory_order_relaxed);
    ret_stats->size =
        quarantine->size + quarantine->bucket_count * sizeof(struct quarantined *);
    ret_stats->dropped = quarantine->dropped;
    pthread_mutex_unlock(&quarantine->mutex);
}
