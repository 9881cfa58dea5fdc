/*
 * The laws of the lens over random histories: bodies are samples and views, edited at random
 * and spelled with random white space, escapes, order and duplicates. Bytes are compared, not
 * values. LAWS_ROUNDS=n plays more; LAWS_SEED=n other ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/codec/tree.h"
#include "proto/lens.h"

enum { VERSIONS_MAX = 8, SAMPLES_MAX = 32 };

/* --- random ----------------------------------------------------------------------------------
 */

static uint64_t state_of_random;

static uint64_t
random_next(void)
{
    uint64_t x = state_of_random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return state_of_random = x;
}

static size_t
below(size_t limit)
{
    return (size_t)((random_next() >> 11) % limit);
}

static bool
one_in(size_t count)
{
    return below(count) == 0;
}

/* --- documents
 * --------------------------------------------------------------------------------- */

/* How wildly a document is spelled and edited. */
struct style {
    struct arena *arena;
    bool spaces;
    bool escapes;
    size_t edits; /* one value in so many is edited; 0: none */
};

static void
put_space(const struct style *style, struct buffer *out)
{
    static const char *const spaces[] = {"", "", " ", "\n  ", "\t"};
    if (style->spaces) {
        buffer_append_string(out, spaces[below(5)]);
    }
}

/* A raw string, some letters spelled as escapes. */
static void
put_string(const struct style *style, struct slice raw, struct buffer *out)
{
    for (size_t i = 0; i < raw.size; i++) {
        char byte = raw.data[i];
        if (byte == '\\') {
            buffer_append(out, raw.data + i, 2);
            i++;
        } else if (style->escapes && byte >= 'a' && byte <= 'z' && one_in(6)) {
            buffer_printf(out, "\\u%04x", (unsigned)byte);
        } else {
            buffer_append_char(out, byte);
        }
    }
}

static void
put_odd_value(struct buffer *out)
{
    static const char *const odd[] = {"null",
                                      "true",
                                      "false",
                                      "0",
                                      "1",
                                      "-0",
                                      "1.0",
                                      "100e-2",
                                      "19.990",
                                      "1.005",
                                      "2.5",
                                      "12345678901234567890123",
                                      "\"\"",
                                      "\"a b\"",
                                      "\"admin\"",
                                      "\"owner\"",
                                      "\"user\"",
                                      "\"x\"",
                                      "\"007\"",
                                      "\"12\"",
                                      "\"2024-01-01T00:00:00.50Z\"",
                                      "[]",
                                      "[1,2]",
                                      "[\"admin\"]",
                                      "{}",
                                      "{ }",
                                      "{\"id\":5}",
                                      "[{\"id\":1}]",
                                      "[ ]",
                                      "\"light\"",
                                      "\"en\"",
                                      "\"Jean Luc P\""};
    buffer_append_string(out, odd[below(sizeof(odd) / sizeof(*odd))]);
}

static void
put_value(const struct style *style, struct tree_node *node, struct buffer *out)
{
    if (style->edits > 0 && one_in(style->edits) && node->parent != NULL) {
        put_odd_value(out);
        return;
    }
    if (node->type < KIND_ARRAY) {
        struct slice raw = slice_make(node->value, node->value_size);
        if (node->type == KIND_STRING) {
            put_string(style, raw, out);
        } else {
            buffer_append_slice(out, raw);
        }
        return;
    }
    assert_true(tree_open(&codec_json, node, style->arena));
    size_t count = node->box->count;
    struct tree_node **children = arena_calloc(style->arena, count + 1, sizeof(*children));
    size_t index = 0;
    for (struct tree_node *child = tree_first(node); child != NULL; child = child->next) {
        children[index++] = child;
    }
    if (style->edits > 0 && count > 1 && one_in(3)) {
        for (size_t i = count; i-- > 1;) {
            size_t other = below(i + 1);
            struct tree_node *swap = children[i];
            children[i] = children[other];
            children[other] = swap;
        }
    }
    bool first = true;
    buffer_append_char(out, node->type == KIND_OBJECT ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (style->edits > 0 && one_in(style->edits)) {
            continue;
        }
        if (!first) {
            buffer_append_char(out, ',');
        }
        first = false;
        put_space(style, out);
        if (node->type == KIND_OBJECT) {
            put_string(style, tree_key(children[i]), out);
            put_space(style, out);
            buffer_append_char(out, ':');
            put_space(style, out);
        }
        put_value(style, children[i], out);
        put_space(style, out);
        if (style->edits > 0 && one_in(style->edits * 4)) {
            /* a stranger, now and then a duplicate or an element once more */
            buffer_append_char(out, ',');
            if (node->type == KIND_OBJECT) {
                buffer_append_string(out, one_in(4) ? "\"k\":" : "\"zz\":");
                put_odd_value(out);
            } else {
                put_value(style, children[i], out);
            }
        }
    }
    if (first) {
        put_space(style, out);
    }
    buffer_append_char(out, node->type == KIND_OBJECT ? '}' : ']');
}

/* <text> spelled and edited anew, in memory of the arena. */
static struct slice
vary(struct arena *arena, struct slice text, size_t edits)
{
    struct style style = {
        .arena = arena, .spaces = one_in(2), .escapes = one_in(4), .edits = edits};
    struct tree_node *root = NULL;
    struct buffer buffer;
    struct slice copy;
    size_t offset;
    if (tree_parse(&codec_json, text, 128, arena, &root, &offset) != CODEC_OK) {
        return text;
    }
    buffer_init(&buffer, 0);
    put_space(&style, &buffer);
    put_value(&style, root, &buffer);
    put_space(&style, &buffer);
    assert_true(arena_copy(arena, buffer_slice(&buffer), &copy));
    buffer_fini(&buffer);
    return copy;
}

/* --- schemas and their samples
 * ----------------------------------------------------------------- */

struct world {
    struct lens_schema *schema;
    unsigned versions;
    struct slice samples[VERSIONS_MAX + 1][SAMPLES_MAX];
    size_t sample_counts[VERSIONS_MAX + 1];
};

static struct tree_node *
member(struct arena *arena, struct tree_node *object, const char *name)
{
    struct tree_node *node = NULL;
    assert_true(tree_open(&codec_json, object, arena));
    tree_find(object, slice_from_string(name), &node);
    return node;
}

static void
world_load(struct world *world, struct tree_node *entry, struct arena *arena)
{
    struct lens_problem problem;
    struct tree_node *document = member(arena, entry, "schema");
    struct tree_node *samples = member(arena, entry, "samples");
    *world = (struct world){0};
    world->schema =
        lens_schema_new(slice_make(document->value, document->value_size), &problem);
    if (world->schema == NULL) {
        fail_msg("refused at '%s': %s", problem.path, problem.text);
    }
    world->versions = lens_schema_version_count(world->schema);
    assert_true(tree_open(&codec_json, samples, arena));
    for (struct tree_node *node = tree_first(samples); node != NULL; node = node->next) {
        unsigned version = (unsigned)(tree_key(node).data[1] - '0');
        assert_true(tree_open(&codec_json, node, arena));
        for (struct tree_node *item = tree_first(node); item != NULL; item = item->next) {
            world->samples[version][world->sample_counts[version]++] =
                slice_make(item->value, item->value_size);
        }
    }
}

/* --- laws
 * --------------------------------------------------------------------------------------- */

struct sight {
    bool made;
    struct slice view;
    struct lens_failure failure;
};

static const char *law_name;
static uint64_t law_seed;

static void
print_record(const char *what, const struct lens_record *record)
{
    fprintf(stderr, "%s: version %u, body %.*s, complement ", what, record->version,
            (int)record->body.size, record->body.data);
    for (size_t i = 0; i < record->complement.size; i++) {
        unsigned byte = (uint8_t)record->complement.data[i];
        fprintf(stderr, byte >= 32 && byte < 127 ? "%c" : "<%u>", byte);
    }
    fprintf(stderr, "\n");
}

static void
look(const struct world *world, const struct lens_record *record, struct arena *arena,
     struct sight *sights)
{
    for (unsigned v = 1; v <= world->versions; v++) {
        sights[v].made =
            lens_view(world->schema, record, v, arena, &sights[v].view, &sights[v].failure);
        if (sights[v].made && v != record->version) {
            if (!lens_is_document(world->schema, v, sights[v].view)) {
                print_record("record", record);
                fail_msg("seed %llu: the view as %u is no document: %.*s",
                         (unsigned long long)law_seed, v, (int)sights[v].view.size,
                         sights[v].view.data);
            }
        }
    }
}

/* Two records that must show the same bytes to everyone. */
static void
same_views(const struct world *world, const struct lens_record *a, const struct lens_record *b,
           struct arena *arena)
{
    struct sight of_a[VERSIONS_MAX + 1];
    struct sight of_b[VERSIONS_MAX + 1];
    look(world, a, arena, of_a);
    look(world, b, arena, of_b);
    for (unsigned v = 1; v <= world->versions; v++) {
        if (of_a[v].made != of_b[v].made ||
            (of_a[v].made && !slice_equal(of_a[v].view, of_b[v].view))) {
            print_record("one", a);
            print_record("other", b);
            for (unsigned i = 0; i < 2; i++) {
                struct sight *sight = i == 0 ? &of_a[v] : &of_b[v];
                if (sight->made) {
                    fprintf(stderr, "view: %.*s\n", (int)sight->view.size, sight->view.data);
                } else {
                    fprintf(stderr, "failure: %u->%u %s at '%s': %s\n", sight->failure.from,
                            sight->failure.to, lens_reason_name(sight->failure.reason),
                            sight->failure.path, sight->failure.text);
                }
            }
            fail_msg("%s: seed %llu: views as %u differ", law_name,
                     (unsigned long long)law_seed, v);
        }
    }
}

static struct slice
sample(const struct world *world, unsigned version, struct arena *arena)
{
    struct slice text = world->samples[version][below(world->sample_counts[version])];
    return vary(arena, text, one_in(2) ? 0 : 12);
}

/* Something that a client of <version> might write over <record>. */
static struct slice
next_body(const struct world *world, const struct lens_record *record, unsigned version,
          struct arena *arena)
{
    struct slice view;
    struct lens_failure failure;
    if (record->body.data == NULL || one_in(6) ||
        !lens_view(world->schema, record, version, arena, &view, &failure)) {
        return sample(world, version, arena);
    }
    if (one_in(40)) {
        return SLICE_OF("{\"no document");
    }
    return one_in(6) ? view : vary(arena, view, one_in(4) ? 0 : 4 + below(30));
}

static void
write_to(const struct world *world, const struct lens_record *old, unsigned by,
         struct slice body, struct arena *arena, struct lens_record *ret_record)
{
    struct lens_failure failure;
    lens_write(world->schema, old->body.data == NULL ? NULL : old, by, body, arena, ret_record,
               &failure);
}

/* A complement that nobody should have made: nothing may break. */
static void
survive(const struct world *world, const struct lens_record *record, struct arena *arena)
{
    struct lens_record hostile = *record;
    struct lens_failure failure;
    size_t size = record->complement.size;
    char *bytes = arena_alloc(arena, size + 16);
    if (size == 0) {
        return;
    }
    memcpy(bytes, record->complement.data, size);
    for (size_t i = 1 + below(4); i > 0; i--) {
        switch (below(4)) {
        case 0:
            bytes[below(size)] = (char)random_next();
            break;
        case 1:
            bytes[below(size)] ^= (char)(1 << below(8));
            break;
        case 2:
            size = 1 + below(size);
            break;
        default: {
            size_t from = below(size);
            size_t to = below(size);
            memmove(bytes + to, bytes + from, size - (from > to ? from : to));
        }
        }
    }
    hostile.complement = slice_make(bytes, size);
    struct sight sights[VERSIONS_MAX + 1];
    look(world, &hostile, arena, sights);
    for (unsigned k = 1; k <= world->versions; k++) {
        struct lens_record other;
        if (lens_rebase(world->schema, &hostile, k, arena, &other, &failure)) {
            look(world, &other, arena, sights);
        }
        write_to(world, &hostile, k, next_body(world, &hostile, k, arena), arena, &other);
        look(world, &other, arena, sights);
    }
}

static void
play(const struct world *world, struct arena *arena)
{
    struct lens_record record = {0};
    size_t writes = 1 + below(5);
    for (size_t i = 0; i < writes; i++) {
        unsigned by = 1 + (unsigned)below(world->versions);
        struct slice body = next_body(world, &record, by, arena);
        struct lens_record next;
        write_to(world, &record, by, body, arena, &next);
        record = next;
        survive(world, &record, arena);

        struct lens_failure failure;
        unsigned writer = 1 + (unsigned)below(world->versions);
        struct slice later = next_body(world, &record, writer, arena);
        struct lens_record plain;
        write_to(world, &record, writer, later, arena, &plain);
        for (unsigned k = 1; k <= world->versions; k++) {
            struct lens_record rebased;
            struct lens_record back;
            struct lens_record written;
            if (!lens_rebase(world->schema, &record, k, arena, &rebased, &failure)) {
                continue;
            }
            law_name = "rebase";
            same_views(world, &record, &rebased, arena);
            law_name = "rebase there and back";
            assert_true(
                lens_rebase(world->schema, &rebased, record.version, arena, &back, &failure));
            same_views(world, &record, &back, arena);
            if (!slice_equal(back.complement, record.complement)) {
                print_record("before", &record);
                print_record("as k", &rebased);
                print_record("after", &back);
                fail_msg("rebase there and back: seed %llu: complement differs",
                         (unsigned long long)law_seed);
            }
            law_name = "rebase, then write";
            write_to(world, &rebased, writer, later, arena, &written);
            same_views(world, &plain, &written, arena);
            if (!slice_equal(plain.complement, written.complement)) {
                print_record("without", &plain);
                print_record("with", &written);
                fail_msg("rebase, then write: seed %llu: complement differs",
                         (unsigned long long)law_seed);
            }
            law_name = "get-put";
            write_to(world, &record, k, rebased.body, arena, &written);
            same_views(world, &record, &written, arena);
        }
    }
}

static void
play_file(const char *path, size_t rounds, uint64_t seed)
{
    struct arena arena;
    struct arena scratch;
    struct buffer text;
    struct tree_node *root = NULL;
    size_t offset;
    FILE *file = fopen(path, "r");
    size_t size;
    assert_non_null(file);
    arena_init(&arena, 0);
    arena_init(&scratch, 0);
    buffer_init(&text, 0);
    do {
        char *at = buffer_reserve(&text, 65536);
        size = fread(at, 1, 65536, file);
        buffer_commit(&text, size);
    } while (size > 0);
    fclose(file);
    assert_int_equal(tree_parse(&codec_json, buffer_slice(&text), 128, &arena, &root, &offset),
                     CODEC_OK);
    assert_true(tree_open(&codec_json, root, &arena));
    for (struct tree_node *entry = tree_first(root); entry != NULL; entry = entry->next) {
        struct world world;
        world_load(&world, entry, &arena);
        for (size_t round = 0; round < rounds; round++) {
            law_seed = seed + round;
            state_of_random = law_seed * 0x9E3779B97F4A7C15u + 1;
            for (unsigned i = 0; i < 8; i++) {
                random_next();
            }
            play(&world, &scratch);
            arena_clear(&scratch);
        }
        lens_schema_free(world.schema);
    }
    buffer_fini(&text);
    arena_fini(&arena);
    arena_fini(&scratch);
}

static size_t
setting(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : (size_t)strtoull(text, NULL, 10);
}

static void
laws_hold_for_the_vectors_schemas(void **state)
{
    (void)state;
    play_file("tests/vectors/schemas.json", setting("LAWS_ROUNDS", 200),
              setting("LAWS_SEED", 1));
}

static void
laws_hold_for_schemas_with_every_op(void **state)
{
    (void)state;
    play_file("tests/vectors/more.json", setting("LAWS_ROUNDS", 400), setting("LAWS_SEED", 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_hold_for_the_vectors_schemas),
        cmocka_unit_test(laws_hold_for_schemas_with_every_op),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
