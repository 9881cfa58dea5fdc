/*
 * statistics - counters of all workers summed up, since the start or the last CONFIG RESETSTAT.
 *
 * A reset takes note of the sums instead of touching the workers' own cells, which only they
 * write, and takes no locks: inside EXEC shards are locked.
 *
 * Thread:   any.
 */
#ifndef SERVER_CMD_STATISTICS_H
#define SERVER_CMD_STATISTICS_H

#include "server/cmd/request.h"

uint64_t statistics_counter(const struct server *server, enum counter counter);

/* The keyspace's counts, and its memory as it is. */
void statistics_keyspace(const struct server *server, struct keyspace_stats *ret_stats);

/* Of the command in row <index> of commands.def. */
struct statistics_command {
    uint64_t calls;
    uint64_t ticks; /* in its handler: server/core/ticks.h */
};
struct statistics_command statistics_command(const struct server *server, size_t index);

void statistics_reset(struct server *server);

/* The longest time, in microseconds, that any worker has noted since the last reset. */
uint64_t statistics_longest_hold_us(const struct server *server);
uint64_t statistics_longest_turn_us(const struct server *server);

#endif
