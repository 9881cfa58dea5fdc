#include "proto/codec/msgpack.h"

#include <errno.h>
#include <math.h>
#include <msgpack/pack.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/base/check.h"

static uint64_t
big_endian(const char *at, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | (uint8_t)at[i];
    }
    return number;
}

/* A head whose size, or count, takes <width> bytes behind the first. */
static bool
head_sized(struct msgpack_head *head, const char *at, size_t left, size_t width,
           uint64_t *ret_number)
{
    head->size = 1 + width;
    if (left < head->size) {
        return false;
    }
    *ret_number = big_endian(at + 1, width);
    return true;
}

/* False for a byte that starts no value, and where the head is cut off. */
static bool
head_read(const char *at, const char *end, struct msgpack_head *head)
{
    size_t left = (size_t)(end - at);
    uint64_t number = 0;
    *head = (struct msgpack_head){.kind = KIND_NUMBER, .size = 1};
    if (left == 0) {
        return false;
    }
    uint8_t first = (uint8_t)*at;
    if (first < 0x80 || first >= 0xE0) {
        return true;
    }
    if (first < 0x90) {
        head->kind = KIND_OBJECT;
        head->values = (first & 0x0Fu) * 2u;
        return true;
    }
    if (first < 0xA0) {
        head->kind = KIND_ARRAY;
        head->values = first & 0x0Fu;
        return true;
    }
    if (first < 0xC0) {
        head->kind = KIND_STRING;
        head->body = first & 0x1Fu;
        return true;
    }
    switch (first) {
    case 0xC0:
        head->kind = KIND_NULL;
        return true;
    case 0xC2:
    case 0xC3:
        head->kind = first == 0xC3 ? KIND_TRUE : KIND_FALSE;
        return true;
    case 0xC4:
    case 0xC5:
    case 0xC6:
        head->kind = KIND_BYTES;
        return head_sized(head, at, left, (size_t)1 << (first - 0xC4), &head->body);
    case 0xC7:
    case 0xC8:
    case 0xC9:
        head->kind = KIND_OTHER;
        if (!head_sized(head, at, left, (size_t)1 << (first - 0xC7), &number)) {
            return false;
        }
        head->body = number + 1; /* its type */
        return true;
    case 0xCA:
    case 0xCB:
        head->body = first == 0xCA ? 4 : 8;
        return true;
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF:
        head->body = (uint64_t)1 << (first - 0xCC);
        return true;
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3:
        head->body = (uint64_t)1 << (first - 0xD0);
        return true;
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
        head->kind = KIND_OTHER;
        head->body = 1 + ((uint64_t)1 << (first - 0xD4));
        return true;
    case 0xD9:
    case 0xDA:
    case 0xDB:
        head->kind = KIND_STRING;
        return head_sized(head, at, left, (size_t)1 << (first - 0xD9), &head->body);
    case 0xDC:
    case 0xDD:
        head->kind = KIND_ARRAY;
        return head_sized(head, at, left, first == 0xDC ? 2 : 4, &head->values);
    case 0xDE:
    case 0xDF:
        head->kind = KIND_OBJECT;
        if (!head_sized(head, at, left, first == 0xDE ? 2 : 4, &number)) {
            return false;
        }
        head->values = number * 2;
        return true;
    default:
        return false; /* 0xC1 */
    }
}

struct msgpack_head
msgpack_head_of(const char *at, const char *end)
{
    struct msgpack_head head;
    bool valid = head_read(at, end, &head);
    CHECK(valid && head.body <= (uint64_t)(end - at) - head.size);
    return head;
}

static struct msgpack_head
head_of(struct slice raw)
{
    return msgpack_head_of(raw.data, raw.data + raw.size);
}

/*
 * Most values are small integers and short strings, whose first byte says it all: behind such a
 * one, or NULL for any other, and for one that is cut off.
 */
static inline const char *
short_end(const char *at, const char *end)
{
    uint8_t first = at < end ? (uint8_t)*at : 0xC1;
    if (first < 0x80 || first >= 0xE0) {
        return at + 1;
    }
    size_t size = (first & 0x1Fu) + 1u;
    return (first & 0xE0) == 0xA0 && size <= (size_t)(end - at) ? at + size : NULL;
}

/*
 * Check one value that starts at <at>: behind it, or NULL with *ret_status and *ret_at set. The
 * values still to come are counted per open container.
 */
static const char *
value_check(const char *at, const char *end, unsigned depth_max, enum codec_status *ret_status,
            const char **ret_at)
{
    uint64_t left[CODEC_DEPTH_MAX]; /* written before it is read */
    unsigned depth = 0;
    struct msgpack_head head;
    *ret_status = CODEC_BAD;
    for (;;) {
        const char *next = short_end(at, end);
        *ret_at = at;
        if (next != NULL) {
            at = next;
        } else {
            if (!head_read(at, end, &head)) {
                return NULL;
            }
            at += head.size;
            if (head.body > (uint64_t)(end - at)) {
                return NULL;
            }
            at += head.body;
            if (kind_is_container(head.kind)) {
                if (depth == depth_max) {
                    *ret_status = CODEC_DEEP;
                    return NULL;
                }
                left[depth++] = head.values;
            }
        }
        while (depth > 0 && left[depth - 1] == 0) {
            depth--;
        }
        if (depth == 0) {
            return at;
        }
        left[depth - 1]--;
    }
}

/* Behind the valid value that starts at <at>. */
static const char *
value_skip(const char *at, const char *end)
{
    struct msgpack_head head;
    for (uint64_t left = 1; left > 0; left--) {
        const char *next = short_end(at, end);
        if (next != NULL) {
            at = next;
            continue;
        }
        bool valid = head_read(at, end, &head);
        CHECK(valid && head.body <= (uint64_t)(end - at) - head.size);
        at += head.size + head.body;
        left += head.values;
    }
    return at;
}

static enum codec_status
check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    const char *end = text.data + text.size;
    const char *where = text.data;
    enum codec_status status = CODEC_BAD;
    CHECK(depth_max <= CODEC_DEPTH_MAX);
    if (text.size > 0) {
        const char *at = value_check(text.data, end, depth_max, &status, &where);
        if (at == end) {
            return CODEC_OK;
        }
        if (at != NULL) {
            where = at;
            status = CODEC_BAD;
        }
    }
    *ret_offset = text.size == 0 ? 0 : (size_t)(where - text.data);
    return status;
}

static bool
is_value(struct slice raw, unsigned depth_max)
{
    size_t offset;
    return check(raw, depth_max, &offset) == CODEC_OK;
}

static enum kind
kind(struct slice raw)
{
    return head_of(raw).kind;
}

static void
walk_init(struct codec_walk *walk, struct slice raw)
{
    struct msgpack_head head = head_of(raw);
    *walk = (struct codec_walk){
        .at = raw.data + head.size,
        .end = raw.data + raw.size,
        .left = head.kind == KIND_OBJECT ? head.values / 2 : head.values,
        .object = head.kind == KIND_OBJECT,
    };
}

static bool
walk_next(struct codec_walk *walk, struct codec_item *item)
{
    if (walk->left == 0) {
        return false;
    }
    walk->left--;
    const char *at = walk->at;
    item->start = item->key = at;
    item->escaped = false;
    if (walk->object) {
        at = value_skip(at, walk->end);
    }
    item->colon = item->value = at;
    item->kind = kind(slice_make(at, (size_t)(walk->end - at)));
    walk->at = item->trail = item->end = value_skip(at, walk->end);
    return true;
}

/* --- names and strings ----------------------------------------------------------------- */

/* The bytes of a str or bin. */
static struct slice
payload(struct slice raw)
{
    struct msgpack_head head = head_of(raw);
    return slice_make(raw.data + head.size, raw.size - head.size);
}

static bool
is_name(struct slice raw)
{
    return head_of(raw).kind == KIND_STRING;
}

static struct slice
key_label(struct slice raw)
{
    return is_name(raw) ? payload(raw) : raw;
}

static bool
key_is(struct slice raw, struct slice text)
{
    if (((uint8_t)raw.data[0] & 0xE0) == 0xA0) {
        return raw.size == text.size + 1 &&
               (text.size == 0 || memcmp(raw.data + 1, text.data, text.size) == 0);
    }
    return raw.size > text.size && is_name(raw) && slice_equal(payload(raw), text);
}

static int
key_compare(struct slice raw_a, struct slice raw_b)
{
    bool a = is_name(raw_a);
    bool b = is_name(raw_b);
    return a != b ? (a ? 1 : -1) : slice_compare(key_label(raw_a), key_label(raw_b));
}

/*
 * The number 50 is one byte, and the name "2" is the same one: a key that is no name has a byte
 * before it that stands in no UTF-8.
 */
static const char no_name = '\xc1';

static bool
key_text(struct slice raw, struct arena *arena, struct slice *ret_text)
{
    if (is_name(raw)) {
        *ret_text = payload(raw);
        return true;
    }
    char *text = arena_alloc(arena, raw.size + 1);
    if (text == NULL) {
        return false;
    }
    text[0] = no_name;
    memcpy(text + 1, raw.data, raw.size);
    *ret_text = slice_make(text, raw.size + 1);
    return true;
}

static bool
key_has_text(struct slice raw, struct slice text)
{
    if (is_name(raw)) {
        return slice_equal(payload(raw), text);
    }
    return text.size == raw.size + 1 && text.data[0] == no_name &&
           memcmp(text.data + 1, raw.data, raw.size) == 0;
}

static bool
key_is_valid(struct slice raw)
{
    return is_value(raw, CODEC_DEPTH_MAX);
}

static bool
string_text(struct slice raw, struct arena *arena, struct slice *ret_text)
{
    (void)arena;
    *ret_text = payload(raw);
    return true;
}

static int
string_compare(struct slice raw_a, struct slice raw_b)
{
    return slice_compare(payload(raw_a), payload(raw_b));
}

/* --- writing, by msgpack-c -------------------------------------------------------------- */

enum { SCALAR_MAX = 16 }; /* bytes of a number, or of the head of anything */

struct out {
    char bytes[SCALAR_MAX];
    size_t size;
};

static int
out_write(void *data, const char *bytes, size_t size)
{
    struct out *out = data;
    CHECK(size <= sizeof(out->bytes) - out->size);
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
    return 0;
}

/* The head in <out> and <text> behind it, in the arena. */
static bool
out_give(const struct out *out, struct slice text, struct arena *arena, struct slice *ret_raw)
{
    char *raw = arena_alloc(arena, out->size + text.size);
    if (raw == NULL) {
        return false;
    }
    memcpy(raw, out->bytes, out->size);
    if (text.size > 0) {
        memcpy(raw + out->size, text.data, text.size);
    }
    *ret_raw = slice_make(raw, out->size + text.size);
    return true;
}

static bool
string_encode(struct arena *arena, struct slice text, struct slice *ret_raw)
{
    struct out out = {.size = 0};
    msgpack_packer packer;
    if (text.size > UINT32_MAX) {
        return false;
    }
    msgpack_packer_init(&packer, &out, out_write);
    msgpack_pack_str(&packer, text.size);
    return out_give(&out, text, arena, ret_raw);
}

bool
msgpack_integer(struct arena *arena, int64_t number, struct slice *ret_raw)
{
    struct out out = {.size = 0};
    msgpack_packer packer;
    msgpack_packer_init(&packer, &out, out_write);
    msgpack_pack_int64(&packer, number);
    return out_give(&out, (struct slice){NULL, 0}, arena, ret_raw);
}

static bool
bytes_encode(struct arena *arena, struct slice text, struct slice *ret_raw)
{
    struct out out = {.size = 0};
    msgpack_packer packer;
    if (text.size > UINT32_MAX) {
        return false;
    }
    msgpack_packer_init(&packer, &out, out_write);
    msgpack_pack_bin(&packer, text.size);
    return out_give(&out, text, arena, ret_raw);
}

/* Bytes that the size or count in a header needs: 0, 2 or 4 behind the first. */
static unsigned
width_of(uint64_t count)
{
    return count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
}

static size_t
put_header(struct slice raw, uint64_t count, char *out)
{
    struct msgpack_head head = head_of(raw);
    bool map = head.kind == KIND_OBJECT;
    unsigned was = (unsigned)head.size - 1;
    unsigned width = width_of(count);
    if (was > width_of(map ? head.values / 2 : head.values) && was > width) {
        width = was;
    }
    if (width == 0) {
        out[0] = (char)((map ? 0x80u : 0x90u) | (unsigned)count);
        return 1;
    }
    out[0] = (char)((map ? 0xDEu : 0xDCu) + (width == 4));
    for (unsigned i = 0; i < width; i++) {
        out[1 + i] = (char)(count >> (8 * (width - 1 - i)));
    }
    return 1 + (size_t)width;
}

/* --- numbers --------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same float, marked as one. */
static size_t
float_text(double value, bool single, char out[40])
{
    int size = 0;
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        size = snprintf(out, 32, "%.*g", digits, value);
        if (single ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value) {
            break;
        }
    }
    if (strpbrk(out, ".e") == NULL) {
        memcpy(out + size, ".0", 3);
        size += 2;
    }
    return (size_t)size;
}

static enum codec_status
number_text(struct slice raw, struct arena *arena, struct slice *ret_number)
{
    char text[40];
    size_t size;
    uint8_t first = (uint8_t)raw.data[0];
    uint64_t bits = big_endian(raw.data + 1, raw.size - 1);
    if (first == 0xCA || first == 0xCB) {
        double value;
        if (first == 0xCA) {
            uint32_t word = (uint32_t)bits;
            float single;
            memcpy(&single, &word, sizeof(single));
            value = (double)single;
        } else {
            memcpy(&value, &bits, sizeof(value));
        }
        if (!isfinite(value)) {
            return CODEC_RANGE;
        }
        size = float_text(value, first == 0xCA, text);
    } else if (first < 0x80) {
        size = (size_t)snprintf(text, sizeof(text), "%u", first);
    } else if (first >= 0xE0) {
        size = (size_t)snprintf(text, sizeof(text), "%d", (int)first - 256);
    } else if (first <= 0xCF) {
        size = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)bits);
    } else {
        unsigned shift = 64 - 8 * ((unsigned)raw.size - 1);
        int64_t number;
        bits <<= shift;
        memcpy(&number, &bits, sizeof(number));
        number /= (int64_t)1 << (shift == 0 ? 0 : shift - 1); /* exact: low bits are zero */
        number /= shift == 0 ? 1 : 2;
        size = (size_t)snprintf(text, sizeof(text), "%lld", (long long)number);
    }
    return arena_copy(arena, slice_make(text, size), ret_number) ? CODEC_OK : CODEC_NO_MEMORY;
}

static enum codec_status
number_encode(struct arena *arena, struct slice number, struct slice *ret_raw)
{
    struct out out = {.size = 0};
    msgpack_packer packer;
    int64_t integer;
    uint64_t natural;
    msgpack_packer_init(&packer, &out, out_write);
    if (slice_to_int64(number, &integer)) {
        msgpack_pack_int64(&packer, integer);
    } else if (slice_to_uint64(number, &natural)) {
        msgpack_pack_uint64(&packer, natural);
    } else {
        bool whole = true;
        for (size_t i = 0; i < number.size; i++) {
            whole = whole && ((number.data[i] >= '0' && number.data[i] <= '9') || i == 0);
        }
        char *text = arena_alloc(arena, number.size + 1);
        if (text == NULL) {
            return CODEC_NO_MEMORY;
        }
        memcpy(text, number.data, number.size);
        text[number.size] = '\0';
        double value = strtod(text, NULL);
        if (!isfinite(value) || (whole && value != 0)) {
            return CODEC_RANGE;
        }
        if (whole) {
            msgpack_pack_int64(&packer, 0); /* -0 */
        } else {
            msgpack_pack_double(&packer, value);
        }
    }
    return out_give(&out, (struct slice){NULL, 0}, arena, ret_raw) ? CODEC_OK : CODEC_NO_MEMORY;
}

const struct codec codec_msgpack = {
    .name = "msgpack",
    .document = "a MessagePack document",
    .colon = SLICE(""),
    .null = SLICE("\xc0"),
    .truth = {SLICE("\xc2"), SLICE("\xc3")},
    .empty_array = SLICE("\x90"),
    .empty_object = SLICE("\x80"),
    .one_before = SLICE("\x91"),
    .one_after = SLICE(""),
    .footer = SLICE(""),
    .check = check,
    .is_value = is_value,
    .kind = kind,
    .walk_init = walk_init,
    .walk_next = walk_next,
    .key_is = key_is,
    .key_compare = key_compare,
    .key_text = key_text,
    .key_label = key_label,
    .key_has_text = key_has_text,
    .key_is_valid = key_is_valid,
    .key_encode = string_encode,
    .string_text = string_text,
    .string_encode = string_encode,
    .string_compare = string_compare,
    .bytes_encode = bytes_encode,
    .number_text = number_text,
    .number_encode = number_encode,
    .put_header = put_header,
};
