#include "tests/property/model/reference.h"

#include "proto/base/check.h"
#include "tests/property/model/exact.h"

#include <stdio.h>
#include <stdlib.h>

enum op_kind {
    OP_RENAME,
    OP_ADD,
    OP_REMOVE,
    OP_MOVE,
    OP_MAP,
    OP_CONVERT,
    OP_SCALE,
    OP_WRAP,
    OP_UNWRAP,
    OP_SPLIT,
    OP_JOIN,
    OP_FILL,
    OP_EACH,
    OP_FILTER,
};

static const char *const op_names[] = {"rename",  "add",   "remove", "move",   "map",
                                       "convert", "scale", "wrap",   "unwrap", "split",
                                       "join",    "fill",  "each",   "filter"};

enum kind_of_text {
    KIND_INTEGER,
    KIND_STRING,
    KIND_BOOLEAN,
    KIND_SECONDS,
    KIND_MILLIS,
    KIND_ISO
};

static const char *const kind_names[] = {
    "integer", "string", "boolean", "unix-seconds", "unix-milliseconds", "iso-8601"};

enum { INTO_MAX = 6 };

struct op {
    enum op_kind kind;
    struct pointer path;
    struct pointer to;         /* rename (a name), move */
    const struct value *value; /* default of add and remove, value of fill; NULL: none */
    const struct value *table[2], *otherwise[2]; /* map: [0] up, [1] down */
    enum kind_of_text kinds[2];
    struct exact factor;
    long digits[2]; /* scale; -1: exact */
    struct slice separator;
    struct slice into[INTO_MAX];
    size_t into_count;
    bool has_key;
    struct pointer key, new_key;
    struct pointer hide_path;
    const struct value *hide_values;
    struct op *steps;
    size_t step_count;
};

struct step {
    struct op *ops;
    size_t count;
};

struct reference {
    unsigned version_count;
    struct step *steps; /* [0]: 1 to 2 */
    struct pointer identity[IDENTITY_MAX];
    size_t identity_count;
};

enum memory_kind {
    MEMORY_NONE,
    MEMORY_VALUE,
    MEMORY_ABSENT,
    MEMORY_SHADOW,
    MEMORY_PARENTS,
    MEMORY_FILLED,
    MEMORY_ELEMENTS,
    MEMORY_HIDDEN,
};

enum ident_kind { IDENT_NONE, IDENT_KEYED, IDENT_UNKEYED, IDENT_NAMED };

struct ident {
    enum ident_kind kind;
    const struct value *key;
    struct slice name;
    size_t occurrence;
};

struct element {
    struct ident ident; /* for filter: of the neighbour */
    struct reference_memory *memory;
    struct value *value;
};

struct reference_memory {
    enum memory_kind kind;
    struct value *shown;
    struct value *original;
    bool created[POINTER_TOKENS_MAX + 1]; /* per number of tokens of the prefix */
    struct element *elements;
    size_t element_count;
};

/* One translation under way. */
struct run {
    struct arena *arena;
    reason_set reasons;      /* not 0: failed */
    bool uncertain;          /* two readings */
    const struct op *failed; /* the op of the step that did it */
    bool conversion;         /* because a conversion failed */
    unsigned nested;         /* inside so many each */
};

#define REASON(name) (1u << (name))

static bool
fail(struct run *run, reason_set reasons)
{
    run->reasons = reasons;
    return false;
}

/* --- reading schemas --- */

struct pointer
pointer_parse(struct arena *arena, struct slice text)
{
    struct pointer pointer = {0};
    size_t at = 0;
    while (at < text.size) {
        CHECK(text.data[at] == '/' && pointer.count < POINTER_TOKENS_MAX);
        char *token = arena_alloc(arena, text.size + 1);
        CHECK(token != NULL);
        size_t size = 0;
        for (at++; at < text.size && text.data[at] != '/'; at++) {
            char byte = text.data[at];
            if (byte == '~') {
                byte = text.data[++at] == '1' ? '/' : '~';
            }
            token[size++] = byte;
        }
        pointer.tokens[pointer.count++] = slice_make(token, size);
    }
    return pointer;
}

bool
pointer_has_prefix(const struct pointer *pointer, const struct pointer *prefix)
{
    for (size_t i = 0; i < prefix->count; i++) {
        if (i >= pointer->count || !slice_equal(pointer->tokens[i], prefix->tokens[i])) {
            return false;
        }
    }
    return true;
}

static struct pointer
read_pointer(struct arena *arena, const struct value *op, const char *name)
{
    const struct value *value = value_get_string(op, name);
    return value == NULL ? (struct pointer){0} : pointer_parse(arena, value->text);
}

static enum kind_of_text
read_kind(const struct value *op, const char *name)
{
    const struct value *value = value_get_string(op, name);
    if (value != NULL) {
        for (size_t i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++) {
            if (slice_equal(value->text, slice_from_string(kind_names[i]))) {
                return (enum kind_of_text)i;
            }
        }
    }
    return KIND_INTEGER;
}

static long
read_digits(const struct value *op, const char *name)
{
    const struct value *value = value_get_string(op, name);
    char buf[24] = {0};
    if (value == NULL) {
        return -1;
    }
    CHECK(value->text.size < sizeof(buf));
    memcpy(buf, value->text.data, value->text.size);
    return strtol(buf, NULL, 10);
}

static struct op *read_ops(struct arena *arena, const struct value *steps, size_t *ret_count);

static struct op
read_op(struct arena *arena, const struct value *json)
{
    struct op op = {0};
    struct slice name = value_get_string(json, "op")->text;
    for (size_t i = 0; i < sizeof(op_names) / sizeof(*op_names); i++) {
        if (slice_equal(name, slice_from_string(op_names[i]))) {
            op.kind = (enum op_kind)i;
        }
    }
    op.path = read_pointer(arena, json, "path");
    if (op.kind == OP_RENAME) {
        op.to = op.path;
        op.to.tokens[op.to.count - 1] = value_get_string(json, "to")->text;
    } else if (op.kind == OP_MOVE) {
        op.path = read_pointer(arena, json, "from");
        op.to = read_pointer(arena, json, "to");
    } else if (op.kind == OP_CONVERT) {
        op.kinds[0] = read_kind(json, "from");
        op.kinds[1] = read_kind(json, "to");
    }
    op.value = value_get_string(json, op.kind == OP_FILL ? "value" : "default");
    op.table[0] = value_get_string(json, "up");
    op.table[1] = value_get_string(json, "down");
    op.otherwise[0] = value_get_string(json, "up_else");
    op.otherwise[1] = value_get_string(json, "down_else");
    if (op.kind == OP_SCALE) {
        op.factor = exact_read(arena, value_get_string(json, "factor")->text);
        op.digits[0] = read_digits(json, "up_digits");
        op.digits[1] = read_digits(json, "down_digits");
    }
    if (op.kind == OP_SPLIT || op.kind == OP_JOIN) {
        op.separator = value_get_string(json, "separator")->text;
        const struct value *into =
            value_get_string(json, op.kind == OP_SPLIT ? "into" : "from");
        CHECK(into->count <= INTO_MAX);
        for (size_t i = 0; i < into->count; i++) {
            op.into[op.into_count++] = into->members[i].value->text;
        }
    }
    op.has_key = value_get_string(json, "key") != NULL;
    op.key = op.new_key = read_pointer(arena, json, "key");
    if (value_get_string(json, "new_key") != NULL) {
        op.new_key = read_pointer(arena, json, "new_key");
    }
    const struct value *hide = value_get_string(json, "hide");
    if (hide != NULL) {
        op.hide_path = read_pointer(arena, hide, "path");
        op.hide_values = value_get_string(hide, "values");
    }
    op.steps = read_ops(arena, value_get_string(json, "steps"), &op.step_count);
    return op;
}

static struct op *
read_ops(struct arena *arena, const struct value *steps, size_t *ret_count)
{
    *ret_count = steps == NULL ? 0 : steps->count;
    struct op *ops = arena_calloc(arena, *ret_count + 1, sizeof(*ops));
    CHECK(ops != NULL);
    for (size_t i = 0; i < *ret_count; i++) {
        ops[i] = read_op(arena, steps->members[i].value);
    }
    return ops;
}

struct reference *
reference_new(struct arena *arena, const struct value *schema)
{
    struct reference *reference = arena_calloc(arena, 1, sizeof(*reference));
    const struct value *versions = value_get_string(schema, "versions");
    CHECK(reference != NULL);
    reference->version_count = (unsigned)versions->count;
    reference->steps = arena_calloc(arena, versions->count, sizeof(*reference->steps));
    CHECK(reference->steps != NULL);
    for (size_t i = 1; i < versions->count; i++) {
        struct step *step = &reference->steps[i - 1];
        const struct value *steps = value_get_string(versions->members[i].value, "steps");
        step->ops = read_ops(arena, steps, &step->count);
    }
    const struct value *identity = value_get_string(schema, "identity");
    if (identity != NULL) {
        CHECK(identity->count <= IDENTITY_MAX);
        for (size_t i = 0; i < identity->count; i++) {
            reference->identity[i] = pointer_parse(arena, identity->members[i].value->text);
        }
        reference->identity_count = identity->count;
    }
    return reference;
}

unsigned
reference_version_count(const struct reference *reference)
{
    return reference->version_count;
}

static bool
ops_know_order(const struct op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (ops[i].kind) {
        case OP_MOVE:
        case OP_SPLIT:
        case OP_JOIN:
        case OP_FILL:
            return false;
        default:
            if (!ops_know_order(ops[i].steps, ops[i].step_count)) {
                return false;
            }
        }
    }
    return true;
}

bool
reference_knows_order(const struct reference *reference)
{
    for (unsigned v = 1; v < reference->version_count; v++) {
        if (!ops_know_order(reference->steps[v - 1].ops, reference->steps[v - 1].count)) {
            return false;
        }
    }
    return true;
}

size_t
reference_identity(const struct reference *reference, unsigned version,
                   struct pointer *ret_pointers)
{
    for (size_t i = 0; i < reference->identity_count; i++) {
        struct pointer pointer = reference->identity[i];
        for (unsigned v = 1; v < version; v++) {
            const struct step *step = &reference->steps[v - 1];
            for (size_t k = 0; k < step->count; k++) {
                const struct op *op = &step->ops[k];
                if ((op->kind == OP_RENAME || op->kind == OP_MOVE) &&
                    pointer_has_prefix(&pointer, &op->path)) {
                    struct pointer moved = op->to;
                    for (size_t t = op->path.count; t < pointer.count; t++) {
                        CHECK(moved.count < POINTER_TOKENS_MAX);
                        moved.tokens[moved.count++] = pointer.tokens[t];
                    }
                    pointer = moved;
                }
            }
        }
        ret_pointers[i] = pointer;
    }
    return reference->identity_count;
}

/* --- finding places --- */

bool
pointer_get(const struct pointer *pointer, struct value *root, struct value **ret_value)
{
    *ret_value = root;
    for (size_t i = 0; i < pointer->count; i++) {
        if (value_name_count(*ret_value, pointer->tokens[i]) > 1) {
            return false;
        }
        *ret_value = value_get(*ret_value, pointer->tokens[i]);
    }
    return true;
}

/* The object a pointer's last token is looked for in; NULL when missing or no object. */
static struct value *
parent_of(const struct pointer *pointer, struct value *root)
{
    struct pointer up = *pointer;
    struct value *parent;
    up.count--;
    pointer_get(&up, root, &parent);
    return value_is(parent, VALUE_OBJECT) ? parent : NULL;
}

static struct slice
last_token(const struct pointer *pointer)
{
    return pointer->tokens[pointer->count - 1];
}

static bool
is_single(const struct pointer *pointer, struct value *root)
{
    struct value *value;
    return pointer_get(pointer, root, &value);
}

static struct value *
take_member(struct value *object, struct slice name)
{
    size_t index = value_index(object, name);
    struct value *value = object->members[index].value;
    value_remove(object, index);
    return value;
}

static void
replace(struct value *object, struct slice name, struct value *value)
{
    object->members[value_index(object, name)].value = value;
}

/* --- conversions: false without a result sets the reasons --- */

static bool
convert_map(struct run *run, const struct op *op, int direction, const struct value *value,
            struct value **ret_value)
{
    const struct value *found =
        value->kind == VALUE_STRING ? value_get(op->table[direction], value->text) : NULL;
    const struct value *otherwise = op->otherwise[direction];
    if (found == NULL && value_is(otherwise, VALUE_OBJECT)) {
        found = value_get_string(otherwise, "value");
    } else if (found == NULL && value_is(otherwise, VALUE_STRING) &&
               slice_equal(otherwise->text, SLICE_OF("keep"))) {
        found = value;
    }
    if (found == NULL) {
        return fail(run, value->kind == VALUE_STRING
                             ? REASON(LENS_UNMAPPED)
                             : REASON(LENS_UNMAPPED) | REASON(LENS_TYPE));
    }
    *ret_value = value_copy(run->arena, found);
    return true;
}

static struct value *
number_value(struct run *run, struct exact decimal)
{
    struct value *value = value_new(run->arena, VALUE_NUMBER);
    value->text = exact_write(run->arena, decimal);
    return value;
}

/* The specification limits what is written; a longer number read may be refused, or not. */
static struct exact
read_number(struct run *run, struct slice text)
{
    struct exact number = exact_read(run->arena, text);
    run->uncertain |= exact_written_count(number) > EXACT_DIGITS_MAX;
    return number;
}

static bool
is_integer_text(struct slice text)
{
    size_t at = text.size > 0 && text.data[0] == '-';
    if (at == text.size || (text.data[at] == '0' && text.size > at + 1)) {
        return false;
    }
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') {
            return false;
        }
    }
    return true;
}

static bool
convert_basic(struct run *run, enum kind_of_text from, enum kind_of_text to,
              const struct value *value, struct value **ret_value)
{
    struct exact number = {0};
    if (from == KIND_STRING) {
        if (value->kind != VALUE_STRING) {
            return fail(run, REASON(LENS_TYPE));
        }
        if (to == KIND_BOOLEAN) {
            bool yes = slice_equal(value->text, SLICE_OF("true"));
            if (!yes && !slice_equal(value->text, SLICE_OF("false"))) {
                return fail(run, REASON(LENS_TYPE));
            }
            *ret_value = value_new(run->arena, yes ? VALUE_TRUE : VALUE_FALSE);
            return true;
        }
        if (!is_integer_text(value->text)) {
            return fail(run, REASON(LENS_TYPE));
        }
        number = exact_read(run->arena, value->text);
    } else if (from == KIND_INTEGER) {
        if (value->kind != VALUE_NUMBER) {
            return fail(run, REASON(LENS_TYPE));
        }
        number = read_number(run, value->text);
        if (!exact_is_integer(number)) {
            return fail(run, REASON(LENS_TYPE));
        }
        if (number.count == 0 && value->text.data[0] == '-' && to == KIND_STRING) {
            run->uncertain = true; /* "0" or "-0"? */
        }
    } else {
        if (value->kind != VALUE_TRUE && value->kind != VALUE_FALSE) {
            return fail(run, REASON(LENS_TYPE));
        }
        if (to == KIND_STRING) {
            *ret_value = value_string(run->arena, value->kind == VALUE_TRUE ? "true" : "false");
            return true;
        }
        number =
            exact_read(run->arena, value->kind == VALUE_TRUE ? SLICE_OF("1") : SLICE_OF("0"));
    }
    if (to == KIND_BOOLEAN) {
        bool yes = exact_equal(number, exact_read(run->arena, SLICE_OF("1")));
        if (!yes && number.count != 0) {
            return fail(run, REASON(LENS_TYPE));
        }
        *ret_value = value_new(run->arena, yes ? VALUE_TRUE : VALUE_FALSE);
        return true;
    }
    if (exact_written_count(number) > EXACT_DIGITS_MAX) {
        return fail(run, REASON(LENS_TOO_LONG));
    }
    *ret_value = to == KIND_STRING ? value_slice(run->arena, exact_write(run->arena, number))
                                   : number_value(run, number);
    return true;
}

static int64_t
days_before(int64_t year, int64_t month, int64_t day)
{
    /* count from 1 March of year 0: the leap day comes last */
    int64_t shifted = month <= 2 ? year - 1 : year;
    int64_t months = month <= 2 ? month + 9 : month - 3;
    int64_t leaps = (shifted + 400) / 4 - (shifted + 400) / 100 + (shifted + 400) / 400 - 97;
    return shifted * 365 + leaps + (months * 153 + 2) / 5 + day - 1 - 719468;
}

static bool
digits_at(struct slice text, size_t at, size_t count, int64_t *ret_number)
{
    *ret_number = 0;
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.size || text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *ret_number = *ret_number * 10 + (text.data[i] - '0');
    }
    return true;
}

static bool
byte_at(struct slice text, size_t at, char byte)
{
    return at < text.size && text.data[at] == byte;
}

enum { SECONDS_A_DAY = 86400 };

static int
days_of_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* Seconds since 1970 and the digits of the fraction; the reasons, or 0. */
static reason_set
read_iso(struct slice text, int64_t *ret_seconds, struct slice *ret_fraction)
{
    int64_t year, month, day, hour, minute, second;
    if (!digits_at(text, 0, 4, &year) || !byte_at(text, 4, '-') ||
        !digits_at(text, 5, 2, &month) || !byte_at(text, 7, '-') ||
        !digits_at(text, 8, 2, &day) || !byte_at(text, 10, 'T') ||
        !digits_at(text, 11, 2, &hour) || !byte_at(text, 13, ':') ||
        !digits_at(text, 14, 2, &minute) || !byte_at(text, 16, ':') ||
        !digits_at(text, 17, 2, &second)) {
        return REASON(LENS_TYPE);
    }
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
        minute > 59 || second > 59) {
        return REASON(LENS_TYPE) | REASON(LENS_RANGE); /* the text does not say which */
    }
    size_t at = 19;
    *ret_fraction = (struct slice){"", 0};
    if (byte_at(text, at, '.')) {
        size_t start = ++at;
        while (at < text.size && text.data[at] >= '0' && text.data[at] <= '9') {
            at++;
        }
        *ret_fraction = slice_make(text.data + start, at - start);
        if (at == start || at - start > 9) {
            return REASON(LENS_TYPE);
        }
    }
    int64_t offset = 0;
    if (byte_at(text, at, 'Z')) {
        at++;
    } else if (byte_at(text, at, '+') || byte_at(text, at, '-')) {
        int64_t hours, minutes;
        if (!digits_at(text, at + 1, 2, &hours) || !byte_at(text, at + 3, ':') ||
            !digits_at(text, at + 4, 2, &minutes)) {
            return REASON(LENS_TYPE);
        }
        if (hours > 23 || minutes > 59) {
            return REASON(LENS_TYPE) | REASON(LENS_RANGE);
        }
        offset = (hours * 60 + minutes) * 60 * (text.data[at] == '-' ? -1 : 1);
        at += 6;
    } else {
        return REASON(LENS_TYPE);
    }
    if (at != text.size) {
        return REASON(LENS_TYPE);
    }
    *ret_seconds = days_before(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 +
                   second - offset;
    return 0;
}

static const int64_t seconds_min = -62167219200; /* 0000-01-01T00:00:00Z */
static const int64_t seconds_max = 253402300799; /* 9999-12-31T23:59:59Z */

static bool
write_iso(struct run *run, struct exact time, struct value **ret_value)
{
    struct exact floor = exact_round(run->arena, time, 0);
    struct exact low = exact_read(run->arena, SLICE_OF("-1e14"));
    if (floor.count + (size_t)(floor.exponent > 0 ? floor.exponent : 0) > low.count + 14) {
        return fail(run, REASON(LENS_RANGE) | REASON(LENS_TOO_LONG) | REASON(LENS_INEXACT));
    }
    if (time.exponent < -9) {
        run->uncertain = true; /* more digits than are read back */
        return fail(run, REASON(LENS_RANGE));
    }
    /* whole nanoseconds as seconds * 10^9 fit 128 bits only: keep the two parts apart */
    int64_t seconds = 0;
    int64_t nanos = 0;
    struct slice written = exact_write(run->arena, time);
    size_t at = time.negative;
    for (; at < written.size && written.data[at] != '.'; at++) {
        seconds = seconds * 10 + (written.data[at] - '0');
    }
    int digits = 0;
    for (at++; at < written.size; at++, digits++) {
        nanos = nanos * 10 + (written.data[at] - '0');
    }
    for (; digits < 9; digits++) {
        nanos *= 10;
    }
    if (time.negative) {
        seconds = -seconds;
        if (nanos > 0) {
            seconds--;
            nanos = 1000000000 - nanos;
        }
    }
    if (seconds < seconds_min || seconds > seconds_max) {
        return fail(run, REASON(LENS_RANGE));
    }
    int64_t days = (seconds - seconds_min) / SECONDS_A_DAY;
    int64_t rest = (seconds - seconds_min) % SECONDS_A_DAY;
    int64_t year = 0;
    int64_t month = 1;
    for (;; year++) {
        int64_t length = days_of_month(year, 2) == 29 ? 366 : 365;
        if (days < length) {
            break;
        }
        days -= length;
    }
    for (; days >= days_of_month(year, month); month++) {
        days -= days_of_month(year, month);
    }
    struct buffer buffer;
    buffer_init(&buffer, 0);
    buffer_printf(&buffer, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, (int)month,
                  (int)days + 1, (int)(rest / 3600), (int)(rest / 60 % 60), (int)(rest % 60));
    if (nanos > 0) {
        char fraction[24];
        snprintf(fraction, sizeof(fraction), ".%09d", (int)nanos);
        size_t size = strlen(fraction);
        while (fraction[size - 1] == '0') {
            size--;
        }
        buffer_append(&buffer, fraction, size);
    }
    buffer_append_char(&buffer, 'Z');
    struct slice copy;
    CHECK(arena_copy(run->arena, buffer_slice(&buffer), &copy));
    buffer_fini(&buffer);
    *ret_value = value_slice(run->arena, copy);
    return true;
}

static bool
convert_time(struct run *run, enum kind_of_text from, enum kind_of_text to,
             const struct value *value, struct value **ret_value)
{
    struct exact time; /* seconds */
    if (from == KIND_ISO) {
        int64_t seconds;
        struct slice fraction;
        if (value->kind != VALUE_STRING) {
            return fail(run, REASON(LENS_TYPE));
        }
        reason_set reasons = read_iso(value->text, &seconds, &fraction);
        if (reasons != 0) {
            return fail(run, reasons);
        }
        if (seconds < seconds_min || seconds > seconds_max) {
            run->uncertain = true; /* within the years as written, but not in UTC */
        }
        /* whole and fraction have the same sign only from 1970 on: add as 10^-9 */
        char buf[64];
        int64_t nanos = 0;
        for (size_t i = 0; i < 9; i++) {
            nanos = nanos * 10 + (i < fraction.size ? fraction.data[i] - '0' : 0);
        }
        bool negative = seconds < 0;
        int64_t whole = negative ? -seconds : seconds;
        if (negative && nanos > 0) {
            whole--;
            nanos = 1000000000 - nanos;
        }
        snprintf(buf, sizeof(buf), "%s%lld.%09lld", negative ? "-" : "", (long long)whole,
                 (long long)nanos);
        struct slice copy;
        CHECK(arena_copy(run->arena, slice_from_string(buf), &copy));
        time = exact_read(run->arena, copy);
    } else {
        if (value->kind != VALUE_NUMBER) {
            return fail(run, REASON(LENS_TYPE));
        }
        time = read_number(run, value->text);
        time.exponent -= from == KIND_MILLIS && time.count > 0 ? 3 : 0;
    }
    if (to == KIND_ISO) {
        return write_iso(run, time, ret_value);
    }
    time.exponent += to == KIND_MILLIS && time.count > 0 ? 3 : 0;
    if (exact_written_count(time) > EXACT_DIGITS_MAX) {
        return fail(run, REASON(LENS_TOO_LONG));
    }
    *ret_value = number_value(run, time);
    return true;
}

static bool
convert_scale(struct run *run, const struct op *op, int direction, const struct value *value,
              struct value **ret_value)
{
    if (value->kind != VALUE_NUMBER) {
        return fail(run, REASON(LENS_TYPE));
    }
    struct exact number = read_number(run, value->text);
    struct exact scaled;
    if (direction == 0) {
        scaled = exact_multiply(run->arena, number, op->factor);
        if (op->digits[0] >= 0) {
            scaled = exact_round(run->arena, scaled, op->digits[0]);
        }
    } else if (!exact_divide(run->arena, number, op->factor, op->digits[1], &scaled)) {
        return fail(run, REASON(LENS_INEXACT));
    }
    if (exact_written_count(scaled) > EXACT_DIGITS_MAX) {
        return fail(run, REASON(LENS_TOO_LONG));
    }
    *ret_value = number_value(run, scaled);
    return true;
}

static bool
convert_wrap(struct run *run, bool wrap, const struct value *value, struct value **ret_value)
{
    if (wrap) {
        *ret_value = value_new(run->arena, VALUE_ARRAY);
        if (value->kind != VALUE_NULL) {
            value_append(run->arena, *ret_value, (struct slice){0},
                         value_copy(run->arena, value));
        }
        return true;
    }
    if (value->kind != VALUE_ARRAY) {
        return fail(run, REASON(LENS_TYPE));
    }
    *ret_value = value->count == 0 ? value_new(run->arena, VALUE_NULL)
                                   : value_copy(run->arena, value->members[0].value);
    return true;
}

static bool
convert(struct run *run, const struct op *op, bool up, const struct value *value,
        struct value **ret_value)
{
    int direction = up ? 0 : 1;
    switch (op->kind) {
    case OP_MAP:
        return convert_map(run, op, direction, value, ret_value);
    case OP_CONVERT: {
        enum kind_of_text from = op->kinds[direction];
        enum kind_of_text to = op->kinds[!direction];
        return from >= KIND_SECONDS ? convert_time(run, from, to, value, ret_value)
                                    : convert_basic(run, from, to, value, ret_value);
    }
    case OP_SCALE:
        return convert_scale(run, op, direction, value, ret_value);
    default:
        return convert_wrap(run, (op->kind == OP_WRAP) == up, value, ret_value);
    }
}

/* --- the ops; each takes what it remembers, and leaves what the way back needs --- */

static void
remember_shadow(struct run *run, struct reference_memory *out, const struct value *shown,
                const struct value *original)
{
    out->kind = MEMORY_SHADOW;
    out->shown = value_copy(run->arena, shown);
    out->original = value_copy(run->arena, original);
}

static bool
run_conversion(struct run *run, const struct op *op, bool up, struct value *root,
               const struct reference_memory *in, struct reference_memory *out)
{
    if (!is_single(&op->path, root)) {
        return fail(run, REASON(LENS_DUPLICATE));
    }
    struct value *parent = parent_of(&op->path, root);
    struct value *value = value_get(parent, last_token(&op->path));
    struct value *result;
    if (value == NULL) {
        return true;
    }
    if (in->kind == MEMORY_SHADOW && value_equal(in->shown, value)) {
        result = value_copy(run->arena, in->original);
    } else if (!convert(run, op, up, value, &result)) {
        run->conversion = true;
        return false;
    }
    struct run way_back = {.arena = run->arena};
    struct value *inverse;
    if (!convert(&way_back, op, !up, result, &inverse) || !value_equal(inverse, value)) {
        remember_shadow(run, out, result, value);
    }
    run->uncertain |= way_back.uncertain;
    replace(parent, last_token(&op->path), result);
    return true;
}

static bool
run_rename(struct run *run, const struct op *op, bool up, struct value *root)
{
    const struct pointer *from = up ? &op->path : &op->to;
    const struct pointer *to = up ? &op->to : &op->path;
    reason_set reasons = 0;
    if (!is_single(from, root) || !is_single(to, root)) {
        reasons |= REASON(LENS_DUPLICATE);
    }
    struct value *parent = parent_of(to, root);
    if (value_get(parent, last_token(to)) != NULL) {
        reasons |= REASON(LENS_COLLISION);
    }
    if (reasons != 0) {
        return fail(run, reasons);
    }
    size_t index = value_index(parent, last_token(from));
    if (index != SIZE_MAX) {
        parent->members[index].name = last_token(to);
    }
    return true;
}

static bool
run_add(struct run *run, const struct op *op, bool insert, struct value *root,
        const struct reference_memory *in, struct reference_memory *out)
{
    struct value *parent = parent_of(&op->path, root);
    struct slice name = last_token(&op->path);
    struct value *value = value_get(parent, name);
    reason_set reasons = is_single(&op->path, root) ? 0 : REASON(LENS_DUPLICATE);
    if (insert && value != NULL) {
        reasons |= REASON(LENS_COLLISION);
    }
    if (reasons != 0) {
        return fail(run, reasons);
    }
    if (parent == NULL) {
        return true;
    }
    if (!insert) {
        out->kind = value == NULL ? MEMORY_ABSENT : MEMORY_VALUE;
        out->original = value == NULL ? NULL : take_member(parent, name);
        return true;
    }
    const struct value *inserted = in->kind == MEMORY_VALUE    ? in->original
                                   : in->kind == MEMORY_ABSENT ? NULL
                                                               : op->value;
    if (inserted != NULL) {
        value_append(run->arena, parent, name, value_copy(run->arena, inserted));
    }
    return true;
}

static bool
run_move(struct run *run, const struct op *op, bool up, struct value *root,
         const struct reference_memory *in, struct reference_memory *out)
{
    const struct pointer *from = up ? &op->path : &op->to;
    const struct pointer *to = up ? &op->to : &op->path;
    reason_set reasons = 0;
    if (!is_single(from, root) || !is_single(to, root)) {
        /* below what is moved the target's names mean nothing yet: do they count? */
        run->uncertain |= is_single(from, root) && pointer_has_prefix(to, from);
        /* which of several reasons is given is not said */
        return fail(run, REASON(LENS_DUPLICATE) | REASON(LENS_COLLISION) | REASON(LENS_TYPE));
    }
    struct value *source = parent_of(from, root);
    struct value *value = value_get(source, last_token(from));
    if (value != NULL) {
        take_member(source, last_token(from));
    }
    bool to_ancestor = to->count < from->count && pointer_has_prefix(from, to);
    if (value != NULL) {
        for (size_t size = from->count - 1; size > 0; size--) {
            struct pointer prefix = *from;
            prefix.count = size;
            struct value *object = parent_of(&prefix, root);
            struct value *child = value_get(object, last_token(&prefix));
            bool between = to_ancestor && size >= to->count;
            bool created = in->kind == MEMORY_PARENTS && in->created[size];
            if (!between && !created) {
                break;
            }
            if (child->count > 0) {
                break;
            }
            take_member(object, last_token(&prefix));
        }
    }
    struct value *target = parent_of(to, root);
    if (value_get(target, last_token(to)) != NULL) {
        reasons |= REASON(LENS_COLLISION);
    }
    if (value != NULL && reasons == 0) {
        struct value *at = root;
        for (size_t size = 1; size < to->count; size++) {
            struct slice name = to->tokens[size - 1];
            struct value *next = value_get(at, name);
            if (next == NULL) {
                next = value_new(run->arena, VALUE_OBJECT);
                value_append(run->arena, at, name, next);
                out->kind = MEMORY_PARENTS;
                out->created[size] = true;
            } else if (next->kind != VALUE_OBJECT) {
                reasons |= REASON(LENS_TYPE) | REASON(LENS_COLLISION); /* it does not say */
                break;
            }
            at = next;
        }
        if (reasons == 0) {
            value_append(run->arena, at, last_token(to), value);
        }
    }
    return reasons == 0 || fail(run, reasons);
}

static bool
find_separator(struct slice text, struct slice separator, size_t *ret_at)
{
    for (size_t i = 0; i + separator.size <= text.size; i++) {
        if (memcmp(text.data + i, separator.data, separator.size) == 0) {
            *ret_at = i;
            return true;
        }
    }
    return false;
}

/* The parts as an object. */
static struct value *
cut(struct run *run, const struct op *op, struct slice text)
{
    struct value *parts = value_new(run->arena, VALUE_OBJECT);
    for (size_t i = 0; i < op->into_count; i++) {
        size_t at;
        struct slice part = text;
        if (i + 1 < op->into_count && find_separator(text, op->separator, &at)) {
            part.size = at;
            text.data += at + op->separator.size;
            text.size -= at + op->separator.size;
        } else {
            text = (struct slice){"", 0};
        }
        value_append(run->arena, parts, op->into[i], value_slice(run->arena, part));
    }
    return parts;
}

/* NULL when a part is no string. */
static struct value *
glue(struct run *run, const struct op *op, const struct value *parts)
{
    struct buffer buffer;
    bool strings = true;
    buffer_init(&buffer, 0);
    for (size_t i = 0; i < op->into_count; i++) {
        const struct value *part = value_get(parts, op->into[i]);
        if (part == NULL) {
            continue;
        }
        strings = strings && part->kind == VALUE_STRING;
        if (part->text.size > 0) {
            if (buffer.size > 0) {
                buffer_append_slice(&buffer, op->separator);
            }
            buffer_append_slice(&buffer, part->text);
        }
    }
    struct slice copy = {"", 0};
    if (buffer.size > 0) {
        CHECK(arena_copy(run->arena, buffer_slice(&buffer), &copy));
    }
    buffer_fini(&buffer);
    return strings ? value_slice(run->arena, copy) : NULL;
}

static bool
run_split(struct run *run, const struct op *op, bool split, struct value *root,
          const struct reference_memory *in, struct reference_memory *out)
{
    struct slice name = last_token(&op->path);
    struct value *parent = parent_of(&op->path, root);
    reason_set reasons = is_single(&op->path, root) ? 0 : REASON(LENS_DUPLICATE);
    bool among = false; /* <name> is one of the parts, too */
    for (size_t i = 0; i < op->into_count; i++) {
        bool same = slice_equal(op->into[i], name);
        among |= same;
        if (value_name_count(parent, op->into[i]) > 1) {
            reasons |= REASON(LENS_DUPLICATE);
        }
        if (split && !same && value_get(parent, op->into[i]) != NULL) {
            reasons |= REASON(LENS_COLLISION);
        }
    }
    if (!split && !among && value_get(parent, name) != NULL) {
        reasons |= REASON(LENS_COLLISION);
    }
    if (reasons != 0) {
        return fail(run, reasons);
    }
    if (parent == NULL) {
        return true;
    }
    if (split) {
        struct value *value = value_get(parent, name);
        if (value == NULL) {
            return true;
        }
        struct value *parts;
        if (in->kind == MEMORY_SHADOW && value_equal(in->shown, value)) {
            parts = in->original;
        } else if (value->kind == VALUE_STRING) {
            parts = cut(run, op, value->text);
        } else {
            run->conversion = true;
            return fail(run, REASON(LENS_TYPE));
        }
        struct value *inverse = glue(run, op, parts);
        if (inverse == NULL || !value_equal(inverse, value)) {
            remember_shadow(run, out, parts, value);
        }
        take_member(parent, name);
        for (size_t i = 0; i < parts->count; i++) {
            value_append(run->arena, parent, parts->members[i].name,
                         value_copy(run->arena, parts->members[i].value));
        }
        return true;
    }
    struct value *parts = value_new(run->arena, VALUE_OBJECT);
    for (size_t i = 0; i < op->into_count; i++) {
        struct value *part = value_get(parent, op->into[i]);
        if (part != NULL) {
            value_append(run->arena, parts, op->into[i], part);
        }
    }
    if (parts->count == 0) {
        return true;
    }
    struct value *value;
    if (in->kind == MEMORY_SHADOW && value_equal(in->shown, parts)) {
        value = value_copy(run->arena, in->original);
    } else {
        value = glue(run, op, parts);
        if (value == NULL) {
            run->conversion = true;
            return fail(run, REASON(LENS_TYPE));
        }
    }
    if (value->kind != VALUE_STRING || !value_equal(cut(run, op, value->text), parts)) {
        remember_shadow(run, out, value, parts);
    }
    for (size_t i = 0; i < parts->count; i++) {
        take_member(parent, parts->members[i].name);
    }
    value_append(run->arena, parent, name, value);
    return true;
}

static bool
run_fill(struct run *run, const struct op *op, bool up, struct value *root,
         const struct reference_memory *in, struct reference_memory *out)
{
    if (!is_single(&op->path, root)) {
        return fail(run, REASON(LENS_DUPLICATE));
    }
    struct value *parent = parent_of(&op->path, root);
    struct slice name = last_token(&op->path);
    struct value *value = value_get(parent, name);
    if (parent == NULL) {
        return true;
    }
    if (up) {
        if (value == NULL && in->kind != MEMORY_ABSENT) {
            value_append(run->arena, parent, name, value_copy(run->arena, op->value));
            out->kind = MEMORY_FILLED;
        }
    } else if (value == NULL) {
        out->kind = MEMORY_ABSENT;
    } else if (in->kind == MEMORY_FILLED && value_equal(value, op->value)) {
        take_member(parent, name);
    }
    return true;
}

/* --- elements --- */

static bool
ident_equal(const struct ident *a, const struct ident *b)
{
    return a->kind == b->kind && a->occurrence == b->occurrence &&
           (a->kind != IDENT_KEYED || value_equal(a->key, b->key)) &&
           (a->kind != IDENT_NAMED || slice_equal(a->name, b->name));
}

/* How element <index> is told apart; false when its key occurs twice. */
static bool
identify(struct run *run, struct value *container, size_t index, bool has_key,
         const struct pointer *key, struct ident *idents)
{
    struct ident *ident = &idents[index];
    struct value *value = NULL;
    *ident = (struct ident){.kind = IDENT_UNKEYED};
    if (container->kind == VALUE_OBJECT) {
        ident->kind = IDENT_NAMED;
        ident->name = container->members[index].name;
        return true;
    }
    if (has_key && !pointer_get(key, container->members[index].value, &value)) {
        return false;
    }
    if (value != NULL && value->kind != VALUE_NULL && value->kind < VALUE_ARRAY) {
        ident->kind = IDENT_KEYED;
        ident->key = value_copy(run->arena, value);
    }
    for (size_t i = 0; i < index; i++) {
        struct ident same = idents[i];
        same.occurrence = 0;
        ident->occurrence += ident_equal(
            &same,
            &(struct ident){.kind = ident->kind, .key = ident->key, .name = ident->name});
    }
    return true;
}

static bool run_ops(struct run *run, const struct op *ops, size_t count, bool up,
                    struct value *root, const struct reference_memory *in,
                    struct reference_memory *out);

static struct reference_memory *
memories_new(struct arena *arena, size_t count)
{
    struct reference_memory *memories = arena_calloc(arena, count + 1, sizeof(*memories));
    CHECK(memories != NULL);
    return memories;
}

static bool
any_memory(const struct reference_memory *memories, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memories[i].kind != MEMORY_NONE) {
            return true;
        }
    }
    return false;
}

static bool
run_each(struct run *run, const struct op *op, bool up, struct value *root,
         const struct reference_memory *in, struct reference_memory *out)
{
    struct value *container;
    if (!pointer_get(&op->path, root, &container)) {
        return fail(run, REASON(LENS_DUPLICATE));
    }
    if (container == NULL) {
        return true;
    }
    if (container->kind != VALUE_ARRAY && container->kind != VALUE_OBJECT) {
        return fail(run, REASON(LENS_TYPE));
    }
    struct ident *idents = arena_calloc(run->arena, container->count + 1, sizeof(*idents));
    struct element *elements =
        arena_calloc(run->arena, container->count + 1, sizeof(*elements));
    struct reference_memory *nothing = memories_new(run->arena, op->step_count);
    CHECK(idents != NULL && elements != NULL);
    run->nested++;
    reason_set seen = 0; /* whether all elements are looked at first is not said */
    for (size_t i = 0; i < container->count; i++) {
        struct value *key;
        if (container->members[i].value->kind != VALUE_OBJECT) {
            seen |= REASON(LENS_TYPE);
        } else if (op->has_key && container->kind == VALUE_ARRAY &&
                   !pointer_get(up ? &op->key : &op->new_key, container->members[i].value,
                                &key)) {
            seen |= REASON(LENS_DUPLICATE);
        }
    }
    for (size_t i = 0; i < container->count; i++) {
        struct value *element = container->members[i].value;
        if (element->kind != VALUE_OBJECT) {
            run->nested--;
            return fail(run, seen);
        }
        if (container->kind == VALUE_OBJECT &&
            value_name_count(container, container->members[i].name) > 1) {
            run->uncertain = true; /* members told apart by name, but named by no op */
        }
        if (!identify(run, container, i, op->has_key, up ? &op->key : &op->new_key, idents)) {
            run->nested--;
            return fail(run, seen | REASON(LENS_DUPLICATE));
        }
        const struct reference_memory *known = nothing;
        for (size_t k = 0; in->kind == MEMORY_ELEMENTS && k < in->element_count; k++) {
            if (ident_equal(&in->elements[k].ident, &idents[i])) {
                known = in->elements[k].memory;
            }
        }
        elements[i].memory = memories_new(run->arena, op->step_count);
        if (!run_ops(run, op->steps, op->step_count, up, element, known, elements[i].memory)) {
            run->nested--;
            return fail(run, run->reasons | seen);
        }
    }
    run->nested--;
    size_t kept = 0;
    for (size_t i = 0; i < container->count; i++) {
        if (!identify(run, container, i, op->has_key, up ? &op->new_key : &op->key, idents)) {
            return fail(run, REASON(LENS_DUPLICATE));
        }
        elements[i].ident = idents[i];
        if (any_memory(elements[i].memory, op->step_count)) {
            elements[kept++] = elements[i];
        }
    }
    if (kept > 0) {
        out->kind = MEMORY_ELEMENTS;
        out->elements = elements;
        out->element_count = kept;
    }
    return true;
}

static bool
is_hidden(const struct op *op, struct value *element, bool *ret_duplicate)
{
    struct value *value;
    if (!pointer_get(&op->hide_path, element, &value)) {
        *ret_duplicate = true;
        return false;
    }
    for (size_t i = 0; value != NULL && i < op->hide_values->count; i++) {
        if (value_equal(op->hide_values->members[i].value, value)) {
            return true;
        }
    }
    return false;
}

/* Put the hidden elements of <in> back into <array>, whose own elements are <idents>. */
static void
put_back(struct run *run, struct value *array, const struct ident *idents,
         const struct reference_memory *in)
{
    struct value *mixed = value_new(run->arena, VALUE_ARRAY);
    bool *placed = arena_calloc(run->arena, in->element_count + 1, sizeof(*placed));
    CHECK(placed != NULL);
    for (size_t i = 0; i <= array->count; i++) {
        const struct ident start = {.kind = IDENT_NONE};
        const struct ident *before = i == 0 ? &start : &idents[i - 1];
        if (i > 0) {
            value_append(run->arena, mixed, (struct slice){0}, array->members[i - 1].value);
        }
        for (size_t k = 0; k < in->element_count; k++) {
            if (ident_equal(&in->elements[k].ident, before)) {
                placed[k] = true;
                value_append(run->arena, mixed, (struct slice){0},
                             value_copy(run->arena, in->elements[k].value));
            }
        }
    }
    for (size_t k = 0; k < in->element_count; k++) {
        if (!placed[k]) {
            value_append(run->arena, mixed, (struct slice){0},
                         value_copy(run->arena, in->elements[k].value));
        }
    }
    *array = *mixed;
}

static bool
run_filter(struct run *run, const struct op *op, bool up, struct value *root,
           const struct reference_memory *in, struct reference_memory *out)
{
    struct value *array;
    if (!pointer_get(&op->path, root, &array)) {
        return fail(run, REASON(LENS_DUPLICATE));
    }
    if (array == NULL) {
        return true;
    }
    if (array->kind != VALUE_ARRAY) {
        return fail(run, REASON(LENS_TYPE));
    }
    struct ident *idents = arena_calloc(run->arena, array->count + 1, sizeof(*idents));
    struct element *hidden = arena_calloc(run->arena, array->count + 1, sizeof(*hidden));
    CHECK(idents != NULL && hidden != NULL);
    struct value *visible = value_new(run->arena, VALUE_ARRAY);
    size_t hidden_count = 0;
    reason_set reasons = 0;
    for (size_t i = 0; i < array->count; i++) {
        bool duplicate = false;
        struct value *element = array->members[i].value;
        struct value *key = NULL;
        bool hide = is_hidden(op, element, &duplicate);
        if (duplicate || (op->has_key && !pointer_get(&op->key, element, &key))) {
            reasons |= REASON(LENS_DUPLICATE);
        } else if (hide && up) {
            reasons |= REASON(LENS_COLLISION);
        } else if (hide) {
            hidden[hidden_count].value = element;
            hidden[hidden_count].ident = visible->count == 0
                                             ? (struct ident){.kind = IDENT_NONE}
                                             : idents[visible->count - 1];
            hidden_count++;
        } else {
            value_append(run->arena, visible, (struct slice){0}, element);
            identify(run, visible, visible->count - 1, op->has_key, &op->key, idents);
        }
    }
    if (reasons != 0) {
        return fail(run, reasons);
    }
    if (up) {
        if (in->kind == MEMORY_HIDDEN) {
            put_back(run, array, idents, in);
        }
    } else if (hidden_count > 0) {
        *array = *visible;
        out->kind = MEMORY_HIDDEN;
        out->elements = hidden;
        out->element_count = hidden_count;
    }
    return true;
}

static bool
run_op(struct run *run, const struct op *op, bool up, struct value *root,
       const struct reference_memory *in, struct reference_memory *out)
{
    switch (op->kind) {
    case OP_RENAME:
        return run_rename(run, op, up, root);
    case OP_ADD:
    case OP_REMOVE:
        return run_add(run, op, (op->kind == OP_ADD) == up, root, in, out);
    case OP_MOVE:
        return run_move(run, op, up, root, in, out);
    case OP_SPLIT:
    case OP_JOIN:
        return run_split(run, op, (op->kind == OP_SPLIT) == up, root, in, out);
    case OP_FILL:
        return run_fill(run, op, up, root, in, out);
    case OP_EACH:
        return run_each(run, op, up, root, in, out);
    case OP_FILTER:
        return run_filter(run, op, up, root, in, out);
    default:
        return run_conversion(run, op, up, root, in, out);
    }
}

static bool
run_ops(struct run *run, const struct op *ops, size_t count, bool up, struct value *root,
        const struct reference_memory *in, struct reference_memory *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t index = up ? i : count - 1 - i;
        if (!run_op(run, &ops[index], up, root, &in[index], &out[index])) {
            if (run->nested == 0) {
                run->failed = &ops[index];
            }
            return false;
        }
    }
    return true;
}

/* --- records --- */

static struct reference_memory **
all_memories_new(const struct reference *reference, struct arena *arena)
{
    struct reference_memory **steps =
        arena_calloc(arena, reference->version_count, sizeof(*steps));
    CHECK(steps != NULL);
    for (unsigned v = 1; v < reference->version_count; v++) {
        steps[v - 1] = memories_new(arena, reference->steps[v - 1].count);
    }
    return steps;
}

static void
parse_body(struct reference_record *record, struct arena *arena, struct slice body)
{
    size_t depth = 0;
    record->text = body;
    record->body = NULL;
    record->deep = false;
    switch (spelling_parse(arena, body, REFERENCE_DEPTH_MAX, &record->body, &depth)) {
    case VALUE_PARSE_DEEP:
        record->deep = true;
        record->uncertain = true;
        break;
    default:
        break;
    }
}

struct reference_record
reference_fresh(const struct reference *reference, struct arena *arena, unsigned version,
                struct slice body)
{
    struct reference_record record = {.schema = reference, .version = version};
    record.steps = all_memories_new(reference, arena);
    parse_body(&record, arena, body);
    return record;
}

static bool
identity_is_single(const struct reference *reference, unsigned version, struct value *body)
{
    struct pointer pointers[IDENTITY_MAX];
    size_t count = reference_identity(reference, version, pointers);
    for (size_t i = 0; i < count; i++) {
        if (!is_single(&pointers[i], body)) {
            return false;
        }
    }
    return true;
}

/*
 * Translate <record> to <to>. When a step fails, <record> is left at the version where it got
 * stuck; <run> says why.
 */
static bool
travel(struct run *run, struct reference_record *record, unsigned to)
{
    const struct reference *reference = record->schema;
    if (record->body != NULL) {
        record->body = value_copy(run->arena, record->body);
    }
    while (record->version != to) {
        bool up = record->version < to;
        unsigned index = up ? record->version - 1 : record->version - 2;
        const struct step *step = &reference->steps[index];
        if (record->body == NULL) {
            return fail(run, record->deep ? REASON(LENS_BUDGET) | REASON(LENS_SYNTAX)
                                          : REASON(LENS_SYNTAX));
        }
        bool duplicate = !identity_is_single(reference, record->version, record->body);
        struct reference_memory *out = memories_new(run->arena, step->count);
        struct value *body = value_copy(run->arena, record->body);
        run->reasons = 0;
        if (!run_ops(run, step->ops, step->count, up, body, record->steps[index], out) ||
            duplicate) {
            run->reasons |= duplicate ? REASON(LENS_DUPLICATE) : 0;
            return false;
        }
        record->body = body;
        record->steps[index] = out;
        record->version = up ? record->version + 1 : record->version - 1;
    }
    return true;
}

static struct reference_record
record_copy(const struct reference_record *record, struct arena *arena)
{
    struct reference_record copy = *record;
    copy.steps = all_memories_new(record->schema, arena);
    for (unsigned v = 1; v < record->schema->version_count; v++) {
        copy.steps[v - 1] = record->steps[v - 1]; /* never edited in place */
    }
    return copy;
}

struct reference_view
reference_view(const struct reference_record *record, struct arena *arena, unsigned to)
{
    struct reference_view view = {0};
    struct run run = {.arena = arena};
    struct reference_record copy = record_copy(record, arena);
    if (!travel(&run, &copy, to)) {
        view.reasons = run.reasons;
    }
    view.uncertain = record->uncertain || run.uncertain;
    view.value = copy.body;
    return view;
}

bool
reference_rebase(const struct reference_record *record, struct arena *arena, unsigned to,
                 struct reference_record *ret_record)
{
    struct run run = {.arena = arena};
    struct reference_record copy = record_copy(record, arena);
    if (!travel(&run, &copy, to)) {
        return false;
    }
    copy.uncertain |= run.uncertain;
    copy.text = (struct slice){0}; /* spelling is not modelled */
    *ret_record = copy;
    return true;
}

/* Drop what nothing holds any more between the record's version and <end>. */
static void
settle_towards(struct reference_record *record, struct arena *arena, unsigned end)
{
    struct run run = {.arena = arena};
    struct reference_record away = record_copy(record, arena);
    unsigned home = record->version;
    if (!travel(&run, &away, end)) {
        unsigned stuck = away.version;
        unsigned index = stuck < end ? stuck - 1 : stuck - 2;
        const struct step *step = &record->schema->steps[index];
        bool memory = away.body != NULL && any_memory(away.steps[index], step->count);
        if (memory && run.failed != NULL) {
            size_t failed = (size_t)(run.failed - step->ops);
            bool up = stuck < end;
            for (size_t i = 0; i < step->count; i++) {
                /* whether ops before the failure are settled is not said */
                bool before = up ? i < failed : i > failed;
                if (before && away.steps[index][i].kind != MEMORY_NONE) {
                    record->uncertain = true;
                }
            }
            if (away.steps[index][failed].kind != MEMORY_NONE) {
                bool each = run.failed->kind == OP_EACH;
                if (run.conversion && !each) {
                    struct reference_memory *kept = memories_new(arena, step->count);
                    memcpy(kept, away.steps[index], step->count * sizeof(*kept));
                    kept[failed] = (struct reference_memory){0};
                    away.steps[index] = kept;
                } else if (each || run.failed->kind == OP_SPLIT ||
                           run.failed->kind == OP_JOIN) {
                    record->uncertain = true; /* which part of it is forgotten is not said */
                }
            }
        } else if (memory) {
            record->uncertain = true;
        }
    }
    /* uncertain ways are not compared: whatever they say, what is remembered differs */
    record->uncertain |= run.uncertain;
    struct run back = {.arena = arena};
    if (!travel(&back, &away, home)) {
        record->uncertain = true;
        return;
    }
    record->uncertain |= back.uncertain;
    for (unsigned v = 1; v < record->schema->version_count; v++) {
        record->steps[v - 1] = away.steps[v - 1];
    }
}

static bool
identity_changed(const struct reference_record *old, const struct reference_record *now)
{
    struct pointer pointers[IDENTITY_MAX];
    size_t count = reference_identity(now->schema, now->version, pointers);
    for (size_t i = 0; i < count; i++) {
        struct value *before = NULL;
        struct value *after = NULL;
        if ((old->body != NULL && !pointer_get(&pointers[i], old->body, &before)) ||
            (now->body != NULL && !pointer_get(&pointers[i], now->body, &after))) {
            return true;
        }
        if (before != NULL && (after == NULL || !value_equal(before, after))) {
            return true;
        }
    }
    return false;
}

struct reference_record
reference_write(const struct reference_record *old, struct arena *arena, unsigned by,
                struct slice body)
{
    struct run run = {.arena = arena};
    struct reference_record record = record_copy(old, arena);
    if (old->version == by && slice_equal(old->text, body)) {
        return record;
    }
    if (!travel(&run, &record, by)) {
        struct reference_record fresh = reference_fresh(old->schema, arena, by, body);
        fresh.uncertain |= run.uncertain || (old->uncertain && by != old->version);
        return fresh;
    }
    record.uncertain |= run.uncertain;
    struct reference_record before = record;
    parse_body(&record, arena, body);
    if (identity_changed(&before, &record)) {
        struct reference_record fresh = reference_fresh(old->schema, arena, by, body);
        fresh.uncertain |= by != old->version && record.uncertain;
        return fresh;
    }
    settle_towards(&record, arena, record.schema->version_count);
    settle_towards(&record, arena, 1);
    return record;
}
