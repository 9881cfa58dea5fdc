#include "server/core/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/segue-log-XXXXXX";

/* What the log holds. */
static const char *
contents(void)
{
    static char text[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    close(fd);
    return text;
}

static int
set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct buffer error;
    buffer_init(&error, 0);
    assert_true(log_open(path, &error));
    buffer_fini(&error);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void
a_line_says_who_when_how_grave_and_what(void **state)
{
    (void)state;
    log_set_role("worker 3");
    log_line(LOG_LEVEL_WARNING, "%s", "it's\r\nhot\x1b");
    int pid;
    int year;
    char rest[64];
    assert_int_equal(sscanf(contents(), "%d:worker 3 %d-%63[^\n]", &pid, &year, rest), 3);
    assert_int_equal(pid, getpid());
    assert_non_null(strstr(rest, "Z warning it's  hot "));
}

static void
lines_below_the_level_are_dropped_and_long_ones_cut(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_NOTICE);
    log_line(LOG_LEVEL_VERBOSE, "unheard");
    assert_null(strstr(contents(), "unheard"));
    log_set_level(LOG_LEVEL_DEBUG);
    log_line(LOG_LEVEL_DEBUG, "heard %09000d", 0);
    const char *line = strstr(contents(), "debug heard 000");
    assert_non_null(line);
    assert_true(strlen(line) < 4096);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

static void
a_file_that_cannot_be_opened_changes_nothing(void **state)
{
    (void)state;
    struct buffer error;
    buffer_init(&error, 0);
    assert_false(log_open("/nowhere/at/all", &error));
    buffer_append_char(&error, '\0');
    assert_non_null(strstr(error.data, "can't open the log file '/nowhere/at/all'"));
    buffer_fini(&error);
    log_line(LOG_LEVEL_WARNING, "still here");
    assert_non_null(strstr(contents(), "still here"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_says_who_when_how_grave_and_what),
        cmocka_unit_test(lines_below_the_level_are_dropped_and_long_ones_cut),
        cmocka_unit_test(a_file_that_cannot_be_opened_changes_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
