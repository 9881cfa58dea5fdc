/*
 * background - a thread of its own for long work over live records, done in small slices.
 *
 * A job's slice says how long to pause before the next one: that is its throttle, and while one
 * job pauses the others go on. No loop waits for any of it.
 *
 * Thread:   background_add(), _each() and _wake(): any. Jobs run on the thread of <background>.
 * Life:     a job is its owner's, embedded; from background_add() until its on_end() it must
 *           stay.
 */
#ifndef SERVER_SCHEMA_BACKGROUND_H
#define SERVER_SCHEMA_BACKGROUND_H

#include "proto/base/slice.h"

#include <stdatomic.h>

struct background;
struct background_job;

enum { BACKGROUND_END = -1 };

/*
 * Do a slice of at most a few milliseconds, <now_ms> being the time. The pause before the next
 * one in microseconds, or BACKGROUND_END.
 */
typedef int64_t background_step(struct background_job *job, int64_t now_ms);

struct background_job {
    background_step *step;
    /* After the last slice, or when the thread stops: the job is its owner's again. */
    void (*on_end)(struct background_job *job, bool is_stopped);
    const char *kind;    /* static; NULL: not shown by background_each() */
    struct slice schema; /* the name, as long as the job is here */
    int64_t since_ms;
    _Atomic uint64_t seen;
    _Atomic uint64_t total; /* to be seen, as far as known */
    _Atomic uint64_t failed;

    struct background_job *next; /* background's own */
    int64_t due_us;
};

struct background *background_new(void); /* starts the thread; NULL where there is none */

/* Ends every job and the thread. */
void background_stop(struct background *background);
void background_free(struct background *background); /* stopped; takes NULL */

/* Begin <job>; at once on_end() where the thread has stopped. */
void background_add(struct background *background, struct background_job *job);

/* Its next slice is due now. For jobs that wait for something. */
void background_wake(struct background *background, struct background_job *job);

/* Every job there is, under a mutex. */
typedef void background_on_job(void *context, const struct background_job *job);
void background_each(struct background *background, background_on_job *on_job, void *context);

#endif
