/*
 * hash - the Redis hash type: fields and values, packed while small, a table when large.
 *
 * A hash of at most 128 fields of at most 64 bytes each is one packed run in insertion order;
 * beyond that it becomes a hash table with incremental growth. Either way an update in place
 * keeps a field's position where the form has one.
 *
 * Thread:   under the lock of its key's shard.
 * Borrowed: slices die at the next mutating call.
 * After a mutating call on a hash in the keyspace call keyspace_changed_locked(); when the hash
 * has become empty, keyspace_delete_locked() instead.
 */
#ifndef SERVER_STORE_HASH_H
#define SERVER_STORE_HASH_H

#include "proto/base/slice.h"

struct hash;

size_t hash_size(const struct hash *hash);
bool hash_get(const struct hash *hash, struct slice field, struct slice *ret_value);

enum hash_set { HASH_ADDED, HASH_UPDATED, HASH_NO_MEMORY };
enum hash_set hash_set(struct hash *hash, struct slice field, struct slice value);
bool hash_delete(struct hash *hash, struct slice field); /* false: was absent */

/* All fields in the hash's order: start with *position = 0; false at the end. No changes
 * between. */
bool hash_next(const struct hash *hash, size_t *position, struct slice *ret_field,
               struct slice *ret_value);

/* HSCAN: Redis' guarantee; a packed hash comes whole with cursor 0. */
typedef void hash_on_field(void *context, struct slice field, struct slice value);
uint64_t hash_scan(const struct hash *hash, uint64_t cursor, size_t count,
                   hash_on_field *on_field, void *context);

/* A uniformly chosen field of a hash that is not empty. */
void hash_random(const struct hash *hash, uint64_t random, struct slice *ret_field,
                 struct slice *ret_value);

/* All fields as in proto/codec/hash.h: of a packed hash as they lie; bytes of those of any, and
 * to write them. */
struct slice hash_run(const struct hash *hash);
size_t hash_body_size(const struct hash *hash);
void hash_body_write(const struct hash *hash, char *out);

bool hash_is_packed(const struct hash *hash); /* OBJECT ENCODING: listpack or hashtable */
size_t hash_memory(const struct hash *hash);

/* hash-max-listpack-entries and -value, for all hashes from now on; 128 and 64 until called.
 * What is packed stays so until its next change beyond them. Any thread. */
void hash_set_limits(uint32_t count_max, uint32_t size_max);

#endif
