#include "proto/codec/json.h"

#include "proto/base/check.h"
#include "proto/codec/scan.h"

const char *
json_skip_space(const char *at, const char *end)
{
    while (at < end && json_is_space(*at)) {
        at++;
    }
    return at;
}

/* Most of the time there is none. */
static inline const char *
skip_space(const char *at, const char *end)
{
    return at < end && (uint8_t)*at > ' ' ? at : json_skip_space(at, end);
}

static inline bool
is_digit(char byte)
{
    return (uint8_t)(byte - '0') < 10;
}

/* Bytes of the UTF-8 sequence at <at>, 0 if there is no valid one (RFC 3629). */
static size_t
utf8_size(const char *at, const char *end)
{
    const uint8_t *byte = (const uint8_t *)at;
    size_t left = (size_t)(end - at);
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t size;
    if (byte[0] < 0x80) {
        return 1;
    } else if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
        size = 2;
    } else if ((byte[0] & 0xF0) == 0xE0) {
        size = 3;
        low = byte[0] == 0xE0 ? 0xA0 : 0x80;
        high = byte[0] == 0xED ? 0x9F : 0xBF;
    } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
        size = 4;
        low = byte[0] == 0xF0 ? 0x90 : 0x80;
        high = byte[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (left < size || byte[1] < low || byte[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if ((byte[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return size;
}

static int
hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

/* Bytes of the escape at <at>, a backslash; 0 if there is no such. */
static size_t
escape_size(const char *at, const char *end)
{
    if (end - at < 2) {
        return 0;
    }
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        return end - at >= 6 && hex_value(at[2]) >= 0 && hex_value(at[3]) >= 0 &&
                       hex_value(at[4]) >= 0 && hex_value(at[5]) >= 0
                   ? 6
                   : 0;
    default:
        return 0;
    }
}

bool
json_is_escape(const char *at, const char *end)
{
    return escape_size(at, end) > 0;
}

bool
json_is_utf8(struct slice text)
{
    const char *at = text.data;
    const char *end = text.data + text.size;
    while ((at = scan_high(at, end)) < end) {
        size_t size = 1;
        while (at < end && (uint8_t)*at >= 0x80 && (size = utf8_size(at, end)) > 0) {
            at += size;
        }
        if (size == 0) {
            return false;
        }
    }
    return true;
}

/* What string_check() does, for strings with escapes or with more than ASCII. */
static const char *
string_check_rest(const char *at, const char *end, bool *ret_escaped, const char **ret_at)
{
    for (;;) {
        at = scan_string(at, end);
        if (at == end) {
            break;
        }
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            *ret_escaped = true;
            size_t escape = escape_size(at, end);
            if (escape > 0) {
                at += escape;
                continue;
            }
            break;
        }
        size_t size = 0;
        while (at < end && (uint8_t)*at >= 0x80 && (size = utf8_size(at, end)) > 0) {
            at += size;
        }
        if (size == 0) {
            break;
        }
    }
    *ret_at = at;
    return NULL;
}

/*
 * From behind the opening quote to behind the closing one; NULL where it is no string, with
 * *ret_at set to the offence. *ret_escaped is set when there are escapes, never cleared.
 */
static inline const char *
string_check(const char *at, const char *end, bool *ret_escaped, const char **ret_at)
{
    at = scan_string(at, end);
    if (at < end && *at == '"') {
        return at + 1;
    }
    return string_check_rest(at, end, ret_escaped, ret_at);
}

/* Over text known to be valid. */
static inline const char *
string_skip(const char *at, const char *end, bool *ret_escaped)
{
    for (;;) {
        at = scan_string(at, end);
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            *ret_escaped = true;
            at++;
        }
        at++;
    }
}

static const char *
number_check(const char *at, const char *end)
{
    if (at < end && *at == '-') {
        at++;
    }
    if (at == end || !is_digit(*at)) {
        return NULL;
    }
    if (*at == '0') {
        at++;
    } else {
        while (at < end && is_digit(*at)) {
            at++;
        }
    }
    if (at < end && *at == '.') {
        at++;
        if (at == end || !is_digit(*at)) {
            return NULL;
        }
        while (at < end && is_digit(*at)) {
            at++;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        if (at == end || !is_digit(*at)) {
            return NULL;
        }
        while (at < end && is_digit(*at)) {
            at++;
        }
    }
    return at;
}

/* A scalar that is no string. */
static const char *
scalar_check(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    switch (*at) {
    case 't':
        return left >= 4 && memcmp(at, "true", 4) == 0 ? at + 4 : NULL;
    case 'n':
        return left >= 4 && memcmp(at, "null", 4) == 0 ? at + 4 : NULL;
    case 'f':
        return left >= 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
    default:
        return number_check(at, end);
    }
}

bool
json_is_scalar(const char *at, const char *end)
{
    const char *next = scalar_check(at, end);
    return next != NULL && (next == end || json_is_space(*next) || *next == ',' ||
                            *next == '}' || *next == ']');
}

/*
 * Check one value that starts at <at> (no white space before it, and <at> below <end>): behind
 * it, or NULL with *ret_status and *ret_at set. A bit per open container says whether it is an
 * object: those of the innermost up to 64 in <open>, the others in <outer>.
 */
static const char *
value_check(const char *at, const char *end, unsigned depth_max, enum codec_status *ret_status,
            const char **ret_at)
{
    uint64_t outer[CODEC_DEPTH_MAX / 64]; /* written before it is read */
    uint64_t open = 0;
    unsigned depth = 0;
    bool escaped = false;
    const char *next;
    *ret_status = CODEC_BAD;
value:
    if (*at == '"') {
        next = string_check(at + 1, end, &escaped, ret_at);
        if (next == NULL) {
            return NULL;
        }
        at = next;
    } else if (*at == '{' || *at == '[') {
        bool object = *at == '{';
        if (depth == depth_max) {
            *ret_status = CODEC_DEEP;
            goto bad;
        }
        if (depth > 0 && depth % 64 == 0) {
            outer[depth / 64 - 1] = open;
        }
        open = open << 1 | object;
        depth++;
        at = skip_space(at + 1, end);
        if (at == end) {
            goto bad;
        }
        if (*at == (object ? '}' : ']')) {
            goto close;
        }
        if (!object) {
            goto value;
        }
        goto name;
    } else {
        next = scalar_check(at, end);
        if (next == NULL) {
            goto bad;
        }
        at = next;
    }
    if (depth == 0) {
        return at;
    }
more:
    at = skip_space(at, end);
    if (at == end) {
        goto bad;
    }
    if (*at == ',') {
        at = skip_space(at + 1, end);
        if (at == end) {
            goto bad;
        }
        if ((open & 1) == 0) {
            goto value;
        }
        goto name;
    }
    if (*at != ((open & 1) != 0 ? '}' : ']')) {
        goto bad;
    }
close:
    at++;
    depth--;
    if (depth == 0) {
        return at;
    }
    open = depth % 64 == 0 ? outer[depth / 64 - 1] : open >> 1;
    goto more;
name:
    if (*at != '"') {
        goto bad;
    }
    next = string_check(at + 1, end, &escaped, ret_at);
    if (next == NULL) {
        return NULL;
    }
    at = skip_space(next, end);
    if (at == end || *at != ':') {
        goto bad;
    }
    at = skip_space(at + 1, end);
    if (at < end) {
        goto value;
    }
bad:
    *ret_at = at;
    return NULL;
}

/* Behind the valid value that starts at <at>. */
static const char *
value_skip(const char *at, const char *end)
{
    bool escaped = false;
    size_t depth = 0;
    if (*at != '"' && *at != '{' && *at != '[') {
        while (at < end && !json_is_space(*at) && *at != ',' && *at != '}' && *at != ']') {
            at++;
        }
        return at;
    }
    for (;;) {
        if (*at == '"') {
            at = string_skip(at + 1, end, &escaped);
        } else {
            depth = *at == '{' || *at == '[' ? depth + 1 : depth - 1;
            at++;
        }
        if (depth == 0) {
            return at;
        }
        at = scan_mark(at, end);
    }
}

enum codec_status
json_check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    if (text.size == 0) {
        *ret_offset = 0;
        return CODEC_BAD;
    }
    const char *end = text.data + text.size;
    const char *at = text.data;
    enum codec_status status = CODEC_BAD;
    CHECK(depth_max <= CODEC_DEPTH_MAX);
    at = json_skip_space(at, end);
    if (at < end) {
        const char *where = at;
        const char *next = value_check(at, end, depth_max, &status, &where);
        if (next == NULL) {
            at = where;
        } else {
            at = json_skip_space(next, end);
            if (at == end) {
                return CODEC_OK;
            }
            status = CODEC_BAD;
        }
    }
    *ret_offset = (size_t)(at - text.data);
    return status;
}

void
json_walk_init(struct codec_walk *walk, const char *text, const char *end)
{
    *walk = (struct codec_walk){
        .at = text + 1,
        .end = end,
        .inner = text + 1,
        .object = *text == '{',
        .first = true,
        .status = CODEC_OK,
    };
}

bool
json_walk_next(struct codec_walk *walk, struct codec_item *item)
{
    const char *const end = walk->end;
    const char *at = walk->at;
    bool escaped = false;

    /* Behind an item stand its comma or the end of the container. */
    item->start = at;
    if (!walk->first) {
        if (*at != ',') {
            walk->at = at + 1;
            return false;
        }
        item->start = ++at;
    }
    at = skip_space(at, end);
    if (walk->first) {
        if (*at == '}' || *at == ']') {
            walk->at = at + 1;
            return false;
        }
        walk->first = false;
    }
    item->key = item->colon = at;
    if (walk->object) {
        item->colon = at = string_skip(at + 1, end, &escaped);
        at = skip_space(at, end);
        at = skip_space(at + 1, end);
    }
    item->escaped = escaped;
    item->value = at;
    item->trail = at = value_skip(at, end);
    item->end = walk->at = skip_space(at, end);
    return true;
}

/* --- strings --------------------------------------------------------------------------- */

static unsigned
hex4(const char *at)
{
    return (unsigned)(hex_value(at[0]) << 12 | hex_value(at[1]) << 8 | hex_value(at[2]) << 4 |
                      hex_value(at[3]));
}

static size_t
utf8_put(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3F));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (point & 0x3F));
    return 4;
}

/*
 * One unit of a valid string's inside: a run of raw bytes (up to <end> or the next escape), or
 * one decoded escape in <buffer>. Moves *at on.
 */
static struct slice
string_unit(const char **at, const char *end, char buffer[4])
{
    const char *start = *at;
    if (*start != '\\') {
        const char *stop = memchr(start, '\\', (size_t)(end - start));
        *at = stop == NULL ? end : stop;
        return slice_make(start, (size_t)(*at - start));
    }
    *at = start + 2;
    switch (start[1]) {
    case 'b':
        buffer[0] = '\b';
        break;
    case 'f':
        buffer[0] = '\f';
        break;
    case 'n':
        buffer[0] = '\n';
        break;
    case 'r':
        buffer[0] = '\r';
        break;
    case 't':
        buffer[0] = '\t';
        break;
    case 'u': {
        uint32_t point = hex4(start + 2);
        *at = start + 6;
        if (point >= 0xD800 && point < 0xDC00 && end - *at >= 6 && (*at)[0] == '\\' &&
            (*at)[1] == 'u') {
            uint32_t low = hex4(*at + 2);
            if (low >= 0xDC00 && low < 0xE000) {
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
                *at += 6;
            }
        }
        return slice_make(buffer, utf8_put(point, buffer));
    }
    default:
        buffer[0] = start[1];
    }
    return slice_make(buffer, 1);
}

bool
json_decode(struct slice raw, struct arena *arena, struct slice *ret_text)
{
    const char *at = raw.data + 1;
    const char *end = raw.data + raw.size - 1;
    struct slice inside = slice_make(at, (size_t)(end - at));
    if (inside.size == 0 || memchr(at, '\\', inside.size) == NULL) {
        *ret_text = inside;
        return true;
    }
    char *text = arena_alloc(arena, inside.size); /* no escape is shorter than its meaning */
    size_t size = 0;
    if (text == NULL) {
        return false;
    }
    while (at < end) {
        char unit_buffer[4];
        struct slice unit = string_unit(&at, end, unit_buffer);
        memcpy(text + size, unit.data, unit.size);
        size += unit.size;
    }
    *ret_text = slice_make(text, size);
    return true;
}

bool
json_spells(struct slice raw, struct slice text)
{
    const char *at = raw.data + 1;
    const char *end = raw.data + raw.size - 1;
    if (memchr(at, '\\', (size_t)(end - at)) == NULL) {
        return slice_equal(slice_make(at, (size_t)(end - at)), text);
    }
    while (at < end) {
        char unit_buffer[4];
        struct slice unit = string_unit(&at, end, unit_buffer);
        if (text.size < unit.size || memcmp(text.data, unit.data, unit.size) != 0) {
            return false;
        }
        text.data += unit.size;
        text.size -= unit.size;
    }
    return text.size == 0;
}

int
json_compare(struct slice raw_a, struct slice raw_b)
{
    const char *at_a = raw_a.data + 1;
    const char *end_a = raw_a.data + raw_a.size - 1;
    const char *at_b = raw_b.data + 1;
    const char *end_b = raw_b.data + raw_b.size - 1;
    char buffer_a[4];
    char buffer_b[4];
    struct slice a = {NULL, 0};
    struct slice b = {NULL, 0};
    for (;;) {
        if (a.size == 0 && at_a < end_a) {
            a = string_unit(&at_a, end_a, buffer_a);
        }
        if (b.size == 0 && at_b < end_b) {
            b = string_unit(&at_b, end_b, buffer_b);
        }
        if (a.size == 0 || b.size == 0) {
            return a.size == b.size ? 0 : a.size == 0 ? -1 : 1;
        }
        size_t size = a.size < b.size ? a.size : b.size;
        int order = memcmp(a.data, b.data, size);
        if (order != 0) {
            return order;
        }
        a = slice_make(a.data + size, a.size - size);
        b = slice_make(b.data + size, b.size - size);
    }
}

/* The escape of <byte> inside a string; size 0 when it needs none. */
static size_t
escape_put(char byte, char out[6])
{
    static const char digits[] = "0123456789abcdef";
    char letter;
    switch (byte) {
    case '"':
    case '\\':
        letter = byte;
        break;
    case '\b':
        letter = 'b';
        break;
    case '\f':
        letter = 'f';
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        if ((uint8_t)byte >= 0x20) {
            return 0;
        }
        memcpy(out, "\\u00", 4);
        out[4] = digits[(uint8_t)byte >> 4];
        out[5] = digits[(uint8_t)byte & 15];
        return 6;
    }
    out[0] = '\\';
    out[1] = letter;
    return 2;
}

/*
 * Decoded surrogates that were unpaired in their source are no UTF-8: they go out as the
 * escapes they came in as.
 */
static size_t
encoded_unit(struct slice text, size_t index, char out[6], size_t *ret_taken)
{
    *ret_taken = 1;
    const uint8_t *byte = (const uint8_t *)text.data + index;
    if (byte[0] == 0xED && text.size - index >= 3 && byte[1] >= 0xA0) {
        static const char digits[] = "0123456789abcdef";
        unsigned point = 0xD000u | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
        memcpy(out, "\\u", 2);
        for (unsigned i = 0; i < 4; i++) {
            out[2 + i] = digits[point >> (12 - 4 * i) & 15];
        }
        *ret_taken = 3;
        return 6;
    }
    size_t size = escape_put((char)byte[0], out);
    if (size == 0) {
        out[0] = (char)byte[0];
        size = 1;
    }
    return size;
}

/* Bytes from <index> on that stand for themselves inside a string. */
static size_t
plain_size(struct slice text, size_t index)
{
    const char *start = text.data + index;
    const char *end = text.data + text.size;
    const char *at = start;
    for (;;) {
        at = scan_string(at, end);
        if (at == end || (uint8_t)*at < 0x80 ||
            ((uint8_t)at[0] == 0xED && end - at >= 3 && (uint8_t)at[1] >= 0xA0)) {
            return (size_t)(at - start);
        }
        at++;
    }
}

void
json_encode(struct buffer *buffer, struct slice text)
{
    buffer_append_char(buffer, '"');
    for (size_t i = 0, taken; i < text.size; i += taken) {
        char unit[6];
        taken = plain_size(text, i);
        if (taken > 0) {
            buffer_append(buffer, text.data + i, taken);
            continue;
        }
        size_t size = encoded_unit(text, i, unit, &taken);
        buffer_append(buffer, unit, size);
    }
    buffer_append_char(buffer, '"');
}

bool
json_is_text(struct slice text)
{
    const char *end = text.data + text.size;
    for (const char *at = text.data; at < end;) {
        bool surrogate = end - at >= 3 && (uint8_t)at[0] == 0xED && (uint8_t)at[1] >= 0xA0 &&
                         (uint8_t)at[1] < 0xC0 && ((uint8_t)at[2] & 0xC0) == 0x80;
        size_t size = surrogate ? 3 : utf8_size(at, end);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

bool
json_encode_arena(struct arena *arena, struct slice text, struct slice *ret_raw)
{
    size_t size = 2;
    size_t plain = text.size == 0 ? 0 : plain_size(text, 0);
    size += plain;
    for (size_t i = plain, taken; i < text.size; i += taken) {
        char unit[6];
        size += encoded_unit(text, i, unit, &taken);
    }
    char *raw = arena_alloc(arena, size);
    if (raw == NULL) {
        return false;
    }
    size_t at = 0;
    raw[at++] = '"';
    if (plain > 0) {
        memcpy(raw + at, text.data, plain);
        at += plain;
    }
    for (size_t i = plain, taken; i < text.size; i += taken) {
        char unit[6];
        size_t unit_size = encoded_unit(text, i, unit, &taken);
        memcpy(raw + at, unit, unit_size);
        at += unit_size;
    }
    raw[at] = '"';
    *ret_raw = slice_make(raw, size);
    return true;
}
