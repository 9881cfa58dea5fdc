#include "server/schema/background.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct counted {
    struct background_job job;
    int64_t pause_us;
    unsigned slices;
    unsigned slices_max;
    atomic_uint done;
    atomic_bool is_ended;
    bool is_stopped;
};

static int64_t
step(struct background_job *job, int64_t now_ms)
{
    struct counted *counted = (struct counted *)job;
    assert_true(now_ms > 1000);
    counted->slices++;
    atomic_store(&counted->done, counted->slices);
    return counted->slices == counted->slices_max ? BACKGROUND_END : counted->pause_us;
}

static void
on_end(struct background_job *job, bool is_stopped)
{
    struct counted *counted = (struct counted *)job;
    counted->is_stopped = is_stopped;
    atomic_store(&counted->is_ended, true);
}

static void
wait_until(atomic_bool *flag)
{
    for (int i = 0; i < 10000 && !atomic_load(flag); i++) {
        usleep(1000);
    }
    assert_true(atomic_load(flag));
}

static void
count(void *context, const struct background_job *job)
{
    assert_string_equal(job->kind, "test");
    ++*(unsigned *)context;
}

static void
jobs_run_side_by_side_until_they_end(void **state)
{
    (void)state;
    struct background *background = background_new();
    struct counted jobs[3];
    for (unsigned i = 0; i < 3; i++) {
        jobs[i] = (struct counted){
            .job = {.step = step, .on_end = on_end, .kind = "test"},
            .pause_us = i * 100,
            .slices_max = 10 * (i + 1),
        };
        background_add(background, &jobs[i].job);
    }
    for (unsigned i = 0; i < 3; i++) {
        wait_until(&jobs[i].is_ended);
        assert_int_equal(jobs[i].slices, 10 * (i + 1));
        assert_false(jobs[i].is_stopped);
    }
    unsigned left = 0;
    background_each(background, count, &left);
    assert_int_equal(left, 0);
    background_stop(background);
    background_free(background);
}

static void
a_pausing_job_can_be_woken_and_ends_when_the_thread_stops(void **state)
{
    (void)state;
    struct background *background = background_new();
    struct counted job = {
        .job = {.step = step, .on_end = on_end, .kind = "test"},
        .pause_us = (int64_t)3600 * 1000000,
        .slices_max = 100,
    };
    background_add(background, &job.job);
    for (unsigned wanted = 1; wanted <= 3; wanted++) {
        for (int i = 0; i < 10000 && atomic_load(&job.done) < wanted; i++) {
            usleep(1000);
        }
        assert_int_equal(atomic_load(&job.done), wanted);
        usleep(2000); /* it pauses by now */
        background_wake(background, &job.job);
    }
    unsigned left = 0;
    background_each(background, count, &left);
    assert_int_equal(left, 1);
    background_stop(background);
    assert_true(job.is_stopped);
    atomic_store(&job.is_ended, false);
    background_add(background, &job.job);
    assert_true(atomic_load(&job.is_ended));
    background_free(background);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_side_by_side_until_they_end),
        cmocka_unit_test(a_pausing_job_can_be_woken_and_ends_when_the_thread_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
