/*
 * INFO: one function per section, in the order they are shown. Names of sections and fields are
 * Redis'; clients and exporters read them.
 */
#include "server/cmd/compression.h"
#include "server/cmd/handlers.h"
#include "server/cmd/memory_report.h"
#include "server/cmd/slowlog.h"
#include "server/cmd/statistics.h"
#include "server/core/version.h"
#include "server/schema/backfill.h"
#include "server/schema/background.h"
#include "server/schema/quarantine.h"
#include "server/schema/registry.h"
#include "server/store/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- helpers ---- */

static void
append_human(struct buffer *out, uint64_t bytes)
{
    static const char units[] = "KMGTP";
    if (bytes < 1024) {
        buffer_printf(out, "%lluB", (unsigned long long)bytes);
        return;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit < sizeof(units) - 2) {
        value /= 1024;
        unit++;
    }
    buffer_printf(out, "%.2f%c", value, units[unit]);
}

static void
append_number(struct buffer *out, const char *field, uint64_t value)
{
    buffer_printf(out, "%s:%llu\r\n", field, (unsigned long long)value);
}

static void
append_bytes(struct buffer *out, const char *field, uint64_t bytes)
{
    append_number(out, field, bytes);
    buffer_printf(out, "%s_human:", field);
    append_human(out, bytes);
    buffer_append_string(out, "\r\n");
}

/* How much larger <whole> is than <part>, as a ratio and in bytes. */
static void
append_ratio(struct buffer *out, const char *field, uint64_t whole, uint64_t part)
{
    buffer_printf(out, "%s_ratio:%.2f\r\n%s_bytes:%lld\r\n", field,
                  memory_report_ratio(whole, part), field, (long long)(whole - part));
}

static void
append_config(struct buffer *out, struct config *config, const char *field, enum config_id id)
{
    buffer_printf(out, "%s:", field);
    config_string(config, id, out);
    buffer_append_string(out, "\r\n");
}

static uint64_t
counter_of(const struct request *request, enum counter counter)
{
    return statistics_counter(request->server, counter);
}

/* ---- sections ---- */

static void
append_server(struct request *request, struct buffer *out)
{
    struct server *server = request->server;
    struct utsname name = {0};
    uname(&name);
    char executable[4096];
    ssize_t size = readlink("/proc/self/exe", executable, sizeof(executable));
    int64_t uptime_s = (request->now_ms - server->start_ms) / 1000;
    buffer_append_string(out, "redis_version:" SEGUE_REDIS_VERSION "\r\n"
                              "server_name:segue\r\n"
                              "segue_version:" SEGUE_VERSION "\r\n"
                              "redis_mode:standalone\r\n");
    buffer_printf(out, "os:%s %s %s\r\n", name.sysname, name.release, name.machine);
    buffer_printf(out, "arch_bits:%d\r\n", (int)sizeof(void *) * 8);
    buffer_append_string(out, "multiplexing_api:libuv\r\n"
                              "atomicvar_api:c11-builtin\r\n");
    append_number(out, "process_id", (uint64_t)getpid());
    buffer_append_string(out, "process_supervised:no\r\n");
    buffer_printf(out, "run_id:%s\r\n", server->run_id);
    append_config(out, server->config, "tcp_port", CONFIG_PORT);
    append_number(out, "server_time_usec", (uint64_t)request->now_ms * 1000);
    append_number(out, "uptime_in_seconds", (uint64_t)uptime_s);
    append_number(out, "uptime_in_days", (uint64_t)uptime_s / 86400);
    append_config(out, server->config, "hz", CONFIG_HZ);
    append_config(out, server->config, "configured_hz", CONFIG_HZ);
    buffer_printf(out, "executable:%.*s\r\n", size > 0 ? (int)size : 0, executable);
    buffer_printf(out, "config_file:%s\r\n", config_file(server->config));
    buffer_append_string(out, "io_threads_active:0\r\n");
}

static void
append_clients(struct request *request, struct buffer *out)
{
    append_number(out, "connected_clients", request->server->connection_count(request->server));
    buffer_append_string(out, "cluster_connections:0\r\n");
    append_config(out, request->server->config, "maxclients", CONFIG_MAXCLIENTS);
    buffer_append_string(out, "blocked_clients:0\r\n"
                              "tracking_clients:0\r\n"
                              "clients_in_timeout_table:0\r\n");
}

static void
append_memory(struct request *request, struct buffer *out)
{
    struct memory_report report;
    memory_report(request->server, &report);
    uint64_t total = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    append_bytes(out, "used_memory", report.used);
    append_bytes(out, "used_memory_rss", report.resident);
    append_bytes(out, "used_memory_peak", report.peak);
    buffer_printf(out, "used_memory_peak_perc:%.2f%%\r\n",
                  memory_report_ratio(report.used * 100, report.peak));
    append_number(out, "used_memory_overhead", report.used - report.keyspace);
    buffer_append_string(out, "used_memory_startup:0\r\n");
    append_number(out, "used_memory_dataset", report.keyspace);
    buffer_printf(out, "used_memory_dataset_perc:%.2f%%\r\n",
                  memory_report_ratio(report.keyspace * 100, report.used));
    append_number(out, "allocator_allocated", report.allocated);
    append_number(out, "allocator_active", report.active);
    append_number(out, "allocator_resident", report.held);
    append_bytes(out, "total_system_memory", total);
    append_bytes(out, "used_memory_lua", 0);
    buffer_append_string(out, "number_of_cached_scripts:0\r\n"
                              "number_of_functions:0\r\n");
    append_bytes(out, "maxmemory",
                 (uint64_t)config_number(request->server->config, CONFIG_MAXMEMORY));
    append_config(out, request->server->config, "maxmemory_policy", CONFIG_MAXMEMORY_POLICY);
    append_ratio(out, "allocator_frag", report.active, report.allocated);
    append_ratio(out, "allocator_rss", report.held, report.active);
    append_ratio(out, "rss_overhead", report.resident, report.held);
    append_ratio(out, "mem_fragmentation", report.resident, report.used);
    buffer_append_string(out, "mem_not_counted_for_evict:0\r\n"
                              "mem_clients_slaves:0\r\n"
                              "mem_clients_normal:0\r\n"
                              "mem_aof_buffer:0\r\n");
    buffer_printf(out, "mem_allocator:%s\r\n", memory_allocator_name());
    append_number(out, "active_defrag_running", report.is_compacting);
    buffer_append_string(out, "lazyfree_pending_objects:0\r\n"
                              "lazyfreed_objects:0\r\n");
}

static void
append_persistence(struct request *request, struct buffer *out)
{
    (void)request;
    buffer_append_string(out, "loading:0\r\n"
                              "async_loading:0\r\n"
                              "rdb_changes_since_last_save:0\r\n"
                              "rdb_bgsave_in_progress:0\r\n"
                              "rdb_last_save_time:0\r\n"
                              "rdb_last_bgsave_status:ok\r\n"
                              "rdb_last_bgsave_time_sec:-1\r\n"
                              "rdb_current_bgsave_time_sec:-1\r\n"
                              "aof_enabled:0\r\n"
                              "aof_rewrite_in_progress:0\r\n"
                              "aof_rewrite_scheduled:0\r\n"
                              "aof_last_rewrite_time_sec:-1\r\n"
                              "aof_current_rewrite_time_sec:-1\r\n"
                              "aof_last_bgrewrite_status:ok\r\n"
                              "aof_last_write_status:ok\r\n");
}

/*
 * Rates since an earlier INFO, at least a second ago: nobody samples between calls, and those
 * who want rates ask regularly.
 */
struct sample {
    int64_t time_ms;
    uint64_t commands;
    uint64_t input;
    uint64_t output;
};

struct rates {
    double commands;
    double input_kib;
    double output_kib;
};

static double
rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0; /* less: reset meanwhile */
}

static struct rates
take_rates(const struct sample *now)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static struct sample before;
    static struct rates rates;
    pthread_mutex_lock(&mutex);
    int64_t elapsed_ms = now->time_ms - before.time_ms;
    if (elapsed_ms >= 1000) {
        double seconds = (double)elapsed_ms / 1000;
        if (before.time_ms != 0) {
            rates.commands = rate(now->commands, before.commands, seconds);
            rates.input_kib = rate(now->input, before.input, seconds) / 1024;
            rates.output_kib = rate(now->output, before.output, seconds) / 1024;
        }
        before = *now;
    }
    struct rates result = rates;
    pthread_mutex_unlock(&mutex);
    return result;
}

static void
append_stats(struct request *request, struct buffer *out)
{
    struct keyspace_stats stats;
    statistics_keyspace(request->server, &stats);
    struct sample sample = {
        .time_ms = request->now_ms,
        .commands = counter_of(request, COUNTER_COMMANDS_PROCESSED),
        .input = counter_of(request, COUNTER_NET_INPUT_BYTES),
        .output = counter_of(request, COUNTER_NET_OUTPUT_BYTES),
    };
    struct rates rates = take_rates(&sample);
    append_number(out, "total_connections_received",
                  counter_of(request, COUNTER_CONNECTIONS_RECEIVED));
    append_number(out, "total_commands_processed", sample.commands);
    buffer_printf(out, "instantaneous_ops_per_sec:%.0f\r\n", rates.commands);
    append_number(out, "total_net_input_bytes", sample.input);
    append_number(out, "total_net_output_bytes", sample.output);
    buffer_printf(out, "instantaneous_input_kbps:%.2f\r\n", rates.input_kib);
    buffer_printf(out, "instantaneous_output_kbps:%.2f\r\n", rates.output_kib);
    append_number(out, "rejected_connections",
                  counter_of(request, COUNTER_REJECTED_CONNECTIONS));
    buffer_append_string(out, "sync_full:0\r\n"
                              "sync_partial_ok:0\r\n"
                              "sync_partial_err:0\r\n");
    append_number(out, "expired_keys", stats.expired);
    append_number(out, "evicted_keys", stats.evicted);
    buffer_append_string(out, "evicted_clients:0\r\n");
    append_number(out, "keyspace_hits", stats.hits);
    append_number(out, "keyspace_misses", stats.misses);
    buffer_append_string(out, "pubsub_channels:0\r\n"
                              "pubsub_patterns:0\r\n"
                              "latest_fork_usec:0\r\n"
                              "total_forks:0\r\n"
                              "migrate_cached_sockets:0\r\n"
                              "unexpected_error_replies:0\r\n");
    append_number(out, "total_error_replies", counter_of(request, COUNTER_ERROR_REPLIES));
    append_number(out, "total_reads_processed", counter_of(request, COUNTER_READS_PROCESSED));
    append_number(out, "total_writes_processed", counter_of(request, COUNTER_WRITES_PROCESSED));
    append_number(out, "client_query_buffer_limit_disconnections",
                  counter_of(request, COUNTER_QUERY_LIMIT_DISCONNECTIONS));
    append_number(out, "client_output_buffer_limit_disconnections",
                  counter_of(request, COUNTER_OUTPUT_LIMIT_DISCONNECTIONS));
    append_number(out, "slowlog_len", slowlog_count(request->server->slowlog));
}

static void
append_replication(struct request *request, struct buffer *out)
{
    buffer_append_string(out, "role:master\r\n"
                              "connected_slaves:0\r\n"
                              "master_failover_state:no-failover\r\n");
    buffer_printf(out, "master_replid:%s\r\n", request->server->run_id);
    buffer_append_string(out, "master_replid2:0000000000000000000000000000000000000000\r\n"
                              "master_repl_offset:0\r\n"
                              "second_repl_offset:-1\r\n"
                              "repl_backlog_active:0\r\n"
                              "repl_backlog_size:1048576\r\n"
                              "repl_backlog_first_byte_offset:0\r\n"
                              "repl_backlog_histlen:0\r\n");
}

static void
append_time(struct buffer *out, const char *field, const struct timeval *time)
{
    buffer_printf(out, "%s:%lld.%06lld\r\n", field, (long long)time->tv_sec,
                  (long long)time->tv_usec);
}

static void
append_cpu(struct request *request, struct buffer *out)
{
    (void)request;
    struct rusage own = {0};
    struct rusage children = {0};
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    append_time(out, "used_cpu_sys", &own.ru_stime);
    append_time(out, "used_cpu_user", &own.ru_utime);
    append_time(out, "used_cpu_sys_children", &children.ru_stime);
    append_time(out, "used_cpu_user_children", &children.ru_utime);
}

static void
append_modules(struct request *request, struct buffer *out)
{
    (void)request;
    (void)out;
}

static void
append_command_stats(struct request *request, struct buffer *out)
{
    for (size_t i = 0; i < command_count(); i++) {
        struct statistics_command use = statistics_command(request->server, i);
        if (use.calls == 0) {
            continue;
        }
        buffer_append_string(out, "cmdstat_");
        for (const char *at = command_at(i)->name; *at != '\0'; at++) {
            buffer_append_char(out, *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at);
        }
        uint64_t us = ticks_to_us(use.ticks);
        buffer_printf(out,
                      ":calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=0,"
                      "failed_calls=0\r\n",
                      (unsigned long long)use.calls, (unsigned long long)us,
                      (double)us / (double)use.calls);
    }
}

static void
append_cluster(struct request *request, struct buffer *out)
{
    (void)request;
    buffer_append_string(out, "cluster_enabled:0\r\n");
}

/* Prefixed: many clients put all fields of all sections into one table. */
/* Of one kind of jobs in the background. */
struct jobs {
    const char *kind;
    uint64_t count;
    uint64_t seen; /* records by those that run */
};

static void
count_job(void *context, const struct background_job *job)
{
    struct jobs *jobs = context;
    if (strcmp(job->kind, jobs->kind) == 0) {
        jobs->count++;
        jobs->seen += atomic_load_explicit(&job->seen, memory_order_relaxed);
    }
}

static void
append_segue(struct request *request, struct buffer *out)
{
    struct quarantine_stats quarantine;
    quarantine_stats(request->server->quarantine, &quarantine);
    append_number(out, "segue_workers", request->server->worker_count);
    append_number(out, "segue_schemas", registry_schema_count(request->registry));
    append_number(out, "segue_registry_epoch", registry_epoch(request->registry));
    static const enum counter counters[] = {COUNTER_TRANSLATIONS, COUNTER_TRANSLATION_FAILURES,
                                            COUNTER_TRANSLATION_RETRIES,
                                            COUNTER_TRANSLATION_MEMO_HITS};
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        append_number(out, counter_name(counters[i]), counter_of(request, counters[i]));
    }
    append_number(out, "segue_translation_memo_bytes",
                  atomic_load_explicit(&request->server->memo_bytes, memory_order_relaxed));
    append_number(out, "segue_quarantine_records", quarantine.records);
    append_number(out, "segue_quarantine_bytes", quarantine.size);
    append_number(out, "segue_quarantine_dropped", quarantine.dropped);
    append_config(out, request->server->config, "segue_quarantine_max_bytes",
                  CONFIG_QUARANTINE_MAX_BYTES);
    struct jobs jobs = {.kind = "try"};
    background_each(request->server->background, count_job, &jobs);
    append_number(out, "segue_dry_runs", jobs.count);
    append_number(out, "segue_dry_run_records", jobs.seen);
    uint64_t backfills;
    uint64_t rewritten;
    backfill_sums(request->server->backfill, &backfills, &rewritten);
    append_number(out, "segue_backfills", backfills);
    append_number(out, "segue_backfill_records", rewritten);
    append_number(out, "segue_longest_lock_hold_us",
                  statistics_longest_hold_us(request->server));
    append_number(out, "segue_longest_turn_us", statistics_longest_turn_us(request->server));
    append_number(out, "segue_protocol_errors", counter_of(request, COUNTER_PROTOCOL_ERRORS));
}

/* Of one group of keys, as Redis shows a database. */
static void
append_group(struct request *request, struct buffer *out, size_t index, const char *kind,
             const struct packing_group *group)
{
    struct repack_stats stats;
    repack_stats(compression_repack(request->server->compression), group, &stats);
    buffer_printf(out, "compression%zu:%s=", index, kind);
    buffer_append_slice(out, group->name);
    buffer_printf(out,
                  ",algorithm=%s,dictionary=%u,dictionary_bytes=%llu,dictionaries=%u,"
                  "records=%llu,raw_bytes=%llu,stored_bytes=%llu,ratio=%.3f\r\n",
                  pack_algorithm_name(group->algorithm), stats.dictionary,
                  (unsigned long long)stats.dictionary_size, stats.dictionaries,
                  (unsigned long long)stats.entries, (unsigned long long)stats.raw_size,
                  (unsigned long long)stats.packed_size,
                  stats.raw_size == 0 ? 1.0
                                      : (double)stats.packed_size / (double)stats.raw_size);
}

static void
append_compression(struct request *request, struct buffer *out)
{
    const struct packing_rules *rules = compression_rules(request->server->compression);
    append_number(out, "compression_dictionaries_bytes",
                  dictionaries_memory(keyspace_dictionaries(request->server->keyspace)));
    size_t index = 0;
    for (size_t i = 0; i < registry_schema_count(request->registry); i++) {
        struct packing_group group;
        if (packing_of_schema(registry_schema_at(request->registry, i), &group)) {
            append_group(request, out, index++, "schema", &group);
        }
    }
    for (size_t i = 0; i < packing_rules_count(rules); i++) {
        append_group(request, out, index++, "keys", packing_rules_at(rules, i));
    }
}

static void
append_keyspace(struct request *request, struct buffer *out)
{
    struct keyspace *keyspace = request->server->keyspace;
    uint32_t count = (uint32_t)config_number(request->server->config, CONFIG_DATABASES);
    for (uint32_t db = 0; db < count; db++) {
        uint64_t keys = keyspace_size(keyspace, db);
        if (keys > 0) {
            buffer_printf(out, "db%u:keys=%llu,expires=%llu,avg_ttl=%lld\r\n", db,
                          (unsigned long long)keys,
                          (unsigned long long)keyspace_expiring_count(keyspace, db),
                          (long long)keyspace_average_ttl_ms(keyspace, db, request->now_ms));
        }
    }
}

/* ---- which of them ---- */

static const struct {
    const char *name;
    const char *title;
    void (*append)(struct request *request, struct buffer *out);
    bool is_default;
} sections[] = {
    {"server", "Server", append_server, true},
    {"clients", "Clients", append_clients, true},
    {"memory", "Memory", append_memory, true},
    {"persistence", "Persistence", append_persistence, true},
    {"stats", "Stats", append_stats, true},
    {"replication", "Replication", append_replication, true},
    {"cpu", "CPU", append_cpu, true},
    {"modules", "Modules", append_modules, true},
    {"commandstats", "Commandstats", append_command_stats, false},
    {"cluster", "Cluster", append_cluster, true},
    {"segue", "Segue", append_segue, true},
    {"compression", "Compression", append_compression, true},
    {"keyspace", "Keyspace", append_keyspace, true},
};
enum { SECTION_COUNT = sizeof(sections) / sizeof(*sections) };

static bool
is_asked_for(const struct request *request, size_t index)
{
    for (size_t i = 1; i < request->argc; i++) {
        struct slice name = request->argv[i];
        if (slice_equal_nocase(name, SLICE_OF("all")) ||
            slice_equal_nocase(name, SLICE_OF("everything")) ||
            (sections[index].is_default && slice_equal_nocase(name, SLICE_OF("default"))) ||
            slice_equal_nocase(name, slice_from_string(sections[index].name))) {
            return true;
        }
    }
    return request->argc == 1 && sections[index].is_default;
}

void
cmd_info(struct request *request)
{
    struct buffer out;
    buffer_init(&out, 0);
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        if (is_asked_for(request, i)) {
            buffer_printf(&out, "%s# %s\r\n", out.size > 0 ? "\r\n" : "", sections[i].title);
            sections[i].append(request, &out);
        }
    }
    if (out.failed) {
        reply_out_of_memory(request->reply);
    } else {
        reply_verbatim(request->reply, buffer_slice(&out));
    }
    buffer_fini(&out);
}
