#include "bench/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_KEYS = 500000, OPTIONS_VALUE_SIZE = 512 };

enum option_type { TEXT, INTEGER, REAL, FLAG, PROTOCOL, WORKLOAD };

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
    double minimum;
    double maximum;
    const char *argument;
    const char *help;
};

#define AT(field) offsetof(struct options, field)

static const struct option table[] = {
    {"host", TEXT, AT(host), 0, 0, "ADDRESS", "numeric address, 127.0.0.1"},
    {"port", INTEGER, AT(port), 1, 65535, "N", "6379"},
    {"socket", TEXT, AT(socket), 0, 0, "PATH", "Unix socket, in place of host and port"},
    {"user", TEXT, AT(user), 0, 0, "NAME", "of AUTH"},
    {"password", TEXT, AT(password), 0, 0, "TEXT", "AUTH with it"},
    {"protocol", PROTOCOL, AT(protocol), 0, 0, "NAME", "resp2 (default), resp3, memcached"},
    {"workload", WORKLOAD, AT(workload), 0, 0, "NAME", "what to send, see below; mixed"},
    {"threads", INTEGER, AT(threads), 1, 256, "N", "of the load generator, 1"},
    {"connections", INTEGER, AT(connections), 1, 1000000, "N", "in all threads together, 50"},
    {"pipeline", INTEGER, AT(pipeline), 1, 4096, "N", "requests in flight per connection, 1"},
    {"rate", REAL, AT(rate), 0, 1e9, "N",
     "requests per second on a fixed schedule (open loop); 0: as fast as replies come"},
    {"seconds", REAL, AT(seconds), 0, 1e6, "S", "to run, 10 unless --requests"},
    {"requests", INTEGER, AT(requests), 0, 1e15, "N", "to send"},
    {"keys", INTEGER, AT(keys), 1, 1e11, "N", "500000, or what the workload says"},
    {"first-key", INTEGER, AT(first_key), 0, 1e11, "N", "their numbers begin here, 0"},
    {"value-size", INTEGER, AT(value_size), 1, 536870912, "BYTES", "512, or the workload's"},
    {"ttl", INTEGER, AT(ttl_s), 0, 2e9, "S", "seconds to live of what is written, 3600; 0: no"},
    {"zipf", REAL, AT(zipf), 0, 10, "S", "keys by Zipf's law with this exponent; 0: uniform"},
    {"writes", INTEGER, AT(writes), 0, 100, "PERCENT", "of reads that a write follows"},
    {"share", REAL, AT(share), -1, 100, "PERCENT",
     "connections on version 2; -1: from 0 to 100 over the run"},
    {"seed", INTEGER, AT(seed), 0, 1e15, "N", "same seed, same requests; 1"},
    {"fill", FLAG, AT(is_fill), 0, 0, NULL, "write every key once before"},
    {"only-fill", FLAG, AT(is_only_fill), 0, 0, NULL, "write every key once, nothing else"},
    {"pid", INTEGER, AT(pid), 0, 4194304, "N", "the server's process: CPU per request, memory"},
    {"json", TEXT, AT(json), 0, 0, "FILE", "write the results there, - for standard output"},
    {"quiet", FLAG, AT(is_quiet), 0, 0, NULL, "no progress"},
};
enum { OPTION_COUNT = sizeof(table) / sizeof(*table) };

static const char *const protocol_names[] = {"resp2", "resp3", "memcached"};

static void
print_help(void)
{
    (void)printf("usage: segue-bench [--option value ...]\n\n"
                 "Load on a server that speaks RESP or memcached's text protocol.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[40];
        (void)snprintf(left, sizeof(left), "--%s %s", table[i].name,
                       table[i].argument == NULL ? "" : table[i].argument);
        (void)printf("  %-22s %s\n", left, table[i].help);
    }
    (void)printf("\nworkloads:\n");
    for (const struct workload *workload = workload_at(0); workload->name != NULL; workload++) {
        (void)printf("  %-22s %s\n", workload->name, workload->help);
    }
    (void)printf(
        "\nOpen loop: a request's latency counts from the moment it was due, so waiting\n"
        "behind a slow one is counted. Closed loop: from when its batch was sent.\n");
}

static bool
parse_number(const struct option *option, const char *text, double *ret_number)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(number >= option->minimum) ||
        number > option->maximum) {
        return false;
    }
    if (option->type == INTEGER && number != (double)(int64_t)number) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool
set_option(struct options *options, const struct option *option, const char *text)
{
    void *field = (char *)options + option->offset;
    double number;
    switch (option->type) {
    case TEXT:
        *(const char **)field = text;
        return true;
    case FLAG:
        *(bool *)field = true;
        return true;
    case INTEGER:
        if (!parse_number(option, text, &number)) {
            return false;
        }
        *(int64_t *)field = (int64_t)number;
        return true;
    case REAL:
        if (!parse_number(option, text, &number)) {
            return false;
        }
        *(double *)field = number;
        return true;
    case PROTOCOL:
        for (unsigned i = 0; i < sizeof(protocol_names) / sizeof(*protocol_names); i++) {
            if (strcmp(text, protocol_names[i]) == 0) {
                *(enum protocol *)field = (enum protocol)i;
                return true;
            }
        }
        return false;
    case WORKLOAD:
        *(const struct workload **)field = workload_find(text);
        return *(const struct workload **)field != NULL;
    }
    return false;
}

/* What was not said depends on the workload. */
static bool
complete(struct options *options)
{
    const struct workload *workload = options->workload;
    if (options->keys == 0) {
        options->keys = workload->keys > 0 ? workload->keys : OPTIONS_KEYS;
    }
    if (options->value_size == 0) {
        options->value_size =
            workload->value_size > 0 ? workload->value_size : OPTIONS_VALUE_SIZE;
    }
    options->writes = options->writes < 0 ? workload->writes : options->writes;
    if (options->share < -1) {
        options->share = workload->share;
    }
    if (options->seconds <= 0 && options->requests == 0) {
        options->seconds = 10;
    }
    if (options->threads > options->connections) {
        options->threads = options->connections;
    }
    if (options->protocol == PROTOCOL_MEMCACHED &&
        (workload->has_versions || workload->is_hash)) {
        (void)fprintf(stderr, "segue-bench: memcached knows no workload %s\n", workload->name);
        return false;
    }
    if (options->is_only_fill) {
        options->is_fill = true;
    }
    return true;
}

enum options_outcome
options_parse(int argc, char **argv, struct options *ret_options)
{
    *ret_options = (struct options){
        .host = "127.0.0.1",
        .port = 6379,
        .threads = 1,
        .connections = 50,
        .pipeline = 1,
        .ttl_s = 3600,
        .workload = workload_find("mixed"),
        .writes = -1,
        .share = -2,
        .seed = 1,
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return OPTIONS_EXIT;
        }
        const struct option *option = NULL;
        for (size_t j = 0; strncmp(argv[i], "--", 2) == 0 && j < OPTION_COUNT; j++) {
            option = strcmp(argv[i] + 2, table[j].name) == 0 ? &table[j] : option;
        }
        if (option == NULL) {
            (void)fprintf(stderr, "segue-bench: no option is called %s; see --help\n", argv[i]);
            return OPTIONS_WRONG;
        }
        bool is_flag = option->type == FLAG;
        if (!is_flag && i + 1 == argc) {
            (void)fprintf(stderr, "segue-bench: %s needs a value\n", argv[i]);
            return OPTIONS_WRONG;
        }
        const char *text = is_flag ? NULL : argv[++i];
        if (!set_option(ret_options, option, text)) {
            (void)fprintf(stderr, "segue-bench: --%s cannot be %s; see --help\n", option->name,
                          text);
            return OPTIONS_WRONG;
        }
    }
    return complete(ret_options) ? OPTIONS_RUN : OPTIONS_WRONG;
}
