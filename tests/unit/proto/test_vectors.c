/*
 * Every history of tests/vectors/lenses.jsonl, played straight through the lens; once as it
 * stands, and once for every other codec, its schemas and documents spelled in that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/codec/msgpack.h"
#include "proto/codec/php.h"
#include "proto/codec/pickle.h"
#include "proto/codec/transcode.h"
#include "proto/lens.h"

enum { SCHEMAS_MAX = 32 };

struct player {
    const struct codec *codec;
    struct arena document; /* of one line of the file */
    struct arena scratch;  /* of one call */
    struct lens_schema *schemas[SCHEMAS_MAX];
    size_t schema_count;
    size_t history_count;
    size_t skipped_count; /* histories with values that the codec has no place for */
};

static struct tree_node *
member(struct player *player, struct tree_node *object, const char *name)
{
    struct tree_node *node = NULL;
    assert_true(tree_open(&codec_json, object, &player->document));
    tree_find(object, slice_from_string(name), &node);
    return node;
}

static struct slice
text_of(struct player *player, struct tree_node *node)
{
    struct slice text;
    assert_true(
        json_decode(slice_make(node->value, node->value_size), &player->document, &text));
    return text;
}

static unsigned
version_of(struct player *player, struct tree_node *node)
{
    int64_t version;
    struct tree_node *as = member(player, node, "as");
    assert_true(slice_to_int64(slice_make(as->value, as->value_size), &version));
    return (unsigned)version;
}

static void
define(struct player *player, struct tree_node *node)
{
    struct lens_problem problem;
    struct slice name;
    assert_true(codec_json.string_encode(&player->document,
                                         slice_from_string(player->codec->name), &name));
    tree_set_value(&codec_json, member(player, node, "codec"), name);
    struct slice text;
    assert_true(tree_text(node, &player->document, &text));
    struct lens_schema *schema = lens_schema_new(text, &problem);
    if (schema == NULL) {
        fail_msg("refused at '%s': %s", problem.path, problem.text);
    }
    assert_true(player->schema_count < SCHEMAS_MAX);
    player->schemas[player->schema_count++] = schema;
}

static struct lens_schema *
schema_of(struct player *player, struct slice name)
{
    for (size_t i = 0; i < player->schema_count; i++) {
        if (slice_equal(lens_schema_name(player->schemas[i]), name)) {
            return player->schemas[i];
        }
    }
    fail_msg("no schema %.*s", (int)name.size, name.data);
    return NULL;
}

/* A JSON value in the codec of the player; false if that has no place for it. */
static bool
spell(struct player *player, struct tree_node *value, struct slice *ret_text)
{
    const struct tree_node *where;
    struct writer writer = writer_in(&player->document);
    *ret_text = slice_make(value->value, value->value_size);
    if (player->codec == &codec_json) {
        return true;
    }
    enum codec_status status = transcode(&codec_json, codec_values(player->codec), value,
                                         &player->document, &writer, &where);
    assert_true(status == CODEC_OK || status == CODEC_RANGE);
    *ret_text = writer_slice(&writer);
    if (status == CODEC_OK && player->codec == &codec_pickle) {
        const char *problem;
        status = pickle_write(*ret_text, 4, &player->document, ret_text, &problem);
    }
    return status == CODEC_OK;
}

static struct tree_node *
parse(struct player *player, struct slice text)
{
    const struct codec *codec = player->codec;
    struct codec_document document = {.value = text};
    struct tree_node *root = NULL;
    size_t offset;
    if (codec->check(text, 128, &offset) != CODEC_OK ||
        (codec->document_open != NULL &&
         codec->document_open(codec, text, 128, &player->scratch, &document, &offset) !=
             CODEC_OK)) {
        return NULL;
    }
    assert_int_equal(
        tree_parse(codec_values(codec), document.value, 128, &player->scratch, &root, &offset),
        CODEC_OK);
    return root;
}

static bool
equal(struct player *player, struct slice got, struct slice expected)
{
    struct tree_node *root = parse(player, got);
    struct tree_node *other = parse(player, expected);
    bool same = false;
    assert_non_null(other);
    if (root == NULL) {
        return false;
    }
    assert_true(tree_equal(codec_values(player->codec), root, other, &player->scratch, &same));
    return same;
}

/* The record that a call left in the scratch arena, owned by the caller. */
static struct lens_record
record_keep(const struct lens_record *record)
{
    struct lens_record kept = *record;
    char *body = malloc(record->body.size + 1);
    char *complement = malloc(record->complement.size + 1);
    assert_true(body != NULL && complement != NULL);
    memcpy(body, record->body.data, record->body.size);
    if (record->complement.size > 0) {
        memcpy(complement, record->complement.data, record->complement.size);
    }
    kept.body.data = body;
    kept.complement.data = complement;
    return kept;
}

static void
record_drop(struct lens_record *record)
{
    union {
        const char *in;
        char *out;
    } body = {record->body.data}, complement = {record->complement.data};
    free(body.out);
    free(complement.out);
}

static void
play(struct player *player, struct tree_node *history)
{
    struct slice name = text_of(player, member(player, history, "name"));
    struct lens_schema *schema =
        schema_of(player, text_of(player, member(player, history, "schema")));
    struct tree_node *events = member(player, history, "events");
    struct lens_record record = {0};
    bool exists = false;
    size_t index = 0;
    assert_true(tree_open(&codec_json, events, &player->document));
    for (struct tree_node *event = tree_first(events); event != NULL;
         event = event->next, index++) {
        struct tree_node *write = member(player, event, "write");
        struct tree_node *read = member(player, event, "read");
        struct lens_failure failure;
        arena_clear(&player->scratch);
        if (write != NULL) {
            struct slice body;
            struct lens_record next;
            if (!spell(player, member(player, write, "value"), &body)) {
                player->skipped_count++;
                break;
            }
            enum lens_write done =
                lens_write(schema, exists ? &record : NULL, version_of(player, write), body,
                           &player->scratch, &next, &failure);
            assert_true(done != LENS_WRITE_REFUSED);
            struct lens_record kept = record_keep(&next);
            if (exists) {
                record_drop(&record);
            }
            record = kept;
            exists = true;
        } else {
            struct slice view;
            unsigned as = version_of(player, read);
            bool made = lens_view(schema, &record, as, &player->scratch, &view, &failure);
            struct tree_node *expected = member(player, read, "expect");
            struct slice spelled = {NULL, 0};
            if (expected != NULL && !spell(player, expected, &spelled)) {
                player->skipped_count++;
                break;
            }
            if (expected == NULL && made) {
                fail_msg("%.*s, event %zu: as %u: expected untranslatable, got %.*s",
                         (int)name.size, name.data, index, as, (int)view.size, view.data);
            } else if (expected != NULL && !made) {
                fail_msg("%.*s, event %zu: as %u: untranslatable %u->%u at %s: %s",
                         (int)name.size, name.data, index, as, failure.from, failure.to,
                         failure.path, failure.text);
            } else if (expected != NULL && !equal(player, view, spelled)) {
                fail_msg("%.*s, event %zu: as %u: got %.*s, expected %.*s", (int)name.size,
                         name.data, index, as, (int)view.size, view.data,
                         (int)expected->value_size, expected->value);
            }
        }
    }
    if (exists) {
        record_drop(&record);
    }
    player->history_count++;
}

static void
play_all(const struct codec *codec)
{
    struct player player = {.codec = codec};
    FILE *file = fopen("tests/vectors/lenses.jsonl", "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    assert_non_null(file);
    arena_init(&player.document, 0);
    arena_init(&player.scratch, 0);
    while ((size = getline(&line, &capacity, file)) > 0) {
        struct tree_node *root = NULL;
        size_t offset;
        arena_clear(&player.document);
        assert_int_equal(tree_parse(&codec_json, slice_make(line, (size_t)size), 128,
                                    &player.document, &root, &offset),
                         CODEC_OK);
        struct tree_node *definition = member(&player, root, "define");
        if (definition != NULL) {
            define(&player, definition);
        } else {
            play(&player, root);
        }
    }
    assert_true(player.history_count >= 420);
    assert_true(player.skipped_count <= (codec == &codec_json ? 0 : 20));
    for (size_t i = 0; i < player.schema_count; i++) {
        lens_schema_free(player.schemas[i]);
    }
    free(line);
    fclose(file);
    arena_fini(&player.document);
    arena_fini(&player.scratch);
}

static void
every_history_reads_as_it_should(void **state)
{
    (void)state;
    play_all(&codec_json);
}

static void
every_history_reads_as_it_should_in_msgpack(void **state)
{
    (void)state;
    play_all(&codec_msgpack);
}

static void
every_history_reads_as_it_should_in_php(void **state)
{
    (void)state;
    play_all(&codec_php);
}

static void
every_history_reads_as_it_should_in_pickle(void **state)
{
    (void)state;
    play_all(&codec_pickle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_reads_as_it_should),
        cmocka_unit_test(every_history_reads_as_it_should_in_msgpack),
        cmocka_unit_test(every_history_reads_as_it_should_in_php),
        cmocka_unit_test(every_history_reads_as_it_should_in_pickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
