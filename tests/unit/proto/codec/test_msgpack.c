/* MessagePack, with msgpack-c's unpacker as the judge of what is a document. */
#include "proto/codec/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <msgpack.h>

#include "proto/codec/tree.h"

/* What Flask-Session 0.8 stores. */
static const struct slice flask =
    SLICE("\x84\xaa_permanent\xc3\xa1n\x01\xa4name\xa4Zo\xc3\xab\xa1l\x92\x01\x81\xa1"
          "a\xc0");

/* A tower-sessions record: positional, with an id of 16 bytes. */
static const struct slice tower = SLICE("\x93\xc4\x10"
                                        "0123456789abcdef\x81\xa4name\xa4Zo\xc3\xab\x99\xcd\x07"
                                        "\xea\xcc\xc8\x01\x02\x03\x00\x00\x00\x00");

/* All that PHP's msgpack writes for an array of named values, its pair of \xc0\x01 among it. */
static const struct slice php = SLICE("\x82\xc0\x01\xa4user\x82\xa2id\x2a\xa1"
                                      "f\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00");

static bool
judge(struct slice text)
{
    msgpack_unpacked unpacked;
    size_t offset = 0;
    msgpack_unpacked_init(&unpacked);
    bool good =
        msgpack_unpack_next(&unpacked, text.data, text.size, &offset) == MSGPACK_UNPACK_SUCCESS;
    msgpack_unpacked_destroy(&unpacked);
    return good && offset == text.size;
}

static void
what_a_document_is_agrees_with_the_library(void **state)
{
    const struct slice texts[] = {flask, tower, php};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char copy[128];
        size_t offset;
        size_t size = texts[i].size;
        assert_int_equal(codec_msgpack.check(texts[i], 128, &offset), CODEC_OK);
        memcpy(copy, texts[i].data, size);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(codec_msgpack.check(slice_make(copy, cut), 128, &offset),
                             CODEC_BAD);
            assert_true(offset <= cut);
        }
        for (size_t at = 0; at < size; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                char was = copy[at];
                if (byte == 0xdd || byte == 0xdf) {
                    continue; /* the library believes in counts of 32 bits, and allocates */
                }
                copy[at] = (char)byte;
                struct slice text = slice_make(copy, size);
                assert_int_equal(codec_msgpack.check(text, 128, &offset) == CODEC_OK,
                                 judge(text));
                copy[at] = was;
            }
        }
    }
}

static void
depth_and_counts_are_bounded(void **state)
{
    char text[1200];
    size_t offset;
    (void)state;
    memset(text, 0x91, sizeof(text));
    text[1024] = '\xc0';
    assert_int_equal(codec_msgpack.check(slice_make(text, 1025), 1024, &offset), CODEC_OK);
    assert_int_equal(codec_msgpack.check(slice_make(text, 1025), 1023, &offset), CODEC_DEEP);
    assert_int_equal(codec_msgpack.check(slice_make(text, 1024), 1024, &offset), CODEC_BAD);
    assert_int_equal(codec_msgpack.check(SLICE_OF("\xdf\xff\xff\xff\xff"), 128, &offset),
                     CODEC_BAD);
    assert_int_equal(codec_msgpack.check(SLICE_OF("\xdb\xff\xff\xff\xff"), 128, &offset),
                     CODEC_BAD);
    assert_int_equal(codec_msgpack.check(SLICE_OF("\xc1"), 128, &offset), CODEC_BAD);
    assert_int_equal(codec_msgpack.check(SLICE_OF(""), 128, &offset), CODEC_BAD);
    assert_int_equal(codec_msgpack.check(SLICE_OF("\x01\x02"), 128, &offset), CODEC_BAD);
    assert_int_equal(offset, 1);
}

static void
is_number(struct arena *arena, struct slice raw, const char *expected)
{
    struct slice text;
    assert_int_equal(codec_msgpack.kind(raw), KIND_NUMBER);
    assert_int_equal(codec_msgpack.number_text(raw, arena, &text), CODEC_OK);
    if (!slice_equal(text, slice_from_string(expected))) {
        fail_msg("expected %s, got %.*s", expected, (int)text.size, text.data);
    }
}

static void
numbers_of_every_width_are_read(void **state)
{
    struct arena arena;
    struct slice text;
    (void)state;
    arena_init(&arena, 0);
    is_number(&arena, SLICE_OF("\x7f"), "127");
    is_number(&arena, SLICE_OF("\xe0"), "-32");
    is_number(&arena, SLICE_OF("\xcc\x05"), "5");
    is_number(&arena, SLICE_OF("\xcd\xff\xff"), "65535");
    is_number(&arena, SLICE_OF("\xce\xff\xff\xff\xff"), "4294967295");
    is_number(&arena, SLICE_OF("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615");
    is_number(&arena, SLICE_OF("\xd0\x80"), "-128");
    is_number(&arena, SLICE_OF("\xd1\x80\x00"), "-32768");
    is_number(&arena, SLICE_OF("\xd2\x80\x00\x00\x00"), "-2147483648");
    is_number(&arena, SLICE_OF("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808");
    is_number(&arena, SLICE_OF("\xd3\x00\x00\x00\x00\x00\x00\x00\x07"), "7");
    is_number(&arena, SLICE_OF("\xca\x3f\x8c\xcc\xcd"), "1.1");
    is_number(&arena, SLICE_OF("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1");
    is_number(&arena, SLICE_OF("\xcb\x40\x33\xfd\x70\xa3\xd7\x0a\x3d"), "19.99");
    is_number(&arena, SLICE_OF("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), "1.0");
    is_number(&arena, SLICE_OF("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"), "-0.0");
    is_number(&arena, SLICE_OF("\xcb\x45\x20\x8b\x2a\x2c\x28\x02\x91"), "1e+25");
    assert_int_equal(codec_msgpack.number_text(SLICE_OF("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
                                               &arena, &text),
                     CODEC_RANGE);
    assert_int_equal(codec_msgpack.number_text(SLICE_OF("\xca\x7f\x80\x00\x00"), &arena, &text),
                     CODEC_RANGE);
    arena_fini(&arena);
}

static void
encodes(struct arena *arena, const char *number, struct slice expected)
{
    struct slice raw;
    assert_int_equal(codec_msgpack.number_encode(arena, slice_from_string(number), &raw),
                     CODEC_OK);
    assert_true(slice_equal(raw, expected));
}

static void
numbers_are_written_in_the_shortest_form(void **state)
{
    struct arena arena;
    struct slice raw;
    (void)state;
    arena_init(&arena, 0);
    encodes(&arena, "5", SLICE_OF("\x05"));
    encodes(&arena, "-0", SLICE_OF("\x00"));
    encodes(&arena, "-33", SLICE_OF("\xd0\xdf"));
    encodes(&arena, "256", SLICE_OF("\xcd\x01\x00"));
    encodes(&arena, "18446744073709551615", SLICE_OF("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    encodes(&arena, "1.0", SLICE_OF("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"));
    encodes(&arena, "19.99", SLICE_OF("\xcb\x40\x33\xfd\x70\xa3\xd7\x0a\x3d"));
    encodes(&arena, "1e25", SLICE_OF("\xcb\x45\x20\x8b\x2a\x2c\x28\x02\x91"));
    assert_int_equal(
        codec_msgpack.number_encode(&arena, SLICE_OF("18446744073709551616"), &raw),
        CODEC_RANGE);
    assert_int_equal(codec_msgpack.number_encode(&arena, SLICE_OF("1e400"), &raw), CODEC_RANGE);
    arena_fini(&arena);
}

static struct tree_node *
open_root(struct arena *arena, struct slice text)
{
    struct tree_node *root = NULL;
    size_t offset;
    assert_int_equal(tree_parse(&codec_msgpack, text, 128, arena, &root, &offset), CODEC_OK);
    assert_non_null(root);
    assert_true(tree_open(&codec_msgpack, root, arena));
    return root;
}

static void
is_text(struct arena *arena, struct tree_node *root, struct slice expected)
{
    struct slice text;
    assert_true(tree_full_text(root, arena, &text));
    assert_true(slice_equal(text, expected));
    assert_int_equal(tree_full_size(root), expected.size);
}

static void
a_tree_keeps_what_it_does_not_touch(void **state)
{
    struct arena arena;
    struct tree_node *node = NULL;
    struct tree_node *list = NULL;
    (void)state;
    arena_init(&arena, 0);
    struct tree_node *root = open_root(&arena, flask);
    assert_int_equal(tree_find(root, SLICE_OF("name"), &node), 1);
    assert_int_equal(tree_find(root, SLICE_OF("l"), &list), 1);
    struct tree_node *before = node->prev;
    tree_remove(node);
    is_text(&arena, root,
            SLICE_OF("\x83\xaa_permanent\xc3\xa1n\x01\xa1l\x92\x01\x81\xa1"
                     "a\xc0"));
    assert_true(tree_insert(root, before, node, &arena));
    is_text(&arena, root, flask);
    assert_true(tree_open(&codec_msgpack, list, &arena));
    tree_remove(tree_first(list));
    tree_set_value(&codec_msgpack, node, SLICE_OF("\x07"));
    is_text(&arena, root,
            SLICE_OF("\x84\xaa_permanent\xc3\xa1n\x01\xa4name\x07\xa1l\x91\x81\xa1"
                     "a\xc0"));
    arena_fini(&arena);
}

static void
a_header_keeps_the_width_it_had_without_need(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 0);
    struct tree_node *root = open_root(&arena, SLICE_OF("\xde\x00\x02\xa1"
                                                        "a\x01\xa1"
                                                        "b\x02"));
    struct tree_node *first = tree_first(root);
    tree_remove(first);
    is_text(&arena, root,
            SLICE_OF("\xde\x00\x01\xa1"
                     "b\x02"));
    arena_clear(&arena);

    char text[1 + 16 * 3 + 2];
    text[0] = '\xde';
    text[1] = 0;
    text[2] = 16;
    for (char i = 0; i < 16; i++) {
        memcpy(text + 3 + 3 * i, (char[]){'\xa1', (char)('a' + i), i}, 3);
    }
    root = open_root(&arena, slice_make(text, sizeof(text)));
    tree_remove(tree_first(root));
    struct slice got;
    assert_true(tree_full_text(root, &arena, &got));
    assert_int_equal(got.data[0], '\x8f');
    assert_int_equal(got.size, 1 + 15 * 3);
    arena_fini(&arena);
}

static void
only_strings_are_names(void **state)
{
    struct arena arena;
    struct tree_node *node = NULL;
    (void)state;
    arena_init(&arena, 0);
    struct tree_node *root = open_root(&arena, SLICE_OF("\x85\x05\x01\xc4\x01"
                                                        "a\x02\xd9\x01"
                                                        "a\x03\x92\x01\x02\x04\xa1"
                                                        "b\xd4\x01\x02"));
    assert_int_equal(tree_find(root, SLICE_OF("a"), &node), 1);
    assert_int_equal(node->value[0], 3);
    assert_int_equal(tree_find(root, SLICE_OF("5"), &node), 0);
    assert_int_equal(tree_find(root, SLICE_OF("\x05"), &node), 0);
    assert_int_equal(tree_find(root, SLICE_OF("b"), &node), 1);
    assert_int_equal(node->type, KIND_OTHER);
    arena_fini(&arena);
}

static void
a_name_is_told_from_the_number_that_is_its_byte(void **state)
{
    const struct slice name = SLICE_OF("\xa1\x32");
    const struct slice number = SLICE_OF("\x32");
    struct arena arena;
    struct slice text;
    (void)state;
    arena_init(&arena, 0);
    assert_true(codec_msgpack.key_text(name, &arena, &text));
    assert_true(slice_equal(text, SLICE_OF("2")));
    assert_true(codec_msgpack.key_has_text(name, text));
    assert_false(codec_msgpack.key_has_text(number, text));
    assert_true(codec_msgpack.key_text(number, &arena, &text));
    assert_true(codec_msgpack.key_has_text(number, text));
    assert_false(codec_msgpack.key_has_text(name, text));
    arena_fini(&arena);
}

static void
is_equal(struct arena *arena, struct slice a, struct slice b, bool expected)
{
    bool equal;
    assert_true(
        tree_equal(&codec_msgpack, open_root(arena, a), open_root(arena, b), arena, &equal));
    assert_int_equal(equal, expected);
}

static void
values_are_equal_whatever_their_width(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, 0);
    is_equal(&arena, SLICE_OF("\x05"), SLICE_OF("\xcd\x00\x05"), true);
    is_equal(&arena, SLICE_OF("\x01"), SLICE_OF("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), true);
    is_equal(&arena, SLICE_OF("\x01"), SLICE_OF("\xc3"), false);
    is_equal(&arena, SLICE_OF("\xa1x"), SLICE_OF("\xd9\x01x"), true);
    is_equal(&arena, SLICE_OF("\xa1x"), SLICE_OF("\xc4\x01x"), false);
    is_equal(&arena, SLICE_OF("\xc4\x01x"), SLICE_OF("\xc5\x00\x01x"), true);
    is_equal(&arena,
             SLICE_OF("\x82\xa1"
                      "a\x01\x05\x02"),
             SLICE_OF("\xde\x00\x02\x05\xcc\x02\xd9\x01"
                      "a\x01"),
             true);
    is_equal(&arena, SLICE_OF("\xd4\x01\x02"), SLICE_OF("\xd4\x01\x03"), false);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_document_is_agrees_with_the_library),
        cmocka_unit_test(depth_and_counts_are_bounded),
        cmocka_unit_test(numbers_of_every_width_are_read),
        cmocka_unit_test(numbers_are_written_in_the_shortest_form),
        cmocka_unit_test(a_tree_keeps_what_it_does_not_touch),
        cmocka_unit_test(a_header_keeps_the_width_it_had_without_need),
        cmocka_unit_test(only_strings_are_names),
        cmocka_unit_test(a_name_is_told_from_the_number_that_is_its_byte),
        cmocka_unit_test(values_are_equal_whatever_their_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
