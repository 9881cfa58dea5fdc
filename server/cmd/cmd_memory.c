#include "server/cmd/handlers.h"
#include "server/cmd/memory_report.h"
#include "server/cmd/reply.h"
#include "server/store/memory.h"

enum {
    DOCTOR_LITTLE = 5 * 1024 * 1024, /* too little to say something about it */
    DOCTOR_PEAK_PERCENT = 150,
    DOCTOR_RESIDENT_PERCENT = 140,
    DOCTOR_RESIDENT_MORE = 32 * 1024 * 1024, /* the process itself, and connections */
};

static bool
is_beyond(uint64_t value, uint64_t percent, uint64_t of)
{
    return value / percent > of / 100;
}

void
cmd_memory_doctor(struct request *request)
{
    struct memory_report report;
    memory_report(request->server, &report);
    struct buffer out;
    buffer_init(&out, 0);
    if (report.used < DOCTOR_LITTLE) {
        buffer_append_string(&out, "Next to nothing is stored: there is nothing to examine.\n");
    } else {
        if (is_beyond(report.peak, DOCTOR_PEAK_PERCENT, report.used)) {
            buffer_append_string(
                &out, "Peak: much more was stored before than is now (used_memory_peak). Its "
                      "memory goes back to the system within seconds.\n");
        }
        if (report.resident > report.used + DOCTOR_RESIDENT_MORE &&
            is_beyond(report.resident, DOCTOR_RESIDENT_PERCENT, report.used)) {
            buffer_append_string(
                &out, "Resident: the process holds much more than what is stored "
                      "(mem_fragmentation_ratio). Holes are closed in the background; buffers "
                      "of many connections, or of large values, are not counted as stored.\n");
        }
        if (out.size == 0) {
            buffer_append_string(&out, "Nothing to report. INFO memory shows what is used.\n");
        }
    }
    if (out.failed) {
        reply_out_of_memory(request->reply);
    } else {
        reply_verbatim(request->reply, buffer_slice(&out));
    }
    buffer_fini(&out);
}

void
cmd_memory_malloc_stats(struct request *request)
{
    struct memory_stats stats;
    memory_stats(&stats);
    struct buffer out;
    buffer_init(&out, 0);
    buffer_printf(&out,
                  "%s\n"
                  "allocated, by size classes:  %zu bytes\n"
                  "held for that:               %zu bytes\n"
                  "free, soon given back:       %zu bytes\n"
                  "in blocks beyond 16 KB:      %zu bytes\n",
                  memory_allocator_name(), stats.used, stats.touched, stats.free, stats.large);
    if (out.failed) {
        reply_out_of_memory(request->reply);
    } else {
        reply_verbatim(request->reply, buffer_slice(&out));
    }
    buffer_fini(&out);
}

void
cmd_memory_purge(struct request *request)
{
    memory_purge();
    reply_ok(request->reply);
}

void
cmd_memory_stats(struct request *request)
{
    struct memory_report report;
    memory_report(request->server, &report);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"peak.allocated", report.peak},
        {"total.allocated", report.used},
        {"startup.allocated", 0},
        {"replication.backlog", 0},
        {"clients.slaves", 0},
        {"aof.buffer", 0},
        {"keys.count", report.keys},
        {"keys.bytes-per-key", report.keys > 0 ? report.keyspace / report.keys : 0},
        {"dataset.bytes", report.keyspace},
        {"allocator.allocated", report.allocated},
        {"allocator.active", report.active},
        {"allocator.resident", report.held},
        {"allocator-fragmentation.bytes", report.active - report.allocated},
        {"allocator-rss.bytes", report.held - report.active},
    };
    const struct {
        const char *name;
        double value;
    } ratios[] = {
        {"peak.percentage", memory_report_ratio(report.used * 100, report.peak)},
        {"dataset.percentage", memory_report_ratio(report.keyspace * 100, report.used)},
        {"allocator-fragmentation.ratio", memory_report_ratio(report.active, report.allocated)},
        {"allocator-rss.ratio", memory_report_ratio(report.held, report.active)},
        {"fragmentation", memory_report_ratio(report.resident, report.used)},
    };
    enum {
        NUMBER_COUNT = sizeof(numbers) / sizeof(*numbers),
        RATIO_COUNT = sizeof(ratios) / sizeof(*ratios),
    };
    reply_map(request->reply, NUMBER_COUNT + RATIO_COUNT + 1);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        reply_string(request->reply, numbers[i].name);
        reply_integer(request->reply, (int64_t)numbers[i].value);
    }
    for (size_t i = 0; i < RATIO_COUNT; i++) {
        reply_string(request->reply, ratios[i].name);
        reply_double(request->reply, ratios[i].value);
    }
    reply_string(request->reply, "fragmentation.bytes");
    reply_integer(request->reply, (int64_t)(report.resident - report.used));
}
