#include "proto/codec/hash.h"

#include <stdlib.h>

#include "proto/codec/json.h"
#include "proto/codec/tree.h"

/* --- pieces ----------------------------------------------------------------------------- */

/* The first piece of *rest; false: there is none. */
static bool
take_piece(struct slice *rest, struct slice *ret_piece)
{
    uint64_t size = 0;
    for (size_t i = 0; i < HASH_VARINT_MAX && i < rest->size; i++) {
        uint8_t byte = (uint8_t)rest->data[i];
        size |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            size_t left = rest->size - i - 1;
            if (size > left) {
                return false;
            }
            *ret_piece = slice_make(rest->data + i + 1, (size_t)size);
            *rest = slice_make(ret_piece->data + size, left - (size_t)size);
            return true;
        }
    }
    return false;
}

bool
hash_take(struct slice *rest, struct slice *ret_field, struct slice *ret_value)
{
    struct slice left = *rest;
    if (!take_piece(&left, ret_field) || !take_piece(&left, ret_value)) {
        return false;
    }
    *rest = left;
    return true;
}

size_t
hash_piece_size(struct slice piece)
{
    size_t size = 1 + piece.size;
    for (size_t left = piece.size; left >= 0x80; left >>= 7) {
        size++;
    }
    return size;
}

char *
hash_piece_put(char *out, struct slice piece)
{
    size_t left = piece.size;
    for (; left >= 0x80; left >>= 7) {
        *out++ = (char)(left | 0x80);
    }
    *out++ = (char)left;
    if (piece.size > 0) {
        memcpy(out, piece.data, piece.size);
    }
    return out + piece.size;
}

bool
hash_holds_document(const struct codec *codec, struct slice field)
{
    for (size_t i = 0; i < codec->document_count; i++) {
        if (slice_equal(codec->documents[i], field)) {
            return true;
        }
    }
    return false;
}

bool
hash_is_text(struct slice body)
{
    struct slice field;
    struct slice value;
    while (hash_take(&body, &field, &value)) {
        if (!json_is_utf8(field) || !json_is_utf8(value)) {
            return false;
        }
    }
    return true;
}

static enum codec_status
check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    struct slice rest = text;
    struct slice field;
    struct slice value;
    while (hash_take(&rest, &field, &value)) {
    }
    *ret_offset = text.size - rest.size;
    return rest.size > 0 ? CODEC_BAD : depth_max > 0 ? CODEC_OK : CODEC_DEEP;
}

/* --- bytes as text ---------------------------------------------------------------------- */

enum { ESCAPED_SIZE = 3 }; /* a surrogate as three bytes, the way json_decode() gives it */

/* Bytes of the UTF-8 character that <text> starts with; 0: it starts with none. */
static size_t
character_size(struct slice text)
{
    for (size_t size = 1; size <= 4 && size <= text.size; size++) {
        if (json_is_utf8(slice_make(text.data, size))) {
            return size;
        }
    }
    return 0;
}

/* Append <bytes> as a JSON string. */
static void
string_put(struct buffer *out, struct slice bytes)
{
    if (json_is_utf8(bytes)) {
        json_encode(out, bytes);
        return;
    }
    struct buffer text;
    buffer_init(&text, 0);
    while (bytes.size > 0) {
        size_t size = character_size(bytes);
        if (size > 0) {
            buffer_append(&text, bytes.data, size);
        } else {
            uint8_t byte = (uint8_t)bytes.data[0];
            buffer_append_char(&text, (char)0xED);
            buffer_append_char(&text, (char)(0xB0 | (byte >> 6)));
            buffer_append_char(&text, (char)(0x80 | (byte & 0x3F)));
            size = 1;
        }
        bytes = slice_make(bytes.data + size, bytes.size - size);
    }
    json_encode(out, buffer_slice(&text));
    out->failed = out->failed || text.failed;
    buffer_fini(&text);
}

/* The bytes that a JSON string stands for. CODEC_RANGE: with a surrogate that stands for none.
 */
static enum codec_status
string_bytes(struct slice raw, struct arena *arena, struct slice *ret_bytes)
{
    struct slice text;
    if (!json_decode(raw, arena, &text)) {
        return CODEC_NO_MEMORY;
    }
    if (json_is_utf8(text)) {
        *ret_bytes = text;
        return CODEC_OK;
    }
    char *bytes = arena_alloc(arena, text.size);
    size_t size = 0;
    if (bytes == NULL) {
        return CODEC_NO_MEMORY;
    }
    for (size_t i = 0; i < text.size;) {
        const uint8_t *at = (const uint8_t *)text.data + i;
        if (at[0] == 0xED && text.size - i >= ESCAPED_SIZE && at[1] >= 0xA0) {
            if (at[1] != 0xB2 && at[1] != 0xB3) {
                return CODEC_RANGE;
            }
            bytes[size++] = (char)((at[1] & 0x03) << 6 | (at[2] & 0x3F));
            i += ESCAPED_SIZE;
        } else {
            bytes[size++] = text.data[i++];
        }
    }
    *ret_bytes = slice_make(bytes, size);
    return CODEC_OK;
}

/* --- documents -------------------------------------------------------------------------- */

/* Append a field that holds a document, with the white space around it. */
static enum codec_status
document_put(struct buffer *out, struct slice field, struct slice value, unsigned depth_max)
{
    size_t offset;
    enum codec_status status =
        depth_max == 0 ? CODEC_DEEP : json_check(value, depth_max - 1, &offset);
    if (status == CODEC_OK) {
        string_put(out, field);
        buffer_append_char(out, ':');
        buffer_append_slice(out, value);
    }
    return status;
}

static enum codec_status
document_open(const struct codec *codec, struct slice text, unsigned depth_max,
              struct arena *arena, struct codec_document *ret_document, size_t *ret_offset)
{
    struct slice rest = text;
    struct slice field;
    struct slice value;
    struct buffer out;
    enum codec_status status = check(text, depth_max, ret_offset);
    if (status != CODEC_OK) {
        return status;
    }
    buffer_init(&out, 0);
    buffer_append_char(&out, '{');
    while (status == CODEC_OK && hash_take(&rest, &field, &value)) {
        if (out.size > 1) {
            buffer_append_char(&out, ',');
        }
        if (hash_holds_document(codec, field)) {
            status = document_put(&out, field, value, depth_max);
            *ret_offset = (size_t)(value.data - text.data);
        } else {
            string_put(&out, field);
            buffer_append_char(&out, ':');
            string_put(&out, value);
        }
    }
    buffer_append_char(&out, '}');
    *ret_document = (struct codec_document){.form = 0};
    if (status == CODEC_OK &&
        (out.failed || !arena_copy(arena, buffer_slice(&out), &ret_document->value))) {
        status = CODEC_NO_MEMORY;
    }
    buffer_fini(&out);
    return status;
}

static int
compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

bool
hash_has_twins(struct slice body, struct arena *arena, bool *ret_has)
{
    struct slice field;
    struct slice value;
    size_t count = 0;
    *ret_has = false;
    for (struct slice rest = body; hash_take(&rest, &field, &value);) {
        count++;
    }
    struct slice *names = arena_alloc(arena, (count + 1) * sizeof(*names));
    if (names == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        (void)hash_take(&body, &names[i], &value);
    }
    qsort(names, count, sizeof(*names), compare);
    for (size_t i = 1; i < count && !*ret_has; i++) {
        *ret_has = slice_equal(names[i - 1], names[i]);
    }
    return true;
}

/* The bytes of the field that <item> is; CODEC_RANGE with *ret_problem. */
static enum codec_status
field_bytes(const struct codec *codec, const struct codec_item *item, struct arena *arena,
            struct slice *ret_field, struct slice *ret_value, const char **ret_problem)
{
    struct slice key = slice_make(item->key, (size_t)(item->colon - item->key));
    struct slice raw = slice_make(item->value, (size_t)(item->trail - item->value));
    enum codec_status status = string_bytes(key, arena, ret_field);
    if (status == CODEC_OK && hash_holds_document(codec, *ret_field)) {
        /* A member that was moved here may have white space before its colon, too. */
        const char *colon = memchr(item->colon, ':', (size_t)(item->value - item->colon));
        size_t before = (size_t)(colon - item->colon);
        size_t size = (size_t)(item->end - colon - 1);
        char *value = arena_alloc(arena, before + size);
        if (value == NULL) {
            return CODEC_NO_MEMORY;
        }
        memcpy(value, item->colon, before);
        memcpy(value + before, colon + 1, size);
        *ret_value = slice_make(value, before + size);
        return CODEC_OK;
    }
    if (status == CODEC_OK && raw.data[0] != '"') {
        *ret_problem = "a field that holds no document has a place for strings only";
        return CODEC_RANGE;
    }
    if (status == CODEC_OK) {
        status = string_bytes(raw, arena, ret_value);
    }
    if (status == CODEC_RANGE) {
        *ret_problem = "text that is no UTF-8";
    }
    return status;
}

static enum codec_status
document_close(const struct codec *codec, const struct codec_document *document,
               struct tree_node *root, struct slice value, struct arena *arena,
               struct slice *ret_text, const char **ret_problem)
{
    struct codec_walk walk;
    struct codec_item item;
    enum codec_status status = CODEC_OK;
    struct buffer out;
    (void)document;
    (void)root;
    if (value.size == 0 || value.data[0] != '{') {
        *ret_problem = "a hash has a place for objects only";
        return CODEC_RANGE;
    }
    buffer_init(&out, 0);
    json_walk_init(&walk, value.data, value.data + value.size);
    while (status == CODEC_OK && json_walk_next(&walk, &item)) {
        struct slice field;
        struct slice bytes;
        status = field_bytes(codec, &item, arena, &field, &bytes, ret_problem);
        if (status == CODEC_OK) {
            size_t size = hash_piece_size(field) + hash_piece_size(bytes);
            char *at = buffer_reserve(&out, size);
            if (at != NULL) {
                (void)hash_piece_put(hash_piece_put(at, field), bytes);
                buffer_commit(&out, size);
            }
        }
    }
    if (status == CODEC_OK &&
        (out.failed || !arena_copy(arena, buffer_slice(&out), ret_text))) {
        status = CODEC_NO_MEMORY;
    }
    buffer_fini(&out);
    return status;
}

const struct codec codec_hash = {
    .name = "hash",
    .document = "a hash with JSON where its schema says so",
    .values = &codec_json,
    .is_hash = true,
    .check = check,
    .document_open = document_open,
    .document_close = document_close,
};
