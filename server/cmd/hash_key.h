/*
 * hash_key - the hash that a command's first key holds.
 */
#ifndef SERVER_CMD_HASH_KEY_H
#define SERVER_CMD_HASH_KEY_H

#include "server/cmd/request.h"
#include "server/store/hash.h"

/* The hash under keys[0], NULL when there is none; false when WRONGTYPE was replied. */
bool hash_key_find(struct request *request, struct hash **ret_hash);

/* Likewise, a new one if there is none; NULL when an error was replied. */
struct hash *hash_key_add(struct request *request);

/* Tell the keyspace that the hash under keys[0] was changed: an empty one goes. */
void hash_key_settle(struct request *request, const struct hash *hash);

#endif
