#include "server/schema/repack.h"

#include "proto/base/check.h"
#include "server/schema/sampler.h"
#include "server/store/tally.h"

#include <stdlib.h>

enum {
    STEP_ENTRIES = 128,
    SAMPLERS_MAX = 32,
    RAW_SIZE_MIN = 64, /* less is not worth the time */
    ROOM_SHARE = 8,    /* packing must save at least this part */
    REST_MS = 60 * 1000,
    REST_WAITING_MS = 1000, /* while a dictionary is to come or to go */
    REST_EAGER_MS = 50,
    REST_FACTOR = 5,  /* rests take at least so many times a walk's time */
    GOOD_RATIO = 900, /* in thousandths: a worse dictionary is not worth its room */
    DRIFT_PERCENT = 120,
    BETTER_PERCENT = 95,
};

/* What a number of a dictionary is on its way to. */
enum stage {
    STAGE_FREE,
    STAGE_CURRENT,
    STAGE_OLD,    /* replaced; no worker packs with it once all have passed a turn */
    STAGE_UNUSED, /* no entry has it; no worker unpacks with it once all have passed one */
};

struct owned {
    enum stage stage;
    bool is_live;          /* some group packs with it */
    struct packing *owner; /* [owned] a reference */
    atomic_uint owner_id;  /* for statistics; 0: none */
};

struct repack {
    struct registry_holder *holder;
    struct keyspace *keyspace;
    struct dictionaries *dictionaries;
    uint32_t database_count;
    bool is_eager;
    atomic_bool has_begun;
    _Atomic int64_t rested_ms;
    struct owned owned[DICTIONARIES_MAX];
    struct pack_context *context; /* [owned] */

    /* Of the walk under way: */
    struct registry *registry; /* [owned] a copy; NULL: no walk */
    const struct packing_rules *rules;
    int64_t now_ms;
    int64_t begun_ms;
    uint32_t db;
    uint64_t cursor;
    bool has_more;   /* to do at once after this walk */
    bool is_waiting; /* for a group's first dictionary, or for one to go */
    struct arena arena;
    struct found *found; /* of this part */
    struct sampler samplers[SAMPLERS_MAX];
    size_t sampler_count;
    size_t group_count;
    size_t group_index; /* of the one that is visited */
    size_t first_group; /* that may have a sampler: all get their turn */
};

/* An entry that is to be looked at, out of the scan's lock. */
struct found {
    struct found *next;
    struct slice name;
};

struct repack *
repack_new(struct registry_holder *holder, struct keyspace *keyspace, uint32_t database_count,
           bool is_eager)
{
    struct repack *repack = calloc(1, sizeof(*repack));
    struct pack_context *context = pack_context_new();
    if (repack == NULL || context == NULL) {
        free(repack);
        pack_context_free(context);
        return NULL;
    }
    repack->holder = holder;
    repack->keyspace = keyspace;
    repack->dictionaries = keyspace_dictionaries(keyspace);
    repack->database_count = database_count;
    repack->is_eager = is_eager;
    repack->context = context;
    arena_init(&repack->arena, 0);
    return repack;
}

static void
close_samplers(struct repack *repack)
{
    for (size_t i = 0; i < repack->sampler_count; i++) {
        packing_unref(repack->samplers[i].packing);
        sampler_fini(&repack->samplers[i]);
    }
    repack->sampler_count = 0;
}

void
repack_free(struct repack *repack)
{
    if (repack == NULL) {
        return;
    }
    close_samplers(repack);
    for (unsigned number = 0; number < DICTIONARIES_MAX; number++) {
        packing_unref(repack->owned[number].owner);
    }
    registry_copy_free(repack->registry);
    arena_fini(&repack->arena);
    pack_context_free(repack->context);
    free(repack);
}

bool
repack_has_begun(const struct repack *repack)
{
    return atomic_load_explicit(&repack->has_begun, memory_order_relaxed);
}

int64_t
repack_rested_ms(const struct repack *repack)
{
    return atomic_load_explicit(&repack->rested_ms, memory_order_relaxed);
}

bool
repack_is_walking(const struct repack *repack)
{
    return repack->registry != NULL;
}

bool
repack_is_worth(const struct repack *repack, size_t raw_size)
{
    return raw_size >= (repack->is_eager ? 1 : (size_t)RAW_SIZE_MIN) &&
           raw_size <= PACK_SIZE_MAX;
}

size_t
repack_room(const struct repack *repack, size_t raw_size)
{
    if (!repack->is_eager) {
        return raw_size - raw_size / ROOM_SHARE;
    }
    size_t room = PACKED_HEAD_SIZE + raw_size + raw_size / ROOM_SHARE + RAW_SIZE_MIN;
    return room < PACK_SIZE_MAX ? room : PACK_SIZE_MAX;
}

/* ---- groups ---- */

static unsigned
dictionary_of(const struct packing *packing)
{
    return atomic_load_explicit(&packing->dictionary, memory_order_relaxed);
}

/* Call for every group there is, also those that are not compressed (any more). */
static void
each_group(struct repack *repack,
           void (*visit)(struct repack *repack, const struct packing_group *group))
{
    for (size_t i = 0; i < registry_schema_count(repack->registry); i++) {
        struct packing_group group;
        (void)packing_of_schema(registry_schema_at(repack->registry, i), &group);
        visit(repack, &group);
    }
    for (size_t i = 0; i < packing_rules_count(repack->rules); i++) {
        visit(repack, packing_rules_at(repack->rules, i));
    }
}

/* Pack with <dictionary> (taken over) from now on; false when there are too many. */
static bool
adopt(struct repack *repack, struct packing *packing, struct pack_dictionary *dictionary)
{
    unsigned number = dictionaries_put(repack->dictionaries, dictionary);
    if (number == 0) {
        pack_dictionary_free(dictionary);
        return false;
    }
    struct owned *owned = &repack->owned[number];
    CHECK(owned->stage == STAGE_FREE);
    owned->stage = STAGE_CURRENT;
    owned->owner = packing_ref(packing);
    atomic_store(&owned->owner_id, packing->id);
    atomic_store(&repack->has_begun, true);
    atomic_store(&packing->dictionary, number);
    repack->has_more = true;
    return true;
}

/* ---- sampling ---- */

static bool
has_wrong_algorithm(const struct repack *repack, const struct packing_group *group)
{
    unsigned number = dictionary_of(group->packing);
    return number != 0 &&
           pack_dictionary_algorithm(dictionaries_get(repack->dictionaries, number)) !=
               group->algorithm;
}

static void
count_group(struct repack *repack, const struct packing_group *group)
{
    (void)group;
    repack->group_count++;
}

static void
begin_group(struct repack *repack, const struct packing_group *group)
{
    struct packing *packing = group->packing;
    size_t place = (repack->group_index++ + repack->group_count - repack->first_group) %
                   repack->group_count;
    if (group->algorithm == PACK_NONE || has_wrong_algorithm(repack, group)) {
        atomic_store(&packing->dictionary, 0);
    }
    if (group->algorithm == PACK_NONE) {
        return;
    }
    bool is_without = dictionary_of(packing) == 0;
    if (is_without && repack->is_eager) {
        struct pack_dictionary *none = pack_dictionary_new(group->algorithm, SLICE_OF(""));
        if (none != NULL) {
            (void)adopt(repack, packing, none);
        }
        return;
    }
    if (packing->retry_ms > repack->now_ms || place >= SAMPLERS_MAX) {
        return;
    }
    repack->is_waiting |= is_without;
    sampler_init(&repack->samplers[repack->sampler_count++], packing_ref(packing),
                 group->algorithm, is_without || packing->is_drifting);
}

static struct sampler *
find_sampler(struct repack *repack, const struct packing *packing)
{
    for (size_t i = 0; i < repack->sampler_count; i++) {
        if (repack->samplers[i].packing == packing) {
            return &repack->samplers[i];
        }
    }
    return NULL;
}

/* Look at the samples: is the dictionary still good; is there a better one? */
static void
judge(struct repack *repack, struct sampler *sampler)
{
    struct packing *packing = sampler->packing;
    unsigned number = dictionary_of(packing);
    unsigned ratio = 1000;
    sampler->is_done = true;
    if (number != 0) {
        ratio = sampler_ratio(sampler, repack->context,
                              dictionaries_get(repack->dictionaries, number));
        bool is_worse = ratio * 100 > packing->adopted_ratio * DRIFT_PERCENT;
        if (!sampler->is_training) {
            packing->is_drifting = is_worse;
            repack->has_more |= is_worse;
            return;
        }
    }
    packing->is_drifting = false;
    struct pack_dictionary *trained = sampler_train(sampler);
    unsigned better = trained == NULL ? 1000 : sampler_ratio(sampler, repack->context, trained);
    bool is_good =
        trained != NULL && better <= GOOD_RATIO && better * 100 <= ratio * BETTER_PERCENT;
    if (!is_good) {
        pack_dictionary_free(trained);
        packing->adopted_ratio = ratio; /* this is as good as it gets, for now */
        packing->retry_ms = repack->now_ms + REST_MS;
    } else if (adopt(repack, packing, trained)) {
        packing->adopted_ratio = better;
    }
}

/* ---- the entries ---- */

/* Should a value be stored otherwise: packed with *ret_number, 0: plain? */
static bool
is_to_change(const struct repack *repack, bool has_group, const struct packing_group *group,
             const struct value *value, unsigned *ret_number)
{
    unsigned number = has_group ? dictionary_of(group->packing) : 0;
    *ret_number = number;
    if (value->is_packed) {
        /* Without a dictionary what is packed stays so, until there is one. */
        return has_group ? number != 0 && packed_dictionary(value->body) != number : true;
    }
    return number != 0 && repack_is_worth(repack, value->body.size);
}

static bool
is_sample(struct repack *repack, bool has_group, const struct packing_group *group,
          size_t raw_size)
{
    struct sampler *sampler = has_group ? find_sampler(repack, group->packing) : NULL;
    return sampler != NULL && !sampler->is_done && raw_size >= RAW_SIZE_MIN;
}

static void
on_entry(void *context, const struct entry *entry)
{
    struct repack *repack = context;
    if (entry_type(entry) != ENTRY_STRING) {
        return;
    }
    struct value value;
    struct packing_group group;
    unsigned number;
    entry_value(entry, &value);
    bool has_group =
        packing_find(repack->registry, repack->rules, repack->db, entry_key(entry), &group);
    size_t raw_size = value.is_packed ? packed_raw_size(value.body) : value.body.size;
    if (!is_to_change(repack, has_group, &group, &value, &number) &&
        !is_sample(repack, has_group, &group, raw_size)) {
        return;
    }
    struct found *found = arena_alloc(&repack->arena, sizeof(*found));
    if (found != NULL && arena_copy(&repack->arena, entry_key(entry), &found->name)) {
        found->next = repack->found;
        repack->found = found;
    }
}

/* A copy of what is stored under <key>; false when it is no string any more. */
static bool
copy_value(struct repack *repack, const struct key *key, struct value *ret_value)
{
    bool is_copied = false;
    keyspace_lock(repack->keyspace, key, 1);
    const struct entry *entry = keyspace_peek_locked(repack->keyspace, key, repack->now_ms);
    if (entry != NULL && entry_type(entry) == ENTRY_STRING) {
        entry_value(entry, ret_value);
        is_copied = ret_value->body.size <= PACK_SIZE_MAX &&
                    arena_copy(&repack->arena, ret_value->body, &ret_value->body);
    }
    keyspace_unlock(repack->keyspace, key, 1);
    return is_copied;
}

/* Store <body> in place of what <before> is a copy of, if that is still there. */
static void
replace(struct repack *repack, const struct key *key, const struct value *before,
        struct slice body, bool is_packed)
{
    keyspace_lock(repack->keyspace, key, 1);
    const struct entry *entry = keyspace_peek_locked(repack->keyspace, key, repack->now_ms);
    if (entry != NULL && entry_type(entry) == ENTRY_STRING) {
        struct value value;
        entry_value(entry, &value);
        if (value.is_packed == before->is_packed && slice_equal(value.body, before->body)) {
            value.body = body;
            value.is_packed = is_packed;
            (void)keyspace_rebase_locked(repack->keyspace, key, &value);
        }
    }
    keyspace_unlock(repack->keyspace, key, 1);
}

static bool
open_value(struct repack *repack, const struct value *value, struct slice *ret_raw)
{
    *ret_raw = value->body;
    return !value->is_packed || packed_open_in(&repack->arena, repack->context,
                                               repack->dictionaries, value->body, ret_raw);
}

static void
look_at(struct repack *repack, struct slice name)
{
    struct key key = keyspace_key(repack->keyspace, repack->db, name);
    struct value value;
    struct slice raw;
    if (!copy_value(repack, &key, &value) || !open_value(repack, &value, &raw)) {
        return;
    }
    struct packing_group group;
    unsigned number;
    bool has_group = packing_find(repack->registry, repack->rules, repack->db, name, &group);
    if (is_sample(repack, has_group, &group, raw.size)) {
        struct sampler *sampler = find_sampler(repack, group.packing);
        if (sampler_add(sampler, raw) == SAMPLER_FULL) {
            judge(repack, sampler);
        }
    }
    if (!is_to_change(repack, has_group, &group, &value, &number)) {
        return;
    }
    size_t room = number == 0 ? 0 : repack_room(repack, raw.size);
    char *out = room == 0 ? NULL : arena_alloc(&repack->arena, room);
    size_t size = out == NULL ? 0
                              : packed_make(repack->context, repack->dictionaries, number, raw,
                                            out, room);
    if (size > 0) {
        replace(repack, &key, &value, slice_make(out, size), true);
    } else if (value.is_packed) {
        replace(repack, &key, &value, raw, false);
    }
}

/* ---- dictionaries that go ---- */

static void
mark_live(struct repack *repack, const struct packing_group *group)
{
    unsigned number = dictionary_of(group->packing);
    if (number != 0) {
        repack->owned[number].is_live = true;
    }
}

/* No entry has <number>: exact, because nothing moves while all shards are locked. */
static bool
is_unused(struct repack *repack, unsigned number)
{
    struct tally_sum sum;
    keyspace_packed(repack->keyspace, number, &sum);
    if (sum.entries > 0) {
        return false;
    }
    keyspace_lock_all(repack->keyspace);
    keyspace_packed(repack->keyspace, number, &sum);
    keyspace_unlock_all(repack->keyspace);
    return sum.entries == 0;
}

/* One stage on at most, as every worker has passed a turn since the last step. True: again. */
static bool
move_on(struct repack *repack, unsigned number)
{
    struct owned *owned = &repack->owned[number];
    switch (owned->stage) {
    case STAGE_FREE:
        return false;
    case STAGE_CURRENT:
        if (!owned->is_live && dictionary_of(owned->owner) == number) {
            atomic_store(&owned->owner->dictionary, 0); /* its group is gone */
        }
        if (dictionary_of(owned->owner) == number) {
            return false;
        }
        owned->stage = STAGE_OLD;
        return true;
    case STAGE_OLD:
        if (is_unused(repack, number)) {
            owned->stage = STAGE_UNUSED;
            return true;
        }
        return false;
    case STAGE_UNUSED:
        if (!dictionaries_drop(repack->dictionaries, number)) {
            return false;
        }
        packing_unref(owned->owner);
        atomic_store(&owned->owner_id, 0);
        owned->owner = NULL;
        owned->stage = STAGE_FREE;
        return false;
    }
    return false;
}

static bool
move_all_on(struct repack *repack)
{
    bool must_pass = false;
    for (unsigned number = 1; number < DICTIONARIES_MAX; number++) {
        repack->owned[number].is_live = false;
    }
    each_group(repack, mark_live);
    for (unsigned number = 1; number < DICTIONARIES_MAX; number++) {
        must_pass |= move_on(repack, number);
        repack->is_waiting |= repack->owned[number].stage > STAGE_CURRENT;
    }
    return must_pass;
}

/* ---- walks ---- */

static bool
begin_walk(struct repack *repack)
{
    repack->registry = registry_copy(repack->holder);
    if (repack->registry == NULL) {
        return false;
    }
    repack->db = 0;
    repack->cursor = 0;
    repack->has_more = false;
    repack->is_waiting = false;
    repack->begun_ms = repack->now_ms;
    atomic_store(&repack->rested_ms, repack->now_ms);
    repack->group_index = 0;
    repack->group_count = 0;
    each_group(repack, count_group);
    if (repack->first_group >= repack->group_count) {
        repack->first_group = 0;
    }
    each_group(repack, begin_group);
    repack->first_group += SAMPLERS_MAX;
    return true;
}

static enum repack_next
end_walk(struct repack *repack)
{
    for (size_t i = 0; i < repack->sampler_count; i++) {
        struct sampler *sampler = &repack->samplers[i];
        if (!sampler->is_done && sampler_is_enough(sampler)) {
            judge(repack, sampler);
        }
    }
    close_samplers(repack);
    registry_copy_free(repack->registry);
    repack->registry = NULL;
    int64_t rest_ms = repack->is_waiting ? REST_WAITING_MS : REST_MS;
    int64_t walk_ms = repack->now_ms - repack->begun_ms;
    if (walk_ms * REST_FACTOR > rest_ms) {
        rest_ms = walk_ms * REST_FACTOR;
    }
    rest_ms = rest_ms > REPACK_REST_MAX_MS ? REPACK_REST_MAX_MS : rest_ms;
    rest_ms = repack->is_eager ? REST_EAGER_MS : rest_ms;
    atomic_store(&repack->rested_ms, repack->now_ms + (repack->has_more ? 0 : rest_ms));
    return REPACK_RESTS;
}

static void
walk_some(struct repack *repack)
{
    if (keyspace_size(repack->keyspace, repack->db) == 0) {
        repack->cursor = 0;
    } else {
        repack->found = NULL;
        repack->cursor = keyspace_scan(repack->keyspace, repack->db, repack->cursor,
                                       STEP_ENTRIES, repack->now_ms, false, on_entry, repack);
        for (struct found *found = repack->found; found != NULL; found = found->next) {
            look_at(repack, found->name);
        }
        arena_clear(&repack->arena);
    }
    if (repack->cursor == 0) {
        repack->db++;
    }
}

enum repack_next
repack_step(struct repack *repack, const struct packing_rules *rules, int64_t now_ms,
            bool *ret_must_pass)
{
    *ret_must_pass = false;
    repack->rules = rules;
    repack->now_ms = now_ms;
    if (repack->registry == NULL) {
        if (!begin_walk(repack)) {
            atomic_store(&repack->rested_ms, now_ms + REST_WAITING_MS);
            return REPACK_RESTS;
        }
        *ret_must_pass = move_all_on(repack);
        return REPACK_GOES_ON;
    }
    walk_some(repack);
    return repack->db < repack->database_count ? REPACK_GOES_ON : end_walk(repack);
}

/* ---- statistics ---- */

void
repack_stats(struct repack *repack, const struct packing_group *group,
             struct repack_stats *ret_stats)
{
    struct repack_stats stats = {.dictionary = dictionary_of(group->packing)};
    for (unsigned number = 1; number < DICTIONARIES_MAX; number++) {
        struct tally_sum sum;
        if (atomic_load(&repack->owned[number].owner_id) != group->packing->id) {
            continue;
        }
        keyspace_packed(repack->keyspace, number, &sum);
        stats.dictionaries++;
        stats.entries += sum.entries;
        stats.raw_size += sum.raw_size;
        stats.packed_size += sum.packed_size;
    }
    const struct pack_dictionary *dictionary =
        stats.dictionary == 0 ? NULL : dictionaries_get(repack->dictionaries, stats.dictionary);
    stats.dictionary_size = dictionary == NULL ? 0 : pack_dictionary_size(dictionary);
    *ret_stats = stats;
}
