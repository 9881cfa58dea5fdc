/*
 * options - the command line of segue-bench: one table gives the parser and --help.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench/workload.h"

#include <stdbool.h>
#include <stdint.h>

enum protocol { PROTOCOL_RESP2, PROTOCOL_RESP3, PROTOCOL_MEMCACHED };

struct options {
    const char *host;
    int64_t port;
    const char *socket; /* NULL: host and port */
    const char *user;
    const char *password; /* NULL: no AUTH */
    enum protocol protocol;
    int64_t threads;
    int64_t connections; /* in all threads together */
    int64_t pipeline;
    double rate;      /* requests per second, 0: closed loop */
    double seconds;   /* 0: until <requests> */
    int64_t requests; /* 0: until <seconds> */
    int64_t keys;
    int64_t first_key; /* number of the first of them */
    int64_t value_size;
    int64_t ttl_s; /* 0: none */
    double zipf;   /* exponent, 0: uniform */
    const struct workload *workload;
    int64_t writes; /* percent */
    double share;   /* percent of connections on version 2; negative: 0 to 100 over the run */
    int64_t seed;
    bool is_fill;      /* write every key once before */
    bool is_only_fill; /* and nothing else */
    bool is_quiet;     /* no progress */
    int64_t pid;       /* of the server, 0: unknown */
    const char *json;  /* NULL: none */
};

enum options_outcome { OPTIONS_RUN, OPTIONS_EXIT, OPTIONS_WRONG };

/*
 * Read the command line. EXIT: help was asked for and printed; WRONG: what is wrong was printed
 * to standard error. Texts are borrowed from <argv>.
 */
enum options_outcome options_parse(int argc, char **argv, struct options *ret_options);

#endif
