#include "tests/property/model/spelling_format.h"

#include "proto/base/check.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- shared ---------------------------------------------------------------------------- */

static char *
terminated(struct slice text, char out[64])
{
    size_t size = text.size < 63 ? text.size : 63;
    memcpy(out, text.data, size);
    out[size] = '\0';
    return out;
}

bool
spelling_int64(struct slice text, int64_t *ret_number)
{
    char buf[64];
    char *end;
    errno = 0;
    *ret_number = strtoll(terminated(text, buf), &end, 10);
    return text.size < 40 && *end == '\0' && errno == 0;
}

bool
spelling_uint64(struct slice text, uint64_t *ret_number)
{
    char buf[64];
    char *end;
    errno = 0;
    *ret_number = strtoull(terminated(text, buf), &end, 10);
    return text.size < 40 && text.data[0] != '-' && *end == '\0' && errno == 0;
}

bool
spelling_double(struct slice text, double *ret_number)
{
    char buf[64];
    *ret_number = strtod(terminated(text, buf), NULL);
    return text.size < 60 && isfinite(*ret_number);
}

bool
spelling_is_whole(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((text.data[i] < '0' || text.data[i] > '9') && (i > 0 || text.data[i] != '-')) {
            return false;
        }
    }
    return true;
}

/* The number as text, owned by the arena. */
static struct value *
number(struct spelling_reader *reader, const char *text)
{
    struct value *value = value_new(reader->arena, VALUE_NUMBER);
    CHECK(arena_copy(reader->arena, slice_from_string(text), &value->text));
    return value;
}

/* What JSON does not know: told apart by its bytes. */
static struct value *
foreign(struct spelling_reader *reader, struct slice raw)
{
    char *text = arena_alloc(reader->arena, raw.size + 1);
    CHECK(text != NULL);
    text[0] = '\xff';
    memcpy(text + 1, raw.data, raw.size);
    return value_slice(reader->arena, slice_make(text, raw.size + 1));
}

static bool
go_deeper(struct spelling_reader *reader, size_t depth)
{
    if (depth >= reader->depth_max) {
        reader->deep = true;
        return false;
    }
    reader->depth_seen = depth + 1 > reader->depth_seen ? depth + 1 : reader->depth_seen;
    return true;
}

/* --- MessagePack ----------------------------------------------------------------------- */

static bool
take_big_endian(struct spelling_reader *reader, size_t width, uint64_t *ret_number)
{
    uint64_t result = 0;
    if ((size_t)(reader->end - reader->at) < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        result = result << 8 | (uint8_t)*reader->at++;
    }
    *ret_number = result;
    return true;
}

static struct value *
take_bytes(struct spelling_reader *reader, const char *start, uint64_t size, bool str)
{
    if (size > (uint64_t)(reader->end - reader->at)) {
        return NULL;
    }
    struct slice bytes = slice_make(reader->at, (size_t)size);
    reader->at += size;
    return str ? value_slice(reader->arena, bytes)
               : foreign(reader, slice_make(start, (size_t)(reader->at - start)));
}

/* The shortest decimal of a float; NULL for one that is no number. */
static struct value *
number_of(struct arena *arena, double number, bool single)
{
    char text[40];
    struct value *value = value_new(arena, VALUE_NUMBER);
    if (!isfinite(number)) {
        return NULL;
    }
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number) {
            break;
        }
    }
    CHECK(arena_copy(arena, slice_from_string(text), &value->text));
    return value;
}

struct value *
spelling_float(struct arena *arena, double number)
{
    return number_of(arena, number, false);
}

static struct value *
take_float(struct spelling_reader *reader, const char *start, size_t width)
{
    uint64_t bits = 0;
    double value;
    if (!take_big_endian(reader, width, &bits)) {
        return NULL;
    }
    if (width == 4) {
        uint32_t word = (uint32_t)bits;
        float single;
        memcpy(&single, &word, 4);
        value = (double)single;
    } else {
        memcpy(&value, &bits, 8);
    }
    struct value *result = width == 4 ? number_of(reader->arena, value, true)
                                      : spelling_float(reader->arena, value);
    return result != NULL ? result : foreign(reader, slice_make(start, width + 1));
}

static struct value *msgpack_take(struct spelling_reader *reader, size_t depth);

static struct value *
take_children(struct spelling_reader *reader, bool map, uint64_t count, size_t depth)
{
    struct value *value = value_new(reader->arena, map ? VALUE_OBJECT : VALUE_ARRAY);
    if (!go_deeper(reader, depth)) {
        return NULL;
    }
    for (; count > 0; count--) {
        struct member member = {0};
        if (map) {
            const char *key = reader->at;
            struct value *name = msgpack_take(reader, depth + 1);
            if (name == NULL) {
                return NULL;
            }
            member.raw_name = slice_make(key, (size_t)(reader->at - key));
            member.name = name->kind == VALUE_STRING ? name->text
                                                     : foreign(reader, member.raw_name)->text;
        }
        if ((member.value = msgpack_take(reader, depth + 1)) == NULL) {
            return NULL;
        }
        value_append(reader->arena, value, member.name, member.value);
        value->members[value->count - 1].raw_name = member.raw_name;
    }
    return value;
}

static struct value *
msgpack_take_any(struct spelling_reader *reader, size_t depth)
{
    char text[32];
    const char *start = reader->at;
    uint64_t bits = 0;
    if (reader->at == reader->end) {
        return NULL;
    }
    uint8_t first = (uint8_t)*reader->at++;
    if (first <= 0x7f || first >= 0xe0) {
        (void)snprintf(text, sizeof(text), "%d", first <= 0x7f ? first : first - 256);
        return number(reader, text);
    }
    if (first <= 0x8f || (first >= 0x90 && first <= 0x9f)) {
        return take_children(reader, first <= 0x8f, first & 0x0f, depth);
    }
    if (first <= 0xbf) {
        return take_bytes(reader, start, first & 0x1f, true);
    }
    switch (first) {
    case 0xc0:
        return value_new(reader->arena, VALUE_NULL);
    case 0xc2:
        return value_new(reader->arena, VALUE_FALSE);
    case 0xc3:
        return value_new(reader->arena, VALUE_TRUE);
    case 0xca:
        return take_float(reader, start, 4);
    case 0xcb:
        return take_float(reader, start, 8);
    case 0xdc:
    case 0xdd:
    case 0xde:
    case 0xdf:
        return take_big_endian(reader, first & 1 ? 4 : 2, &bits)
                   ? take_children(reader, first >= 0xde, bits, depth)
                   : NULL;
    default:
        break;
    }
    if (first >= 0xcc && first <= 0xd3) {
        size_t width = (size_t)1 << (first & 3);
        if (!take_big_endian(reader, width, &bits)) {
            return NULL;
        }
        if (first >= 0xd0) {
            if (width < 8 && bits >> (8 * width - 1) != 0) {
                bits |= UINT64_MAX << (8 * width);
            }
            (void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)bits);
        } else {
            (void)snprintf(text, sizeof(text), "%" PRIu64, bits);
        }
        return number(reader, text);
    }
    if (first >= 0xd9 && first <= 0xdb) {
        return take_big_endian(reader, (size_t)1 << (first - 0xd9), &bits)
                   ? take_bytes(reader, start, bits, true)
                   : NULL;
    }
    if (first >= 0xc4 && first <= 0xc9) {
        bool extension = first >= 0xc7;
        return take_big_endian(reader, (size_t)1 << (first - (extension ? 0xc7 : 0xc4)), &bits)
                   ? take_bytes(reader, start, bits + extension, false)
                   : NULL;
    }
    if (first >= 0xd4 && first <= 0xd8) {
        return take_bytes(reader, start, 1 + ((uint64_t)1 << (first - 0xd4)), false);
    }
    return NULL;
}

static struct value *
msgpack_take(struct spelling_reader *reader, size_t depth)
{
    const char *start = reader->at;
    struct value *value = msgpack_take_any(reader, depth);
    if (value != NULL) {
        value->raw = slice_make(start, (size_t)(reader->at - start));
    }
    return value;
}

static void
put_big_endian(struct buffer *out, unsigned first, uint64_t bits, unsigned width)
{
    buffer_append_char(out, (char)first);
    for (unsigned i = width; i-- > 0;) {
        buffer_append_char(out, (char)(bits >> (8 * i)));
    }
}

/* One step wider than need be, now and then, where the style is odd. */
static unsigned
wider(enum value_style style, struct prng *prng)
{
    return style >= VALUE_DRESSED && prng_chance(prng, 20) ? 1 : 0;
}

static void
put_integer(struct buffer *out, int64_t value, unsigned wide)
{
    unsigned step = value >= -32 && value <= 127               ? 0
                    : value >= INT8_MIN && value <= INT8_MAX   ? 1
                    : value >= INT16_MIN && value <= INT16_MAX ? 2
                    : value >= INT32_MIN && value <= INT32_MAX ? 3
                                                               : 4;
    step = step + wide > 4 ? 4 : step + wide;
    if (step == 0) {
        buffer_append_char(out, (char)value);
    } else {
        put_big_endian(out, 0xd0 + step - 1, (uint64_t)value, 1u << (step - 1));
    }
}

static void
put_number(struct buffer *out, struct slice text, enum value_style style, struct prng *prng)
{
    int64_t integer;
    uint64_t natural;
    double real;
    uint64_t bits;
    if (spelling_int64(text, &integer)) {
        put_integer(out, integer, wider(style, prng));
    } else if (spelling_uint64(text, &natural)) {
        put_big_endian(out, 0xcf, natural, 8);
    } else if (spelling_double(text, &real)) {
        memcpy(&bits, &real, sizeof(bits));
        put_big_endian(out, 0xcb, bits, 8);
    } else {
        buffer_append_char(out, 7);
    }
}

static void
put_str(struct buffer *out, struct slice text, unsigned wide)
{
    unsigned step = (text.size < 32 ? 0 : text.size < 256 ? 1 : text.size < 65536 ? 2 : 3);
    step = step + wide > 3 ? 3 : step + wide;
    if (step == 0) {
        buffer_append_char(out, (char)(0xa0 + text.size));
    } else {
        put_big_endian(out, 0xd9 + step - 1, text.size, 1u << (step - 1));
    }
    buffer_append_slice(out, text);
}

/* Where a shuffled object starts, and how it goes on: as value_print() does it. */
size_t
spelling_shuffled(const struct value *value, enum value_style style, struct prng *prng,
                  size_t *ret_stride)
{
    *ret_stride = 1;
    if (value->kind != VALUE_OBJECT || style != VALUE_SHUFFLED || value->count < 2) {
        return 0;
    }
    size_t first = prng_below(prng, value->count);
    *ret_stride = prng_chance(prng, 50) ? 1 : value->count - 1;
    return first;
}

static void
msgpack_put(struct buffer *out, const struct value *value, enum value_style style,
            struct prng *prng)
{
    bool map = value->kind == VALUE_OBJECT;
    size_t stride;
    if (style == VALUE_RAW && value->raw.size > 0) {
        buffer_append_slice(out, value->raw);
        return;
    }
    switch (value->kind) {
    case VALUE_NULL:
        buffer_append_char(out, '\xc0');
        return;
    case VALUE_FALSE:
    case VALUE_TRUE:
        buffer_append_char(out, value->kind == VALUE_TRUE ? '\xc3' : '\xc2');
        return;
    case VALUE_NUMBER:
        put_number(out, value->text, style, prng);
        return;
    case VALUE_STRING:
        put_str(out, value->text, wider(style, prng));
        return;
    default:
        break;
    }
    if (value->count < 16 && style != VALUE_SPACED) {
        buffer_append_char(out, (char)((map ? 0x80 : 0x90) + value->count));
    } else { /* as some write every header */
        bool wide = value->count >= 65536 || style == VALUE_SPACED;
        put_big_endian(out, (map ? 0xdeu : 0xdcu) + wide, value->count, wide ? 4 : 2);
    }
    size_t first = spelling_shuffled(value, style, prng, &stride);
    for (size_t i = 0; i < value->count; i++) {
        const struct member *member = &value->members[(first + i * stride) % value->count];
        if (map && style == VALUE_RAW && member->raw_name.size > 0) {
            buffer_append_slice(out, member->raw_name);
        } else if (map) {
            put_str(out, member->name, wider(style, prng));
        }
        msgpack_put(out, member->value, style, prng);
    }
}

/* --- PHP's serialize() ------------------------------------------------------------------ */

/* Digits up to <close>, behind which the reader then stands. */
static bool
take_until(struct spelling_reader *reader, char close, struct slice *ret_text)
{
    const char *stop = reader->at == reader->end
                           ? NULL
                           : memchr(reader->at, close, (size_t)(reader->end - reader->at));
    if (stop == NULL) {
        return false;
    }
    *ret_text = slice_make(reader->at, (size_t)(stop - reader->at));
    reader->at = stop + 1;
    return true;
}

static bool
take_literal(struct spelling_reader *reader, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, text, size) != 0) {
        return false;
    }
    reader->at += size;
    return true;
}

/* No zeros in front, no sign but a minus. */
static bool
is_canonical(struct slice text)
{
    size_t at = text.size > 0 && text.data[0] == '-';
    bool zero = at < text.size && text.data[at] == '0';
    bool digits = at < text.size;
    for (size_t i = at; i < text.size; i++) {
        digits = digits && text.data[i] >= '0' && text.data[i] <= '9';
    }
    return digits && (!zero || text.size == at + 1);
}

static bool
take_count(struct spelling_reader *reader, uint64_t *ret_count)
{
    struct slice text;
    return take_until(reader, ':', &text) && is_canonical(text) &&
           spelling_uint64(text, ret_count);
}

static struct value *php_take(struct spelling_reader *reader, size_t depth);

static struct value *
php_take_string(struct spelling_reader *reader)
{
    uint64_t size;
    if (!take_count(reader, &size) || !take_literal(reader, "\"") ||
        size > (uint64_t)(reader->end - reader->at)) {
        return NULL;
    }
    struct value *value = value_slice(reader->arena, slice_make(reader->at, (size_t)size));
    reader->at += size;
    return take_literal(reader, "\";") ? value : NULL;
}

static struct value *
php_take_array(struct spelling_reader *reader, size_t depth)
{
    struct value *value = value_new(reader->arena, VALUE_OBJECT);
    uint64_t count;
    bool list = true;
    if (!take_count(reader, &count) || !take_literal(reader, "{") ||
        !go_deeper(reader, depth)) {
        return NULL;
    }
    for (uint64_t i = 0; i < count; i++) {
        char index[32];
        const char *start = reader->at;
        struct slice name;
        if (take_literal(reader, "i:")) {
            if (!take_until(reader, ';', &name) || !is_canonical(name)) {
                return NULL;
            }
        } else if (take_literal(reader, "s:")) {
            struct value *key = php_take_string(reader);
            if (key == NULL) {
                return NULL;
            }
            name = key->text;
        } else {
            return NULL;
        }
        struct slice raw = slice_make(start, (size_t)(reader->at - start));
        struct value *child = php_take(reader, depth + 1);
        if (child == NULL) {
            return NULL;
        }
        (void)snprintf(index, sizeof(index), "i:%" PRIu64 ";", i);
        list = list && slice_equal(raw, slice_from_string(index));
        value_append(reader->arena, value, name, child);
        value->members[value->count - 1].raw_name = raw;
    }
    if (list && count > 0) { /* an empty one is both */
        value->kind = VALUE_ARRAY;
    }
    return take_literal(reader, "}") ? value : NULL;
}

static struct value *
php_take_any(struct spelling_reader *reader, size_t depth)
{
    const char *start = reader->at;
    struct slice text;
    if (take_literal(reader, "N;")) {
        return value_new(reader->arena, VALUE_NULL);
    }
    if (take_literal(reader, "b:0;")) {
        return value_new(reader->arena, VALUE_FALSE);
    }
    if (take_literal(reader, "b:1;")) {
        return value_new(reader->arena, VALUE_TRUE);
    }
    if (take_literal(reader, "i:") || take_literal(reader, "d:")) {
        struct value *plain;
        size_t depth_seen;
        if (!take_until(reader, ';', &text)) {
            return NULL;
        }
        if (*start == 'd' &&
            (slice_equal(text, SLICE_OF("INF")) || slice_equal(text, SLICE_OF("-INF")) ||
             slice_equal(text, SLICE_OF("NAN")))) {
            return foreign(reader, text);
        }
        bool good =
            *start == 'i'
                ? is_canonical(text)
                : text.size > 0 &&
                      (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
                      value_parse(reader->arena, text, 1, &plain, &depth_seen) ==
                          VALUE_PARSE_OK &&
                      plain->raw.size == text.size;
        if (!good) {
            return NULL;
        }
        struct value *value = value_new(reader->arena, VALUE_NUMBER);
        value->text = text;
        return value;
    }
    if (take_literal(reader, "s:")) {
        return php_take_string(reader);
    }
    return take_literal(reader, "a:") ? php_take_array(reader, depth) : NULL;
}

static struct value *
php_take(struct spelling_reader *reader, size_t depth)
{
    const char *start = reader->at;
    struct value *value = php_take_any(reader, depth);
    if (value != NULL) {
        value->raw = slice_make(start, (size_t)(reader->at - start));
    }
    return value;
}

static bool
php_is_integer(struct slice name)
{
    int64_t integer;
    return is_canonical(name) && spelling_int64(name, &integer) &&
           !slice_equal(name, SLICE_OF("-0"));
}

/* name|value for every member; an array only. */
static struct value *
php_take_session(struct spelling_reader *reader)
{
    struct value *value = value_new(reader->arena, VALUE_OBJECT);
    struct slice name;
    bool list = true;
    if (!go_deeper(reader, 0)) {
        return NULL;
    }
    while (reader->at < reader->end) {
        struct value *child = take_until(reader, '|', &name) ? php_take(reader, 1) : NULL;
        if (child == NULL) {
            return NULL;
        }
        char index[32];
        (void)snprintf(index, sizeof(index), "%zu", value->count);
        list = list && slice_equal(name, slice_from_string(index));
        value_append(reader->arena, value, name, child);
        value->members[value->count - 1].raw_name = name;
    }
    if (list && value->count > 0) {
        value->kind = VALUE_ARRAY;
    }
    return value;
}

static struct value *
php_take_document(struct spelling_reader *reader, size_t depth)
{
    struct spelling_reader session = *reader;
    struct value *value = php_take(reader, depth);
    if (value != NULL && reader->at == reader->end) {
        return value;
    }
    if (reader->deep) {
        return NULL;
    }
    *reader = session;
    return php_take_session(reader);
}

static void
php_put_string(struct buffer *out, struct slice text)
{
    buffer_printf(out, "s:%zu:\"", text.size);
    buffer_append_slice(out, text);
    buffer_append_string(out, "\";");
}

static void
php_put(struct buffer *out, const struct value *value, enum value_style style,
        struct prng *prng)
{
    int64_t integer;
    size_t stride;
    if (style == VALUE_RAW && value->raw.size > 0) {
        buffer_append_slice(out, value->raw);
        return;
    }
    switch (value->kind) {
    case VALUE_NULL:
        buffer_append_string(out, "N;");
        return;
    case VALUE_FALSE:
    case VALUE_TRUE:
        buffer_append_string(out, value->kind == VALUE_TRUE ? "b:1;" : "b:0;");
        return;
    case VALUE_NUMBER:
        buffer_append_string(out, spelling_int64(value->text, &integer) &&
                                          !slice_equal(value->text, SLICE_OF("-0"))
                                      ? "i:"
                                      : "d:");
        buffer_append_slice(out, value->text);
        buffer_append_char(out, ';');
        return;
    case VALUE_STRING:
        php_put_string(out, value->text);
        return;
    default:
        break;
    }
    buffer_printf(out, "a:%zu:{", value->count);
    for (size_t i = 0; i < value->count && style == VALUE_SHUFFLED; i++) {
        if (php_is_integer(value->members[i].name)) {
            style = VALUE_DRESSED; /* the order says whether it is a list */
        }
    }
    size_t first = spelling_shuffled(value, style, prng, &stride);
    for (size_t i = 0; i < value->count; i++) {
        const struct member *member = &value->members[(first + i * stride) % value->count];
        if (value->kind == VALUE_ARRAY) {
            buffer_printf(out, "i:%zu;", i);
        } else if (style == VALUE_RAW && member->raw_name.size > 0) {
            buffer_append_slice(out, member->raw_name);
        } else if (php_is_integer(member->name)) {
            buffer_append_string(out, "i:");
            buffer_append_slice(out, member->name);
            buffer_append_char(out, ';');
        } else {
            php_put_string(out, member->name);
        }
        php_put(out, member->value, style, prng);
    }
    buffer_append_char(out, '}');
}

/* As a session, where the style is spaced, or what was read was one. */
static void
php_put_document(struct buffer *out, const struct value *value, enum value_style style,
                 struct prng *prng)
{
    bool session = value->kind == VALUE_OBJECT &&
                   (style == VALUE_SPACED || (style == VALUE_RAW && value->raw.size == 0));
    for (size_t i = 0; i < value->count && session; i++) {
        session = memchr(value->members[i].name.data == NULL ? "" : value->members[i].name.data,
                         '|', value->members[i].name.size) == NULL;
    }
    if (!session) {
        php_put(out, value, style, prng);
        return;
    }
    for (size_t i = 0; i < value->count; i++) {
        if (value->kind == VALUE_ARRAY) {
            buffer_printf(out, "%zu", i);
        }
        buffer_append_slice(out, value->members[i].name);
        buffer_append_char(out, '|');
        php_put(out, value->members[i].value, style, prng);
    }
}

/* --- the codec in use ------------------------------------------------------------------ */

static const struct spelling_format formats[] = {
    {"json", true, NULL, value_print},
    {"msgpack", true, msgpack_take, msgpack_put},
    {"php", false, php_take_document, php_put_document},
    {"pickle", true, spelling_pickle_take, spelling_pickle_put},
    {"hash", true, spelling_hash_take, spelling_hash_put},
};

static const struct spelling_format *used[2] = {&formats[0], &formats[0]};
static const char *used_name = "json";

static const struct spelling_format *
format_named(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strlen(formats[i].name) == size && memcmp(formats[i].name, name, size) == 0) {
            return &formats[i];
        }
    }
    return NULL;
}

bool
spelling_use(const char *codec)
{
    const char *comma = strchr(codec, ',');
    const char *second = comma == NULL ? codec : comma + 1;
    const struct spelling_format *odd =
        format_named(codec, comma == NULL ? strlen(codec) : (size_t)(comma - codec));
    const struct spelling_format *even = format_named(second, strlen(second));
    if (odd == NULL || even == NULL) {
        return false;
    }
    used[0] = odd;
    used[1] = even;
    used_name = codec;
    return true;
}

const char *
spelling_codec(void)
{
    return used_name;
}

const char *
spelling_codec_of(unsigned version)
{
    return used[(version + 1) % 2]->name;
}

bool
spelling_is_json(void)
{
    return used[0] == &formats[0] && used[1] == &formats[0];
}

bool
spelling_is_mixed(void)
{
    return used[0] != used[1];
}

bool
spelling_is_of(const char *codec)
{
    return strcmp(used[0]->name, codec) == 0 || strcmp(used[1]->name, codec) == 0;
}

bool
spelling_is_modelled(void)
{
    return used[0]->is_modelled && !spelling_is_mixed();
}

/* Are numbers with a fraction floats? */
static bool
has_floats(void)
{
    for (unsigned i = 0; i < 2; i++) {
        if (used[i]->take == msgpack_take || used[i]->take == spelling_pickle_take) {
            return true;
        }
    }
    return false;
}

/* A copy in which all that is empty is an array. */
static struct value *
without_empties(struct arena *arena, const struct value *value)
{
    struct value *copy = value_copy(arena, value);
    if (copy->kind == VALUE_OBJECT && copy->count == 0) {
        copy->kind = VALUE_ARRAY;
    }
    for (size_t i = 0; i < copy->count; i++) {
        copy->members[i].value = without_empties(arena, copy->members[i].value);
    }
    return copy;
}

bool
spelling_equal(struct arena *arena, const struct value *a, const struct value *b)
{
    bool tells = used[0]->take != php_take_document && used[1]->take != php_take_document;
    return value_equal(a, b) ||
           (spelling_is_mixed() && !tells &&
            value_equal(without_empties(arena, a), without_empties(arena, b)));
}

bool
spelling_keeps_text(void)
{
    return !spelling_is_mixed() && used[0]->take != spelling_pickle_take;
}

bool
spelling_holds(const struct value *value)
{
    if (!has_floats()) {
        return true;
    }
    if (value->kind == VALUE_NUMBER) {
        size_t digits = 0;
        for (size_t i = 0; i < value->text.size; i++) {
            digits += value->text.data[i] >= '0' && value->text.data[i] <= '9';
        }
        return digits <= 15;
    }
    for (size_t i = 0; i < value->count; i++) {
        if (!spelling_holds(value->members[i].value)) {
            return false;
        }
    }
    return true;
}

bool
spelling_is_exact(const struct value *schema)
{
    static const char *const inexact[] = {"scale", "unix-seconds", "unix-milliseconds"};
    if (!has_floats()) {
        return true;
    }
    for (size_t i = 0; i < sizeof(inexact) / sizeof(*inexact); i++) {
        if (value_is(schema, VALUE_STRING) &&
            slice_equal(schema->text, slice_from_string(inexact[i]))) {
            return false;
        }
    }
    for (size_t i = 0; i < schema->count; i++) {
        if (!spelling_is_exact(schema->members[i].value)) {
            return false;
        }
    }
    return spelling_holds(schema);
}

static enum value_parse
parse_as(const struct spelling_format *format, struct arena *arena, struct slice text,
         size_t depth_max, struct value **ret_value, size_t *ret_depth)
{
    if (format->take == NULL) {
        return value_parse(arena, text, depth_max, ret_value, ret_depth);
    }
    struct spelling_reader reader = {
        .arena = arena, .at = text.data, .end = text.data + text.size, .depth_max = depth_max};
    struct value *value = format->take(&reader, 0);
    if (ret_depth != NULL) {
        *ret_depth = reader.depth_seen;
    }
    if (value == NULL || reader.at != reader.end) {
        return reader.deep ? VALUE_PARSE_DEEP : VALUE_PARSE_BAD;
    }
    *ret_value = value;
    return VALUE_PARSE_OK;
}

enum value_parse
spelling_parse(struct arena *arena, struct slice text, size_t depth_max,
               struct value **ret_value, size_t *ret_depth)
{
    bool json_last = used[1]->take == NULL;
    enum value_parse first =
        parse_as(used[json_last], arena, text, depth_max, ret_value, ret_depth);
    if (first == VALUE_PARSE_OK || !spelling_is_mixed()) {
        return first;
    }
    enum value_parse second =
        parse_as(used[!json_last], arena, text, depth_max, ret_value, ret_depth);
    return second == VALUE_PARSE_OK || first == VALUE_PARSE_BAD ? second : first;
}

struct slice
spelling_text(struct arena *arena, unsigned version, const struct value *value,
              enum value_style style, struct prng *prng)
{
    struct buffer buffer;
    struct slice copy;
    buffer_init(&buffer, 0);
    used[(version + 1) % 2]->put(&buffer, value, style, prng);
    CHECK(arena_copy(arena, buffer_slice(&buffer), &copy));
    buffer_fini(&buffer);
    return copy;
}
