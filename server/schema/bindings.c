#include "server/schema/bindings.h"

#include "server/schema/usage.h"

#include <stdlib.h>

enum { SOURCE_COUNT = 4 };

/* What SCHEMA USE said of one schema. */
struct use {
    struct use *next;
    unsigned version;
    size_t name_size;
    char name[];
};

struct resolved {
    unsigned version;
    struct usage *usage; /* [owned] one reference; this connection is counted there */
};

struct bindings {
    uint64_t epoch; /* 0: to be resolved */
    struct resolved *resolved;
    size_t count;
    struct use *uses;
    char *client_release; /* [owned] the client name, when it last was a release */
    size_t client_release_size;
    char *missing; /* [owned] */
    size_t missing_size;
};

struct bindings *
bindings_new(void)
{
    return calloc(1, sizeof(struct bindings));
}

/* Who would speak a withdrawn version is counted there. */
static unsigned
counted_version(unsigned version)
{
    return version == BINDINGS_NO_RELEASE ? version : version & (BINDINGS_WITHDRAWN - 1);
}

static void
forget_resolved(struct bindings *bindings)
{
    for (size_t i = 0; i < bindings->count; i++) {
        struct resolved *resolved = &bindings->resolved[i];
        usage_connect(resolved->usage, counted_version(resolved->version), -1);
        usage_unref(resolved->usage);
    }
    free(bindings->resolved);
    bindings->resolved = NULL;
    bindings->count = 0;
    bindings->epoch = 0;
}

void
bindings_free(struct bindings *bindings)
{
    if (bindings == NULL) {
        return;
    }
    forget_resolved(bindings);
    bindings_clear(bindings);
    free(bindings->client_release);
    free(bindings->missing);
    free(bindings);
}

bool
bindings_use(struct bindings *bindings, struct slice schema_name, unsigned version)
{
    struct use *use = bindings->uses;
    while (use != NULL && !slice_equal(slice_make(use->name, use->name_size), schema_name)) {
        use = use->next;
    }
    if (use == NULL) {
        use = malloc(sizeof(*use) + schema_name.size);
        if (use == NULL) {
            return false;
        }
        use->name_size = schema_name.size;
        memcpy(use->name, schema_name.data, schema_name.size);
        use->next = bindings->uses;
        bindings->uses = use;
    }
    use->version = version;
    bindings_invalidate(bindings);
    return true;
}

void
bindings_clear(struct bindings *bindings)
{
    for (struct use *use = bindings->uses, *next; use != NULL; use = next) {
        next = use->next;
        free(use);
    }
    bindings->uses = NULL;
    bindings_invalidate(bindings);
}

void
bindings_invalidate(struct bindings *bindings)
{
    bindings->epoch = 0;
}

bool
bindings_are_current(const struct bindings *bindings, const struct registry *registry)
{
    return bindings->epoch == registry_epoch(registry);
}

/* One of the sources: a release, a name that must be one and is not, or nothing (both unset).
 */
struct source {
    const struct release *release;
    bool is_missing;
};

static struct source
find_source(const struct registry *registry, struct slice name, bool must_be_release)
{
    struct source source = {0};
    if (name.size > 0) {
        source.release = registry_release(registry, name);
        source.is_missing = source.release == NULL &&
                            (must_be_release || registry_has_application(registry, name));
    }
    return source;
}

static void
copy_name(struct slice name, char **copy, size_t *size)
{
    char *fresh = malloc(name.size + 1);
    if (fresh != NULL) {
        memcpy(fresh, name.data, name.size);
        free(*copy);
        *copy = fresh;
        *size = name.size;
    }
}

/* What the sources say, in their order; the names are kept where they are needed later. */
static void
find_sources(struct bindings *bindings, const struct registry *registry,
             const struct bindings_source *from, struct source sources[SOURCE_COUNT])
{
    struct slice user = from->user;
    if (slice_equal(user, SLICE_OF("default"))) {
        user.size = 0;
    }
    bool was_release =
        from->client_name.size > 0 && bindings->client_release != NULL &&
        slice_equal(from->client_name,
                    slice_make(bindings->client_release, bindings->client_release_size));
    const struct slice names[SOURCE_COUNT] = {user, from->client_name, from->listener_release,
                                              from->database_release};
    bool has_missing = false;
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        sources[i] = find_source(registry, names[i], i == 1 ? was_release : true);
        if (sources[i].is_missing && !has_missing) {
            has_missing = true;
            copy_name(names[i], &bindings->missing, &bindings->missing_size);
        }
    }
    if (!has_missing) {
        free(bindings->missing);
        bindings->missing = NULL;
        bindings->missing_size = 0;
    }
    if (sources[1].release != NULL && !was_release) {
        copy_name(from->client_name, &bindings->client_release, &bindings->client_release_size);
    }
}

static unsigned
choose(const struct bindings *bindings, const struct registry_schema *schema,
       const struct source sources[SOURCE_COUNT])
{
    for (const struct use *use = bindings->uses; use != NULL; use = use->next) {
        if (slice_equal(slice_make(use->name, use->name_size),
                        lens_schema_name(schema->lens))) {
            return use->version;
        }
    }
    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        if (sources[i].is_missing) {
            return BINDINGS_NO_RELEASE;
        }
        unsigned version =
            sources[i].release == NULL ? 0 : release_version(sources[i].release, schema->index);
        if (version != 0) {
            return version;
        }
    }
    return lens_schema_default_version(schema->lens);
}

bool
bindings_resolve(struct bindings *bindings, const struct registry *registry,
                 const struct bindings_source *source)
{
    size_t count = registry_schema_count(registry);
    struct resolved *resolved = calloc(count + 1, sizeof(*resolved));
    if (resolved == NULL) {
        return false;
    }
    struct source sources[SOURCE_COUNT];
    find_sources(bindings, registry, source, sources);
    for (size_t i = 0; i < count; i++) {
        const struct registry_schema *schema = registry_schema_at(registry, i);
        resolved[i].version = choose(bindings, schema, sources);
        if (registry_withdrawal(schema, resolved[i].version) != NULL) {
            resolved[i].version += BINDINGS_WITHDRAWN;
        }
        resolved[i].usage = usage_ref(schema->usage);
        usage_connect(schema->usage, counted_version(resolved[i].version), 1);
    }
    forget_resolved(bindings);
    bindings->resolved = resolved;
    bindings->count = count;
    bindings->epoch = registry_epoch(registry);
    return true;
}

unsigned
bindings_version(const struct bindings *bindings, const struct registry_schema *schema)
{
    return bindings->resolved[schema->index].version;
}

struct slice
bindings_missing(const struct bindings *bindings)
{
    return slice_make(bindings->missing, bindings->missing_size);
}
