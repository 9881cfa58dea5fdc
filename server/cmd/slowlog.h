/*
 * slowlog - the commands that took longer than slowlog-log-slower-than, the newest first.
 *
 * As in Redis an entry holds at most 32 arguments of 128 bytes. Passwords are never kept.
 *
 * Thread:   any; entries are kept under a mutex, copied in and out.
 */
#ifndef SERVER_CMD_SLOWLOG_H
#define SERVER_CMD_SLOWLOG_H

#include "server/cmd/reply.h"
#include "server/cmd/session.h"
#include "server/core/config.h"

struct slowlog;

struct slowlog *slowlog_new(struct config *config); /* NULL without memory */
void slowlog_free(struct slowlog *slowlog);         /* takes NULL */

/*
 * Keep a command that took <microseconds>, if that is long enough; its time is the session's
 * <active_ms>. By the session's worker, with no shard locked. Without memory it is lost.
 */
void slowlog_add(struct slowlog *slowlog, size_t argc, const struct slice *argv,
                 int64_t microseconds, const struct session *session);

size_t slowlog_count(struct slowlog *slowlog);
void slowlog_clear(struct slowlog *slowlog);

/* SLOWLOG GET: the newest <count> entries, -1 for all. */
void slowlog_reply(struct slowlog *slowlog, int64_t count, struct reply *reply);

#endif
