/*
 * transaction - MULTI's queue and WATCH's nodes of one session.
 *
 * Thread:   the session's worker; watch nodes also live in shards, under their locks.
 */
#ifndef SERVER_CMD_TRANSACTION_H
#define SERVER_CMD_TRANSACTION_H

#include "server/cmd/request.h"

/* Between MULTI and EXEC or DISCARD? */
bool transaction_is_active(const struct session *session);

/* Queue the request (arguments are copied). False without memory or beyond
 * client-query-buffer-limit. */
bool transaction_queue(struct request *request);

/* May what is queued grow memory? Then by about *ret_size bytes. */
bool transaction_may_grow(const struct session *session, uint64_t *ret_size);

/* A command was refused while queuing: EXEC will answer EXECABORT. */
void transaction_fail(struct session *session);

/* Leave MULTI and unwatch everything: DISCARD, RESET. Takes shard locks: call without any. */
void transaction_reset(struct request *request);

/* The connection goes away: likewise, and the memory is freed. */
void transaction_close(struct server *server, struct session *session);

#endif
