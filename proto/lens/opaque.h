/*
 * opaque - records of schemas whose bodies nobody can parse: each version keeps a slot, its own
 * last bytes. The body is the writer's slot, the complement holds the others:
 *
 *   complement = 2, (version, size, bytes)*        ascending by version
 *
 * Thread:   as lens.h.
 * Bounded:  the other slots take at most what a complement of the largest slot may; beyond
 *           that a write leaves out the largest of them.
 */
#ifndef PROTO_LENS_OPAQUE_H
#define PROTO_LENS_OPAQUE_H

#include "proto/lens/plan.h"

/* The slot of version <to>; false with the failure set where that has none. */
bool opaque_view(const struct lens_schema *schema, const struct lens_record *record,
                 unsigned to, struct slice *ret_view, struct lens_failure *ret_failure);

/* The record as one of version <to>, which has a slot; likewise, and without memory. */
bool opaque_rebase(const struct lens_schema *schema, const struct lens_record *record,
                   unsigned to, struct arena *arena, struct lens_record *ret_record,
                   struct lens_failure *ret_failure);

/* The record after a writer of <by> stored <body> over <old> (NULL: none). False without
 * memory.
 */
bool opaque_write(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
                  struct slice body, struct arena *arena, struct lens_record *ret_record);

/* Only the slots of <first> .. <last>. False without memory. */
bool opaque_forget(const struct lens_record *record, unsigned first, unsigned last,
                   struct arena *arena, struct slice *ret_complement);

#endif
