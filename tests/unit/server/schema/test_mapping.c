#include "server/schema/mapping.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool
add_listener(struct mapping *mapping, const char *line)
{
    struct buffer error;
    buffer_init(&error, 0);
    bool ok = mapping_add_listener(mapping, slice_from_string(line), &error);
    assert_true(ok == (error.size == 0));
    buffer_fini(&error);
    return ok;
}

static bool
add_database(struct mapping *mapping, const char *line)
{
    struct buffer error;
    buffer_init(&error, 0);
    bool ok = mapping_add_database(mapping, slice_from_string(line), &error);
    assert_true(ok == (error.size == 0));
    buffer_fini(&error);
    return ok;
}

static void
listeners_are_mapped_by_port_or_path(void **state)
{
    (void)state;
    struct mapping *mapping = mapping_new_empty(16);
    assert_true(add_listener(mapping, "6380 web@2026.11"));
    assert_true(add_listener(mapping, "  /run/segue.sock\t\"web@2026.12\" "));
    assert_true(slice_equal(mapping_listener_release(mapping, 6380), SLICE_OF("web@2026.11")));
    assert_true(slice_equal(mapping_listener_release(mapping, 0), SLICE_OF("web@2026.12")));
    assert_int_equal(mapping_listener_release(mapping, 6379).size, 0);
    const char *const bad[] = {"",          "6380",  "6380 web@1", "0 web@1", "65536 web@1",
                               "abc web@1", "1 a b", "6381 \"\"",  "-1 web@1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(add_listener(mapping, bad[i]));
    }
    mapping_free(mapping);
}

static void
databases_show_the_data_of_others(void **state)
{
    (void)state;
    struct mapping *mapping = mapping_new_empty(16);
    assert_true(add_database(mapping, "2 web@2026.11 0"));
    assert_int_equal(mapping_database(mapping, 2), 0);
    assert_int_equal(mapping_database(mapping, 3), 3);
    assert_int_equal(mapping_database(mapping, 99), 99);
    assert_true(slice_equal(mapping_database_release(mapping, 2), SLICE_OF("web@2026.11")));
    assert_int_equal(mapping_database_release(mapping, 0).size, 0);
    const char *const bad[] = {
        "2 web@1 0", "16 web@1 0", "1 web@1 16", "1 web@1", "a web@1 0", "1 web@1 0 0", ""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(add_database(mapping, bad[i]));
    }
    mapping_free(mapping);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_are_mapped_by_port_or_path),
        cmocka_unit_test(databases_show_the_data_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
