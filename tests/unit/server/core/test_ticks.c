#include "server/core/ticks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <time.h>

enum { REST_MS = 30 };

static void
rest(void)
{
    struct timespec time = {.tv_nsec = REST_MS * 1000000L};
    (void)nanosleep(&time, NULL);
}

static void
ticks_become_microseconds(void **state)
{
    (void)state;
    uint64_t start = ticks_now();
    rest();
    uint64_t us = ticks_to_us(ticks_now() - start);
    assert_true(us >= REST_MS * 900);
    assert_true(us < (uint64_t)60 * 1000 * 1000);
    assert_int_equal(ticks_from_us(1000), 0); /* not known yet */
    ticks_calibrate();
    assert_in_range(ticks_to_us(ticks_from_us(1000000)), 900000, 1100000);
    assert_in_range(ticks_to_us(ticks_from_us(1500)), 1350, 1650);
}

static void *
rest_unwatched(void *argument)
{
    uint64_t *ret_us = argument;
    uint64_t start = ticks_own();
    rest();
    *ret_us = ticks_to_us(ticks_own() - start);
    return NULL;
}

static void
a_thread_that_is_not_watched_owns_all_time(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t us = 0;
    assert_int_equal(pthread_create(&thread, NULL, rest_unwatched, &us), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(us >= REST_MS * 900);
}

/* In a thread of its own: how it is watched lasts. */
static void *
owns_what_it_runs(void *argument)
{
    bool *is_exact = argument;
    if (!ticks_watch(*is_exact)) {
        return argument; /* not to be had here */
    }
    uint64_t start = ticks_own();
    for (int i = 0; i < 3; i++) { /* seen more than once */
        rest();
        if (ticks_to_us(ticks_own() - start) > REST_MS * 1000 / 2) {
            return NULL;
        }
    }
    struct timespec before;
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    start = ticks_own();
    int64_t ran_us;
    do { /* looked at often, as the locks of a busy worker do */
        (void)ticks_own();
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        ran_us = (now.tv_sec - before.tv_sec) * 1000000 + (now.tv_nsec - before.tv_nsec) / 1000;
    } while (ran_us < REST_MS * 1000);
    return ticks_to_us(ticks_own() - start) > REST_MS * 500 ? argument : NULL;
}

static void
a_watched_thread_owns_what_it_runs_and_not_what_it_sleeps(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        bool is_exact = i == 1;
        pthread_t thread;
        void *outcome = NULL;
        assert_int_equal(pthread_create(&thread, NULL, owns_what_it_runs, &is_exact), 0);
        assert_int_equal(pthread_join(thread, &outcome), 0);
        assert_non_null(outcome);
    }
}

int
main(void)
{
    ticks_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_become_microseconds),
        cmocka_unit_test(a_thread_that_is_not_watched_owns_all_time),
        cmocka_unit_test(a_watched_thread_owns_what_it_runs_and_not_what_it_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
