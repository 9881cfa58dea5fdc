#include "proto/lens/opaque.h"

#include <stdio.h>

#include "proto/lens/memory.h"

enum { OPAQUE_FORMAT = 2 };

struct slot {
    unsigned version;
    struct slice bytes;
};

/* The slots of a complement, whatever it holds; *ret_more to go on with. */
static struct cursor
slots_over(struct slice complement)
{
    struct cursor cursor = cursor_over(complement);
    if (complement.size > 0 && cursor_number(&cursor) != OPAQUE_FORMAT) {
        cursor.bad = true;
    }
    return cursor;
}

/* The next slot; false at the end, and where the bytes are damaged. */
static bool
slot_next(struct cursor *cursor, struct slot *slot)
{
    unsigned last = slot->version;
    if (!cursor_more(cursor)) {
        return false;
    }
    uint64_t version = cursor_number(cursor);
    slot->bytes = cursor_text(cursor);
    if (cursor->bad || version <= last || version > PLAN_VERSIONS_MAX) {
        cursor->bad = true;
        return false;
    }
    slot->version = (unsigned)version;
    return true;
}

static void
slot_write(struct writer *writer, const struct slot *slot)
{
    if (writer->size == 0) {
        writer_number(writer, OPAQUE_FORMAT);
    }
    writer_number(writer, slot->version);
    writer_text(writer, slot->bytes);
}

static bool
fail(struct lens_failure *failure, const struct lens_record *record, unsigned to,
     enum lens_reason reason, const char *text)
{
    *failure = (struct lens_failure){.reason = reason, .from = record->version, .to = to};
    snprintf(failure->text, sizeof(failure->text), "%s", text);
    return false;
}

bool
opaque_view(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
            struct slice *ret_view, struct lens_failure *ret_failure)
{
    struct cursor cursor = slots_over(record->complement);
    struct slot slot = {0};
    if (record->version < 1 || record->version > schema->version_count || to < 1 ||
        to > schema->version_count) {
        return fail(ret_failure, record, to, LENS_NO_VERSION, "the version is unknown");
    }
    if (to == record->version) {
        *ret_view = record->body;
        return true;
    }
    while (slot_next(&cursor, &slot)) {
        if (slot.version == to) {
            *ret_view = slot.bytes;
            return true;
        }
    }
    return fail(ret_failure, record, to, LENS_SLOT, "this version has written nothing");
}

/*
 * The slots of <record>, its body's and those in its complement, but for that of <without> and,
 * unless that is 0, the one numbered <left_out>.
 */
static bool
others(const struct lens_record *record, unsigned without, unsigned left_out,
       struct arena *arena, struct slice *ret_complement)
{
    struct writer writer = writer_in(arena);
    struct cursor cursor = slots_over(record->complement);
    struct slot slot = {0};
    struct slot own = {.version = record->version, .bytes = record->body};
    bool more = slot_next(&cursor, &slot);
    while (more || own.version != 0) {
        bool takes_own = own.version != 0 && (!more || own.version <= slot.version);
        const struct slot *next = takes_own ? &own : &slot;
        if (next->version != without && next->version != left_out) {
            slot_write(&writer, next);
        }
        if (takes_own) {
            if (more && slot.version == own.version) {
                more = slot_next(&cursor, &slot);
            }
            own.version = 0;
        } else {
            more = slot_next(&cursor, &slot);
        }
    }
    *ret_complement = writer_slice(&writer);
    return !writer.failed;
}

bool
opaque_rebase(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
              struct arena *arena, struct lens_record *ret_record,
              struct lens_failure *ret_failure)
{
    struct lens_record rebased = {.version = to};
    if (!opaque_view(schema, record, to, &rebased.body, ret_failure)) {
        return false;
    }
    if (!others(record, to, 0, arena, &rebased.complement) ||
        !arena_copy(arena, rebased.body, &rebased.body)) {
        return fail(ret_failure, record, to, LENS_BUDGET, "out of memory");
    }
    *ret_record = rebased;
    return true;
}

/* The version whose slot, of those in <complement>, is the largest. */
static struct slot
largest(struct slice complement)
{
    struct cursor cursor = slots_over(complement);
    struct slot slot = {0};
    struct slot found = {0};
    while (slot_next(&cursor, &slot)) {
        if (slot.bytes.size >= found.bytes.size) {
            found = slot;
        }
    }
    return found;
}

bool
opaque_write(const struct lens_schema *schema, const struct lens_record *old, unsigned by,
             struct slice body, struct arena *arena, struct lens_record *ret_record)
{
    const struct plan_limits *limits = &schema->limits;
    struct lens_record record = {.version = by, .body = body};
    if (old != NULL && !schema->drops_others) {
        if (!others(old, by, 0, arena, &record.complement)) {
            return false;
        }
        struct slot big = largest(record.complement);
        size_t most = big.bytes.size > body.size ? big.bytes.size : body.size;
        while (record.complement.size >
               (size_t)limits->complement_factor * most + limits->complement_size) {
            struct lens_record rest = {.version = by, .complement = record.complement};
            if (!others(&rest, by, big.version, arena, &record.complement)) {
                return false;
            }
            big = largest(record.complement);
        }
    }
    *ret_record = record;
    return true;
}

bool
opaque_forget(const struct lens_record *record, unsigned first, unsigned last,
              struct arena *arena, struct slice *ret_complement)
{
    struct writer writer = writer_in(arena);
    struct cursor cursor = slots_over(record->complement);
    struct slot slot = {0};
    while (slot_next(&cursor, &slot)) {
        if (slot.version >= first && slot.version <= last) {
            slot_write(&writer, &slot);
        }
    }
    *ret_complement = writer_slice(&writer);
    return !writer.failed;
}
