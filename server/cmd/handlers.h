/*
 * handlers - the prototypes of all command handlers, from commands.def.
 */
#ifndef SERVER_CMD_HANDLERS_H
#define SERVER_CMD_HANDLERS_H

#include "server/cmd/request.h"

#define CMD(name, handler, ...) command_handler handler;
#include "server/cmd/commands.def"
#undef CMD

/* For rows whose name alone is never run: a container of subcommands. */
command_handler cmd_container;

#endif
