/*
 * stage - what a worker has read in this turn of its loop, from several connections, to be run
 * together.
 *
 * Clients that do not pipeline leave nothing to fetch ahead within a connection, but many are
 * ready in one turn: their keys are looked for in memory all at once, then they are run one by
 * one. Whoever stands here waits for the reads of at most STAGE_COUNT_MAX others, never for a
 * client.
 *
 * Thread:   the worker's.
 * Borrowed: input lies in the stage until stage_run().
 */
#ifndef SERVER_NET_STAGE_H
#define SERVER_NET_STAGE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    STAGE_COUNT_MAX = 32,
    STAGE_INPUT_SIZE = 64 * 1024,
    STAGE_ROOM_MIN = 16 * 1024, /* that a read is offered */
};

struct conn;
struct worker;

struct staged {
    struct conn *conn; /* NULL: closed since */
    char *data;
    size_t size;
};

struct stage {
    size_t count;
    size_t used; /* of <input> */
    struct staged items[STAGE_COUNT_MAX];
    char input[STAGE_INPUT_SIZE];
};

/* Where the next read goes. It runs nothing: libuv has begun a read when it asks. */
char *stage_room(struct worker *worker, size_t *ret_size);

/*
 * <size> bytes were read for <conn> to where stage_room() said. Run what stands here when
 * stage_is_full(). A connection may stand here twice: where very many are ready, libuv asks for
 * those behind them, and for what has come since, in the same turn.
 */
void stage_add(struct worker *worker, struct conn *conn, size_t size);
bool stage_is_full(const struct worker *worker);

/* <conn> is being closed. */
void stage_take_out(struct worker *worker, const struct conn *conn);

/* Run all there is, by conn_run_input(), in the order it came. */
void stage_run(struct worker *worker);

#endif
