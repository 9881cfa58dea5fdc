#include "proto/codec/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct tree_node *
parse(struct arena *arena, const char *text)
{
    struct tree_node *root = NULL;
    size_t offset;
    assert_int_equal(
        tree_parse(&codec_json, slice_from_string(text), 128, arena, &root, &offset), CODEC_OK);
    assert_non_null(root);
    return root;
}

static void
is_text(struct arena *arena, struct tree_node *root, const char *expected)
{
    struct slice text;
    assert_true(tree_full_text(root, arena, &text));
    if (!slice_equal(text, slice_from_string(expected))) {
        fail_msg("%.*s, not %s", (int)text.size, text.data, expected);
    }
}

static struct tree_node *
find(struct tree_node *object, const char *name)
{
    struct tree_node *node = NULL;
    assert_int_equal(tree_find(object, slice_from_string(name), &node), 1);
    return node;
}

static void
taking_out_and_putting_back_changes_no_byte(void **state)
{
    (void)state;
    struct arena arena;
    static const char text[] = " { \"a\" : 1 ,\n\"b\":[ ] , \"c\" :{}\t} ";
    arena_init(&arena, 0);
    struct tree_node *root = parse(&arena, text);
    struct tree_node *a = find(root, "a");
    struct tree_node *b = find(root, "b");
    struct tree_node *c = find(root, "c");
    tree_remove(b);
    is_text(&arena, root, " { \"a\" : 1 , \"c\" :{}\t} ");
    tree_remove(a);
    is_text(&arena, root, " { \"c\" :{}\t} ");
    tree_remove(c);
    is_text(&arena, root, " { } ");
    assert_true(tree_insert(root, NULL, c, &arena));
    assert_true(tree_insert(root, NULL, a, &arena));
    assert_true(tree_insert(root, a, b, &arena));
    is_text(&arena, root, text);
    arena_fini(&arena);
}

static void
edits_leave_the_rest_as_it_was(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    struct tree_node *root =
        parse(&arena, "{\"a\": {\"x\" :1e0, \"y\":2 } ,\"\\u0062\":[1, 2]}");
    struct tree_node *a = find(root, "a");
    assert_true(tree_open(&codec_json, a, &arena));
    tree_set_value(&codec_json, find(a, "x"), SLICE_OF("\"new\""));
    is_text(&arena, root, "{\"a\": {\"x\" :\"new\", \"y\":2 } ,\"\\u0062\":[1, 2]}");
    assert_true(tree_set_key(find(root, "b"), SLICE_OF("\"c\""), false, false, &arena));
    is_text(&arena, root, "{\"a\": {\"x\" :\"new\", \"y\":2 } ,\"c\":[1, 2]}");
    struct tree_node *y = find(a, "y");
    tree_remove(y);
    tree_replace(a, y);
    is_text(&arena, root, "{\"a\": 2 ,\"c\":[1, 2]}");
    arena_fini(&arena);
}

static bool
equal(const char *text_a, const char *text_b)
{
    struct arena arena;
    bool same;
    arena_init(&arena, 0);
    assert_true(
        tree_equal(&codec_json, parse(&arena, text_a), parse(&arena, text_b), &arena, &same));
    arena_fini(&arena);
    return same;
}

static void
equality_is_of_values(void **state)
{
    (void)state;
    assert_true(equal("1", "1.00"));
    assert_true(equal("-0", "0e5"));
    assert_true(equal("1e2", "100"));
    assert_false(equal("9007199254740993", "9007199254740992"));
    assert_false(equal("1", "\"1\""));
    assert_false(equal("1", "true"));
    assert_true(equal("\"\\u0061\"", "\"a\""));
    assert_true(equal("[1,[2]]", " [ 1.0 , [ 2 ] ] "));
    assert_false(equal("[1,2]", "[2,1]"));
    assert_false(equal("[1]", "[1,1]"));
    assert_true(equal("{\"a\":1,\"b\":{\"c\":[],\"d\":0}}",
                      "{\"b\":{\"d\":0.0,\"c\":[ ]},\"\\u0061\":1}"));
    assert_false(equal("{\"a\":1}", "{\"b\":1}"));
    assert_false(equal("{\"a\":1}", "{\"a\":1,\"b\":1}"));
    assert_false(equal("{\"a\":{\"x\":1},\"b\":2}", "{\"b\":2,\"a\":{\"x\":2}}"));
    assert_true(equal("{\"a\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":1,\"a\":2}"));
    assert_false(equal("{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}"));
}

static void
finding_counts_duplicates(void **state)
{
    (void)state;
    struct arena arena;
    struct tree_node *node = NULL;
    arena_init(&arena, 0);
    struct tree_node *root = parse(&arena, "{\"a\":1,\"b\":2,\"\\u0061\":3,\"\":4}");
    assert_int_equal(tree_find(root, SLICE_OF("a"), &node), 2);
    assert_int_equal(node->value[0], '1');
    assert_int_equal(tree_find(root, SLICE_OF("b"), &node), 1);
    assert_int_equal(tree_find(root, SLICE_OF(""), &node), 1);
    assert_int_equal(tree_find(root, SLICE_OF("c"), &node), 0);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taking_out_and_putting_back_changes_no_byte),
        cmocka_unit_test(edits_leave_the_rest_as_it_was),
        cmocka_unit_test(equality_is_of_values),
        cmocka_unit_test(finding_counts_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
