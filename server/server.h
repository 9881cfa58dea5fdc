/*
 * server - the composition root: builds every part from the configuration, runs, takes apart.
 *
 * Thread:   main.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "proto/base/buffer.h"
#include "server/core/config.h"

/* Serve until told to stop. False with a message for people when the start failed. */
bool server_run(struct config *config, struct buffer *ret_error);

#endif
