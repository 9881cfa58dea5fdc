/*
 * collector - looks, once a second, whether the complements of a withdrawn version have been
 * kept for as long as its schema says, and has them swept away then.
 *
 * Thread:   open, begin and close: the main thread's.
 */
#ifndef SERVER_CMD_COLLECTOR_H
#define SERVER_CMD_COLLECTOR_H

#include "server/cmd/request.h"

struct collector *collector_new(struct server *server); /* NULL without memory */
void collector_begin(struct collector *collector);      /* once there are workers */
void collector_free(struct collector *collector);       /* its background has stopped */

#endif
