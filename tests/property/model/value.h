/*
 * value - JSON as plain trees: the tests' own parser, printer and equality.
 *
 * Shares nothing with the code it checks. Members keep their order and duplicates; what was
 * parsed and never touched knows its source text.
 *
 * Borrowed: trees live in the arena passed in, and parsed ones borrow from the text.
 */
#ifndef TESTS_PROPERTY_MODEL_VALUE_H
#define TESTS_PROPERTY_MODEL_VALUE_H

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "tests/property/model/prng.h"

enum value_kind {
    VALUE_NULL,
    VALUE_FALSE,
    VALUE_TRUE,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT,
};

struct member {
    struct slice name; /* code points as UTF-8; empty in arrays */
    struct slice raw_name;
    struct value *value;
};

struct value {
    enum value_kind kind;
    struct slice text;      /* a string's code points as UTF-8, a number's spelling */
    struct slice raw;       /* source text; size 0 when made or changed here */
    struct member *members; /* of objects, and elements of arrays */
    size_t count;
    size_t capacity;
};

enum value_parse {
    VALUE_PARSE_OK,
    VALUE_PARSE_BAD,  /* no JSON text (RFC 8259) */
    VALUE_PARSE_DEEP, /* nested deeper than asked for */
};

/* <ret_depth> (may be NULL): how deep containers nest, a scalar 0. */
enum value_parse value_parse(struct arena *arena, struct slice text, size_t depth_max,
                             struct value **ret_value, size_t *ret_depth);

/* Numbers by exact value, strings by code points, objects without order, arrays with order. */
bool value_equal(const struct value *a, const struct value *b);

/* Do all objects inside name their members in the same order? */
bool value_same_order(const struct value *a, const struct value *b);

struct value *value_copy(struct arena *arena, const struct value *value);

struct value *value_new(struct arena *arena, enum value_kind kind);
struct value *value_string(struct arena *arena, const char *text);
struct value *value_slice(struct arena *arena, struct slice text);
struct value *value_number(struct arena *arena, const char *text);

bool value_is(const struct value *value, enum value_kind kind); /* NULL is nothing */

/* The first member of that name, or NULL; nothing but an object has members. */
struct value *value_get(const struct value *object, struct slice name);
struct value *value_get_string(const struct value *object, const char *name);
size_t value_name_count(const struct value *object, struct slice name);
size_t value_index(const struct value *object, struct slice name); /* SIZE_MAX: none */

void value_insert(struct arena *arena, struct value *container, size_t index, struct slice name,
                  struct value *value);
void value_append(struct arena *arena, struct value *container, struct slice name,
                  struct value *value);
void value_set(struct arena *arena, struct value *object, const char *name,
               struct value *value); /* append; the name is new */
void value_remove(struct value *container, size_t index);
bool value_has_duplicates(const struct value *value); /* anywhere inside */

enum value_style {
    VALUE_COMPACT,
    VALUE_RAW,      /* source text where known */
    VALUE_SPACED,   /* ", " and ": ", as Python writes */
    VALUE_INDENTED, /* a line for each member */
    VALUE_DRESSED,  /* odd white space and escapes */
    VALUE_SHUFFLED, /* likewise, and members in another order */
};

/* <prng> is needed for the last two only. */
void value_print(struct buffer *buffer, const struct value *value, enum value_style style,
                 struct prng *prng);

#endif
