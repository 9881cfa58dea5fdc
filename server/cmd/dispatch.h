/*
 * dispatch - from a parsed request to its reply: row, gates, begin, handler, end.
 *
 * Begin takes the shard locks of the row's keys, end gives them up: the seam behind which a
 * record may live elsewhere one day. A new policy is a gate; a new command a row and a
 * function.
 */
#ifndef SERVER_CMD_DISPATCH_H
#define SERVER_CMD_DISPATCH_H

#include "server/cmd/request.h"

/*
 * Run one request. The caller has filled in server, session, reply, argc (>= 1), argv, now_ms,
 * arena, registry, counters and worker_index; the rest is set here (command and keys must be
 * NULL, or come from dispatch_prepare()). Exactly one reply is written, unless CLIENT REPLY
 * says otherwise or the request is parked.
 */
void dispatch(struct request *request);

/*
 * Look the row up and hash the keys ahead of dispatch(), which then need not; for a batch, so
 * that the keys can be prefetched. Replies nothing: what is wrong is found again in dispatch().
 * argc, argv, session, server and arena are filled in.
 */
void dispatch_prepare(struct request *request);

/*
 * For EXEC: run a queued command, its shards being locked already, and count it. The row and
 * its gates were passed when it was queued.
 */
void dispatch_locked(struct request *request);

/* Fill in request->db, ->keys and ->key_count from the row and argv; false without memory. */
bool dispatch_find_keys(struct request *request);

#endif
