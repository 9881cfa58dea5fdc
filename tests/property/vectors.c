/*
 * vectors - the tests' reference model, held against conformance vectors (JSON lines).
 *
 * The laws trust the model; this says how far they may.
 */
#include "proto/base/check.h"
#include "tests/property/model/reference.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCHEMAS_MAX = 64 };

struct schemas {
    struct slice names[SCHEMAS_MAX];
    struct reference *references[SCHEMAS_MAX];
    size_t count;
};

static size_t uncertain_count;

static unsigned
number_of(const struct value *value)
{
    char buf[16] = {0};
    CHECK(value->text.size < sizeof(buf));
    memcpy(buf, value->text.data, value->text.size);
    return (unsigned)strtoul(buf, NULL, 10);
}

static struct slice
print_copy(struct arena *arena, const struct value *value)
{
    struct buffer buffer;
    struct slice copy;
    buffer_init(&buffer, 0);
    value_print(&buffer, value, VALUE_COMPACT, NULL);
    CHECK(arena_copy(arena, buffer_slice(&buffer), &copy));
    buffer_fini(&buffer);
    return copy;
}

static bool
read_agrees(struct arena *arena, const struct reference_record *record,
            const struct value *read, const char *name)
{
    struct reference_view view =
        reference_view(record, arena, number_of(value_get_string(read, "as")));
    const struct value *expect = value_get_string(read, "expect");
    if (view.uncertain) {
        uncertain_count++;
        return true;
    }
    bool agrees =
        view.reasons != 0 ? expect == NULL : expect != NULL && value_equal(view.value, expect);
    if (!agrees) {
        struct slice wanted =
            expect == NULL ? SLICE_OF("untranslatable") : print_copy(arena, expect);
        struct slice got =
            view.reasons != 0 ? SLICE_OF("untranslatable") : print_copy(arena, view.value);
        printf("%s as %u: expected %.*s\n  the model has %.*s (reasons %x)\n", name,
               number_of(value_get_string(read, "as")), (int)wanted.size, wanted.data,
               (int)got.size, got.data, view.reasons);
    }
    return agrees;
}

static bool
history_agrees(struct arena *arena, const struct schemas *schemas, const struct value *vector)
{
    const struct value *events = value_get_string(vector, "events");
    struct slice schema = value_get_string(vector, "schema")->text;
    struct slice name = print_copy(arena, value_get_string(vector, "name"));
    char *name_text = arena_calloc(arena, name.size + 1, 1);
    const struct reference *reference = NULL;
    struct reference_record record = {0};
    bool agrees = true;
    CHECK(name_text != NULL);
    memcpy(name_text, name.data, name.size);
    for (size_t i = 0; i < schemas->count; i++) {
        if (slice_equal(schemas->names[i], schema)) {
            reference = schemas->references[i];
        }
    }
    CHECK(reference != NULL);
    for (size_t i = 0; i < events->count; i++) {
        const struct value *write = value_get_string(events->members[i].value, "write");
        const struct value *read = value_get_string(events->members[i].value, "read");
        if (write != NULL) {
            unsigned by = number_of(value_get_string(write, "as"));
            struct slice body = print_copy(arena, value_get_string(write, "value"));
            record = record.schema == NULL ? reference_fresh(reference, arena, by, body)
                                           : reference_write(&record, arena, by, body);
        } else {
            agrees = read_agrees(arena, &record, read, name_text) && agrees;
        }
    }
    return agrees;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s lenses.jsonl\n", argv[0]);
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (file == NULL) {
        perror(argv[1]);
        return 2;
    }
    struct arena lasting;
    struct arena scratch;
    struct schemas schemas = {0};
    char *line = NULL;
    size_t capacity = 0;
    size_t passed = 0;
    size_t failed = 0;
    arena_init(&lasting, 0);
    arena_init(&scratch, 0);
    for (ssize_t size; (size = getline(&line, &capacity, file)) > 0;) {
        struct slice text;
        struct value *vector;
        CHECK(arena_copy(&lasting, slice_make(line, (size_t)size), &text));
        CHECK(value_parse(&lasting, text, 128, &vector, NULL) == VALUE_PARSE_OK);
        const struct value *define = value_get_string(vector, "define");
        if (define != NULL) {
            CHECK(schemas.count < SCHEMAS_MAX);
            schemas.names[schemas.count] = value_get_string(define, "schema")->text;
            schemas.references[schemas.count++] = reference_new(&lasting, define);
        } else if (history_agrees(&scratch, &schemas, vector)) {
            passed++;
        } else {
            failed++;
        }
        arena_clear(&scratch);
    }
    printf("%zu reads have two readings, and are not compared\n", uncertain_count);
    printf("%zu passed, %zu failed\n", passed, failed);
    free(line);
    fclose(file);
    arena_fini(&lasting);
    arena_fini(&scratch);
    return failed == 0 ? 0 : 1;
}
