#include "server/cmd/statistics.h"

enum {
    ROW_COUNT = 0
#define CMD(...) +1
#include "server/cmd/commands.def"
#undef CMD
};

/* What the last reset found. */
static _Atomic uint64_t counters_noted[COUNTER_COUNT];
static _Atomic uint64_t calls_noted[ROW_COUNT];

static uint64_t
sum_counter(const struct server *server, enum counter counter)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= server->worker_count; i++) {
        sum += atomic_load_explicit(&server->counters[i].values[counter], memory_order_relaxed);
    }
    return sum;
}

static uint64_t
sum_calls(const struct server *server, size_t index)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < server->worker_count; i++) {
        sum += atomic_load_explicit(&server->command_calls[i * ROW_COUNT + index],
                                    memory_order_relaxed);
    }
    return sum;
}

uint64_t
statistics_counter(const struct server *server, enum counter counter)
{
    return sum_counter(server, counter) -
           atomic_load_explicit(&counters_noted[counter], memory_order_relaxed);
}

uint64_t
statistics_calls(const struct server *server, size_t index)
{
    return sum_calls(server, index) -
           atomic_load_explicit(&calls_noted[index], memory_order_relaxed);
}

void
statistics_reset(struct server *server)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        atomic_store_explicit(&counters_noted[i], sum_counter(server, (enum counter)i),
                              memory_order_relaxed);
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        atomic_store_explicit(&calls_noted[i], sum_calls(server, i), memory_order_relaxed);
    }
    keyspace_reset_stats(server->keyspace);
}
