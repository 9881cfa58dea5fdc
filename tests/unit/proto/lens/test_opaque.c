/* Slots per version, through lens.h. */
#include "proto/lens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct lens_schema *
schema_new(const char *more)
{
    char json[512];
    struct lens_problem problem;
    (void)snprintf(json, sizeof(json),
                   "{\"schema\":\"s\",\"keys\":[\"s:*\"],\"codec\":\"opaque\",%s\"versions\":["
                   "{\"version\":1},{\"version\":2},{\"version\":3},{\"version\":4}]}",
                   more);
    struct lens_schema *schema = lens_schema_new(slice_from_string(json), &problem);
    assert_non_null(schema);
    return schema;
}

static struct lens_record
written(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
        struct slice body, struct arena *arena)
{
    struct lens_record record;
    struct lens_failure failure;
    assert_int_equal(lens_write(schema, old, by, body, arena, &record, &failure),
                     LENS_WRITE_OK);
    assert_int_equal(record.version, by);
    assert_true(slice_equal(record.body, body));
    return record;
}

static void
reads(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
      struct arena *arena, const char *expected)
{
    struct slice view;
    struct lens_failure failure;
    bool seen = lens_view(schema, record, to, arena, &view, &failure);
    assert_int_equal(seen, expected != NULL);
    if (seen) {
        assert_true(slice_equal(view, slice_from_string(expected)));
    } else {
        assert_int_equal(failure.reason, LENS_SLOT);
    }
}

static void
each_version_reads_what_it_wrote(void **state)
{
    struct arena arena;
    struct lens_failure failure;
    struct lens_schema *schema = schema_new("");
    (void)state;
    arena_init(&arena, 0);
    struct lens_record record = written(schema, NULL, 2, SLICE_OF("two"), &arena);
    assert_int_equal(record.complement.size, 0);
    record = written(schema, &record, 3, SLICE_OF("three"), &arena);
    record = written(schema, &record, 1, SLICE_OF("one"), &arena);
    record = written(schema, &record, 3, SLICE_OF(""), &arena);
    reads(schema, &record, 1, &arena, "one");
    reads(schema, &record, 2, &arena, "two");
    reads(schema, &record, 3, &arena, "");
    reads(schema, &record, 4, &arena, NULL);
    assert_int_equal(lens_schema_outcome(schema), LENS_OUTCOME_MISS);
    assert_true(lens_is_document(schema, 1, SLICE_OF("anything")));

    struct lens_record rebased;
    assert_true(lens_rebase(schema, &record, 2, &arena, &rebased, &failure));
    for (unsigned version = 1; version <= 4; version++) {
        static const char *const slots[] = {"one", "two", "", NULL};
        reads(schema, &rebased, version, &arena, slots[version - 1]);
    }
    assert_false(lens_rebase(schema, &record, 4, &arena, &rebased, &failure));
    assert_int_equal(failure.reason, LENS_SLOT);

    struct slice kept;
    assert_true(lens_forget(schema, &record, 2, 3, &arena, &kept));
    record.complement = kept;
    reads(schema, &record, 1, &arena, NULL);
    reads(schema, &record, 2, &arena, "two");
    lens_schema_free(schema);
    arena_fini(&arena);
}

static void
a_write_may_drop_the_others(void **state)
{
    struct arena arena;
    struct lens_schema *schema = schema_new("\"on_write\":\"drop_others\",");
    (void)state;
    arena_init(&arena, 0);
    struct lens_record record = written(schema, NULL, 1, SLICE_OF("one"), &arena);
    record = written(schema, &record, 2, SLICE_OF("two"), &arena);
    assert_int_equal(record.complement.size, 0);
    reads(schema, &record, 1, &arena, NULL);
    lens_schema_free(schema);
    arena_fini(&arena);
}

static void
slots_are_bounded_by_the_largest(void **state)
{
    struct arena arena;
    struct lens_schema *schema =
        schema_new("\"limits\":{\"complement_factor\":1,\"complement_bytes\":16},");
    char big[1000];
    (void)state;
    arena_init(&arena, 0);
    memset(big, 'x', sizeof(big));
    struct lens_record record = written(schema, NULL, 1, slice_make(big, sizeof(big)), &arena);
    record = written(schema, &record, 2, SLICE_OF("two"), &arena);
    assert_true(record.complement.size > 1000);
    record = written(schema, &record, 3, slice_make(big, 900), &arena);
    assert_true(record.complement.size > 1000);
    record = written(schema, &record, 4, SLICE_OF("four"), &arena);
    reads(schema, &record, 1, &arena, NULL); /* the largest had to go */
    reads(schema, &record, 2, &arena, "two");
    lens_schema_free(schema);
    arena_fini(&arena);
}

static void
hostile_complements_are_survived(void **state)
{
    struct arena arena;
    struct lens_schema *schema = schema_new("");
    (void)state;
    arena_init(&arena, 0);
    struct lens_record record = written(schema, NULL, 1, SLICE_OF("one"), &arena);
    record = written(schema, &record, 2, SLICE_OF("two"), &arena);
    record = written(schema, &record, 4, SLICE_OF("four"), &arena);
    char copy[64];
    char whole[64];
    size_t size = record.complement.size;
    assert_true(size <= sizeof(whole));
    memcpy(whole, record.complement.data, size);
    record.body = SLICE_OF("four");
    for (size_t at = 0; at < size; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            struct lens_record damaged = record;
            struct slice view;
            struct lens_failure failure;
            arena_clear(&arena);
            memcpy(copy, whole, size);
            copy[at] = (char)byte;
            damaged.complement = slice_make(copy, byte % 2 == 0 ? size : at + 1);
            for (unsigned to = 1; to <= 4; to++) {
                (void)lens_view(schema, &damaged, to, &arena, &view, &failure);
            }
            struct lens_record next = written(schema, &damaged, 3, SLICE_OF("x"), &arena);
            reads(schema, &next, 4, &arena, "four");
        }
    }
    lens_schema_free(schema);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_version_reads_what_it_wrote),
        cmocka_unit_test(a_write_may_drop_the_others),
        cmocka_unit_test(slots_are_bounded_by_the_largest),
        cmocka_unit_test(hostile_complements_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
