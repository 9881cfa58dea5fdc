#include "server/schema/background.h"

#include "proto/base/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NICE = 10 };

struct background {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct background_job *jobs; /* [mutex] */
    bool is_stopping;            /* [mutex] */
};

static int64_t
clock_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct background_job *
first_due(const struct background *background)
{
    struct background_job *first = background->jobs;
    for (struct background_job *job = first; job != NULL; job = job->next) {
        if (job->due_us < first->due_us) {
            first = job;
        }
    }
    return first;
}

static void
take_out(struct background *background, const struct background_job *job)
{
    struct background_job **link = &background->jobs;
    while (*link != job) {
        link = &(*link)->next;
    }
    *link = job->next;
}

/* Wait until <due_us>, or until something changed; <due_us> 0: until then only. */
static void
wait_locked(struct background *background, int64_t due_us)
{
    if (due_us == 0) {
        (void)pthread_cond_wait(&background->changed, &background->mutex);
        return;
    }
    const struct timespec until = {.tv_sec = due_us / 1000000,
                                   .tv_nsec = due_us % 1000000 * 1000};
    (void)pthread_cond_timedwait(&background->changed, &background->mutex, &until);
}

static void
run_slice_locked(struct background *background, struct background_job *job)
{
    pthread_mutex_unlock(&background->mutex);
    int64_t pause_us = job->step(job, clock_us(CLOCK_REALTIME) / 1000);
    int64_t due_us = clock_us(CLOCK_MONOTONIC) + pause_us;
    pthread_mutex_lock(&background->mutex);
    if (pause_us != BACKGROUND_END) {
        job->due_us = due_us;
        return;
    }
    take_out(background, job);
    pthread_mutex_unlock(&background->mutex);
    job->on_end(job, false);
    pthread_mutex_lock(&background->mutex);
}

/*
 * Where there are fewer cores than threads, a worker that wakes up is to run at once, and this
 * thread is to push nobody aside. Not SCHED_IDLE: it would keep a shard's lock for long on a
 * busy machine. Either may fail; then it is as others are.
 */
static void
be_modest(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
}

static void *
run(void *context)
{
    struct background *background = context;
    be_modest();
    pthread_mutex_lock(&background->mutex);
    while (!background->is_stopping) {
        struct background_job *job = first_due(background);
        if (job == NULL) {
            wait_locked(background, 0);
        } else if (job->due_us > clock_us(CLOCK_MONOTONIC)) {
            wait_locked(background, job->due_us);
        } else {
            run_slice_locked(background, job);
        }
    }
    while (background->jobs != NULL) {
        struct background_job *job = background->jobs;
        background->jobs = job->next;
        pthread_mutex_unlock(&background->mutex);
        job->on_end(job, true);
        pthread_mutex_lock(&background->mutex);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

struct background *
background_new(void)
{
    struct background *background = calloc(1, sizeof(*background));
    pthread_condattr_t attributes;
    if (background == NULL) {
        return NULL;
    }
    CHECK(pthread_mutex_init(&background->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&background->changed, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&background->thread, NULL, run, background) != 0) {
        pthread_cond_destroy(&background->changed);
        pthread_mutex_destroy(&background->mutex);
        free(background);
        return NULL;
    }
    return background;
}

void
background_stop(struct background *background)
{
    pthread_mutex_lock(&background->mutex);
    background->is_stopping = true;
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    CHECK(pthread_join(background->thread, NULL) == 0);
}

void
background_free(struct background *background)
{
    if (background != NULL) {
        pthread_cond_destroy(&background->changed);
        pthread_mutex_destroy(&background->mutex);
        free(background);
    }
}

void
background_add(struct background *background, struct background_job *job)
{
    pthread_mutex_lock(&background->mutex);
    bool is_stopping = background->is_stopping;
    if (!is_stopping) {
        job->due_us = 0;
        job->next = background->jobs;
        background->jobs = job;
        pthread_cond_signal(&background->changed);
    }
    pthread_mutex_unlock(&background->mutex);
    if (is_stopping) {
        job->on_end(job, true);
    }
}

void
background_wake(struct background *background, struct background_job *job)
{
    pthread_mutex_lock(&background->mutex);
    for (struct background_job *at = background->jobs; at != NULL; at = at->next) {
        if (at == job) {
            at->due_us = 0;
        }
    }
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->mutex);
}

void
background_each(struct background *background, background_on_job *on_job, void *context)
{
    pthread_mutex_lock(&background->mutex);
    for (const struct background_job *job = background->jobs; job != NULL; job = job->next) {
        if (job->kind != NULL) {
            on_job(context, job);
        }
    }
    pthread_mutex_unlock(&background->mutex);
}
