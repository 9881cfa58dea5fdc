#include "bench/report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { DESCRIPTORS_RESERVED = 64 };

static bool
raise_descriptor_limit(const struct options *options)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)options->connections + DESCRIPTORS_RESERVED;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
        return true;
    }
    limit.rlim_cur = need;
    limit.rlim_max = limit.rlim_max < need ? need : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        (void)fprintf(stderr, "segue-bench: %lld connections need %llu open files: %s\n",
                      (long long)options->connections, (unsigned long long)need,
                      strerror(errno));
        return false;
    }
    return true;
}

static bool
write_json(const struct options *options, const struct run_result *result)
{
    if (strcmp(options->json, "-") == 0) {
        report_json(options, result, stdout);
        return true;
    }
    FILE *file = fopen(options->json, "w");
    if (file == NULL) {
        (void)fprintf(stderr, "segue-bench: %s: %s\n", options->json, strerror(errno));
        return false;
    }
    report_json(options, result, file);
    return fclose(file) == 0;
}

/* One run and its report; false when it did not come about or connections were lost. */
static bool
run_and_report(const struct options *options, bool is_filling)
{
    struct run_result result;
    bool is_done = run_load(options, is_filling, &result);
    bool is_last = !is_filling || options->is_only_fill;
    if (!is_done) {
        (void)fprintf(stderr, "segue-bench: %s\n",
                      result.error[0] == '\0' ? "interrupted" : result.error);
    } else if (is_last) {
        if (options->json == NULL || strcmp(options->json, "-") != 0) {
            report_table(options, &result, stdout);
        }
        is_done = options->json == NULL || write_json(options, &result);
    } else if (result.errors > 0) {
        (void)fprintf(stderr, "segue-bench: filling: %llu errors; the first: %s\n",
                      (unsigned long long)result.errors, result.error);
    }
    is_done = is_done && result.lost == 0 && (is_last || !result.is_interrupted);
    run_result_fini(&result);
    return is_done;
}

int
main(int argc, char **argv)
{
    struct options options;
    switch (options_parse(argc, argv, &options)) {
    case OPTIONS_EXIT:
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        return 2;
    case OPTIONS_RUN:
        break;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    if (!raise_descriptor_limit(&options)) {
        return EXIT_FAILURE;
    }
    if (options.is_fill && !run_and_report(&options, true)) {
        return EXIT_FAILURE;
    }
    if (options.is_only_fill) {
        return EXIT_SUCCESS;
    }
    return run_and_report(&options, false) ? EXIT_SUCCESS : EXIT_FAILURE;
}
