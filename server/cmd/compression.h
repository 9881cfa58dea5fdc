/*
 * compression - what the server keeps for packed values: dictionaries, rules, contexts, and the
 * job in the background that makes and replaces dictionaries (schema/repack.h).
 *
 * Thread:   compression_tick() by the main thread; the rest by workers.
 */
#ifndef SERVER_CMD_COMPRESSION_H
#define SERVER_CMD_COMPRESSION_H

#include "server/cmd/request.h"
#include "server/schema/repack.h"

struct compression;

/* NULL without memory. The configuration, registry and keyspace are there. */
struct compression *compression_new(struct server *server);
void compression_free(struct compression *compression); /* takes NULL */

/* The group of a key; false when its values are not compressed. */
bool compression_find(const struct request *request, const struct key *key,
                      struct packing_group *ret_group);

/* The worker's own; NULL without memory, else the same until the end. */
struct pack_context *compression_context(struct request *request);
struct repack *compression_repack(const struct compression *compression);

/* The rules of the directive; valid until the worker's next turn. */
const struct packing_rules *compression_rules(const struct compression *compression);

/* Let the background go on where that is due. */
void compression_tick(struct server *server, int64_t now_ms);

#endif
