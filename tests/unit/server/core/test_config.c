#include "server/core/config.h"
#include "server/core/config_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGUMENTS_MAX = 16 };

static struct buffer error;
static struct buffer notices;

static int
set_up(void **state)
{
    (void)state;
    buffer_init(&error, 0);
    buffer_init(&notices, 0);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    buffer_fini(&error);
    buffer_fini(&notices);
    return 0;
}

/* Load a command line given as up to 15 strings behind the program's name. NULL: refused. */
static struct config *
load(const char *const arguments[])
{
    char *argv[ARGUMENTS_MAX] = {strdup("segue-server")};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(arguments[argc - 1]);
    }
    buffer_clear(&error);
    buffer_clear(&notices);
    struct config *config = config_new();
    assert_non_null(config);
    if (!config_load(config, argc, argv, &error, &notices)) {
        config_free(config);
        config = NULL;
    }
    buffer_append_char(&error, '\0');
    buffer_append_char(&notices, '\0');
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return config;
}
#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

/* Load a file of this content. */
static struct config *
load_text(const char *text)
{
    char path[] = "/tmp/segue-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct config *config = LOAD(path);
    unlink(path);
    return config;
}

static void
assert_text(struct config *config, enum config_id id, const char *expected)
{
    struct buffer text;
    buffer_init(&text, 0);
    config_string(config, id, &text);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.data, expected);
    buffer_fini(&text);
}

static void
collect(void *context, struct slice name, struct slice value)
{
    struct buffer *seen = context;
    buffer_append_slice(seen, name);
    buffer_append_char(seen, '=');
    buffer_append_slice(seen, value);
    buffer_append_char(seen, '\n');
}

static void
assert_get(struct config *config, const char *pattern, const char *expected)
{
    struct buffer seen;
    buffer_init(&seen, 0);
    config_match(config, slice_from_string(pattern), collect, &seen);
    buffer_append_char(&seen, '\0');
    assert_string_equal(seen.data, expected);
    buffer_fini(&seen);
}

static void
assert_set(struct config *config, const char *name, const char *value, const char *expected)
{
    struct slice names[] = {slice_from_string(name)};
    struct slice values[] = {slice_from_string(value)};
    buffer_clear(&error);
    bool is_good = config_set(config, names, values, 1, &error);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, expected);
    assert_int_equal(is_good, expected[0] == '\0');
}

static void
defaults_are_those_of_redis_but_for_loopback_and_save(void **state)
{
    (void)state;
    struct config *config = config_new();
    assert_non_null(config);
    assert_int_equal(config_number(config, CONFIG_PORT), 6379);
    assert_int_equal(config_number(config, CONFIG_UNIXSOCKETPERM), 0700);
    assert_int_equal(config_number(config, CONFIG_CLIENT_QUERY_BUFFER_LIMIT), 1 << 30);
    assert_text(config, CONFIG_BIND, "127.0.0.1 -::1");
    assert_text(config, CONFIG_SAVE, "");
    assert_text(config, CONFIG_APPENDONLY, "no");
    assert_text(config, CONFIG_MAXMEMORY_POLICY, "noeviction");
    assert_text(config, CONFIG_UNIXSOCKETPERM, "700");
    assert_text(config, CONFIG_CLIENT_OUTPUT_BUFFER_LIMIT,
                "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
    assert_int_equal(config_output_limit(config, CONFIG_CLIENT_PUBSUB).soft_s, 60);
    config_free(config);
}

static void
a_file_has_the_syntax_of_redis_conf(void **state)
{
    (void)state;
    struct config *config = load_text("# a comment\n"
                                      "\n"
                                      "  PORT 7000\r\n"
                                      "requirepass \"a \\\"b\\\" \\x41\\n\"\n"
                                      "logfile 'it\\'s'\n"
                                      "maxmemory 100mb\n"
                                      "bind 127.0.0.1 10.0.0.1\n"
                                      "save 900 1\n"
                                      "save 300 10\n"
                                      "listener-release 6380 web@1\n"
                                      "listener-release 6381 web@2\n"
                                      "client-output-buffer-limit replica 1kb 2k 3\n"
                                      "daemonize no\n"
                                      "rdbchecksum no");
    assert_string_equal(error.data, "");
    assert_non_null(config);
    assert_int_equal(config_number(config, CONFIG_PORT), 7000);
    assert_text(config, CONFIG_REQUIREPASS, "a \"b\" A\n");
    assert_text(config, CONFIG_LOGFILE, "it's");
    assert_text(config, CONFIG_BIND, "127.0.0.1 10.0.0.1");
    assert_text(config, CONFIG_SAVE, "900 1 300 10");
    assert_int_equal(config_number(config, CONFIG_MAXMEMORY), 100 << 20);
    assert_int_equal(config_output_limit(config, CONFIG_CLIENT_REPLICA).hard, 1024);
    assert_int_equal(config_output_limit(config, CONFIG_CLIENT_REPLICA).soft, 2000);
    assert_int_equal(config_output_limit(config, CONFIG_CLIENT_PUBSUB).soft_s, 60);
    struct buffer line;
    buffer_init(&line, 0);
    assert_true(config_line(config, CONFIG_LISTENER_RELEASE, 1, &line));
    assert_true(slice_equal(buffer_slice(&line), SLICE_OF("6381 web@2")));
    assert_false(config_line(config, CONFIG_LISTENER_RELEASE, 2, &line));
    buffer_fini(&line);
    assert_string_equal(
        notices.data,
        "'rdbchecksum' has no effect here\n"
        "'save' has no effect yet: no snapshots are written, a restart loses the data\n");
    config_free(config);
}

static void
the_command_line_wins_over_the_file(void **state)
{
    (void)state;
    char path[] = "/tmp/segue-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(write(fd, "port 1\ntimeout 5\n", 17) == 17);
    close(fd);
    struct config *config =
        LOAD(path, "--port", "2", "--bind", "127.0.0.2", "::1", "--save", "--maxclients", "7");
    assert_non_null(config);
    assert_int_equal(config_number(config, CONFIG_PORT), 2);
    assert_int_equal(config_number(config, CONFIG_TIMEOUT), 5);
    assert_text(config, CONFIG_BIND, "127.0.0.2 ::1");
    assert_text(config, CONFIG_SAVE, "");
    assert_int_equal(config_number(config, CONFIG_MAXCLIENTS), 7);
    assert_string_equal(config_file(config), path);
    config_free(config);
    unlink(path);
}

static void
errors_name_the_place_the_line_and_the_reason(void **state)
{
    (void)state;
    assert_null(load_text("port 7000\nprot 1\n"));
    assert_non_null(strstr(error.data, ", line 2\n>>> prot 1\nunknown directive 'prot'\n"));
    assert_null(load_text("requirepass \"abc\n"));
    assert_non_null(strstr(error.data, "\nunbalanced quotes\n"));
    assert_null(load_text("port 1 2\n"));
    assert_non_null(strstr(error.data, "\nwrong number of arguments\n"));
    assert_null(load_text("include /nowhere/at-all.conf\n"));
    assert_non_null(strstr(
        error.data, ">>> include /nowhere/at-all.conf\ncan't open '/nowhere/at-all.conf'"));
    assert_null(LOAD("--port", "99999"));
    assert_non_null(strstr(error.data, "command line\n>>> --port 99999\nargument must be "
                                       "between 0 and 65535 inclusive\n"));
    assert_null(LOAD("--unheard-of", "1"));
    assert_non_null(strstr(error.data, "unknown directive 'unheard-of'"));
    assert_null(LOAD("--port", "1", "--dir", "/nowhere/at/all"));
    assert_non_null(strstr(error.data, "can't use this directory: No such file"));
    assert_null(LOAD("-p", "1"));
}

static void
what_is_not_there_is_said_at_the_start(void **state)
{
    (void)state;
    assert_null(LOAD("--appendonly", "yes"));
    assert_non_null(strstr(error.data, "persistence is not there yet"));
    assert_null(LOAD("--tls-port", "6380"));
    assert_non_null(strstr(error.data, "TLS is not there yet"));
    assert_null(LOAD("--loadmodule", "/x.so"));
    assert_null(LOAD("--replicaof", "10.0.0.1", "6379"));
    assert_null(LOAD("--cluster-enabled", "yes"));
    struct config *config =
        LOAD("--tls-port", "0", "--appendonly", "no", "--enable-debug-command", "yes");
    assert_non_null(config);
    assert_string_equal(notices.data, "'enable-debug-command' has no effect here\n");
    config_free(config);
}

static void
config_get_shows_names_and_formats_of_redis(void **state)
{
    (void)state;
    struct config *config = LOAD("--dir", "/");
    assert_get(config, "save", "save=\n");
    assert_get(config, "APPENDONLY", "appendonly=no\n");
    assert_get(config, "slave-read-only", "slave-read-only=yes\n");
    assert_get(config, "dir", "dir=/\n");
    assert_get(config, "maxm?mory", "maxmemory=0\n");
    assert_get(config, "loadmodule", "");
    assert_get(config, "repl-backlog-size", "repl-backlog-size=1048576\n");
    config_free(config);
}

static void
config_set_answers_as_redis_does(void **state)
{
    (void)state;
#define FAILED(name, reason)                                                                   \
    "CONFIG SET failed (possibly related to argument '" name "') - " reason
    struct config *config = config_new();
    assert_set(config, "maxmemory", "1gb", "");
    assert_int_equal(config_number(config, CONFIG_MAXMEMORY), 1 << 30);
    assert_set(config, "a", "b", "Unknown option or number of arguments for CONFIG SET - 'a'");
    assert_set(config, "port", "1", FAILED("port", "can't set immutable config"));
    assert_set(config, "maxmemory", "1tb",
               FAILED("maxmemory", "argument must be a memory value"));
    assert_set(config, "timeout", "-1",
               FAILED("timeout", "argument must be between 0 and 2147483647 inclusive"));
    assert_set(config, "hz", "x", FAILED("hz", "argument couldn't be parsed into an integer"));
    assert_set(config, "loglevel", "loud",
               FAILED("loglevel", "argument(s) must be one of the following: debug, verbose, "
                                  "notice, warning"));
    assert_set(config, "appendonly", "perhaps",
               FAILED("appendonly", "argument must be 'yes' or 'no'"));
    assert_set(config, "appendonly", "no", "");
    assert_set(config, "appendonly", "yes",
               FAILED("appendonly", "persistence is not there yet"));
    assert_set(config, "save", "a b", FAILED("save", "Invalid save parameters"));
    assert_set(config, "save", "3600 1 300 100", "");
    assert_text(config, CONFIG_SAVE, "3600 1 300 100");
    assert_set(config, "client-output-buffer-limit", "normal 1 x 3",
               FAILED("client-output-buffer-limit",
                      "Error in hard, soft or soft_seconds setting in buffer limit "
                      "configuration."));
    assert_set(config, "client-output-buffer-limit", "normal 1mb 2 3", "");
    assert_int_equal(config_output_limit(config, CONFIG_CLIENT_NORMAL).hard, 1 << 20);
    assert_set(config, "notify-keyspace-events", "Egx", "");
    assert_get(config, "notify-keyspace-events", "notify-keyspace-events=gxE\n");
    assert_set(config, "notify-keyspace-events", "KEA", "");
    assert_get(config, "notify-keyspace-events", "notify-keyspace-events=AKE\n");
    assert_set(config, "notify-keyspace-events", "q",
               FAILED("notify-keyspace-events",
                      "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."));
    config_free(config);
}

static void
count_change(void *context, const struct config *config, enum config_id id)
{
    (void)config;
    assert_int_equal(id, CONFIG_HZ);
    (*(int *)context)++;
}

static void
config_set_changes_all_or_nothing_and_runs_hooks(void **state)
{
    (void)state;
    struct config *config = config_new();
    int changes = 0;
    config_on_change(config, CONFIG_HZ, count_change, &changes);
    struct slice names[] = {SLICE("hz"), SLICE("timeout")};
    struct slice bad[] = {SLICE("20"), SLICE("never")};
    struct slice good[] = {SLICE("20"), SLICE("30")};
    struct slice twice[] = {SLICE("hz"), SLICE("HZ")};
    assert_false(config_set(config, names, bad, 2, &error));
    assert_int_equal(config_number(config, CONFIG_HZ), 10);
    assert_false(config_set(config, twice, good, 2, &error));
    assert_int_equal(changes, 0);
    assert_true(config_set(config, names, good, 2, &error));
    assert_int_equal(config_number(config, CONFIG_HZ), 20);
    assert_int_equal(config_number(config, CONFIG_TIMEOUT), 30);
    assert_int_equal(changes, 1);
    config_free(config);
}

static void
memory_values_have_units_and_no_overflow(void **state)
{
    (void)state;
    int64_t bytes;
    assert_true(config_value_memory(SLICE_OF("1K"), &bytes));
    assert_int_equal(bytes, 1000);
    assert_true(config_value_memory(SLICE_OF("2Gb"), &bytes));
    assert_true(bytes == INT64_C(2) << 30);
    assert_false(config_value_memory(SLICE_OF("9223372036854775807gb"), &bytes));
    assert_false(config_value_memory(SLICE_OF("gb"), &bytes));
    assert_false(config_value_memory(SLICE_OF("-1"), &bytes));
    assert_false(config_value_memory(SLICE_OF("1 kb"), &bytes));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_redis_but_for_loopback_and_save),
        cmocka_unit_test(a_file_has_the_syntax_of_redis_conf),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(errors_name_the_place_the_line_and_the_reason),
        cmocka_unit_test(what_is_not_there_is_said_at_the_start),
        cmocka_unit_test(config_get_shows_names_and_formats_of_redis),
        cmocka_unit_test(config_set_answers_as_redis_does),
        cmocka_unit_test(config_set_changes_all_or_nothing_and_runs_hooks),
        cmocka_unit_test(memory_values_have_units_and_no_overflow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
