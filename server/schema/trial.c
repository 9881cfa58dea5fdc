#include "server/schema/trial.h"

#include "proto/base/arena.h"
#include "server/core/ticks.h"
#include "server/store/dictionaries.h"

#include <stdlib.h>

enum {
    NAMES_MAX = 256,  /* gathered by one part of the scan */
    LADDER_STEPS = 4, /* of the histogram, per power of two */
    LADDER_SIZE = 40 * LADDER_STEPS,
    PAIRS_MAX = 1024,
    KEY_SIZE_MAX = 512, /* of a sample; longer ones are cut */
};

struct pair {
    struct trial_pair sums;
    uint32_t ladder[LADDER_SIZE]; /* how many took so many ticks */
};

struct trial {
    struct keyspace *keyspace;
    struct unpacker unpacker;
    uint32_t database_count;
    struct registry *registry; /* [owned] a preview */
    const struct registry_schema *schema;
    const struct lens_schema *lens; /* the schema's */
    uint64_t count_max;
    unsigned targets[TRIAL_TARGETS_MAX];
    size_t target_count;

    uint32_t db;       /* being scanned */
    uint32_t names_db; /* that the names are of */
    uint64_t cursor;
    struct arena names_arena;
    struct slice *names;
    size_t name_count;
    size_t name_index;  /* the next to be tried */
    struct arena arena; /* of one record */

    struct trial_sums sums;
    struct pair *pairs[PAIRS_MAX]; /* [owned] */
    struct trial_loser losers[TRIAL_LOSERS_MAX];
    struct arena samples;
    bool is_clean; /* the record at hand, so far */
    struct slice key;
};

/* The newest versions, and the first. */
static void
choose_targets(struct trial *trial)
{
    unsigned count = lens_schema_version_count(trial->lens);
    for (unsigned version = count; version > 1 && trial->target_count < TRIAL_TARGETS_MAX - 1;
         version--) {
        trial->targets[trial->target_count++] = version;
    }
    trial->targets[trial->target_count++] = 1;
}

struct trial *
trial_new(struct keyspace *keyspace, uint32_t database_count, struct registry *preview,
          const struct registry_schema *schema, uint64_t count_max)
{
    struct trial *trial = calloc(1, sizeof(*trial));
    if (trial == NULL) {
        return NULL;
    }
    trial->keyspace = keyspace;
    trial->database_count = database_count;
    trial->registry = preview;
    trial->schema = schema;
    trial->lens = schema->lens;
    trial->count_max = count_max;
    trial->unpacker.dictionaries = keyspace_dictionaries(trial->keyspace);
    arena_init(&trial->names_arena, 0);
    arena_init(&trial->arena, 0);
    arena_init(&trial->samples, 0);
    choose_targets(trial);
    return trial;
}

void
trial_free(struct trial *trial)
{
    if (trial == NULL) {
        return;
    }
    for (size_t i = 0; i < trial->sums.pair_count; i++) {
        free(trial->pairs[i]);
    }
    arena_fini(&trial->names_arena);
    arena_fini(&trial->arena);
    arena_fini(&trial->samples);
    unpacker_fini(&trial->unpacker);
    registry_copy_free(trial->registry);
    free(trial);
}

/* ---- what is noted ---- */

static size_t
ladder_index(uint64_t ticks)
{
    unsigned power = ticks < LADDER_STEPS ? 0 : 63 - (unsigned)__builtin_clzll(ticks);
    uint64_t step = power < 2 ? 0 : ticks >> (power - 2) & (LADDER_STEPS - 1);
    size_t index = power < 2 ? (size_t)ticks : power * LADDER_STEPS + (size_t)step;
    return index < LADDER_SIZE ? index : LADDER_SIZE - 1;
}

/* The least number of ticks that is counted at <index>. */
static uint64_t
ladder_ticks(size_t index)
{
    size_t power = index / LADDER_STEPS;
    return power < 2 ? index : (uint64_t)(LADDER_STEPS + index % LADDER_STEPS) << (power - 2);
}

static struct pair *
find_pair(struct trial *trial, unsigned from, unsigned to)
{
    for (size_t i = 0; i < trial->sums.pair_count; i++) {
        if (trial->pairs[i]->sums.from == from && trial->pairs[i]->sums.to == to) {
            return trial->pairs[i];
        }
    }
    struct pair *pair = trial->sums.pair_count < PAIRS_MAX ? calloc(1, sizeof(*pair)) : NULL;
    if (pair != NULL) {
        pair->sums.from = from;
        pair->sums.to = to;
        trial->pairs[trial->sums.pair_count++] = pair;
    }
    return pair;
}

static void
lose(struct trial *trial, const char *what, unsigned from, unsigned to,
     const struct lens_failure *failure)
{
    struct trial_loser *loser = trial->losers;
    size_t count = trial->sums.loser_count;
    trial->is_clean = false;
    while (loser < trial->losers + count &&
           (strcmp(loser->what, what) != 0 || loser->from != from || loser->to != to)) {
        loser++;
    }
    if (loser == trial->losers + TRIAL_LOSERS_MAX) {
        return;
    }
    if (loser == trial->losers + count) {
        *loser = (struct trial_loser){.what = what, .from = from, .to = to};
        if (failure != NULL) {
            loser->first = *failure;
        }
        trial->sums.loser_count++;
    }
    loser->count++;
    struct slice key = trial->key;
    key.size = key.size < KEY_SIZE_MAX ? key.size : KEY_SIZE_MAX;
    if (loser->sample_count < TRIAL_SAMPLES_MAX &&
        arena_copy(&trial->samples, key, &loser->samples[loser->sample_count])) {
        loser->sample_count++;
    }
}

/* ---- one record ---- */

/* The views of the targets; data NULL where there is none. */
struct views {
    struct slice at[TRIAL_TARGETS_MAX];
    struct lens_failure failures[TRIAL_TARGETS_MAX];
};

static void
make_views(struct trial *trial, const struct lens_record *record, struct views *ret_views)
{
    for (size_t i = 0; i < trial->target_count; i++) {
        ret_views->at[i] = slice_make(NULL, 0);
        ret_views->failures[i] = (struct lens_failure){.reason = LENS_OK};
        struct slice view;
        if (lens_view(trial->lens, record, trial->targets[i], &trial->arena, &view,
                      &ret_views->failures[i])) {
            ret_views->at[i] = slice_make(view.data == NULL ? "" : view.data, view.size);
            ret_views->failures[i].reason = LENS_OK;
        }
    }
}

/* Has <other> all views that <views> has? What could not be seen before may be seen now. */
static bool
same_views(const struct trial *trial, const struct views *views, const struct views *other)
{
    for (size_t i = 0; i < trial->target_count; i++) {
        if (views->at[i].data != NULL &&
            (other->at[i].data == NULL || !slice_equal(views->at[i], other->at[i]))) {
            return false;
        }
    }
    return true;
}

/* Rebase, timed and counted. */
static bool
rebase(struct trial *trial, const struct lens_record *record, unsigned to,
       struct lens_record *ret_record, struct lens_failure *ret_failure)
{
    struct pair *pair = find_pair(trial, record->version, to);
    uint64_t start = ticks_now();
    bool ok = lens_rebase(trial->lens, record, to, &trial->arena, ret_record, ret_failure);
    uint64_t ticks = ticks_now() - start;
    if (pair == NULL) {
        return ok;
    }
    pair->sums.count++;
    pair->ladder[ladder_index(ticks)]++;
    if (!ok) {
        pair->sums.failed++;
        return false;
    }
    pair->sums.body_before += record->body.size;
    pair->sums.body_after += ret_record->body.size;
    pair->sums.complement_before += record->complement.size;
    pair->sums.complement_after += ret_record->complement.size;
    return true;
}

static void
try_target(struct trial *trial, const struct lens_record *record, const struct views *views,
           size_t target)
{
    unsigned to = trial->targets[target];
    struct lens_record there;
    struct lens_record back;
    struct lens_record written;
    struct lens_failure failure = {.reason = LENS_OK};
    struct views after;
    if (!rebase(trial, record, to, &there, &failure)) {
        if (failure.reason == LENS_SLOT) {
            return; /* opaque, and not written yet: nothing is lost */
        }
        lose(trial, lens_reason_name(failure.reason), record->version, to, &failure);
        return;
    }
    if (!rebase(trial, &there, record->version, &back, &failure)) {
        lose(trial, lens_reason_name(failure.reason), to, record->version, &failure);
        return;
    }
    if (!slice_equal(back.body, record->body)) {
        lose(trial, "there-and-back", record->version, to, NULL);
    }
    make_views(trial, &there, &after);
    if (!same_views(trial, views, &after)) {
        lose(trial, "views-change", record->version, to, NULL);
    }
    if (lens_write(trial->lens, record, to, there.body, &trial->arena, &written, &failure) !=
        LENS_WRITE_OK) {
        lose(trial, "get-put", record->version, to, &failure);
        return;
    }
    make_views(trial, &written, &after);
    if (!same_views(trial, views, &after)) {
        lose(trial, "get-put", record->version, to, NULL);
    }
}

static void
try_record(struct trial *trial, const struct lens_record *record)
{
    struct views views;
    trial->is_clean = true;
    make_views(trial, record, &views);
    for (size_t i = 0; i < trial->target_count; i++) {
        if (trial->targets[i] != record->version) {
            try_target(trial, record, &views, i);
        }
    }
    trial->sums.tried++;
    trial->sums.clean += trial->is_clean;
}

/* ---- all of them ---- */

static void
on_entry(void *context, const struct entry *entry)
{
    struct trial *trial = context;
    trial->sums.seen++;
    if (trial->name_count < NAMES_MAX &&
        registry_match(trial->registry, trial->db, entry_key(entry)) == trial->schema &&
        arena_copy(&trial->names_arena, entry_key(entry), &trial->names[trial->name_count])) {
        trial->name_count++;
    }
}

/* The next names to try; false at the end. */
static bool
scan(struct trial *trial, int64_t now_ms)
{
    arena_clear(&trial->names_arena);
    trial->name_count = 0;
    trial->name_index = 0;
    trial->names = arena_calloc(&trial->names_arena, NAMES_MAX, sizeof(*trial->names));
    if (trial->names == NULL || trial->db == trial->database_count) {
        return false;
    }
    trial->names_db = trial->db;
    if (keyspace_size(trial->keyspace, trial->db) > 0) {
        trial->cursor = keyspace_scan(trial->keyspace, trial->db, trial->cursor, NAMES_MAX / 4,
                                      now_ms, false, on_entry, trial);
    } else {
        trial->cursor = 0;
    }
    if (trial->cursor == 0) {
        trial->db++;
    }
    return true;
}

/* Copy the record of <name> out; false: it is gone, or of a type
 * that is no record. */
static bool
copy_record(struct trial *trial, struct slice name, int64_t now_ms,
            struct lens_record *ret_record)
{
    struct key key = keyspace_key(trial->keyspace, trial->names_db, name);
    bool is_there = false;
    bool is_packed = false;
    dictionaries_pin(keyspace_dictionaries(trial->keyspace));
    keyspace_lock(trial->keyspace, &key, 1);
    const struct entry *entry = keyspace_peek_locked(trial->keyspace, &key, now_ms);
    struct value value;
    if (entry != NULL && entry_record(entry, &trial->arena, &value)) {
        bool is_ours = value.schema == trial->schema->id;
        *ret_record = (struct lens_record){.version = is_ours ? value.version
                                                              : trial->schema->base_version};
        is_there =
            lens_is_hash(trial->schema->lens, ret_record->version) == value.is_hash &&
            arena_copy(&trial->arena, value.body, &ret_record->body) &&
            (!is_ours || arena_copy(&trial->arena, value.complement, &ret_record->complement));
        is_packed = value.is_packed;
    }
    keyspace_unlock(trial->keyspace, &key, 1);
    if (is_there && is_packed) {
        is_there =
            unpacker_open(&trial->unpacker, &trial->arena, ret_record->body, &ret_record->body);
    }
    dictionaries_unpin(keyspace_dictionaries(trial->keyspace));
    return is_there;
}

bool
trial_step(struct trial *trial, int64_t now_ms)
{
    uint64_t start = ticks_now();
    while (trial->sums.tried < trial->count_max) {
        if (trial->name_index == trial->name_count) {
            if (!scan(trial, now_ms)) {
                return false;
            }
        } else {
            struct lens_record record;
            trial->key = trial->names[trial->name_index++];
            if (copy_record(trial, trial->key, now_ms, &record)) {
                try_record(trial, &record);
            }
            arena_clear(&trial->arena);
        }
        if (ticks_to_us(ticks_now() - start) > TRIAL_SLICE_US) {
            return true;
        }
    }
    return false;
}

/* ---- what came of it ---- */

void
trial_sums(const struct trial *trial, struct trial_sums *ret_sums)
{
    *ret_sums = trial->sums;
}

static uint64_t
quantile_ns(const struct pair *pair, uint64_t percent)
{
    uint64_t wanted = pair->sums.count * percent / 100;
    uint64_t passed = 0;
    for (size_t i = 0; i < LADDER_SIZE; i++) {
        passed += pair->ladder[i];
        if (passed > wanted || passed == pair->sums.count) {
            return ticks_to_us(ladder_ticks(i) * 1000);
        }
    }
    return 0;
}

void
trial_pair(const struct trial *trial, size_t index, struct trial_pair *ret_pair)
{
    const struct pair *pair = trial->pairs[index];
    *ret_pair = pair->sums;
    ret_pair->p50_ns = quantile_ns(pair, 50);
    ret_pair->p99_ns = quantile_ns(pair, 99);
}

const struct trial_loser *
trial_loser(const struct trial *trial, size_t index)
{
    return &trial->losers[index];
}
