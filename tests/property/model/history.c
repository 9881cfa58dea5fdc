#include "tests/property/model/history.h"

#include "proto/base/check.h"
#include "tests/property/model/frame.h"
#include "tests/property/model/reference.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    VERSIONS_MAX = GENERATE_VERSIONS_MAX,
    DEPTH_MAX = 128,
    BIG_SIZE = 6 * 1024, /* from here on budgets may bite, which the model does not know */
    OUTPUT_FACTOR = 8,
    COMPLEMENT_FACTOR = 4,
    SLACK_SIZE = 64 * 1024,
};

struct outcome {
    bool ok;
    struct slice view;
    struct lens_failure failure;
};

/* A history being checked. */
struct trial {
    const struct history *history;
    struct tally *tally;
    struct violation *violation;
    struct lens_schema *lens;
    struct lens_schema *single[VERSIONS_MAX]; /* [0]: only the step from 1 to 2 */
    struct reference *reference;
    struct frame *frame;
    unsigned version_count;
    bool strict;
    struct arena lasting; /* until the end of the history */
    struct arena scratch; /* until the end of an event */
    size_t event;
    struct prng prng;          /* of what this event tries on the side */
    struct lens_record record; /* never rebased but by writes */
    struct lens_record twin;   /* rebased on the way */
    struct reference_record model;
    struct outcome views[VERSIONS_MAX + 1];
    bool fresh; /* one write, nothing hidden */
    bool big;   /* budgets may bite */
    bool stop;
};

const char *
law_name(enum law law)
{
    static const char *const names[] = {
#define X(id, name) name,
        LAWS(X)
#undef X
    };
    return names[law];
}

struct slice
value_text(struct arena *arena, const struct value *value, enum value_style style,
           struct prng *prng)
{
    struct buffer buffer;
    struct slice copy;
    buffer_init(&buffer, 0);
    value_print(&buffer, value, style, prng);
    CHECK(arena_copy(arena, buffer_slice(&buffer), &copy));
    buffer_fini(&buffer);
    return copy;
}

__attribute__((format(printf, 3, 4))) static bool
violated(struct trial *trial, enum law law, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    trial->violation->law = law;
    trial->violation->event = trial->event;
    buffer_clear(&trial->violation->text);
    buffer_append_string(&trial->violation->text, text);
    return false;
}

static void
count(struct trial *trial, enum law law)
{
    trial->tally->checked[law]++;
}

static const char *
outcome_text(struct trial *trial, const struct outcome *outcome)
{
    char *text = arena_calloc(&trial->scratch, 1, 1024);
    CHECK(text != NULL);
    if (outcome->ok) {
        snprintf(text, 1024, "%.*s%s",
                 (int)(outcome->view.size > 900 ? 900 : outcome->view.size),
                 outcome->view.size == 0 ? "" : outcome->view.data,
                 outcome->view.size > 900 ? "..." : "");
    } else {
        snprintf(text, 1024, "untranslatable (%s) %u->%u at %s: %s",
                 lens_reason_name(outcome->failure.reason), outcome->failure.from,
                 outcome->failure.to, outcome->failure.path, outcome->failure.text);
    }
    return text;
}

static bool
outcome_equal(const struct outcome *a, const struct outcome *b)
{
    if (a->ok || b->ok) {
        return a->ok == b->ok && slice_equal(a->view, b->view);
    }
    return a->failure.reason == b->failure.reason && a->failure.from == b->failure.from &&
           a->failure.to == b->failure.to && strcmp(a->failure.path, b->failure.path) == 0;
}

static bool
is_budget(const struct outcome *outcome)
{
    return !outcome->ok && outcome->failure.reason == LENS_BUDGET;
}

static struct outcome
view_of(struct trial *trial, const struct lens_record *record, unsigned to)
{
    struct outcome outcome = {0};
    outcome.ok =
        lens_view(trial->lens, record, to, &trial->scratch, &outcome.view, &outcome.failure);
    return outcome;
}

static struct outcome
rebase_of(struct trial *trial, const struct lens_record *record, unsigned to,
          struct lens_record *ret_record)
{
    struct outcome outcome = {0};
    outcome.ok =
        lens_rebase(trial->lens, record, to, &trial->scratch, ret_record, &outcome.failure);
    outcome.view = outcome.ok ? ret_record->body : (struct slice){0};
    return outcome;
}

static struct slice
keep(struct trial *trial, struct slice slice)
{
    struct slice copy = {"", 0};
    if (slice.size > 0) {
        CHECK(arena_copy(&trial->lasting, slice, &copy));
    }
    return copy;
}

static struct lens_record
keep_record(struct trial *trial, struct lens_record record)
{
    return (struct lens_record){.version = record.version,
                                .body = keep(trial, record.body),
                                .complement = keep(trial, record.complement)};
}

/* Do all versions see in <record> what they are expected to? */
static bool
views_are(struct trial *trial, enum law law, const struct lens_record *record,
          const struct outcome *expected, const char *what)
{
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct outcome got = view_of(trial, record, j);
        count(trial, law);
        if (trial->big && (is_budget(&got) || is_budget(&expected[j]))) {
            continue;
        }
        if (!outcome_equal(&got, &expected[j])) {
            return violated(trial, law, "%s: version %u\n  expected %s\n  got      %s", what, j,
                            outcome_text(trial, &expected[j]), outcome_text(trial, &got));
        }
    }
    return true;
}

static struct value *
parse(struct trial *trial, struct slice text)
{
    struct value *value;
    return spelling_parse(&trial->scratch, text, DEPTH_MAX + 8, &value, NULL) == VALUE_PARSE_OK
               ? value
               : NULL;
}

/* --- the laws of one record --- */

static bool
check_failure(struct trial *trial, const struct outcome *outcome, unsigned from, unsigned to)
{
    const struct lens_failure *failure = &outcome->failure;
    count(trial, LAW_HONEST);
    trial->tally->views_failed++;
    if (failure->reason <= LENS_OK || failure->reason >= LENS_REASON_COUNT) {
        return violated(trial, LAW_HONEST, "%u->%u failed without a reason (%d)", from, to,
                        (int)failure->reason);
    }
    trial->tally->reasons[failure->reason]++;
    bool printable = memchr(failure->path, 0, LENS_PATH_SIZE) != NULL &&
                     memchr(failure->text, 0, LENS_TEXT_SIZE) != NULL;
    for (const char *at = failure->path; printable && *at != '\0'; at++) {
        printable = *at >= 0x20 && *at < 0x7f;
    }
    for (const char *at = failure->text; printable && *at != '\0'; at++) {
        printable = *at >= 0x20 && *at < 0x7f;
    }
    if (!printable || failure->text[0] == '\0' ||
        (failure->path[0] != '\0' && failure->path[0] != '/')) {
        return violated(trial, LAW_HONEST, "no printable path and text: '%.40s' '%.40s'",
                        failure->path, failure->text);
    }
    bool adjacent =
        from < to
            ? failure->to == failure->from + 1 && failure->from >= from && failure->to <= to
            : failure->from == failure->to + 1 && failure->from <= from && failure->to >= to;
    if (!adjacent && failure->reason != LENS_SYNTAX && failure->reason != LENS_BUDGET) {
        return violated(trial, LAW_HONEST, "%u->%u: a failure of the step %u->%u (%s)", from,
                        to, failure->from, failure->to, failure->text);
    }
    return true;
}

/* All views; each the truth about itself. */
static bool
check_views(struct trial *trial)
{
    struct lens_record *record = &trial->record;
    struct value *body = parse(trial, record->body);
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct outcome *outcome = &trial->views[j];
        const struct slice untouched = SLICE("untouched");
        outcome->view = untouched;
        outcome->ok = lens_view(trial->lens, record, j, &trial->scratch, &outcome->view,
                                &outcome->failure);
        if (j == record->version) {
            count(trial, LAW_SAME_VERSION);
            if (!outcome->ok || !slice_equal(outcome->view, record->body)) {
                return violated(
                    trial, LAW_SAME_VERSION, "version %u\n  expected %.*s\n  got      %s", j,
                    (int)record->body.size, record->body.data, outcome_text(trial, outcome));
            }
            continue;
        }
        if (!outcome->ok) {
            if (!slice_equal(outcome->view, untouched)) {
                return violated(trial, LAW_HONEST, "a failed view was half given out: %.*s",
                                (int)outcome->view.size, outcome->view.data);
            }
            outcome->view = (struct slice){0};
            if (!check_failure(trial, outcome, record->version, j)) {
                return false;
            }
            continue;
        }
        trial->tally->views_made++;
        struct value *view = parse(trial, outcome->view);
        struct slice name;
        count(trial, LAW_FRAME);
        if (view == NULL || body == NULL || !lens_is_document(trial->lens, j, outcome->view)) {
            return violated(trial, LAW_HONEST, "version %u reads %s of\n  %.*s", j,
                            outcome_text(trial, outcome), (int)record->body.size,
                            record->body.data);
        }
        if (spelling_keeps_text() && !frame_untouched(trial->frame, body, view, &name)) {
            return violated(trial, LAW_FRAME,
                            "version %u: '%.*s', named by no step, has changed\n  of  %.*s\n"
                            "  got %s",
                            j, (int)name.size, name.data, (int)record->body.size,
                            record->body.data, outcome_text(trial, outcome));
        }
        count(trial, LAW_BOUNDED);
        size_t input = record->body.size + record->complement.size;
        if (outcome->view.size > OUTPUT_FACTOR * input + SLACK_SIZE) {
            return violated(trial, LAW_BOUNDED, "%zu bytes of view from %zu",
                            outcome->view.size, input);
        }
    }
    return true;
}

static bool
check_complement_size(struct trial *trial, const struct lens_record *record)
{
    count(trial, LAW_BOUNDED);
    return record->complement.size <= COMPLEMENT_FACTOR * record->body.size + SLACK_SIZE ||
           violated(trial, LAW_BOUNDED, "a complement of %zu bytes beside a body of %zu",
                    record->complement.size, record->body.size);
}

static bool
check_rebase(struct trial *trial)
{
    for (unsigned k = 1; k <= trial->version_count; k++) {
        struct lens_record rebased;
        struct outcome outcome = rebase_of(trial, &trial->record, k, &rebased);
        const struct outcome *view = &trial->views[k];
        char what[64];
        enum law law = k == trial->record.version ? LAW_IDEMPOTENCE : LAW_REBASE;
        count(trial, law);
        if (trial->big && (is_budget(&outcome) || is_budget(view))) {
            continue;
        }
        if (!outcome_equal(&outcome, view)) {
            return violated(trial, law, "rebase to %u\n  expected %s\n  got      %s", k,
                            outcome_text(trial, view), outcome_text(trial, &outcome));
        }
        if (!outcome.ok) {
            continue;
        }
        if (rebased.version != k) {
            return violated(trial, law, "rebase to %u gives version %u", k, rebased.version);
        }
        snprintf(what, sizeof(what), "after rebase to %u", k);
        if (!check_complement_size(trial, &rebased) ||
            !views_are(trial, law, &rebased, trial->views, what)) {
            return false;
        }
    }
    return true;
}

/* Writing back what was read changes no view: as it was, and spelt otherwise. */
static bool
check_get_put(struct trial *trial)
{
    unsigned again = 1 + (unsigned)prng_below(&trial->prng, trial->version_count);
    for (unsigned k = 1; k <= trial->version_count; k++) {
        struct lens_record written;
        struct lens_failure failure;
        char what[64];
        if (!trial->views[k].ok ||
            (trial->strict && parse(trial, trial->record.body) == NULL)) {
            continue;
        }
        enum lens_write done = lens_write(trial->lens, &trial->record, k, trial->views[k].view,
                                          &trial->scratch, &written, &failure);
        if (done != LENS_WRITE_OK && !(trial->big && failure.reason == LENS_BUDGET)) {
            return violated(trial, LAW_GET_PUT, "%u writes its view back: %d (%s)", k,
                            (int)done, failure.text);
        }
        if (done != LENS_WRITE_OK) {
            continue;
        }
        snprintf(what, sizeof(what), "%u wrote its view back", k);
        if (!views_are(trial, LAW_GET_PUT, &written, trial->views, what)) {
            return false;
        }
    }
    struct value *value =
        trial->views[again].ok ? parse(trial, trial->views[again].view) : NULL;
    if (value == NULL || trial->big) {
        return true;
    }
    if (spelling_is_mixed() &&
        (value->kind < VALUE_ARRAY ||
         !lens_is_document(trial->lens, again, trial->views[again].view))) {
        return true; /* it may look like a text of the other codec */
    }
    enum value_style style =
        value_has_duplicates(value)
            ? VALUE_DRESSED
            : (enum value_style)prng_below(&trial->prng, VALUE_SHUFFLED + 1);
    struct lens_record written;
    struct lens_failure failure;
    struct slice text = spelling_text(&trial->scratch, again, value, style, &trial->prng);
    lens_write(trial->lens, &trial->record, again, text, &trial->scratch, &written, &failure);
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct outcome got = view_of(trial, &written, j);
        if (text.size > BIG_SIZE && is_budget(&got)) {
            continue; /* the other spelling is what takes so much room */
        }
        count(trial, LAW_GET_PUT);
        if (got.ok != trial->views[j].ok ||
            (got.ok && parse(trial, got.view) != NULL &&
             !spelling_equal(&trial->scratch, parse(trial, got.view),
                             parse(trial, trial->views[j].view)))) {
            return violated(trial, LAW_GET_PUT,
                            "%u wrote its view back, spelt %.*s: version %u\n  expected %s\n"
                            "  got      %s",
                            again, (int)text.size, text.data, j,
                            outcome_text(trial, &trial->views[j]), outcome_text(trial, &got));
        }
    }
    return true;
}

static bool
check_model(struct trial *trial)
{
    enum law law = trial->fresh ? LAW_MODEL : LAW_ROLLBACK;
    for (unsigned j = 1; j <= trial->version_count && !trial->model.uncertain; j++) {
        const struct outcome *got = &trial->views[j];
        struct reference_view model = reference_view(&trial->model, &trial->scratch, j);
        if (j == trial->record.version || model.uncertain) {
            continue;
        }
        bool lacks = !spelling_is_json();
        if ((!got->ok && got->failure.reason == LENS_RANGE && lacks) ||
            (model.reasons == 0 && !spelling_holds(model.value))) {
            trial->model.uncertain = true; /* numbers that the codec has no place for */
            continue;
        }
        if (is_budget(got) && trial->big) {
            trial->model.uncertain = true;
            continue;
        }
        count(trial, law);
        struct value *view = got->ok ? parse(trial, got->view) : NULL;
        bool ordered = trial->fresh && reference_knows_order(trial->reference);
        if (got->ok != (model.reasons == 0) ||
            (got->ok && (!value_equal(model.value, view) ||
                         (ordered && !value_same_order(model.value, view))))) {
            struct slice text = model.reasons != 0 ? SLICE_OF("untranslatable")
                                                   : value_text(&trial->scratch, model.value,
                                                                VALUE_COMPACT, NULL);
            return violated(trial, law,
                            "version %u (writer %u)\n  expected %.*s\n  got      %s", j,
                            trial->record.version, (int)(text.size > 900 ? 900 : text.size),
                            text.data, outcome_text(trial, got));
        }
        if (!got->ok && (model.reasons & (1u << got->failure.reason)) == 0) {
            struct buffer names;
            buffer_init(&names, 0);
            for (unsigned r = 0; r < LENS_REASON_COUNT; r++) {
                if ((model.reasons & (1u << r)) != 0) {
                    buffer_append_char(&names, ' ');
                    buffer_append_string(&names, lens_reason_name((enum lens_reason)r));
                }
            }
            buffer_append_char(&names, '\0');
            violated(trial, law, "version %u: reason\n  expected%s\n  got      %s", j,
                     names.data, outcome_text(trial, got));
            buffer_fini(&names);
            return false;
        }
    }
    trial->tally->models_uncertain += trial->model.uncertain;
    return true;
}

/* Step by step through schemas of two versions = the compiled composite. */
static bool
check_chain(struct trial *trial)
{
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct lens_record record = trial->record;
        struct outcome outcome = {.ok = true, .view = record.body};
        unsigned at = record.version;
        while (outcome.ok && at != j) {
            bool up = at < j;
            unsigned lower = up ? at : at - 1;
            record.version = up ? 1 : 2;
            record.body = outcome.view;
            record.complement = (struct slice){0};
            outcome.ok = lens_view(trial->single[lower - 1], &record, up ? 2 : 1,
                                   &trial->scratch, &outcome.view, &outcome.failure);
            outcome.failure.from = at;
            at = up ? at + 1 : at - 1;
            outcome.failure.to = at;
        }
        count(trial, LAW_CHAIN);
        const struct outcome *composite = &trial->views[j];
        if (trial->big && (is_budget(&outcome) || is_budget(composite))) {
            continue;
        }
        bool equal = outcome.ok == composite->ok &&
                     (outcome.ok ? slice_equal(outcome.view, composite->view)
                                 : outcome.failure.reason == composite->failure.reason);
        if (!equal) {
            return violated(trial, LAW_CHAIN,
                            "version %u\n  step by step %s\n  at once      %s", j,
                            outcome_text(trial, &outcome), outcome_text(trial, composite));
        }
    }
    return true;
}

/* --- hostile input --- */

static void
on_note(void *context, const struct lens_note *note)
{
    size_t *bad = context;
    unsigned apart = note->from < note->to ? note->to - note->from : note->from - note->to;
    *bad += apart != 1 || note->op == NULL || note->text == NULL ||
            (note->path.size > 0 && note->path.data[0] != '/');
}

static bool
check_explain(struct trial *trial)
{
    size_t bad = 0;
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct outcome outcome = {0};
        outcome.ok = lens_explain(trial->lens, &trial->record, j, &trial->scratch, on_note,
                                  &bad, &outcome.view, &outcome.failure);
        count(trial, LAW_HONEST);
        if (bad > 0 || !outcome_equal(&outcome, &trial->views[j])) {
            return violated(trial, LAW_HONEST, "explained to %u\n  expected %s\n  got      %s",
                            j, outcome_text(trial, &trial->views[j]),
                            outcome_text(trial, &outcome));
        }
    }
    return true;
}

/* Everything a caller may do with a record, for its own sake. */
static void
exercise(struct trial *trial, const struct lens_record *record)
{
    for (unsigned j = 0; j <= trial->version_count + 1; j++) {
        struct outcome outcome = view_of(trial, record, j);
        struct lens_record other;
        struct lens_failure failure;
        rebase_of(trial, record, j, &other);
        if (outcome.ok && j > 0 && j <= trial->version_count) {
            lens_write(trial->lens, record, j, outcome.view, &trial->scratch, &other, &failure);
            lens_write(trial->lens, record, j, trial->record.body, &trial->scratch, &other,
                       &failure);
        }
    }
}

static struct slice
mutate(struct trial *trial, struct slice bytes)
{
    struct prng *prng = &trial->prng;
    size_t size = bytes.size;
    char *copy = malloc(size + 16);
    CHECK(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes.data, size);
    }
    if (size == 0 || prng_chance(prng, 5)) {
        size = prng_below(prng, 16);
        for (size_t i = 0; i < size; i++) {
            copy[i] = (char)prng_next(prng);
        }
    }
    for (size_t changes = 1 + prng_below(prng, 3); changes > 0 && size > 0; changes--) {
        size_t at = prng_below(prng, size);
        switch (prng_below(prng, 6)) {
        case 0:
            size = at;
            break;
        case 1:
            memmove(copy + at, copy + at + 1, size - at - 1);
            size--;
            break;
        case 2:
            if (size < bytes.size + 16) {
                memmove(copy + at + 1, copy + at, size - at);
                size++;
            }
            break;
        case 3:
            copy[at] = (char)(copy[at] + (prng_chance(prng, 50) ? 1 : -1));
            break;
        default:
            copy[at] = (char)prng_next(prng);
        }
    }
    /* exact, so that a sanitizer sees every byte too far */
    char *exact = malloc(size == 0 ? 1 : size);
    CHECK(exact != NULL);
    memcpy(exact, copy, size);
    free(copy);
    return slice_make(exact, size);
}

static void
free_slice(struct slice slice)
{
    union {
        const char *constant;
        char *data;
    } owned = {slice.data};
    free(owned.data);
}

static bool
check_hostile(struct trial *trial)
{
    struct lens_record record = trial->record;
    bool body_too = prng_chance(&trial->prng, 30);
    count(trial, LAW_TOTAL);
    record.complement = mutate(trial, trial->record.complement);
    if (body_too) {
        record.body = mutate(trial, trial->record.body);
    }
    exercise(trial, &record);
    free_slice(record.complement);
    if (body_too) {
        free_slice(record.body);
    }
    return true;
}

/* A record is a function of its bytes, wherever they lie. */
static bool
check_elsewhere(struct trial *trial)
{
    struct lens_record copy = trial->record;
    struct lens_record *from = &trial->record;
    char *body = malloc(from->body.size == 0 ? 1 : from->body.size);
    char *complement = malloc(from->complement.size == 0 ? 1 : from->complement.size);
    CHECK(body != NULL && complement != NULL);
    if (from->body.size > 0) {
        memcpy(body, from->body.data, from->body.size);
    }
    if (from->complement.size > 0) {
        memcpy(complement, from->complement.data, from->complement.size);
    }
    copy.body.data = body;
    copy.complement.data = complement;
    bool same = views_are(trial, LAW_TOTAL, &copy, trial->views, "at another address");
    free(body);
    free(complement);
    return same;
}

/* With little memory: the same, or LENS_BUDGET. */
static bool
check_starved(struct trial *trial)
{
    struct arena small;
    arena_init(&small,
               64 + prng_below(&trial->prng, prng_chance(&trial->prng, 50) ? 2048 : 24 * 1024));
    bool passed = true;
    for (unsigned j = 1; passed && j <= trial->version_count; j++) {
        struct outcome outcome = {0};
        struct lens_record record;
        struct lens_failure failure;
        outcome.ok =
            lens_view(trial->lens, &trial->record, j, &small, &outcome.view, &outcome.failure);
        count(trial, LAW_BOUNDED);
        if (!is_budget(&outcome) && !outcome_equal(&outcome, &trial->views[j])) {
            passed =
                violated(trial, LAW_BOUNDED,
                         "with little memory: version %u\n  expected %s\n  got      %s", j,
                         outcome_text(trial, &trial->views[j]), outcome_text(trial, &outcome));
        }
        size_t used = small.used;
        arena_clear(&small);
        if (used > 64) { /* it runs out somewhere on the way */
            small.used_max = 64 + prng_below(&trial->prng, used - 64);
        }
        lens_rebase(trial->lens, &trial->record, j, &small, &record, &failure);
        arena_clear(&small);
        lens_write(trial->lens, &trial->record, j, trial->record.body, &small, &record,
                   &failure);
        arena_clear(&small);
    }
    arena_fini(&small);
    return passed;
}

static bool
is_no_version(struct trial *trial, struct lens_record record, unsigned to)
{
    struct outcome outcome = view_of(trial, &record, to);
    struct lens_record rebased;
    struct outcome rebase = rebase_of(trial, &record, to, &rebased);
    count(trial, LAW_HONEST);
    return (!outcome.ok && outcome.failure.reason == LENS_NO_VERSION && !rebase.ok &&
            rebase.failure.reason == LENS_NO_VERSION) ||
           violated(trial, LAW_HONEST, "from version %u to version %u: no-version, but %s",
                    record.version, to, outcome_text(trial, &outcome));
}

static bool
check_unknown_versions(struct trial *trial)
{
    struct lens_record unknown = trial->record;
    unsigned beyond = trial->version_count + 1;
    unknown.version = prng_chance(&trial->prng, 50) ? 0 : beyond;
    return is_no_version(trial, trial->record, 0) &&
           is_no_version(trial, trial->record, beyond) &&
           is_no_version(trial, unknown, trial->record.version);
}

/* What was remembered of steps that have changed since is forgotten. */
static bool
check_fingerprints(struct trial *trial)
{
    struct lens_problem problem;
    struct value *changed = value_copy(&trial->scratch, trial->history->schema);
    struct value *versions = value_get_string(changed, "versions");
    for (size_t i = 1; i < versions->count; i++) {
        struct value *steps = value_get_string(versions->members[i].value, "steps");
        struct value *op = value_new(&trial->scratch, VALUE_OBJECT);
        if (steps == NULL) {
            return true;
        }
        value_set(&trial->scratch, op, "op", value_string(&trial->scratch, "wrap"));
        value_set(&trial->scratch, op, "path", value_string(&trial->scratch, "/zz"));
        value_append(&trial->scratch, steps, (struct slice){0}, op);
    }
    struct slice json = value_text(&trial->scratch, changed, VALUE_COMPACT, NULL);
    struct lens_schema *lens = lens_schema_new(json, &problem);
    if (lens == NULL) {
        return violated(trial, LAW_REFUSED, "one more wrap is refused: %s", problem.text);
    }
    struct lens_record fresh = trial->record;
    fresh.complement = (struct slice){0};
    bool same = true;
    for (unsigned j = 1; same && j <= trial->version_count; j++) {
        struct outcome got = {0};
        struct outcome expected = {0};
        got.ok = lens_view(lens, &trial->record, j, &trial->scratch, &got.view, &got.failure);
        expected.ok =
            lens_view(lens, &fresh, j, &trial->scratch, &expected.view, &expected.failure);
        count(trial, LAW_HONEST);
        same = outcome_equal(&got, &expected) ||
               violated(trial, LAW_HONEST,
                        "the steps have changed: version %u\n  expected %s\n  got      %s", j,
                        outcome_text(trial, &expected), outcome_text(trial, &got));
    }
    lens_schema_free(lens);
    return same;
}

static bool
check_record(struct trial *trial)
{
    struct prng *prng = &trial->prng;
    trial->big |= trial->record.body.size + trial->record.complement.size > BIG_SIZE;
    if (!check_complement_size(trial, &trial->record) || !check_views(trial) ||
        !views_are(trial, LAW_REBASE, &trial->twin, trial->views, "the rebased twin") ||
        !check_rebase(trial) || !check_get_put(trial) || !check_model(trial)) {
        return false;
    }
    if (trial->fresh && trial->single[0] != NULL && !check_chain(trial)) {
        return false;
    }
    return (!prng_chance(prng, 10) || check_explain(trial)) &&
           (!prng_chance(prng, 30) || check_hostile(trial)) &&
           (!prng_chance(prng, 20) || check_elsewhere(trial)) &&
           (!prng_chance(prng, 8) || check_starved(trial)) &&
           (!prng_chance(prng, 5) || check_unknown_versions(trial)) &&
           (!prng_chance(prng, 5) || check_fingerprints(trial));
}

/* --- the laws of a write --- */

struct written {
    unsigned by;
    struct slice body;
    const struct value *before; /* what the writer saw; NULL: nothing */
    const struct value *after;
    struct outcome views[VERSIONS_MAX + 1]; /* as they were */
};

/* In another codec a value that comes back is spelled anew. */
static bool
texts_agree(struct trial *trial, const struct value *a, const struct value *b)
{
    return spelling_keeps_text() ? slice_equal(a->raw, b->raw)
                                 : spelling_equal(&trial->scratch, a, b);
}

static bool
members_agree(struct trial *trial, const struct value *a, const struct value *b,
              struct slice name, bool raw)
{
    const struct value *in_a = value_get(a, name);
    const struct value *in_b = value_get(b, name);
    if (in_a == NULL || in_b == NULL) {
        return in_a == in_b;
    }
    return raw && spelling_keeps_text() ? slice_equal(in_a->raw, in_b->raw)
                                        : spelling_equal(&trial->scratch, in_a, in_b);
}

static void
mark_changed(struct trial *trial, const struct value *from, const struct value *other, bool raw,
             bool *changed, bool *all)
{
    for (size_t i = 0; i < from->count; i++) {
        struct slice name = from->members[i].name;
        if (!members_agree(trial, from, other, name, raw)) {
            size_t group = frame_group(trial->frame, name);
            if (group == SIZE_MAX) {
                *all = true;
            } else {
                changed[group] = true;
            }
        }
    }
}

/* White space travels with the member beside it: texts compare only where there is none. */
static bool
has_space(struct slice text)
{
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];
        if (in_string && byte == '\\') {
            i++;
        } else if (byte == '"') {
            in_string = !in_string;
        } else if (!in_string &&
                   (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')) {
            return true;
        }
    }
    return false;
}

/* Members of other groups than those the writer changed are the same in every view. */
static bool
check_frame(struct trial *trial, const struct written *written, bool raw)
{
    bool changed[FRAME_GROUPS_MAX + 1] = {false};
    bool all = false;
    mark_changed(trial, written->before, written->after, raw, changed, &all);
    mark_changed(trial, written->after, written->before, raw, changed, &all);
    if (all) {
        return true;
    }
    for (unsigned j = 1; j <= trial->version_count; j++) {
        struct outcome now = view_of(trial, &trial->record, j);
        const struct outcome *before = &written->views[j];
        if (!now.ok || !before->ok) {
            continue;
        }
        const struct value *old_view = parse(trial, before->view);
        const struct value *new_view = parse(trial, now.view);
        if (!value_is(old_view, VALUE_OBJECT) || !value_is(new_view, VALUE_OBJECT)) {
            continue;
        }
        for (int side = 0; side < 2; side++) {
            const struct value *view = side == 0 ? old_view : new_view;
            for (size_t i = 0; i < view->count; i++) {
                struct slice name = view->members[i].name;
                size_t group = frame_group(trial->frame, name);
                if (group == SIZE_MAX || changed[group] || value_name_count(view, name) > 1) {
                    continue;
                }
                count(trial, LAW_FRAME);
                if (!members_agree(trial, old_view, new_view, name, raw)) {
                    return violated(trial, LAW_FRAME,
                                    "%u wrote %.*s: version %u, member '%.*s', which that has "
                                    "nothing to do with%s\n  before %s\n  after  %s",
                                    written->by, (int)written->body.size, written->body.data, j,
                                    (int)name.size, name.data, raw ? "" : " (by value)",
                                    outcome_text(trial, before), outcome_text(trial, &now));
                }
            }
        }
    }
    return true;
}

/* Where each of <array>'s keys occurs once: true. */
static bool
keys_are_unique(const struct value *array, struct slice key)
{
    for (size_t i = 0; i < array->count; i++) {
        const struct value *value = value_get(array->members[i].value, key);
        if (value == NULL || value->kind == VALUE_NULL || value->kind >= VALUE_ARRAY) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (value_equal(value, value_get(array->members[k].value, key))) {
                return false;
            }
        }
    }
    return true;
}

static const struct value *
element_of(const struct value *array, struct slice key, const struct value *wanted)
{
    for (size_t i = 0; i < array->count; i++) {
        const struct value *value = value_get(array->members[i].value, key);
        if (value != NULL && value_equal(value, wanted)) {
            return array->members[i].value;
        }
    }
    return NULL;
}

/* Elements that the writer kept, wherever it put them, are what they were in every view. */
static bool
check_arrays(struct trial *trial, const struct written *written)
{
    for (size_t i = 0; i < written->after->count; i++) {
        struct slice name = written->after->members[i].name;
        const struct value *after = written->after->members[i].value;
        const struct value *before = value_get(written->before, name);
        struct slice key;
        if (!frame_keyed_array(trial->frame, name, &key) || !value_is(before, VALUE_ARRAY) ||
            !value_is(after, VALUE_ARRAY) || value_name_count(written->before, name) > 1 ||
            value_name_count(written->after, name) > 1 || !keys_are_unique(before, key) ||
            !keys_are_unique(after, key)) {
            continue;
        }
        for (unsigned j = 1; j <= trial->version_count; j++) {
            struct outcome now = view_of(trial, &trial->record, j);
            if (!now.ok || !written->views[j].ok) {
                continue;
            }
            const struct value *was = value_get(parse(trial, written->views[j].view), name);
            const struct value *is = value_get(parse(trial, now.view), name);
            if (!spelling_is_modelled() && is != NULL && is->count == 0 && after->count == 0) {
                continue; /* empty: an array, or an object */
            }
            if (!spelling_is_modelled() && was != NULL && was->count == 0) {
                continue;
            }
            if (!value_is(was, VALUE_ARRAY) || !value_is(is, VALUE_ARRAY) ||
                is->count != after->count) {
                return violated(trial, LAW_ARRAYS, "version %u: the array '%.*s' has gone: %s",
                                j, (int)name.size, name.data, outcome_text(trial, &now));
            }
            for (size_t k = 0; k < after->count; k++) {
                const struct value *id = value_get(after->members[k].value, key);
                const struct value *old = element_of(before, key, id);
                if (old == NULL || !texts_agree(trial, old, after->members[k].value)) {
                    continue;
                }
                const struct value *expected = element_of(was, key, id);
                count(trial, LAW_ARRAYS);
                if (expected == NULL || !texts_agree(trial, expected, is->members[k].value)) {
                    return violated(trial, LAW_ARRAYS,
                                    "version %u: element %zu of '%.*s'\n  before %s\n"
                                    "  after  %s",
                                    j, k, (int)name.size, name.data,
                                    outcome_text(trial, &written->views[j]),
                                    outcome_text(trial, &now));
                }
            }
        }
    }
    return true;
}

/* Does this write give the record to somebody else? */
static bool
identity_changes(struct trial *trial, const struct written *written)
{
    struct pointer pointers[IDENTITY_MAX];
    size_t pointer_count = reference_identity(trial->reference, written->by, pointers);
    for (size_t i = 0; i < pointer_count; i++) {
        struct value *before = NULL;
        struct value *after = NULL;
        union {
            const struct value *constant;
            struct value *value;
        } roots[2] = {{written->before}, {written->after}};
        if ((written->before != NULL && !pointer_get(&pointers[i], roots[0].value, &before)) ||
            (written->after != NULL && !pointer_get(&pointers[i], roots[1].value, &after))) {
            return true;
        }
        if (before != NULL && (after == NULL || !value_equal(before, after))) {
            return true;
        }
    }
    return false;
}

static bool
check_write(struct trial *trial, const struct written *written, enum lens_write done,
            bool could_rebase, bool identical)
{
    struct lens_record fresh = {.version = written->by, .body = written->body};
    struct outcome expected[VERSIONS_MAX + 1];
    count(trial, LAW_QUARANTINE);
    if (done == LENS_WRITE_QUARANTINE) {
        trial->tally->quarantined++;
        if (could_rebase) {
            return violated(trial, LAW_QUARANTINE, "%u may read, but quarantined", written->by);
        }
        if (trial->record.complement.size > 0) {
            return violated(trial, LAW_QUARANTINE, "a complement survives");
        }
        return true;
    }
    if (!could_rebase) {
        return violated(trial, LAW_QUARANTINE, "%u cannot read, but nothing was quarantined",
                        written->by);
    }
    bool changes = !identical && identity_changes(trial, written);
    if (changes) {
        for (unsigned j = 1; j <= trial->version_count; j++) {
            expected[j] = view_of(trial, &fresh, j);
        }
        return views_are(trial, LAW_IDENTITY, &trial->record, expected,
                         "another identity, but not a fresh record");
    }
    if (identical) {
        return views_are(trial, LAW_IDEMPOTENCE, &trial->record, written->views,
                         "the same bytes again");
    }
    if (value_is(written->before, VALUE_OBJECT) && value_is(written->after, VALUE_OBJECT)) {
        bool spaced = has_space(written->body) || has_space(written->views[written->by].view);
        return (spaced || check_frame(trial, written, true)) &&
               check_frame(trial, written, false) && check_arrays(trial, written);
    }
    return true;
}

/* Bytes that every reading of the JSON grammar agrees on. */
static bool
is_plain(struct slice text)
{
    if (!spelling_is_json()) {
        return true;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (byte >= 0x80) {
            size_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
            if (byte < 0xc3 || byte == 0xe0 || byte == 0xed || byte >= 0xf4 ||
                text.size - i <= more) {
                return false;
            }
            for (size_t k = 1; k <= more; k++) {
                if (((unsigned char)text.data[i + k] & 0xc0) != 0x80) {
                    return false;
                }
            }
            if (byte == 0xf0 && (unsigned char)text.data[i + 1] < 0x90) {
                return false;
            }
            i += more;
        } else if (byte == '\\' && i + 2 < text.size && text.data[i + 1] == 'u' &&
                   (text.data[i + 2] | 32) == 'd') {
            return false; /* perhaps a lone surrogate */
        }
    }
    return true;
}

/* 1: a document, 0: none, -1: not for us to say */
static int
document_status(struct trial *trial, struct slice body)
{
    struct value *value;
    size_t depth;
    enum value_parse status = spelling_parse(&trial->scratch, body, 400, &value, &depth);
    if (!is_plain(body) || spelling_is_mixed() ||
        (depth > DEPTH_MAX - 2 && depth < DEPTH_MAX + 3)) {
        return -1;
    }
    return status == VALUE_PARSE_OK && depth <= DEPTH_MAX;
}

static bool
do_write(struct trial *trial, unsigned by, struct slice body)
{
    struct written written = {.by = by, .body = keep(trial, body)};
    struct lens_record next = {0};
    struct lens_record twin = {0};
    struct lens_failure failure = {0};
    struct lens_failure twin_failure = {0};
    bool first = trial->record.version == 0;
    int status = document_status(trial, body);
    bool is_document = lens_is_document(trial->lens, by, written.body);
    count(trial, LAW_TOTAL);
    if (status >= 0 && is_document != (status == 1)) {
        return violated(trial, LAW_TOTAL, "is_document: expected %d, got %d: %.*s", status,
                        (int)is_document, (int)(body.size > 900 ? 900 : body.size), body.data);
    }
    bool could_rebase = true;
    bool budget = false;
    if (!first) {
        memcpy(written.views, trial->views, sizeof(written.views));
        for (unsigned j = 1; j <= trial->version_count; j++) {
            written.views[j].view = keep(trial, written.views[j].view);
        }
        if (by != trial->record.version) {
            struct lens_record rebased;
            struct outcome outcome = rebase_of(trial, &trial->record, by, &rebased);
            could_rebase = outcome.ok;
            budget = trial->big && is_budget(&outcome);
        }
        written.before = written.views[by].ok ? parse(trial, written.views[by].view) : NULL;
    }
    written.after = parse(trial, written.body);
    enum lens_write done = lens_write(trial->lens, first ? NULL : &trial->record, by,
                                      written.body, &trial->scratch, &next, &failure);
    enum lens_write twin_done = lens_write(trial->lens, first ? NULL : &trial->twin, by,
                                           written.body, &trial->scratch, &twin, &twin_failure);
    trial->big |= written.body.size > BIG_SIZE;
    if (budget || (trial->big && done != twin_done)) {
        trial->stop = true;
        return true;
    }
    if (done != twin_done ||
        (done != LENS_WRITE_OK &&
         (failure.reason != twin_failure.reason || failure.from != twin_failure.from ||
          failure.to != twin_failure.to || strcmp(failure.path, twin_failure.path) != 0))) {
        return violated(
            trial, LAW_REBASE,
            "a write by %u of %.*s\n  gave %d (%s) at %s, but to the rebased twin %d "
            "(%s) at %s",
            by, (int)body.size, body.data, (int)done, failure.text, failure.path,
            (int)twin_done, twin_failure.text, twin_failure.path);
    }
    if (done == LENS_WRITE_REFUSED) {
        count(trial, LAW_HONEST);
        return (trial->strict && !is_document) ||
               violated(trial, LAW_HONEST, "refused a document: %.*s", (int)body.size,
                        body.data);
    }
    if (trial->strict && !is_document) {
        return violated(trial, LAW_HONEST, "strict, but took %.*s",
                        (int)(body.size > 900 ? 900 : body.size), body.data);
    }
    count(trial, LAW_PUT_GET);
    if (next.version != by || !slice_equal(next.body, body)) {
        return violated(trial, LAW_PUT_GET, "%u wrote %.*s but the record holds %u, %.*s", by,
                        (int)body.size, body.data, next.version, (int)next.body.size,
                        next.body.data);
    }
    bool identical =
        !first && trial->record.version == by && slice_equal(trial->record.body, written.body);
    trial->model = first ? reference_fresh(trial->reference, &trial->lasting, by, written.body)
                         : reference_write(&trial->model, &trial->lasting, by, written.body);
    trial->model.uncertain |= !is_plain(written.body) || !spelling_is_modelled() ||
                              !spelling_is_exact(trial->history->schema);
    trial->fresh = first;
    trial->record = next;
    trial->record.complement = keep(trial, next.complement);
    trial->twin = twin;
    trial->twin.complement = keep(trial, twin.complement);
    return first || check_write(trial, &written, done, could_rebase, identical);
}

static bool
do_rebase(struct trial *trial, unsigned to, bool stepwise)
{
    struct lens_record at = trial->twin;
    while (at.version != to || (!stepwise && at.version == to)) {
        struct lens_record next;
        unsigned target = !stepwise ? to : at.version < to ? at.version + 1 : at.version - 1;
        struct outcome outcome = rebase_of(trial, &at, target, &next);
        if (!outcome.ok) {
            count(trial, LAW_REBASE);
            return !trial->views[to].ok || trial->big ||
                   violated(trial, LAW_REBASE,
                            "the twin cannot be rebased to %u\n  expected %s\n  got      %s",
                            target, outcome_text(trial, &trial->views[to]),
                            outcome_text(trial, &outcome));
        }
        at = next;
        if (!stepwise) {
            break;
        }
    }
    trial->twin = keep_record(trial, at);
    return true;
}

/* --- a history --- */

static struct value *
single_step_schema(struct trial *trial, unsigned lower)
{
    struct arena *arena = &trial->lasting;
    struct value *schema = value_copy(arena, trial->history->schema);
    struct value *versions = value_get_string(schema, "versions");
    struct value *single = value_new(arena, VALUE_ARRAY);
    struct value *first = value_new(arena, VALUE_OBJECT);
    struct value *second = value_new(arena, VALUE_OBJECT);
    value_set(arena, first, "version", value_number(arena, "1"));
    value_set(arena, second, "version", value_number(arena, "2"));
    if (spelling_is_mixed()) {
        value_set(arena, first, "codec", value_string(arena, spelling_codec_of(lower)));
        value_set(arena, second, "codec", value_string(arena, spelling_codec_of(lower + 1)));
    }
    const struct value *steps = value_get_string(versions->members[lower].value, "steps");
    if (steps != NULL) {
        value_set(arena, second, "steps", value_copy(arena, steps));
    }
    value_append(arena, single, (struct slice){0}, first);
    value_append(arena, single, (struct slice){0}, second);
    schema->members[value_index(schema, SLICE_OF("versions"))].value = single;
    return schema;
}

/* Only of schemas without identity: its name in later versions is not in the document. */
static bool
split_steps(struct trial *trial)
{
    if (value_get_string(trial->history->schema, "identity") != NULL) {
        return true;
    }
    for (unsigned v = 1; v < trial->version_count; v++) {
        struct lens_problem problem;
        struct slice json =
            value_text(&trial->lasting, single_step_schema(trial, v), VALUE_COMPACT, NULL);
        trial->single[v - 1] = lens_schema_new(json, &problem);
        if (trial->single[v - 1] == NULL) {
            return violated(trial, LAW_CHAIN, "step %u alone is refused: %s at %s", v,
                            problem.text, problem.path);
        }
    }
    return true;
}

static bool
run_event(struct trial *trial, const struct event *event)
{
    trial->prng.state = event->seed;
    trial->tally->events[event->kind]++;
    if (event->version < 1 || event->version > trial->version_count) {
        return true;
    }
    if (event->kind == EVENT_REBASE) {
        return trial->record.version == 0 ||
               (do_rebase(trial, event->version, event->stepwise) && check_record(trial));
    }
    struct slice body = event->body;
    if (event->kind == EVENT_WRITE && spelling_is_mixed() &&
        !lens_is_document(trial->lens, event->version, body)) {
        return true; /* it may look like a document of the other codec */
    }
    if (event->kind == EVENT_WRITE_BACK) {
        if (trial->record.version == 0 || !trial->views[event->version].ok) {
            return true;
        }
        body = trial->views[event->version].view;
    }
    return do_write(trial, event->version, body) &&
           (trial->record.version == 0 || trial->stop || check_record(trial));
}

static enum history_verdict
run_events(struct trial *trial)
{
    const struct history *history = trial->history;
    if (!split_steps(trial)) {
        return HISTORY_FAILED;
    }
    for (size_t i = 0; i < history->count && !trial->stop; i++) {
        trial->event = i;
        if (!run_event(trial, &history->events[i])) {
            return HISTORY_FAILED;
        }
        /* views stand in scratch memory: make them last over the next event */
        for (unsigned j = 1; j <= trial->version_count; j++) {
            if (trial->views[j].ok) {
                trial->views[j].view = keep(trial, trial->views[j].view);
            }
        }
        arena_clear(&trial->scratch);
    }
    return HISTORY_PASSED;
}

enum history_verdict
history_check(const struct history *history, struct tally *tally,
              struct violation *ret_violation)
{
    struct lens_problem problem;
    struct trial trial = {
        .history = history, .tally = tally, .violation = ret_violation, .event = SIZE_MAX};
    arena_init(&trial.lasting, 0);
    arena_init(&trial.scratch, 0);
    struct slice json = value_text(&trial.lasting, history->schema, VALUE_COMPACT, NULL);
    enum history_verdict verdict = HISTORY_REFUSED;
    trial.lens = lens_schema_new(json, &problem);
    if (trial.lens != NULL) {
        trial.version_count = lens_schema_version_count(trial.lens);
        trial.strict = lens_schema_strict(trial.lens);
        trial.reference = reference_new(&trial.lasting, history->schema);
        trial.frame = frame_new(&trial.lasting, history->schema);
        trial.big = json.size > BIG_SIZE;
        verdict = run_events(&trial);
        for (unsigned v = 1; v < trial.version_count; v++) {
            lens_schema_free(trial.single[v - 1]);
        }
        lens_schema_free(trial.lens);
    }
    arena_fini(&trial.lasting);
    arena_fini(&trial.scratch);
    return verdict;
}

/* --- drawing histories --- */

struct story {
    struct prng *prng;
    struct arena *arena;
    const struct generated *generated;
    const struct lens_schema *lens;
    struct reference *reference;
    struct lens_record record;
    struct slice written[VERSIONS_MAX + 1][4]; /* earlier bodies, by version */
    size_t written_count[VERSIONS_MAX + 1];
    struct value *pocket;
};

static enum value_style
random_style(struct prng *prng)
{
    size_t roll = prng_below(prng, 10);
    return roll < 5   ? VALUE_COMPACT
           : roll < 7 ? VALUE_SPACED
           : roll < 8 ? VALUE_INDENTED
                      : VALUE_DRESSED;
}

/* A document of <version> that mostly every version can read. */
static struct slice
draw_document(struct story *story, unsigned version)
{
    struct slice text = {0};
    bool want_all = prng_chance(story->prng, 80);
    for (int tries = 0; tries < 6; tries++) {
        unsigned noise = prng_chance(story->prng, 75) ? 0 : 6;
        struct value *value = generate_document(story->prng, story->arena,
                                                story->generated->shapes[version], noise);
        if (prng_below(story->prng, 1000) == 0 && value->kind == VALUE_OBJECT) {
            size_t size = 8000 + prng_below(story->prng, 90000);
            char *big = arena_alloc(story->arena, size);
            CHECK(big != NULL);
            memset(big, 'x', size);
            value_append(story->arena, value, SLICE_OF("a"),
                         value_slice(story->arena, slice_make(big, size)));
        }
        if (prng_below(story->prng, 150) == 0 && value->kind == VALUE_OBJECT &&
            value->count > 0) {
            size_t at = prng_below(story->prng, value->count);
            value->members[at].value =
                generate_deep(story->prng, story->arena, 118 + prng_below(story->prng, 12));
        }
        text =
            spelling_text(story->arena, version, value, random_style(story->prng), story->prng);
        if (!want_all) {
            break;
        }
        struct reference_record fresh =
            reference_fresh(story->reference, story->arena, version, text);
        bool readable = true;
        for (unsigned j = 1; readable && j <= story->generated->version_count; j++) {
            readable = reference_view(&fresh, story->arena, j).reasons == 0;
        }
        if (readable) {
            break;
        }
    }
    return text;
}

static bool
draw_edit(struct story *story, unsigned version, bool identity, struct slice *ret_body)
{
    struct lens_failure failure;
    struct slice view;
    struct value *value;
    if (story->record.version == 0 ||
        !lens_view(story->lens, &story->record, version, story->arena, &view, &failure) ||
        spelling_parse(story->arena, view, DEPTH_MAX, &value, NULL) != VALUE_PARSE_OK) {
        return false;
    }
    if (identity) {
        struct pointer pointers[IDENTITY_MAX];
        size_t pointer_count = reference_identity(story->reference, version, pointers);
        if (pointer_count == 0) {
            return false;
        }
        const struct pointer *pointer = &pointers[prng_below(story->prng, pointer_count)];
        generate_identity_edit(story->prng, story->arena, value, pointer->tokens,
                               pointer->count);
    } else {
        generate_edit(story->prng, story->arena, story->generated->shapes[version], value,
                      &story->pocket);
    }
    size_t roll = prng_below(story->prng, 10);
    *ret_body = spelling_text(story->arena, version, value,
                              roll < 6   ? VALUE_RAW
                              : roll < 8 ? VALUE_COMPACT
                              : roll < 9 ? VALUE_SPACED
                                         : VALUE_INDENTED,
                              NULL);
    return true;
}

static struct event
draw_event(struct story *story)
{
    struct prng *prng = story->prng;
    struct event event = {.kind = EVENT_WRITE, .seed = prng_next(prng)};
    event.version = 1 + (unsigned)prng_below(prng, story->generated->version_count);
    size_t roll = story->record.version == 0 ? 0 : prng_below(prng, 100);
    size_t known = story->written_count[event.version];
    if (roll >= 85) {
        event.kind = EVENT_REBASE;
        event.stepwise = prng_chance(prng, 40);
    } else if (roll >= 75) {
        event.kind = EVENT_WRITE_BACK;
    } else if (roll >= 66 && known > 0) {
        event.body = story->written[event.version][prng_below(prng, known > 4 ? 4 : known)];
    } else if (roll >= 63) {
        event.body = generate_garbage(prng, story->arena);
    } else if (roll < 14 || !draw_edit(story, event.version, roll < 20, &event.body)) {
        event.body = draw_document(story, event.version);
    }
    return event;
}

struct history
history_generate(struct prng *prng, struct arena *arena, const struct generated *generated,
                 const struct lens_schema *lens)
{
    struct story story = {.prng = prng, .arena = arena, .generated = generated, .lens = lens};
    struct history history = {.schema = generated->schema};
    story.reference = reference_new(arena, generated->schema);
    history.count = 2 + prng_below(prng, 7);
    history.events = arena_calloc(arena, history.count, sizeof(*history.events));
    CHECK(history.events != NULL);
    for (size_t i = 0; i < history.count; i++) {
        struct event event = draw_event(&story);
        struct lens_failure failure;
        history.events[i] = event;
        struct slice body = event.body;
        if (event.kind == EVENT_REBASE ||
            (event.kind == EVENT_WRITE_BACK &&
             !lens_view(lens, &story.record, event.version, arena, &body, &failure))) {
            continue;
        }
        struct lens_record next;
        if (lens_write(lens, story.record.version == 0 ? NULL : &story.record, event.version,
                       body, arena, &next, &failure) != LENS_WRITE_REFUSED) {
            story.record = next;
            size_t slot = story.written_count[event.version]++ % 4;
            story.written[event.version][slot] = body;
        }
    }
    return history;
}
