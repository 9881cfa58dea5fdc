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
    const char *first; /* of version 1 */
    const char *later; /* of the versions behind it */
    const char *library;
    library_edit *edit; /* NULL: nothing to compare with */
} codecs[] = {
    {"json", "json", "json", "jansson", jansson_edit},
    {"msgpack", "msgpack", "msgpack", "msgpack-c", msgpack_edit},
    {"php", "php", "php", "", NULL},
    {"pickle", "pickle", "pickle", "", NULL},
    {"php-json", "php", "json", "", NULL},
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

static size_t
operation_count(const struct codec *codec)
{
    return codec->edit == NULL ? LIBRARY : OPERATIONS;
}

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

static struct lens_schema *
make_schema(const struct buffer *text)
{
    struct lens_problem problem;
    CHECK(!text->failed);
    struct lens_schema *schema = lens_schema_new(buffer_slice(text), &problem);
    if (schema == NULL) {
        (void)fprintf(stderr, "schema refused: %s at %s\n", problem.text, problem.path);
        exit(1);
    }
    return schema;
}

/* Append the view of <record> that the last version of <schema> has. */
static void
append_view(struct bench *bench, const struct lens_schema *schema, unsigned version,
            const struct lens_record *record, struct buffer *out)
{
    struct slice text;
    struct lens_failure failure;
    if (!lens_view(schema, record, version, &bench->arena, &text, &failure)) {
        (void)fprintf(stderr, "no view: %s at %s\n", failure.text, failure.path);
        exit(1);
    }
    buffer_append_slice(out, text);
    CHECK(!out->failed);
    arena_clear(&bench->arena);
}

/* Put <to> at the first <from> behind <mark>, where both are there; of one size. */
static void
change(struct buffer *body, const char *mark, const char *from, const char *to)
{
    char *end = body->data + body->size;
    char *at = memmem(body->data, body->size, mark, strlen(mark));
    at = at == NULL ? NULL : memmem(at, (size_t)(end - at), from, strlen(from));
    if (at != NULL) {
        memcpy(at, to, strlen(to));
    }
}

/*
 * Documents of version 1; what old code will write over them, a member changed; and what new
 * code has written, with values that old code cannot see.
 */
static void
make_bodies(struct bench *bench, size_t size)
{
    struct random random;
    struct buffer text;
    buffer_init(&text, 0);
    edit_write_schema("json", bench->codec->first, 1, 0, &text);
    struct lens_schema *spelling = make_schema(&text);
    random_init(&random, 1);
    struct documents *documents = documents_new(&random, size, DOCUMENTS);
    bench->bytes = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct lens_record record = {.version = 1};
        buffer_init(&bench->bodies[i], 0);
        buffer_init(&bench->news[i], 0);
        buffer_init(&bench->written[i], 0);
        buffer_clear(&text);
        documents_write(documents, 1, i, i, &text);
        record.body = buffer_slice(&text);
        append_view(bench, spelling, 2, &record, &bench->bodies[i]);
        change(&text, "\"views\"", ":", ":7");
        append_view(bench, spelling, 2, &record, &bench->written[i]);
        record = record_of(bench, i);
        append_view(bench, bench->schema, bench->lens->steps + 1, &record, &bench->news[i]);
        change(&bench->news[i], "theme", "light", "night");
        change(&bench->news[i], "consent", "none", "full");
        bench->bytes += bench->bodies[i].size;
    }
    documents_free(documents);
    lens_schema_free(spelling);
    buffer_fini(&text);
}

static void
open_bench(struct bench *bench, size_t size)
{
    struct buffer schema;
    buffer_init(&schema, 0);
    buffer_init(&bench->out, 0);
    arena_init(&bench->arena, 0);
    edit_write_schema(bench->codec->first, bench->codec->later, bench->lens->steps,
                      bench->lens->ops, &schema);
    bench->schema = make_schema(&schema);
    buffer_fini(&schema);
    make_bodies(bench, size);
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
    const char *codec; /* NULL: all */
    const char *only;  /* e.g. "view": run this forever so that a profiler sees it alone */
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
    size_t operation_total = operation_count(bench->codec);
    for (size_t i = 0; i < operation_total; i++) {
        double once = time_round(bench, operations[i].run, 1);
        once = time_round(bench, operations[i].run, 1) * DOCUMENTS;
        passes[i] = once < options->round_ns ? (unsigned)(options->round_ns / once) + 1 : 1;
    }
    for (unsigned round = 0; round < options->rounds; round++) {
        for (size_t i = 0; i < operation_total; i++) {
            uint64_t before = allocations;
            taken[i][round] = time_round(bench, operations[i].run, passes[i]);
            count[i] = (allocations - before) / passes[i] / DOCUMENTS;
        }
    }
    for (size_t i = 0; i < operation_total; i++) {
        qsort(taken[i], options->rounds, sizeof(double), compare);
        figures[i] = taken[i][options->rounds / 2];
    }
    printf("%-8s %7.0f %5u %4u", bench->codec->name, mean, bench->lens->steps,
           bench->lens->ops);
    for (size_t i = 0; i < LIBRARY; i++) {
        printf(" %8.0f %6.0f", figures[i], mean / figures[i] * 1e3);
        if (bench->codec->edit != NULL) {
            printf(" %6.3f", figures[i] / figures[LIBRARY]);
        } else {
            printf(" %6s", "-");
        }
    }
    if (bench->codec->edit != NULL) {
        printf(" %9.0f %-9s", figures[LIBRARY], bench->codec->library);
    } else {
        printf(" %9s %-9s", "-", "");
    }
    printf(" %llu\n", (unsigned long long)(count[0] + count[1] + count[2]));
    (void)fflush(stdout);
    if (options->json != NULL) {
        (void)fprintf(options->json,
                      "%s\n {\"codec\": \"%s\", \"bytes\": %.0f, \"size\": %u, \"steps\": %u, "
                      "\"ops\": %u, \"allocations\": %llu",
                      *first ? "" : ",", bench->codec->name, mean, options->size,
                      bench->lens->steps, bench->lens->ops,
                      (unsigned long long)(count[0] + count[1] + count[2]));
        for (size_t i = 0; i < operation_total; i++) {
            (void)fprintf(options->json, ", \"%s_ns\": %.1f", operations[i].name, figures[i]);
        }
        (void)fprintf(options->json, "}");
    }
    *first = false;
}

static void
run_only(struct bench *bench, const struct options *options)
{
    size_t operation_total = operation_count(bench->codec);
    for (size_t i = 0; i < operation_total; i++) {
        if (strcmp(options->only, operations[i].name) == 0) {
            double ns = time_round(bench, operations[i].run, options->rounds);
            printf("%s %s %u bytes %u steps %u ops: %.0f ns\n", options->only,
                   bench->codec->name, options->size, bench->lens->steps, bench->lens->ops, ns);
        }
    }
}

static _Noreturn void
usage(void)
{
    (void)fprintf(
        stderr,
        "usage: segue-translate-bench [--rounds N] [--round-ms N] [--json FILE]\n"
        "                             [--codec NAME] [--size BYTES] [--steps N] [--ops N]\n"
        "                             [--only WHAT]\n\n"
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
        } else if (strcmp(argv[i], "--codec") == 0) {
            options.codec = value;
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
        printf("%-8s %7s %5s %4s %8s %6s %6s %8s %6s %6s %8s %6s %6s %9s %-9s %s\n", "codec",
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
                if ((wanted.codec != NULL && strcmp(wanted.codec, codecs[c].name) != 0) ||
                    (wanted.size != 0 && wanted.size != sizes[s]) ||
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
