/*
 * memory - the bytes of a complement: what they hold, read and written.
 *
 *   complement = 1, section*                     sections ascending by version
 *   section    = version, fingerprint (8 bytes), size, list
 *   list       = (op index, size, entry)*        ascending by op index; empty entries left out
 *
 * Numbers are LEB128. The entry of an op means what the code of its kind says (member.c,
 * value.c, element.c); it is seen from the side where the record is. Bytes may be hostile: a
 * cursor that runs out turns bad and yields zeros, and who reads treats a bad entry as none.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: what is read lies in the bytes, what is written in the arena.
 */
#ifndef PROTO_LENS_MEMORY_H
#define PROTO_LENS_MEMORY_H

#include "proto/base/writer.h"
#include "proto/lens/plan.h"

struct cursor {
    const char *at;
    const char *end;
    bool bad;
};

static inline struct cursor
cursor_over(struct slice bytes)
{
    const char *data = bytes.size > 0 ? bytes.data : ""; /* NULL + 0 is not defined */
    return (struct cursor){data, data + bytes.size, false};
}

uint64_t cursor_number(struct cursor *cursor);
struct slice cursor_bytes(struct cursor *cursor, uint64_t size);
struct slice cursor_text(struct cursor *cursor); /* size, bytes */

static inline bool
cursor_more(const struct cursor *cursor)
{
    return !cursor->bad && cursor->at < cursor->end;
}

/* The entries of <list> for <count> ops, missing ones empty. False without memory. */
bool memory_read(struct slice list, size_t count, struct arena *arena,
                 struct slice **ret_entries);
bool memory_write(const struct slice *entries, size_t count, struct arena *arena,
                  struct slice *ret_list);

/* One boundary of a complement: what is remembered of the step from <version> to the next. */
struct section {
    unsigned version;
    struct slice list;
};

/*
 * The sections of a complement whose fingerprints are those of the schema; those of other
 * steps, and everything behind damage, are left out. False without memory.
 */
bool memory_sections(const struct lens_schema *schema, struct slice complement,
                     struct arena *arena, struct section **ret_sections, size_t *ret_count);

/* <lists>[v - 1] for every version v but the last, empty ones left out; empty if all are. */
bool memory_complement(const struct lens_schema *schema, const struct slice *lists,
                       struct arena *arena, struct slice *ret_complement);

#endif
