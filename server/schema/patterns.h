/*
 * patterns - which schema a key belongs to: exact names by hash, prefixes by binary search.
 *
 * Of several patterns that match the longest wins, an exact name before any prefix; a schema
 * whose `except` matches the key, or whose `db` is another one, is passed over.
 *
 * Thread:   immutable once made.
 * Borrowed: everything lies in the arena given, patterns in the schemas' lenses.
 */
#ifndef SERVER_SCHEMA_PATTERNS_H
#define SERVER_SCHEMA_PATTERNS_H

#include "proto/base/arena.h"
#include "server/schema/registry.h"

struct patterns;

/* The patterns of all <schemas>; NULL without memory. O(n log n) patterns. */
struct patterns *patterns_new(struct arena *arena, const struct registry_schema *schemas,
                              size_t count);

/* NULL: the key is plain. O(log patterns) comparisons. */
const struct registry_schema *patterns_match(const struct patterns *patterns, uint32_t db,
                                             struct slice key);

/*
 * A pattern that both schemas have, for a database that both serve: the index of it in
 * <schema>. False when there is none.
 */
bool patterns_collide(const struct lens_schema *schema, const struct lens_schema *other,
                      size_t *ret_index);

#endif
