#include "proto/codec/pickle.h"

#include "proto/base/check.h"
#include "proto/codec/msgpack.h"
#include "proto/codec/tree.h"

/* What pickle.py calls them. X(byte, name, what is to be done) */
#define OPCODES(X)                                                                             \
    X('.', STOP)                                                                               \
    X('(', MARK)                                                                               \
    X('N', NONE)                                                                               \
    X('\x88', NEWTRUE)                                                                         \
    X('\x89', NEWFALSE)                                                                        \
    X('J', BININT)                                                                             \
    X('K', BININT1)                                                                            \
    X('M', BININT2)                                                                            \
    X('\x8a', LONG1)                                                                           \
    X('\x8b', LONG4)                                                                           \
    X('G', BINFLOAT)                                                                           \
    X('X', BINUNICODE)                                                                         \
    X('\x8c', SHORT_BINUNICODE)                                                                \
    X('\x8d', BINUNICODE8)                                                                     \
    X('C', SHORT_BINBYTES)                                                                     \
    X('B', BINBYTES)                                                                           \
    X('\x8e', BINBYTES8)                                                                       \
    X(']', EMPTY_LIST)                                                                         \
    X('a', APPEND)                                                                             \
    X('e', APPENDS)                                                                            \
    X('}', EMPTY_DICT)                                                                         \
    X('s', SETITEM)                                                                            \
    X('u', SETITEMS)                                                                           \
    X(')', EMPTY_TUPLE)                                                                        \
    X('\x85', TUPLE1)                                                                          \
    X('\x86', TUPLE2)                                                                          \
    X('\x87', TUPLE3)                                                                          \
    X('t', TUPLE)                                                                              \
    X('q', BINPUT)                                                                             \
    X('r', LONG_BINPUT)                                                                        \
    X('\x94', MEMOIZE)                                                                         \
    X('h', BINGET)                                                                             \
    X('j', LONG_BINGET)                                                                        \
    X('\x80', PROTO)                                                                           \
    X('\x95', FRAME)

/* Opcodes that are no plain data. */
#define REFUSED(X)                                                                             \
    X('0', POP)                                                                                \
    X('1', POP_MARK)                                                                           \
    X('2', DUP)                                                                                \
    X('F', FLOAT)                                                                              \
    X('I', INT)                                                                                \
    X('L', LONG)                                                                               \
    X('P', PERSID)                                                                             \
    X('Q', BINPERSID)                                                                          \
    X('R', REDUCE)                                                                             \
    X('S', STRING)                                                                             \
    X('T', BINSTRING)                                                                          \
    X('U', SHORT_BINSTRING)                                                                    \
    X('V', UNICODE)                                                                            \
    X('b', BUILD)                                                                              \
    X('c', GLOBAL)                                                                             \
    X('d', DICT)                                                                               \
    X('g', GET)                                                                                \
    X('i', INST)                                                                               \
    X('l', LIST)                                                                               \
    X('o', OBJ)                                                                                \
    X('p', PUT)                                                                                \
    X('\x81', NEWOBJ)                                                                          \
    X('\x82', EXT1)                                                                            \
    X('\x83', EXT2)                                                                            \
    X('\x84', EXT4)                                                                            \
    X('\x8f', EMPTY_SET)                                                                       \
    X('\x90', ADDITEMS)                                                                        \
    X('\x91', FROZENSET)                                                                       \
    X('\x92', NEWOBJ_EX)                                                                       \
    X('\x93', STACK_GLOBAL)                                                                    \
    X('\x96', BYTEARRAY8)                                                                      \
    X('\x97', NEXT_BUFFER)                                                                     \
    X('\x98', READONLY_BUFFER)

enum opcode {
#define X(byte, name) OP_##name = (uint8_t)(byte),
    OPCODES(X)
#undef X
};

/* A value; on the stack, or in its container. */
struct item {
    enum {
        ITEM_SCALAR,
        ITEM_STRING,
        ITEM_BYTES,
        ITEM_LONG,
        ITEM_LIST,
        ITEM_DICT,
        ITEM_TUPLE
    } type;
    bool placed;      /* in a container: it has all that it will have */
    bool frozen;      /* it stands elsewhere, too: to get more could be to hold itself */
    unsigned depth;   /* of containers in it, itself included */
    uint64_t size;    /* of it in between */
    struct slice raw; /* scalars: in between; strings, bytes, longs: what is in them */
    struct link *first;
    struct link *last;
    uint64_t count;
};

/* A place that a value stands in: on the stack, or in a container. */
struct link {
    struct link *next;
    struct item *item; /* NULL on the stack: a MARK */
    bool again;        /* the same object stands somewhere before */
};

struct reader {
    struct arena *arena;
    const char *start;
    const char *at;
    const char *end;
    unsigned depth_max;
    uint64_t size_max; /* in between */
    struct link *stack;
    size_t stack_count;
    size_t stack_capacity;
    struct item **memo; /* an open hash table would not pay: numbers are dense */
    size_t memo_count;
    size_t memo_capacity;
    unsigned form;
    bool shared;       /* a list or dict stands in two places */
    bool has_identity; /* there is something that CPython memoizes */
};

/* --- sizes in between ------------------------------------------------------------------- */

static size_t
str_head_size(uint64_t size, bool again)
{
    return again ? 5 : size < 32 ? 1 : size < 256 ? 2 : size < 65536 ? 3 : 5;
}

static size_t
bin_head_size(uint64_t size, bool again)
{
    return again || size >= 65536 ? 5 : size < 256 ? 2 : 3;
}

/* Of an extension: as bin, and its type. */
static size_t
ext_head_size(uint64_t size, bool again)
{
    return bin_head_size(size, again) + 1;
}

static size_t
container_head_size(uint64_t count)
{
    return count < 16 ? 1 : count < 65536 ? 3 : 5;
}

static uint64_t
item_size(const struct item *item, bool again)
{
    uint64_t inner = item->raw.size;
    switch (item->type) {
    case ITEM_STRING:
        return str_head_size(inner, again) + inner;
    case ITEM_BYTES:
        return bin_head_size(inner, again) + inner;
    case ITEM_LONG:
        return ext_head_size(inner, false) + inner;
    case ITEM_LIST:
    case ITEM_DICT:
        return container_head_size(item->type == ITEM_DICT ? item->count / 2 : item->count) +
               item->size;
    case ITEM_TUPLE:
        inner = container_head_size(item->count) + item->size;
        return ext_head_size(inner, again && item->count > 0) + inner;
    default:
        return inner;
    }
}

/* --- the stack machine ------------------------------------------------------------------ */

static enum codec_status
push(struct reader *reader, struct item *item, bool again)
{
    if (reader->stack_count == reader->stack_capacity) {
        size_t capacity = reader->stack_capacity * 2 + 64;
        struct link *stack = arena_calloc(reader->arena, capacity, sizeof(*stack));
        if (stack == NULL) {
            return CODEC_NO_MEMORY;
        }
        if (reader->stack_count > 0) {
            memcpy(stack, reader->stack, reader->stack_count * sizeof(*stack));
        }
        reader->stack = stack;
        reader->stack_capacity = capacity;
    }
    reader->stack[reader->stack_count++] = (struct link){.item = item, .again = again};
    return CODEC_OK;
}

static enum codec_status
push_new(struct reader *reader, int type, struct slice raw)
{
    struct item *item = arena_calloc(reader->arena, 1, sizeof(*item));
    if (item == NULL) {
        return CODEC_NO_MEMORY;
    }
    item->type = (__typeof__(item->type))type;
    item->raw = raw;
    item->depth = type >= ITEM_LIST;
    reader->has_identity |= type == ITEM_STRING || type == ITEM_BYTES || type >= ITEM_LIST;
    return push(reader, item, false);
}

/* Where the values behind the topmost MARK begin; 0 if there is none. */
static size_t
behind_mark(const struct reader *reader)
{
    size_t at = reader->stack_count;
    while (at > 0 && reader->stack[at - 1].item != NULL) {
        at--;
    }
    return at;
}

/* Put the stack from <from> on into <container>; the stack ends at <from> then. */
static enum codec_status
place(struct reader *reader, struct item *container, size_t from)
{
    for (size_t i = from; i < reader->stack_count; i++) {
        struct link *link = arena_alloc(reader->arena, sizeof(*link));
        if (link == NULL) {
            return CODEC_NO_MEMORY;
        }
        *link = reader->stack[i];
        if (link->item == NULL) {
            return CODEC_BAD;
        }
        link->item->placed = true;
        if (container->first == NULL) {
            container->first = link;
        } else {
            container->last->next = link;
        }
        container->last = link;
        container->count++;
        container->size += item_size(link->item, link->again);
        if (link->item->depth >= container->depth) {
            container->depth = link->item->depth + 1;
        }
        if (container->depth > reader->depth_max) {
            return CODEC_DEEP;
        }
        if (container->size > reader->size_max) {
            return CODEC_RANGE;
        }
    }
    reader->stack_count = from;
    return CODEC_OK;
}

/* Add the stack from <from> on to the container below <target> places. */
static enum codec_status
add(struct reader *reader, size_t from, size_t target, int type)
{
    if (target == 0 || target > reader->stack_count) {
        return CODEC_BAD;
    }
    struct link *link = &reader->stack[target - 1];
    if (link->item == NULL || link->item->type != (__typeof__(link->item->type))type ||
        link->again || link->item->placed ||
        (type == ITEM_DICT && (reader->stack_count - from) % 2 != 0)) {
        return CODEC_BAD;
    }
    return link->item->frozen ? CODEC_REFERENCE : place(reader, link->item, from);
}

/* The top <count> values, or those behind the MARK, as a tuple. */
static enum codec_status
make_tuple(struct reader *reader, size_t from, size_t keep)
{
    struct item *tuple = arena_calloc(reader->arena, 1, sizeof(*tuple));
    if (tuple == NULL) {
        return CODEC_NO_MEMORY;
    }
    tuple->type = ITEM_TUPLE;
    tuple->depth = 1;
    enum codec_status status = place(reader, tuple, from);
    reader->stack_count = keep;
    reader->has_identity |= tuple->count > 0;
    if (tuple->depth > reader->depth_max) {
        return CODEC_DEEP;
    }
    return status == CODEC_OK ? push(reader, tuple, false) : status;
}

static enum codec_status
memo_put(struct reader *reader, uint64_t index)
{
    if (reader->stack_count == 0 || reader->stack[reader->stack_count - 1].item == NULL ||
        index > (uint64_t)(reader->end - reader->start)) {
        return CODEC_BAD;
    }
    if (index >= reader->memo_capacity) {
        size_t capacity = (size_t)index * 2 + 64;
        struct item **memo = arena_calloc(reader->arena, capacity, sizeof(struct item *));
        if (memo == NULL) {
            return CODEC_NO_MEMORY;
        }
        if (reader->memo_count > 0) {
            memcpy(memo, reader->memo, reader->memo_count * sizeof(struct item *));
        }
        reader->memo = memo;
        reader->memo_capacity = capacity;
    }
    if (index >= reader->memo_count) {
        reader->memo_count = (size_t)index + 1;
    }
    reader->memo[index] = reader->stack[reader->stack_count - 1].item;
    reader->form &= ~(unsigned)PICKLE_NO_MEMO;
    return CODEC_OK;
}

static enum codec_status
memo_get(struct reader *reader, uint64_t index)
{
    if (index >= reader->memo_count || reader->memo[index] == NULL) {
        return CODEC_BAD;
    }
    struct item *item = reader->memo[index];
    if (item->type == ITEM_LIST || item->type == ITEM_DICT) {
        item->frozen = true;
        reader->shared = true;
    }
    return push(reader, item, true);
}

/* --- opcodes ---------------------------------------------------------------------------- */

static bool
take_number(struct reader *reader, size_t width, uint64_t *ret_number)
{
    uint64_t number = 0;
    if ((size_t)(reader->end - reader->at) < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        number |= (uint64_t)(uint8_t)reader->at[i] << (8 * i);
    }
    reader->at += width;
    *ret_number = number;
    return true;
}

/* Bytes behind their size of <width> bytes. */
static bool
take_bytes(struct reader *reader, size_t width, struct slice *ret_bytes)
{
    uint64_t size;
    if (!take_number(reader, width, &size) || size > (uint64_t)(reader->end - reader->at) ||
        size > UINT32_MAX) {
        return false;
    }
    *ret_bytes = slice_make(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

static enum codec_status
push_integer(struct reader *reader, int64_t number)
{
    struct slice raw;
    return msgpack_integer(reader->arena, number, &raw) ? push_new(reader, ITEM_SCALAR, raw)
                                                        : CODEC_NO_MEMORY;
}

/* One that needs all of 64 bits, the lowest byte first. */
static enum codec_status
push_natural(struct reader *reader, struct slice bytes)
{
    char *raw = arena_alloc(reader->arena, 9);
    if (raw == NULL) {
        return CODEC_NO_MEMORY;
    }
    raw[0] = '\xcf';
    for (unsigned i = 0; i < 8; i++) {
        raw[1 + i] = bytes.data[7 - i];
    }
    return push_new(reader, ITEM_SCALAR, slice_make(raw, 9));
}

/* An integer in two's complement, the lowest byte first. */
static enum codec_status
push_long(struct reader *reader, struct slice bytes)
{
    uint64_t number = 0;
    int64_t value;
    if (bytes.size == 9 && bytes.data[8] == 0 && (bytes.data[7] & 0x80) != 0) {
        return push_natural(reader, bytes);
    }
    if (bytes.size > 8) {
        return push_new(reader, ITEM_LONG, bytes);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        number |= (uint64_t)(uint8_t)bytes.data[i] << (8 * i);
    }
    if (bytes.size > 0 && bytes.size < 8 && (bytes.data[bytes.size - 1] & 0x80) != 0) {
        number |= UINT64_MAX << (8 * bytes.size);
    }
    memcpy(&value, &number, sizeof(value));
    return push_integer(reader, value);
}

static enum codec_status
push_float(struct reader *reader)
{
    char *raw = arena_alloc(reader->arena, 9);
    if (raw == NULL) {
        return CODEC_NO_MEMORY;
    }
    if (reader->end - reader->at < 8) {
        return CODEC_BAD;
    }
    raw[0] = '\xcb';
    memcpy(raw + 1, reader->at, 8);
    reader->at += 8;
    return push_new(reader, ITEM_SCALAR, slice_make(raw, 9));
}

/* One opcode, whose byte has been read. */
static enum codec_status
step(struct reader *reader, uint8_t opcode)
{
    struct slice bytes = {NULL, 0};
    uint64_t number = 0;
    size_t mark;
    size_t count = reader->stack_count;
    switch (opcode) {
    case OP_NONE:
        return push_new(reader, ITEM_SCALAR, codec_msgpack.null);
    case OP_NEWTRUE:
    case OP_NEWFALSE:
        return push_new(reader, ITEM_SCALAR, codec_msgpack.truth[opcode == OP_NEWTRUE]);
    case OP_BININT:
        return take_number(reader, 4, &number) ? push_integer(reader, (int32_t)number)
                                               : CODEC_BAD;
    case OP_BININT1:
    case OP_BININT2:
        return take_number(reader, opcode == OP_BININT1 ? 1 : 2, &number)
                   ? push_integer(reader, (int64_t)number)
                   : CODEC_BAD;
    case OP_LONG1:
    case OP_LONG4:
        return take_bytes(reader, opcode == OP_LONG1 ? 1 : 4, &bytes) ? push_long(reader, bytes)
                                                                      : CODEC_BAD;
    case OP_BINFLOAT:
        return push_float(reader);
    case OP_SHORT_BINUNICODE:
    case OP_BINUNICODE:
    case OP_BINUNICODE8:
        return take_bytes(reader,
                          opcode == OP_SHORT_BINUNICODE ? 1
                          : opcode == OP_BINUNICODE     ? 4
                                                        : 8,
                          &bytes)
                   ? push_new(reader, ITEM_STRING, bytes)
                   : CODEC_BAD;
    case OP_SHORT_BINBYTES:
    case OP_BINBYTES:
    case OP_BINBYTES8:
        return take_bytes(reader,
                          opcode == OP_SHORT_BINBYTES ? 1
                          : opcode == OP_BINBYTES     ? 4
                                                      : 8,
                          &bytes)
                   ? push_new(reader, ITEM_BYTES, bytes)
                   : CODEC_BAD;
    case OP_EMPTY_LIST:
    case OP_EMPTY_DICT:
        if (reader->depth_max == 0) {
            return CODEC_DEEP;
        }
        return push_new(reader, opcode == OP_EMPTY_LIST ? ITEM_LIST : ITEM_DICT, bytes);
    case OP_MARK:
        return push(reader, NULL, false);
    case OP_APPEND:
        return count < 2 ? CODEC_BAD : add(reader, count - 1, count - 1, ITEM_LIST);
    case OP_SETITEM:
        return count < 3 ? CODEC_BAD : add(reader, count - 2, count - 2, ITEM_DICT);
    case OP_APPENDS:
    case OP_SETITEMS:
        mark = behind_mark(reader);
        if (mark < 2) {
            return CODEC_BAD;
        } else {
            int type = opcode == OP_APPENDS ? ITEM_LIST : ITEM_DICT;
            enum codec_status status = add(reader, mark, mark - 1, type);
            reader->stack_count = mark - 1;
            return status;
        }
    case OP_EMPTY_TUPLE:
        return make_tuple(reader, count, count);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3:
        number = opcode - OP_TUPLE1 + 1u;
        return count < number
                   ? CODEC_BAD
                   : make_tuple(reader, count - (size_t)number, count - (size_t)number);
    case OP_TUPLE:
        mark = behind_mark(reader);
        return mark == 0 ? CODEC_BAD : make_tuple(reader, mark, mark - 1);
    case OP_MEMOIZE:
        return memo_put(reader, reader->memo_count);
    case OP_BINPUT:
    case OP_LONG_BINPUT:
        return take_number(reader, opcode == OP_BINPUT ? 1 : 4, &number)
                   ? memo_put(reader, number)
                   : CODEC_BAD;
    case OP_BINGET:
    case OP_LONG_BINGET:
        return take_number(reader, opcode == OP_BINGET ? 1 : 4, &number)
                   ? memo_get(reader, number)
                   : CODEC_BAD;
    case OP_FRAME:
        return (reader->form & PICKLE_PROTOCOL) >= 4 && take_number(reader, 8, &number) &&
                       number <= (uint64_t)(reader->end - reader->at)
                   ? CODEC_OK
                   : CODEC_BAD;
    default:
        return CODEC_BAD;
    }
}

/* Run the machine over all of <text>; its one value is *ret_item then. */
static enum codec_status
run(struct reader *reader, struct slice text, struct item **ret_item, size_t *ret_offset)
{
    uint64_t protocol;
    enum codec_status status = CODEC_BAD;
    reader->start = reader->at = text.data;
    reader->end = text.data + text.size;
    reader->form = PICKLE_NO_MEMO;
    *ret_offset = 0;
    if (text.size > 0 && text.data[0] == '!') {
        reader->form |= PICKLE_MARKED;
        reader->at++;
    }
    if (reader->end - reader->at < 2 || (uint8_t)*reader->at++ != OP_PROTO ||
        !take_number(reader, 1, &protocol) || protocol < 2 || protocol > 5) {
        return CODEC_BAD;
    }
    reader->form |= (unsigned)protocol;
    while (reader->at < reader->end) {
        *ret_offset = (size_t)(reader->at - reader->start);
        uint8_t opcode = (uint8_t)*reader->at++;
        if (opcode == OP_STOP) {
            if (reader->at != reader->end || reader->stack_count != 1 ||
                reader->stack[0].item == NULL) {
                return CODEC_BAD;
            }
            *ret_item = reader->stack[0].item;
            if (!reader->has_identity) {
                reader->form &= ~(unsigned)PICKLE_NO_MEMO;
            }
            return CODEC_OK;
        }
        status = step(reader, opcode);
        if (status != CODEC_OK) {
            return status;
        }
    }
    *ret_offset = text.size;
    return CODEC_BAD;
}

/* --- in between ------------------------------------------------------------------------- */

static char *
put_big_endian(char *out, uint64_t number, unsigned width)
{
    for (unsigned i = width; i-- > 0;) {
        *out++ = (char)(number >> (8 * i));
    }
    return out;
}

/* The head of a bin (<first> 0xC4) or extension (0xC7) of <size> bytes. */
static char *
put_bin_head(char *out, unsigned first, uint64_t size, bool again)
{
    unsigned step = again || size >= 65536 ? 2 : size < 256 ? 0 : 1;
    *out++ = (char)(first + step);
    return put_big_endian(out, size, 1u << step);
}

static char *
put_container_head(char *out, bool map, uint64_t count)
{
    if (count < 16) {
        *out++ = (char)((map ? 0x80u : 0x90u) + count);
        return out;
    }
    *out++ = (char)((map ? 0xDEu : 0xDCu) + (count >= 65536));
    return put_big_endian(out, count, count >= 65536 ? 4 : 2);
}

/* The head of <item>, and all of it where it is no container. */
static char *
put_item(char *out, const struct item *item, bool again)
{
    uint64_t size = item->raw.size;
    switch (item->type) {
    case ITEM_STRING:
        if (!again && size < 32) {
            *out++ = (char)(0xA0 + size);
        } else {
            unsigned step = again || size >= 65536 ? 2 : size < 256 ? 0 : 1;
            *out++ = (char)(0xD9u + step);
            out = put_big_endian(out, size, 1u << step);
        }
        break;
    case ITEM_BYTES:
        out = put_bin_head(out, 0xC4, size, again);
        break;
    case ITEM_LONG:
        out = put_bin_head(out, 0xC7, size, false);
        *out++ = PICKLE_LONG;
        break;
    case ITEM_LIST:
        return put_container_head(out, false, item->count);
    case ITEM_DICT:
        return put_container_head(out, true, item->count / 2);
    case ITEM_TUPLE:
        out = put_bin_head(out, 0xC7, container_head_size(item->count) + item->size,
                           again && item->count > 0);
        *out++ = PICKLE_TUPLE;
        return put_container_head(out, false, item->count);
    default:
        break;
    }
    if (size > 0) {
        memcpy(out, item->raw.data, (size_t)size);
    }
    return out + size;
}

/* All of <root>, which lies in <out> of item_size() bytes then. False without memory. */
static bool
put_all(struct reader *reader, const struct item *root, char *out)
{
    const struct link **up = arena_calloc(reader->arena, root->depth + 1, sizeof(*up));
    const struct link top = {.item = (struct item *)(uintptr_t)root};
    const struct link *link = &top;
    size_t depth = 0;
    if (up == NULL) {
        return false;
    }
    for (;;) {
        out = put_item(out, link->item, link->again);
        if (link->item->first != NULL) {
            up[depth++] = link;
            link = link->item->first;
            continue;
        }
        while (link->next == NULL) {
            if (depth == 0) {
                return true;
            }
            link = up[--depth];
        }
        link = link->next;
    }
}

/* --- the codec -------------------------------------------------------------------------- */

/* What a memo may make of a pickle, in between. */
static uint64_t
size_max(struct slice text)
{
    return (uint64_t)text.size * 64 + (1u << 20);
}

static enum codec_status
check(struct slice text, unsigned depth_max, size_t *ret_offset)
{
    struct arena arena;
    struct item *item;
    arena_init(&arena, 0);
    struct reader reader = {
        .arena = &arena, .depth_max = depth_max, .size_max = size_max(text)};
    enum codec_status status = run(&reader, text, &item, ret_offset);
    arena_fini(&arena);
    return status;
}

static enum codec_status
document_open(const struct codec *codec, struct slice text, unsigned depth_max,
              struct arena *arena, struct codec_document *ret_document, size_t *ret_offset)
{
    (void)codec;
    struct reader reader = {.arena = arena, .depth_max = depth_max, .size_max = size_max(text)};
    struct item *item;
    enum codec_status status = run(&reader, text, &item, ret_offset);
    if (status != CODEC_OK) {
        return status;
    }
    uint64_t size = item_size(item, false);
    char *value = arena_alloc(arena, (size_t)size);
    if (value == NULL || !put_all(&reader, item, value)) {
        return CODEC_NO_MEMORY;
    }
    *ret_document = (struct codec_document){
        .value = slice_make(value, (size_t)size), .form = reader.form, .shared = reader.shared};
    return CODEC_OK;
}

static enum codec_status
document_close(const struct codec *codec, const struct codec_document *document,
               struct tree_node *root, struct slice value, struct arena *arena,
               struct slice *ret_text, const char **ret_problem)
{
    (void)codec;
    (void)root;
    if (document->shared) {
        *ret_problem = "a list or dict that stands in two places would become two";
        return CODEC_REFERENCE;
    }
    return pickle_write(value, document->form, arena, ret_text, ret_problem);
}

static const char *
name_at(struct slice text, size_t offset)
{
    static const char *const names[256] = {
#define X(byte, name) [(uint8_t)(byte)] = #name,
        OPCODES(X) REFUSED(X)
#undef X
    };
    return offset < text.size ? names[(uint8_t)text.data[offset]] : NULL;
}

const struct codec codec_pickle = {
    .name = "pickle",
    .document = "a pickle of plain data",
    .values = &codec_msgpack,
    .check = check,
    .name_at = name_at,
    .form_alone = 4,
    .form_inside = 4,
    .document_open = document_open,
    .document_close = document_close,
};
