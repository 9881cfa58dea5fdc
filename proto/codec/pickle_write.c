/*
 * Pickling as CPython's C pickler does it (Modules/_pickle.c is the specification): frames of
 * 64 KiB from protocol 4 on, batches of 1,000, everything that has an identity memoized.
 */
#include "proto/codec/pickle.h"

#include <xxhash.h>

#include "proto/base/check.h"
#include "proto/base/writer.h"
#include "proto/codec/msgpack.h"

enum { FRAME_TARGET = 65536, FRAME_MIN = 4, FRAME_HEAD = 9, BATCH = 1000, KNOWN_MIN = 64 };

/* A container being pickled. */
struct level {
    struct level *up;
    uint64_t count; /* values in all: of a dict, keys too */
    uint64_t done;
    const char *end; /* of a tuple's text: it is memoized by that */
    struct slice text;
    enum { LEVEL_LIST, LEVEL_DICT, LEVEL_TUPLE } type;
};

/* What has been memoized, by its text in between. */
struct known {
    struct slice text;
    uint64_t index;
    bool used;
};

struct pickler {
    struct arena *arena;
    struct writer out;
    unsigned protocol;
    bool memoizes;
    bool framing;
    size_t frame_start;
    bool in_frame;
    uint64_t memo_count;
    struct known *known; /* open addressing, half full at most; NULL: nothing is looked for */
    size_t known_mask;
    size_t known_count;
    const char *problem;
};

static void
put_little_endian(struct pickler *pickler, uint64_t number, unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        writer_char(&pickler->out, (char)(number >> (8 * i)));
    }
}

/* --- frames ----------------------------------------------------------------------------- */

static void
frame_close(struct pickler *pickler)
{
    struct writer *out = &pickler->out;
    if (!pickler->in_frame || out->failed) {
        return;
    }
    char *head = out->data + pickler->frame_start;
    size_t size = out->size - pickler->frame_start - FRAME_HEAD;
    if (size >= FRAME_MIN) {
        head[0] = '\x95';
        for (unsigned i = 0; i < 8; i++) {
            head[1 + i] = (char)((uint64_t)size >> (8 * i));
        }
    } else {
        memmove(head, head + FRAME_HEAD, size);
        out->size -= FRAME_HEAD;
    }
    pickler->in_frame = false;
}

/* Before anything is written. */
static void
frame_open(struct pickler *pickler)
{
    static const char room[FRAME_HEAD];
    if (pickler->framing && !pickler->in_frame) {
        pickler->frame_start = pickler->out.size;
        pickler->in_frame = true;
        writer_bytes(&pickler->out, slice_make(room, sizeof(room)));
    }
}

/* Where a value begins a full frame ends. */
static void
boundary(struct pickler *pickler)
{
    if (pickler->in_frame &&
        pickler->out.size - pickler->frame_start - FRAME_HEAD >= FRAME_TARGET) {
        frame_close(pickler);
    }
}

static void
put_opcode(struct pickler *pickler, char opcode)
{
    frame_open(pickler);
    writer_char(&pickler->out, opcode);
}

/* Opcode, size, bytes; large ones stand outside of frames. */
static void
put_sized(struct pickler *pickler, char opcode, unsigned width, struct slice bytes)
{
    bool large = bytes.size >= FRAME_TARGET;
    bool framing = pickler->framing;
    if (large) {
        frame_close(pickler);
        pickler->framing = false;
    }
    put_opcode(pickler, opcode);
    put_little_endian(pickler, bytes.size, width);
    writer_bytes(&pickler->out, bytes);
    pickler->framing = framing;
}

/* --- the memo --------------------------------------------------------------------------- */

static struct known *
known_slot(struct pickler *pickler, struct slice text)
{
    size_t at = (size_t)XXH3_64bits(text.data, text.size) & pickler->known_mask;
    while (pickler->known[at].used && !slice_equal(pickler->known[at].text, text)) {
        at = (at + 1) & pickler->known_mask;
    }
    return &pickler->known[at];
}

/* Room for one more. False without memory. */
static bool
known_reserve(struct pickler *pickler)
{
    struct pickler larger = *pickler;
    if (2 * (pickler->known_count + 1) <= pickler->known_mask + 1) {
        return true;
    }
    larger.known_mask = 2 * pickler->known_mask + 1;
    larger.known = arena_calloc(pickler->arena, larger.known_mask + 1, sizeof(*larger.known));
    if (larger.known == NULL) {
        return false;
    }
    for (size_t i = 0; i <= pickler->known_mask; i++) {
        if (pickler->known[i].used) {
            *known_slot(&larger, pickler->known[i].text) = pickler->known[i];
        }
    }
    pickler->known = larger.known;
    pickler->known_mask = larger.known_mask;
    return true;
}

/* The value written last gets the next number. <text>: to be found by; size 0: not at all. */
static void
memoize(struct pickler *pickler, struct slice text)
{
    if (!pickler->memoizes) {
        return;
    }
    if (pickler->protocol >= 4) {
        put_opcode(pickler, '\x94');
    } else {
        bool small = pickler->memo_count < 256;
        put_opcode(pickler, small ? 'q' : 'r');
        put_little_endian(pickler, pickler->memo_count, small ? 1 : 4);
    }
    if (pickler->known != NULL && text.size > 0) {
        if (!known_reserve(pickler)) {
            pickler->out.failed = true;
            return;
        }
        struct known *known = known_slot(pickler, text);
        pickler->known_count += !known->used;
        *known = (struct known){.text = text, .index = pickler->memo_count, .used = true};
    }
    pickler->memo_count++;
}

/* Write a reference to an equal value, if there is one. */
static bool
recall(struct pickler *pickler, struct slice text)
{
    if (pickler->known == NULL) {
        return false;
    }
    const struct known *known = known_slot(pickler, text);
    if (!known->used) {
        return false;
    }
    bool small = known->index < 256;
    put_opcode(pickler, small ? 'h' : 'j');
    put_little_endian(pickler, known->index, small ? 1 : 4);
    return true;
}

/* --- values ----------------------------------------------------------------------------- */

static void
put_integer(struct pickler *pickler, int64_t number)
{
    char bytes[9];
    uint64_t bits = (uint64_t)number;
    if (number >= 0 && number <= UINT16_MAX) {
        put_opcode(pickler, number <= UINT8_MAX ? 'K' : 'M');
        put_little_endian(pickler, bits, number <= UINT8_MAX ? 1 : 2);
        return;
    }
    if (number >= INT32_MIN && number <= INT32_MAX) {
        put_opcode(pickler, 'J');
        put_little_endian(pickler, bits, 4);
        return;
    }
    size_t size = 8;
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (char)(bits >> (8 * i));
    }
    while (size > 1) {
        bool negative = (bytes[size - 2] & 0x80) != 0;
        if ((uint8_t)bytes[size - 1] != (negative ? 0xFF : 0)) {
            break;
        }
        size--;
    }
    put_sized(pickler, '\x8a', 1, slice_make(bytes, size));
}

static void
put_number(struct pickler *pickler, struct slice raw)
{
    uint8_t first = (uint8_t)raw.data[0];
    uint64_t bits = 0;
    for (size_t i = 1; i < raw.size; i++) {
        bits = bits << 8 | (uint8_t)raw.data[i];
    }
    if (first == 0xCA || first == 0xCB) {
        if (first == 0xCA) {
            uint32_t word = (uint32_t)bits;
            float single;
            memcpy(&single, &word, sizeof(single));
            double wide = (double)single;
            memcpy(&bits, &wide, sizeof(bits));
        }
        put_opcode(pickler, 'G');
        for (unsigned i = 8; i-- > 0;) {
            writer_char(&pickler->out, (char)(bits >> (8 * i)));
        }
        return;
    }
    if (first == 0xCF && bits > INT64_MAX) {
        char bytes[9] = {0};
        for (unsigned i = 0; i < 8; i++) {
            bytes[i] = (char)(bits >> (8 * i));
        }
        put_sized(pickler, '\x8a', 1, slice_make(bytes, 9));
        return;
    }
    if (raw.size == 1) {
        put_integer(pickler, first < 0x80 ? first : (int64_t)first - 256);
        return;
    }
    if (first >= 0xD0 && first < 0xD3 && bits >> (8 * (raw.size - 1) - 1) != 0) {
        bits |= UINT64_MAX << (8 * (raw.size - 1));
    }
    int64_t number;
    memcpy(&number, &bits, sizeof(number));
    put_integer(pickler, number);
}

/* A str or bin; <text> is what is in it, <raw> all of it. */
static bool
put_text(struct pickler *pickler, bool is_str, struct slice raw, struct slice text)
{
    char head = raw.data[0];
    bool again = head == '\xdb' || head == '\xc6'; /* a large one is taken to be the same */
    char key = is_str ? 's' : 'b';
    struct slice name = {NULL, 0};
    if (pickler->known != NULL) {
        char *copy = arena_alloc(pickler->arena, text.size + 1);
        if (copy == NULL) {
            return false;
        }
        copy[0] = key;
        if (text.size > 0) {
            memcpy(copy + 1, text.data, text.size);
        }
        name = slice_make(copy, text.size + 1);
        if (again && recall(pickler, name)) {
            return true;
        }
    }
    if (is_str) {
        if (pickler->protocol >= 4 && text.size < 256) {
            put_sized(pickler, '\x8c', 1, text);
        } else {
            put_sized(pickler, 'X', 4, text);
        }
    } else if (pickler->protocol < 3) {
        pickler->problem = "protocol 2 has no bytes";
        return true;
    } else {
        put_sized(pickler, text.size < 256 ? 'C' : 'B', text.size < 256 ? 1 : 4, text);
    }
    memoize(pickler, name);
    return true;
}

/* Enter a container of <count> values. False without memory. */
static bool
level_open(struct pickler *pickler, int type, uint64_t count, struct slice text,
           struct level **top)
{
    struct level *level = arena_calloc(pickler->arena, 1, sizeof(*level));
    if (level == NULL) {
        return false;
    }
    level->type = (__typeof__(level->type))type;
    level->count = count;
    level->text = text;
    level->up = *top;
    *top = level;
    if (type == LEVEL_TUPLE) {
        if (count > 3) {
            put_opcode(pickler, '(');
        } else if (count == 0) {
            put_opcode(pickler, ')');
        }
        return true;
    }
    put_opcode(pickler, type == LEVEL_LIST ? ']' : '}');
    memoize(pickler, (struct slice){NULL, 0});
    if (count > (type == LEVEL_LIST ? 1u : 2u)) {
        put_opcode(pickler, '(');
    }
    return true;
}

/* A value more of <level> has been written. */
static void
level_step(struct pickler *pickler, struct level *level)
{
    bool list = level->type == LEVEL_LIST;
    uint64_t batch = list ? BATCH : 2 * BATCH;
    level->done++;
    if (level->type == LEVEL_TUPLE) {
        return;
    }
    if (level->count == (list ? 1u : 2u)) {
        if (level->done == level->count) {
            put_opcode(pickler, list ? 'a' : 's');
        }
    } else if (level->done == level->count || level->done % batch == 0) {
        put_opcode(pickler, list ? 'e' : 'u');
        /* CPython looks for more pairs of a dict only in the next batch. */
        if (level->done < level->count || (!list && level->done % batch == 0)) {
            put_opcode(pickler, '(');
        }
        if (level->done == level->count && !list && level->done % batch == 0) {
            put_opcode(pickler, 'u');
        }
    }
}

/* All values of <level> have been written. */
static void
level_close(struct pickler *pickler, const struct level *level)
{
    if (level->type == LEVEL_TUPLE && level->count > 0) {
        put_opcode(pickler, level->count > 3 ? 't' : (char)(0x84 + level->count));
        memoize(pickler, level->text);
    }
}

/* The value at <at>: *ret_next is where the next one starts. */
static bool
value_put(struct pickler *pickler, const char *at, const char *end, struct level **top,
          const char **ret_next)
{
    struct msgpack_head head = msgpack_head_of(at, end);
    struct slice raw = slice_make(at, head.size + (size_t)head.body);
    struct slice body = slice_make(at + head.size, (size_t)head.body);
    struct level *level = *top;
    bool done = true;
    *ret_next = at + raw.size;
    boundary(pickler);
    switch (head.kind) {
    case KIND_NULL:
        put_opcode(pickler, 'N');
        break;
    case KIND_FALSE:
    case KIND_TRUE:
        put_opcode(pickler, head.kind == KIND_TRUE ? '\x88' : '\x89');
        break;
    case KIND_NUMBER:
        put_number(pickler, raw);
        break;
    case KIND_STRING:
    case KIND_BYTES:
        done = put_text(pickler, head.kind == KIND_STRING, raw, body);
        break;
    case KIND_ARRAY:
    case KIND_OBJECT:
        return level_open(pickler, head.kind == KIND_ARRAY ? LEVEL_LIST : LEVEL_DICT,
                          head.values, (struct slice){NULL, 0}, top);
    default:
        if (body.size > 1 && body.data[0] == PICKLE_LONG) {
            body = slice_make(body.data + 1, body.size - 1);
            put_sized(pickler, body.size < 256 ? '\x8a' : '\x8b', body.size < 256 ? 1 : 4,
                      body);
        } else if (body.size > 1 && body.data[0] == PICKLE_TUPLE &&
                   codec_msgpack.is_value(slice_make(body.data + 1, body.size - 1),
                                          CODEC_DEPTH_MAX) &&
                   codec_msgpack.kind(slice_make(body.data + 1, body.size - 1)) == KIND_ARRAY) {
            struct msgpack_head inner = msgpack_head_of(body.data + 1, end);
            if (at[0] == '\xc9' && recall(pickler, body)) {
                break;
            }
            *ret_next = body.data + 1 + inner.size;
            return level_open(pickler, LEVEL_TUPLE, inner.values, body, top);
        } else {
            pickler->problem = "an extension of MessagePack that is no value of Python's";
        }
    }
    if (level != NULL) {
        level_step(pickler, level);
    }
    return done;
}

static bool
all_put(struct pickler *pickler, struct slice value)
{
    const char *at = value.data;
    const char *end = at + value.size;
    struct level *top = NULL;
    do {
        if (!value_put(pickler, at, end, &top, &at)) {
            return false;
        }
        while (top != NULL && top->done == top->count) {
            level_close(pickler, top);
            top = top->up;
            if (top != NULL) {
                level_step(pickler, top);
            }
        }
    } while (top != NULL && pickler->problem == NULL);
    return true;
}

/* A table, where any value is said to be the same as another. False without memory. */
static bool
known_init(struct pickler *pickler, struct slice value)
{
    if (!pickler->memoizes || (memchr(value.data, '\xdb', value.size) == NULL &&
                               memchr(value.data, '\xc6', value.size) == NULL &&
                               memchr(value.data, '\xc9', value.size) == NULL)) {
        return true;
    }
    pickler->known = arena_calloc(pickler->arena, KNOWN_MIN, sizeof(*pickler->known));
    pickler->known_mask = KNOWN_MIN - 1;
    return pickler->known != NULL;
}

enum codec_status
pickle_write(struct slice value, unsigned form, struct arena *arena, struct slice *ret_text,
             const char **ret_problem)
{
    struct pickler pickler = {
        .arena = arena,
        .out = writer_in(arena),
        .protocol = form & PICKLE_PROTOCOL,
        .memoizes = (form & PICKLE_NO_MEMO) == 0,
    };
    enum codec_status status = CODEC_NO_MEMORY;
    (void)writer_reserve(&pickler.out,
                         value.size + value.size / 2 + 64); /* most often enough */
    if (known_init(&pickler, value)) {
        if (form & PICKLE_MARKED) {
            writer_char(&pickler.out, '!');
        }
        writer_char(&pickler.out, '\x80');
        writer_char(&pickler.out, (char)pickler.protocol);
        pickler.framing = pickler.protocol >= 4;
        if (all_put(&pickler, value)) {
            put_opcode(&pickler, '.');
            frame_close(&pickler);
            if (pickler.problem != NULL) {
                *ret_problem = pickler.problem;
                status = CODEC_RANGE;
            } else if (!pickler.out.failed) {
                *ret_text = writer_slice(&pickler.out);
                status = CODEC_OK;
            }
        }
    }
    return status;
}
