#include "proto/codec/php.h"

#include <stdio.h>

#include "proto/base/check.h"
#include "proto/codec/php_reference.h"
#include "proto/codec/php_scan.h"

/* The valid value that starts at <at>: behind it. */
static const char *
value_skip(const char *at, const char *end, enum kind *ret_kind)
{
    enum codec_status status;
    const char *where;
    at = php_value_end(at, end, CODEC_DEPTH_MAX, &status, &where, ret_kind, NULL, NULL);
    CHECK(at != NULL);
    return at;
}

static enum codec_status
value_check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    const char *end = text.data + text.size;
    const char *where = text.data;
    enum codec_status status = CODEC_BAD;
    enum kind kind;
    CHECK(depth_max <= CODEC_DEPTH_MAX);
    if (text.size > 0) {
        const char *at =
            php_value_end(text.data, end, depth_max, &status, &where, &kind, NULL, NULL);
        if (at == end) {
            return CODEC_OK;
        }
        if (at != NULL) {
            status = CODEC_BAD;
            where = at;
        }
    }
    *ret_offset = text.size == 0 ? 0 : (size_t)(where - text.data);
    return status;
}

static bool
is_value(struct slice raw, unsigned depth_max)
{
    size_t offset;
    return value_check(raw, depth_max, &offset) == CODEC_OK;
}

static enum kind
kind(struct slice raw)
{
    enum kind kind;
    (void)value_skip(raw.data, raw.data + raw.size, &kind);
    return kind;
}

static void
walk_init(struct codec_walk *walk, struct slice raw)
{
    uint64_t count = 0;
    const char *end = raw.data + raw.size;
    const char *at = php_size_end(raw.data + 2, end, &count);
    CHECK(at != NULL);
    *walk = (struct codec_walk){.at = at + 1, .end = end, .left = count, .object = true};
}

static bool
walk_next(struct codec_walk *walk, struct codec_item *item)
{
    struct slice text;
    if (walk->left == 0) {
        return false;
    }
    walk->left--;
    item->start = item->key = walk->at;
    item->escaped = false;
    item->colon = item->value = php_key_end(walk->at, walk->end, &text);
    CHECK(item->value != NULL);
    walk->at = item->trail = item->end = value_skip(item->value, walk->end, &item->kind);
    return true;
}

/* --- sessions: name|value name|value … -------------------------------------------------- */

/* One variable from <at> on: behind it, or NULL. */
static const char *
variable_end(const char *at, const char *end, unsigned depth_max, struct slice *ret_name,
             enum codec_status *ret_status, const char **ret_at)
{
    enum kind kind;
    const char *bar = memchr(at, '|', (size_t)(end - at));
    *ret_status = CODEC_BAD;
    *ret_at = at;
    if (bar == NULL) {
        return NULL;
    }
    *ret_name = slice_make(at, (size_t)(bar - at));
    return php_value_end(bar + 1, end, depth_max, ret_status, ret_at, &kind, NULL, NULL);
}

/* How many variables a session holds. */
static enum codec_status
session_check(struct slice text, unsigned depth_max, size_t *ret_count, size_t *ret_offset)
{
    const char *end = text.data + text.size;
    struct slice name;
    enum codec_status status = CODEC_OK;
    size_t count = 0;
    if (depth_max == 0) {
        *ret_offset = 0;
        return CODEC_DEEP;
    }
    for (const char *at = text.data; at < end; count++) {
        const char *where;
        at = variable_end(at, end, depth_max - 1, &name, &status, &where);
        if (at == NULL) {
            *ret_offset = (size_t)(where - text.data);
            return status;
        }
    }
    *ret_count = count;
    return CODEC_OK;
}

/*
 * What is a value is no session; of what is neither, say what is wrong with the session that
 * it looks like, if it does.
 */
static enum codec_status
document_check(struct slice text, unsigned depth_max, enum php_form *ret_form,
               size_t *ret_count, size_t *ret_offset)
{
    size_t offset = 0;
    enum codec_status status = value_check(text, depth_max, ret_offset);
    *ret_form = PHP_VALUE;
    if (status == CODEC_BAD) {
        status = session_check(text, depth_max, ret_count, &offset);
        *ret_form = PHP_SESSION;
        if (status != CODEC_BAD || offset > *ret_offset) {
            *ret_offset = offset;
        }
    }
    return status;
}

static enum codec_status
check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    enum php_form form;
    size_t count;
    return document_check(text, depth_max, &form, &count, ret_offset);
}

static struct slice
put_key(char *out, size_t size, struct slice text)
{
    int64_t number;
    int head = slice_to_int64(text, &number) ? snprintf(out, size, "i:%lld;", (long long)number)
                                             : snprintf(out, size, "s:%zu:\"", text.size);
    return slice_make(out, (size_t)head);
}

static enum codec_status
document_open(const struct codec *codec, struct slice text, unsigned depth_max,
              struct arena *arena, struct codec_document *ret_document, size_t *ret_offset)
{
    (void)codec;
    const char *end = text.data + text.size;
    struct slice name;
    enum php_form form;
    const char *where;
    size_t count = 0;
    enum codec_status status = document_check(text, depth_max, &form, &count, ret_offset);
    if (status != CODEC_OK) {
        return status;
    }
    *ret_document = (struct codec_document){.value = text, .form = form};
    if (form == PHP_VALUE) {
        if (text.data[0] != 'a') {
            ret_document->form = PHP_SESSION; /* which only an array can look like */
        }
        return CODEC_OK;
    }
    /* A key takes 4 + 20 + 1 bytes more than its name at most, here and behind it. */
    char *value = arena_alloc(arena, text.size + count * 32 + 32);
    if (value == NULL) {
        return CODEC_NO_MEMORY;
    }
    size_t size = (size_t)snprintf(value, 32, "a:%zu:{", count);
    for (const char *at = text.data; at < end;) {
        at = variable_end(at, end, CODEC_DEPTH_MAX, &name, &status, &where);
        size += put_key(value + size, 32, name).size;
        if (value[size - 1] == '"') {
            if (name.size > 0) {
                memcpy(value + size, name.data, name.size);
            }
            memcpy(value + size + name.size, "\";", 2);
            size += name.size + 2;
        }
        const char *raw = name.data + name.size + 1;
        memcpy(value + size, raw, (size_t)(at - raw));
        size += (size_t)(at - raw);
    }
    value[size++] = '}';
    ret_document->value = slice_make(value, size);
    return CODEC_OK;
}

static enum codec_status
document_close(const struct codec *codec, const struct codec_document *document,
               struct tree_node *root, struct slice value, struct arena *arena,
               struct slice *ret_text, const char **ret_problem)
{
    (void)codec;
    struct codec_walk walk;
    struct codec_item item;
    if (!php_references_stay(document, root, arena)) {
        *ret_problem = "a reference (R: or r:) would lose what it refers to";
        return CODEC_REFERENCE;
    }
    if (document->form != PHP_SESSION || value.size == 0 || value.data[0] != 'a') {
        *ret_text = value;
        return CODEC_OK;
    }
    char *text = arena_alloc(arena, value.size);
    size_t size = 0;
    if (text == NULL) {
        return CODEC_NO_MEMORY;
    }
    walk_init(&walk, value);
    while (walk_next(&walk, &item)) {
        struct slice name;
        (void)php_key_end(item.key, item.value, &name);
        if (name.size > 0) {
            if (memchr(name.data, '|', name.size) != NULL) {
                *ret_problem = "a session has no place for a name with a bar";
                return CODEC_RANGE;
            }
            memcpy(text + size, name.data, name.size);
        }
        text[size + name.size] = '|';
        size += name.size + 1;
        memcpy(text + size, item.value, (size_t)(item.end - item.value));
        size += (size_t)(item.end - item.value);
    }
    *ret_text = slice_make(text, size);
    return CODEC_OK;
}

/* --- names and strings ----------------------------------------------------------------- */

static bool
key_is(struct slice raw, struct slice text)
{
    return slice_equal(php_key_label(raw), text);
}

static int
key_compare(struct slice raw_a, struct slice raw_b)
{
    return slice_compare(php_key_label(raw_a), php_key_label(raw_b));
}

static bool
key_text(struct slice raw, struct arena *arena, struct slice *ret_text)
{
    (void)arena;
    *ret_text = php_key_label(raw);
    return true;
}

static bool
key_is_valid(struct slice raw)
{
    struct slice text;
    return raw.size > 0 &&
           php_key_end(raw.data, raw.data + raw.size, &text) == raw.data + raw.size;
}

static bool
string_text(struct slice raw, struct arena *arena, struct slice *ret_text)
{
    return key_text(raw, arena, ret_text);
}

static bool
string_encode(struct arena *arena, struct slice text, struct slice *ret_raw)
{
    char *raw = arena_alloc(arena, text.size + 32);
    if (raw == NULL) {
        return false;
    }
    size_t size = (size_t)snprintf(raw, 32, "s:%zu:\"", text.size);
    if (text.size > 0) {
        memcpy(raw + size, text.data, text.size);
    }
    memcpy(raw + size + text.size, "\";", 2);
    *ret_raw = slice_make(raw, size + text.size + 2);
    return true;
}

static bool
key_encode(struct arena *arena, struct slice text, struct slice *ret_raw)
{
    char key[32];
    struct slice head = put_key(key, sizeof(key), text);
    return key[0] == 'i' ? arena_copy(arena, head, ret_raw)
                         : string_encode(arena, text, ret_raw);
}

static int
string_compare(struct slice raw_a, struct slice raw_b)
{
    return key_compare(raw_a, raw_b);
}

/* --- numbers --------------------------------------------------------------------------- */

static enum codec_status
number_text(struct slice raw, struct arena *arena, struct slice *ret_number)
{
    struct slice text = slice_make(raw.data + 2, raw.size - 3);
    *ret_number = text;
    if (raw.data[0] == 'i') {
        return CODEC_OK;
    }
    if (!php_is_digit(text.data[text.size - 1])) {
        return CODEC_RANGE; /* INF, NAN */
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '.' || (text.data[i] | 0x20) == 'e') {
            return CODEC_OK;
        }
    }
    char *marked = arena_alloc(arena, text.size + 2); /* a float of integral value */
    if (marked == NULL) {
        return CODEC_NO_MEMORY;
    }
    memcpy(marked, text.data, text.size);
    memcpy(marked + text.size, ".0", 2);
    *ret_number = slice_make(marked, text.size + 2);
    return CODEC_OK;
}

static enum codec_status
number_encode(struct arena *arena, struct slice number, struct slice *ret_raw)
{
    int64_t integer;
    char type = 'd';
    if (slice_equal(number, SLICE_OF("-0"))) {
        number = SLICE_OF("0");
    }
    if (slice_to_int64(number, &integer)) {
        type = 'i';
    } else if (php_integer_end(number.data, number.data + number.size) ==
               number.data + number.size) {
        return CODEC_RANGE;
    } else if (number.size > 2 && memcmp(number.data + number.size - 2, ".0", 2) == 0) {
        number.size -= 2; /* as PHP writes it */
    }
    char *raw = arena_alloc(arena, number.size + 3);
    if (raw == NULL) {
        return CODEC_NO_MEMORY;
    }
    raw[0] = type;
    raw[1] = ':';
    memcpy(raw + 2, number.data, number.size);
    raw[2 + number.size] = ';';
    *ret_raw = slice_make(raw, number.size + 3);
    return CODEC_OK;
}

static size_t
put_header(struct slice raw, uint64_t count, char *out)
{
    (void)raw;
    return (size_t)snprintf(out, CODEC_HEADER_MAX, "a:%llu:{", (unsigned long long)count);
}

const struct codec codec_php = {
    .name = "php",
    .document = "a PHP session or serialized value",
    .colon = SLICE(""),
    .is_position = php_is_position,
    .null = SLICE("N;"),
    .truth = {SLICE("b:0;"), SLICE("b:1;")},
    .empty_array = SLICE("a:0:{}"),
    .empty_object = SLICE("a:0:{}"),
    .one_before = SLICE("a:1:{i:0;"),
    .one_after = SLICE("}"),
    .check = check,
    .form_alone = PHP_SESSION,
    .form_inside = PHP_VALUE,
    .document_open = document_open,
    .document_close = document_close,
    .is_value = is_value,
    .kind = kind,
    .refers = php_refers,
    .walk_init = walk_init,
    .walk_next = walk_next,
    .key_is = key_is,
    .key_compare = key_compare,
    .key_text = key_text,
    .key_label = php_key_label,
    .key_has_text = key_is,
    .key_is_valid = key_is_valid,
    .key_encode = key_encode,
    .string_text = string_text,
    .string_encode = string_encode,
    .string_compare = string_compare,
    .is_text_or_bytes = true,
    .number_text = number_text,
    .number_encode = number_encode,
    .put_header = put_header,
    .footer = SLICE("}"),
};
