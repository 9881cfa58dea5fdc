#include "proto/lens/memory.h"

enum { MEMORY_FORMAT = 1, MEMORY_FINGERPRINT_SIZE = 8 };

uint64_t
cursor_number(struct cursor *cursor)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 63 && cursor->at < cursor->end; shift += 7) {
        uint8_t byte = (uint8_t)*cursor->at++;
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            return number;
        }
    }
    cursor->bad = true;
    cursor->at = cursor->end;
    return 0;
}

struct slice
cursor_bytes(struct cursor *cursor, uint64_t size)
{
    if (cursor->bad || size > (uint64_t)(cursor->end - cursor->at)) {
        cursor->bad = true;
        cursor->at = cursor->end;
        return slice_make(cursor->end, 0);
    }
    struct slice bytes = slice_make(cursor->at, (size_t)size);
    cursor->at += size;
    return bytes;
}

struct slice
cursor_text(struct cursor *cursor)
{
    uint64_t size = cursor_number(cursor);
    return cursor_bytes(cursor, size);
}

bool
memory_read(struct slice list, size_t count, struct arena *arena, struct slice **ret_entries)
{
    struct slice *entries = arena_calloc(arena, count, sizeof(*entries));
    struct cursor cursor = cursor_over(list);
    if (entries == NULL) {
        return false;
    }
    while (cursor_more(&cursor)) {
        uint64_t index = cursor_number(&cursor);
        struct slice entry = cursor_text(&cursor);
        if (cursor.bad || index >= count) {
            break;
        }
        entries[index] = entry;
    }
    *ret_entries = entries;
    return true;
}

bool
memory_write(const struct slice *entries, size_t count, struct arena *arena,
             struct slice *ret_list)
{
    struct writer writer = writer_in(arena);
    for (size_t i = 0; i < count; i++) {
        if (entries[i].size > 0) {
            writer_number(&writer, i);
            writer_text(&writer, entries[i]);
        }
    }
    *ret_list = writer_slice(&writer);
    return !writer.failed;
}

bool
memory_sections(const struct lens_schema *schema, struct slice complement, struct arena *arena,
                struct section **ret_sections, size_t *ret_count)
{
    struct cursor cursor = cursor_over(complement);
    struct section *sections = NULL;
    size_t count = 0;
    unsigned last = 0;
    if (complement.size > 0 && cursor_number(&cursor) == MEMORY_FORMAT) {
        sections = arena_calloc(arena, schema->version_count, sizeof(*sections));
        if (sections == NULL) {
            return false;
        }
        while (cursor_more(&cursor)) {
            uint64_t version = cursor_number(&cursor);
            struct slice fingerprint = cursor_bytes(&cursor, MEMORY_FINGERPRINT_SIZE);
            struct slice list = cursor_text(&cursor);
            if (cursor.bad || version <= last || version >= schema->version_count) {
                break;
            }
            last = (unsigned)version;
            if (memcmp(fingerprint.data, &schema->steps[last - 1].fingerprint,
                       MEMORY_FINGERPRINT_SIZE) == 0) {
                sections[count++] = (struct section){.version = last, .list = list};
            }
        }
    }
    *ret_sections = sections;
    *ret_count = count;
    return true;
}

bool
memory_complement(const struct lens_schema *schema, const struct slice *lists,
                  struct arena *arena, struct slice *ret_complement)
{
    struct writer writer = writer_in(arena);
    for (unsigned v = 1; v < schema->version_count; v++) {
        if (lists[v - 1].size == 0) {
            continue;
        }
        if (writer.size == 0) {
            writer_number(&writer, MEMORY_FORMAT);
        }
        writer_number(&writer, v);
        writer_bytes(&writer,
                     slice_make(&schema->steps[v - 1].fingerprint, MEMORY_FINGERPRINT_SIZE));
        writer_text(&writer, lists[v - 1]);
    }
    *ret_complement = writer_slice(&writer);
    return !writer.failed;
}
