#include "proto/lens.h"

#include <stdio.h>

#include "proto/lens/convert.h"
#include "proto/lens/opaque.h"

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

/* --- a document and what is remembered of it, on its way through the versions --------------
 */

/* Texts put together on the way may come to so many times the limit of output. */
enum { LENS_TEXT_FACTOR = 8 };

struct walk {
    struct run run;
    struct document document;
    bool parsed;         /* <document> is one */
    struct slice *lists; /* lists[v - 1]: of the step from v to v + 1 */
};

static size_t
bound(size_t size, size_t factor, size_t extra)
{
    return factor != 0 && size > (SIZE_MAX - extra) / factor ? SIZE_MAX : size * factor + extra;
}

/* Parse <body>, a document of version <from>. */
static bool
walk_parse(struct walk *walk, struct slice body, unsigned from, unsigned depth_max)
{
    walk->run.from = walk->run.to = from;
    walk->parsed = document_open(&walk->run, body, depth_max, &walk->document);
    return walk->parsed;
}

/* Put the lists of a complement in their places. */
static bool
walk_remember(struct walk *walk, struct slice complement)
{
    const struct lens_schema *schema = walk->run.schema;
    struct section *sections;
    size_t count;
    walk->lists = arena_calloc(walk->run.arena, schema->version_count, sizeof(*walk->lists));
    if (walk->lists == NULL ||
        !memory_sections(schema, complement, walk->run.arena, &sections, &count)) {
        return run_no_memory(&walk->run);
    }
    for (size_t i = 0; i < count; i++) {
        walk->lists[sections[i].version - 1] = sections[i].list;
    }
    return true;
}

/* No identity member, nor a parent of one, may occur twice. */
static bool
walk_check_identity(struct walk *walk, unsigned version)
{
    const struct plan_version *at = &walk->run.schema->versions[version - 1];
    for (size_t i = 0; i < at->identity_count; i++) {
        struct place place;
        if (!run_resolve(&walk->run, walk->document.state, &at->identity[i], &place)) {
            return false;
        }
    }
    return true;
}

/*
 * The steps of <list> upwards or downwards, with the conversion below them where the two
 * versions have different codecs; <in> and <out> have an entry more for that.
 */
static bool
walk_step(struct walk *walk, const struct plan_step *step, bool up, const struct slice *in,
          struct slice *out)
{
    struct run *run = &walk->run;
    if (!step->converts) {
        return run_list(run, &step->list, up, walk->document.state, in, out);
    }
    const struct plan_version *versions = run->schema->versions;
    const struct document before = walk->document;
    const struct codec *codec = run->codec;
    const size_t last = step->list.count;
    const struct slice nothing = {NULL, 0};
    struct slice entry = nothing;
    const struct plan_format *from = &versions[run->from - 1].format;
    const struct plan_format *to = &versions[run->to - 1].format;
    struct slice held = in == NULL ? nothing : in[last];
    bool done;
    if (up) {
        done = convert(run, from, to, &walk->document, &held, &entry);
        if (!done && run->settling && !run->no_memory) {
            memcpy(out, in, last * sizeof(*in));
        }
        done = done && run_list(run, &step->list, up, walk->document.state, in, out);
    } else {
        done = run_list(run, &step->list, up, walk->document.state, in, out);
        if (done && !convert(run, from, to, &walk->document, &held, &entry)) {
            done = false;
            if (run->settling && !run->no_memory) {
                const struct lens_failure failure = *run->failure;
                struct slice *back = arena_calloc(run->arena, last + 1, sizeof(*back));
                if (back == NULL) {
                    return run_no_memory(run);
                }
                bool undone = run_list(run, &step->list, !up, walk->document.state, out, back);
                memcpy(out, undone ? back : in, last * sizeof(*out));
                *run->failure = failure;
            }
        }
    }
    if (!done) {
        walk->document = before; /* a conversion touches nothing of what it converts */
        run->codec = codec;
        entry = held;
    }
    if (out != NULL) {
        out[last] = entry;
    }
    return done;
}

/*
 * Take the document from version <from> to <to>. False: *ret_reached is the version it got to,
 * and if settling, the list of the step behind it says what remains.
 */
static bool
walk_run(struct walk *walk, unsigned from, unsigned to, unsigned *ret_reached)
{
    struct run *run = &walk->run;
    bool up = from < to;
    for (unsigned at = from; at != to; at = up ? at + 1 : at - 1) {
        const struct plan_step *step = &run->schema->steps[up ? at - 1 : at - 2];
        struct slice *list = &walk->lists[up ? at - 1 : at - 2];
        const size_t entries = step->list.count + step->converts;
        struct slice *in = NULL;
        struct slice *out = NULL;
        run->from = at;
        run->to = up ? at + 1 : at - 1;
        *ret_reached = at;
        if (walk->document.absent) {
            *list = (struct slice){NULL, 0}; /* where there is no state, nothing hides */
            continue;
        }
        if ((list->size > 0 || run->settling) &&
            !memory_read(*list, entries, run->arena, &in)) {
            return run_no_memory(run);
        }
        if (run->remember && (out = arena_calloc(run->arena, entries, sizeof(*out))) == NULL) {
            return run_no_memory(run);
        }
        bool done = walk_step(walk, step, up, in, out);
        if (run->no_memory || (!done && !run->settling)) {
            return false;
        }
        if (run->remember && !memory_write(out, entries, run->arena, list)) {
            return run_no_memory(run);
        }
        if (!done) {
            return false;
        }
    }
    *ret_reached = to;
    return true;
}

static bool
versions_known(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
               struct lens_failure *failure)
{
    if (record->version < 1 || record->version > schema->version_count) {
        return fail(failure, LENS_NO_VERSION, record->version, to,
                    "the record's version is unknown");
    }
    if (to < 1 || to > schema->version_count) {
        return fail(failure, LENS_NO_VERSION, record->version, to,
                    "the reader's version is unknown");
    }
    return true;
}

/* The record's document at version <to>, which is another than its own. */
static bool
translate(struct walk *walk, const struct lens_record *record, unsigned to)
{
    struct run *run = &walk->run;
    const struct plan_limits *limits = &run->schema->limits;
    unsigned reached;
    run->text_max = bound(record->body.size, limits->output_factor, limits->output_size);
    run->text_left = bound(run->text_max, LENS_TEXT_FACTOR, 0);
    run->work_left = bound(record->body.size, limits->work_factor, limits->work_count);
    if (!versions_known(run->schema, record, to, run->failure) ||
        !walk_parse(walk, record->body, record->version, run->schema->limits.depth) ||
        !walk_check_identity(walk, record->version) ||
        !walk_remember(walk, record->complement)) {
        if (run->failure->from == run->failure->to && run->failure->reason != LENS_NO_VERSION) {
            run->failure->to = record->version < to ? record->version + 1 : record->version - 1;
        }
        return false;
    }
    return walk_run(walk, record->version, to, &reached);
}

/* --- views and rebasing ------------------------------------------------------------------- */

/* A complement must be in proportion to the body. */
static bool
within_budget(const struct lens_schema *schema, const struct lens_record *record,
              struct lens_failure *failure)
{
    const struct plan_limits *limits = &schema->limits;
    if (record->complement.size >
        bound(record->body.size, limits->complement_factor, limits->complement_size)) {
        return fail(failure, LENS_BUDGET, record->version, record->version,
                    "beyond the limit of the complement");
    }
    return true;
}

bool
lens_rebase(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
            struct arena *arena, struct lens_record *ret_record,
            struct lens_failure *ret_failure)
{
    if (schema->opaque) {
        return opaque_rebase(schema, record, to, arena, ret_record, ret_failure);
    }
    struct walk walk = {
        .run = {.schema = schema, .arena = arena, .failure = ret_failure, .remember = true}};
    struct lens_record rebased = {.version = to};
    if (record->version == to) {
        *ret_record = *record;
        return true;
    }
    if (!translate(&walk, record, to) ||
        !document_text(&walk.run, &walk.document, &rebased.body)) {
        return false;
    }
    /* What takes the place of the record must not lie in it. */
    if (!memory_complement(schema, walk.lists, arena, &rebased.complement) ||
        (rebased.body.data == record->body.data &&
         !arena_copy(arena, rebased.body, &rebased.body))) {
        return run_no_memory(&walk.run);
    }
    if (!within_budget(schema, &rebased, ret_failure)) {
        ret_failure->from = record->version;
        return false;
    }
    *ret_record = rebased;
    return true;
}

/*
 * A view that could not be written back, for want of room for what it hides, is no view. The
 * ops have said how much that is at most; only if that is too much is it found out.
 */
static bool
may_be_written_back(const struct walk *walk, const struct lens_record *record, unsigned to,
                    size_t view_size)
{
    const struct lens_schema *schema = walk->run.schema;
    struct lens_record rebased;
    size_t held_max = walk->run.held_max + record->complement.size +
                      (size_t)schema->version_count * RUN_ENTRY_SIZE;
    return held_max <= bound(view_size, schema->limits.complement_factor,
                             schema->limits.complement_size) ||
           lens_rebase(schema, record, to, walk->run.arena, &rebased, walk->run.failure);
}

bool
lens_explain(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
             struct arena *arena, void (*on_note)(void *context, const struct lens_note *note),
             void *context, struct slice *ret_view, struct lens_failure *ret_failure)
{
    if (schema->opaque) {
        return opaque_view(schema, record, to, ret_view, ret_failure);
    }
    struct walk walk = {.run = {.schema = schema,
                                .arena = arena,
                                .failure = ret_failure,
                                .on_note = on_note,
                                .context = context}};
    struct slice view;
    if (record->version == to) {
        *ret_view = record->body;
        return true;
    }
    if (!translate(&walk, record, to) || !document_text(&walk.run, &walk.document, &view) ||
        !may_be_written_back(&walk, record, to, view.size)) {
        return false;
    }
    *ret_view = view;
    return true;
}

bool
lens_view(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
          struct arena *arena, struct slice *ret_view, struct lens_failure *ret_failure)
{
    return lens_explain(schema, record, to, arena, NULL, NULL, ret_view, ret_failure);
}

bool
lens_forget(const struct lens_schema *schema, const struct lens_record *record, unsigned first,
            unsigned last, struct arena *arena, struct slice *ret_complement)
{
    if (schema->opaque) {
        return opaque_forget(record, first, last, arena, ret_complement);
    }
    struct section *sections;
    size_t count;
    struct slice *lists = arena_calloc(arena, schema->version_count, sizeof(*lists));
    if (lists == NULL ||
        !memory_sections(schema, record->complement, arena, &sections, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (sections[i].version >= first && sections[i].version < last) {
            lists[sections[i].version - 1] = sections[i].list;
        }
    }
    return memory_complement(schema, lists, arena, ret_complement);
}

/* --- writes ---------------------------------------------------------------------------------
 */

/*
 * Are the values of an identity member before and after a write the same? One that refers to
 * others of its document is not: those may have changed. False without memory.
 */
static bool
same_identity(struct run *run, struct tree_node *was, struct tree_node *is, bool *ret_same)
{
    struct slice raw = slice_make(was->value, was->value_size);
    *ret_same = false;
    if (is == NULL || (run->codec->refers != NULL && run->codec->refers(raw))) {
        return true;
    }
    return tree_equal(run->codec, was, is, run->arena, ret_same);
}

/*
 * Did a write change or remove the value of an identity member? <walk> has parsed the new body,
 * or not. A body that is no document has
 * none; one that is deeper than documents may be has them all the same, so here depth is no
 * matter (and what is too deep to tell counts as changed).
 */
static bool
identity_changed(const struct walk *walk, struct slice before, struct slice after,
                 unsigned version, bool *ret_changed)
{
    const struct plan_version *at = &walk->run.schema->versions[version - 1];
    struct walk old = *walk;
    struct walk new = *walk;
    *ret_changed = false;
    if (at->identity_count == 0) {
        return true;
    }
    if (!walk_parse(&old, before, version, CODEC_DEPTH_MAX)) {
        *ret_changed = old.run.failure->reason == LENS_BUDGET;
        return !old.run.no_memory;
    }
    if (!new.parsed && !walk_parse(&new, after, version, CODEC_DEPTH_MAX)) {
        *ret_changed = new.run.failure->reason == LENS_BUDGET;
    }
    for (size_t i = 0; i < at->identity_count && !*ret_changed; i++) {
        struct place was = {0};
        struct place is = {0};
        if (!run_resolve(&old.run, old.document.state, &at->identity[i], &was) ||
            (new.parsed && !run_resolve(&new.run, new.document.state, &at->identity[i], &is))) {
            *ret_changed = true;
        } else if (was.member != NULL) {
            bool same;
            if (!same_identity(&old.run, was.member, is.member, &same)) {
                return false;
            }
            *ret_changed = !same;
        }
    }
    return !old.run.no_memory && !new.run.no_memory;
}

/*
 * To the version next to the last step towards <to> that remembers anything, and back. What a
 * failure keeps from being looked at, stays.
 */
static bool
settle_towards(struct walk *walk, unsigned version, unsigned to)
{
    struct run *run = &walk->run;
    bool up = version < to;
    unsigned end = version;
    for (unsigned at = version; at != to; at = up ? at + 1 : at - 1) {
        if (walk->lists[up ? at - 1 : at - 2].size > 0) {
            end = up ? at + 1 : at - 1;
        }
    }
    if (end == version) {
        return true;
    }
    unsigned steps = run->schema->version_count;
    struct slice *before = arena_calloc(run->arena, steps, sizeof(*before));
    unsigned reached;
    unsigned back;
    if (before == NULL) {
        return run_no_memory(run);
    }
    memcpy(before, walk->lists, steps * sizeof(*before));
    const struct document document = walk->document;
    const struct codec *codec = run->codec;
    run->settling = true;
    walk_run(walk, version, end, &reached);
    run->settling = false;
    if (run->no_memory) {
        return false;
    }
    if (reached != version && !walk_run(walk, reached, version, &back)) {
        /* An op that cannot be undone: keep everything rather than guess. */
        memcpy(walk->lists, before, steps * sizeof(*before));
    }
    if (walk->document.layers != document.layers) {
        walk->document = document; /* what came back from another codec is equal to it */
        run->codec = codec;
    }
    return !run->no_memory;
}

/* Drop from the complement of <record> what its body, which <walk> has parsed, no longer holds.
 */
static bool
settle(struct walk *walk, struct lens_record *record)
{
    struct run *run = &walk->run;
    bool parsed = walk_parse(walk, record->body, record->version, run->schema->limits.depth);
    if (run->no_memory || !walk_remember(walk, record->complement)) {
        return false;
    }
    if (parsed && walk_check_identity(walk, record->version)) {
        if (!settle_towards(walk, record->version, run->schema->version_count)) {
            return false;
        }
        /* Undone to the byte, so the same tree serves for the other direction. */
        if (!settle_towards(walk, record->version, 1)) {
            return false;
        }
    }
    if (run->no_memory) {
        return false;
    }
    return memory_complement(run->schema, walk->lists, run->arena, &record->complement) ||
           run_no_memory(run);
}

/* For taking a body of <version> apart, and nothing else. */
static struct run
checking_run(const struct lens_schema *schema, unsigned version, struct arena *arena,
             struct lens_failure *failure)
{
    return (struct run){.schema = schema,
                        .arena = arena,
                        .failure = failure,
                        .from = version,
                        .to = version,
                        .work_left = SIZE_MAX};
}

bool
lens_is_hash(const struct lens_schema *schema, unsigned version)
{
    return version >= 1 && version <= schema->version_count &&
           schema->versions[version - 1].format.codecs[0]->is_hash;
}

bool
lens_is_document(const struct lens_schema *schema, unsigned version, struct slice body)
{
    if (schema->opaque) {
        return true;
    }
    const struct plan_format *format = &schema->versions[version - 1].format;
    struct arena arena;
    struct document document;
    struct lens_failure failure;
    size_t offset;
    if (format->count == 1 && !format->codecs[0]->is_hash) {
        return format->codecs[0]->check(body, schema->limits.depth, &offset) == CODEC_OK;
    }
    arena_init(&arena, 0);
    struct run run = checking_run(schema, version, &arena, &failure);
    bool is_document = document_open(&run, body, schema->limits.depth, &document);
    arena_fini(&arena);
    return is_document;
}

enum lens_write
lens_write(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
           struct slice body, struct arena *arena, struct lens_record *ret_record,
           struct lens_failure *ret_failure)
{
    struct lens_record record = {.version = by, .body = body};
    struct lens_record rebased;
    if (by < 1 || by > schema->version_count) {
        fail(ret_failure, LENS_NO_VERSION, by, by, "the writer's version is unknown");
        return LENS_WRITE_REFUSED;
    }
    if (schema->opaque) {
        if (opaque_write(schema, old, by, body, arena, ret_record)) {
            return LENS_WRITE_OK;
        }
        fail(ret_failure, LENS_BUDGET, by, by, "out of memory");
        *ret_record = record;
        return LENS_WRITE_QUARANTINE;
    }
    if (schema->strict) {
        struct document document;
        struct run run = checking_run(schema, by, arena, ret_failure);
        if (!document_open(&run, body, schema->limits.depth, &document)) {
            return LENS_WRITE_REFUSED;
        }
    }
    if (old != NULL && !lens_rebase(schema, old, by, arena, &rebased, ret_failure)) {
        *ret_record = record;
        return LENS_WRITE_QUARANTINE;
    }
    if (old != NULL && rebased.complement.size > 0) {
        record.complement = rebased.complement;
        if (!slice_equal(rebased.body, body)) {
            struct lens_failure failure;
            struct walk walk = {
                .run = {.schema = schema,
                        .arena = arena,
                        .failure = &failure,
                        .remember = true,
                        .text_max = SIZE_MAX,
                        .text_left = SIZE_MAX,
                        .work_left = bound(body.size, schema->limits.work_factor,
                                           schema->limits.work_count)}};
            bool changed;
            walk_parse(&walk, body, by, schema->limits.depth);
            if (walk.run.no_memory ||
                !identity_changed(&walk, rebased.body, body, by, &changed) ||
                (!changed && !settle(&walk, &record))) {
                fail(ret_failure, LENS_BUDGET, by, by, "out of memory");
                *ret_record = (struct lens_record){.version = by, .body = body};
                return LENS_WRITE_QUARANTINE;
            }
            if (changed) {
                record.complement = slice_make(NULL, 0);
            }
        }
        if (!within_budget(schema, &record, ret_failure)) {
            *ret_record = (struct lens_record){.version = by, .body = body};
            return LENS_WRITE_QUARANTINE;
        }
    }
    *ret_record = record;
    return LENS_WRITE_OK;
}
