#include "bench/worker.h"

#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    CONNECTING_MAX = 64, /* at once; listeners have short queues */
    DRAIN_MS_MAX = 5000, /* for replies after the end */
    NANOSECONDS = 1000000000,
};

/* ---- the end of a run ---- */

static void
finish(struct worker *worker)
{
    if (worker->is_running) {
        worker->is_running = false;
        worker->end_ns = uv_hrtime();
        uv_stop(&worker->loop);
    }
}

static bool
is_exhausted(const struct worker *worker)
{
    if (worker->run->is_filling) {
        return worker->generator.fill_next >= (uint64_t)worker->run->options->keys;
    }
    return worker->requests_left == 0;
}

void
worker_settle(struct worker *worker)
{
    bool is_over = worker->is_stopping || is_exhausted(worker) ||
                   worker->lost_count == worker->client_count;
    if (worker->busy_count == 0 && is_over) {
        finish(worker);
    }
}

static void
on_drained(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    size_t count = 0;
    for (size_t i = 0; i < worker->client_count; i++) {
        count += worker->clients[i].is_closing ? 0 : client_in_flight(&worker->clients[i]);
    }
    worker->late += count;
    char text[64];
    (void)snprintf(text, sizeof(text), "%zu requests were never answered", count);
    worker_on_error(worker, slice_from_string(text), false);
    finish(worker);
}

static void
stop_sending(struct worker *worker)
{
    if (!worker->is_running || worker->is_stopping) {
        return;
    }
    worker->is_stopping = true;
    for (size_t i = 0; i < worker->client_count && worker->pace_ns > 0; i++) {
        worker->late += worker->clients[i].due - worker->clients[i].sent;
    }
    (void)uv_timer_start(&worker->deadline, on_drained, DRAIN_MS_MAX, 0);
    worker_settle(worker);
}

static void
on_deadline(uv_timer_t *timer)
{
    stop_sending(timer->data);
}

static void
on_stop(uv_async_t *async)
{
    struct worker *worker = async->data;
    if (worker->is_running) {
        stop_sending(worker);
    } else if (worker->ready_count < worker->client_count) {
        worker_on_lost(worker, "was given up");
    }
}

void
worker_stop(struct worker *worker)
{
    (void)uv_async_send(&worker->stop);
}

/* ---- what clients report ---- */

static void
keep_error(struct worker *worker, const char *before, struct slice text)
{
    if (worker->error[0] == '\0') {
        (void)snprintf(worker->error, sizeof(worker->error), "%s%.*s", before, (int)text.size,
                       text.data);
    }
}

void
worker_on_error(struct worker *worker, struct slice text, bool is_setup)
{
    worker->errors++;
    keep_error(worker, is_setup ? "setup: " : "", text);
    if (is_setup && !worker->is_running) {
        worker->lost_count++;
        uv_stop(&worker->loop);
    }
}

void
worker_on_lost(struct worker *worker, const char *why)
{
    worker->lost_count++;
    keep_error(worker, "a connection: ", slice_from_string(why));
    if (worker->is_running) {
        worker_settle(worker);
    } else {
        uv_stop(&worker->loop);
    }
}

static void
open_next(struct worker *worker)
{
    if (worker->opened_count < worker->client_count) {
        size_t index = worker->opened_count++;
        client_open(&worker->clients[index], worker, index);
    }
}

void
worker_on_ready(struct worker *worker)
{
    worker->ready_count++;
    if (worker->ready_count == worker->client_count) {
        uv_stop(&worker->loop);
    } else {
        open_next(worker);
    }
}

bool
worker_take_request(struct worker *worker)
{
    if (worker->requests_left == 0) {
        return false;
    }
    worker->requests_left--;
    return true;
}

void
worker_update_share(struct worker *worker, uint64_t now_ns)
{
    const struct run *run = worker->run;
    double share = run->options->share / 100;
    if (share < 0) {
        share = run->requests > 0
                    ? 1 - (double)worker->requests_left / (double)worker->requests_all
                    : (double)(now_ns - run->start_ns) / (double)run->limit_ns;
    }
    worker->generator.share = share;
}

/* ---- the schedule of open loop ---- */

static uint64_t
paced_ns(const struct worker *worker, uint64_t number)
{
    return worker->run->start_ns +
           (uint64_t)(worker->pace_ns * ((double)number + worker->pace_offset));
}

uint64_t
worker_due_ns(const struct worker *worker, size_t index, uint64_t number)
{
    return paced_ns(worker, number * worker->client_count + index);
}

static void
arm_pace(struct worker *worker)
{
    uint64_t next_ns = paced_ns(worker, worker->paced);
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(next_ns / NANOSECONDS),
                                         .tv_nsec = (long)(next_ns % NANOSECONDS)}};
    CHECK(timerfd_settime(worker->pace_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
}

static void
on_pace(uv_poll_t *poll, int status, int events)
{
    struct worker *worker = poll->data;
    (void)events;
    uint64_t expirations;
    if (status < 0 ||
        read(worker->pace_fd, &expirations, sizeof(expirations)) != sizeof(expirations)) {
        return;
    }
    if (worker->is_stopping) {
        return;
    }
    uint64_t first = worker->paced;
    uint64_t until_ns = uv_hrtime();
    if (worker->run->limit_ns > 0 &&
        until_ns >= worker->run->start_ns + worker->run->limit_ns) {
        until_ns = worker->run->start_ns + worker->run->limit_ns - 1;
    }
    for (; paced_ns(worker, worker->paced) <= until_ns; worker->paced++) {
        worker->clients[worker->paced % worker->client_count].due++;
    }
    uint64_t count = worker->paced - first;
    for (uint64_t i = 0; i < count && i < worker->client_count; i++) {
        client_send(&worker->clients[(first + i) % worker->client_count]);
    }
    arm_pace(worker);
    worker_settle(worker);
}

/* ---- life ---- */

static void
begin(struct worker *worker)
{
    const struct run *run = worker->run;
    worker->is_running = true;
    if (run->limit_ns > 0) {
        (void)uv_timer_start(&worker->deadline, on_deadline, run->limit_ns / 1000000, 0);
    }
    if (worker->pace_ns > 0) {
        (void)uv_poll_start(&worker->pace, UV_READABLE, on_pace);
        arm_pace(worker);
    } else {
        for (size_t i = 0; i < worker->client_count; i++) {
            client_send(&worker->clients[i]);
        }
    }
    worker_settle(worker);
}

static void
meet(pthread_barrier_t *barrier)
{
    int status = pthread_barrier_wait(barrier);
    CHECK(status == 0 || status == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void *
run_worker(void *argument)
{
    struct worker *worker = argument;
    for (unsigned i = 0; i < CONNECTING_MAX; i++) {
        open_next(worker);
    }
    if (worker->ready_count < worker->client_count && worker->lost_count == 0) {
        (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
    }
    meet(&worker->run->ready);
    meet(&worker->run->go);
    if (!atomic_load(&worker->run->is_aborted)) {
        begin(worker);
        if (worker->is_running) {
            (void)uv_run(&worker->loop, UV_RUN_DEFAULT);
        }
    }
    atomic_fetch_add(&worker->run->over_count, 1);
    for (size_t i = 0; i < worker->opened_count; i++) {
        client_close(&worker->clients[i]);
    }
    uv_close((uv_handle_t *)&worker->deadline, NULL);
    uv_close((uv_handle_t *)&worker->stop, NULL);
    uv_close((uv_handle_t *)&worker->pace, NULL);
    while (uv_run(&worker->loop, UV_RUN_DEFAULT) != 0) {
    }
    return NULL;
}

/* <whole> in <count> parts as equal as can be. */
static uint64_t
part(uint64_t whole, unsigned index, unsigned count)
{
    return whole / count + (index < whole % count ? 1 : 0);
}

void
worker_start(struct worker *worker, struct run *run, unsigned index)
{
    const struct options *options = run->options;
    unsigned count = (unsigned)options->threads;
    memset(worker, 0, sizeof(*worker));
    worker->run = run;
    worker->index = index;
    worker->client_count = (size_t)part((uint64_t)options->connections, index, count);
    worker->clients = calloc(worker->client_count, sizeof(*worker->clients));
    worker->latency = malloc(OP_COUNT * sizeof(*worker->latency));
    worker->input = malloc(WORKER_READ_SIZE);
    CHECK(worker->clients != NULL && worker->latency != NULL && worker->input != NULL);
    for (size_t i = 0; i < OP_COUNT; i++) {
        histogram_init(&worker->latency[i]);
    }
    buffer_init(&worker->out, 0);
    worker->requests_all = run->requests > 0 ? part(run->requests, index, count) : UINT64_MAX;
    worker->requests_left = worker->requests_all;
    if (run->rate > 0) {
        worker->pace_ns = (double)NANOSECONDS / run->rate * (double)options->threads;
        worker->pace_offset = (double)index / (double)options->threads;
    }
    generator_init(&worker->generator, options, run->is_filling, index, count);
    worker->pace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    CHECK(worker->pace_fd >= 0);
    CHECK(uv_loop_init(&worker->loop) == 0 &&
          uv_timer_init(&worker->loop, &worker->deadline) == 0 &&
          uv_async_init(&worker->loop, &worker->stop, on_stop) == 0 &&
          uv_poll_init(&worker->loop, &worker->pace, worker->pace_fd) == 0);
    worker->deadline.data = worker;
    worker->stop.data = worker;
    worker->pace.data = worker;
    CHECK(pthread_create(&worker->thread, NULL, run_worker, worker) == 0);
}

void
worker_join(struct worker *worker)
{
    CHECK(pthread_join(worker->thread, NULL) == 0);
    CHECK(uv_loop_close(&worker->loop) == 0);
    (void)close(worker->pace_fd);
}

void
worker_fini(struct worker *worker)
{
    for (size_t i = 0; i < worker->opened_count; i++) {
        client_fini(&worker->clients[i]);
    }
    free(worker->clients);
    free(worker->latency);
    free(worker->input);
    buffer_fini(&worker->out);
    generator_fini(&worker->generator);
}
