/*
 * directory - the sessions of one worker, for those who look from outside: CLIENT LIST, KILL.
 *
 * A mutex guards the list and the [directory] fields of its sessions. It is held for a walk of
 * one worker's connections at most; nobody waits for a worker under it.
 *
 * Thread:   any. Only the owning worker adds and removes.
 */
#ifndef SERVER_CMD_DIRECTORY_H
#define SERVER_CMD_DIRECTORY_H

#include "server/cmd/session.h"

struct directory *directory_new(void);            /* NULL without memory */
void directory_free(struct directory *directory); /* takes NULL; it must be empty */

/* The session's <directory> must be this one. Both O(1). */
void directory_add(struct directory *directory, struct session *session);
void directory_remove(struct directory *directory, struct session *session);

uint64_t directory_count(struct directory *directory);

/*
 * Call <on_session> for every session, oldest first, with the mutex held, until it returns
 * false. It must not call back into the directory. True when all were visited.
 */
typedef bool directory_on_session(void *context, struct session *session);
bool directory_each(struct directory *directory, directory_on_session *on_session,
                    void *context);

/* Is the session with that id here, and does its peer still listen? O(sessions). */
bool directory_is_connected(struct directory *directory, uint64_t session_id);

/* Hold the mutex for reading or replacing [directory] fields of a session. */
void directory_lock(struct directory *directory);
void directory_unlock(struct directory *directory);

#endif
