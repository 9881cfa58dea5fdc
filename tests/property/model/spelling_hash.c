/*
 * The fields of a Redis hash, see proto/codec/hash.h: those that documents have members of hold
 * JSON, others text. What is no object is no hash, and written as bytes that are none.
 */
#include "tests/property/model/spelling_format.h"

#include "tests/property/model/generate.h"

static bool
take_piece(struct spelling_reader *reader, struct slice *ret_piece)
{
    uint64_t size = 0;
    unsigned shift = 0;
    uint8_t byte;
    do {
        if (reader->at == reader->end || shift > 28) {
            return false;
        }
        byte = (uint8_t)*reader->at++;
        size |= (uint64_t)(byte & 0x7F) << shift;
        shift += 7;
    } while (byte >= 0x80);
    if (size > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    *ret_piece = slice_make(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

struct value *
spelling_hash_take(struct spelling_reader *reader, size_t depth)
{
    struct value *hash = value_new(reader->arena, VALUE_OBJECT);
    const char *start = reader->at;
    if (depth >= reader->depth_max) {
        reader->deep = true;
        return NULL;
    }
    reader->depth_seen = reader->depth_seen > 1 ? reader->depth_seen : 1;
    while (reader->at < reader->end) {
        struct slice name;
        struct slice text;
        struct value *value;
        size_t deep = 0;
        const char *field = reader->at;
        if (!take_piece(reader, &name)) {
            return NULL;
        }
        struct slice raw_name = slice_make(field, (size_t)(reader->at - field));
        if (!take_piece(reader, &text)) {
            return NULL;
        }
        if (!generate_names(name)) {
            value_append(reader->arena, hash, name, value_slice(reader->arena, text));
            hash->members[hash->count - 1].raw_name = raw_name;
            continue;
        }
        switch (value_parse(reader->arena, text, reader->depth_max - 1, &value, &deep)) {
        case VALUE_PARSE_OK:
            break;
        case VALUE_PARSE_DEEP:
            reader->deep = true;
            return NULL;
        default:
            return NULL;
        }
        value->raw = text; /* with the white space around it: all of it is the field's */
        reader->depth_seen = deep + 1 > reader->depth_seen ? deep + 1 : reader->depth_seen;
        value_append(reader->arena, hash, name, value);
        hash->members[hash->count - 1].raw_name = raw_name;
    }
    hash->raw = slice_make(start, (size_t)(reader->end - start));
    return hash;
}

static void
put_piece(struct buffer *out, struct slice piece)
{
    size_t left = piece.size;
    for (; left >= 0x80; left >>= 7) {
        buffer_append_char(out, (char)(left | 0x80));
    }
    buffer_append_char(out, (char)left);
    buffer_append_slice(out, piece);
}

void
spelling_hash_put(struct buffer *out, const struct value *value, enum value_style style,
                  struct prng *prng)
{
    size_t stride;
    if (style == VALUE_RAW && value->raw.size > 0) {
        buffer_append_slice(out, value->raw);
        return;
    }
    if (value->kind != VALUE_OBJECT) {
        buffer_append_char(out, '\x05');
        return;
    }
    size_t first = spelling_shuffled(value, style, prng, &stride);
    /* White space before a colon does not come through moves to and from fields: DESIGN. */
    if (style == VALUE_DRESSED || style == VALUE_SHUFFLED) {
        style = VALUE_INDENTED;
    }
    for (size_t i = 0; i < value->count; i++) {
        const struct member *member = &value->members[(first + i * stride) % value->count];
        if (spelling_is_mixed() && value_get(value, member->name) != member->value) {
            continue; /* a hash has every field once; other codecs say so */
        }
        struct buffer text;
        buffer_init(&text, 0);
        if (generate_names(member->name) || member->value->kind != VALUE_STRING) {
            value_print(&text, member->value, style, prng);
        } else {
            buffer_append_slice(&text, member->value->text);
        }
        put_piece(out, member->name);
        put_piece(out, buffer_slice(&text));
        buffer_fini(&text);
    }
}
