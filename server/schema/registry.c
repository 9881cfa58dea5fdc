#include "server/schema/registry_draft.h"

#include "server/schema/packing.h"
#include "server/schema/patterns.h"
#include "server/schema/usage.h"

#include <stdlib.h>

struct release {
    struct slice name;
    unsigned *versions; /* by index of the schema; 0: not named */
};

/* Immutable; everything lies in the arena, but for the shared lenses and usagees. */
struct registry {
    struct arena arena;
    uint64_t epoch;
    uint32_t next_id;
    size_t schema_count;
    struct registry_schema *schemas; /* by name */
    struct shared_lens **shared;     /* by index */
    uint32_t *by_id;                 /* indices in the order of ids */
    struct patterns *patterns;
    size_t release_count;
    struct release *releases; /* by name */
};

struct shared_lens *
shared_lens_new(struct lens_schema *lens)
{
    struct shared_lens *shared = malloc(sizeof(*shared));
    if (shared == NULL) {
        lens_schema_free(lens);
        return NULL;
    }
    shared->references = 1;
    shared->lens = lens;
    return shared;
}

void
shared_lens_unref(struct shared_lens *shared)
{
    if (shared != NULL && atomic_fetch_sub(&shared->references, 1) == 1) {
        lens_schema_free(shared->lens);
        free(shared);
    }
}

static struct shared_lens *
shared_lens_ref(struct shared_lens *shared)
{
    atomic_fetch_add(&shared->references, 1);
    return shared;
}

bool
draft_init(struct draft *draft, size_t schemas_max, size_t releases_max)
{
    *draft = (struct draft){.next_id = 1};
    arena_init(&draft->arena, 0);
    draft->schemas = arena_calloc(&draft->arena, schemas_max + 1, sizeof(*draft->schemas));
    draft->releases = arena_calloc(&draft->arena, releases_max + 1, sizeof(*draft->releases));
    if (draft->schemas == NULL || draft->releases == NULL) {
        arena_fini(&draft->arena);
        return false;
    }
    return true;
}

void
draft_fini(struct draft *draft)
{
    for (size_t i = 0; i < draft->schema_count; i++) {
        shared_lens_unref(draft->schemas[i].shared);
        usage_unref(draft->schemas[i].usage);
        packing_unref(draft->schemas[i].packing);
    }
    arena_fini(&draft->arena);
}

bool
draft_add_schema(struct draft *draft, uint32_t id, uint32_t base_version,
                 struct shared_lens *shared, struct usage *usage, struct packing *packing)
{
    usage = usage == NULL ? usage_new() : usage;
    packing = packing == NULL ? packing_new() : packing;
    if (usage == NULL || packing == NULL) {
        shared_lens_unref(shared);
        usage_unref(usage);
        packing_unref(packing);
        return false;
    }
    draft->schemas[draft->schema_count++] = (struct draft_schema){.id = id,
                                                                  .base_version = base_version,
                                                                  .shared = shared,
                                                                  .usage = usage,
                                                                  .packing = packing};
    return true;
}

void
draft_remove_schema(struct draft *draft, size_t index)
{
    shared_lens_unref(draft->schemas[index].shared);
    usage_unref(draft->schemas[index].usage);
    packing_unref(draft->schemas[index].packing);
    memmove(&draft->schemas[index], &draft->schemas[index + 1],
            (draft->schema_count - index - 1) * sizeof(*draft->schemas));
    draft->schema_count--;
}

size_t
draft_find(const struct draft *draft, struct slice name)
{
    size_t i = 0;
    while (i < draft->schema_count &&
           !slice_equal(lens_schema_name(draft->schemas[i].shared->lens), name)) {
        i++;
    }
    return i;
}

static bool
copy_release(struct draft *draft, const struct registry *registry,
             const struct release *release)
{
    struct draft_release *copy = &draft->releases[draft->release_count];
    copy->pairs = arena_calloc(&draft->arena, registry->schema_count + 1, sizeof(*copy->pairs));
    if (copy->pairs == NULL || !arena_copy(&draft->arena, release->name, &copy->name)) {
        return false;
    }
    copy->count = 0;
    for (size_t i = 0; i < registry->schema_count; i++) {
        if (release->versions[i] != 0) {
            copy->pairs[copy->count++] = (struct draft_pair){
                .schema_id = registry->schemas[i].id, .version = release->versions[i]};
        }
    }
    draft->release_count++;
    return true;
}

bool
draft_from_registry(struct draft *draft, const struct registry *registry)
{
    if (!draft_init(draft, registry->schema_count + 1, registry->release_count + 1)) {
        return false;
    }
    draft->epoch = registry->epoch;
    draft->next_id = registry->next_id;
    bool ok = true;
    for (size_t i = 0; ok && i < registry->schema_count; i++) {
        const struct registry_schema *schema = &registry->schemas[i];
        ok = draft_add_schema(draft, schema->id, schema->base_version,
                              shared_lens_ref(registry->shared[i]), usage_ref(schema->usage),
                              packing_ref(schema->packing));
        if (ok) {
            draft->schemas[draft->schema_count - 1].rollout = schema->rollout;
        }
    }
    for (size_t i = 0; ok && i < registry->release_count; i++) {
        ok = copy_release(draft, registry, &registry->releases[i]);
    }
    if (!ok) {
        draft_fini(draft);
    }
    return ok;
}

static int
compare_schemas(const void *a, const void *b)
{
    const struct draft_schema *left = *(const struct draft_schema *const *)a;
    const struct draft_schema *right = *(const struct draft_schema *const *)b;
    return slice_compare(lens_schema_name(left->shared->lens),
                         lens_schema_name(right->shared->lens));
}

static int
compare_releases(const void *a, const void *b)
{
    return slice_compare(((const struct release *)a)->name, ((const struct release *)b)->name);
}

static bool
copy_rollout(struct arena *arena, const struct registry_rollout *rollout,
             struct registry_rollout *ret_rollout)
{
    struct registry_withdrawal *copies =
        arena_calloc(arena, rollout->withdrawal_count + 1, sizeof(*copies));
    if (copies == NULL) {
        return false;
    }
    for (size_t i = 0; i < rollout->withdrawal_count; i++) {
        copies[i] = rollout->withdrawals[i];
        if (!arena_copy(arena, copies[i].by, &copies[i].by) ||
            !arena_copy(arena, copies[i].evidence, &copies[i].evidence)) {
            return false;
        }
    }
    *ret_rollout = *rollout;
    ret_rollout->withdrawals = copies;
    return true;
}

static bool
add_schemas(struct registry *registry, const struct draft *draft)
{
    size_t count = draft->schema_count;
    struct arena *arena = &registry->arena;
    const struct draft_schema **order = arena_calloc(arena, count + 1, sizeof(*order));
    registry->schemas = arena_calloc(arena, count + 1, sizeof(*registry->schemas));
    registry->shared = arena_calloc(arena, count + 1, sizeof(struct shared_lens *));
    registry->by_id = arena_calloc(arena, count + 1, sizeof(*registry->by_id));
    if (order == NULL || registry->schemas == NULL || registry->shared == NULL ||
        registry->by_id == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = &draft->schemas[i];
    }
    qsort(order, count, sizeof(*order), compare_schemas);
    for (uint32_t i = 0; i < count; i++) {
        registry->shared[i] = shared_lens_ref(order[i]->shared);
        registry->schemas[i] =
            (struct registry_schema){.id = order[i]->id,
                                     .index = i,
                                     .base_version = order[i]->base_version,
                                     .lens = order[i]->shared->lens,
                                     .usage = usage_ref(order[i]->usage),
                                     .packing = packing_ref(order[i]->packing)};
        registry->schema_count = i + 1;
        if (!copy_rollout(arena, &order[i]->rollout, &registry->schemas[i].rollout)) {
            return false;
        }
        size_t at = i; /* few and nearly sorted: by insertion */
        while (at > 0 && registry->schemas[registry->by_id[at - 1]].id > order[i]->id) {
            registry->by_id[at] = registry->by_id[at - 1];
            at--;
        }
        registry->by_id[at] = i;
    }
    registry->patterns = patterns_new(arena, registry->schemas, count);
    return registry->patterns != NULL;
}

static bool
add_releases(struct registry *registry, const struct draft *draft)
{
    struct arena *arena = &registry->arena;
    registry->releases =
        arena_calloc(arena, draft->release_count + 1, sizeof(*registry->releases));
    if (registry->releases == NULL) {
        return false;
    }
    for (size_t i = 0; i < draft->release_count; i++) {
        const struct draft_release *source = &draft->releases[i];
        struct release *release = &registry->releases[i];
        release->versions =
            arena_calloc(arena, registry->schema_count + 1, sizeof(*release->versions));
        if (release->versions == NULL || !arena_copy(arena, source->name, &release->name)) {
            return false;
        }
        for (size_t k = 0; k < source->count; k++) {
            const struct registry_schema *schema =
                registry_schema_by_id(registry, source->pairs[k].schema_id);
            if (schema != NULL) {
                release->versions[schema->index] = source->pairs[k].version;
            }
        }
    }
    registry->release_count = draft->release_count;
    qsort(registry->releases, registry->release_count, sizeof(*registry->releases),
          compare_releases);
    return true;
}

struct registry *
registry_new(const struct draft *draft)
{
    struct registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL) {
        return NULL;
    }
    arena_init(&registry->arena, 0);
    registry->epoch = draft->epoch;
    registry->next_id = draft->next_id;
    if (!add_schemas(registry, draft) || !add_releases(registry, draft)) {
        registry_free(registry);
        return NULL;
    }
    return registry;
}

void
registry_free(struct registry *registry)
{
    if (registry == NULL) {
        return;
    }
    for (size_t i = 0; i < registry->schema_count; i++) {
        shared_lens_unref(registry->shared[i]);
        usage_unref(registry->schemas[i].usage);
        packing_unref(registry->schemas[i].packing);
    }
    arena_fini(&registry->arena);
    free(registry);
}

uint64_t
registry_epoch(const struct registry *registry)
{
    return registry->epoch;
}

uint32_t
registry_next_id(const struct registry *registry)
{
    return registry->next_id;
}

bool
registry_is_empty(const struct registry *registry)
{
    return registry->schema_count == 0;
}

size_t
registry_schema_count(const struct registry *registry)
{
    return registry->schema_count;
}

const struct registry_schema *
registry_schema_at(const struct registry *registry, size_t index)
{
    return index < registry->schema_count ? &registry->schemas[index] : NULL;
}

const struct registry_schema *
registry_schema_by_name(const struct registry *registry, struct slice name)
{
    size_t low = 0;
    size_t high = registry->schema_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct registry_schema *schema = &registry->schemas[middle];
        int order = slice_compare(lens_schema_name(schema->lens), name);
        if (order == 0) {
            return schema;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct registry_schema *
registry_schema_by_id(const struct registry *registry, uint32_t id)
{
    size_t low = 0;
    size_t high = registry->schema_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct registry_schema *schema = &registry->schemas[registry->by_id[middle]];
        if (schema->id == id) {
            return schema;
        }
        if (schema->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct registry_schema *
registry_match(const struct registry *registry, uint32_t db, struct slice key)
{
    return registry->schema_count == 0 ? NULL : patterns_match(registry->patterns, db, key);
}

/* The first release whose name is not before <name>. */
static size_t
lower_bound(const struct registry *registry, struct slice name)
{
    size_t low = 0;
    size_t high = registry->release_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(registry->releases[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct release *
registry_release(const struct registry *registry, struct slice name)
{
    size_t at = lower_bound(registry, name);
    return at < registry->release_count && slice_equal(registry->releases[at].name, name)
               ? &registry->releases[at]
               : NULL;
}

unsigned
release_version(const struct release *release, uint32_t schema_index)
{
    return release->versions[schema_index];
}

bool
registry_has_application(const struct registry *registry, struct slice name)
{
    const char *at = name.size == 0 ? NULL : memchr(name.data, '@', name.size);
    if (at == NULL) {
        return false;
    }
    struct slice application = slice_make(name.data, (size_t)(at - name.data) + 1);
    size_t index = lower_bound(registry, application);
    return index < registry->release_count &&
           slice_starts_with(registry->releases[index].name, application);
}

size_t
registry_release_count(const struct registry *registry)
{
    return registry->release_count;
}

const struct release *
registry_release_at(const struct registry *registry, size_t index)
{
    return index < registry->release_count ? &registry->releases[index] : NULL;
}

struct slice
release_name(const struct release *release)
{
    return release->name;
}
