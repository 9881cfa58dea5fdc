/*
 * Pickles of protocol 4 as CPython writes them, where no object stands twice; and read,
 * whatever protocol and memo they have. Plain data that JSON knows, nothing else.
 */
#include "tests/property/model/spelling_format.h"

#include "proto/base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STACK_MAX = 4096, MEMO_MAX = 65536, BATCH = 1000 };

/* A machine at work; a MARK is NULL on the stack. */
struct machine {
    struct spelling_reader *reader;
    struct value *stack[STACK_MAX];
    size_t stack_count;
    struct value **memo;
    size_t memo_count;
};

static bool
take_little_endian(struct spelling_reader *reader, size_t width, uint64_t *ret_number)
{
    *ret_number = 0;
    if ((size_t)(reader->end - reader->at) < width) {
        return false;
    }
    for (size_t i = 0; i < width; i++) {
        *ret_number |= (uint64_t)(uint8_t)*reader->at++ << (8 * i);
    }
    return true;
}

static bool
push(struct machine *machine, struct value *value)
{
    if (machine->stack_count == STACK_MAX) {
        return false;
    }
    machine->stack[machine->stack_count++] = value;
    return true;
}

static bool
push_integer(struct machine *machine, int64_t number)
{
    char text[32];
    struct value *value = value_new(machine->reader->arena, VALUE_NUMBER);
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    CHECK(arena_copy(machine->reader->arena, slice_from_string(text), &value->text));
    return push(machine, value);
}

/* One of 64 bits without a sign, and a byte of zeros behind it. */
static bool
push_natural(struct machine *machine)
{
    char text[32];
    uint64_t number;
    struct value *value = value_new(machine->reader->arena, VALUE_NUMBER);
    (void)take_little_endian(machine->reader, 8, &number);
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    CHECK(arena_copy(machine->reader->arena, slice_from_string(text), &value->text));
    return *machine->reader->at++ == '\0' && push(machine, value);
}

static bool
push_text(struct machine *machine, size_t width)
{
    struct spelling_reader *reader = machine->reader;
    uint64_t size;
    if (!take_little_endian(reader, width, &size) ||
        size > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    struct value *value = value_slice(reader->arena, slice_make(reader->at, (size_t)size));
    reader->at += size;
    return push(machine, value);
}

static bool
push_float(struct machine *machine)
{
    struct spelling_reader *reader = machine->reader;
    uint64_t bits = 0;
    double number;
    if (reader->end - reader->at < 8) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        bits = bits << 8 | (uint8_t)*reader->at++;
    }
    memcpy(&number, &bits, sizeof(number));
    struct value *value = spelling_float(reader->arena, number);
    return value != NULL && push(machine, value);
}

/* The values behind the topmost MARK go into the container below it. */
static bool
add(struct machine *machine, size_t from, size_t target)
{
    struct value *container = target == 0 ? NULL : machine->stack[target - 1];
    if (container == NULL || container->kind < VALUE_ARRAY) {
        return false;
    }
    bool dict = container->kind == VALUE_OBJECT;
    if (dict && (machine->stack_count - from) % 2 != 0) {
        return false;
    }
    for (size_t i = from; i < machine->stack_count; i += dict ? 2 : 1) {
        struct value *key = machine->stack[i];
        struct value *value = machine->stack[dict ? i + 1 : i];
        if (key == NULL || value == NULL || (dict && key->kind != VALUE_STRING)) {
            return false;
        }
        value_append(machine->reader->arena, container,
                     dict ? key->text : (struct slice){NULL, 0}, value);
    }
    machine->stack_count = target;
    return true;
}

static size_t
mark_of(const struct machine *machine)
{
    size_t at = machine->stack_count;
    while (at > 0 && machine->stack[at - 1] != NULL) {
        at--;
    }
    return at; /* behind it; 0: none */
}

static bool
memoize(struct machine *machine, uint64_t index)
{
    if (machine->stack_count == 0 || index >= MEMO_MAX) {
        return false;
    }
    machine->memo[index] = machine->stack[machine->stack_count - 1];
    machine->memo_count =
        index >= machine->memo_count ? (size_t)index + 1 : machine->memo_count;
    return true;
}

static bool
step(struct machine *machine, uint8_t opcode)
{
    struct spelling_reader *reader = machine->reader;
    uint64_t number;
    size_t mark;
    size_t count = machine->stack_count;
    switch (opcode) {
    case 'N':
        return push(machine, value_new(reader->arena, VALUE_NULL));
    case 0x88:
    case 0x89:
        return push(machine,
                    value_new(reader->arena, opcode == 0x88 ? VALUE_TRUE : VALUE_FALSE));
    case 'K':
    case 'M':
        return take_little_endian(reader, opcode == 'K' ? 1 : 2, &number) &&
               push_integer(machine, (int64_t)number);
    case 'J':
        return take_little_endian(reader, 4, &number) &&
               push_integer(machine, (int32_t)(uint32_t)number);
    case 0x8a:
        if (!take_little_endian(reader, 1, &number) || number > 9 ||
            (uint64_t)(reader->end - reader->at) < number) {
            return false;
        } else {
            unsigned width = (unsigned)number;
            if (width == 9) {
                return push_natural(machine);
            }
            (void)take_little_endian(reader, width, &number);
            if (width > 0 && width < 8 && number >> (8 * width - 1) != 0) {
                number |= UINT64_MAX << (8 * width);
            }
            return push_integer(machine, (int64_t)number);
        }
    case 'G':
        return push_float(machine);
    case 0x8c:
        return push_text(machine, 1);
    case 'X':
        return push_text(machine, 4);
    case ']':
    case '}':
        return push(machine,
                    value_new(reader->arena, opcode == ']' ? VALUE_ARRAY : VALUE_OBJECT));
    case '(':
        return push(machine, NULL);
    case 'a':
        return count >= 2 && add(machine, count - 1, count - 1);
    case 's':
        return count >= 3 && add(machine, count - 2, count - 2);
    case 'e':
    case 'u':
        mark = mark_of(machine);
        return mark >= 2 && add(machine, mark, mark - 1);
    case 0x94:
        return memoize(machine, machine->memo_count);
    case 'q':
        return take_little_endian(reader, 1, &number) && memoize(machine, number);
    case 'h':
    case 'j':
        return take_little_endian(reader, opcode == 'h' ? 1 : 4, &number) &&
               number < machine->memo_count && push(machine, machine->memo[number]);
    case 0x95:
        return take_little_endian(reader, 8, &number) &&
               number <= (uint64_t)(reader->end - reader->at);
    default:
        return false;
    }
}

static size_t
depth_of(const struct value *value)
{
    size_t deepest = 0;
    for (size_t i = 0; i < value->count; i++) {
        size_t depth = depth_of(value->members[i].value);
        deepest = depth > deepest ? depth : deepest;
    }
    return value->kind >= VALUE_ARRAY ? deepest + 1 : 0;
}

struct value *
spelling_pickle_take(struct spelling_reader *reader, size_t depth)
{
    uint64_t protocol;
    struct machine *machine = arena_calloc(reader->arena, 1, sizeof(*machine));
    (void)depth;
    CHECK(machine != NULL);
    machine->reader = reader;
    machine->memo = arena_calloc(reader->arena, MEMO_MAX, sizeof(*machine->memo));
    CHECK(machine->memo != NULL);
    if (reader->end - reader->at < 2 || *reader->at++ != '\x80' ||
        !take_little_endian(reader, 1, &protocol) || protocol < 2 || protocol > 5) {
        return NULL;
    }
    while (reader->at < reader->end) {
        uint8_t opcode = (uint8_t)*reader->at++;
        if (opcode == '.') {
            struct value *value = machine->stack_count == 1 ? machine->stack[0] : NULL;
            if (value == NULL) {
                return NULL;
            }
            reader->depth_seen = depth_of(value);
            reader->deep = reader->depth_seen > reader->depth_max;
            return reader->deep ? NULL : value;
        }
        if (!step(machine, opcode)) {
            return NULL;
        }
    }
    return NULL;
}

/* --- writing --------------------------------------------------------------------------- */

static void
put_little_endian(struct buffer *out, uint64_t number, unsigned width)
{
    for (unsigned i = 0; i < width; i++) {
        buffer_append_char(out, (char)(number >> (8 * i)));
    }
}

static void
put_number(struct buffer *out, struct slice text)
{
    int64_t integer;
    double real;
    uint64_t bits;
    if (!spelling_int64(text, &integer)) {
        if (spelling_uint64(text, &bits)) {
            buffer_append_string(out, "\x8a\x09");
            put_little_endian(out, bits, 8);
            buffer_append_char(out, '\0');
            return;
        }
        if (!spelling_double(text, &real) || spelling_is_whole(text)) {
            integer = 7;
        } else {
            memcpy(&bits, &real, sizeof(bits));
            buffer_append_char(out, 'G');
            for (unsigned i = 8; i-- > 0;) {
                buffer_append_char(out, (char)(bits >> (8 * i)));
            }
            return;
        }
    }
    if (integer >= 0 && integer < 65536) {
        buffer_append_char(out, integer < 256 ? 'K' : 'M');
        put_little_endian(out, (uint64_t)integer, integer < 256 ? 1 : 2);
    } else if (integer >= INT32_MIN && integer <= INT32_MAX) {
        buffer_append_char(out, 'J');
        put_little_endian(out, (uint64_t)integer, 4);
    } else {
        unsigned width = 8;
        while (width > 1 && (integer >> (8 * (width - 1) - 1) == 0 ||
                             integer >> (8 * (width - 1) - 1) == -1)) {
            width--;
        }
        buffer_append_char(out, '\x8a');
        put_little_endian(out, width, 1);
        put_little_endian(out, (uint64_t)integer, width);
    }
}

static void
put_string(struct buffer *out, struct slice text)
{
    buffer_append_char(out, text.size < 256 ? '\x8c' : 'X');
    put_little_endian(out, text.size, text.size < 256 ? 1 : 4);
    buffer_append_slice(out, text);
    buffer_append_char(out, '\x94');
}

static void
put_value(struct buffer *out, const struct value *value, enum value_style style,
          struct prng *prng)
{
    static const char scalars[] = {
        [VALUE_NULL] = 'N', [VALUE_FALSE] = '\x89', [VALUE_TRUE] = '\x88'};
    size_t stride;
    if (value->kind <= VALUE_TRUE) {
        buffer_append_char(out, scalars[value->kind]);
        return;
    }
    if (value->kind == VALUE_NUMBER) {
        put_number(out, value->text);
        return;
    }
    if (value->kind == VALUE_STRING) {
        put_string(out, value->text);
        return;
    }
    bool dict = value->kind == VALUE_OBJECT;
    size_t first = spelling_shuffled(value, style, prng, &stride);
    buffer_append_char(out, dict ? '}' : ']');
    buffer_append_char(out, '\x94');
    for (size_t i = 0; i < value->count; i++) {
        const struct member *member = &value->members[(first + i * stride) % value->count];
        if (value->count > 1 && i % BATCH == 0) {
            buffer_append_char(out, '(');
        }
        if (dict) {
            put_string(out, member->name);
        }
        put_value(out, member->value, style, prng);
        if (value->count > 1 && (i + 1) % BATCH == 0) {
            buffer_append_char(out, dict ? 'u' : 'e');
        }
    }
    if (value->count == 1) {
        buffer_append_char(out, dict ? 's' : 'a');
    } else if (value->count % BATCH != 0) {
        buffer_append_char(out, dict ? 'u' : 'e');
    } else if (dict && value->count > 0) {
        buffer_append_string(out, "(u");
    }
}

/* One frame: a document that would need more is written as an empty one. */
void
spelling_pickle_put(struct buffer *out, const struct value *value, enum value_style style,
                    struct prng *prng)
{
    struct buffer body;
    buffer_init(&body, 0);
    put_value(&body, value, style, prng);
    if (body.size >= 60000) {
        buffer_clear(&body);
        buffer_append_string(&body, "}\x94");
    }
    buffer_append_char(&body, '.');
    buffer_append_string(out, "\x80\x04");
    if (body.size >= 4) {
        buffer_append_char(out, '\x95');
        put_little_endian(out, body.size, 8);
    }
    buffer_append_slice(out, buffer_slice(&body));
    buffer_fini(&body);
}
