/*
 * Ops on one value: map, convert, scale, wrap, unwrap.
 *
 * What they remember is a shadow: the value shown and the original, where converting the one
 * shown back would not give the original's text.
 */
#include "proto/lens/value.h"

#include "proto/codec/decimal.h"
#include "proto/codec/json.h"
#include "proto/codec/time.h"

static enum lens_reason
no_memory(struct run *run, const char **ret_text)
{
    run->no_memory = true;
    *ret_text = "out of memory";
    return LENS_BUDGET;
}

static enum lens_reason
reason_of(struct run *run, enum decimal_status status, const char **ret_text)
{
    switch (status) {
    case DECIMAL_OK:
        return LENS_OK;
    case DECIMAL_TOO_LONG:
        *ret_text = "a number of over 1,000 digits";
        return LENS_TOO_LONG;
    case DECIMAL_INEXACT:
        *ret_text = "a quotient without end";
        return LENS_INEXACT;
    case DECIMAL_FRACTION:
        *ret_text = "not an integer";
        return LENS_TYPE;
    default:
        return no_memory(run, ret_text);
    }
}

static enum lens_reason
type_error(const char *text, const char **ret_text)
{
    *ret_text = text;
    return LENS_TYPE;
}

static enum lens_reason
spend(struct run *run, size_t size, const char **ret_text)
{
    if (!run_spend(run, size)) {
        *ret_text = "beyond the limit of output";
        return LENS_BUDGET;
    }
    return LENS_OK;
}

static struct slice
raw_of(const struct tree_node *node)
{
    return slice_make(node->value, node->value_size);
}

/* A string as text, a number as a decimal. */
static enum lens_reason
string_of(struct run *run, const struct tree_node *node, struct slice *ret_text,
          const char **ret_error)
{
    if (node->type != KIND_STRING) {
        return type_error("not a string", ret_error);
    }
    return run->codec->string_text(raw_of(node), run->arena, ret_text)
               ? LENS_OK
               : no_memory(run, ret_error);
}

/* Is the text a JSON number, with nothing around it? */
static bool
is_number_text(struct slice text)
{
    size_t offset;
    return text.size > 0 &&
           (text.data[0] == '-' || (text.data[0] >= '0' && text.data[0] <= '9')) &&
           !json_is_space(text.data[text.size - 1]) && json_check(text, 1, &offset) == CODEC_OK;
}

static enum lens_reason
number_of(struct run *run, const struct tree_node *node, struct slice *ret_number,
          const char **ret_error)
{
    if (run->is_text && node->type == KIND_STRING) {
        enum lens_reason reason = string_of(run, node, ret_number, ret_error);
        return reason != LENS_OK || is_number_text(*ret_number)
                   ? reason
                   : type_error("not a number", ret_error);
    }
    if (node->type != KIND_NUMBER) {
        return type_error("not a number", ret_error);
    }
    enum codec_status status = run->codec->number_text(raw_of(node), run->arena, ret_number);
    return status == CODEC_OK      ? LENS_OK
           : status == CODEC_RANGE ? type_error("not a finite number", ret_error)
                                   : no_memory(run, ret_error);
}

/* And back. */
static enum lens_reason
string_raw(struct run *run, struct slice text, struct slice *ret_raw, const char **ret_error)
{
    enum lens_reason reason = spend(run, text.size + CODEC_HEADER_MAX, ret_error);
    if (reason != LENS_OK) {
        return reason;
    }
    return run->codec->string_encode(run->arena, text, ret_raw) ? LENS_OK
                                                                : no_memory(run, ret_error);
}

/* Likewise what decimal arithmetic made. */
static enum lens_reason
number_raw(struct run *run, enum decimal_status made, struct slice number,
           struct slice *ret_raw, const char **ret_error)
{
    enum lens_reason reason = reason_of(run, made, ret_error);
    if (reason != LENS_OK) {
        return reason;
    }
    if (run->is_text) {
        return string_raw(run, number, ret_raw, ret_error);
    }
    enum codec_status status = run->codec->number_encode(run->arena, number, ret_raw);
    if (status == CODEC_RANGE) {
        *ret_error = "a number that the codec has no place for";
        return LENS_RANGE;
    }
    return status == CODEC_OK ? LENS_OK : no_memory(run, ret_error);
}

/* --- map ------------------------------------------------------------------------------------
 */

static const struct plan_entry *
table_find(const struct plan_table *table, struct slice key)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = slice_compare(table->entries[middle].key, key);
        if (order == 0) {
            return &table->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static enum lens_reason
map_value(struct run *run, const struct plan_table *table, struct tree_node *node,
          struct slice *ret_raw, const char **ret_text)
{
    if (node->type == KIND_STRING) {
        struct slice text;
        if (!run->codec->string_text(raw_of(node), run->arena, &text)) {
            return no_memory(run, ret_text);
        }
        const struct plan_entry *entry = table_find(table, text);
        if (entry != NULL) {
            *ret_raw = entry->raw;
            return LENS_OK;
        }
    }
    switch (table->otherwise) {
    case PLAN_ELSE_KEEP:
        return run_text(run, node, ret_raw) ? LENS_OK : LENS_BUDGET;
    case PLAN_ELSE_VALUE:
        *ret_raw = table->value;
        return LENS_OK;
    default:
        *ret_text =
            node->type == KIND_STRING ? "not in the table" : "not a string of the table";
        return LENS_UNMAPPED;
    }
}

/* --- convert --------------------------------------------------------------------------------
 */

/* -?(0|[1-9][0-9]*) */
static bool
is_integer_text(struct slice text)
{
    size_t at = text.size > 0 && text.data[0] == '-' ? 1 : 0;
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

static const struct slice truth_texts[] = {SLICE("false"), SLICE("true")};

static enum lens_reason
truth_raw(struct run *run, bool value, struct slice *ret_raw, const char **ret_text)
{
    if (run->is_text) {
        return string_raw(run, truth_texts[value], ret_raw, ret_text);
    }
    *ret_raw = run->codec->truth[value];
    return LENS_OK;
}

static enum lens_reason
truth_of(struct run *run, const struct tree_node *node, bool *ret_truth, const char **ret_error)
{
    bool truth = node->type == KIND_TRUE;
    bool is_truth = truth || node->type == KIND_FALSE;
    if (run->is_text) {
        struct slice text;
        enum lens_reason reason = string_of(run, node, &text, ret_error);
        if (reason != LENS_OK) {
            return reason;
        }
        truth = slice_equal(text, truth_texts[1]);
        is_truth = truth || slice_equal(text, truth_texts[0]);
    }
    if (!is_truth) {
        return type_error("not a boolean", ret_error);
    }
    *ret_truth = truth;
    return LENS_OK;
}

/* The node as one of integer (digits), string (text) or boolean, as <from> and <to> say. */
static enum lens_reason
scalar_value(struct run *run, enum plan_unit from, enum plan_unit to, struct tree_node *node,
             struct slice *ret_raw, const char **ret_text)
{
    static const struct slice bits[] = {SLICE("0"), SLICE("1")};
    struct slice text;
    bool truth;
    enum lens_reason reason;
    switch (from) {
    case PLAN_INTEGER:
        if ((reason = number_of(run, node, &text, ret_text)) != LENS_OK) {
            return reason;
        }
        reason = reason_of(run, decimal_integer(text, run->arena, &text), ret_text);
        if (reason != LENS_OK) {
            return reason;
        }
        if (to == PLAN_STRING) {
            return string_raw(run, text, ret_raw, ret_text);
        }
        if (!slice_equal(text, bits[0]) && !slice_equal(text, bits[1])) {
            return type_error("neither 0 nor 1", ret_text);
        }
        return truth_raw(run, text.data[0] == '1', ret_raw, ret_text);
    case PLAN_STRING:
        if ((reason = string_of(run, node, &text, ret_text)) != LENS_OK) {
            return reason;
        }
        if (to == PLAN_BOOLEAN) {
            if (!slice_equal(text, truth_texts[0]) && !slice_equal(text, truth_texts[1])) {
                return type_error("neither \"true\" nor \"false\"", ret_text);
            }
            return truth_raw(run, text.data[0] == 't', ret_raw, ret_text);
        }
        if (!is_integer_text(text)) {
            return type_error("not an integer in a string", ret_text);
        }
        struct slice number = {NULL, 0};
        enum decimal_status made = decimal_integer(text, run->arena, &number);
        return number_raw(run, made, number, ret_raw, ret_text);
    default:
        if ((reason = truth_of(run, node, &truth, ret_text)) != LENS_OK) {
            return reason;
        }
        return to == PLAN_INTEGER ? number_raw(run, DECIMAL_OK, bits[truth], ret_raw, ret_text)
                                  : string_raw(run, truth_texts[truth], ret_raw, ret_text);
    }
}

/* Seconds as a decimal number. */
static struct slice
seconds_text(struct time_point point, char out[40])
{
    size_t size = 0;
    uint64_t whole = (uint64_t)point.seconds;
    uint32_t billionths = point.billionths;
    if (point.seconds < 0) {
        out[size++] = '-';
        whole = 0 - whole;
        if (billionths > 0) {
            whole--;
            billionths = 1000000000 - billionths;
        }
    }
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + whole % 10);
        whole /= 10;
    } while (whole > 0);
    while (count > 0) {
        out[size++] = digits[--count];
    }
    if (billionths > 0) {
        out[size++] = '.';
        for (uint32_t unit = 100000000; billionths > 0; unit /= 10) {
            out[size++] = (char)('0' + billionths / unit);
            billionths %= unit;
        }
    }
    return slice_make(out, size);
}

static enum lens_reason
time_value(struct run *run, enum plan_unit from, enum plan_unit to, struct tree_node *node,
           struct slice *ret_raw, const char **ret_text)
{
    const struct slice thousand = SLICE("1000");
    const struct slice one = SLICE("1");
    char buffer[40];
    struct slice seconds = {NULL, 0};
    struct time_point point;
    enum lens_reason reason;
    if (from == PLAN_ISO_8601) {
        struct slice text;
        if ((reason = string_of(run, node, &text, ret_text)) != LENS_OK) {
            return reason;
        }
        if (!time_parse(text, &point)) {
            return type_error("not an ISO 8601 time", ret_text);
        }
        seconds = seconds_text(point, buffer);
    } else {
        reason = number_of(run, node, &seconds, ret_text);
        if (reason == LENS_OK && from == PLAN_UNIX_MILLISECONDS) {
            reason = reason_of(run, decimal_divide(seconds, thousand, -1, run->arena, &seconds),
                               ret_text);
        }
    }
    if (reason != LENS_OK) {
        return reason;
    }
    if (to != PLAN_ISO_8601) {
        struct slice factor = to == PLAN_UNIX_MILLISECONDS ? thousand : one;
        enum decimal_status made = decimal_multiply(seconds, factor, -1, run->arena, &seconds);
        return number_raw(run, made, seconds, ret_raw, ret_text);
    }
    char text[TIME_TEXT_SIZE];
    size_t size = 0;
    enum decimal_status status = decimal_seconds(seconds, &point.seconds, &point.billionths);
    if (status != DECIMAL_TOO_LONG) {
        size = time_format(point, text);
    }
    if (size == 0) {
        *ret_text = "outside the years 0000 to 9999";
        return LENS_RANGE;
    }
    if (status == DECIMAL_INEXACT) {
        *ret_text = "a time finer than a billionth of a second";
        return LENS_INEXACT;
    }
    return string_raw(run, slice_make(text, size), ret_raw, ret_text);
}

/* --- scale, wrap, unwrap ------------------------------------------------------------------ */

static enum lens_reason
scale_value(struct run *run, const struct plan_op *op, bool up, struct tree_node *node,
            struct slice *ret_raw, const char **ret_text)
{
    struct slice number;
    enum lens_reason reason = number_of(run, node, &number, ret_text);
    if (reason != LENS_OK) {
        return reason;
    }
    enum decimal_status made =
        up ? decimal_multiply(number, op->factor, op->up_digits, run->arena, &number)
           : decimal_divide(number, op->factor, op->down_digits, run->arena, &number);
    return number_raw(run, made, number, ret_raw, ret_text);
}

static enum lens_reason
wrap_value(struct run *run, struct tree_node *node, struct slice *ret_raw,
           const char **ret_text)
{
    const struct slice before = run->codec->one_before;
    const struct slice after = run->codec->one_after;
    struct slice text;
    if (node->type == KIND_NULL) {
        *ret_raw = run->codec->empty_array;
        return LENS_OK;
    }
    if (!run_text(run, node, &text)) {
        *ret_text = "beyond the limit of output";
        return LENS_BUDGET;
    }
    size_t size = before.size + text.size + after.size;
    enum lens_reason reason = spend(run, size, ret_text);
    if (reason != LENS_OK) {
        return reason;
    }
    char *raw = arena_alloc(run->arena, size);
    if (raw == NULL) {
        return no_memory(run, ret_text);
    }
    memcpy(raw, before.data, before.size);
    memcpy(raw + before.size, text.data, text.size);
    if (after.size > 0) {
        memcpy(raw + before.size + text.size, after.data, after.size);
    }
    *ret_raw = slice_make(raw, size);
    return LENS_OK;
}

static enum lens_reason
unwrap_value(struct run *run, struct tree_node *node, struct slice *ret_raw,
             const char **ret_text)
{
    if (!kind_is_array(tree_kind(node))) {
        return type_error("not an array", ret_text);
    }
    if (!tree_open(run->codec, node, run->arena)) {
        return no_memory(run, ret_text);
    }
    struct tree_node *first = tree_first(node);
    if (first == NULL) {
        *ret_raw = run->codec->null;
        return LENS_OK;
    }
    if (!run_text(run, first, ret_raw)) {
        *ret_text = "beyond the limit of output";
        return LENS_BUDGET;
    }
    return LENS_OK;
}

enum lens_reason
value_convert(struct run *run, const struct plan_op *op, bool up, struct tree_node *node,
              struct slice *ret_raw, const char **ret_text)
{
    enum plan_unit from = up ? op->from_unit : op->to_unit;
    enum plan_unit to = up ? op->to_unit : op->from_unit;
    run->is_text = op->is_text;
    switch (op->kind) {
    case PLAN_MAP:
        return map_value(run, up ? &op->up : &op->down, node, ret_raw, ret_text);
    case PLAN_CONVERT:
        return from >= PLAN_UNIX_SECONDS ? time_value(run, from, to, node, ret_raw, ret_text)
                                         : scalar_value(run, from, to, node, ret_raw, ret_text);
    case PLAN_SCALE:
        return scale_value(run, op, up, node, ret_raw, ret_text);
    default:
        return (op->kind == PLAN_WRAP) == up ? wrap_value(run, node, ret_raw, ret_text)
                                             : unwrap_value(run, node, ret_raw, ret_text);
    }
}

/* Would the inverse, from <result>, give the text <original>? */
static bool
value_returns(struct run *run, const struct plan_op *op, bool up, struct slice result,
              struct slice original, bool *ret_returns)
{
    struct tree_node *node = run_value(run, result);
    struct slice back;
    const char *text;
    if (node == NULL) {
        return false;
    }
    *ret_returns = value_convert(run, op, !up, node, &back, &text) == LENS_OK &&
                   slice_equal(back, original);
    return !run->no_memory;
}

bool
op_convert(struct run *run, const struct plan_op *op, bool up, struct tree_node *object,
           struct slice in, struct slice *out)
{
    struct place place;
    struct slice result;
    bool same = false;
    if (!run_resolve(run, object, &op->path, &place)) {
        return false;
    }
    struct tree_node *node = place.member;
    if (node == NULL) {
        return true;
    }
    if (in.size > 0) {
        struct cursor cursor = cursor_over(in);
        struct slice shown = cursor_text(&cursor);
        result = cursor_text(&cursor);
        if (!cursor.bad && value_is_valid(run, shown) && !run_equal(run, node, shown, &same)) {
            return false;
        }
        same = same && value_is_valid(run, result);
    }
    if (!same) {
        const char *text = "";
        enum lens_reason reason = value_convert(run, op, up, node, &result, &text);
        if (run->no_memory) {
            return run_fail(run, LENS_BUDGET, &op->path, text);
        }
        if (reason != LENS_OK) {
            run->forget = true;
            return run_fail(run, reason, &op->path, text);
        }
    }
    run_note(run, op, same ? "restored from the complement" : "converted");
    struct tree_node *fresh = run_value(run, result);
    if (fresh == NULL) {
        return false;
    }
    if (kind_is_container(fresh->type) && !run_depth(run, place.object, 0, fresh, &op->path)) {
        return false;
    }
    run_hold(run, result.size + tree_full_size(node));
    if (run->remember) {
        struct slice original;
        if (!run_text(run, node, &original)) {
            return false;
        }
        if (!value_returns(run, op, up, result, original, &same)) {
            return false;
        }
        if (!same) {
            struct writer writer = writer_in(run->arena);
            writer_text(&writer, result);
            writer_text(&writer, original);
            if (writer.failed) {
                return run_no_memory(run);
            }
            *out = writer_slice(&writer);
        }
    }
    run_set_value(run, node, result);
    return true;
}
