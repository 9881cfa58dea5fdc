/*
 * dictionaries - those in use, by number, and the form of a packed body:
 *
 *   | dictionary : 1 | size of the raw bytes : 2 | what pack() made of them |
 *
 * A dictionary is put in before anything is packed with it, and taken out when no entry has its
 * number (keyspace_packed()) and nobody holds a copy of packed bytes any more: workers hold one
 * for a turn at most, other threads pin the dictionaries before they look at the entry.
 *
 * Thread:   any may look up; one at a time puts in and takes out.
 */
#ifndef SERVER_STORE_DICTIONARIES_H
#define SERVER_STORE_DICTIONARIES_H

#include "proto/base/arena.h"
#include "server/store/pack.h"

#include <stdatomic.h>

enum {
    DICTIONARIES_MAX = 256, /* number 0 is none */
    PACKED_HEAD_SIZE = 3,
};

struct dictionaries {
    _Atomic(struct pack_dictionary *) items[DICTIONARIES_MAX]; /* [owned] */
    atomic_size_t memory;                                      /* of all of them, in bytes */
    atomic_uint pins;
    uint32_t serials[DICTIONARIES_MAX]; /* of what was put there last; 1, 2, 3 ... */
    uint32_t last_serial;
};

struct dictionaries *dictionaries_new(void);               /* NULL without memory */
void dictionaries_free(struct dictionaries *dictionaries); /* takes NULL */

/* Takes the dictionary over; its number, 0 when all are given out. */
unsigned dictionaries_put(struct dictionaries *dictionaries,
                          struct pack_dictionary *dictionary);

/* Take it out and free it; false: not while something is pinned. */
bool dictionaries_drop(struct dictionaries *dictionaries, unsigned number);

void dictionaries_pin(struct dictionaries *dictionaries);
void dictionaries_unpin(struct dictionaries *dictionaries);

/* Which dictionary it is that has <number>, over all the time that the table lives. */
static inline uint32_t
dictionaries_serial(const struct dictionaries *dictionaries, unsigned number)
{
    return dictionaries->serials[number];
}

static inline size_t
dictionaries_memory(const struct dictionaries *dictionaries)
{
    return atomic_load_explicit(&dictionaries->memory, memory_order_relaxed);
}

/* NULL: the number is not given out. */
static inline const struct pack_dictionary *
dictionaries_get(const struct dictionaries *dictionaries, unsigned number)
{
    return atomic_load_explicit(&dictionaries->items[number], memory_order_acquire);
}

/*
 * Make the packed body of <raw> (at most PACK_SIZE_MAX bytes), with dictionary <number>, at
 * <out>: at most <room> bytes. Its size, 0 when it does not fit.
 */
size_t packed_make(struct pack_context *context, const struct dictionaries *dictionaries,
                   unsigned number, struct slice raw, char *out, size_t room);

/* Of a packed body, hostile or not: 0 where it has no head. */
unsigned packed_dictionary(struct slice packed);
size_t packed_raw_size(struct slice packed);

/* The raw bytes of what packed_make() made, in <arena>; false without memory. */
bool packed_open_in(struct arena *arena, struct pack_context *context,
                    const struct dictionaries *dictionaries, struct slice packed,
                    struct slice *ret_raw);

/* For threads that are no workers, which pin or hold the entry's lock: a context of their own,
 * made when it is first needed. */
struct unpacker {
    const struct dictionaries *dictionaries;
    struct pack_context *context; /* [owned] NULL to begin with */
};
bool unpacker_open(struct unpacker *unpacker, struct arena *arena, struct slice packed,
                   struct slice *ret_raw); /* false without memory */
void unpacker_fini(struct unpacker *unpacker);

/* The raw bytes: packed_raw_size() of them at <out>. False: they are damaged. */
bool packed_open(struct pack_context *context, const struct dictionaries *dictionaries,
                 struct slice packed, char *out);

#endif
