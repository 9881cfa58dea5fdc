/* The changes that make the next epoch: SCHEMA PUT and DEL, RELEASE SET and DEL. */
#include "server/schema/packing.h"
#include "server/schema/patterns.h"
#include "server/schema/registry_draft.h"
#include "server/schema/usage.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCHEMA_ID_MAX = 65535, VERSION_MAX = USAGE_VERSIONS_MAX - 1 };

static bool
out_of_memory(struct buffer *ret_error)
{
    buffer_append_string(ret_error, "OOM no memory to change the registry");
    return false;
}

static bool
refuse(struct buffer *ret_error, const struct lens_problem *problem)
{
    if (problem->path[0] == '\0') {
        buffer_printf(ret_error, "SCHEMA %s", problem->text);
    } else {
        buffer_printf(ret_error, "SCHEMA at %s: %s", problem->path, problem->text);
    }
    return false;
}

/* Keys that another schema has. */
static void
pattern_conflicts(const struct registry *registry, const struct lens_schema *lens,
                  lens_on_problem *on_problem, void *context)
{
    for (size_t i = 0; i < registry_schema_count(registry); i++) {
        const struct registry_schema *other = registry_schema_at(registry, i);
        struct slice name = lens_schema_name(other->lens);
        struct lens_problem problem;
        size_t index;
        if (slice_equal(name, lens_schema_name(lens)) ||
            !patterns_collide(lens, other->lens, &index)) {
            continue;
        }
        struct slice pattern = lens_schema_key(lens, index);
        (void)snprintf(problem.path, sizeof(problem.path), "/keys/%zu", index);
        (void)snprintf(problem.text, sizeof(problem.text),
                       "%.*s already belongs to schema %.*s",
                       (int)(pattern.size < 64 ? pattern.size : 64), pattern.data,
                       (int)(name.size < 64 ? name.size : 64), name.data);
        on_problem(context, &problem);
    }
}

static void
too_many_versions(const struct lens_schema *lens, lens_on_problem *on_problem, void *context)
{
    struct lens_problem problem = {.path = "/versions"};
    if (lens_schema_version_count(lens) > VERSION_MAX) {
        (void)snprintf(problem.text, sizeof(problem.text), "more than %d versions",
                       VERSION_MAX);
        on_problem(context, &problem);
    }
}

void
registry_conflicts(const struct registry *registry, const struct lens_schema *lens,
                   lens_on_problem *on_problem, void *context)
{
    const struct registry_schema *known =
        registry_schema_by_name(registry, lens_schema_name(lens));
    if (known != NULL) {
        lens_schema_conflicts(known->lens, lens, on_problem, context);
    }
    too_many_versions(lens, on_problem, context);
    pattern_conflicts(registry, lens, on_problem, context);
}

/* Collects the first problem as an error reply. */
static void
on_refusal(void *context, const struct lens_problem *problem)
{
    struct buffer *error = context;
    if (error->size == 0) {
        refuse(error, problem);
    }
}

static bool
check_patterns(const struct registry *registry, const struct lens_schema *lens,
               struct buffer *ret_error)
{
    pattern_conflicts(registry, lens, on_refusal, ret_error);
    return ret_error->size == 0;
}

static bool
is_withdrawn(const struct registry_rollout *rollout, unsigned version)
{
    for (size_t i = 0; i < rollout->withdrawal_count; i++) {
        if (rollout->withdrawals[i].version == version) {
            return true;
        }
    }
    return false;
}

/* Give <schema> what of <rollout> is about versions that it has: by FORCE it may have fewer. */
static bool
fit_rollout(struct draft *draft, const struct registry_rollout *rollout,
            struct draft_schema *schema)
{
    unsigned count = lens_schema_version_count(schema->shared->lens);
    struct registry_withdrawal *kept =
        arena_calloc(&draft->arena, rollout->withdrawal_count + 1, sizeof(*kept));
    if (kept == NULL) {
        return false;
    }
    schema->rollout = (struct registry_rollout){.withdrawals = kept};
    if (rollout->backfill.version <= count) {
        schema->rollout.backfill = rollout->backfill;
    }
    for (size_t i = 0; i < rollout->withdrawal_count; i++) {
        if (rollout->withdrawals[i].version <= count) {
            kept[schema->rollout.withdrawal_count++] = rollout->withdrawals[i];
        }
    }
    return true;
}

/* Put <lens> into the draft, as a new schema or in place of what it may follow. Takes <lens>.
 */
static bool
put_draft(struct draft *draft, struct lens_schema *lens, bool force, struct buffer *ret_error)
{
    size_t index = draft_find(draft, lens_schema_name(lens));
    bool is_new = index == draft->schema_count;
    uint32_t id = draft->next_id;
    uint32_t base_version = lens_schema_default_version(lens);
    struct usage *usage = NULL;
    struct packing *packing = NULL;
    struct registry_rollout rollout = {0};
    struct lens_problem problem = {0};
    if (!is_new && is_withdrawn(&draft->schemas[index].rollout, base_version)) {
        buffer_printf(ret_error,
                      "SCHEMA at /default_version: version %u is retired; SCHEMA RETIRE name "
                      "version UNDO brings it back",
                      base_version);
        lens_schema_free(lens);
        return false;
    }
    if (!is_new && !force &&
        !lens_schema_may_follow(draft->schemas[index].shared->lens, lens, &problem)) {
        lens_schema_free(lens);
        return refuse(ret_error, &problem);
    }
    if (is_new && (draft->schema_count >= REGISTRY_SCHEMAS_MAX || id > SCHEMA_ID_MAX)) {
        lens_schema_free(lens);
        buffer_append_string(ret_error, "SCHEMA there are too many schemas");
        return false;
    }
    struct shared_lens *shared = shared_lens_new(lens);
    if (shared == NULL) {
        return out_of_memory(ret_error);
    }
    if (is_new) {
        draft->next_id++;
    } else {
        id = draft->schemas[index].id;
        base_version = draft->schemas[index].base_version;
        usage = usage_ref(draft->schemas[index].usage);
        packing = packing_ref(draft->schemas[index].packing);
        rollout = draft->schemas[index].rollout;
        draft_remove_schema(draft, index);
    }
    if (!draft_add_schema(draft, id, base_version, shared, usage, packing)) {
        return out_of_memory(ret_error);
    }
    return fit_rollout(draft, &rollout, &draft->schemas[draft->schema_count - 1])
               ? true
               : out_of_memory(ret_error);
}

/* Compile and check what can be checked without the registry. */
static struct lens_schema *
compile(struct slice json, struct buffer *ret_error)
{
    struct lens_problem problem = {0};
    struct lens_schema *lens = lens_schema_new(json, &problem);
    if (lens == NULL) {
        refuse(ret_error, &problem);
        return NULL;
    }
    too_many_versions(lens, on_refusal, ret_error);
    if (ret_error->size > 0) {
        lens_schema_free(lens);
        return NULL;
    }
    return lens;
}

bool
registry_put(struct registry_holder *holder, struct slice json, bool force,
             const struct registry **ret_old, struct buffer *ret_error)
{
    struct lens_schema *lens = compile(json, ret_error);
    if (lens == NULL) {
        return false;
    }
    *ret_old = NULL;
    bool ok = false;
    const struct registry *registry = registry_lock(holder);
    const struct registry_schema *known =
        registry_schema_by_name(registry, lens_schema_name(lens));
    struct draft draft;
    if (known != NULL && slice_equal(lens_schema_json(known->lens), json)) {
        ok = true; /* put again: nothing to change */
        lens_schema_free(lens);
    } else if (!check_patterns(registry, lens, ret_error)) {
        lens_schema_free(lens);
    } else if (!draft_from_registry(&draft, registry)) {
        lens_schema_free(lens);
        out_of_memory(ret_error);
    } else {
        ok = put_draft(&draft, lens, force, ret_error) &&
             registry_commit_locked(holder, &draft, ret_old, ret_error);
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return ok;
}

struct registry *
registry_preview(struct registry_holder *holder, struct slice json,
                 const struct registry_schema **ret_schema, struct buffer *ret_error)
{
    struct lens_schema *lens = compile(json, ret_error);
    if (lens == NULL) {
        return NULL;
    }
    struct registry *preview = NULL;
    const struct registry *registry = registry_lock(holder);
    struct draft draft;
    if (!check_patterns(registry, lens, ret_error)) {
        lens_schema_free(lens);
    } else if (!draft_from_registry(&draft, registry)) {
        lens_schema_free(lens);
        out_of_memory(ret_error);
    } else {
        struct slice name = lens_schema_name(lens); /* lives as long as the lens */
        if (put_draft(&draft, lens, false, ret_error)) {
            preview = registry_new(&draft);
            if (preview == NULL) {
                out_of_memory(ret_error);
            } else {
                *ret_schema = registry_schema_by_name(preview, name);
            }
        }
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return preview;
}

static bool
no_schema(struct slice name, struct buffer *ret_error)
{
    buffer_append_string(ret_error, "NOSCHEMA no schema is called ");
    buffer_append_slice(ret_error, name);
    return false;
}

/*
 * Releases forget a schema that goes: its id will never be seen again. One that named nothing
 * else goes, too: kept, it would silently speak the default version of the schema's successor.
 */
static void
forget_schema(struct draft *draft, uint32_t id)
{
    size_t releases_kept = 0;
    for (size_t i = 0; i < draft->release_count; i++) {
        struct draft_release *release = &draft->releases[i];
        bool named = false;
        size_t kept = 0;
        for (size_t k = 0; k < release->count; k++) {
            if (release->pairs[k].schema_id != id) {
                release->pairs[kept++] = release->pairs[k];
            } else {
                named = true;
            }
        }
        release->count = kept;
        if (!named || kept > 0) {
            draft->releases[releases_kept++] = *release;
        }
    }
    draft->release_count = releases_kept;
}

bool
registry_delete(struct registry_holder *holder, struct slice name,
                registry_may_delete *may_delete, void *context, const struct registry **ret_old,
                struct buffer *ret_error)
{
    *ret_old = NULL;
    bool ok = false;
    const struct registry *registry = registry_lock(holder);
    const struct registry_schema *schema = registry_schema_by_name(registry, name);
    struct draft draft;
    if (schema == NULL) {
        no_schema(name, ret_error);
    } else if (may_delete != NULL && !may_delete(context, schema, ret_error)) {
        ok = false;
    } else if (!draft_from_registry(&draft, registry)) {
        out_of_memory(ret_error);
    } else {
        draft_remove_schema(&draft, draft_find(&draft, name));
        forget_schema(&draft, schema->id);
        ok = registry_commit_locked(holder, &draft, ret_old, ret_error);
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return ok;
}

static bool
is_release_name(struct slice name)
{
    if (name.size == 0 || name.size > REGISTRY_NAME_SIZE_MAX ||
        slice_equal(name, SLICE_OF("default"))) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte <= ' ' || byte == 0x7f) {
            return false;
        }
    }
    return true;
}

/* What the release of these names and versions holds, checked. */
static bool
fill_release(struct draft *draft, struct draft_release *release,
             const struct registry *registry, const struct slice *names,
             const unsigned *versions, size_t count, struct buffer *ret_error)
{
    release->count = 0;
    release->pairs = arena_calloc(&draft->arena, count + 1, sizeof(*release->pairs));
    if (release->pairs == NULL) {
        return out_of_memory(ret_error);
    }
    for (size_t i = 0; i < count; i++) {
        const struct registry_schema *schema = registry_schema_by_name(registry, names[i]);
        if (schema == NULL) {
            return no_schema(names[i], ret_error);
        }
        if (versions[i] == 0 || versions[i] > lens_schema_version_count(schema->lens)) {
            buffer_append_string(ret_error, "NOVERSION schema ");
            buffer_append_slice(ret_error, names[i]);
            buffer_printf(ret_error, " has no version %u", versions[i]);
            return false;
        }
        if (registry_withdrawal(schema, versions[i]) != NULL) {
            buffer_append_string(ret_error, "NOVERSION schema ");
            buffer_append_slice(ret_error, names[i]);
            buffer_printf(ret_error, " has retired its version %u", versions[i]);
            return false;
        }
        for (size_t k = 0; k < release->count; k++) {
            if (release->pairs[k].schema_id == schema->id) {
                buffer_append_string(ret_error, "ERR the release names schema ");
                buffer_append_slice(ret_error, names[i]);
                buffer_append_string(ret_error, " twice");
                return false;
            }
        }
        release->pairs[release->count++] =
            (struct draft_pair){.schema_id = schema->id, .version = versions[i]};
    }
    return true;
}

static size_t
draft_find_release(const struct draft *draft, struct slice name)
{
    size_t i = 0;
    while (i < draft->release_count && !slice_equal(draft->releases[i].name, name)) {
        i++;
    }
    return i;
}

static bool
set_release(struct registry_holder *holder, struct draft *draft,
            const struct registry *registry, struct slice name, const struct slice *names,
            const unsigned *versions, size_t count, const struct registry **ret_old,
            struct buffer *ret_error)
{
    size_t index = draft_find_release(draft, name);
    if (index == REGISTRY_RELEASES_MAX) {
        buffer_append_string(ret_error, "ERR there are too many releases");
        return false;
    }
    struct draft_release *release = &draft->releases[index];
    if (index == draft->release_count) {
        release->name = name;
        draft->release_count++;
    }
    return fill_release(draft, release, registry, names, versions, count, ret_error) &&
           registry_commit_locked(holder, draft, ret_old, ret_error);
}

bool
registry_release_set(struct registry_holder *holder, struct slice name,
                     const struct slice *names, const unsigned *versions, size_t count,
                     const struct registry **ret_old, struct buffer *ret_error)
{
    *ret_old = NULL;
    if (!is_release_name(name)) {
        buffer_printf(ret_error,
                      "ERR the name of a release has 1 to %d characters, no blanks, and is "
                      "not 'default'",
                      REGISTRY_NAME_SIZE_MAX);
        return false;
    }
    bool ok = false;
    const struct registry *registry = registry_lock(holder);
    struct draft draft;
    if (!draft_from_registry(&draft, registry)) {
        out_of_memory(ret_error);
    } else {
        ok = set_release(holder, &draft, registry, name, names, versions, count, ret_old,
                         ret_error);
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return ok;
}

bool
registry_release_delete(struct registry_holder *holder, struct slice name,
                        const struct registry **ret_old, struct buffer *ret_error)
{
    *ret_old = NULL;
    bool ok = false;
    const struct registry *registry = registry_lock(holder);
    struct draft draft;
    if (registry_release(registry, name) == NULL) {
        buffer_append_string(ret_error, "NORELEASE no release is called ");
        buffer_append_slice(ret_error, name);
    } else if (!draft_from_registry(&draft, registry)) {
        out_of_memory(ret_error);
    } else {
        size_t index = draft_find_release(&draft, name);
        memmove(&draft.releases[index], &draft.releases[index + 1],
                (draft.release_count - index - 1) * sizeof(*draft.releases));
        draft.release_count--;
        ok = registry_commit_locked(holder, &draft, ret_old, ret_error);
        draft_fini(&draft);
    }
    registry_unlock(holder);
    return ok;
}
