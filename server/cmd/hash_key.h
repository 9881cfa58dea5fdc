/*
 * hash_key - the hash that a command's first key holds, as the caller's version sees it: the
 * one way of commands to read and to edit hashes. Handlers know no schema.
 *
 * What the caller's version wrote is read and edited where it lies. Else the fields of the view
 * are made into a scratch hash, which is edited instead, and what it is then is written as a
 * body: rebased, settled, its identity looked at, like a string (value.h). Translation outside
 * the lock is as there: a call may fail without a reply, and the handler is run again.
 *
 * Thread:   the key's shard is locked.
 * Borrowed: hashes live until hash_key_settle(), or the handler's return.
 */
#ifndef SERVER_CMD_HASH_KEY_H
#define SERVER_CMD_HASH_KEY_H

#include "server/cmd/request.h"
#include "server/store/hash.h"

/*
 * The hash under keys[0], to be read: NULL when there is none, or a view without fields. False:
 * return; an error was replied, or the handler runs again.
 */
bool hash_key_find(struct request *request, struct hash **ret_hash);

/* Likewise, to be edited: what cannot be seen cannot be edited, whatever the outcome says. */
bool hash_key_open(struct request *request, struct hash **ret_hash);

/* Likewise, a new one if there is none; NULL: return. */
struct hash *hash_key_add(struct request *request);

/* Make what was done to the hash so: one without fields goes, unless another version has some.
 * False: return without a reply. */
bool hash_key_settle(struct request *request, struct hash *hash);

/* Instead, when memory ran out while the hash was edited: replies so. */
void hash_key_give_up(struct request *request, struct hash *hash);

/* The fields of <key> for RENAME and the like: a body (proto/codec/hash.h), in the arena. */
bool hash_key_view(struct request *request, const struct key *key, struct slice *ret_body);

#endif
