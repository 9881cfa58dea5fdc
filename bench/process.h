/*
 * process - what a process has used, as /proc tells.
 */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
    double user_s;
    double system_s;
    uint64_t resident_size;
};

/* False when there is no such process. */
bool process_usage(int64_t pid, struct process_usage *ret_usage);

#endif
