/*
 * backfill_host - what backfill.h needs of the server around it.
 *
 * Thread:   open, begin and close: the main thread's.
 */
#ifndef SERVER_CMD_BACKFILL_HOST_H
#define SERVER_CMD_BACKFILL_HOST_H

#include "server/cmd/request.h"

bool backfill_host_open(struct server *server);  /* makes server->backfill; false: no memory */
void backfill_host_begin(struct server *server); /* once there are workers */
void backfill_host_close(struct server *server);

#endif
