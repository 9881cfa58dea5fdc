/*
 * repack - the background of compression: trains dictionaries from live values, adopts and
 * replaces them, packs what lies there plain or packed with another dictionary, and lets
 * dictionaries go that nothing is packed with any more.
 *
 * It walks through the keyspace again and again, part by part. What it changes is invisible:
 * expiry, access clock, watchers and revision stay.
 *
 * Thread:   repack_step() by one thread at a time, in the background; the rest by any.
 * Time:     callers pass the clock in.
 */
#ifndef SERVER_SCHEMA_REPACK_H
#define SERVER_SCHEMA_REPACK_H

#include "server/schema/packing.h"
#include "server/store/dictionaries.h"
#include "server/store/keyspace.h"

struct repack;

/* NULL without memory. <is_eager>: for tests, every value is packed, from the first on. */
struct repack *repack_new(struct registry_holder *holder, struct keyspace *keyspace,
                          uint32_t database_count, bool is_eager);
void repack_free(struct repack *repack); /* takes NULL */

enum { REPACK_REST_MAX_MS = 10 * 60 * 1000 };

enum repack_next {
    REPACK_GOES_ON, /* there is more of this walk: step again soon */
    REPACK_RESTS,   /* until repack_rested_ms() */
};

/*
 * A part of a walk: some hundred entries, and a training now and then (about 100 ms).
 * *ret_must_pass: before the next step every worker is to pass a turn, so that dictionaries it
 * may still know can go.
 */
enum repack_next repack_step(struct repack *repack, const struct packing_rules *rules,
                             int64_t now_ms, bool *ret_must_pass);
int64_t repack_rested_ms(const struct repack *repack); /* when the next walk is due */
bool repack_is_walking(const struct repack *repack);   /* the stepping thread asks */

/* Some dictionary was adopted: values may be packed from now on. Relaxed. */
bool repack_has_begun(const struct repack *repack);

/* Raw bytes that are worth packing, and how small they must become to be kept packed. */
bool repack_is_worth(const struct repack *repack, size_t raw_size);
size_t repack_room(const struct repack *repack, size_t raw_size);

struct repack_stats {
    unsigned dictionary; /* the current one; 0: none yet */
    uint64_t dictionary_size;
    unsigned dictionaries; /* all that entries of the group are packed with */
    uint64_t entries;
    uint64_t raw_size;
    uint64_t packed_size;
};

void repack_stats(struct repack *repack, const struct packing_group *group,
                  struct repack_stats *ret_stats);

#endif
