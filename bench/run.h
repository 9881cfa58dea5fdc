/*
 * run - one run of the load from the first connection to the last reply, and its results.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "bench/process.h"
#include "bench/worker.h"

enum { RUN_SERIES_MAX = 24 * 3600 };

struct run_second {
    uint64_t replies;
    uint64_t slowest_ns;
    double share; /* of connections on version 2, percent */
};

struct run_result {
    double seconds;
    uint64_t replies;
    uint64_t misses;
    uint64_t errors;
    uint64_t lost; /* connections */
    uint64_t late; /* fell due and were never sent or answered */
    char error[WORKER_ERROR_SIZE];
    struct histogram *latency; /* [owned] of OP_COUNT; [OP_SETUP] sums up all others */
    struct run_second *series; /* [owned] second by second */
    size_t series_count;
    bool has_usage; /* of the server, by --pid */
    struct process_usage usage;
    bool is_interrupted;
};

/*
 * Run; false when no run came about, and <ret_result> says why in its error. Aborts without
 * memory. The interrupt signal ends a run early. The result is to be freed either way.
 */
bool run_load(const struct options *options, bool is_filling, struct run_result *ret_result);
void run_result_fini(struct run_result *result);

#endif
