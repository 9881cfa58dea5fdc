/*
 * authentication - who a connection says it is: user, password, client name, and which of
 * these names are releases.
 *
 * Until there are real users, `default` and every defined release are users, with `requirepass`
 * as the password (any password where none is set). A name x@y that is no defined release,
 * although some release x@... is, is refused with NORELEASE: new code never silently speaks the
 * default version.
 *
 * Checks change nothing; false always means that an error was replied.
 */
#ifndef SERVER_CMD_AUTHENTICATION_H
#define SERVER_CMD_AUTHENTICATION_H

#include "server/cmd/request.h"

/* `requirepass` is set. */
bool authentication_is_required(struct request *request);

/* May <user> come in with <password>? Takes the same time wherever a wrong password differs. */
bool authentication_check(struct request *request, struct slice user, struct slice password);

/* Make the session that of <user>. */
bool authentication_apply(struct request *request, struct slice user);

/* May the session call itself <name>? */
bool authentication_check_name(struct request *request, struct slice name);
bool authentication_apply_name(struct request *request, struct slice name);

#endif
