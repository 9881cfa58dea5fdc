#include "proto/codec/decimal.h"
#include "proto/codec/hash.h"
#include "proto/codec/json.h"
#include "proto/lens/reader.h"

/* What has been counted while the steps of one version are read. */
struct steps {
    struct reader *reader;
    const struct plan_limits *limits;
    size_t op_count;
    unsigned nesting;
};

static bool read_list(struct steps *steps, struct tree_node *array, struct plan_list *ret_list);

bool
plan_path_covers(const struct plan_path *outer, const struct plan_path *inner)
{
    if (outer->count > inner->count) {
        return false;
    }
    for (size_t i = 0; i < outer->count; i++) {
        if (!slice_equal(outer->names[i].text, inner->names[i].text)) {
            return false;
        }
    }
    return true;
}

static bool
related(const struct plan_path *a, const struct plan_path *b)
{
    return plan_path_covers(a, b) || plan_path_covers(b, a);
}

bool
plan_path_same(const struct plan_path *a, const struct plan_path *b)
{
    return a->count == b->count && plan_path_covers(a, b);
}

/* <path> with its last name replaced. */
static bool
sibling(struct reader *reader, const struct plan_path *path, const struct plan_name *name,
        struct plan_path *ret_path)
{
    struct plan_path other = {.text = path->text, .count = path->count};
    other.names = arena_calloc(reader->arena, path->count, sizeof(*other.names));
    if (other.names == NULL) {
        return reader_no_memory(reader);
    }
    memcpy(other.names, path->names, (path->count - 1) * sizeof(*other.names));
    other.names[path->count - 1] = *name;
    *ret_path = other;
    return true;
}

/* Does any path that <op> names satisfy related(., <path>)? */
static bool
op_names(struct reader *reader, const struct plan_op *op, const struct plan_path *path)
{
    if (related(&op->path, path)) {
        return true;
    }
    if ((op->kind == PLAN_RENAME || op->kind == PLAN_MOVE) && related(&op->to, path)) {
        return true;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        struct plan_path part;
        if (!sibling(reader, &op->path, &op->parts[i], &part) || related(&part, path)) {
            return true;
        }
    }
    return false;
}

/* --- the members of each op -------------------------------------------------------------- */

static bool
read_path(struct steps *steps, struct tree_node *node, const char *name,
          struct plan_path *ret_path)
{
    struct tree_node *member;
    return reader_need(steps->reader, node, name, &member) &&
           reader_path(steps->reader, member, false, ret_path);
}

static bool
read_rename(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    struct tree_node *to;
    struct plan_name name;
    if (!read_path(steps, node, "path", &op->path) ||
        !reader_need(steps->reader, node, "to", &to) ||
        !reader_name(steps->reader, to, &name) ||
        !sibling(steps->reader, &op->path, &name, &op->to)) {
        return false;
    }
    if (plan_path_same(&op->path, &op->to)) {
        return reader_refuse(steps->reader, to, "a member cannot be renamed to its own name");
    }
    return true;
}

static bool
read_add(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    struct tree_node *value = reader_member(node, "default");
    op->has_value = value != NULL;
    return read_path(steps, node, "path", &op->path) &&
           (value == NULL || reader_value(steps->reader, value, &op->value));
}

static bool
read_move(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    if (!read_path(steps, node, "from", &op->path) || !read_path(steps, node, "to", &op->to)) {
        return false;
    }
    if (plan_path_same(&op->path, &op->to)) {
        return reader_refuse(steps->reader, node, "a member cannot be moved to where it is");
    }
    return true;
}

static bool
read_table(struct steps *steps, struct tree_node *node, const char *name,
           struct plan_table *ret_table)
{
    struct reader *reader = steps->reader;
    struct tree_node *object = reader_member(node, name);
    struct tree_node **children;
    if (object == NULL) {
        return true;
    }
    if (object->type != KIND_OBJECT) {
        return reader_refuse(reader, object, "a table must be an object");
    }
    if (!tree_open(&codec_json, object, reader->arena) ||
        !tree_children(object, reader->arena, &children)) {
        return reader_no_memory(reader);
    }
    size_t count = object->box->count;
    struct plan_entry *entries = arena_calloc(reader->arena, count, sizeof(*entries));
    if (entries == NULL) {
        return reader_no_memory(reader);
    }
    for (size_t i = 0; i < count; i++) {
        struct slice text;
        if (children[i]->type != KIND_STRING) {
            return reader_refuse(reader, children[i], "a table maps strings to strings");
        }
        if (i > 0 && json_compare(tree_key(children[i - 1]), tree_key(children[i])) == 0) {
            return reader_refuse(reader, children[i], "an entry occurs twice");
        }
        if (!json_decode(tree_key(children[i]), reader->arena, &entries[i].key) ||
            !reader_string(reader, children[i], &text) ||
            !reader->codec->string_encode(reader->arena, text, &entries[i].raw)) {
            return reader_no_memory(reader);
        }
        entries[i].text = text;
    }
    ret_table->entries = entries;
    ret_table->count = count;
    return true;
}

static bool
read_else(struct steps *steps, struct tree_node *node, const char *name,
          struct plan_table *ret_table)
{
    static const char *const members[] = {"value", NULL};
    struct tree_node *otherwise = reader_member(node, name);
    struct tree_node *value;
    struct slice text;
    if (otherwise == NULL) {
        return true;
    }
    if (otherwise->type == KIND_OBJECT) {
        ret_table->otherwise = PLAN_ELSE_VALUE;
        return reader_object(steps->reader, otherwise, "an else", members) &&
               reader_need(steps->reader, otherwise, "value", &value) &&
               reader_value(steps->reader, value, &ret_table->value);
    }
    if (otherwise->type == KIND_STRING && reader_string(steps->reader, otherwise, &text)) {
        if (slice_equal(text, SLICE_OF("fail"))) {
            ret_table->otherwise = PLAN_ELSE_FAIL;
            return true;
        }
        if (slice_equal(text, SLICE_OF("keep"))) {
            ret_table->otherwise = PLAN_ELSE_KEEP;
            return true;
        }
    }
    return reader_refuse(steps->reader, otherwise,
                         "must be \"fail\", \"keep\" or {\"value\": ...}");
}

static bool
read_map(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    return read_path(steps, node, "path", &op->path) &&
           read_table(steps, node, "up", &op->up) &&
           read_table(steps, node, "down", &op->down) &&
           read_else(steps, node, "up_else", &op->up) &&
           read_else(steps, node, "down_else", &op->down);
}

static bool
read_unit(struct steps *steps, struct tree_node *node, const char *name,
          enum plan_unit *ret_unit)
{
    static const char *const names[] = {
        [PLAN_INTEGER] = "integer",
        [PLAN_STRING] = "string",
        [PLAN_BOOLEAN] = "boolean",
        [PLAN_UNIX_SECONDS] = "unix-seconds",
        [PLAN_UNIX_MILLISECONDS] = "unix-milliseconds",
        [PLAN_ISO_8601] = "iso-8601",
    };
    struct tree_node *member;
    struct slice text;
    if (!reader_need(steps->reader, node, name, &member) ||
        !reader_string(steps->reader, member, &text)) {
        return false;
    }
    for (unsigned i = PLAN_INTEGER; i <= PLAN_ISO_8601; i++) {
        if (slice_equal(text, slice_from_string(names[i]))) {
            *ret_unit = (enum plan_unit)i;
            return true;
        }
    }
    return reader_refuse(steps->reader, member, "unknown type '%.*s'",
                         (int)(text.size < 40 ? text.size : 40), text.data);
}

static bool
read_convert(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    if (!read_path(steps, node, "path", &op->path) ||
        !read_unit(steps, node, "from", &op->from_unit) ||
        !read_unit(steps, node, "to", &op->to_unit)) {
        return false;
    }
    if (op->from_unit == op->to_unit) {
        return reader_refuse(steps->reader, node,
                             "nothing to convert: from and to are the same");
    }
    if ((op->from_unit >= PLAN_UNIX_SECONDS) != (op->to_unit >= PLAN_UNIX_SECONDS)) {
        return reader_refuse(steps->reader, node,
                             "no conversion between a time and another type");
    }
    return true;
}

static bool
read_digits(struct steps *steps, struct tree_node *node, const char *name, int *ret_digits)
{
    struct tree_node *member = reader_member(node, name);
    int64_t digits = -1;
    if (member != NULL && !reader_integer(steps->reader, member, 0, PLAN_DIGITS_MAX, &digits)) {
        return false;
    }
    *ret_digits = (int)digits;
    return true;
}

static bool
read_scale(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    struct reader *reader = steps->reader;
    struct tree_node *factor;
    size_t offset;
    if (!read_path(steps, node, "path", &op->path) ||
        !reader_need(reader, node, "factor", &factor) ||
        !read_digits(steps, node, "up_digits", &op->up_digits) ||
        !read_digits(steps, node, "down_digits", &op->down_digits)) {
        return false;
    }
    op->factor = slice_make(factor->value, factor->value_size);
    if (factor->type == KIND_STRING && !reader_string(reader, factor, &op->factor)) {
        return false;
    }
    if (op->factor.size == 0 || json_check(op->factor, 1, &offset) != CODEC_OK ||
        json_kind(op->factor.data[0]) != KIND_NUMBER ||
        json_is_space(op->factor.data[op->factor.size - 1]) ||
        json_is_space(op->factor.data[0])) {
        return reader_refuse(reader, factor, "a factor must be a number");
    }
    if (decimal_is_zero(op->factor)) {
        return reader_refuse(reader, factor, "a factor must not be 0");
    }
    struct slice product;
    if (decimal_multiply(op->factor, SLICE_OF("1"), -1, reader->arena, &product) !=
        DECIMAL_OK) {
        return reader_refuse(reader, factor, "a factor of over %d digits", DECIMAL_DIGITS_MAX);
    }
    if (op->down_digits < 0 && !decimal_inverse_ends(op->factor)) {
        return reader_refuse(reader, node,
                             "down_digits is needed: 1 / factor has no end in decimals");
    }
    return true;
}

static bool
read_plain(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    return read_path(steps, node, "path", &op->path);
}

static bool
read_parts(struct steps *steps, struct tree_node *node, const char *name, struct plan_op *op)
{
    struct reader *reader = steps->reader;
    struct tree_node *array;
    struct tree_node *separator;
    if (!read_path(steps, node, "path", &op->path) ||
        !reader_need(reader, node, "separator", &separator) ||
        !reader_string(reader, separator, &op->separator) ||
        !reader_need(reader, node, name, &array) || !reader_array(reader, array)) {
        return false;
    }
    if (op->separator.size == 0) {
        return reader_refuse(reader, separator, "a separator must not be empty");
    }
    if (array->box->count < 2) {
        return reader_refuse(reader, array, "'%s' needs two names or more", name);
    }
    op->parts = arena_calloc(reader->arena, array->box->count, sizeof(*op->parts));
    if (op->parts == NULL) {
        return reader_no_memory(reader);
    }
    for (struct tree_node *item = tree_first(array); item != NULL; item = item->next) {
        struct plan_name *part = &op->parts[op->part_count];
        if (!reader_name(reader, item, part)) {
            return false;
        }
        for (size_t i = 0; i < op->part_count; i++) {
            if (slice_equal(op->parts[i].text, part->text)) {
                return reader_refuse(reader, item, "a name is repeated");
            }
        }
        if (++op->part_count > PLAN_PARTS_MAX) {
            return reader_refuse(reader, array, "'%s' has over %d names", name, PLAN_PARTS_MAX);
        }
    }
    return true;
}

static bool
read_split(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    return read_parts(steps, node, "into", op);
}

static bool
read_join(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    return read_parts(steps, node, "from", op);
}

static bool
read_fill(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    struct tree_node *value;
    op->has_value = true;
    return read_path(steps, node, "path", &op->path) &&
           reader_need(steps->reader, node, "value", &value) &&
           reader_value(steps->reader, value, &op->value);
}

static bool
read_key(struct steps *steps, struct tree_node *node, const char *name,
         struct plan_path *ret_key)
{
    struct tree_node *key = reader_member(node, name);
    return key == NULL || reader_path(steps->reader, key, false, ret_key);
}

static bool
read_each(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    struct reader *reader = steps->reader;
    struct tree_node *path;
    struct tree_node *array;
    if (!reader_need(reader, node, "path", &path) ||
        !reader_path(reader, path, true, &op->path) ||
        !read_key(steps, node, "key", &op->key) ||
        !read_key(steps, node, "new_key", &op->new_key) ||
        !reader_need(reader, node, "steps", &array)) {
        return false;
    }
    if (op->key.count == 0 && op->new_key.count > 0) {
        return reader_refuse(reader, reader_member(node, "new_key"), "new_key without key");
    }
    if (steps->nesting == steps->limits->nesting) {
        return reader_refuse(reader, node, "steps are nested more than %u deep",
                             steps->limits->nesting);
    }
    steps->nesting++;
    bool done = read_list(steps, array, &op->steps);
    steps->nesting--;
    if (!done) {
        return false;
    }
    if (op->key.count > 0 && op->new_key.count == 0 && op->steps.count == array->box->count) {
        struct tree_node *item = tree_first(array);
        for (size_t i = 0; i < op->steps.count; i++, item = item->next) {
            if (op_names(reader, &op->steps.ops[i], &op->key)) {
                return reader_refuse(reader, item,
                                     "names the key of the elements; new_key must say where "
                                     "it goes");
            }
        }
        op->new_key = op->key;
    }
    return true;
}

static bool
read_filter(struct steps *steps, struct tree_node *node, struct plan_op *op)
{
    static const char *const members[] = {"path", "values", NULL};
    struct reader *reader = steps->reader;
    struct tree_node *hide;
    struct tree_node *values;
    if (!read_path(steps, node, "path", &op->path) || !read_key(steps, node, "key", &op->key) ||
        !reader_need(reader, node, "hide", &hide) ||
        !reader_object(reader, hide, "hide", members) ||
        !read_path(steps, hide, "path", &op->hide) ||
        !reader_need(reader, hide, "values", &values) || !reader_array(reader, values)) {
        return false;
    }
    op->hidden = arena_calloc(reader->arena, values->box->count, sizeof(*op->hidden));
    if (op->hidden == NULL) {
        return reader_no_memory(reader);
    }
    for (struct tree_node *item = tree_first(values); item != NULL; item = item->next) {
        if (!reader_value(reader, item, &op->hidden[op->hidden_count++])) {
            return false;
        }
    }
    op->new_key = op->key;
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct steps *steps, struct tree_node *node, struct plan_op *op);
    const char *members[8];
} kinds[] = {
    [PLAN_RENAME] = {"rename", read_rename, {"op", "path", "to"}},
    [PLAN_ADD] = {"add", read_add, {"op", "path", "default"}},
    [PLAN_REMOVE] = {"remove", read_add, {"op", "path", "default"}},
    [PLAN_MOVE] = {"move", read_move, {"op", "from", "to"}},
    [PLAN_MAP] = {"map", read_map, {"op", "path", "up", "down", "up_else", "down_else"}},
    [PLAN_CONVERT] = {"convert", read_convert, {"op", "path", "from", "to"}},
    [PLAN_SCALE] = {"scale", read_scale, {"op", "path", "factor", "up_digits", "down_digits"}},
    [PLAN_WRAP] = {"wrap", read_plain, {"op", "path"}},
    [PLAN_UNWRAP] = {"unwrap", read_plain, {"op", "path"}},
    [PLAN_SPLIT] = {"split", read_split, {"op", "path", "separator", "into"}},
    [PLAN_JOIN] = {"join", read_join, {"op", "from", "separator", "path"}},
    [PLAN_FILL] = {"fill", read_fill, {"op", "path", "value"}},
    [PLAN_EACH] = {"each", read_each, {"op", "path", "key", "new_key", "steps"}},
    [PLAN_FILTER] = {"filter", read_filter, {"op", "path", "key", "hide"}},
};

/* --- the fields of a hash ----------------------------------------------------------------- */

/* Is <path> a field that holds text? */
static bool
is_text_field(const struct reader *reader, const struct plan_path *path)
{
    return path->count == 1 && !hash_holds_document(reader->fields, path->names[0].text);
}

/* Nothing is below a field that holds text. */
static bool
check_field(struct reader *reader, const struct tree_node *node, const struct plan_path *path)
{
    if (path->count < 2 || hash_holds_document(reader->fields, path->names[0].text)) {
        return true;
    }
    struct slice name = path->names[0].text;
    return reader_refuse(reader, node, "field '%.*s' must hold \"json\" by 'fields'",
                         (int)(name.size < 40 ? name.size : 40), name.data);
}

/* A value that a field is given: what is no string becomes one. */
static bool
value_to_text(struct reader *reader, const struct tree_node *node, struct slice *raw)
{
    if (raw->size == 0 || raw->data[0] == '"') {
        return true;
    }
    if (strchr("{[n", raw->data[0]) != NULL) {
        return reader_refuse(reader, node,
                             "a field that holds no \"json\" has no place for this value");
    }
    return json_encode_arena(reader->arena, *raw, raw) || reader_no_memory(reader);
}

/* What an op may do to fields: those that hold text keep to it. */
static bool
read_text_op(struct reader *reader, const struct tree_node *node, struct plan_op *op)
{
    struct plan_path to = op->to;
    op->is_field = true;
    op->is_text = is_text_field(reader, &op->path);
    if (!check_field(reader, node, &op->path) || !check_field(reader, node, &to)) {
        return false;
    }
    for (size_t i = 0; i < op->part_count; i++) {
        if (op->path.count == 1 &&
            op->is_text == hash_holds_document(reader->fields, op->parts[i].text)) {
            return reader_refuse(reader, node,
                                 "of a whole and its parts all or none may hold \"json\"");
        }
    }
    switch (op->kind) {
    case PLAN_RENAME:
    case PLAN_MOVE:
        return op->is_text == is_text_field(reader, &to) ||
               reader_refuse(reader, node,
                             "a field that holds \"json\" and one that does not "
                             "cannot become each other");
    case PLAN_WRAP:
    case PLAN_UNWRAP:
    case PLAN_EACH:
    case PLAN_FILTER:
        return !op->is_text ||
               reader_refuse(reader, node, "'%s' needs a field that holds \"json\" by 'fields'",
                             op->name);
    default:
        return !op->is_text || (value_to_text(reader, node, &op->value) &&
                                value_to_text(reader, node, &op->up.value) &&
                                value_to_text(reader, node, &op->down.value));
    }
}

static bool
read_op(struct steps *steps, struct tree_node *node, struct plan_op *ret_op)
{
    struct reader *reader = steps->reader;
    struct tree_node *name;
    struct slice text;
    if (node->type != KIND_OBJECT) {
        return reader_refuse(reader, node, "a step must be an object");
    }
    if (!tree_open(&codec_json, node, reader->arena)) {
        return reader_no_memory(reader);
    }
    if (!reader_need(reader, node, "op", &name) || !reader_string(reader, name, &text)) {
        return false;
    }
    for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        if (slice_equal(text, slice_from_string(kinds[kind].name))) {
            *ret_op = (struct plan_op){.kind = (enum plan_kind)kind,
                                       .name = kinds[kind].name,
                                       .up_digits = -1,
                                       .down_digits = -1};
            return reader_object(reader, node, kinds[kind].name, kinds[kind].members) &&
                   kinds[kind].read(steps, node, ret_op) &&
                   (reader->fields == NULL || steps->nesting > 0 ||
                    read_text_op(reader, node, ret_op));
        }
    }
    return reader_refuse(reader, name, "unknown op '%.*s'",
                         (int)(text.size < 40 ? text.size : 40), text.data);
}

static bool
read_list(struct steps *steps, struct tree_node *array, struct plan_list *ret_list)
{
    struct reader *reader = steps->reader;
    struct plan_list list = {0};
    if (!reader_array(reader, array)) {
        return false;
    }
    list.ops = arena_calloc(reader->arena, array->box->count, sizeof(*list.ops));
    if (list.ops == NULL) {
        return reader_no_memory(reader);
    }
    for (struct tree_node *node = tree_first(array); node != NULL; node = node->next) {
        if (++steps->op_count > steps->limits->ops) {
            return reader_refuse(reader, array, "more than %u ops in a step",
                                 steps->limits->ops);
        }
        if (read_op(steps, node, &list.ops[list.count])) {
            list.count++;
        } else if (!reader_goes_on(reader)) {
            return false;
        }
    }
    *ret_list = list;
    return true;
}

bool
reader_steps(struct reader *reader, struct tree_node *array, const struct plan_limits *limits,
             struct plan_list *ret_list)
{
    struct steps steps = {.reader = reader, .limits = limits};
    return read_list(&steps, array, ret_list);
}

/* --- identity ----------------------------------------------------------------------------- */

/* <path> with its leading <from> replaced by <to>. */
static bool
graft(struct reader *reader, const struct plan_path *path, const struct plan_path *from,
      const struct plan_path *to, struct plan_path *ret_path)
{
    size_t rest = path->count - from->count;
    struct plan_path moved = {.count = to->count + rest};
    moved.names = arena_calloc(reader->arena, moved.count, sizeof(*moved.names));
    if (moved.names == NULL) {
        return reader_no_memory(reader);
    }
    memcpy(moved.names, to->names, to->count * sizeof(*moved.names));
    memcpy(moved.names + to->count, path->names + from->count, rest * sizeof(*moved.names));
    *ret_path = moved;
    return true;
}

static bool
carry(struct reader *reader, const struct tree_node *node, const struct plan_op *op,
      struct plan_path *path)
{
    switch (op->kind) {
    case PLAN_RENAME:
    case PLAN_MOVE:
        if (plan_path_covers(&op->path, path)) {
            return graft(reader, path, &op->path, &op->to, path);
        }
        break;
    case PLAN_CONVERT:
    case PLAN_WRAP:
    case PLAN_UNWRAP:
        if (plan_path_same(&op->path, path)) {
            return true;
        }
        break;
    default:
        break;
    }
    if (op_names(reader, op, path)) {
        return reader_refuse(reader, node, "'%s' must not touch an identity member", op->name);
    }
    return true;
}

bool
reader_carry_identity(struct reader *reader, struct tree_node *array,
                      const struct plan_list *list, const struct plan_version *from,
                      struct plan_version *to)
{
    if (array != NULL && list->count != array->box->count) {
        return true; /* some were refused: where it goes cannot be told */
    }
    to->identity_count = from->identity_count;
    to->identity = arena_calloc(reader->arena, from->identity_count, sizeof(*to->identity));
    if (to->identity == NULL) {
        return reader_no_memory(reader);
    }
    for (size_t i = 0; i < from->identity_count; i++) {
        struct tree_node *node = array == NULL ? NULL : tree_first(array);
        to->identity[i] = from->identity[i];
        for (size_t k = 0; k < list->count; k++, node = node->next) {
            if (!carry(reader, node, &list->ops[k], &to->identity[i]) &&
                !reader_goes_on(reader)) {
                return false;
            }
        }
    }
    return true;
}
