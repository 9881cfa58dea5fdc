/*
 * memo - views that were made before: a hot record that the other version reads again costs a
 * comparison instead of a translation.
 *
 * A view is a function of the lens, the record and the version asked for (proto/lens.h), and a
 * memo compares all of these in full, the record's bytes included. So what it answers is right
 * whatever happened to a key meanwhile: it cannot be stale, nor be another key's view that
 * differs. The key's hash says only where to look. Revisions would not do: a plain record's is
 * a hash, and a counted one comes round again.
 *
 * What is asked for once only is not kept: a question must come twice within a while, as a
 * small table of hashes tells (a doorkeeper: Einziger, Friedman, Manes, TinyLFU, ACM TOS 13(4),
 * 2017). What must go is chosen by a clock.
 *
 * Thread:   owned by one thread; it alone may ask. The sum of bytes is atomic.
 * Borrowed: views found lie in the memo until the next memo_put() or memo_trim().
 * Bounded:  as memo_put() and memo_trim() say, in bytes held for all of it.
 */
#ifndef SERVER_SCHEMA_MEMO_H
#define SERVER_SCHEMA_MEMO_H

#include "proto/lens.h"

#include <stdatomic.h>

struct memo;

enum { MEMO_RECORD_SIZE_MAX = 64 * 1024 }; /* larger ones are neither kept nor compared */

struct memo_question {
    uint64_t hash;   /* of the key */
    uint64_t epoch;  /* of the registry, */
    uint32_t schema; /* with the id of the schema: which lens it is */
    unsigned version;
    const struct lens_record *record;
};

/* NULL without memory. Bytes held are added to *bytes, which outlives the memo. */
struct memo *memo_new(_Atomic uint64_t *bytes);
void memo_free(struct memo *memo); /* takes NULL */

/* Fetch, ahead of memo_find() for a key with that hash, where it will look; and then, when that
 * has come, what it will find there. */
void memo_prefetch(const struct memo *memo, uint64_t hash);
void memo_prefetch_view(const struct memo *memo, uint64_t hash);

/* O(bytes of the record). */
bool memo_find(struct memo *memo, const struct memo_question *question, struct slice *ret_view);

/*
 * Keep a view, copied with the record, within <size_max> bytes for the whole memo. Perhaps it
 * does not: without memory, at the first time, or where it would take much of the room.
 */
void memo_put(struct memo *memo, const struct memo_question *question, struct slice view,
              size_t size_max);

/* Let go of what is beyond <size_max> bytes. */
void memo_trim(struct memo *memo, size_t size_max);

#endif
