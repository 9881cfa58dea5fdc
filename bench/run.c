#include "bench/run.h"

#include "proto/base/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { FILL_PIPELINE = 64, NANOSECONDS = 1000000000 };

static volatile sig_atomic_t is_interrupted;

static void
on_interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

static void
catch_interrupt(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void
init_run(struct run *run, const struct options *options, bool is_filling)
{
    *run = (struct run){.options = options, .is_filling = is_filling};
    run->pipeline = (size_t)options->pipeline;
    if (is_filling) {
        bool is_large = options->value_size > 64 * 1024;
        run->pipeline = is_large ? 1 : FILL_PIPELINE;
    } else {
        run->rate = options->rate;
        run->requests = (uint64_t)options->requests;
        run->limit_ns = (uint64_t)(options->seconds * NANOSECONDS);
    }
    unsigned count = (unsigned)options->threads + 1;
    CHECK(pthread_barrier_init(&run->ready, NULL, count) == 0);
    CHECK(pthread_barrier_init(&run->go, NULL, count) == 0);
}

static void
meet(pthread_barrier_t *barrier)
{
    int status = pthread_barrier_wait(barrier);
    CHECK(status == 0 || status == PTHREAD_BARRIER_SERIAL_THREAD);
}

/* ---- progress ---- */

static void
show_progress(const struct run *run, const struct run_result *result, uint64_t total)
{
    const struct run_second *last = &result->series[result->series_count - 1];
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    double all = run->is_filling     ? (double)run->options->keys
                 : run->requests > 0 ? (double)run->requests
                                     : 0;
    char done[32] = "";
    if (all > 0) {
        (void)snprintf(done, sizeof(done), " of %.0f", all);
    } else if (run->limit_ns > 0) {
        (void)snprintf(done, sizeof(done), " of %.0f s", (double)run->limit_ns / NANOSECONDS);
    }
    char share[32] = "";
    if (run->options->workload->has_versions && !run->is_filling) {
        (void)snprintf(share, sizeof(share), ", version 2: %.0f %%", last->share);
    }
    (void)fprintf(stderr, "%s%s %zu s%s: %llu replies, %llu/s, slowest %.2f ms%s%s",
                  is_terminal ? "\r\033[K" : "", run->is_filling ? "fill" : "run",
                  result->series_count, all > 0 ? "" : done, (unsigned long long)total,
                  (unsigned long long)last->replies, (double)last->slowest_ns / 1e6, share,
                  is_terminal ? "" : "\n");
    (void)fflush(stderr);
}

static double
share_now(const struct run *run, uint64_t total)
{
    if (run->options->share >= 0) {
        return run->options->share;
    }
    double done = run->requests > 0
                      ? (double)total / (double)run->requests
                      : (double)(uv_hrtime() - run->start_ns) / (double)run->limit_ns;
    return done < 1 ? done * 100 : 100;
}

static uint64_t
sum_replied(struct worker *workers, unsigned count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < count; i++) {
        sum += atomic_load_explicit(&workers[i].replied, memory_order_relaxed);
    }
    return sum;
}

/* Write down what each second brought until all workers have ended. */
static void
watch_run(struct run *run, struct worker *workers, struct run_result *result)
{
    unsigned count = (unsigned)run->options->threads;
    uint64_t before = 0;
    uint64_t next_ns = run->start_ns + NANOSECONDS;
    bool is_told = false;
    while (atomic_load(&run->over_count) < count) {
        struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
        if (is_interrupted && !is_told) {
            is_told = true;
            for (unsigned i = 0; i < count; i++) {
                worker_stop(&workers[i]);
            }
        }
        if (uv_hrtime() < next_ns || result->series_count == RUN_SERIES_MAX) {
            continue;
        }
        next_ns += NANOSECONDS;
        uint64_t total = sum_replied(workers, count);
        struct run_second *second = &result->series[result->series_count++];
        *second =
            (struct run_second){.replies = total - before, .share = share_now(run, total)};
        before = total;
        for (unsigned i = 0; i < count; i++) {
            uint64_t slowest_ns =
                atomic_exchange_explicit(&workers[i].slowest_ns, 0, memory_order_relaxed);
            second->slowest_ns =
                slowest_ns > second->slowest_ns ? slowest_ns : second->slowest_ns;
        }
        if (!run->options->is_quiet) {
            show_progress(run, result, total);
        }
    }
    if (result->series_count > 0 && !run->options->is_quiet && isatty(STDERR_FILENO) != 0) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

/* ---- results ---- */

static void
collect(struct run_result *result, const struct worker *worker, uint64_t *end_ns)
{
    result->misses += worker->misses;
    result->errors += worker->errors;
    result->lost += worker->lost_count;
    result->late += worker->late;
    if (result->error[0] == '\0') {
        memcpy(result->error, worker->error, sizeof(result->error));
    }
    for (size_t i = 0; i < OP_COUNT; i++) {
        histogram_add(&result->latency[i], &worker->latency[i]);
        if (i != OP_SETUP) {
            histogram_add(&result->latency[OP_SETUP], &worker->latency[i]);
        }
    }
    *end_ns = worker->end_ns > *end_ns ? worker->end_ns : *end_ns;
}

static void
init_result(struct run_result *result)
{
    memset(result, 0, sizeof(*result));
    result->latency = malloc(OP_COUNT * sizeof(*result->latency));
    result->series = calloc(RUN_SERIES_MAX, sizeof(*result->series));
    CHECK(result->latency != NULL && result->series != NULL);
    for (size_t i = 0; i < OP_COUNT; i++) {
        histogram_init(&result->latency[i]);
    }
}

void
run_result_fini(struct run_result *result)
{
    free(result->latency);
    free(result->series);
}

bool
run_load(const struct options *options, bool is_filling, struct run_result *ret_result)
{
    init_result(ret_result);
    catch_interrupt();
    struct run run;
    init_run(&run, options, is_filling);
    unsigned count = (unsigned)options->threads;
    struct worker *workers = calloc(count, sizeof(*workers));
    CHECK(workers != NULL);
    for (unsigned i = 0; i < count; i++) {
        worker_start(&workers[i], &run, i);
    }
    meet(&run.ready);
    bool is_ready = !is_interrupted;
    for (unsigned i = 0; i < count; i++) {
        is_ready = is_ready && workers[i].lost_count == 0;
    }
    atomic_store(&run.is_aborted, !is_ready);
    struct process_usage before = {0};
    ret_result->has_usage = options->pid > 0 && process_usage(options->pid, &before);
    run.start_ns = uv_hrtime();
    uint64_t end_ns = run.start_ns;
    meet(&run.go);
    if (is_ready) {
        watch_run(&run, workers, ret_result);
    }
    struct process_usage after = {0};
    ret_result->has_usage = ret_result->has_usage && process_usage(options->pid, &after);
    ret_result->usage = (struct process_usage){.user_s = after.user_s - before.user_s,
                                               .system_s = after.system_s - before.system_s,
                                               .resident_size = after.resident_size};
    for (unsigned i = 0; i < count; i++) {
        worker_join(&workers[i]);
        collect(ret_result, &workers[i], &end_ns);
        worker_fini(&workers[i]);
    }
    free(workers);
    (void)pthread_barrier_destroy(&run.ready);
    (void)pthread_barrier_destroy(&run.go);
    ret_result->replies = ret_result->latency[OP_SETUP].count;
    ret_result->seconds = (double)(end_ns - run.start_ns) / NANOSECONDS;
    ret_result->is_interrupted = is_interrupted;
    return is_ready;
}
