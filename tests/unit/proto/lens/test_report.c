#include "proto/lens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SCHEMA(members, steps)                                                                 \
    "{\"schema\":\"s\",\"keys\":[\"k:*\"],\"codec\":\"json\"," members                         \
    "\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[" steps "]}]}"

struct told {
    char text[4096];
};

static void
append(struct told *told, const char *text)
{
    size_t size = strlen(told->text);
    snprintf(told->text + size, sizeof(told->text) - size, "%s", text);
}

static void
on_problem(void *context, const struct lens_problem *problem)
{
    char line[512];
    snprintf(line, sizeof(line), "%s: %s\n", problem->path, problem->text);
    append(context, line);
}

static void
on_op(void *context, const struct lens_op *op)
{
    char line[512];
    snprintf(line, sizeof(line), "%.*s %s %.*s %s/%s%s\n", (int)op->at.size, op->at.data,
             op->name, (int)op->path.size, op->path.data, lens_class_name(op->up),
             lens_class_name(op->down), op->is_hiding ? " hides" : "");
    append(context, line);
}

static void
told_is(const char *json, const char *wanted)
{
    struct told told = {""};
    struct arena arena;
    arena_init(&arena, 0);
    struct lens_schema *schema = lens_schema_check(slice_from_string(json), on_problem, &told);
    if (schema != NULL) {
        assert_true(lens_schema_ops(schema, &arena, on_op, &told));
    }
    assert_string_equal(told.text, wanted);
    lens_schema_free(schema);
    arena_fini(&arena);
}

static void
every_problem_is_told_with_its_path(void **state)
{
    (void)state;
    told_is(SCHEMA("\"strict\":1,\"other\":2,\"identity\":[\"a\"],",
                   "{\"op\":\"rename\",\"path\":\"/a\"},{\"op\":\"none\"},"
                   "{\"op\":\"each\",\"path\":\"/e\",\"key\":\"/id\",\"steps\":["
                   "{\"op\":\"add\",\"path\":\"\"},{\"op\":\"remove\",\"path\":\"/id\"}]}"),
            "/other: unknown member 'other' of a schema document\n"
            "/strict: must be true or false\n"
            "/identity/0: a path must start with '/'\n"
            "/versions/1/steps/0: 'to' is missing\n"
            "/versions/1/steps/1/op: unknown op 'none'\n"
            "/versions/1/steps/2/steps/0/path: an empty path is for each only\n");
    told_is("[]", ": a schema document must be an object\n");
    told_is("{", ": not a JSON document at byte 1\n");
    told_is("{}", ": 'schema' is missing\n: 'codec' is missing\n: 'keys' is missing\n"
                  ": 'versions' is missing\n");
    told_is(SCHEMA("\"identity\":[\"/a\",\"/b\"],",
                   "{\"op\":\"remove\",\"path\":\"/a\"},{\"op\":\"remove\",\"path\":\"/b\"}"),
            "/versions/1/steps/0: 'remove' must not touch an identity member\n"
            "/versions/1/steps/1: 'remove' must not touch an identity member\n");
}

static void
problems_are_bounded(void **state)
{
    (void)state;
    struct told *told = calloc(1, sizeof(*told));
    char *json = malloc(200000);
    size_t size = (size_t)sprintf(json, "{");
    for (int i = 0; i < 10000; i++) {
        size += (size_t)sprintf(json + size, "%s\"m%d\":1", i > 0 ? "," : "", i);
    }
    sprintf(json + size, "}");
    assert_null(lens_schema_check(slice_from_string(json), on_problem, told));
    assert_non_null(strstr(told->text, "/m10: "));
    free(json);
    free(told);
}

static void
a_schema_is_the_same_whether_checked_or_made(void **state)
{
    (void)state;
    const char *json = SCHEMA("", "{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}");
    struct told told = {""};
    struct lens_problem problem;
    struct lens_schema *checked = lens_schema_check(slice_from_string(json), on_problem, &told);
    struct lens_schema *made = lens_schema_new(slice_from_string(json), &problem);
    lens_schema_conflicts(made, checked, on_problem, &told);
    assert_string_equal(told.text, "");
    lens_schema_free(checked);
    checked = lens_schema_check(
        slice_from_string("{\"schema\":\"t\",\"keys\":[\"k:*\"],\"codec\":\"json\","
                          "\"identity\":[\"/x\"],\"versions\":[{\"version\":1},{\"version\":2,"
                          "\"steps\":[{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"c\"}]}]}"),
        on_problem, &told);
    lens_schema_conflicts(made, checked, on_problem, &told);
    assert_string_equal(told.text,
                        "/schema: the name of a published schema cannot change\n"
                        "/identity: the identity of a published schema cannot change\n"
                        "/versions/1/steps: the steps of published version 2 cannot change\n");
    lens_schema_free(checked);
    lens_schema_free(made);
}

static void
ops_are_classed_by_what_they_may_lose(void **state)
{
    (void)state;
    told_is(SCHEMA("", "{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"},"
                       "{\"op\":\"move\",\"from\":\"/m\",\"to\":\"/n/m\"},"
                       "{\"op\":\"add\",\"path\":\"/c\"},"
                       "{\"op\":\"add\",\"path\":\"/d\",\"default\":1},"
                       "{\"op\":\"remove\",\"path\":\"/e\",\"default\":1},"
                       "{\"op\":\"fill\",\"path\":\"/f\",\"value\":1},"
                       "{\"op\":\"wrap\",\"path\":\"/g\"},{\"op\":\"unwrap\",\"path\":\"/h\"},"
                       "{\"op\":\"filter\",\"path\":\"/i\",\"hide\":{\"path\":\"/k\","
                       "\"values\":[1]}}"),
            "/versions/1/steps/0 rename /a iso/iso\n"
            "/versions/1/steps/1 move /m iso/iso\n"
            "/versions/1/steps/2 add /c complement/complement hides\n"
            "/versions/1/steps/3 add /d default/complement hides\n"
            "/versions/1/steps/4 remove /e complement/default hides\n"
            "/versions/1/steps/5 fill /f default/complement hides\n"
            "/versions/1/steps/6 wrap /g iso/lossy hides\n"
            "/versions/1/steps/7 unwrap /h lossy/iso hides\n"
            "/versions/1/steps/8 filter /i complement/complement hides\n");
    told_is(SCHEMA("", "{\"op\":\"convert\",\"path\":\"/a\",\"from\":\"integer\","
                       "\"to\":\"string\"},"
                       "{\"op\":\"convert\",\"path\":\"/b\",\"from\":\"iso-8601\","
                       "\"to\":\"unix-seconds\"},"
                       "{\"op\":\"scale\",\"path\":\"/c\",\"factor\":100},"
                       "{\"op\":\"scale\",\"path\":\"/d\",\"factor\":3,\"down_digits\":2},"
                       "{\"op\":\"split\",\"path\":\"/e\",\"separator\":\" \","
                       "\"into\":[\"f\",\"g\"]},"
                       "{\"op\":\"join\",\"from\":[\"h\",\"i\"],\"separator\":\" \","
                       "\"path\":\"/k\"}"),
            "/versions/1/steps/0 convert /a iso/iso\n"
            "/versions/1/steps/1 convert /b lossy/iso hides\n"
            "/versions/1/steps/2 scale /c iso/iso\n"
            "/versions/1/steps/3 scale /d iso/lossy hides\n"
            "/versions/1/steps/4 split /e lossy/lossy hides\n"
            "/versions/1/steps/5 join /k lossy/lossy hides\n");
}

static void
a_change_of_codec_is_told(void **state)
{
    (void)state;
    told_is("{\"schema\":\"s\",\"keys\":[\"k:*\"],\"codec\":\"json\",\"versions\":["
            "{\"version\":1},{\"version\":2,\"codec\":\"msgpack\",\"steps\":["
            "{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"}]}]}",
            "/versions/1/codec codec  partial/partial\n"
            "/versions/1/steps/0 rename /a iso/iso\n");
}

static void
a_map_is_iso_where_its_tables_undo_each_other(void **state)
{
    (void)state;
#define MAP(rest) SCHEMA("", "{\"op\":\"map\",\"path\":\"/a\"," rest "}")
#define TOLD(up, down, hides) "/versions/1/steps/0 map /a " up "/" down hides "\n"
    told_is(MAP("\"up\":{\"x\":\"y\"},\"down\":{\"y\":\"x\"}"), TOLD("iso", "iso", ""));
    told_is(MAP("\"up\":{\"x\":\"y\",\"z\":\"y\"},\"down\":{\"y\":\"x\"}"),
            TOLD("lossy", "iso", " hides"));
    told_is(MAP("\"up\":{\"x\":\"y\"},\"down\":{\"y\":\"x\"},\"up_else\":\"keep\","
                "\"down_else\":\"keep\""),
            TOLD("lossy", "lossy", " hides"));
    told_is(MAP("\"up\":{\"x\":\"y\",\"y\":\"x\"},\"down\":{\"y\":\"x\",\"x\":\"y\"},"
                "\"up_else\":\"keep\",\"down_else\":\"keep\""),
            TOLD("iso", "iso", ""));
    told_is(MAP("\"up\":{\"x\":\"y\"},\"down\":{\"y\":\"x\"},\"up_else\":{\"value\":\"y\"}"),
            TOLD("lossy", "iso", " hides"));
}

static void
ops_within_each_have_the_path_of_every_element(void **state)
{
    (void)state;
    told_is(SCHEMA("", "{\"op\":\"each\",\"path\":\"/items\",\"steps\":["
                       "{\"op\":\"each\",\"path\":\"\",\"steps\":["
                       "{\"op\":\"add\",\"path\":\"/x\"}]},"
                       "{\"op\":\"rename\",\"path\":\"/y\",\"to\":\"z\"}]}"),
            "/versions/1/steps/0 each /items complement/complement\n"
            "/versions/1/steps/0/steps/0 each /items/* complement/complement\n"
            "/versions/1/steps/0/steps/0/steps/0 add /items/*/*/x complement/complement "
            "hides\n"
            "/versions/1/steps/0/steps/1 rename /items/*/y iso/iso\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_problem_is_told_with_its_path),
        cmocka_unit_test(problems_are_bounded),
        cmocka_unit_test(a_schema_is_the_same_whether_checked_or_made),
        cmocka_unit_test(ops_are_classed_by_what_they_may_lose),
        cmocka_unit_test(a_change_of_codec_is_told),
        cmocka_unit_test(a_map_is_iso_where_its_tables_undo_each_other),
        cmocka_unit_test(ops_within_each_have_the_path_of_every_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
