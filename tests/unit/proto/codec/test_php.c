/* What PHP writes, and what it would not: see tests/clients/stored.php for PHP's own opinion.
 */
#include "proto/codec/php.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/codec/tree.h"

static enum codec_status
status_of(const char *text)
{
    size_t offset = 0;
    enum codec_status status = codec_php.check(slice_from_string(text), 128, &offset);
    assert_true(offset <= strlen(text));
    return status;
}

static void
what_a_document_is(void **state)
{
    static const char *const good[] = {
        "N;",
        "b:0;",
        "b:1;",
        "i:0;",
        "i:-7;",
        "d:0.5;",
        "d:1;",
        "d:-1.0E+25;",
        "d:INF;",
        "d:-INF;",
        "d:NAN;",
        "s:0:\"\";",
        "s:2:\"\";\";",
        "a:0:{}",
        "a:2:{i:0;N;s:1:\"a\";a:0:{}}",
        "O:1:\"A\":1:{s:1:\"p\";r:1;}",
        "O:8:\"stdClass\":0:{}",
        "C:1:\"A\":3:{a;}}",
        "E:3:\"A:B\";",
        "a:2:{i:0;R:1;i:1;r:1;}",
        "",
        "a|i:1;",
        "a|i:1;b|N;",
        "|N;",
        "i:5;x|N;",
        "user|a:1:{s:2:\"id\";i:1;}n|s:3:\"a|b\";",
    };
    static const char *const bad[] = {
        "N",
        "n;",
        "b:2;",
        "b:1",
        "i:;",
        "i:01;",
        "i:+1;",
        "i:1.5;",
        "d:;",
        "d:.;",
        "d:1.;",
        "d:1e;",
        "d:INFO;",
        "s:1:\"\";",
        "s:-1:\"\";",
        "s:01:\"a\";",
        "s:1:\"a\"",
        "s:1:'a';",
        "s:99999999999999999999:\"a\";",
        "S:1:\"a\";",
        "a:1:{}",
        "a:0:{N;}",
        "a:1:{N;N;}",
        "a:1:{d:1;N;}",
        "a:1:{i:0;}",
        "a:1:{i:0;N;",
        "a:-1:{}",
        "a:1:[i:0;N;]",
        "O:1:\"A\":1:{}",
        "O:1:\"A\"",
        "O:1:A:0:{}",
        "C:1:\"A\":9:{a}",
        "E:3:\"A:B\"",
        "R:;",
        "r:1",
        "N;N;",
        "a",
        "a|",
        "a|i:1;b",
        "a|i:1;b|x",
        "{\"a\":1}",
        "5",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (status_of(good[i]) != CODEC_OK) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (status_of(bad[i]) != CODEC_BAD) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
}

static void
depth_is_bounded_and_cuts_are_found(void **state)
{
    char text[2048];
    size_t size = 0;
    size_t offset;
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        memcpy(text + size, "a:1:{i:0;", 9);
        size += 9;
    }
    memcpy(text + size, "N;", 2);
    size += 2;
    memset(text + size, '}', 100);
    size += 100;
    assert_int_equal(codec_php.check(slice_make(text, size), 100, &offset), CODEC_OK);
    assert_int_equal(codec_php.check(slice_make(text, size), 99, &offset), CODEC_DEEP);
    for (size_t cut = 1; cut < size; cut++) {
        assert_int_equal(codec_php.check(slice_make(text, cut), 100, &offset), CODEC_BAD);
        assert_true(offset <= cut);
    }
    assert_int_equal(codec_php.check(SLICE_OF("a|a:0:{}"), 1, &offset), CODEC_DEEP);
    assert_int_equal(codec_php.check(SLICE_OF("a|N;"), 1, &offset), CODEC_OK);
}

static void
is_kind(const char *raw, enum kind kind)
{
    assert_int_equal(codec_php.kind(slice_from_string(raw)), kind);
}

static void
arrays_are_lists_by_their_keys(void **state)
{
    (void)state;
    is_kind("a:0:{}", KIND_EMPTY);
    is_kind("a:2:{i:0;N;i:1;N;}", KIND_LIST);
    is_kind("a:2:{i:1;N;i:0;N;}", KIND_OBJECT);
    is_kind("a:1:{i:1;N;}", KIND_OBJECT);
    is_kind("a:1:{s:1:\"0\";N;}", KIND_OBJECT);
    is_kind("a:1:{i:0;a:1:{i:5;N;}}", KIND_LIST);
    is_kind("a:2:{i:0;a:1:{i:0;N;}s:1:\"a\";a:1:{i:0;N;}}", KIND_OBJECT);
    is_kind("O:1:\"A\":0:{}", KIND_OTHER);
    is_kind("O:1:\"A\":1:{i:0;a:0:{}}", KIND_OTHER);
    is_kind("R:1;", KIND_OTHER);
    is_kind("s:1:\"a\";", KIND_STRING);
    is_kind("d:INF;", KIND_NUMBER);
}

static void
numbers_and_names_go_both_ways(void **state)
{
    static const struct {
        const char *raw;
        const char *text;
        const char *again;
    } numbers[] = {
        {"i:-5;", "-5", "i:-5;"},   {"d:19.99;", "19.99", "d:19.99;"},
        {"d:5;", "5.0", "d:5;"},    {"d:1.0E+25;", "1.0E+25", "d:1.0E+25;"},
        {"d:-0;", "-0.0", "d:-0;"},
    };
    struct arena arena;
    struct slice text;
    struct slice raw;
    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        assert_int_equal(
            codec_php.number_text(slice_from_string(numbers[i].raw), &arena, &text), CODEC_OK);
        assert_true(slice_equal(text, slice_from_string(numbers[i].text)));
        assert_int_equal(codec_php.number_encode(&arena, text, &raw), CODEC_OK);
        assert_true(slice_equal(raw, slice_from_string(numbers[i].again)));
    }
    assert_int_equal(codec_php.number_text(SLICE_OF("d:-INF;"), &arena, &text), CODEC_RANGE);
    assert_int_equal(codec_php.number_encode(&arena, SLICE_OF("9223372036854775808"), &raw),
                     CODEC_RANGE);
    assert_int_equal(codec_php.number_encode(&arena, SLICE_OF("-0"), &raw), CODEC_OK);
    assert_true(slice_equal(raw, SLICE_OF("i:0;")));

    static const struct {
        const char *text;
        const char *raw;
    } names[] = {
        {"", "s:0:\"\";"},       {"name", "s:4:\"name\";"},
        {"5", "i:5;"},           {"-5", "i:-5;"},
        {"05", "s:2:\"05\";"},   {"-0", "s:2:\"-0\";"},
        {"5.0", "s:3:\"5.0\";"}, {"9223372036854775808", "s:19:\"9223372036854775808\";"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct slice name = slice_from_string(names[i].text);
        assert_true(codec_php.key_encode(&arena, name, &raw));
        assert_true(slice_equal(raw, slice_from_string(names[i].raw)));
        assert_true(codec_php.key_is(raw, name));
    }
    assert_true(codec_php.key_is(SLICE_OF("s:1:\"5\";"), SLICE_OF("5")));
    arena_fini(&arena);
}

/* Open <text>, do <edit>, and close it. */
static enum codec_status
edited(struct arena *arena, const char *text, void (*edit)(struct tree_node *, struct arena *),
       struct slice *ret_text)
{
    struct codec_document document;
    const char *problem;
    size_t offset;
    struct slice value;
    struct slice whole = slice_from_string(text);
    assert_int_equal(codec_php.document_open(&codec_php, whole, 128, arena, &document, &offset),
                     CODEC_OK);
    struct tree_node *root = tree_value(&codec_php, document.value, arena);
    assert_non_null(root);
    assert_true(tree_open(&codec_php, root, arena));
    edit(root, arena);
    assert_true(tree_full_text(root, arena, &value));
    return codec_php.document_close(&codec_php, &document, root, value, arena, ret_text,
                                    &problem);
}

static void
nothing(struct tree_node *root, struct arena *arena)
{
    (void)root;
    (void)arena;
}

static void
remove_a(struct tree_node *root, struct arena *arena)
{
    struct tree_node *node = NULL;
    (void)arena;
    assert_int_equal(tree_find(root, SLICE_OF("a"), &node), 1);
    tree_remove(node);
}

static void
rename_a(struct tree_node *root, struct arena *arena)
{
    struct tree_node *node = NULL;
    struct slice key;
    assert_int_equal(tree_find(root, SLICE_OF("a"), &node), 1);
    assert_true(codec_php.key_encode(arena, SLICE_OF("longer"), &key));
    assert_true(tree_set_key(node, key, false, false, arena));
}

static void
name_a_with_a_bar(struct tree_node *root, struct arena *arena)
{
    struct tree_node *node = NULL;
    struct slice key;
    assert_int_equal(tree_find(root, SLICE_OF("a"), &node), 1);
    assert_true(codec_php.key_encode(arena, SLICE_OF("x|y"), &key));
    assert_true(tree_set_key(node, key, false, false, arena));
}

static void
becomes(const char *text, void (*edit)(struct tree_node *, struct arena *),
        const char *expected)
{
    struct arena arena;
    struct slice got = {NULL, 0};
    arena_init(&arena, 0);
    assert_int_equal(edited(&arena, text, edit, &got), CODEC_OK);
    if (!slice_equal(got, slice_from_string(expected))) {
        fail_msg("expected %s, got %.*s", expected, (int)got.size, got.data);
    }
    arena_fini(&arena);
}

static void
is_refused(const char *text, void (*edit)(struct tree_node *, struct arena *),
           enum codec_status status)
{
    struct arena arena;
    struct slice got;
    arena_init(&arena, 0);
    assert_int_equal(edited(&arena, text, edit, &got), status);
    arena_fini(&arena);
}

static void
sessions_are_arrays_in_between(void **state)
{
    (void)state;
    becomes("", nothing, "");
    becomes("b|i:1;a|N;5|s:1:\"|\";", nothing, "b|i:1;a|N;5|s:1:\"|\";");
    becomes("b|i:1;a|N;5|s:1:\"|\";", remove_a, "b|i:1;5|s:1:\"|\";");
    becomes("a|N;", remove_a, "");
    becomes("a|N;b|N;", rename_a, "longer|N;b|N;");
    becomes("a:1:{s:1:\"a\";N;}", remove_a, "a:0:{}");
    is_refused("a|N;", name_a_with_a_bar, CODEC_RANGE);
}

static void
references_keep_what_they_refer_to(void **state)
{
    (void)state;
    becomes("a|i:1;b|R:1;", rename_a, "longer|i:1;b|R:1;");
    becomes("b|O:1:\"A\":0:{}c|r:1;a|i:1;", remove_a, "b|O:1:\"A\":0:{}c|r:1;");
    becomes("a:3:{s:1:\"b\";O:1:\"A\":0:{}s:1:\"c\";r:2;s:1:\"a\";N;}", remove_a,
            "a:2:{s:1:\"b\";O:1:\"A\":0:{}s:1:\"c\";r:2;}");
    becomes("b|O:1:\"A\":0:{}a|N;c|r:1;", remove_a, "b|O:1:\"A\":0:{}c|r:1;");
    is_refused("a|i:1;b|O:1:\"A\":0:{}c|r:2;", remove_a, CODEC_REFERENCE);
    /* Three objects alike: the reference would mean another one. */
    is_refused("a|O:1:\"A\":0:{}b|O:1:\"A\":0:{}c|O:1:\"A\":0:{}d|r:2;", remove_a,
               CODEC_REFERENCE);
    is_refused("b|i:1;a|R:1;", remove_a, CODEC_REFERENCE);
    is_refused("a|N;b|O:1:\"A\":1:{s:1:\"p\";r:2;}", remove_a, CODEC_REFERENCE);
    is_refused("a|N;b|C:1:\"A\":4:{r:2;}", remove_a, CODEC_REFERENCE);
    becomes("b|C:1:\"A\":4:{r:2;}a|N;", remove_a, "b|C:1:\"A\":4:{r:2;}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_document_is),
        cmocka_unit_test(depth_is_bounded_and_cuts_are_found),
        cmocka_unit_test(arrays_are_lists_by_their_keys),
        cmocka_unit_test(numbers_and_names_go_both_ways),
        cmocka_unit_test(sessions_are_arrays_in_between),
        cmocka_unit_test(references_keep_what_they_refer_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
