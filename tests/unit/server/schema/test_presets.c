#include "server/schema/presets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static char path[128];

static int
setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/segue-registry", directory);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static struct registry_holder *
open_registry(void)
{
    struct buffer error;
    buffer_init(&error, 0);
    struct registry_holder *holder = registry_open(directory, &error);
    assert_non_null(holder);
    buffer_fini(&error);
    return holder;
}

/* A start with --preset <line>; the error, "" when there is none. */
static const char *
start(struct registry_holder *holder, const char *line)
{
    static char text[4096];
    char program[] = "segue-server";
    char option[] = "--preset";
    char value[128];
    snprintf(value, sizeof(value), "%s", line);
    char *argv[] = {program, option, value};
    struct buffer error;
    struct buffer notices;
    buffer_init(&error, 0);
    buffer_init(&notices, 0);
    struct config *config = config_new();
    assert_true(config_load(config, 3, argv, &error, &notices));
    bool ok = presets_put(config, holder, &error);
    snprintf(text, sizeof(text), "%.*s", (int)error.size, error.size > 0 ? error.data : "");
    assert_true(ok == (error.size == 0));
    config_free(config);
    buffer_fini(&notices);
    buffer_fini(&error);
    return text;
}

static void
put(struct registry_holder *holder, const char *json)
{
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old = NULL;
    assert_true(registry_put(holder, slice_from_string(json), false, &old, &error));
    registry_retire(holder, old);
    buffer_fini(&error);
}

static const struct lens_schema *
schema(struct registry_holder *holder, const char *name)
{
    const struct registry_schema *found =
        registry_schema_by_name(registry_current(holder), slice_from_string(name));
    return found == NULL ? NULL : found->lens;
}

/* Every row makes a schema document with its keys and one version. */
static void
every_preset_is_a_schema(void **state)
{
    (void)state;
    static const char *const names[] = {
#define PRESET(name, summary, keys, ...) name,
#include "server/schema/presets.def"
#undef PRESET
    };
    struct buffer list;
    buffer_init(&list, 0);
    presets_list(&list);
    buffer_append_char(&list, '\0');
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct buffer json;
        struct buffer error;
        struct lens_problem problem;
        buffer_init(&json, 0);
        buffer_init(&error, 0);
        assert_true(presets_document(slice_from_string(names[i]), &json, &error));
        struct lens_schema *lens = lens_schema_new(buffer_slice(&json), &problem);
        if (lens == NULL) {
            fail_msg("%s: %s: %s", names[i], problem.path, problem.text);
        }
        assert_true(slice_equal(lens_schema_name(lens), slice_from_string(names[i])));
        assert_int_equal(lens_schema_version_count(lens), 1);
        assert_true(lens_schema_key_count(lens) > 0);
        assert_non_null(strstr(list.data, names[i]));
        lens_schema_free(lens);
        buffer_fini(&error);
        buffer_fini(&json);
    }
    buffer_fini(&list);
}

static void
a_preset_is_put_once_and_then_left_alone(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(start(holder, "express-session"), "");
    assert_non_null(schema(holder, "express-session"));
    uint64_t epoch = registry_holder_epoch(holder);
    assert_string_equal(start(holder, "express-session"), "");
    assert_string_equal(start(holder, "express-session other:*"), "");
    assert_int_equal(registry_holder_epoch(holder), epoch);
    assert_true(
        slice_equal(lens_schema_key(schema(holder, "express-session"), 0), SLICE_OF("sess:*")));
    put(holder, "{\"schema\":\"express-session\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
                "\"identity\":[\"/passport/user\"],\"versions\":[{\"version\":1},"
                "{\"version\":2,\"steps\":[{\"op\":\"add\",\"path\":\"/a\"}]}]}");
    assert_string_equal(start(holder, "express-session"), "");
    assert_int_equal(lens_schema_version_count(schema(holder, "express-session")), 2);
    registry_close(holder);
    holder = open_registry(); /* it was written */
    assert_int_equal(lens_schema_version_count(schema(holder, "express-session")), 2);
    registry_close(holder);
}

static void
keys_may_be_others(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(start(holder, "laravel shop:* \"a \\\"b\\\"\""), "");
    const struct lens_schema *lens = schema(holder, "laravel");
    assert_int_equal(lens_schema_key_count(lens), 2);
    assert_true(slice_equal(lens_schema_key(lens, 0), SLICE_OF("shop:*")));
    assert_true(slice_equal(lens_schema_key(lens, 1), SLICE_OF("a \"b\"")));
    assert_non_null(strstr(start(holder, "symfony a*b"), "preset symfony a*b: at /keys/0: "));
    assert_null(schema(holder, "symfony"));
    registry_close(holder);
}

static void
keys_that_are_taken_stay_where_they_are(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    put(holder, "{\"schema\":\"mine\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
                "\"versions\":[{\"version\":1}]}");
    assert_string_equal(start(holder, "express-session"), "");
    assert_null(schema(holder, "express-session"));
    assert_non_null(schema(holder, "mine"));
    registry_close(holder);
}

static void
what_is_no_preset_is_refused(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    static const char *const bad[] = {"nothing", "help", "Express-Session", "\"\"", "\"a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_non_null(strstr(start(holder, bad[i]), "preset "));
    }
    assert_non_null(strstr(start(holder, "nothing"), "express-session"));
    assert_int_equal(registry_schema_count(registry_current(holder)), 0);
    registry_close(holder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_preset_is_a_schema),
        cmocka_unit_test_setup_teardown(a_preset_is_put_once_and_then_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(keys_may_be_others, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_that_are_taken_stay_where_they_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_preset_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
