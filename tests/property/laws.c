/*
 * laws - the laws of versioned state over random schemas, documents and histories.
 *
 * Every history has a number, and is drawn from the seed and that number alone: what failed
 * once fails again. A failure is made smaller before it is printed.
 */
#include "proto/base/check.h"
#include "tests/property/model/history.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ACCEPTED_PERCENT_MIN = 20,
    SCHEMA_TRIES = 40,
    SHRINK_TRIES = 4000,
    FAILURES_PRINTED_MAX = 10,
    PROGRESS_SECONDS = 15,
};

struct options {
    uint64_t seed;
    size_t count;
    size_t first;
    bool verbose;
};

struct totals {
    size_t schemas;
    size_t accepted;
    size_t spoiled;
    size_t passed;
    size_t failed;
    struct tally tally;
};

static void
usage(const char *program)
{
    printf("usage: %s [--codec C] [--histories N] [--seed S] [--first N] [--verbose]\n"
           "  --codec C      in which documents are written: json, msgpack, php, pickle, hash, "
           "or two\n"
           "                 such as php,json: for odd and for even versions (json)\n"
           "  --histories N  how many (5000)\n"
           "  --seed S       what they are drawn from (1)\n"
           "  --first N      the number of the first, to run one again (0)\n"
           "  --verbose      print every history, and why schemas are refused\n",
           program);
}

static bool
read_number(const char *text, uint64_t *ret_number)
{
    return text != NULL && slice_to_uint64(slice_from_string(text), ret_number);
}

static bool
read_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        uint64_t number;
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(argv[i], "--codec") == 0 && next != NULL && spelling_use(next)) {
            i++;
        } else if (strcmp(argv[i], "--histories") == 0 && read_number(next, &number)) {
            options->count = (size_t)number;
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && read_number(next, &number)) {
            options->seed = number;
            i++;
        } else if (strcmp(argv[i], "--first") == 0 && read_number(next, &number)) {
            options->first = (size_t)number;
            i++;
        } else {
            return false;
        }
    }
    return true;
}

static struct lens_schema *
draw_schema(struct prng *prng, struct arena *arena, const struct options *options,
            struct totals *totals, struct generated *ret_generated)
{
    for (int tries = 0; tries < SCHEMA_TRIES; tries++) {
        struct lens_problem problem;
        *ret_generated = generate_schema(prng, arena);
        struct slice json = value_text(arena, ret_generated->schema, VALUE_COMPACT, NULL);
        struct lens_schema *lens = lens_schema_new(json, &problem);
        totals->schemas++;
        if (lens != NULL) {
            totals->accepted++;
            return lens;
        }
        if (options->verbose) {
            printf("refused at %s: %s\n  %.*s\n", problem.path, problem.text, (int)json.size,
                   json.data);
        }
    }
    return NULL;
}

/* A schema that says what it must not is refused, with a place and a reason. */
static bool
spoiled_is_refused(struct prng *prng, struct arena *arena, const struct generated *generated,
                   struct totals *totals)
{
    struct lens_problem problem = {0};
    struct value *schema = value_copy(arena, generated->schema);
    const char *what = generate_spoiled(prng, arena, schema);
    struct slice json = value_text(arena, schema, VALUE_COMPACT, NULL);
    struct lens_schema *lens = lens_schema_new(json, &problem);
    totals->spoiled++;
    totals->tally.checked[LAW_REFUSED]++;
    if (lens == NULL && problem.text[0] != '\0') {
        return true;
    }
    lens_schema_free(lens);
    printf("law broken: refused\n  a schema with %s was %s\n  %.*s\n", what,
           lens == NULL ? "refused without a reason" : "accepted",
           (int)(json.size > 3000 ? 3000 : json.size), json.data);
    return false;
}

/* A schema may grow by versions, and change nothing that is published. */
static bool
growth_is_judged(struct arena *arena, const struct generated *generated,
                 const struct lens_schema *lens, struct totals *totals)
{
    struct lens_problem problem = {0};
    struct value *schema = value_copy(arena, generated->schema);
    struct value *versions = value_get_string(schema, "versions");
    value_remove(versions, versions->count - 1);
    value_set(arena, schema, "on_untranslatable", value_string(arena, "miss"));
    struct lens_schema *shorter =
        lens_schema_new(value_text(arena, schema, VALUE_COMPACT, NULL), &problem);
    bool judged = shorter != NULL && lens_schema_may_follow(lens, lens, &problem) &&
                  lens_schema_may_follow(shorter, lens, &problem) &&
                  !lens_schema_may_follow(lens, shorter, &problem) && problem.text[0] != '\0';
    totals->tally.checked[LAW_REFUSED]++;
    lens_schema_free(shorter);
    if (!judged) {
        struct slice json = value_text(arena, generated->schema, VALUE_COMPACT, NULL);
        printf(
            "law broken: refused\n  a schema may follow itself without its last version, not "
            "the other way round: %s\n  %.*s\n",
            problem.text, (int)json.size, json.data);
    }
    return judged;
}

static void
report(const struct options *options, size_t number, const struct history *history,
       const struct violation *violation)
{
    struct arena arena;
    struct tally tally = {0};
    struct violation smaller = {0};
    arena_init(&arena, 0);
    buffer_init(&smaller.text, 0);
    printf("law broken: %s (codec %s, seed %llu, history %zu)\n", law_name(violation->law),
           spelling_codec(), (unsigned long long)options->seed, number);
    fflush(stdout);
    struct history smallest = history_shrink(history, &arena, violation->law, SHRINK_TRIES);
    bool again = history_check(&smallest, &tally, &smaller) == HISTORY_FAILED;
    const struct violation *shown = again ? &smaller : violation;
    history_print(&smallest);
    printf("  at event %zd: %.*s\n", (ssize_t)shown->event, (int)shown->text.size,
           shown->text.data);
    fflush(stdout);
    buffer_fini(&smaller.text);
    arena_fini(&arena);
}

static bool
run_history(const struct options *options, size_t number, struct totals *totals)
{
    struct prng prng = {options->seed * 0x2545f4914f6cdd1du + number};
    struct generated generated;
    struct violation violation = {0};
    struct arena arena;
    bool passed = true;
    arena_init(&arena, 0);
    prng.state = prng_next(&prng);
    buffer_init(&violation.text, 0);
    struct lens_schema *lens = draw_schema(&prng, &arena, options, totals, &generated);
    if (lens != NULL) {
        if (prng_chance(&prng, 10)) {
            passed = spoiled_is_refused(&prng, &arena, &generated, totals) &&
                     growth_is_judged(&arena, &generated, lens, totals);
        }
        struct history history = history_generate(&prng, &arena, &generated, lens);
        if (options->verbose) {
            printf("history %zu\n", number);
            history_print(&history);
            fflush(stdout);
        }
        if (history_check(&history, &totals->tally, &violation) == HISTORY_FAILED) {
            passed = false;
            if (totals->failed < FAILURES_PRINTED_MAX) {
                report(options, number, &history, &violation);
            }
        }
    }
    lens_schema_free(lens);
    buffer_fini(&violation.text);
    arena_fini(&arena);
    return passed;
}

static double
seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
summarize(const struct totals *totals, double elapsed)
{
    const struct tally *tally = &totals->tally;
    printf("schemas: %zu drawn, %zu accepted (%zu %%), %zu spoiled\n", totals->schemas,
           totals->accepted,
           totals->schemas == 0 ? 0 : totals->accepted * 100 / totals->schemas,
           totals->spoiled);
    printf("events: %zu writes, %zu written back, %zu rebases; %zu quarantined\n",
           tally->events[EVENT_WRITE], tally->events[EVENT_WRITE_BACK],
           tally->events[EVENT_REBASE], tally->quarantined);
    printf("views: %zu made, %zu not:", tally->views_made, tally->views_failed);
    for (unsigned r = LENS_OK + 1; r < LENS_REASON_COUNT; r++) {
        printf(" %s %zu", lens_reason_name((enum lens_reason)r), tally->reasons[r]);
    }
    printf("\nchecks:");
    for (unsigned law = 0; law < LAW_COUNT; law++) {
        printf("%s %s %zu", law == 0 ? "" : ",", law_name((enum law)law), tally->checked[law]);
    }
    printf("\nleft to the laws, because the specification has two readings: %zu records\n",
           tally->models_uncertain);
    printf("%.1f s, %.0f histories a second\n", elapsed,
           (double)(totals->passed + totals->failed) / (elapsed > 0 ? elapsed : 1));
}

int
main(int argc, char **argv)
{
    struct options options = {.seed = 1, .count = 5000};
    struct totals totals = {0};
    if (!read_options(argc, argv, &options)) {
        usage(argv[0]);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    /* arenas come and go: keep their memory at hand */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    mallopt(M_TOP_PAD, 4 << 20);
    double start = seconds_now();
    double told = start;
    printf("seed %llu\n", (unsigned long long)options.seed);
    for (size_t i = 0; i < options.count; i++) {
        if (run_history(&options, options.first + i, &totals)) {
            totals.passed++;
        } else {
            totals.failed++;
        }
        if (i % 64 == 0 && seconds_now() - told > PROGRESS_SECONDS) {
            told = seconds_now();
            printf("%zu of %zu histories, %zu failed\n", i + 1, options.count, totals.failed);
            fflush(stdout);
        }
    }
    summarize(&totals, seconds_now() - start);
    if (totals.accepted * 100 < totals.schemas * ACCEPTED_PERCENT_MIN) {
        printf("too few schemas are accepted for the rest to say much\n");
        totals.failed++;
    }
    printf("%zu passed, %zu failed\n", totals.passed, totals.failed);
    return totals.failed == 0 ? 0 : 1;
}
