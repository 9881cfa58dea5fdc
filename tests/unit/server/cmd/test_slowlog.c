#include "server/cmd/slowlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct config *config;
    struct slowlog *slowlog;
    struct session session;
    struct buffer out;
};

static int
set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->config = config_new();
    fixture->slowlog = slowlog_new(fixture->config);
    assert_non_null(fixture->slowlog);
    fixture->session.address = "127.0.0.1:5";
    atomic_store(&fixture->session.active_ms, 1700000000123);
    buffer_init(&fixture->out, 0);
    *state = fixture;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    buffer_fini(&fixture->out);
    slowlog_free(fixture->slowlog);
    config_free(fixture->config);
    free(fixture);
    return 0;
}

/* Add a command of one word per bar. */
static void
add(struct fixture *fixture, const char *command, int64_t microseconds)
{
    struct slice argv[64];
    size_t argc = 0;
    const char *start = command;
    for (const char *at = command;; at++) {
        if (*at == '|' || *at == '\0') {
            argv[argc++] = slice_make(start, (size_t)(at - start));
            start = at + 1;
        }
        if (*at == '\0') {
            break;
        }
    }
    slowlog_add(fixture->slowlog, argc, argv, microseconds, &fixture->session);
}

static const char *
shown(struct fixture *fixture, int64_t count)
{
    struct reply reply = {.out = &fixture->out, .resp = 2};
    buffer_clear(&fixture->out);
    slowlog_reply(fixture->slowlog, count, &reply);
    buffer_append_char(&fixture->out, '\0');
    return fixture->out.data;
}

static void
set(struct fixture *fixture, const char *name, const char *value)
{
    struct slice names[] = {slice_from_string(name)};
    struct slice values[] = {slice_from_string(value)};
    struct buffer error;
    buffer_init(&error, 0);
    assert_true(config_set(fixture->config, names, values, 1, &error));
    buffer_fini(&error);
}

static void
only_what_takes_long_enough_is_kept(void **state)
{
    struct fixture *fixture = *state;
    add(fixture, "GET|a", 9999);
    assert_int_equal(slowlog_count(fixture->slowlog), 0);
    add(fixture, "GET|a", 10000);
    assert_string_equal(shown(fixture, -1),
                        "*1\r\n*6\r\n:0\r\n:1700000000\r\n:10000\r\n*2\r\n$3\r\nGET\r\n$1\r\na"
                        "\r\n$11\r\n127.0.0.1:5\r\n$0\r\n\r\n");
    set(fixture, "slowlog-log-slower-than", "-1");
    add(fixture, "GET|a", 1000000);
    assert_int_equal(slowlog_count(fixture->slowlog), 1);
    slowlog_clear(fixture->slowlog);
    assert_string_equal(shown(fixture, -1), "*0\r\n");
}

static void
the_newest_are_kept_and_shown_first(void **state)
{
    struct fixture *fixture = *state;
    set(fixture, "slowlog-max-len", "2");
    add(fixture, "A", 10000);
    add(fixture, "B", 10000);
    add(fixture, "C", 10000);
    assert_int_equal(slowlog_count(fixture->slowlog), 2);
    assert_non_null(strstr(shown(fixture, 1), "*1\r\n*6\r\n:2\r\n"));
    assert_null(strstr(shown(fixture, -1), "$1\r\nA\r\n"));
    set(fixture, "slowlog-max-len", "0");
    add(fixture, "D", 10000);
    assert_int_equal(slowlog_count(fixture->slowlog), 0);
}

static void
long_commands_are_cut_as_in_redis(void **state)
{
    struct fixture *fixture = *state;
    char command[512];
    snprintf(command, sizeof(command), "SET|%0200d", 0);
    add(fixture, command, 10000);
    assert_non_null(strstr(shown(fixture, -1), "00... (72 more bytes)\r\n"));
    size_t used = 0;
    for (int i = 0; i < 40; i++) {
        used += (size_t)snprintf(command + used, sizeof(command) - used, "%sk%d",
                                 i > 0 ? "|" : "", i);
    }
    add(fixture, command, 10000);
    assert_non_null(strstr(shown(fixture, 1), "*32\r\n"));
    assert_non_null(strstr(shown(fixture, 1), "k30\r\n$22\r\n... (9 more arguments)\r\n"));
}

static void
passwords_are_never_kept(void **state)
{
    struct fixture *fixture = *state;
    const char *const commands[] = {
        "AUTH|secret",
        "auth|me|secret",
        "HELLO|3|AUTH|me|secret|SETNAME|x",
        "hello|3|setname|x|auth|me|secret",
        "CONFIG|SET|timeout|5|requirepass|secret",
    };
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        add(fixture, commands[i], 10000);
    }
    assert_int_equal(slowlog_count(fixture->slowlog), 3);
    assert_null(strstr(shown(fixture, -1), "secret"));
    assert_non_null(strstr(shown(fixture, -1), "(redacted)"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_takes_long_enough_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_are_kept_and_shown_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_commands_are_cut_as_in_redis, set_up, tear_down),
        cmocka_unit_test_setup_teardown(passwords_are_never_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
