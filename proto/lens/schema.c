#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

#include "proto/codec/hash.h"
#include "proto/lens/reader.h"

/* --- members of the document ----------------------------------------------------------------
 */

static bool
read_patterns(struct reader *reader, struct tree_node *array, bool prefixes_only,
              struct slice **ret_patterns, size_t *ret_count)
{
    if (!reader_array(reader, array)) {
        return false;
    }
    struct slice *patterns = arena_calloc(reader->arena, array->box->count, sizeof(*patterns));
    size_t count = 0;
    if (patterns == NULL) {
        return reader_no_memory(reader);
    }
    for (struct tree_node *node = tree_first(array); node != NULL; node = node->next) {
        struct slice text;
        if (!reader_string(reader, node, &text)) {
            return false;
        }
        if (text.size == 0) {
            return reader_refuse(reader, node, "a pattern must not be empty");
        }
        const char *star = memchr(text.data, '*', text.size);
        if (prefixes_only && star != NULL && star != text.data + text.size - 1) {
            return reader_refuse(reader, node,
                                 "a pattern is an exact name, or a prefix ending in one '*'");
        }
        for (size_t i = 0; i < count; i++) {
            if (slice_equal(patterns[i], text)) {
                return reader_refuse(reader, node, "a pattern is repeated");
            }
        }
        patterns[count++] = text;
        if (count > PLAN_PATTERNS_MAX) {
            return reader_refuse(reader, array, "more than %d patterns", PLAN_PATTERNS_MAX);
        }
    }
    *ret_patterns = patterns;
    *ret_count = count;
    return true;
}

static bool
read_name(struct reader *reader, struct tree_node *node, struct slice *ret_name)
{
    struct slice name;
    if (!reader_string(reader, node, &name)) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if ((uint8_t)name.data[i] <= ' ' || name.data[i] == 0x7F) {
            return reader_refuse(reader, node,
                                 "a schema name must have no blanks or control characters");
        }
    }
    if (name.size == 0 || name.size > PLAN_NAME_SIZE_MAX) {
        return reader_refuse(reader, node, "a schema name must have 1 to %d bytes",
                             PLAN_NAME_SIZE_MAX);
    }
    *ret_name = name;
    return true;
}

static bool
read_outcome(struct reader *reader, struct tree_node *node, enum lens_outcome *ret_outcome)
{
    static const char *const names[] = {
        [LENS_OUTCOME_ERROR] = "error",
        [LENS_OUTCOME_MISS] = "miss",
        [LENS_OUTCOME_RAW] = "raw",
    };
    struct slice text;
    if (!reader_string(reader, node, &text)) {
        return false;
    }
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (slice_equal(text, slice_from_string(names[i]))) {
            *ret_outcome = (enum lens_outcome)i;
            return true;
        }
    }
    return reader_refuse(reader, node, "must be \"error\", \"miss\" or \"raw\"");
}

static bool
read_compression(struct reader *reader, struct tree_node *node,
                 enum lens_compression *ret_compression)
{
    static const char *const names[] = {
        [LENS_COMPRESSION_NONE] = "none",
        [LENS_COMPRESSION_LZ4] = "lz4",
        [LENS_COMPRESSION_ZSTD] = "zstd",
    };
    struct slice text;
    if (!reader_string(reader, node, &text)) {
        return false;
    }
    for (unsigned i = LENS_COMPRESSION_NONE; i < sizeof(names) / sizeof(*names); i++) {
        if (slice_equal(text, slice_from_string(names[i]))) {
            *ret_compression = (enum lens_compression)i;
            return true;
        }
    }
    return reader_refuse(reader, node, "must be \"none\", \"lz4\" or \"zstd\"");
}

static bool
read_limits(struct reader *reader, struct tree_node *node, struct plan_limits *limits)
{
    static const char *const members[] = {"depth",
                                          "ops",
                                          "nesting",
                                          "output_factor",
                                          "output_bytes",
                                          "complement_factor",
                                          "complement_bytes",
                                          "work_factor",
                                          "work_count",
                                          NULL};
    static const struct {
        int64_t min;
        int64_t max;
    } ranges[] = {
        {1, CODEC_DEPTH_MAX}, {1, PLAN_OPS_MAX}, {1, PLAN_NESTING_MAX}, {0, 1024},
        {0, 1LL << 40},       {0, 1024},         {0, 1LL << 40},        {0, 1024},
        {0, 1LL << 40},
    };
    if (!reader_object(reader, node, "limits", members)) {
        return false;
    }
    for (size_t i = 0; members[i] != NULL; i++) {
        struct tree_node *member = reader_member(node, members[i]);
        int64_t value;
        if (member == NULL) {
            continue;
        }
        if (!reader_integer(reader, member, ranges[i].min, ranges[i].max, &value)) {
            return false;
        }
        switch (i) {
        case 0:
            limits->depth = (unsigned)value;
            break;
        case 1:
            limits->ops = (unsigned)value;
            break;
        case 2:
            limits->nesting = (unsigned)value;
            break;
        case 3:
            limits->output_factor = (size_t)value;
            break;
        case 4:
            limits->output_size = (size_t)value;
            break;
        case 5:
            limits->complement_factor = (size_t)value;
            break;
        case 6:
            limits->complement_size = (size_t)value;
            break;
        case 7:
            limits->work_factor = (size_t)value;
            break;
        default:
            limits->work_count = (size_t)value;
        }
    }
    return true;
}

static bool
read_identity(struct reader *reader, struct tree_node *array, struct lens_schema *schema)
{
    struct plan_version *first = &schema->versions[0];
    reader->codec = plan_format_codec(&schema->format);
    if (!reader_array(reader, array) || !reader_canonical(reader, array, &schema->identity)) {
        return false;
    }
    first->identity = arena_calloc(reader->arena, array->box->count, sizeof(*first->identity));
    if (first->identity == NULL) {
        return reader_no_memory(reader);
    }
    for (struct tree_node *node = tree_first(array); node != NULL; node = node->next) {
        if (!reader_path(reader, node, false, &first->identity[first->identity_count])) {
            first->identity_count = 0;
            return false;
        }
        first->identity_count++;
    }
    return true;
}

static bool
read_number(struct reader *reader, struct tree_node *node, unsigned version)
{
    struct tree_node *number;
    int64_t value;
    return reader_need(reader, node, "version", &number) &&
           reader_integer(reader, number, 1, PLAN_VERSIONS_MAX, &value) &&
           (value == version ||
            reader_refuse(reader, number, "versions are consecutive: expected %u", version));
}

static bool
read_steps(struct reader *reader, struct tree_node *steps, struct lens_schema *schema,
           unsigned version)
{
    struct plan_step *step = &schema->steps[version - 2];
    struct slice *canonical = &schema->versions[version - 1].steps;
    *canonical = SLICE_OF("[]");
    if (steps != NULL && (!reader_steps(reader, steps, &schema->limits, &step->list) ||
                          !reader_canonical(reader, steps, canonical))) {
        return false;
    }
    const struct plan_version *below = &schema->versions[version - 2];
    const struct plan_version *above = &schema->versions[version - 1];
    uint64_t seed = format_seed(&above->format);
    step->converts = !format_same(&below->format, &above->format);
    if (step->converts) {
        seed += format_seed(&below->format) + 1;
    }
    step->fingerprint = XXH3_64bits_withSeed(canonical->data, canonical->size, seed);
    return reader_carry_identity(reader, steps, &step->list, &schema->versions[version - 2],
                                 &schema->versions[version - 1]);
}

static bool
read_version(struct reader *reader, struct tree_node *node, struct lens_schema *schema,
             unsigned version)
{
    static const char *const members[] = {"version", "steps", "codec", "inside", NULL};
    struct plan_format *format = &schema->versions[version - 1].format;
    bool is_object = reader_object(reader, node, "a version", members);
    *format = schema->format;
    if (node->type != KIND_OBJECT || !reader_kept(reader, is_object) ||
        !reader_kept(reader, read_number(reader, node, version)) ||
        !reader_kept(reader, format_read_version(reader, node, format))) {
        return false;
    }
    struct tree_node *steps = reader_member(node, "steps");
    reader->codec = plan_format_codec(format);
    if (schema->opaque && steps != NULL &&
        !(steps->type == KIND_ARRAY && tree_open(&codec_json, steps, reader->arena) &&
          steps->box->count == 0)) {
        return reader_refuse(reader, steps, "what is opaque has no steps");
    }
    reader->fields = plan_format_is_fields(format) ? schema->hash : NULL;
    if (version > 1) {
        return read_steps(reader, steps, schema, version);
    }
    return steps == NULL || reader_refuse(reader, steps, "version 1 has no steps");
}

static bool
read_versions(struct reader *reader, struct tree_node *array, struct tree_node *identity,
              struct lens_schema *schema)
{
    if (!reader_array(reader, array)) {
        return false;
    }
    size_t count = array->box->count;
    if (count == 0) {
        return reader_refuse(reader, array, "a schema needs a version");
    }
    if (count > PLAN_VERSIONS_MAX) {
        return reader_refuse(reader, array, "more than %d versions", PLAN_VERSIONS_MAX);
    }
    schema->version_count = (unsigned)count;
    schema->versions = arena_calloc(reader->arena, count, sizeof(*schema->versions));
    schema->steps = arena_calloc(reader->arena, count, sizeof(*schema->steps));
    if (schema->versions == NULL || schema->steps == NULL) {
        return reader_no_memory(reader);
    }
    if (identity != NULL && schema->opaque) {
        return reader_refuse(reader, identity, "what is opaque has no identity");
    }
    if (identity != NULL && !reader_kept(reader, read_identity(reader, identity, schema))) {
        return false;
    }
    unsigned version = 1;
    for (struct tree_node *node = tree_first(array); node != NULL; node = node->next) {
        if (!reader_kept(reader, read_version(reader, node, schema, version++))) {
            return false;
        }
    }
    return true;
}

/* What says whose state it is: name, codec, keys. */
static bool
read_head(struct reader *reader, struct tree_node *root, struct lens_schema *schema)
{
    struct tree_node *name;
    struct tree_node *keys;
    struct tree_node *codec;
    bool has_name =
        reader_need(reader, root, "schema", &name) && read_name(reader, name, &schema->name);
    if (!reader_kept(reader, has_name)) {
        return false;
    }
    struct tree_node *inside = reader_member(root, "inside");
    bool has_codec = reader_need(reader, root, "codec", &codec) &&
                     format_read(reader, codec, &schema->format);
    struct tree_node *fields = reader_member(root, "fields");
    if (!reader_kept(reader, has_codec) ||
        (fields != NULL &&
         !reader_kept(reader, format_read_fields(reader, fields, schema->hash))) ||
        (inside != NULL &&
         !reader_kept(reader, format_read_inside(reader, inside, &schema->format)))) {
        return false;
    }
    bool has_keys =
        reader_need(reader, root, "keys", &keys) &&
        read_patterns(reader, keys, true, &schema->keys, &schema->key_count) &&
        (schema->key_count > 0 || reader_refuse(reader, keys, "a schema needs a key pattern"));
    struct tree_node *except = reader_member(root, "except");
    return reader_kept(reader, has_keys) &&
           (except == NULL ||
            reader_kept(reader, read_patterns(reader, except, false, &schema->excepts,
                                              &schema->except_count)));
}

static bool
read_default_version(struct reader *reader, struct tree_node *node, struct lens_schema *schema)
{
    int64_t value;
    if (!reader_integer(reader, node, 1, PLAN_VERSIONS_MAX, &value)) {
        return false;
    }
    if (value > schema->version_count) {
        return reader_refuse(reader, node, "there is no version %lld", (long long)value);
    }
    schema->default_version = (unsigned)value;
    return true;
}

static bool
read_db(struct reader *reader, struct tree_node *node, struct lens_schema *schema)
{
    int64_t value;
    if (!reader_integer(reader, node, 0, INT32_MAX, &value)) {
        return false;
    }
    schema->db = (int)value;
    return true;
}

/* What is said of opaque schemas only, and what of them is refused. */
static bool
read_opaque(struct reader *reader, struct tree_node *root, struct lens_schema *schema)
{
    struct tree_node *on_write = reader_member(root, "on_write");
    struct tree_node *outcome = reader_member(root, "on_untranslatable");
    struct slice text;
    schema->opaque = format_is_opaque(&schema->format);
    if (on_write != NULL) {
        if (!schema->opaque) {
            return reader_refuse(reader, on_write, "'on_write' is for opaque schemas");
        }
        if (!reader_string(reader, on_write, &text)) {
            return false;
        }
        if (!slice_equal(text, SLICE_OF("drop_others"))) {
            return reader_refuse(reader, on_write, "must be \"drop_others\"");
        }
        schema->drops_others = true;
    }
    if (!schema->opaque) {
        return true;
    }
    if (outcome != NULL && schema->outcome != LENS_OUTCOME_MISS) {
        return reader_refuse(reader, outcome, "a slot that is empty reads as absent: \"miss\"");
    }
    schema->outcome = LENS_OUTCOME_MISS;
    return true;
}

static bool
read_document(struct reader *reader, struct tree_node *root, struct lens_schema *schema)
{
    static const char *const members[] = {
        "schema",   "keys",        "except",          "db",
        "codec",    "inside",      "fields",          "strict",
        "on_write", "identity",    "default_version", "on_untranslatable",
        "limits",   "compression", "versions",        "complement_retention",
        NULL};
    struct tree_node *versions;
    struct tree_node *member;
    bool is_object = reader_object(reader, root, "a schema document", members);
    if (root->type != KIND_OBJECT || !reader_kept(reader, is_object) ||
        !read_head(reader, root, schema)) {
        return false;
    }
    if ((member = reader_member(root, "db")) != NULL &&
        !reader_kept(reader, read_db(reader, member, schema))) {
        return false;
    }
    if ((member = reader_member(root, "on_untranslatable")) != NULL &&
        !reader_kept(reader, read_outcome(reader, member, &schema->outcome))) {
        return false;
    }
    if ((member = reader_member(root, "strict")) != NULL &&
        !reader_kept(reader, reader_boolean(reader, member, &schema->strict))) {
        return false;
    }
    if ((member = reader_member(root, "complement_retention")) != NULL &&
        !reader_kept(reader, reader_integer(reader, member, 0, PLAN_RETENTION_MAX_S,
                                            &schema->complement_retention_s))) {
        return false;
    }
    if ((member = reader_member(root, "compression")) != NULL &&
        !reader_kept(reader, read_compression(reader, member, &schema->compression))) {
        return false;
    }
    if ((member = reader_member(root, "limits")) != NULL &&
        !reader_kept(reader, read_limits(reader, member, &schema->limits))) {
        return false;
    }
    if (!reader_kept(reader, read_opaque(reader, root, schema))) {
        return false;
    }
    bool has_versions =
        reader_need(reader, root, "versions", &versions) &&
        read_versions(reader, versions, reader_member(root, "identity"), schema);
    if (!reader_kept(reader, has_versions)) {
        return false;
    }
    if ((member = reader_member(root, "default_version")) != NULL && has_versions &&
        !read_default_version(reader, member, schema)) {
        return false;
    }
    return !reader->refused;
}

/* --- the schema --------------------------------------------------------------------------- */

/* False, for `return problem_set(…)`. */
static bool __attribute__((format(printf, 3, 4)))
problem_set(struct lens_problem *problem, const char *path, const char *format, ...)
{
    va_list arguments;
    snprintf(problem->path, sizeof(problem->path), "%s", path);
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    return false;
}

/* The schema of a document; its problems go to <problem>, and all of them to <on_problem>. */
static struct lens_schema *
schema_new(struct slice json, struct lens_problem *problem, lens_on_problem *on_problem,
           void *context)
{
    struct lens_schema *schema = calloc(1, sizeof(*schema));
    struct tree_node *root;
    size_t offset = 0;
    if (schema == NULL) {
        problem_set(problem, "", "out of memory");
        if (on_problem != NULL) {
            on_problem(context, problem);
        }
        return NULL;
    }
    arena_init(&schema->arena, 0);
    schema->hash = arena_alloc(&schema->arena, sizeof(*schema->hash));
    if (schema->hash != NULL) {
        *schema->hash = codec_hash;
    }
    schema->db = -1;
    schema->format = (struct plan_format){.codecs = {&codec_json}, .count = 1};
    schema->identity = SLICE_OF("[]");
    schema->default_version = 1;
    schema->complement_retention_s = PLAN_RETENTION_S;
    schema->limits = (struct plan_limits){
        .depth = 128,
        .ops = 256,
        .nesting = 4,
        .output_factor = 8,
        .output_size = 64 * 1024,
        .complement_factor = 4,
        .complement_size = 64 * 1024,
        .work_factor = 8,
        .work_count = 256 * 1024,
    };
    if (schema->hash == NULL || !arena_copy(&schema->arena, json, &schema->json)) {
        problem_set(problem, "", "out of memory");
        goto report;
    }
    enum codec_status status =
        tree_parse(&codec_json, schema->json, 128, &schema->arena, &root, &offset);
    if (status != CODEC_OK || root == NULL) {
        if (status == CODEC_OK) {
            problem_set(problem, "", "out of memory");
        } else {
            problem_set(problem, "", "%s at byte %zu",
                        status == CODEC_DEEP ? "nested too deep" : "not a JSON document",
                        offset);
        }
        goto report;
    }
    struct reader reader = {.arena = &schema->arena,
                            .hash = schema->hash,
                            .problem = problem,
                            .on_problem = on_problem,
                            .context = context};
    if (read_document(&reader, root, schema)) {
        return schema;
    }
    lens_schema_free(schema);
    return NULL;
report:
    if (on_problem != NULL) {
        on_problem(context, problem);
    }
    lens_schema_free(schema);
    return NULL;
}

struct lens_schema *
lens_schema_new(struct slice json, struct lens_problem *ret_problem)
{
    return schema_new(json, ret_problem, NULL, NULL);
}

struct lens_schema *
lens_schema_check(struct slice json, lens_on_problem *on_problem, void *context)
{
    struct lens_problem last;
    return schema_new(json, &last, on_problem, context);
}

void
lens_schema_free(struct lens_schema *schema)
{
    if (schema != NULL) {
        arena_fini(&schema->arena);
        free(schema);
    }
}

void
lens_schema_conflicts(const struct lens_schema *old, const struct lens_schema *next,
                      lens_on_problem *on_problem, void *context)
{
    struct lens_problem problem;
    char path[32];
    if (!slice_equal(old->name, next->name)) {
        problem_set(&problem, "/schema", "the name of a published schema cannot change");
        on_problem(context, &problem);
    }
    if (!slice_equal(old->identity, next->identity)) {
        problem_set(&problem, "/identity", "the identity of a published schema cannot change");
        on_problem(context, &problem);
    }
    for (size_t i = 0; i < old->hash->document_count; i++) {
        if (!hash_holds_document(next->hash, old->hash->documents[i])) {
            problem_set(&problem, "/fields", "a field that holds documents cannot stop to");
            on_problem(context, &problem);
            break;
        }
    }
    for (unsigned i = 0; i < old->version_count; i++) {
        if (i >= next->version_count) {
            problem_set(&problem, "/versions", "published version %u is missing", i + 1);
            on_problem(context, &problem);
        } else if (!format_same(&old->versions[i].format, &next->versions[i].format)) {
            const struct plan_format *was = &old->versions[i].format;
            bool inside = !plan_path_same(&was->inside, &next->versions[i].format.inside);
            problem_set(&problem, inside ? "/inside" : "/codec",
                        "%s of a published schema cannot change",
                        inside ? "where the state is in documents" : "the codec");
            on_problem(context, &problem);
            break;
        } else if (!slice_equal(old->versions[i].steps, next->versions[i].steps)) {
            snprintf(path, sizeof(path), "/versions/%u/steps", i);
            problem_set(&problem, path, "the steps of published version %u cannot change",
                        i + 1);
            on_problem(context, &problem);
        }
    }
}

struct first_problem {
    struct lens_problem *problem;
    bool is_there;
};

static void
keep_first(void *context, const struct lens_problem *problem)
{
    struct first_problem *first = context;
    if (!first->is_there) {
        *first->problem = *problem;
        first->is_there = true;
    }
}

bool
lens_schema_may_follow(const struct lens_schema *old, const struct lens_schema *next,
                       struct lens_problem *ret_problem)
{
    struct first_problem first = {.problem = ret_problem};
    lens_schema_conflicts(old, next, keep_first, &first);
    return !first.is_there;
}

struct slice
lens_schema_json(const struct lens_schema *schema)
{
    return schema->json;
}

struct slice
lens_schema_name(const struct lens_schema *schema)
{
    return schema->name;
}

size_t
lens_schema_key_count(const struct lens_schema *schema)
{
    return schema->key_count;
}

struct slice
lens_schema_key(const struct lens_schema *schema, size_t index)
{
    return schema->keys[index];
}

size_t
lens_schema_except_count(const struct lens_schema *schema)
{
    return schema->except_count;
}

struct slice
lens_schema_except(const struct lens_schema *schema, size_t index)
{
    return schema->excepts[index];
}

int
lens_schema_db(const struct lens_schema *schema)
{
    return schema->db;
}

unsigned
lens_schema_version_count(const struct lens_schema *schema)
{
    return schema->version_count;
}

unsigned
lens_schema_default_version(const struct lens_schema *schema)
{
    return schema->default_version;
}

enum lens_outcome
lens_schema_outcome(const struct lens_schema *schema)
{
    return schema->outcome;
}

bool
lens_schema_strict(const struct lens_schema *schema)
{
    return schema->strict;
}

int64_t
lens_schema_complement_retention_s(const struct lens_schema *schema)
{
    return schema->complement_retention_s;
}

enum lens_compression
lens_schema_compression(const struct lens_schema *schema)
{
    return schema->compression;
}

size_t
lens_schema_identity_count(const struct lens_schema *schema)
{
    return schema->versions[0].identity_count;
}
