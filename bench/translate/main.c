/*
 * segue-translate-bench - what a translation costs, beside the same work with a library's tree.
 *
 * Per codec, size of document, steps and ops of the lens: nanoseconds per document for a view,
 * a rebase, and a write over a record of the other version (with what it hides settled). Ours
 * and the library's take turns within a run; figures are medians of the rounds.
 */
#include "bench/document.h"
#include "bench/translate/library.h"
#include "proto/base/check.h"
#include "proto/lens.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DOCUMENTS = 64, ROUNDS_MAX = 101 };

static const struct codec {
    const char *name;
    const char *library;
    library_edit *edit;
    /* A session document (JSON) in this codec; NULL: as it is. */
    void (*encode)(struct slice json, struct buffer *out);
} codecs[] = {
    {"json", "jansson", jansson_edit, NULL},
};

static const unsigned sizes[] = {512, 2048, 16384};

static const struct lens {
    unsigned ops;
    unsigned steps;
} lenses[] = {{1, 1}, {4, 1}, {12, 1}, {1, 3}, {4, 3}, {12, 3}};

/* Allocations by our own code: the program is linked with --wrap for them. */
static uint64_t allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *
__wrap_malloc(size_t size)
{
    allocations++;
    return __real_malloc(size);
}

void *
__wrap_realloc(void *memory, size_t size)
{
    allocations++;
    return __real_realloc(memory, size);
}

struct bench {
    const struct codec *codec;
    const struct lens *lens;
    struct lens_schema *schema;
    struct arena arena;
    struct buffer out;
    struct buffer bodies[DOCUMENTS];  /* of version 1 */
    struct buffer news[DOCUMENTS];    /* the same of the last version, with values of its own */
    struct buffer written[DOCUMENTS]; /* of version 1 again, changed */
    size_t bytes;                     /* of all bodies */
};

typedef void operation(struct bench *bench, size_t index);

static struct lens_record
record_of(const struct bench *bench, size_t index)
{
    return (struct lens_record){.version = 1, .body = buffer_slice(&bench->bodies[index])};
}

static void
view(struct bench *bench, size_t index)
{
    struct lens_record record = record_of(bench, index);
    struct slice text;
    struct lens_failure failure;
    CHECK(lens_view(bench->schema, &record, bench->lens->steps + 1, &bench->arena, &text,
                    &failure));
    arena_clear(&bench->arena);
}

static void
rebase(struct bench *bench, size_t index)
{
    struct lens_record record = record_of(bench, index);
    struct lens_record rebased;
    struct lens_failure failure;
    CHECK(lens_rebase(bench->schema, &record, bench->lens->steps + 1, &bench->arena, &rebased,
                      &failure));
    arena_clear(&bench->arena);
}

static void
write_over(struct bench *bench, size_t index)
{
    struct lens_record record = {.version = bench->lens->steps + 1,
                                 .body = buffer_slice(&bench->news[index])};
    struct lens_record stored;
    struct lens_failure failure;
    CHECK(lens_write(bench->schema, &record, 1, buffer_slice(&bench->written[index]),
                     &bench->arena, &stored, &failure) == LENS_WRITE_OK);
    arena_clear(&bench->arena);
}

static void
use_library(struct bench *bench, size_t index)
{
    buffer_clear(&bench->out);
    CHECK(bench->codec->edit(buffer_slice(&bench->bodies[index]), bench->lens->steps,
                             bench->lens->ops, &bench->out));
}

static const struct {
    const char *name;
    operation *run;
} operations[] = {
    {"view", view}, {"rebase", rebase}, {"write", write_over}, {"library", use_library}};
enum { OPERATIONS = sizeof(operations) / sizeof(*operations), LIBRARY = OPERATIONS - 1 };

static double
now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double
time_round(struct bench *bench, operation *run, unsigned passes)
{
    double start = now_ns();
    for (unsigned pass = 0; pass < passes; pass++) {
        for (size_t i = 0; i < DOCUMENTS; i++) {
            run(bench, i);
        }
    }
    return (now_ns() - start) / passes / DOCUMENTS;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
make_bodies(struct bench *bench, size_t size)
{
    struct random random;
    random_init(&random, 1);
    struct documents *documents = documents_new(&random, size, DOCUMENTS);
    bench->bytes = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct buffer json;
        buffer_init(&json, 0);
        documents_write(documents, 1, i, i, &json);
        buffer_init(&bench->bodies[i], 0);
        if (bench->codec->encode == NULL) {
            buffer_append_slice(&bench->bodies[i], buffer_slice(&json));
        } else {
            bench->codec->encode(buffer_slice(&json), &bench->bodies[i]);
        }
        CHECK(!json.failed && !bench->bodies[i].failed);
        buffer_fini(&json);
        bench->bytes += bench->bodies[i].size;
    }
    documents_free(documents);
}

/* Change a few bytes behind <mark>, where it is there. */
static void
change(struct buffer *body, const char *mark, const char *to)
{
    char *at = memmem(body->data, body->size, mark, strlen(mark));
    if (at != NULL) {
        memcpy(at + strlen(mark), to, strlen(to));
    }
}

/* New code has written what old code cannot show, and old code writes over it. */
static void
make_written(struct bench *bench)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct lens_record record = record_of(bench, i);
        struct slice text;
        struct lens_failure failure;
        buffer_init(&bench->news[i], 0);
        buffer_init(&bench->written[i], 0);
        buffer_append_slice(&bench->written[i], record.body);
        change(&bench->written[i], "\"views\":", "7");
        if (!lens_view(bench->schema, &record, bench->lens->steps + 1, &bench->arena, &text,
                       &failure)) {
            (void)fprintf(stderr, "no view: %s at %s\n", failure.text, failure.path);
            exit(1);
        }
        buffer_append_slice(&bench->news[i], text);
        change(&bench->news[i], "\"theme\":\"", "night");
        change(&bench->news[i], "\"consent\":\"", "full");
        arena_clear(&bench->arena);
    }
}

static void
open_bench(struct bench *bench, size_t size)
{
    struct buffer schema;
    struct lens_problem problem;
    buffer_init(&schema, 0);
    buffer_init(&bench->out, 0);
    arena_init(&bench->arena, 0);
    edit_write_schema(bench->codec->name, bench->lens->steps, bench->lens->ops, &schema);
    bench->schema = lens_schema_new(buffer_slice(&schema), &problem);
    if (bench->schema == NULL) {
        (void)fprintf(stderr, "schema refused: %s at %s\n", problem.text, problem.path);
        exit(1);
    }
    buffer_fini(&schema);
    make_bodies(bench, size);
    make_written(bench);
}

static void
close_bench(struct bench *bench)
{
    for (size_t i = 0; i < DOCUMENTS; i++) {
        buffer_fini(&bench->bodies[i]);
        buffer_fini(&bench->news[i]);
        buffer_fini(&bench->written[i]);
    }
    lens_schema_free(bench->schema);
    arena_fini(&bench->arena);
    buffer_fini(&bench->out);
}

struct options {
    unsigned rounds;
    double round_ns;
    const char *only; /* e.g. "view": run this forever so that a profiler sees it alone */
    unsigned size;
    unsigned ops;
    unsigned steps;
    FILE *json;
};

static void
measure(struct bench *bench, const struct options *options, bool *first)
{
    static double taken[OPERATIONS][ROUNDS_MAX];
    double figures[OPERATIONS];
    unsigned passes[OPERATIONS];
    uint64_t count[OPERATIONS];
    double mean = (double)bench->bytes / DOCUMENTS;
    for (size_t i = 0; i < OPERATIONS; i++) {
        double once = time_round(bench, operations[i].run, 1);
        once = time_round(bench, operations[i].run, 1) * DOCUMENTS;
        passes[i] = once < options->round_ns ? (unsigned)(options->round_ns / once) + 1 : 1;
    }
    for (unsigned round = 0; round < options->rounds; round++) {
        for (size_t i = 0; i < OPERATIONS; i++) {
            uint64_t before = allocations;
            taken[i][round] = time_round(bench, operations[i].run, passes[i]);
            count[i] = (allocations - before) / passes[i] / DOCUMENTS;
        }
    }
    for (size_t i = 0; i < OPERATIONS; i++) {
        qsort(taken[i], options->rounds, sizeof(double), compare);
        figures[i] = taken[i][options->rounds / 2];
    }
    printf("%-8s %7.0f %5u %4u", bench->codec->name, mean, bench->lens->steps,
           bench->lens->ops);
    for (size_t i = 0; i < LIBRARY; i++) {
        printf(" %8.0f %6.0f %6.3f", figures[i], mean / figures[i] * 1e3,
               figures[i] / figures[LIBRARY]);
    }
    printf(" %9.0f %-8s %llu\n", figures[LIBRARY], bench->codec->library,
           (unsigned long long)(count[0] + count[1] + count[2]));
    (void)fflush(stdout);
    if (options->json != NULL) {
        (void)fprintf(options->json,
                      "%s\n {\"codec\": \"%s\", \"bytes\": %.0f, \"size\": %u, \"steps\": %u, "
                      "\"ops\": %u, \"allocations\": %llu",
                      *first ? "" : ",", bench->codec->name, mean, options->size,
                      bench->lens->steps, bench->lens->ops,
                      (unsigned long long)(count[0] + count[1] + count[2]));
        for (size_t i = 0; i < OPERATIONS; i++) {
            (void)fprintf(options->json, ", \"%s_ns\": %.1f", operations[i].name, figures[i]);
        }
        (void)fprintf(options->json, "}");
    }
    *first = false;
}

static void
run_only(struct bench *bench, const struct options *options)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(options->only, operations[i].name) == 0) {
            double ns = time_round(bench, operations[i].run, options->rounds);
            printf("%s %u bytes %u steps %u ops: %.0f ns\n", options->only, options->size,
                   bench->lens->steps, bench->lens->ops, ns);
        }
    }
}

static _Noreturn void
usage(void)
{
    (void)fprintf(
        stderr,
        "usage: segue-translate-bench [--rounds N] [--round-ms N] [--json FILE]\n"
        "                             [--size BYTES] [--steps N] [--ops N] [--only WHAT]\n\n"
        "  --only   view, rebase, write or library, --rounds passes of it and nothing else:\n"
        "           for profilers\n");
    exit(2);
}

int
main(int argc, char **argv)
{
    struct options options = {.rounds = 7, .round_ns = 5e6};
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *value = argv[i + 1];
        if (strcmp(argv[i], "--rounds") == 0) {
            options.rounds = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--round-ms") == 0) {
            options.round_ns = strtod(value, NULL) * 1e6;
        } else if (strcmp(argv[i], "--json") == 0) {
            options.json = fopen(value, "w");
        } else if (strcmp(argv[i], "--size") == 0) {
            options.size = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0) {
            options.steps = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--ops") == 0) {
            options.ops = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0) {
            options.only = value;
        } else {
            usage();
        }
    }
    if (argc % 2 == 0 || (options.only == NULL && options.rounds > ROUNDS_MAX) ||
        options.rounds == 0) {
        usage();
    }
    struct options wanted = options;
    bool first = true;
    if (options.only == NULL) {
        printf("%-29s %-22s %-22s %-22s %s\n", "", "view", "rebase", "write", "library");
        printf("%-8s %7s %5s %4s %8s %6s %6s %8s %6s %6s %8s %6s %6s %9s %-8s %s\n", "codec",
               "bytes", "steps", "ops", "ns", "MB/s", "of it", "ns", "MB/s", "of it", "ns",
               "MB/s", "of it", "ns", "", "mallocs");
    }
    if (options.json != NULL) {
        (void)fprintf(options.json, "[");
    }
    for (size_t c = 0; c < sizeof(codecs) / sizeof(*codecs); c++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
            for (size_t l = 0; l < sizeof(lenses) / sizeof(*lenses); l++) {
                struct bench bench = {.codec = &codecs[c], .lens = &lenses[l]};
                if ((wanted.size != 0 && wanted.size != sizes[s]) ||
                    (wanted.steps != 0 && wanted.steps != lenses[l].steps) ||
                    (wanted.ops != 0 && wanted.ops != lenses[l].ops)) {
                    continue;
                }
                options.size = sizes[s];
                open_bench(&bench, sizes[s]);
                if (options.only != NULL) {
                    run_only(&bench, &options);
                } else {
                    measure(&bench, &options, &first);
                }
                close_bench(&bench);
            }
        }
    }
    if (options.json != NULL) {
        (void)fprintf(options.json, "\n]\n");
        if (fclose(options.json) != 0) {
            return 1;
        }
    }
    return 0;
}
