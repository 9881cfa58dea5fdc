#include "server/cmd/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool
collect(void *context, struct session *session)
{
    uint64_t *digits = context;
    *digits = *digits * 10 + session->id;
    return session->id != 9;
}

static uint64_t
walk(struct directory *directory)
{
    uint64_t digits = 0;
    (void)directory_each(directory, collect, &digits);
    return digits;
}

static void
sessions_are_walked_in_the_order_they_came(void **state)
{
    (void)state;
    struct directory *directory = directory_new();
    assert_non_null(directory);
    struct session *sessions = calloc(4, sizeof(*sessions));
    assert_non_null(sessions);
    for (size_t i = 0; i < 4; i++) {
        sessions[i].id = i + 1;
        sessions[i].directory = directory;
        directory_add(directory, &sessions[i]);
    }
    assert_int_equal(walk(directory), 1234);
    directory_remove(directory, &sessions[1]);
    assert_int_equal(walk(directory), 134);
    directory_remove(directory, &sessions[3]);
    directory_remove(directory, &sessions[0]);
    assert_int_equal(walk(directory), 3);
    directory_add(directory, &sessions[0]);
    assert_int_equal(walk(directory), 31);
    assert_int_equal(directory_count(directory), 2);
    sessions[2].id = 9;
    assert_int_equal(walk(directory), 9);
    directory_remove(directory, &sessions[0]);
    directory_remove(directory, &sessions[2]);
    assert_int_equal(walk(directory), 0);
    free(sessions);
    directory_free(directory);
}

static void
names_are_printable_and_can_be_taken_away(void **state)
{
    (void)state;
    struct directory *directory = directory_new();
    assert_non_null(directory);
    struct session session = {.directory = directory};
    assert_int_equal(session_set_name(&session, SLICE_OF("web@2026.11~!")), SESSION_TEXT_SET);
    assert_string_equal(session.name, "web@2026.11~!");
    const struct slice bad[] = {SLICE("a b"), SLICE("a\n"), SLICE("a\0b"), SLICE("\x7f"),
                                SLICE("caf\xc3\xa9")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(session_set_name(&session, bad[i]), SESSION_TEXT_REFUSED);
        assert_int_equal(session_set_library_name(&session, bad[i]), SESSION_TEXT_REFUSED);
    }
    assert_string_equal(session.name, "web@2026.11~!");
    assert_null(session.lib_name);
    assert_int_equal(session_set_name(&session, SLICE_OF("")), SESSION_TEXT_SET);
    assert_null(session.name);
    session_fini(&session);
    directory_free(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_walked_in_the_order_they_came),
        cmocka_unit_test(names_are_printable_and_can_be_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
