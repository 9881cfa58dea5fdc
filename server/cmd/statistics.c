#include "server/cmd/statistics.h"

#include "server/core/ticks.h"

enum {
    ROW_COUNT = 0
#define CMD(...) +1
#include "server/cmd/commands.def"
#undef CMD
};

/* What the last reset found. */
static _Atomic uint64_t counters_noted[COUNTER_COUNT];
static struct command_use uses_noted[ROW_COUNT];

static _Atomic uint64_t expired_noted;
static _Atomic uint64_t evicted_noted;
static _Atomic uint64_t hits_noted;
static _Atomic uint64_t misses_noted;

static uint64_t
sum_counter(const struct server *server, enum counter counter)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= server->worker_count; i++) {
        sum += atomic_load_explicit(&server->counters[i].values[counter], memory_order_relaxed);
    }
    return sum;
}

static struct statistics_command
sum_command(const struct server *server, size_t index)
{
    struct statistics_command sum = {0};
    for (unsigned i = 0; i < server->worker_count; i++) {
        const struct command_use *use = &server->command_uses[i * ROW_COUNT + index];
        sum.calls += atomic_load_explicit(&use->calls, memory_order_relaxed);
        sum.ticks += atomic_load_explicit(&use->ticks, memory_order_relaxed);
    }
    return sum;
}

uint64_t
statistics_counter(const struct server *server, enum counter counter)
{
    return sum_counter(server, counter) -
           atomic_load_explicit(&counters_noted[counter], memory_order_relaxed);
}

struct statistics_command
statistics_command(const struct server *server, size_t index)
{
    struct statistics_command sum = sum_command(server, index);
    sum.calls -= atomic_load_explicit(&uses_noted[index].calls, memory_order_relaxed);
    sum.ticks -= atomic_load_explicit(&uses_noted[index].ticks, memory_order_relaxed);
    return sum;
}

void
statistics_keyspace(const struct server *server, struct keyspace_stats *ret_stats)
{
    keyspace_stats(server->keyspace, ret_stats);
    ret_stats->expired -= atomic_load_explicit(&expired_noted, memory_order_relaxed);
    ret_stats->evicted -= atomic_load_explicit(&evicted_noted, memory_order_relaxed);
    ret_stats->hits -= atomic_load_explicit(&hits_noted, memory_order_relaxed);
    ret_stats->misses -= atomic_load_explicit(&misses_noted, memory_order_relaxed);
}

uint64_t
statistics_longest_hold_us(const struct server *server)
{
    return ticks_to_us(keyspace_longest_hold(server->keyspace));
}

uint64_t
statistics_longest_turn_us(const struct server *server)
{
    uint64_t longest = 0;
    for (unsigned i = 0; i <= server->worker_count; i++) {
        uint64_t ticks =
            atomic_load_explicit(&server->counters[i].longest_turn, memory_order_relaxed);
        longest = ticks > longest ? ticks : longest;
    }
    return ticks_to_us(longest);
}

void
statistics_reset(struct server *server)
{
    keyspace_reset_longest_hold(server->keyspace);
    for (unsigned i = 0; i <= server->worker_count; i++) {
        atomic_store_explicit(&server->counters[i].longest_turn, 0, memory_order_relaxed);
    }
    for (int i = 0; i < COUNTER_COUNT; i++) {
        atomic_store_explicit(&counters_noted[i], sum_counter(server, (enum counter)i),
                              memory_order_relaxed);
    }
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct statistics_command sum = sum_command(server, i);
        atomic_store_explicit(&uses_noted[i].calls, sum.calls, memory_order_relaxed);
        atomic_store_explicit(&uses_noted[i].ticks, sum.ticks, memory_order_relaxed);
    }
    struct keyspace_stats stats;
    keyspace_stats(server->keyspace, &stats);
    atomic_store_explicit(&expired_noted, stats.expired, memory_order_relaxed);
    atomic_store_explicit(&evicted_noted, stats.evicted, memory_order_relaxed);
    atomic_store_explicit(&hits_noted, stats.hits, memory_order_relaxed);
    atomic_store_explicit(&misses_noted, stats.misses, memory_order_relaxed);
}
