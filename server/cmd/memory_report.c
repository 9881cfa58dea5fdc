#include "server/cmd/memory_report.h"

#include "server/cmd/statistics.h"
#include "server/schema/quarantine.h"
#include "server/store/memory.h"

#include <stdio.h>
#include <unistd.h>

static uint64_t
resident_size(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &total, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
key_count(struct server *server)
{
    uint64_t keys = 0;
    uint32_t db_count = (uint32_t)config_number(server->config, CONFIG_DATABASES);
    for (uint32_t db = 0; db < db_count; db++) {
        keys += keyspace_size(server->keyspace, db);
    }
    return keys;
}

void
memory_report(struct server *server, struct memory_report *ret_report)
{
    static _Atomic uint64_t peak;
    struct keyspace_stats keyspace;
    struct memory_stats memory;
    statistics_keyspace(server, &keyspace);
    memory_stats(&memory);
    struct memory_report report = {
        .used = keyspace.memory_size + quarantine_size(server->quarantine) +
                atomic_load_explicit(&server->memo_bytes, memory_order_relaxed),
        .peak = atomic_load_explicit(&peak, memory_order_relaxed),
        .keyspace = keyspace.memory_size,
        .resident = resident_size(),
        .allocated = memory.used + memory.large,
        .active = memory.touched + memory.large,
        .held = memory.touched + memory.large + memory.free,
        .keys = key_count(server),
        .is_compacting = atomic_load_explicit(&server->is_compacting, memory_order_relaxed),
    };
    while (report.used > report.peak &&
           !atomic_compare_exchange_weak(&peak, &report.peak, report.used))
        ;
    if (report.used > report.peak) {
        report.peak = report.used;
    }
    *ret_report = report;
}

double
memory_report_ratio(uint64_t whole, uint64_t part)
{
    return part > 0 ? (double)whole / (double)part : 0.0;
}
