#include "tests/property/model/value.h"

#include "proto/base/check.h"
#include "tests/property/model/exact.h"

struct parser {
    struct arena *arena;
    const char *at;
    const char *end;
    size_t depth_max;
    size_t depth_seen;
    bool deep;
};

struct value *
value_new(struct arena *arena, enum value_kind kind)
{
    struct value *value = arena_calloc(arena, 1, sizeof(*value));
    CHECK(value != NULL);
    value->kind = kind;
    return value;
}

struct value *
value_slice(struct arena *arena, struct slice text)
{
    struct value *value = value_new(arena, VALUE_STRING);
    value->text = text;
    return value;
}

struct value *
value_string(struct arena *arena, const char *text)
{
    return value_slice(arena, slice_from_string(text));
}

struct value *
value_number(struct arena *arena, const char *text)
{
    struct value *value = value_new(arena, VALUE_NUMBER);
    value->text = slice_from_string(text);
    return value;
}

bool
value_is(const struct value *value, enum value_kind kind)
{
    return value != NULL && value->kind == kind;
}

void
value_insert(struct arena *arena, struct value *container, size_t index, struct slice name,
             struct value *value)
{
    if (container->count == container->capacity) {
        size_t capacity = container->capacity == 0 ? 4 : 2 * container->capacity;
        struct member *members = arena_calloc(arena, capacity, sizeof(*members));
        CHECK(members != NULL);
        if (container->count > 0) {
            memcpy(members, container->members, container->count * sizeof(*members));
        }
        container->members = members;
        container->capacity = capacity;
    }
    memmove(container->members + index + 1, container->members + index,
            (container->count - index) * sizeof(*container->members));
    container->members[index] = (struct member){.name = name, .value = value};
    container->count++;
    container->raw = (struct slice){0};
}

void
value_append(struct arena *arena, struct value *container, struct slice name,
             struct value *value)
{
    value_insert(arena, container, container->count, name, value);
}

void
value_set(struct arena *arena, struct value *object, const char *name, struct value *value)
{
    value_append(arena, object, slice_from_string(name), value);
}

void
value_remove(struct value *container, size_t index)
{
    container->count--;
    memmove(container->members + index, container->members + index + 1,
            (container->count - index) * sizeof(*container->members));
    container->raw = (struct slice){0};
}

size_t
value_index(const struct value *object, struct slice name)
{
    if (value_is(object, VALUE_OBJECT)) {
        for (size_t i = 0; i < object->count; i++) {
            if (slice_equal(object->members[i].name, name)) {
                return i;
            }
        }
    }
    return SIZE_MAX;
}

struct value *
value_get(const struct value *object, struct slice name)
{
    size_t index = value_index(object, name);
    return index == SIZE_MAX ? NULL : object->members[index].value;
}

struct value *
value_get_string(const struct value *object, const char *name)
{
    return value_get(object, slice_from_string(name));
}

size_t
value_name_count(const struct value *object, struct slice name)
{
    size_t count = 0;
    if (value_is(object, VALUE_OBJECT)) {
        for (size_t i = 0; i < object->count; i++) {
            count += slice_equal(object->members[i].name, name);
        }
    }
    return count;
}

bool
value_has_duplicates(const struct value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        if (value->kind == VALUE_OBJECT &&
            value_name_count(value, value->members[i].name) > 1) {
            return true;
        }
        if (value_has_duplicates(value->members[i].value)) {
            return true;
        }
    }
    return false;
}

struct value *
value_copy(struct arena *arena, const struct value *value)
{
    struct value *copy = value_new(arena, value->kind);
    *copy = *value;
    if (value->capacity > 0) {
        copy->members = arena_calloc(arena, value->capacity, sizeof(*copy->members));
        CHECK(copy->members != NULL);
        for (size_t i = 0; i < value->count; i++) {
            copy->members[i] = value->members[i];
            copy->members[i].value = value_copy(arena, value->members[i].value);
        }
    }
    return copy;
}

static bool
numbers_equal(struct slice a, struct slice b)
{
    if (slice_equal(a, b)) {
        return true;
    }
    struct arena arena;
    arena_init(&arena, 0);
    bool equal = exact_equal(exact_read(&arena, a), exact_read(&arena, b));
    arena_fini(&arena);
    return equal;
}

/* The n-th member of the same name, so that duplicates compare in their order. */
static const struct value *
counterpart(const struct value *object, const struct value *other, size_t index)
{
    size_t occurrence = 0;
    for (size_t i = 0; i < index; i++) {
        occurrence += slice_equal(other->members[i].name, other->members[index].name);
    }
    for (size_t i = 0; i < object->count; i++) {
        if (slice_equal(object->members[i].name, other->members[index].name) &&
            occurrence-- == 0) {
            return object->members[i].value;
        }
    }
    return NULL;
}

bool
value_equal(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    switch (a->kind) {
    case VALUE_NUMBER:
        return numbers_equal(a->text, b->text);
    case VALUE_STRING:
        return slice_equal(a->text, b->text);
    default:
        for (size_t i = 0; i < a->count; i++) {
            const struct value *other =
                a->kind == VALUE_ARRAY ? b->members[i].value : counterpart(b, a, i);
            if (other == NULL || !value_equal(a->members[i].value, other)) {
                return false;
            }
        }
        return true;
    }
}

bool
value_same_order(const struct value *a, const struct value *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!slice_equal(a->members[i].name, b->members[i].name) ||
            !value_same_order(a->members[i].value, b->members[i].value)) {
            return false;
        }
    }
    return true;
}

static void
skip_space(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t' ||
                                        *parser->at == '\n' || *parser->at == '\r')) {
        parser->at++;
    }
}

static bool
take(struct parser *parser, char byte)
{
    if (parser->at < parser->end && *parser->at == byte) {
        parser->at++;
        return true;
    }
    return false;
}

static size_t
take_digits(struct parser *parser)
{
    const char *start = parser->at;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9') {
        parser->at++;
    }
    return (size_t)(parser->at - start);
}

static bool
take_number(struct parser *parser)
{
    take(parser, '-');
    if (!take(parser, '0') && take_digits(parser) == 0) {
        return false;
    }
    if (take(parser, '.') && take_digits(parser) == 0) {
        return false;
    }
    if (take(parser, 'e') || take(parser, 'E')) {
        if (!take(parser, '+')) {
            take(parser, '-');
        }
        return take_digits(parser) > 0;
    }
    return true;
}

static bool
take_hex(struct parser *parser, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        if (parser->at == parser->end) {
            return false;
        }
        char digit = *parser->at++;
        uint32_t nibble;
        if (digit >= '0' && digit <= '9') {
            nibble = (uint32_t)(digit - '0');
        } else if ((digit | 32) >= 'a' && (digit | 32) <= 'f') {
            nibble = (uint32_t)((digit | 32) - 'a') + 10;
        } else {
            return false;
        }
        unit = unit * 16 + nibble;
    }
    *ret_unit = unit;
    return true;
}

static size_t
put_utf8(char *data, uint32_t point)
{
    if (point < 0x80) {
        data[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        data[0] = (char)(0xc0 | (point >> 6));
        data[1] = (char)(0x80 | (point & 63));
        return 2;
    }
    if (point < 0x10000) {
        data[0] = (char)(0xe0 | (point >> 12));
        data[1] = (char)(0x80 | ((point >> 6) & 63));
        data[2] = (char)(0x80 | (point & 63));
        return 3;
    }
    data[0] = (char)(0xf0 | (point >> 18));
    data[1] = (char)(0x80 | ((point >> 12) & 63));
    data[2] = (char)(0x80 | ((point >> 6) & 63));
    data[3] = (char)(0x80 | (point & 63));
    return 4;
}

static bool
take_escape(struct parser *parser, char *data, size_t *size)
{
    static const char names[] = "\"\\/bfnrt";
    static const char bytes[] = "\"\\/\b\f\n\r\t";
    if (parser->at == parser->end) {
        return false;
    }
    char name = *parser->at++;
    if (name == 'u') {
        uint32_t unit;
        if (!take_hex(parser, &unit)) {
            return false;
        }
        if (unit >= 0xd800 && unit < 0xdc00 && parser->end - parser->at >= 6 &&
            parser->at[0] == '\\' && parser->at[1] == 'u') {
            const char *back = parser->at;
            uint32_t low;
            parser->at += 2;
            if (!take_hex(parser, &low)) {
                return false;
            }
            if (low >= 0xdc00 && low < 0xe000) {
                unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            } else {
                parser->at = back;
            }
        }
        *size += put_utf8(data + *size, unit);
        return true;
    }
    const char *found = name == '\0' ? NULL : strchr(names, name);
    if (found == NULL) {
        return false;
    }
    data[(*size)++] = bytes[found - names];
    return true;
}

static bool
take_string(struct parser *parser, struct slice *ret_text)
{
    if (!take(parser, '"')) {
        return false;
    }
    const char *start = parser->at;
    const char *plain = start;
    while (plain < parser->end && *plain != '"' && *plain != '\\' &&
           (unsigned char)*plain >= 0x20) {
        plain++;
    }
    if (plain < parser->end && *plain == '"') {
        *ret_text = slice_make(start, (size_t)(plain - start));
        parser->at = plain + 1;
        return true;
    }
    size_t size = 0;
    char *data = arena_alloc(parser->arena, (size_t)(parser->end - start) + 1);
    CHECK(data != NULL);
    while (parser->at < parser->end) {
        char byte = *parser->at++;
        if (byte == '"') {
            *ret_text = slice_make(data, size);
            return true;
        }
        if ((unsigned char)byte < 0x20) {
            return false;
        }
        if (byte != '\\') {
            data[size++] = byte;
        } else if (!take_escape(parser, data, &size)) {
            return false;
        }
    }
    return false;
}

static struct value *take_value(struct parser *parser, size_t depth);

static struct value *
take_container(struct parser *parser, size_t depth, bool object)
{
    struct value *container = value_new(parser->arena, object ? VALUE_OBJECT : VALUE_ARRAY);
    if (depth > parser->depth_seen) {
        parser->depth_seen = depth;
    }
    if (depth > parser->depth_max) {
        parser->deep = true;
        return NULL;
    }
    skip_space(parser);
    if (take(parser, object ? '}' : ']')) {
        return container;
    }
    for (;;) {
        struct slice name = {0};
        skip_space(parser);
        const char *start = parser->at;
        if (object && !take_string(parser, &name)) {
            return NULL;
        }
        struct slice raw_name = slice_make(start, (size_t)(parser->at - start));
        skip_space(parser);
        if (object && !take(parser, ':')) {
            return NULL;
        }
        struct value *value = take_value(parser, depth);
        if (value == NULL) {
            return NULL;
        }
        value_append(parser->arena, container, name, value);
        container->members[container->count - 1].raw_name = raw_name;
        skip_space(parser);
        if (take(parser, object ? '}' : ']')) {
            return container;
        }
        if (!take(parser, ',')) {
            return NULL;
        }
    }
}

static bool
take_word(struct parser *parser, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(parser->end - parser->at) < size || memcmp(parser->at, word, size) != 0) {
        return false;
    }
    parser->at += size;
    return true;
}

static struct value *
take_value(struct parser *parser, size_t depth)
{
    skip_space(parser);
    const char *start = parser->at;
    struct value *value = NULL;
    struct slice text;
    if (start == parser->end) {
        return NULL;
    }
    switch (*start) {
    case '{':
    case '[':
        parser->at++;
        value = take_container(parser, depth + 1, *start == '{');
        break;
    case '"':
        value = take_string(parser, &text) ? value_slice(parser->arena, text) : NULL;
        break;
    case 'n':
        value = take_word(parser, "null") ? value_new(parser->arena, VALUE_NULL) : NULL;
        break;
    case 't':
        value = take_word(parser, "true") ? value_new(parser->arena, VALUE_TRUE) : NULL;
        break;
    case 'f':
        value = take_word(parser, "false") ? value_new(parser->arena, VALUE_FALSE) : NULL;
        break;
    default:
        if (take_number(parser)) {
            value = value_new(parser->arena, VALUE_NUMBER);
            value->text = slice_make(start, (size_t)(parser->at - start));
        }
    }
    if (value != NULL) {
        value->raw = slice_make(start, (size_t)(parser->at - start));
    }
    return value;
}

enum value_parse
value_parse(struct arena *arena, struct slice text, size_t depth_max, struct value **ret_value,
            size_t *ret_depth)
{
    struct parser parser = {
        .arena = arena, .at = text.data, .end = text.data + text.size, .depth_max = depth_max};
    struct value *value = take_value(&parser, 0);
    if (ret_depth != NULL) {
        *ret_depth = parser.depth_seen;
    }
    if (value == NULL) {
        return parser.deep ? VALUE_PARSE_DEEP : VALUE_PARSE_BAD;
    }
    skip_space(&parser);
    if (parser.at != parser.end) {
        return VALUE_PARSE_BAD;
    }
    *ret_value = value;
    return VALUE_PARSE_OK;
}

static void
print_space(struct buffer *buffer, enum value_style style, struct prng *prng)
{
    static const char *const spaces[] = {" ", "\n", "\t", "\r\n  ", "  "};
    if (style >= VALUE_DRESSED && prng_chance(prng, 20)) {
        buffer_append_string(buffer, spaces[prng_below(prng, 5)]);
    }
}

static void
print_string(struct buffer *buffer, struct slice text, enum value_style style,
             struct prng *prng)
{
    buffer_append_char(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool odd = style >= VALUE_DRESSED && prng_chance(prng, 5);
        if (byte == 0xed && i + 2 < text.size && (unsigned char)text.data[i + 1] >= 0xa0) {
            /* a lone surrogate has no UTF-8 */
            unsigned unit = 0xd000u | ((unsigned)(text.data[i + 1] & 63) << 6) |
                            (unsigned)(text.data[i + 2] & 63);
            buffer_printf(buffer, "\\u%04x", unit);
            i += 2;
        } else if (byte < 0x20 || (odd && byte < 0x80)) {
            buffer_printf(buffer, odd ? "\\u%04X" : "\\u%04x", byte);
        } else {
            if (byte == '"' || byte == '\\') {
                buffer_append_char(buffer, '\\');
            }
            buffer_append_char(buffer, (char)byte);
        }
    }
    buffer_append_char(buffer, '"');
}

/* Where a printer breaks lines: before members, and before the end of a container. */
static void
print_break(struct buffer *buffer, enum value_style style, size_t depth)
{
    if (style == VALUE_INDENTED) {
        buffer_append_char(buffer, '\n');
        for (size_t i = 0; i < depth; i++) {
            buffer_append_string(buffer, "  ");
        }
    }
}

static void
print(struct buffer *buffer, const struct value *value, enum value_style style,
      struct prng *prng, size_t depth)
{
    static const char *const words[] = {"null", "false", "true"};
    if (style == VALUE_RAW && value->raw.size > 0) {
        buffer_append_slice(buffer, value->raw);
        return;
    }
    switch (value->kind) {
    case VALUE_NULL:
    case VALUE_FALSE:
    case VALUE_TRUE:
        buffer_append_string(buffer, words[value->kind]);
        return;
    case VALUE_NUMBER:
        buffer_append_slice(buffer, value->text);
        return;
    case VALUE_STRING:
        print_string(buffer, value->text, style, prng);
        return;
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        break;
    }
    bool object = value->kind == VALUE_OBJECT;
    size_t first = 0;
    size_t stride = 1;
    if (object && style == VALUE_SHUFFLED && value->count > 1) {
        first = prng_below(prng, value->count);
        stride = prng_chance(prng, 50) ? 1 : value->count - 1; /* rotated, or that backwards */
    }
    buffer_append_char(buffer, object ? '{' : '[');
    print_space(buffer, style, prng);
    for (size_t i = 0; i < value->count; i++) {
        const struct member *member = &value->members[(first + i * stride) % value->count];
        if (i > 0) {
            buffer_append_string(buffer, style == VALUE_SPACED ? ", " : ",");
            print_space(buffer, style, prng);
        }
        print_break(buffer, style, depth + 1);
        if (object) {
            if (style == VALUE_RAW && member->raw_name.size > 0) {
                buffer_append_slice(buffer, member->raw_name);
            } else {
                print_string(buffer, member->name, style, prng);
            }
            print_space(buffer, style, prng);
            bool spaced = style == VALUE_SPACED || style == VALUE_INDENTED;
            buffer_append_string(buffer, spaced ? ": " : ":");
            print_space(buffer, style, prng);
        }
        print(buffer, member->value, style, prng, depth + 1);
        print_space(buffer, style, prng);
    }
    if (value->count > 0) {
        print_break(buffer, style, depth);
    }
    buffer_append_char(buffer, object ? '}' : ']');
}

void
value_print(struct buffer *buffer, const struct value *value, enum value_style style,
            struct prng *prng)
{
    print(buffer, value, style, prng, 0);
}
