/*
 * report - results of a run, for people (a table) and for programs (JSON).
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/run.h"

#include <stdio.h>

void report_table(const struct options *options, const struct run_result *result, FILE *out);
void report_json(const struct options *options, const struct run_result *result, FILE *out);

#endif
