#include "proto/lens.h"

#include <stdio.h>

#include "proto/lens/plan.h"

const char *
lens_reason_name(enum lens_reason reason)
{
    static const char *const names[] = {
#define X(id, name) [id] = name,
        LENS_REASONS(X)
#undef X
    };
    return names[reason];
}

static bool
fail(struct lens_failure *failure, enum lens_reason reason, unsigned from, unsigned to,
     const char *text)
{
    *failure = (struct lens_failure){.reason = reason, .from = from, .to = to};
    snprintf(failure->text, LENS_TEXT_SIZE, "%s", text);
    return false;
}

bool
lens_view(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
          struct arena *arena, struct slice *ret_view, struct lens_failure *ret_failure)
{
    struct lens_record rebased;
    if (!lens_rebase(schema, record, to, arena, &rebased, ret_failure)) {
        return false;
    }
    *ret_view = rebased.body;
    return true;
}

bool
lens_rebase(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
            struct arena *arena, struct lens_record *ret_record,
            struct lens_failure *ret_failure)
{
    (void)schema;
    (void)arena;
    if (record->version != to) {
        return fail(ret_failure, LENS_NO_VERSION, record->version, to, "not translated yet");
    }
    *ret_record = *record;
    return true;
}

enum lens_write
lens_write(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
           struct slice body, struct arena *arena, struct lens_record *ret_record,
           struct lens_failure *ret_failure)
{
    struct lens_record rebased;
    if (lens_schema_strict(schema) && !lens_is_document(schema, by, body)) {
        fail(ret_failure, LENS_SYNTAX, by, by, "not a JSON document");
        return LENS_WRITE_REFUSED;
    }
    bool done = old == NULL || lens_rebase(schema, old, by, arena, &rebased, ret_failure);
    *ret_record = (struct lens_record){.version = by, .body = body};
    return done ? LENS_WRITE_OK : LENS_WRITE_QUARANTINE;
}

bool
lens_explain(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
             struct arena *arena, void (*on_note)(void *context, const struct lens_note *note),
             void *context, struct slice *ret_view, struct lens_failure *ret_failure)
{
    (void)on_note;
    (void)context;
    return lens_view(schema, record, to, arena, ret_view, ret_failure);
}
