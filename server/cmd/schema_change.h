/*
 * schema_change - commands that change the registry, or look at it for long: off the loop, then
 * (after a change) all workers pass a turn, then the reply.
 *
 * Thread:   made by the request's worker; from schema_change_start() on it owns itself.
 */
#ifndef SERVER_CMD_SCHEMA_CHANGE_H
#define SERVER_CMD_SCHEMA_CHANGE_H

#include "server/cmd/request.h"
#include "server/schema/registry.h"

struct schema_change {
    struct server *server;
    struct parked parked;

    /* Does it, blocking, on a pool thread: registry_put() and the like. */
    bool (*apply)(struct schema_change *change);
    /* NULL, or takes it over after a success of apply: it calls schema_change_finish(). */
    void (*proceed)(struct schema_change *change);
    /* After all workers have passed a turn, before the reply; may be NULL. Any thread. */
    void (*done)(struct schema_change *change);

    size_t argc;
    const struct slice *argv; /* a copy */
    bool force;
    uint32_t schema_id;                /* of what was deleted, or is to be backfilled */
    int64_t since_ms;                  /* of the request */
    struct registry_backfill backfill; /* that is wanted */
    void *context;                     /* of apply and proceed */

    const struct registry *old; /* what apply replaced; NULL: nothing */
    bool succeeded;
    struct buffer error;  /* the error reply without '-' */
    struct buffer answer; /* the whole reply, encoded by apply; empty: +OK */
    char bytes[];
};

/* Set entries right after a change of schemas, in the background. Any thread. */
void schema_change_sweep(struct server *server);

/* A change with a copy of the request's argv; NULL when an error was replied. */
struct schema_change *schema_change_new(struct request *request);
void schema_change_start(struct request *request, struct schema_change *change);

/* Answer and free it. Any thread. */
void schema_change_finish(struct schema_change *change);

#endif
