#include "tests/property/model/generate.h"

#include "proto/base/check.h"

#include <stdio.h>

enum type {
    TYPE_TOKEN, /* a word of the vocabulary */
    TYPE_NAME,  /* a string with separators */
    TYPE_INTEGER,
    TYPE_DIGITS, /* a string of digits */
    TYPE_DECIMAL,
    TYPE_BOOLEAN,
    TYPE_YES_NO, /* "true" or "false" */
    TYPE_SECONDS,
    TYPE_MILLIS,
    TYPE_ISO,
    TYPE_ANY,
    TYPE_LIST, /* of <element>, usually one */
    TYPE_OBJECT,
    TYPE_ARRAY, /* of objects like <element> */
    TYPE_MAP,   /* an object of objects like <element> */
};

enum { FIELDS_MAX = 14, TOKENS_MAX = 6, OPS_MAX = 7, NESTED_MAX = 4, IDENTITY_MAX = 2 };

struct field {
    struct slice name;
    struct shape *shape;
};

struct shape {
    enum type type;
    struct shape *element;
    struct field fields[FIELDS_MAX];
    size_t count;
};

/* Where something is: tokens from the object that a step starts from. */
struct place {
    struct slice tokens[TOKENS_MAX];
    size_t count;
    struct shape *shape;
};

struct generator {
    struct prng *prng;
    struct arena *arena;
    struct place guarded[IDENTITY_MAX]; /* identity members in the form reached */
    size_t guarded_count;
    struct place key; /* inside each: the key; count 0: none */
    bool key_free;    /* it has a new_key */
    unsigned nested;
};

static const char *const names[] = {"a", "b",  "c",   "d",        "e",    "id",  "k",
                                    "n", "x",  "y",   "user",     "role", "a/b", "~t",
                                    "u", "ok", "sku", "\xc3\xa9", "q\"",  ""};
/* What no step names, of other files, too. */
static const char *const others[] = {"Z",  "zip", "zap", "zz", "z0", "z1", "z2",
                                     "z3", "z4",  "z5",  "z6", "z7", "z8", "z9"};

bool
generate_names(struct slice name)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        if (slice_equal(name, slice_from_string(others[i]))) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (slice_equal(name, slice_from_string(names[i]))) {
            return true;
        }
    }
    return false;
}

enum { NAME_COUNT = sizeof(names) / sizeof(*names), PLAIN_NAME_COUNT = 12 };

static const char *const words[] = {"admin", "user", "owner", "x", "y", "1", "true", ""};
enum { WORD_COUNT = sizeof(words) / sizeof(*words) };

static const char *const full_names[] = {"Ada Lovelace", "Bob",  "a b c", "",    " a",
                                         "a ",           "a  b", "x-y",   "x_y", "p-q-r s"};
static const char *const integers[] = {"0",
                                       "1",
                                       "2",
                                       "7",
                                       "-1",
                                       "1.0",
                                       "10",
                                       "1e0",
                                       "100",
                                       "1e2",
                                       "42",
                                       "17",
                                       "17.0",
                                       "3",
                                       "9007199254740993",
                                       "123456789012345678901234567891",
                                       "1E+3"};
static const char *const digit_strings[] = {
    "0", "1", "7", "-1", "10", "17", "42", "9007199254740993", "007", "1.0", "x"};
static const char *const decimals[] = {"0",
                                       "1",
                                       "0.1",
                                       "1.005",
                                       "19.99",
                                       "0.5",
                                       "2.5",
                                       "1e-3",
                                       "-0.5",
                                       "10",
                                       "0.25",
                                       "3",
                                       "123456789012345678901234567890.5",
                                       "1.50",
                                       "7",
                                       "100"};
static const char *const seconds[] = {"0",    "1",         "1700000000",  "-1", "1700000000.5",
                                      "1.25", "951782400", "253402300799"};
static const char *const millis[] = {"0", "1000", "1700000000123", "-1", "1", "1500", "0.5"};
static const char *const isos[] = {
    "1970-01-01T00:00:00Z",     "2023-11-14T22:13:20Z",      "2000-02-29T12:00:00.5Z",
    "1969-12-31T23:59:59Z",     "2024-01-01T01:00:00+01:00", "2023-11-14T22:13:20.123456789Z",
    "2023-11-14T22:13:20.000Z", "0000-01-01T00:00:00Z",      "9999-12-31T23:59:59.999Z"};
static const char *const odd_isos[] = {
    "2023-02-29T00:00:00Z",     "2023-11-14", "24:00", "", "2023-11-14T23:59:60Z",
    "9999-12-31T23:59:59-01:00"};
static const char *const odd_numbers[] = {"1e999",
                                          "1e1000",
                                          "1e5000",
                                          "-1e400",
                                          "0.1e-20",
                                          "-0",
                                          "-0.0",
                                          "1e-998",
                                          "0e9",
                                          "253402300800",
                                          "-62167219200",
                                          "-62167219201",
                                          "1700000000.1234567891",
                                          "9.99999999999999999999999999",
                                          "2.5e0",
                                          "1e-7",
                                          "35e-1"};
static const char *const escapes[] = {"\xc3\xa9",         "\"q\"", "\\", "\n",
                                      "\xf0\x9f\x98\x80", "\x01",  "/"};

#define PICK(prng, list) (list)[prng_below(prng, sizeof(list) / sizeof(*(list)))]

static struct slice
pick_name(struct prng *prng)
{
    size_t count = prng_chance(prng, 90) ? PLAIN_NAME_COUNT : NAME_COUNT;
    return slice_from_string(names[prng_below(prng, count)]);
}

static struct shape *
shape_new(struct generator *generator, enum type type)
{
    struct shape *shape = arena_calloc(generator->arena, 1, sizeof(*shape));
    CHECK(shape != NULL);
    shape->type = type;
    return shape;
}

static struct shape *
shape_copy(struct generator *generator, const struct shape *shape)
{
    struct shape *copy = shape_new(generator, shape->type);
    *copy = *shape;
    if (shape->element != NULL) {
        copy->element = shape_copy(generator, shape->element);
    }
    for (size_t i = 0; i < shape->count; i++) {
        copy->fields[i].shape = shape_copy(generator, shape->fields[i].shape);
    }
    return copy;
}

static struct field *
shape_find(struct shape *shape, struct slice name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (slice_equal(shape->fields[i].name, name)) {
            return &shape->fields[i];
        }
    }
    return NULL;
}

static struct slice
fresh_name(struct generator *generator, struct shape *shape)
{
    for (int i = 0; i < 20; i++) {
        struct slice name = pick_name(generator->prng);
        if (shape_find(shape, name) == NULL) {
            return name;
        }
    }
    static const char *const rest[] = {"z0", "z1", "z2", "z3", "z4", "z5", "z6", "z7",
                                       "z8", "z9", "za", "zb", "zc", "zd", "ze"};
    for (size_t i = 0; i + 1 < sizeof(rest) / sizeof(*rest); i++) {
        if (shape_find(shape, slice_from_string(rest[i])) == NULL) {
            return slice_from_string(rest[i]);
        }
    }
    return slice_from_string("zf");
}

static void
shape_put(struct shape *shape, struct slice name, struct shape *member)
{
    struct field *field = shape_find(shape, name);
    if (field != NULL) {
        field->shape = member;
    } else if (shape->count < FIELDS_MAX) {
        shape->fields[shape->count++] = (struct field){name, member};
    }
}

static void
shape_take(struct shape *shape, struct slice name)
{
    struct field *field = shape_find(shape, name);
    if (field != NULL) {
        *field = shape->fields[--shape->count];
    }
}

static struct shape *
random_shape(struct generator *generator, unsigned depth)
{
    static const enum type scalars[] = {TYPE_TOKEN,   TYPE_TOKEN,   TYPE_TOKEN,  TYPE_NAME,
                                        TYPE_INTEGER, TYPE_INTEGER, TYPE_DIGITS, TYPE_DECIMAL,
                                        TYPE_DECIMAL, TYPE_BOOLEAN, TYPE_YES_NO, TYPE_SECONDS,
                                        TYPE_MILLIS,  TYPE_ISO,     TYPE_ANY,    TYPE_LIST};
    static const enum type containers[] = {TYPE_OBJECT, TYPE_ARRAY, TYPE_ARRAY, TYPE_MAP};
    struct prng *prng = generator->prng;
    bool container = depth > 0 && prng_chance(prng, 30);
    struct shape *shape =
        shape_new(generator, container ? PICK(prng, containers) : PICK(prng, scalars));
    if (shape->type == TYPE_LIST) {
        shape->element = shape_new(generator, PICK(prng, scalars));
        if (shape->element->type == TYPE_LIST) {
            shape->element->type = TYPE_ANY;
        }
    } else if (shape->type == TYPE_ARRAY || shape->type == TYPE_MAP) {
        shape->element = shape_new(generator, TYPE_OBJECT);
    }
    struct shape *object = shape->type == TYPE_OBJECT ? shape : shape->element;
    if (container) {
        size_t count = 2 + prng_below(prng, 3);
        for (size_t i = 0; i < count; i++) {
            shape_put(object, fresh_name(generator, object),
                      random_shape(generator, depth - 1));
        }
    }
    return shape;
}

/* --- documents --- */

static struct value *
random_any(struct prng *prng, struct arena *arena, unsigned depth)
{
    static const char *const numbers[] = {
        "0", "1", "1.0", "-2", "1e2", "3.25", "9007199254740993"};
    struct value *value;
    switch (prng_below(prng, depth > 0 ? 12 : 9)) {
    case 0:
        return value_new(arena, VALUE_NULL);
    case 1:
        return value_new(arena, VALUE_TRUE);
    case 2:
        return value_new(arena, VALUE_FALSE);
    case 3:
    case 4:
        return value_number(arena, PICK(prng, numbers));
    case 5:
        return value_string(arena, PICK(prng, escapes));
    case 6:
    case 7:
    case 8:
        return value_string(arena, PICK(prng, words));
    case 9:
        value = value_new(arena, VALUE_ARRAY);
        for (size_t count = prng_below(prng, 3); count > 0; count--) {
            value_append(arena, value, (struct slice){0}, random_any(prng, arena, depth - 1));
        }
        return value;
    default:
        value = value_new(arena, VALUE_OBJECT);
        for (size_t count = prng_below(prng, 3); count > 0; count--) {
            struct slice name = pick_name(prng);
            if (value_get(value, name) == NULL) {
                value_append(arena, value, name, random_any(prng, arena, depth - 1));
            }
        }
        return value;
    }
}

static void
add_noise(struct prng *prng, struct arena *arena, struct value *object)
{
    if (object->count > 0 && prng_chance(prng, 15)) {
        struct slice name = object->members[prng_below(prng, object->count)].name;
        value_append(arena, object, name, random_any(prng, arena, 1));
    } else {
        value_append(arena, object, pick_name(prng), random_any(prng, arena, 2));
    }
}

static struct value *
random_object(struct prng *prng, struct arena *arena, const struct shape *shape, unsigned noise)
{
    struct value *object = value_new(arena, VALUE_OBJECT);
    for (size_t i = 0; i < shape->count; i++) {
        if (prng_chance(prng, 82)) {
            size_t at =
                prng_chance(prng, 80) ? object->count : prng_below(prng, object->count + 1);
            value_insert(arena, object, at, shape->fields[i].name,
                         generate_document(prng, arena, shape->fields[i].shape, noise));
        }
    }
    if (prng_chance(prng, 2 * noise)) {
        add_noise(prng, arena, object);
    } else if (prng_chance(prng, 15)) {
        static const char *const untouched[] = {"zap", "zip", "Z"};
        value_append(arena, object, slice_from_string(PICK(prng, untouched)),
                     random_any(prng, arena, 2));
    }
    return object;
}

/* Digits at random, now and then with a point or an exponent. */
static struct value *
random_number(struct prng *prng, struct arena *arena, size_t digits_max, bool integer)
{
    char text[64];
    size_t size = 0;
    if (prng_chance(prng, 20)) {
        text[size++] = '-';
    }
    text[size++] = (char)('1' + prng_below(prng, 9));
    for (size_t count = prng_below(prng, digits_max); count > 0; count--) {
        text[size++] = prng_chance(prng, 30) ? '0' : (char)('0' + prng_below(prng, 10));
    }
    if (!integer && prng_chance(prng, 60)) {
        text[size++] = '.';
        for (size_t count = 1 + prng_below(prng, 8); count > 0; count--) {
            text[size++] = prng_chance(prng, 30) ? '5' : (char)('0' + prng_below(prng, 10));
        }
    }
    if (!integer && prng_chance(prng, 8)) {
        size += (size_t)snprintf(text + size, 8, "e%d", (int)prng_below(prng, 12) - 6);
    }
    struct slice copy;
    CHECK(arena_copy(arena, slice_make(text, size), &copy));
    struct value *value = value_new(arena, VALUE_NUMBER);
    value->text = copy;
    return value;
}

static struct value *
random_iso(struct prng *prng, struct arena *arena)
{
    char text[64];
    static const char *const fractions[] = {"", "", "", ".5", ".123", ".120", ".000000001"};
    static const char *const zones[] = {"Z", "Z", "Z", "+00:00", "-03:30", "+14:00", "-23:59"};
    unsigned year = prng_chance(prng, 70) ? 1890 + (unsigned)prng_below(prng, 220)
                                          : (unsigned)prng_below(prng, 10000);
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u%s%s", year,
             1 + (unsigned)prng_below(prng, 12), 1 + (unsigned)prng_below(prng, 29),
             (unsigned)prng_below(prng, 24), (unsigned)prng_below(prng, 60),
             (unsigned)prng_below(prng, 60), PICK(prng, fractions), PICK(prng, zones));
    struct slice copy;
    CHECK(arena_copy(arena, slice_from_string(text), &copy));
    return value_slice(arena, copy);
}

static struct value *
odd_or(struct prng *prng, struct arena *arena, unsigned odd, const char *number)
{
    return value_number(arena, prng_chance(prng, odd) ? PICK(prng, odd_numbers) : number);
}

struct value *
generate_document(struct prng *prng, struct arena *arena, const struct shape *shape,
                  unsigned noise)
{
    struct value *value;
    if (prng_chance(prng, noise)) {
        return random_any(prng, arena, 2);
    }
    switch (shape->type) {
    case TYPE_TOKEN:
        return value_string(arena, PICK(prng, words));
    case TYPE_NAME:
        return value_string(arena, PICK(prng, full_names));
    case TYPE_INTEGER:
        return prng_chance(prng, 12) ? random_number(prng, arena, 24, true)
                                     : odd_or(prng, arena, noise, PICK(prng, integers));
    case TYPE_DIGITS:
        return value_string(arena,
                            digit_strings[prng_below(prng, prng_chance(prng, noise) ? 11 : 8)]);
    case TYPE_DECIMAL:
        return prng_chance(prng, 20) ? random_number(prng, arena, 20, false)
                                     : odd_or(prng, arena, noise, PICK(prng, decimals));
    case TYPE_BOOLEAN:
        return value_new(arena, prng_chance(prng, 50) ? VALUE_TRUE : VALUE_FALSE);
    case TYPE_YES_NO:
        return value_string(arena, prng_chance(prng, 50) ? "true" : "false");
    case TYPE_SECONDS:
        return prng_chance(prng, 30) ? random_number(prng, arena, 11, true)
                                     : odd_or(prng, arena, 2 * noise, PICK(prng, seconds));
    case TYPE_MILLIS:
        return prng_chance(prng, 30) ? random_number(prng, arena, 14, true)
                                     : odd_or(prng, arena, 2 * noise, PICK(prng, millis));
    case TYPE_ISO:
        return prng_chance(prng, 30)
                   ? random_iso(prng, arena)
                   : value_string(arena, prng_chance(prng, noise) ? PICK(prng, odd_isos)
                                                                  : PICK(prng, isos));
    case TYPE_ANY:
        return random_any(prng, arena, 2);
    case TYPE_LIST:
        value = value_new(arena, VALUE_ARRAY);
        for (size_t count = prng_chance(prng, 60) ? 1 : prng_below(prng, 4); count > 0;
             count--) {
            value_append(arena, value, (struct slice){0},
                         generate_document(prng, arena, shape->element, noise));
        }
        return value;
    case TYPE_OBJECT:
        return random_object(prng, arena, shape, noise);
    case TYPE_ARRAY:
        value = value_new(arena, VALUE_ARRAY);
        for (size_t count = prng_below(prng, prng_below(prng, 300) == 0 ? 40 : 5); count > 0;
             count--) {
            value_append(arena, value, (struct slice){0},
                         generate_document(prng, arena, shape->element, noise / 2));
        }
        return value;
    default:
        value = value_new(arena, VALUE_OBJECT);
        for (size_t count = prng_below(prng, 4); count > 0; count--) {
            struct slice name = pick_name(prng);
            if (value_get(value, name) == NULL) {
                value_append(arena, value, name,
                             generate_document(prng, arena, shape->element, noise / 2));
            }
        }
        return value;
    }
}

static struct value *
default_value(struct generator *generator, const struct shape *shape)
{
    if (prng_below(generator->prng, 400) == 0) { /* many of it are beyond the limit of output */
        size_t size = 4000 + prng_below(generator->prng, 26000);
        char *text = arena_alloc(generator->arena, size);
        CHECK(text != NULL);
        memset(text, 'x', size);
        return value_slice(generator->arena, slice_make(text, size));
    }
    return generate_document(generator->prng, generator->arena, shape, 2);
}

struct value *
generate_deep(struct prng *prng, struct arena *arena, size_t depth)
{
    struct value *value = random_any(prng, arena, 0);
    for (size_t i = 0; i < depth; i++) {
        struct value *outer =
            value_new(arena, prng_chance(prng, 50) ? VALUE_ARRAY : VALUE_OBJECT);
        value_append(arena, outer,
                     outer->kind == VALUE_OBJECT ? slice_from_string("a") : (struct slice){0},
                     value);
        value = outer;
    }
    return value;
}

/* --- steps --- */

static void
collect_objects(struct place at, struct place *places, size_t *count, size_t count_max)
{
    if (*count == count_max) {
        return;
    }
    places[(*count)++] = at;
    for (size_t i = 0; i < at.shape->count && at.count < TOKENS_MAX - 2; i++) {
        if (at.shape->fields[i].shape->type == TYPE_OBJECT) {
            struct place inner = at;
            inner.tokens[inner.count++] = at.shape->fields[i].name;
            inner.shape = at.shape->fields[i].shape;
            collect_objects(inner, places, count, count_max);
        }
    }
}

static struct place
pick_object(struct generator *generator, struct shape *root)
{
    struct place places[8];
    size_t count = 0;
    collect_objects((struct place){.shape = root}, places, &count, 8);
    return places[prng_chance(generator->prng, 55) ? 0 : prng_below(generator->prng, count)];
}

static struct place
place_at(struct place object, struct slice name, struct shape *shape)
{
    object.tokens[object.count++] = name;
    object.shape = shape;
    return object;
}

static struct value *
place_pointer(struct generator *generator, const struct place *place)
{
    struct buffer buffer;
    struct slice copy = {"", 0};
    buffer_init(&buffer, 0);
    for (size_t i = 0; i < place->count; i++) {
        buffer_append_char(&buffer, '/');
        for (size_t k = 0; k < place->tokens[i].size; k++) {
            char byte = place->tokens[i].data[k];
            if (byte == '~' || byte == '/') {
                buffer_append_string(&buffer, byte == '~' ? "~0" : "~1");
            } else {
                buffer_append_char(&buffer, byte);
            }
        }
    }
    if (buffer.size > 0) {
        CHECK(arena_copy(generator->arena, buffer_slice(&buffer), &copy));
    }
    buffer_fini(&buffer);
    return value_slice(generator->arena, copy);
}

static bool
related(const struct place *a, const struct place *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (!slice_equal(a->tokens[i], b->tokens[i])) {
            return false;
        }
    }
    return true;
}

static bool
below(const struct place *place, const struct place *above)
{
    return place->count >= above->count && related(place, above);
}

static struct value *
op_new(struct generator *generator, const char *name, const struct place *path)
{
    struct value *op = value_new(generator->arena, VALUE_OBJECT);
    value_set(generator->arena, op, "op", value_string(generator->arena, name));
    if (path != NULL) {
        value_set(generator->arena, op, "path", place_pointer(generator, path));
    }
    return op;
}

/* A member of one of <types> (a bit set; 0: of any) of <object>, or NULL. */
static struct field *
pick_field(struct generator *generator, struct shape *object, unsigned types)
{
    if (object->count == 0) {
        return NULL;
    }
    size_t first = prng_below(generator->prng, object->count);
    for (size_t i = 0; i < object->count; i++) {
        struct field *field = &object->fields[(first + i) % object->count];
        if (types == 0 || (types & (1u << field->shape->type)) != 0) {
            return field;
        }
    }
    return types != 0 && prng_chance(generator->prng, 10) ? &object->fields[first] : NULL;
}

/* May an op touch this? Now and then what is refused is tried all the same. */
static bool
may_touch(struct generator *generator, const struct place *place, bool carries)
{
    if (prng_chance(generator->prng, 2)) {
        return true;
    }
    for (size_t i = 0; i < generator->guarded_count && !carries; i++) {
        if (related(place, &generator->guarded[i])) {
            return false;
        }
    }
    return generator->key.count == 0 || generator->key_free || !related(place, &generator->key);
}

static void
carry(struct generator *generator, const struct place *from, const struct place *to)
{
    struct place *places[IDENTITY_MAX + 1];
    size_t count = 0;
    for (size_t i = 0; i < generator->guarded_count; i++) {
        places[count++] = &generator->guarded[i];
    }
    if (generator->key.count > 0) {
        places[count++] = &generator->key;
    }
    for (size_t i = 0; i < count; i++) {
        if (below(places[i], from)) {
            struct place moved = *to;
            for (size_t t = from->count; t < places[i]->count && moved.count < TOKENS_MAX;
                 t++) {
                moved.tokens[moved.count++] = places[i]->tokens[t];
            }
            *places[i] = moved;
        }
    }
}

static struct value *
make_rename(struct generator *generator, struct place object)
{
    struct field *field = pick_field(generator, object.shape, 0);
    if (field == NULL) {
        return NULL;
    }
    struct slice to = prng_chance(generator->prng, 97) ? fresh_name(generator, object.shape)
                                                       : pick_name(generator->prng);
    struct place place = place_at(object, field->name, field->shape);
    struct place target = place_at(object, to, field->shape);
    if (!may_touch(generator, &place, true) || !may_touch(generator, &target, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "rename", &place);
    value_set(generator->arena, op, "to", value_slice(generator->arena, to));
    struct shape *shape = field->shape;
    shape_take(object.shape, place.tokens[place.count - 1]);
    shape_put(object.shape, to, shape);
    carry(generator, &place, &target);
    return op;
}

static struct value *
make_add(struct generator *generator, struct place object)
{
    struct slice name = prng_chance(generator->prng, 97) ? fresh_name(generator, object.shape)
                                                         : pick_name(generator->prng);
    struct shape *shape = random_shape(generator, 1);
    struct place place = place_at(object, name, shape);
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "add", &place);
    if (prng_chance(generator->prng, 60)) {
        value_set(generator->arena, op, "default", default_value(generator, shape));
    }
    shape_put(object.shape, name, shape);
    return op;
}

static struct value *
make_remove(struct generator *generator, struct place object)
{
    struct field *field = pick_field(generator, object.shape, 0);
    if (field == NULL) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "remove", &place);
    if (prng_chance(generator->prng, 60)) {
        value_set(generator->arena, op, "default",
                  generate_document(generator->prng, generator->arena, field->shape, 2));
    }
    shape_take(object.shape, field->name);
    return op;
}

static struct value *
make_move(struct generator *generator, struct place object, struct shape *root)
{
    struct prng *prng = generator->prng;
    struct field *field = pick_field(generator, object.shape, 0);
    if (field == NULL) {
        return NULL;
    }
    struct place from = place_at(object, field->name, field->shape);
    struct shape *shape = field->shape;
    struct place to;
    struct shape *target;
    if (from.count < TOKENS_MAX - 2 && prng_chance(prng, 25)) { /* below itself */
        to = from;
        target = shape_new(generator, TYPE_OBJECT);
        to.tokens[to.count++] = pick_name(prng);
        if (prng_chance(prng, 25)) {
            struct shape *inner = target;
            target = shape_new(generator, TYPE_OBJECT);
            shape_put(target, to.tokens[to.count - 1], inner);
            to.tokens[to.count++] = pick_name(prng);
            shape_put(inner, to.tokens[to.count - 1], shape);
        } else {
            shape_put(target, to.tokens[to.count - 1], shape);
        }
        if (!may_touch(generator, &from, true)) {
            return NULL;
        }
        shape_put(object.shape, field->name, target);
    } else if (object.count > 0 && object.shape->count == 1 && prng_chance(prng, 60)) {
        to = object; /* its parent is it, then */
        to.shape = shape;
        if (!may_touch(generator, &from, true)) {
            return NULL;
        }
        *object.shape = *shape;
    } else {
        struct place other = pick_object(generator, root);
        if (below(&other, &from)) {
            return NULL;
        }
        to = other;
        target = other.shape;
        if (to.count < TOKENS_MAX - 3 && prng_chance(prng, 45)) { /* parents to create */
            struct slice parent = fresh_name(generator, target);
            struct shape *created = shape_new(generator, TYPE_OBJECT);
            to = place_at(to, parent, created);
            if (!may_touch(generator, &from, true) || !may_touch(generator, &to, false)) {
                return NULL;
            }
            shape_put(target, parent, created);
            target = created;
        }
        to = place_at(to, fresh_name(generator, target), shape);
        if (!may_touch(generator, &from, true) || !may_touch(generator, &to, false)) {
            return NULL;
        }
        shape_take(object.shape, from.tokens[from.count - 1]);
        shape_put(target, to.tokens[to.count - 1], shape);
    }
    struct value *op = op_new(generator, "move", NULL);
    value_set(generator->arena, op, "from", place_pointer(generator, &from));
    value_set(generator->arena, op, "to", place_pointer(generator, &to));
    carry(generator, &from, &to);
    return op;
}

static struct value *
random_table(struct generator *generator)
{
    struct value *table = value_new(generator->arena, VALUE_OBJECT);
    bool same = prng_chance(generator->prng, 30);
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (prng_chance(generator->prng, 75)) {
            size_t shown = same || prng_chance(generator->prng, 30)
                               ? i
                               : prng_below(generator->prng, WORD_COUNT);
            value_set(generator->arena, table, words[i],
                      value_string(generator->arena, words[shown]));
        }
    }
    return table;
}

static void
set_else(struct generator *generator, struct value *op, const char *name)
{
    struct arena *arena = generator->arena;
    switch (prng_below(generator->prng, 8)) {
    case 0:
        value_set(arena, op, name, value_string(arena, "fail"));
        break;
    case 1:
    case 2:
        value_set(arena, op, name, value_string(arena, "keep"));
        break;
    case 3:
    case 4:
    case 5: {
        struct value *otherwise = value_new(arena, VALUE_OBJECT);
        value_set(arena, otherwise, "value",
                  prng_chance(generator->prng, 80)
                      ? value_string(arena, PICK(generator->prng, words))
                      : random_any(generator->prng, arena, 1));
        value_set(arena, op, name, otherwise);
        break;
    }
    default:
        break;
    }
}

static struct value *
make_map(struct generator *generator, struct place object)
{
    struct field *field = pick_field(generator, object.shape, 1u << TYPE_TOKEN);
    if (field == NULL) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "map", &place);
    if (prng_chance(generator->prng, 92)) {
        value_set(generator->arena, op, "up", random_table(generator));
    }
    if (prng_chance(generator->prng, 92)) {
        value_set(generator->arena, op, "down", random_table(generator));
    }
    set_else(generator, op, "up_else");
    set_else(generator, op, "down_else");
    return op;
}

static struct value *
make_convert(struct generator *generator, struct place object)
{
    static const struct {
        const char *from, *to;
        enum type source, result;
    } conversions[] = {
        {"integer", "string", TYPE_INTEGER, TYPE_DIGITS},
        {"string", "integer", TYPE_DIGITS, TYPE_INTEGER},
        {"boolean", "integer", TYPE_BOOLEAN, TYPE_INTEGER},
        {"boolean", "string", TYPE_BOOLEAN, TYPE_YES_NO},
        {"string", "boolean", TYPE_YES_NO, TYPE_BOOLEAN},
        {"integer", "boolean", TYPE_INTEGER, TYPE_BOOLEAN},
        {"unix-seconds", "unix-milliseconds", TYPE_SECONDS, TYPE_MILLIS},
        {"unix-seconds", "iso-8601", TYPE_SECONDS, TYPE_ISO},
        {"unix-milliseconds", "unix-seconds", TYPE_MILLIS, TYPE_SECONDS},
        {"unix-milliseconds", "iso-8601", TYPE_MILLIS, TYPE_ISO},
        {"iso-8601", "unix-seconds", TYPE_ISO, TYPE_SECONDS},
        {"iso-8601", "unix-milliseconds", TYPE_ISO, TYPE_MILLIS},
    };
    enum { COUNT = sizeof(conversions) / sizeof(*conversions) };
    size_t first = prng_below(generator->prng, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t index = (first + i) % COUNT;
        if (conversions[index].source == TYPE_INTEGER &&
            conversions[index].result == TYPE_BOOLEAN && prng_chance(generator->prng, 80)) {
            continue; /* most integers are neither 0 nor 1 */
        }
        struct field *field =
            pick_field(generator, object.shape, 1u << conversions[index].source);
        if (field == NULL || field->shape->type != conversions[index].source) {
            continue;
        }
        struct place place = place_at(object, field->name, field->shape);
        if (!may_touch(generator, &place, true)) {
            continue;
        }
        struct value *op = op_new(generator, "convert", &place);
        value_set(generator->arena, op, "from",
                  value_string(generator->arena, conversions[index].from));
        value_set(generator->arena, op, "to",
                  value_string(generator->arena, conversions[index].to));
        field->shape = shape_new(generator, conversions[index].result);
        return op;
    }
    return NULL;
}

static struct value *
make_scale(struct generator *generator, struct place object)
{
    static const struct {
        const char *factor;
        bool ends; /* its inverse does */
    } factors[] = {{"100", true},   {"2", true},      {"10", true},       {"0.5", true},
                   {"3", false},    {"1.5", false},   {"1000", true},     {"-1", true},
                   {"0.01", true},  {"7", false},     {"0.25", true},     {"60", false},
                   {"1", true},     {"1.10", false},  {"12.5", true},     {"-0.04", true},
                   {"1024", true},  {"0.1", true},    {"86400", false},   {"0.0003", false},
                   {"-9.9", false}, {"131072", true}, {"123456.7", false}};
    struct prng *prng = generator->prng;
    struct field *field = pick_field(
        generator, object.shape, 1u << TYPE_DECIMAL | 1u << TYPE_INTEGER | 1u << TYPE_MILLIS);
    if (field == NULL) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    size_t index = prng_below(prng, sizeof(factors) / sizeof(*factors));
    static const char *const digits[] = {"0", "1", "2", "4", "30"};
    struct value *op = op_new(generator, "scale", &place);
    value_set(generator->arena, op, "factor",
              value_string(generator->arena, factors[index].factor));
    if (prng_chance(prng, 30)) {
        value_set(generator->arena, op, "up_digits",
                  value_number(generator->arena, PICK(prng, digits)));
    }
    if (!factors[index].ends || prng_chance(prng, 30)) {
        value_set(generator->arena, op, "down_digits",
                  value_number(generator->arena, PICK(prng, digits)));
    }
    field->shape = shape_new(generator, TYPE_DECIMAL);
    return op;
}

static struct value *
make_wrap(struct generator *generator, struct place object, bool wrap)
{
    struct field *field = pick_field(generator, object.shape, wrap ? 0 : 1u << TYPE_LIST);
    if (field == NULL) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    if (!may_touch(generator, &place, true)) {
        return NULL;
    }
    struct value *op = op_new(generator, wrap ? "wrap" : "unwrap", &place);
    if (wrap) {
        struct shape *list = shape_new(generator, TYPE_LIST);
        list->element = field->shape;
        field->shape = list;
    } else if (field->shape->type == TYPE_LIST) {
        field->shape = field->shape->element;
    }
    return op;
}

static struct value *
name_list(struct generator *generator, const struct slice *list, size_t count)
{
    struct value *value = value_new(generator->arena, VALUE_ARRAY);
    for (size_t i = 0; i < count; i++) {
        value_append(generator->arena, value, (struct slice){0},
                     value_slice(generator->arena, list[i]));
    }
    return value;
}

static struct value *
make_split(struct generator *generator, struct place object)
{
    static const char *const separators[] = {" ", " ", "-", "_", "  ", "a"};
    struct prng *prng = generator->prng;
    struct field *field =
        pick_field(generator, object.shape, 1u << TYPE_NAME | 1u << TYPE_TOKEN);
    if (field == NULL || object.shape->count + 3 > FIELDS_MAX) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    struct slice name = field->name;
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    struct shape before = *object.shape;
    struct slice into[3];
    size_t count = 2 + prng_below(prng, 2);
    shape_take(object.shape, name);
    for (size_t i = 0; i < count; i++) {
        into[i] = i == 0 && prng_chance(prng, 15) ? name : fresh_name(generator, object.shape);
        struct place part = place_at(object, into[i], NULL);
        if (!may_touch(generator, &part, false)) {
            *object.shape = before;
            return NULL;
        }
        shape_put(object.shape, into[i],
                  shape_new(generator, prng_chance(prng, 30) ? TYPE_NAME : TYPE_TOKEN));
    }
    struct value *op = op_new(generator, "split", &place);
    value_set(generator->arena, op, "separator",
              value_string(generator->arena, PICK(prng, separators)));
    value_set(generator->arena, op, "into", name_list(generator, into, count));
    return op;
}

static struct value *
make_join(struct generator *generator, struct place object)
{
    static const char *const separators[] = {" ", " ", "-", "_"};
    struct prng *prng = generator->prng;
    struct slice from[3];
    size_t count = 0;
    size_t wanted = 2 + prng_chance(prng, 25);
    size_t first = prng_below(prng, object.shape->count + 1);
    for (size_t i = 0; i < object.shape->count && count < wanted; i++) {
        struct field *field = &object.shape->fields[(first + i) % object.shape->count];
        struct place part = place_at(object, field->name, NULL);
        if ((field->shape->type == TYPE_TOKEN || field->shape->type == TYPE_NAME ||
             field->shape->type == TYPE_DIGITS) &&
            may_touch(generator, &part, false)) {
            from[count++] = field->name;
        }
    }
    if (count < 2) {
        return NULL;
    }
    struct shape before = *object.shape;
    for (size_t i = 0; i < count; i++) {
        shape_take(object.shape, from[i]);
    }
    struct slice name = prng_chance(prng, 15) ? from[0] : fresh_name(generator, object.shape);
    struct place place = place_at(object, name, NULL);
    if (!may_touch(generator, &place, false)) {
        *object.shape = before;
        return NULL;
    }
    shape_put(object.shape, name, shape_new(generator, TYPE_NAME));
    struct value *op = op_new(generator, "join", NULL);
    value_set(generator->arena, op, "from", name_list(generator, from, count));
    value_set(generator->arena, op, "separator",
              value_string(generator->arena, PICK(prng, separators)));
    value_set(generator->arena, op, "path", place_pointer(generator, &place));
    return op;
}

static struct value *
make_fill(struct generator *generator, struct place object)
{
    struct field *field = pick_field(generator, object.shape, 0);
    struct slice name;
    struct shape *shape;
    if (field != NULL && prng_chance(generator->prng, 70)) {
        name = field->name;
        shape = field->shape;
    } else {
        name = fresh_name(generator, object.shape);
        shape = random_shape(generator, 1);
    }
    struct place place = place_at(object, name, shape);
    if (!may_touch(generator, &place, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "fill", &place);
    value_set(generator->arena, op, "value", default_value(generator, shape));
    shape_put(object.shape, name, shape);
    return op;
}

static struct value *make_steps(struct generator *generator, struct shape *root, size_t count);

static struct field *
pick_key(struct generator *generator, struct shape *element)
{
    return pick_field(generator, element,
                      1u << TYPE_TOKEN | 1u << TYPE_INTEGER | 1u << TYPE_DIGITS |
                          1u << TYPE_BOOLEAN | 1u << TYPE_ANY);
}

static struct value *
make_each_at(struct generator *generator, const struct place *place, struct shape *container)
{
    struct prng *prng = generator->prng;
    struct shape *element = container->type == TYPE_ARRAY || container->type == TYPE_MAP
                                ? container->element
                                : NULL;
    if (element == NULL || generator->nested == NESTED_MAX) {
        return NULL;
    }
    struct generator inner = {
        .prng = prng, .arena = generator->arena, .nested = generator->nested + 1};
    struct value *op = op_new(generator, "each", place);
    struct field *key = prng_chance(prng, 70) ? pick_key(generator, element) : NULL;
    if (key != NULL) {
        inner.key = place_at((struct place){0}, key->name, key->shape);
        inner.key_free = prng_chance(prng, 35);
        value_set(generator->arena, op, "key", place_pointer(generator, &inner.key));
    }
    struct value *steps = make_steps(&inner, element, 1 + prng_below(prng, 4));
    if (inner.key_free && key != NULL) {
        value_set(generator->arena, op, "new_key", place_pointer(generator, &inner.key));
    }
    value_set(generator->arena, op, "steps", steps);
    return op;
}

static struct value *
make_each(struct generator *generator, struct place object)
{
    struct field *field =
        pick_field(generator, object.shape, 1u << TYPE_ARRAY | 1u << TYPE_MAP);
    if (field == NULL) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    return may_touch(generator, &place, false) ? make_each_at(generator, &place, field->shape)
                                               : NULL;
}

static struct value *
make_filter(struct generator *generator, struct place object)
{
    struct prng *prng = generator->prng;
    struct arena *arena = generator->arena;
    struct field *field = pick_field(generator, object.shape, 1u << TYPE_ARRAY);
    if (field == NULL || field->shape->type != TYPE_ARRAY) {
        return NULL;
    }
    struct place place = place_at(object, field->name, field->shape);
    struct field *hide = pick_field(generator, field->shape->element, 1u << TYPE_TOKEN);
    if (hide == NULL || !may_touch(generator, &place, false)) {
        return NULL;
    }
    struct value *op = op_new(generator, "filter", &place);
    struct field *key =
        prng_chance(prng, 70) ? pick_key(generator, field->shape->element) : NULL;
    if (key != NULL) {
        struct place at = place_at((struct place){0}, key->name, NULL);
        value_set(arena, op, "key", place_pointer(generator, &at));
    }
    struct value *hidden = value_new(arena, VALUE_OBJECT);
    struct place at = place_at((struct place){0}, hide->name, NULL);
    value_set(arena, hidden, "path", place_pointer(generator, &at));
    struct value *values = value_new(arena, VALUE_ARRAY);
    for (size_t count = 1 + prng_below(prng, 2); count > 0; count--) {
        value_append(arena, values, (struct slice){0}, value_string(arena, PICK(prng, words)));
    }
    value_set(arena, hidden, "values", values);
    value_set(arena, op, "hide", hidden);
    return op;
}

static struct value *
make_op(struct generator *generator, struct shape *root)
{
    struct place object = pick_object(generator, root);
    switch (prng_below(generator->prng, 20)) {
    case 0:
    case 1:
        return make_rename(generator, object);
    case 2:
    case 3:
        return make_add(generator, object);
    case 4:
        return make_remove(generator, object);
    case 5:
    case 6:
        return make_move(generator, object, root);
    case 7:
    case 8:
        return make_map(generator, object);
    case 9:
    case 10:
        return make_convert(generator, object);
    case 11:
    case 12:
        return make_scale(generator, object);
    case 13:
        return make_wrap(generator, object, true);
    case 14:
        return make_wrap(generator, object, false);
    case 15:
        return make_split(generator, object);
    case 16:
        return make_join(generator, object);
    case 17:
        return make_fill(generator, object);
    case 18:
        return make_filter(generator, object);
    default:
        return make_each(generator, object);
    }
}

static struct value *
make_steps(struct generator *generator, struct shape *root, size_t count)
{
    struct value *steps = value_new(generator->arena, VALUE_ARRAY);
    if (root->type != TYPE_OBJECT) {
        struct place here = {0};
        struct value *op = make_each_at(generator, &here, root);
        if (op != NULL) {
            value_append(generator->arena, steps, (struct slice){0}, op);
        }
        return steps;
    }
    for (size_t tries = 0; tries < 6 * count && steps->count < count; tries++) {
        struct value *op = prng_chance(generator->prng, 15)
                               ? make_each(generator, (struct place){.shape = root})
                               : make_op(generator, root);
        if (op != NULL) {
            value_append(generator->arena, steps, (struct slice){0}, op);
        }
    }
    return steps;
}

static void
choose_identity(struct generator *generator, struct shape *root, struct value *schema)
{
    if (root->type != TYPE_OBJECT || !prng_chance(generator->prng, 40)) {
        return;
    }
    struct value *identity = value_new(generator->arena, VALUE_ARRAY);
    size_t count = prng_chance(generator->prng, 80) ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        struct place object = pick_object(generator, root);
        struct field *field = pick_field(generator, object.shape, 0);
        if (field == NULL) {
            continue;
        }
        struct place place = place_at(object, field->name, field->shape);
        if (i > 0 && generator->guarded_count > 0 && related(&place, &generator->guarded[0])) {
            continue;
        }
        generator->guarded[generator->guarded_count++] = place;
        value_append(generator->arena, identity, (struct slice){0},
                     place_pointer(generator, &place));
    }
    value_set(generator->arena, schema, "identity", identity);
}

struct generated
generate_schema(struct prng *prng, struct arena *arena)
{
    struct generator generator = {.prng = prng, .arena = arena};
    struct generated generated = {.schema = value_new(arena, VALUE_OBJECT)};
    struct slice key = slice_from_string("s:*");
    struct shape *root = shape_new(&generator, TYPE_OBJECT);
    size_t count = 3 + prng_below(prng, 5);
    for (size_t i = 0; i < count; i++) {
        shape_put(root, fresh_name(&generator, root), random_shape(&generator, 2));
    }
    if (prng_chance(prng, 3) && !spelling_is_of("hash")) {
        struct shape *list =
            shape_new(&generator, prng_chance(prng, 60) ? TYPE_ARRAY : TYPE_MAP);
        list->element = root;
        root = list;
    }
    value_set(arena, generated.schema, "schema", value_string(arena, "s"));
    value_set(arena, generated.schema, "keys", name_list(&generator, &key, 1));
    value_set(arena, generated.schema, "codec", value_string(arena, spelling_codec_of(1)));
    if (spelling_is_of("hash")) {
        struct value *fields = value_new(arena, VALUE_OBJECT);
        for (size_t i = 0; i < NAME_COUNT; i++) {
            value_set(arena, fields, names[i], value_string(arena, "json"));
        }
        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
            value_set(arena, fields, others[i], value_string(arena, "json"));
        }
        value_set(arena, generated.schema, "fields", fields);
    }
    choose_identity(&generator, root, generated.schema);
    struct value *versions = value_new(arena, VALUE_ARRAY);
    generated.version_count = 2 + (unsigned)prng_below(prng, GENERATE_VERSIONS_MAX - 1);
    for (unsigned v = 1; v <= generated.version_count; v++) {
        char buf[12];
        snprintf(buf, sizeof(buf), "%u", v);
        struct slice number;
        CHECK(arena_copy(arena, slice_from_string(buf), &number));
        struct value *version = value_new(arena, VALUE_OBJECT);
        struct value *numbered = value_new(arena, VALUE_NUMBER);
        numbered->text = number;
        value_set(arena, version, "version", numbered);
        if (spelling_is_mixed()) {
            value_set(arena, version, "codec", value_string(arena, spelling_codec_of(v)));
        }
        if (v > 1) {
            root = shape_copy(&generator, root);
            value_set(arena, version, "steps",
                      make_steps(&generator, root, 1 + prng_below(prng, OPS_MAX - 1)));
        }
        generated.shapes[v] = root;
        value_append(arena, versions, (struct slice){0}, version);
    }
    value_set(arena, generated.schema, "versions", versions);
    if (prng_chance(prng, 4)) {
        value_set(arena, generated.schema, "strict", value_new(arena, VALUE_TRUE));
    }
    return generated;
}

/* --- edits --- */

static const struct shape *
member_shape(const struct shape *shape, const struct value *container, size_t index)
{
    if (shape == NULL) {
        return NULL;
    }
    if (container->kind == VALUE_ARRAY || shape->type == TYPE_MAP) {
        return shape->element;
    }
    for (size_t i = 0; shape->type == TYPE_OBJECT && i < shape->count; i++) {
        if (slice_equal(shape->fields[i].name, container->members[index].name)) {
            return shape->fields[i].shape;
        }
    }
    return NULL;
}

static struct value *
fresh_value(struct prng *prng, struct arena *arena, const struct shape *shape)
{
    return shape == NULL ? random_any(prng, arena, 2)
                         : generate_document(prng, arena, shape, 2);
}

static void
swap_members(struct value *container, size_t a, size_t b)
{
    struct member member = container->members[a];
    container->members[a] = container->members[b];
    container->members[b] = member;
}

static void
shuffle(struct prng *prng, struct value *container)
{
    for (size_t i = container->count; i > 1; i--) {
        swap_members(container, i - 1, prng_below(prng, i));
    }
}

static void
edit_array(struct prng *prng, struct arena *arena, const struct shape *shape,
           struct value *array, struct value **pocket)
{
    size_t index = array->count == 0 ? 0 : prng_below(prng, array->count);
    const struct shape *element = shape == NULL ? NULL : shape->element;
    switch (prng_below(prng, 6)) {
    case 0:
        shuffle(prng, array);
        return;
    case 1:
        if (array->count > 0) {
            *pocket = array->members[index].value;
            value_remove(array, index);
        }
        return;
    case 2:
        if (array->count > 0) {
            value_append(arena, array, (struct slice){0},
                         value_copy(arena, array->members[index].value));
        }
        return;
    case 3:
        if (*pocket != NULL) {
            value_insert(arena, array, prng_below(prng, array->count + 1), (struct slice){0},
                         value_copy(arena, *pocket));
            return;
        }
        break;
    default:
        break;
    }
    value_insert(arena, array, prng_below(prng, array->count + 1), (struct slice){0},
                 fresh_value(prng, arena, element));
}

static void
edit_object(struct prng *prng, struct arena *arena, const struct shape *shape,
            struct value *object, struct value **pocket)
{
    size_t index = object->count == 0 ? 0 : prng_below(prng, object->count);
    switch (prng_below(prng, 8)) {
    case 0:
        if (object->count > 0) {
            *pocket = object->members[index].value;
            value_remove(object, index);
        }
        return;
    case 1:
        shuffle(prng, object);
        return;
    case 2:
        if (prng_chance(prng, 30)) {
            add_noise(prng, arena, object);
            return;
        }
        break;
    case 3:
        if (shape != NULL && shape->type == TYPE_OBJECT && shape->count > 0) {
            const struct field *field = &shape->fields[prng_below(prng, shape->count)];
            if (value_get(object, field->name) == NULL) {
                value_append(arena, object, field->name,
                             fresh_value(prng, arena, field->shape));
            }
            return;
        }
        if (shape != NULL && shape->type == TYPE_MAP) {
            struct slice name = pick_name(prng);
            if (value_get(object, name) == NULL) {
                value_append(arena, object, name, fresh_value(prng, arena, shape->element));
            }
            return;
        }
        break;
    default:
        break;
    }
    if (object->count > 0) {
        object->members[index].value =
            fresh_value(prng, arena, member_shape(shape, object, index));
    }
}

void
generate_edit(struct prng *prng, struct arena *arena, const struct shape *shape,
              struct value *root, struct value **pocket)
{
    struct value *at = root;
    for (;;) {
        size_t candidates = 0;
        size_t chosen = 0;
        at->raw = (struct slice){0};
        for (size_t i = 0; i < at->count; i++) {
            if (at->members[i].value->kind >= VALUE_ARRAY &&
                prng_below(prng, ++candidates) == 0) {
                chosen = i;
            }
        }
        if (candidates == 0 || prng_chance(prng, 45)) {
            break;
        }
        shape = member_shape(shape, at, chosen);
        at = at->members[chosen].value;
    }
    if (at->kind == VALUE_ARRAY) {
        edit_array(prng, arena, shape, at, pocket);
    } else if (at->kind == VALUE_OBJECT) {
        edit_object(prng, arena, shape, at, pocket);
    }
}

void
generate_identity_edit(struct prng *prng, struct arena *arena, struct value *root,
                       const struct slice *tokens, size_t count)
{
    struct value *at = root;
    for (size_t i = 0; i < count && value_is(at, VALUE_OBJECT); i++) {
        size_t index = value_index(at, tokens[i]);
        at->raw = (struct slice){0};
        if (i + 1 < count) {
            if (index == SIZE_MAX) {
                value_append(arena, at, tokens[i], value_new(arena, VALUE_OBJECT));
                index = at->count - 1;
            }
            at = at->members[index].value;
            continue;
        }
        if (index != SIZE_MAX && prng_chance(prng, 30)) {
            value_remove(at, index);
            return;
        }
        struct value *value =
            prng_chance(prng, 20) ? value_new(arena, VALUE_NULL) : random_any(prng, arena, 1);
        if (index == SIZE_MAX) {
            value_append(arena, at, tokens[i], value);
        } else {
            at->members[index].value = value;
        }
    }
}

static void
append_times(struct buffer *buffer, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(buffer, text);
    }
}

struct slice
generate_garbage(struct prng *prng, struct arena *arena)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"a\":}",
                                        "nul",
                                        "[1,]",
                                        "{\"a\":1",
                                        "01",
                                        "\"\\x\"",
                                        "1 2",
                                        "{}x",
                                        "-",
                                        "1.",
                                        "\"a\nb\"",
                                        "[",
                                        "\xff",
                                        "{'a':1}",
                                        "\"\\u12\"",
                                        "{\"a\" 1}",
                                        "\xef\xbb\xbf{}",
                                        "null",
                                        "7",
                                        "\"x\"",
                                        "[]",
                                        "{}",
                                        " {\n}\t",
                                        "[[],{}]",
                                        "true"};
    struct buffer buffer;
    struct slice copy = {"", 0};
    size_t depth;
    buffer_init(&buffer, 0);
    switch (prng_below(prng, 8)) {
    case 0:
        for (size_t count = prng_below(prng, 64); count > 0; count--) {
            buffer_append_char(&buffer, (char)prng_next(prng));
        }
        break;
    case 1:
        for (size_t count = prng_below(prng, 40); count > 0; count--) {
            static const char tokens[] = "{}[],:\"\"0123456789.-eE\\utfn abid";
            buffer_append_char(&buffer, tokens[prng_below(prng, sizeof(tokens) - 1)]);
        }
        break;
    case 2:
        depth = prng_chance(prng, 50) ? 90 + prng_below(prng, 60) : prng_below(prng, 4000);
        append_times(&buffer, "{\"a\":[", depth / 2);
        append_times(&buffer, "]}", depth / 2);
        break;
    case 3:
        depth = prng_chance(prng, 50) ? 60 + prng_below(prng, 120) : prng_below(prng, 2000);
        append_times(&buffer, prng_chance(prng, 50) ? "[" : "{\"user\":", depth);
        break;
    default:
        buffer_append_string(&buffer, PICK(prng, texts));
    }
    if (buffer.size > 0) {
        CHECK(arena_copy(arena, buffer_slice(&buffer), &copy));
    }
    buffer_fini(&buffer);
    return copy;
}

/* --- schemas that must be refused --- */

static struct value *
parse_literal(struct arena *arena, const char *text)
{
    struct value *value;
    CHECK(value_parse(arena, slice_from_string(text), 64, &value, NULL) == VALUE_PARSE_OK);
    return value;
}

const char *
generate_spoiled(struct prng *prng, struct arena *arena, struct value *schema)
{
    static const struct {
        const char *what;
        const char *op;
    } bad[] = {
        {"an unknown op", "{\"op\":\"frob\",\"path\":\"/a\"}"},
        {"an unknown member of an op", "{\"op\":\"remove\",\"path\":\"/zz\",\"frob\":1}"},
        {"rename to its own name", "{\"op\":\"rename\",\"path\":\"/zz\",\"to\":\"zz\"}"},
        {"move to where it is", "{\"op\":\"move\",\"from\":\"/zz/y\",\"to\":\"/zz/y\"}"},
        {"an empty separator",
         "{\"op\":\"split\",\"path\":\"/zz\",\"separator\":\"\",\"into\":[\"z1\",\"z2\"]}"},
        {"one name to split into",
         "{\"op\":\"split\",\"path\":\"/zz\",\"separator\":\" \",\"into\":[\"z1\"]}"},
        {"a repeated name to join",
         "{\"op\":\"join\",\"path\":\"/zz\",\"separator\":\" \",\"from\":[\"z1\",\"z1\"]}"},
        {"a factor of 0", "{\"op\":\"scale\",\"path\":\"/zz\",\"factor\":\"0.0\"}"},
        {"a factor without an inverse and no digits",
         "{\"op\":\"scale\",\"path\":\"/zz\",\"factor\":\"3\"}"},
        {"an empty path", "{\"op\":\"remove\",\"path\":\"\"}"},
        {"no path", "{\"op\":\"remove\"}"},
        {"a pointer without a slash", "{\"op\":\"remove\",\"path\":\"zz\"}"},
        {"a bad escape in a pointer", "{\"op\":\"remove\",\"path\":\"/z~2\"}"},
        {"a step on the key",
         "{\"op\":\"each\",\"path\":\"/zz\",\"key\":\"/k\",\"steps\":[{\"op\":\"remove\","
         "\"path\":\"/k\"}]}"},
        {"a step below the key",
         "{\"op\":\"each\",\"path\":\"/zz\",\"key\":\"/k\",\"steps\":[{\"op\":\"fill\","
         "\"path\":\"/k/l\",\"value\":1}]}"},
        {"31 digits",
         "{\"op\":\"scale\",\"path\":\"/zz\",\"factor\":\"2\",\"down_digits\":31}"},
        {"each nested five deep",
         "{\"op\":\"each\",\"path\":\"/zz\",\"steps\":[{\"op\":\"each\",\"path\":\"/zz\","
         "\"steps\":[{\"op\":\"each\",\"path\":\"/zz\",\"steps\":[{\"op\":\"each\",\"path\":"
         "\"/zz\",\"steps\":[{\"op\":\"each\",\"path\":\"/zz\",\"steps\":[{\"op\":\"remove\","
         "\"path\":\"/a\"}]}]}]}]}]}"},
        {"mixed kinds of conversion",
         "{\"op\":\"convert\",\"path\":\"/zz\",\"from\":\"integer\",\"to\":\"iso-8601\"}"},
        {"no steps in each", "{\"op\":\"each\",\"path\":\"/zz\"}"},
        {"no value to fill", "{\"op\":\"fill\",\"path\":\"/zz\"}"},
    };
    enum { COUNT = sizeof(bad) / sizeof(*bad) };
    struct value *versions = value_get_string(schema, "versions");
    struct value *last = versions->members[versions->count - 1].value;
    struct value *steps = value_get_string(last, "steps");
    size_t index = prng_below(prng, COUNT + 4);
    if (index < COUNT) {
        value_append(arena, steps, (struct slice){0}, parse_literal(arena, bad[index].op));
        return bad[index].what;
    }
    switch (index - COUNT) {
    case 0:
        value_set(arena, schema, "frob", value_new(arena, VALUE_TRUE));
        return "an unknown member";
    case 1:
        last->members[value_index(last, slice_from_string("version"))].value =
            value_number(arena, "9");
        return "versions that are not consecutive";
    case 2:
        value_remove(schema, value_index(schema, slice_from_string("keys")));
        return "no keys";
    default:
        for (int i = 0; i < 257; i++) {
            value_append(arena, steps, (struct slice){0},
                         parse_literal(arena, "{\"op\":\"wrap\",\"path\":\"/zz\"}"));
        }
        return "more than 256 ops";
    }
}
