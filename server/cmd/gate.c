#include "server/cmd/gate.h"

#include "server/schema/sweep.h"
#include "server/schema/usage.h"

#include <unistd.h>

enum {
    SCAN_SIZE = 1024, /* entries between two rests of a scan */
    SCAN_REST_US = 500,
};

static int64_t
ago(int64_t time_ms, int64_t now_ms)
{
    if (time_ms == 0) {
        return -1;
    }
    return now_ms > time_ms ? now_ms - time_ms : 0;
}

void
gate_look(struct server *server, const struct registry_schema *schema, unsigned version,
          int64_t now_ms, struct gate *ret_gate)
{
    struct gate gate = {.version = version};
    struct usage_sum sum;
    int64_t quiet_ms = config_number(server->config, CONFIG_RETIRE_QUIET_PERIOD) * 1000;
    usage_sum(schema->usage, version, &sum);
    gate.is_default = lens_schema_default_version(schema->lens) == version;
    gate.connections = sum.connections > 0 ? sum.connections : 0;
    gate.read_ago_ms = ago(sum.read_ms, now_ms);
    gate.write_ago_ms = ago(sum.write_ms, now_ms);
    gate.is_quiet = (gate.read_ago_ms < 0 || gate.read_ago_ms >= quiet_ms) &&
                    (gate.write_ago_ms < 0 || gate.write_ago_ms >= quiet_ms);
    struct sweep_stats sweep;
    sweep_stats(server->sweep, &sweep);
    gate.is_counted = version != schema->base_version || !sweep.is_running;
    keyspace_census(server->keyspace, schema->id, version, &gate.records, &gate.complements);
    gate.has_backfill = backfill_report(server->backfill, schema->id, &gate.backfill) &&
                        gate.backfill.end_ms == 0 && gate.backfill.version != version;
    *ret_gate = gate;
}

struct scan {
    struct gate *gate;
    uint32_t schema_id;
    int64_t now_ms;
};

static void
on_entry(void *context, const struct entry *entry)
{
    struct scan *scan = context;
    struct value value;
    entry_value(entry, &value);
    if (value.schema != scan->schema_id || value.version != scan->gate->version) {
        return;
    }
    int64_t expiry_ms = entry_expiry_ms(entry);
    if (expiry_ms == KEYSPACE_EXPIRY_NONE) {
        scan->gate->lasting_records++;
    } else if (expiry_ms - scan->now_ms > scan->gate->ttl_ms_max) {
        scan->gate->ttl_ms_max = expiry_ms - scan->now_ms;
    }
}

void
gate_scan(struct server *server, const struct registry_schema *schema, int64_t now_ms,
          struct gate *gate)
{
    struct scan scan = {.gate = gate, .schema_id = schema->id, .now_ms = now_ms};
    int64_t databases = config_number(server->config, CONFIG_DATABASES);
    for (uint32_t db = 0; db < (uint32_t)databases; db++) {
        uint64_t cursor = 0;
        if (keyspace_size(server->keyspace, db) == 0) {
            continue;
        }
        do {
            cursor = keyspace_scan(server->keyspace, db, cursor, SCAN_SIZE, now_ms, false,
                                   on_entry, &scan);
            (void)usleep(SCAN_REST_US);
        } while (cursor != 0 && !atomic_load(&server->is_stopping));
    }
    gate->is_scanned = true;
}

bool
gate_is_open(const struct gate *gate)
{
    return !gate->is_default && gate->connections == 0 && gate->is_quiet &&
           gate->records == 0 && gate->is_counted;
}

static void
begin(struct buffer *text)
{
    buffer_append_string(text, text->size > 0 ? "; " : "");
}

static void
describe_age(struct buffer *text, const char *what, int64_t ago_ms)
{
    if (ago_ms >= 0) {
        begin(text);
        buffer_printf(text, "the last %s was %lld s ago", what, (long long)(ago_ms / 1000));
    }
}

static void
describe_records(const struct gate *gate, struct buffer *text)
{
    begin(text);
    buffer_printf(text, "%llu records are of it", (unsigned long long)gate->records);
    if (gate->complements > 0) {
        buffer_printf(text, " (%llu with data hidden beside them)",
                      (unsigned long long)gate->complements);
    }
    if (gate->is_scanned && gate->lasting_records > 0) {
        buffer_printf(text, ", %llu of them without expiry",
                      (unsigned long long)gate->lasting_records);
    }
    if (gate->is_scanned && gate->ttl_ms_max > 0) {
        buffer_printf(text, ", the longest time to live is %lld s",
                      (long long)(gate->ttl_ms_max / 1000));
    }
    if (gate->has_backfill) {
        buffer_append_string(text, "; the backfill is ");
        buffer_append_string(text, backfill_state_name(gate->backfill.state));
        if (gate->backfill.left_ms >= 0) {
            buffer_printf(text, ", with about %lld s left",
                          (long long)((gate->backfill.left_ms + 999) / 1000));
        }
    }
}

void
gate_describe(const struct gate *gate, struct buffer *ret_text)
{
    if (gate->is_default) {
        begin(ret_text);
        buffer_append_string(ret_text, "it is the default version");
    }
    if (gate->connections > 0) {
        begin(ret_text);
        buffer_printf(ret_text, "%lld connections speak it", (long long)gate->connections);
    }
    if (!gate->is_quiet) {
        describe_age(ret_text, "read", gate->read_ago_ms);
        describe_age(ret_text, "write", gate->write_ago_ms);
    }
    if (gate->records > 0) {
        describe_records(gate, ret_text);
    }
    if (!gate->is_counted) {
        begin(ret_text);
        buffer_append_string(ret_text,
                             "the sweep after a change of schemas has not counted all yet");
    }
}
