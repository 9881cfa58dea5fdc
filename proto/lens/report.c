/* What the ops of a schema do to values, told from the schema alone. */
#include "proto/lens/plan.h"

#include <stdio.h>

const char *lens_class_name(enum lens_class class)
{
    static const char *const names[] = {
        [LENS_ISO] = "iso",     [LENS_COMPLEMENT] = "complement", [LENS_DEFAULT] = "default",
        [LENS_LOSSY] = "lossy", [LENS_PARTIAL] = "partial",
    };
    return names[class];
}

/* ---- one op ---- */

static const struct plan_entry *
find(const struct plan_table *table, struct slice key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (slice_equal(table->entries[i].key, key)) {
            return &table->entries[i];
        }
    }
    return NULL;
}

/* Is <entry> the only one of <table> that becomes what it does, and does <back> undo it? */
static bool
is_undone(const struct plan_table *back, const struct plan_entry *entry)
{
    for (size_t i = 0; i < back->count; i++) {
        if (slice_equal(entry->text, back->entries[i].key)) {
            return slice_equal(back->entries[i].text, entry->key);
        }
    }
    return false;
}

/* Does <back> give all that <there> takes? A string with escapes counts as not given. */
static enum lens_class
map_class(const struct plan_table *there, const struct plan_table *back)
{
    if (there->otherwise == PLAN_ELSE_VALUE) {
        return LENS_LOSSY;
    }
    for (size_t i = 0; i < there->count; i++) {
        if (!is_undone(back, &there->entries[i])) {
            return LENS_LOSSY;
        }
    }
    if (there->otherwise == PLAN_ELSE_KEEP) {
        /* What is kept must be kept on the way back, too. */
        if (back->otherwise != PLAN_ELSE_KEEP) {
            return LENS_LOSSY;
        }
        for (size_t i = 0; i < back->count; i++) {
            if (find(there, back->entries[i].key) == NULL) {
                return LENS_LOSSY;
            }
        }
    }
    return LENS_ISO;
}

static void
classify(const struct plan_op *op, enum lens_class *up, enum lens_class *down)
{
    enum lens_class adding = op->has_value ? LENS_DEFAULT : LENS_COMPLEMENT;
    *up = *down = LENS_ISO;
    switch (op->kind) {
    case PLAN_RENAME:
    case PLAN_MOVE:
    case PLAN_EACH:
        break;
    case PLAN_ADD:
    case PLAN_FILL:
        *up = adding;
        *down = LENS_COMPLEMENT;
        break;
    case PLAN_REMOVE:
        *up = LENS_COMPLEMENT;
        *down = adding;
        break;
    case PLAN_FILTER:
        *up = *down = LENS_COMPLEMENT;
        break;
    case PLAN_MAP:
        *up = map_class(&op->up, &op->down);
        *down = map_class(&op->down, &op->up);
        break;
    case PLAN_CONVERT: /* a time with an offset is shown in UTC */
        *up = op->from_unit == PLAN_ISO_8601 ? LENS_LOSSY : LENS_ISO;
        *down = op->to_unit == PLAN_ISO_8601 ? LENS_LOSSY : LENS_ISO;
        break;
    case PLAN_SCALE:
        *up = op->up_digits >= 0 ? LENS_LOSSY : LENS_ISO;
        *down = op->down_digits >= 0 ? LENS_LOSSY : LENS_ISO;
        break;
    case PLAN_WRAP:
        *down = LENS_LOSSY; /* all elements but the first */
        break;
    case PLAN_UNWRAP:
        *up = LENS_LOSSY;
        break;
    case PLAN_SPLIT: /* empty parts, and separators inside a part */
    case PLAN_JOIN:
        *up = *down = LENS_LOSSY;
        break;
    }
}

/* ---- all of them ---- */

/* A list being walked. */
struct level {
    const struct plan_list *list;
    size_t index;
    struct slice path; /* of its elements */
    struct slice at;
};

struct report {
    struct arena *arena;
    lens_on_op *on_op;
    void *context;
};

static bool
join(struct report *report, struct slice a, const char *middle, struct slice b,
     struct slice *ret_text)
{
    size_t size = strlen(middle);
    char *text = arena_alloc(report->arena, a.size + size + b.size + 1);
    if (text == NULL) {
        return false;
    }
    if (a.size > 0) {
        memcpy(text, a.data, a.size);
    }
    memcpy(text + a.size, middle, size);
    if (b.size > 0) {
        memcpy(text + a.size + size, b.data, b.size);
    }
    *ret_text = slice_make(text, a.size + size + b.size);
    return true;
}

static void
worsen(enum lens_class *class, enum lens_class other)
{
    *class = other > *class ? other : *class;
}

/* An `each` is as its ops are; they are nested a few levels deep at most. */
static void
classify_each(const struct plan_op *op, enum lens_class *up, enum lens_class *down)
{
    const struct plan_list *lists[PLAN_NESTING_MAX + 1] = {&op->steps};
    size_t at[PLAN_NESTING_MAX + 1] = {0};
    size_t depth = 1;
    *up = *down = LENS_ISO;
    while (depth > 0) {
        if (at[depth - 1] == lists[depth - 1]->count) {
            depth--;
            continue;
        }
        const struct plan_op *inner = &lists[depth - 1]->ops[at[depth - 1]++];
        enum lens_class inner_up;
        enum lens_class inner_down;
        classify(inner, &inner_up, &inner_down);
        worsen(up, inner_up);
        worsen(down, inner_down);
        if (inner->kind == PLAN_EACH && depth <= PLAN_NESTING_MAX) {
            lists[depth] = &inner->steps;
            at[depth++] = 0;
        }
    }
}

static bool
report_op(struct report *report, unsigned from, struct level *level, struct level *ret_inner)
{
    char number[32];
    const struct plan_op *op = &level->list->ops[level->index];
    struct lens_op told = {.from = from, .name = op->name};
    (void)snprintf(number, sizeof(number), "/%zu", level->index);
    if (!join(report, level->path, "", op->path.text, &told.path) ||
        !join(report, level->at, number, slice_make(NULL, 0), &told.at)) {
        return false;
    }
    if (op->kind == PLAN_EACH) {
        classify_each(op, &told.up, &told.down);
    } else {
        classify(op, &told.up, &told.down);
        told.is_hiding = told.up == LENS_COMPLEMENT || told.down == LENS_COMPLEMENT ||
                         told.up == LENS_LOSSY || told.down == LENS_LOSSY;
    }
    report->on_op(report->context, &told);
    ret_inner->list = NULL;
    if (op->kind == PLAN_EACH) {
        *ret_inner = (struct level){.list = &op->steps};
        return join(report, told.path, "/*", slice_make(NULL, 0), &ret_inner->path) &&
               join(report, told.at, "/steps", slice_make(NULL, 0), &ret_inner->at);
    }
    return true;
}

/*
 * Below the ops. No two codecs have all values of each other, and what a document holds is not
 * known here: what one side lacks is untranslatable, and so never lost. Where only what wraps
 * the state differs, this says more than need be.
 */
static bool
report_codec(struct report *report, unsigned from)
{
    char at[48];
    struct lens_op told = {
        .from = from, .name = "codec", .up = LENS_PARTIAL, .down = LENS_PARTIAL};
    (void)snprintf(at, sizeof(at), "/versions/%u/codec", from);
    if (!arena_copy(report->arena, slice_from_string(at), &told.at)) {
        return false;
    }
    report->on_op(report->context, &told);
    return true;
}

static bool
report_step(struct report *report, const struct lens_schema *schema, unsigned from)
{
    struct level levels[PLAN_NESTING_MAX + 1] = {{.list = &schema->steps[from - 1].list}};
    size_t depth = 1;
    char at[48];
    (void)snprintf(at, sizeof(at), "/versions/%u/steps", from);
    levels[0].at = slice_from_string(at);
    if (schema->steps[from - 1].converts && !report_codec(report, from)) {
        return false;
    }
    while (depth > 0) {
        struct level *top = &levels[depth - 1];
        struct level inner;
        if (top->index == top->list->count) {
            depth--;
            continue;
        }
        if (!report_op(report, from, top, &inner)) {
            return false;
        }
        top->index++;
        if (inner.list != NULL && depth <= PLAN_NESTING_MAX) {
            levels[depth++] = inner;
        }
    }
    return true;
}

bool
lens_schema_ops(const struct lens_schema *schema, struct arena *arena, lens_on_op *on_op,
                void *context)
{
    struct report report = {.arena = arena, .on_op = on_op, .context = context};
    for (unsigned from = 1; from < schema->version_count; from++) {
        if (!report_step(&report, schema, from)) {
            return false;
        }
    }
    return true;
}
