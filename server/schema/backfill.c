#include "server/schema/backfill.h"

#include "proto/base/arena.h"
#include "proto/base/check.h"
#include "server/core/ticks.h"
#include "server/schema/background.h"
#include "server/schema/pace.h"
#include "server/schema/sweep.h"
#include "server/schema/usage.h"
#include "server/store/dictionaries.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    NAMES_MAX = 256, /* gathered by one part of the scan */
    SCAN_SIZE = 64,  /* entries looked at in it, about */
    TRIES_MAX = 3,   /* for a record that changes meanwhile */
    WAIT_US = 50000, /* until what it waits for is looked at again */
    IDLE_US = 1800 * 1000000,
};

/* Of one schema, the last. */
struct past {
    struct past *next;
    uint32_t id;
    struct backfill_report report;
};

struct backfill {
    struct background_job job; /* first */
    struct background *background;
    struct registry_holder *registries;
    struct keyspace *keyspace;
    uint32_t database_count;
    const struct sweep *sweep;
    struct backfill_host host;
    struct unpacker unpacker; /* the job's */

    pthread_mutex_t mutex;
    struct past *pasts; /* [mutex] */

    struct pace pace;

    /* What is being done; only the thread of the background. */
    struct registry *registry;            /* [owned] a copy */
    uint64_t epoch;                       /* of it */
    const struct registry_schema *schema; /* in it; NULL: nothing to do */
    uint32_t id;
    unsigned version; /* as wanted: 0 for RAW */
    struct past *past;
    uint32_t db;
    uint32_t names_db;
    uint64_t cursor;
    uint64_t active_us; /* slices and pauses of this pass */
    int64_t left_ms;    /* of the pass, by estimate; 0: not known */
    struct arena names_arena;
    struct slice *names;
    size_t name_count;
    size_t name_index;
    uint64_t seen_now;  /* entries, by the scan at work */
    struct arena arena; /* of one record */
    uint64_t paced_us;  /* of <active_us>, when the rate began to count */
    uint64_t paced_count;
};

const char *
backfill_state_name(enum backfill_state state)
{
    static const char *const names[] = {
        [BACKFILL_WAITING] = "waiting",     [BACKFILL_RUNNING] = "running",
        [BACKFILL_PAUSED] = "paused",       [BACKFILL_DONE] = "done",
        [BACKFILL_CANCELLED] = "cancelled",
    };
    return names[state];
}

/* ---- reports ---- */

/* The report of schema <id>, made where there is none; NULL without memory. */
static struct past *
find_past(struct backfill *backfill, uint32_t id)
{
    struct past *past = backfill->pasts;
    while (past != NULL && past->id != id) {
        past = past->next;
    }
    if (past == NULL && (past = calloc(1, sizeof(*past))) != NULL) {
        past->id = id;
        past->next = backfill->pasts;
        backfill->pasts = past;
    }
    return past;
}

void
backfill_announce(struct backfill *backfill, uint32_t id, unsigned version, int64_t now_ms)
{
    pthread_mutex_lock(&backfill->mutex);
    struct past *past = find_past(backfill, id);
    if (past != NULL && (past->report.end_ms != 0 || past->report.version != version ||
                         past->report.since_ms == 0)) {
        past->report = (struct backfill_report){
            .version = version, .waits_for = "its turn", .since_ms = now_ms, .left_ms = -1};
    }
    pthread_mutex_unlock(&backfill->mutex);
}

bool
backfill_report(struct backfill *backfill, uint32_t id, struct backfill_report *ret_report)
{
    pthread_mutex_lock(&backfill->mutex);
    const struct past *past = backfill->pasts;
    while (past != NULL && past->id != id) {
        past = past->next;
    }
    if (past != NULL) {
        *ret_report = past->report;
    }
    pthread_mutex_unlock(&backfill->mutex);
    return past != NULL;
}

void
backfill_sums(struct backfill *backfill, uint64_t *ret_count, uint64_t *ret_rewritten)
{
    *ret_count = 0;
    *ret_rewritten = 0;
    pthread_mutex_lock(&backfill->mutex);
    for (const struct past *past = backfill->pasts; past != NULL; past = past->next) {
        *ret_count += past->report.end_ms == 0;
        *ret_rewritten += past->report.rewritten;
    }
    pthread_mutex_unlock(&backfill->mutex);
}

static void
set_state(struct backfill *backfill, enum backfill_state state, const char *waits_for)
{
    pthread_mutex_lock(&backfill->mutex);
    backfill->past->report.state = state;
    backfill->past->report.waits_for = waits_for;
    pthread_mutex_unlock(&backfill->mutex);
}

static void
add(struct backfill *backfill, uint64_t *sum, uint64_t count)
{
    pthread_mutex_lock(&backfill->mutex);
    *sum += count;
    pthread_mutex_unlock(&backfill->mutex);
}

/* ---- what is wanted ---- */

static const struct registry_schema *
choose(const struct backfill *backfill)
{
    const struct registry_schema *wanted = NULL;
    size_t count = registry_schema_count(backfill->registry);
    for (size_t i = 0; i < count; i++) {
        const struct registry_schema *schema = registry_schema_at(backfill->registry, i);
        if (schema->rollout.backfill.state != REGISTRY_BACKFILL_RUNNING) {
            continue;
        }
        if (schema->id == backfill->id) {
            return schema; /* go on with it */
        }
        wanted = wanted == NULL ? schema : wanted;
    }
    return wanted;
}

static uint64_t
entry_count(const struct backfill *backfill)
{
    uint64_t count = 0;
    for (uint32_t db = 0; db < backfill->database_count; db++) {
        count += keyspace_size(backfill->keyspace, db);
    }
    return count;
}

/* Begin the pass over <schema>, or go on where it is the same. */
static bool
take_up(struct backfill *backfill, const struct registry_schema *schema, int64_t now_ms)
{
    const struct registry_backfill *wanted = &schema->rollout.backfill;
    bool is_same = backfill->id == schema->id && backfill->version == wanted->version &&
                   backfill->past != NULL;
    pthread_mutex_lock(&backfill->mutex);
    struct past *past = find_past(backfill, schema->id);
    if (past != NULL && !is_same) {
        past->report = (struct backfill_report){.version = wanted->version,
                                                .since_ms = now_ms,
                                                .left_ms = -1,
                                                .total = entry_count(backfill)};
    }
    if (past != NULL) {
        past->report.rate = wanted->rate;
        past->report.waits_for = "";
    }
    pthread_mutex_unlock(&backfill->mutex);
    backfill->past = past;
    backfill->paced_us = backfill->active_us;
    backfill->paced_count = past == NULL ? 0 : past->report.rewritten;
    if (past == NULL || is_same) {
        return past != NULL;
    }
    backfill->id = schema->id;
    backfill->version = wanted->version;
    backfill->db = 0;
    backfill->cursor = 0;
    backfill->name_count = backfill->name_index = 0;
    backfill->active_us = backfill->paced_us = 0;
    backfill->left_ms = 0;
    pace_begin(&backfill->pace, now_ms);
    return true;
}

/* Others that are wanted wait for their turn; those that are not are paused or given up, and
 * those of schemas that are gone forgotten. */
static void
mark_others(struct backfill *backfill, int64_t now_ms)
{
    pthread_mutex_lock(&backfill->mutex);
    size_t count = registry_schema_count(backfill->registry);
    for (size_t i = 0; i < count; i++) {
        const struct registry_schema *schema = registry_schema_at(backfill->registry, i);
        const struct registry_backfill *wanted = &schema->rollout.backfill;
        struct past *past =
            schema == backfill->schema || wanted->state == REGISTRY_BACKFILL_NONE
                ? NULL
                : find_past(backfill, schema->id);
        if (past == NULL) {
            continue;
        }
        if (past->report.version != wanted->version || past->report.end_ms != 0 ||
            past->report.since_ms == 0) {
            past->report = (struct backfill_report){
                .version = wanted->version, .since_ms = now_ms, .left_ms = -1};
        }
        past->report.rate = wanted->rate;
        past->report.state =
            wanted->state == REGISTRY_BACKFILL_PAUSED ? BACKFILL_PAUSED : BACKFILL_WAITING;
        past->report.waits_for =
            wanted->state == REGISTRY_BACKFILL_PAUSED ? "" : "another backfill";
    }
    for (struct past **link = &backfill->pasts, *past; (past = *link) != NULL;) {
        const struct registry_schema *schema =
            registry_schema_by_id(backfill->registry, past->id);
        if (schema == NULL) {
            *link = past->next;
            free(past);
            continue;
        }
        if (past->report.end_ms == 0 &&
            schema->rollout.backfill.state == REGISTRY_BACKFILL_NONE) {
            past->report.state = BACKFILL_CANCELLED;
            past->report.waits_for = "";
            past->report.left_ms = -1;
            past->report.end_ms = now_ms;
        }
        link = &past->next;
    }
    pthread_mutex_unlock(&backfill->mutex);
}

static void
forget(struct backfill *backfill)
{
    backfill->schema = NULL;
    backfill->past = NULL;
    backfill->id = 0;
}

/* See what the registry wants now; false: nothing (or there is no memory). */
static bool
look(struct backfill *backfill, int64_t now_ms)
{
    uint64_t epoch = registry_holder_epoch(backfill->registries);
    if (backfill->registry != NULL && epoch == backfill->epoch) {
        return backfill->schema != NULL;
    }
    struct registry *copy = registry_copy(backfill->registries);
    if (copy == NULL) {
        return false;
    }
    registry_copy_free(backfill->registry);
    backfill->registry = copy;
    backfill->epoch = registry_epoch(copy);
    backfill->schema = choose(backfill);
    if (backfill->schema != NULL && !take_up(backfill, backfill->schema, now_ms)) {
        backfill->schema = NULL;
    }
    mark_others(backfill, now_ms);
    const struct registry_schema *last =
        backfill->id == 0 ? NULL : registry_schema_by_id(copy, backfill->id);
    if (last == NULL || last->rollout.backfill.state == REGISTRY_BACKFILL_NONE) {
        forget(backfill); /* else it is paused, and goes on where it was */
    }
    return backfill->schema != NULL;
}

/* Does anybody speak another version than the base? Their hidden data must not be dropped. */
static bool
others_are_spoken(const struct registry_schema *schema)
{
    if (lens_schema_default_version(schema->lens) != schema->base_version) {
        return true;
    }
    for (unsigned i = 1; i <= lens_schema_version_count(schema->lens); i++) {
        struct usage_sum sum;
        usage_sum(schema->usage, i, &sum);
        if (i != schema->base_version && sum.connections > 0) {
            return true;
        }
    }
    return false;
}

/* "": for nothing. */
static const char *
waits_for(const struct backfill *backfill)
{
    struct sweep_stats sweep;
    sweep_stats(backfill->sweep, &sweep);
    if (sweep.is_running) {
        return "the sweep after a change of schemas";
    }
    if (backfill->version == 0 && others_are_spoken(backfill->schema)) {
        return "connections that speak other versions than the base version";
    }
    if (backfill->host.is_short_of_memory(backfill->host.context)) {
        return "memory";
    }
    return "";
}

/* ---- one record ---- */

static bool
needs_it(const struct backfill *backfill, const struct value *value)
{
    unsigned version =
        backfill->version == 0 ? backfill->schema->base_version : backfill->version;
    return value->schema == backfill->id &&
           (value->version != version ||
            (backfill->version == 0 && value->complement.size > 0));
}

static void
on_entry(void *context, const struct entry *entry)
{
    struct backfill *backfill = context;
    struct value value;
    backfill->seen_now++;
    if (backfill->name_count == NAMES_MAX) {
        return;
    }
    entry_value(entry, &value);
    if (!needs_it(backfill, &value)) {
        return;
    }
    if (arena_copy(&backfill->names_arena, entry_key(entry),
                   &backfill->names[backfill->name_count])) {
        backfill->name_count++;
    }
}

enum copied { COPIED, COPIED_NOTHING, COPIED_EXPIRING };

static enum copied
copy_out(struct backfill *backfill, const struct key *key, int64_t now_ms,
         struct lens_record *ret_record, uint64_t *ret_revision)
{
    enum copied copied = COPIED_NOTHING;
    bool is_packed = false;
    dictionaries_pin(keyspace_dictionaries(backfill->keyspace));
    keyspace_lock(backfill->keyspace, key, 1);
    const struct entry *entry = keyspace_peek_locked(backfill->keyspace, key, now_ms);
    struct value value;
    if (entry != NULL && entry_record(entry, &backfill->arena, &value)) {
        int64_t expiry_ms = entry_expiry_ms(entry);
        if (!needs_it(backfill, &value)) {
            copied = COPIED_NOTHING;
        } else if (expiry_ms != KEYSPACE_EXPIRY_NONE &&
                   expiry_ms - now_ms < backfill->left_ms) {
            copied = COPIED_EXPIRING;
        } else if (arena_copy(&backfill->arena, value.body, &ret_record->body) &&
                   arena_copy(&backfill->arena, value.complement, &ret_record->complement)) {
            ret_record->version = value.version;
            *ret_revision = entry_revision(entry);
            copied = COPIED;
            is_packed = value.is_packed;
        }
    }
    keyspace_unlock(backfill->keyspace, key, 1);
    if (is_packed && !unpacker_open(&backfill->unpacker, &backfill->arena, ret_record->body,
                                    &ret_record->body)) {
        copied = COPIED_NOTHING;
    }
    dictionaries_unpin(keyspace_dictionaries(backfill->keyspace));
    return copied;
}

/*
 * Put <record> where <copied> was, if that is still there: whoever rebases keeps the revision,
 * and the collector of complements does. Without memory it stays as it is, too.
 */
static bool
put_back(struct backfill *backfill, const struct key *key, int64_t now_ms, uint64_t revision,
         const struct lens_record *copied, const struct lens_record *record)
{
    const struct value value = {.body = record->body,
                                .complement = record->complement,
                                .schema = backfill->id,
                                .version = record->version,
                                .is_hash =
                                    lens_is_hash(backfill->schema->lens, record->version)};
    keyspace_lock(backfill->keyspace, key, 1);
    const struct entry *entry = keyspace_peek_locked(backfill->keyspace, key, now_ms);
    struct value now = {.schema = 0};
    if (entry != NULL) {
        entry_value(entry, &now);
    }
    bool is_same = now.schema == backfill->id && entry_revision(entry) == revision &&
                   now.version == copied->version &&
                   now.complement.size == copied->complement.size;
    bool is_put = is_same && keyspace_rebase_locked(backfill->keyspace, key, &value);
    keyspace_unlock(backfill->keyspace, key, 1);
    return is_put;
}

static void
fail(struct backfill *backfill, const struct lens_record *record, struct slice name,
     const struct lens_failure *failure, int64_t now_ms)
{
    add(backfill, &backfill->past->report.failed, 1);
    usage_failed(backfill->schema->usage, failure->from == 0 ? record->version : failure->from,
                 failure->to, failure->reason, name, now_ms);
}

static void
rewrite(struct backfill *backfill, struct slice name, int64_t now_ms)
{
    struct key key = keyspace_key(backfill->keyspace, backfill->names_db, name);
    struct backfill_report *report = &backfill->past->report;
    unsigned version =
        backfill->version == 0 ? backfill->schema->base_version : backfill->version;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        struct lens_record record;
        struct lens_record rebased;
        struct lens_failure failure = {.reason = LENS_OK};
        uint64_t revision;
        arena_clear(&backfill->arena);
        enum copied copied = copy_out(backfill, &key, now_ms, &record, &revision);
        if (copied != COPIED) {
            add(backfill, &report->expiring, copied == COPIED_EXPIRING);
            return;
        }
        if (!lens_rebase(backfill->schema->lens, &record, version, &backfill->arena, &rebased,
                         &failure)) {
            fail(backfill, &record, name, &failure, now_ms);
            return;
        }
        bool is_dropping = backfill->version == 0 && rebased.complement.size > 0;
        if (is_dropping) {
            rebased.complement = slice_make(NULL, 0);
        }
        if (put_back(backfill, &key, now_ms, revision, &record, &rebased)) {
            add(backfill, &report->rewritten, 1);
            add(backfill, &report->complements_dropped, is_dropping);
            return;
        }
    }
}

/* ---- slices ---- */

/* The next names; false at the end of the pass. */
static bool
scan(struct backfill *backfill, int64_t now_ms)
{
    if (backfill->db == backfill->database_count) {
        return false;
    }
    arena_clear(&backfill->names_arena);
    backfill->name_count = backfill->name_index = 0;
    backfill->names = arena_calloc(&backfill->names_arena, NAMES_MAX, sizeof(*backfill->names));
    if (backfill->names == NULL) {
        return true; /* another time */
    }
    backfill->names_db = backfill->db;
    backfill->seen_now = 0;
    if (keyspace_size(backfill->keyspace, backfill->db) > 0) {
        backfill->cursor = keyspace_scan(backfill->keyspace, backfill->db, backfill->cursor,
                                         SCAN_SIZE, now_ms, false, on_entry, backfill);
    } else {
        backfill->cursor = 0;
    }
    backfill->db += backfill->cursor == 0;
    add(backfill, &backfill->past->report.seen, backfill->seen_now);
    return true;
}

/* How many records the rate allows by now. */
static uint64_t
allowance(const struct backfill *backfill)
{
    uint64_t rate = backfill->schema->rollout.backfill.rate;
    uint64_t done = backfill->past->report.rewritten - backfill->paced_count;
    if (rate == 0) {
        return UINT64_MAX;
    }
    uint64_t us = backfill->active_us - backfill->paced_us;
    uint64_t allowed = us / 1000000 * rate + us % 1000000 * rate / 1000000 + 1;
    return allowed > done ? allowed - done : 0;
}

/* Work for a slice; false at the end of the pass. */
static bool
work(struct backfill *backfill, int64_t now_ms)
{
    uint64_t start = ticks_now();
    uint64_t allowed = allowance(backfill);
    while (ticks_to_us(ticks_now() - start) < BACKFILL_SLICE_US) {
        if (backfill->name_index == backfill->name_count) {
            if (!scan(backfill, now_ms)) {
                return false;
            }
        } else if (allowed-- > 0) {
            rewrite(backfill, backfill->names[backfill->name_index++], now_ms);
        } else {
            break;
        }
    }
    return true;
}

void
backfill_note_turn(struct backfill *backfill, uint64_t duration_us)
{
    pace_note_turn(&backfill->pace, duration_us);
}

static void
note_progress(struct backfill *backfill, uint64_t took_us)
{
    backfill->active_us += took_us;
    pthread_mutex_lock(&backfill->mutex);
    struct backfill_report *report = &backfill->past->report;
    uint64_t total = entry_count(backfill);
    report->total = total > report->seen ? total : report->seen;
    if (report->seen >= NAMES_MAX) {
        backfill->left_ms =
            (int64_t)((double)(report->total - report->seen) * (double)backfill->active_us /
                      (double)report->seen / 1000);
        report->left_ms = backfill->left_ms;
    }
    report->share_permille = backfill->pace.share;
    atomic_store_explicit(&backfill->job.seen, report->seen, memory_order_relaxed);
    atomic_store_explicit(&backfill->job.total, report->total, memory_order_relaxed);
    atomic_store_explicit(&backfill->job.failed, report->failed, memory_order_relaxed);
    pthread_mutex_unlock(&backfill->mutex);
}

static void
end_pass(struct backfill *backfill, int64_t now_ms)
{
    uint32_t id = backfill->id;
    unsigned version = backfill->version;
    pthread_mutex_lock(&backfill->mutex);
    backfill->past->report.state = BACKFILL_DONE;
    backfill->past->report.end_ms = now_ms;
    backfill->past->report.left_ms = 0;
    pthread_mutex_unlock(&backfill->mutex);
    forget(backfill);
    backfill->host.end(backfill->host.context, id, version);
}

static int64_t
step(struct background_job *job, int64_t now_ms)
{
    struct backfill *backfill = (struct backfill *)job;
    if (!look(backfill, now_ms)) {
        return backfill->registry == NULL ? WAIT_US : IDLE_US;
    }
    if (pace_heed(&backfill->pace, now_ms)) {
        backfill->host.measure_turn(backfill->host.context);
    }
    const char *reason = waits_for(backfill);
    if (reason[0] != '\0') {
        set_state(backfill, BACKFILL_WAITING, reason);
        return WAIT_US;
    }
    set_state(backfill, BACKFILL_RUNNING, "");
    if (!pace_may_begin(&backfill->pace)) {
        return PACE_MEASURE_MS * 1000 / 4;
    }
    uint64_t start = ticks_now();
    bool has_more = work(backfill, now_ms);
    uint64_t took_us = ticks_to_us(ticks_now() - start) + 1;
    uint64_t pause_us = pace_rest_us(&backfill->pace, took_us);
    if (allowance(backfill) == 0) {
        uint64_t next_us = 1000000 / backfill->schema->rollout.backfill.rate;
        pause_us = next_us > pause_us ? next_us : pause_us;
        pause_us = pause_us > WAIT_US ? WAIT_US : pause_us;
    }
    note_progress(backfill, took_us + pause_us);
    if (!has_more) {
        end_pass(backfill, now_ms);
        return 0;
    }
    return (int64_t)pause_us;
}

static void
on_end(struct background_job *job, bool is_stopped)
{
    (void)job;
    (void)is_stopped;
}

struct backfill *
backfill_new(struct registry_holder *registries, struct keyspace *keyspace,
             uint32_t database_count, const struct sweep *sweep,
             const struct backfill_host *host)
{
    struct backfill *backfill = calloc(1, sizeof(*backfill));
    if (backfill == NULL) {
        return NULL;
    }
    backfill->job = (struct background_job){.step = step, .on_end = on_end};
    backfill->registries = registries;
    backfill->keyspace = keyspace;
    backfill->database_count = database_count;
    backfill->sweep = sweep;
    backfill->host = *host;
    pace_init(&backfill->pace);
    CHECK(pthread_mutex_init(&backfill->mutex, NULL) == 0);
    backfill->unpacker.dictionaries = keyspace_dictionaries(backfill->keyspace);
    arena_init(&backfill->names_arena, 0);
    arena_init(&backfill->arena, 0);
    return backfill;
}

void
backfill_free(struct backfill *backfill)
{
    if (backfill == NULL) {
        return;
    }
    for (struct past *past = backfill->pasts, *next; past != NULL; past = next) {
        next = past->next;
        free(past);
    }
    registry_copy_free(backfill->registry);
    unpacker_fini(&backfill->unpacker);
    arena_fini(&backfill->names_arena);
    arena_fini(&backfill->arena);
    pthread_mutex_destroy(&backfill->mutex);
    free(backfill);
}

void
backfill_begin(struct backfill *backfill, struct background *background)
{
    backfill->background = background;
    background_add(background, &backfill->job);
}

void
backfill_wake(struct backfill *backfill)
{
    background_wake(backfill->background, &backfill->job);
}
