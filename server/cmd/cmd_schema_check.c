/* SCHEMA CHECK: what a document says and does, told without publishing it. */
#include "server/cmd/handlers.h"
#include "server/cmd/schema_change.h"

enum { PATHS_IN_WARNING_MAX = 5 };

struct finding {
    struct finding *next;
    struct lens_problem problem;
};

struct findings {
    struct arena *arena;
    struct finding *first;
    struct finding **end;
    size_t count;
};

struct told_op {
    struct told_op *next;
    struct lens_op op;
};

struct report {
    struct arena arena;
    struct findings problems;
    struct findings conflicts;
    struct findings warnings;
    struct told_op *first_op;
    struct told_op **end_op;
    size_t op_count;
    size_t hiding_count;
    bool no_memory;
};

static void
findings_init(struct findings *findings, struct arena *arena)
{
    *findings = (struct findings){.arena = arena, .end = &findings->first};
}

static void
add(void *context, const struct lens_problem *problem)
{
    struct findings *findings = context;
    struct finding *finding = arena_alloc(findings->arena, sizeof(*finding));
    if (finding == NULL) {
        return;
    }
    finding->next = NULL;
    finding->problem = *problem;
    *findings->end = finding;
    findings->end = &finding->next;
    findings->count++;
}

static void
on_op(void *context, const struct lens_op *op)
{
    struct report *report = context;
    struct told_op *told = arena_alloc(&report->arena, sizeof(*told));
    if (told == NULL) {
        report->no_memory = true;
        return;
    }
    *told = (struct told_op){.op = *op};
    *report->end_op = told;
    report->end_op = &told->next;
    report->op_count++;
    report->hiding_count += op->is_hiding;
}

/* One user's hidden data must not reach another, and nobody has said who is who. */
static void
warn_of_identity(struct report *report)
{
    struct lens_problem warning = {.path = "/identity"};
    struct buffer text;
    buffer_init(&text, 0);
    buffer_append_string(&text, "hides data (");
    size_t named = 0;
    for (const struct told_op *told = report->first_op; told != NULL; told = told->next) {
        if (told->op.is_hiding && named < PATHS_IN_WARNING_MAX) {
            buffer_append_string(&text, named++ > 0 ? ", " : "");
            buffer_append_slice(&text, told->op.path);
        }
    }
    buffer_printf(&text, "%s) and names no identity",
                  report->hiding_count > named ? ", ..." : "");
    size_t size = text.size < LENS_TEXT_SIZE - 1 ? text.size : LENS_TEXT_SIZE - 1;
    if (!text.failed) {
        memcpy(warning.text, text.data, size);
        add(&report->warnings, &warning);
    }
    buffer_fini(&text);
}

static void
reply_findings(struct reply *reply, const char *name, const struct findings *findings)
{
    reply_string(reply, name);
    reply_array(reply, findings->count);
    for (const struct finding *finding = findings->first; finding != NULL;
         finding = finding->next) {
        reply_map(reply, 2);
        reply_string(reply, "path");
        reply_string(reply, finding->problem.path);
        reply_string(reply, "text");
        reply_string(reply, finding->problem.text);
    }
}

static void
reply_report(struct reply *reply, const struct report *report)
{
    reply_map(reply, 5);
    reply_string(reply, "publishable");
    reply_boolean(reply, report->problems.count == 0 && report->conflicts.count == 0);
    reply_findings(reply, "problems", &report->problems);
    reply_findings(reply, "conflicts", &report->conflicts);
    reply_findings(reply, "warnings", &report->warnings);
    reply_string(reply, "ops");
    reply_array(reply, report->op_count);
    for (const struct told_op *told = report->first_op; told != NULL; told = told->next) {
        const struct lens_op *op = &told->op;
        reply_map(reply, 7);
        reply_string(reply, "from");
        reply_integer(reply, op->from);
        reply_string(reply, "to");
        reply_integer(reply, op->from + 1);
        reply_string(reply, "op");
        reply_string(reply, op->name);
        reply_string(reply, "path");
        reply_bulk(reply, op->path);
        reply_string(reply, "up");
        reply_string(reply, lens_class_name(op->up));
        reply_string(reply, "down");
        reply_string(reply, lens_class_name(op->down));
        reply_string(reply, "at");
        reply_bulk(reply, op->at);
    }
}

/* What is in the way of publishing <lens> now; false without memory. */
static bool
compare(struct schema_change *change, const struct lens_schema *lens, struct report *report)
{
    struct registry *registry = registry_copy(change->server->registries);
    if (registry == NULL) {
        return false;
    }
    registry_conflicts(registry, lens, add, &report->conflicts);
    registry_copy_free(registry);
    return true;
}

static bool
apply_check(struct schema_change *change)
{
    struct report report = {.end_op = &report.first_op};
    arena_init(&report.arena, 0);
    findings_init(&report.problems, &report.arena);
    findings_init(&report.conflicts, &report.arena);
    findings_init(&report.warnings, &report.arena);
    struct lens_schema *lens = lens_schema_check(change->argv[2], add, &report.problems);
    bool ok = true;
    if (lens != NULL) {
        ok = lens_schema_ops(lens, &report.arena, on_op, &report) && !report.no_memory &&
             compare(change, lens, &report);
        if (report.hiding_count > 0 && lens_schema_identity_count(lens) == 0) {
            warn_of_identity(&report);
        }
    }
    struct reply reply = {.out = &change->answer, .resp = change->parked.resp};
    if (ok) {
        reply_report(&reply, &report);
    }
    lens_schema_free(lens);
    arena_fini(&report.arena);
    return ok;
}

void
cmd_schema_check(struct request *request)
{
    struct schema_change *change = schema_change_new(request);
    if (change != NULL) {
        change->apply = apply_check;
        schema_change_start(request, change);
    }
}
