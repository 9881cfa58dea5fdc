/*
 * Stands in until the lens engine is there: every schema is refused. Weak, so that the engine's
 * functions simply take its place.
 */
#include "proto/lens.h"

#include <stdio.h>

#define STUB __attribute__((weak))

STUB const char *
lens_reason_name(enum lens_reason reason)
{
    static const char *const names[] = {
#define X(id, name) name,
        LENS_REASONS(X)
#undef X
    };
    return names[reason];
}

STUB struct lens_schema *
lens_schema_new(struct slice json, struct lens_problem *ret_problem)
{
    (void)json;
    snprintf(ret_problem->path, sizeof(ret_problem->path), "/versions");
    snprintf(ret_problem->text, sizeof(ret_problem->text), "lenses are not there yet");
    return NULL;
}

STUB void
lens_schema_free(struct lens_schema *schema)
{
    (void)schema;
}

STUB bool
lens_schema_may_follow(const struct lens_schema *old, const struct lens_schema *next,
                       struct lens_problem *ret_problem)
{
    (void)old;
    (void)next;
    (void)ret_problem;
    return false;
}

STUB struct slice
lens_schema_json(const struct lens_schema *schema)
{
    (void)schema;
    return slice_make(NULL, 0);
}

STUB struct slice
lens_schema_name(const struct lens_schema *schema)
{
    (void)schema;
    return slice_make(NULL, 0);
}

STUB size_t
lens_schema_key_count(const struct lens_schema *schema)
{
    (void)schema;
    return 0;
}

STUB struct slice
lens_schema_key(const struct lens_schema *schema, size_t index)
{
    (void)schema;
    (void)index;
    return slice_make(NULL, 0);
}

STUB size_t
lens_schema_except_count(const struct lens_schema *schema)
{
    (void)schema;
    return 0;
}

STUB struct slice
lens_schema_except(const struct lens_schema *schema, size_t index)
{
    (void)schema;
    (void)index;
    return slice_make(NULL, 0);
}

STUB int
lens_schema_db(const struct lens_schema *schema)
{
    (void)schema;
    return -1;
}

STUB unsigned
lens_schema_version_count(const struct lens_schema *schema)
{
    (void)schema;
    return 0;
}

STUB unsigned
lens_schema_default_version(const struct lens_schema *schema)
{
    (void)schema;
    return 1;
}

STUB enum lens_outcome
lens_schema_outcome(const struct lens_schema *schema)
{
    (void)schema;
    return LENS_OUTCOME_ERROR;
}

STUB bool
lens_schema_strict(const struct lens_schema *schema)
{
    (void)schema;
    return false;
}

STUB bool
lens_is_document(const struct lens_schema *schema, unsigned version, struct slice body)
{
    (void)schema;
    (void)version;
    (void)body;
    return false;
}

STUB bool
lens_view(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
          struct arena *arena, struct slice *ret_view, struct lens_failure *ret_failure)
{
    (void)schema;
    (void)record;
    (void)to;
    (void)arena;
    (void)ret_view;
    *ret_failure = (struct lens_failure){.reason = LENS_NO_VERSION};
    return false;
}

STUB bool
lens_rebase(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
            struct arena *arena, struct lens_record *ret_record,
            struct lens_failure *ret_failure)
{
    (void)ret_record;
    struct slice view;
    return lens_view(schema, record, to, arena, &view, ret_failure);
}

STUB enum lens_write
lens_write(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
           struct slice body, struct arena *arena, struct lens_record *ret_record,
           struct lens_failure *ret_failure)
{
    (void)ret_record;
    (void)body;
    struct slice view;
    if (old != NULL) {
        lens_view(schema, old, by, arena, &view, ret_failure);
    }
    return LENS_WRITE_REFUSED;
}

STUB bool
lens_explain(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
             struct arena *arena, void (*on_note)(void *context, const struct lens_note *note),
             void *context, struct slice *ret_view, struct lens_failure *ret_failure)
{
    (void)on_note;
    (void)context;
    return lens_view(schema, record, to, arena, ret_view, ret_failure);
}
