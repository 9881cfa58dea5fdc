#include "proto/codec/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static enum codec_status
check(const char *text, size_t *ret_offset)
{
    return json_check(slice_from_string(text), 128, ret_offset);
}

static void
good(const char *text)
{
    size_t offset = 0;
    if (check(text, &offset) != CODEC_OK) {
        fail_msg("refused at %zu: %s", offset, text);
    }
}

static void
bad(const char *text, size_t expected)
{
    size_t offset = 0;
    if (check(text, &offset) != CODEC_BAD || offset != expected) {
        fail_msg("not refused at %zu but %zu: %s", expected, offset, text);
    }
}

static void
rfc_8259_is_accepted_and_nothing_else(void **state)
{
    (void)state;
    good("0");
    good(" -0.5e+10\n");
    good("\"\"");
    good("\"\\u0041\\n\\/\\\\ \x7f \xc3\xa9 \xf0\x9f\x98\x80\"");
    good("\"\\ud800\"");
    good("[ ]");
    good("{ \"a\" : [ 1 , { } , null , true , false ] , \"a\" : \"x\" }");
    bad("", 0);
    bad("  ", 2);
    bad("01", 1);
    bad("-", 0);
    bad("+1", 0);
    bad("1.", 0);
    bad(".5", 0);
    bad("1e", 0);
    bad("NaN", 0);
    bad("tru", 0);
    bad("nulll", 4);
    bad("'a'", 0);
    bad("\"a", 2);
    bad("\"\\x\"", 1);
    bad("\"\\u12g4\"", 1);
    bad("\"\t\"", 1);
    bad("\"\x01\"", 1);
    bad("[1,]", 3);
    bad("[1 2]", 3);
    bad("[,1]", 1);
    bad("[1", 2);
    bad("]", 0);
    bad("{\"a\":1,}", 7);
    bad("{\"a\" 1}", 5);
    bad("{a:1}", 1);
    bad("{1:1}", 1);
    bad("{\"a\":}", 5);
    bad("{\"a\":1]", 6);
    bad("[1}", 2);
    bad("{} {}", 3);
    bad("\xef\xbb\xbf{}", 0);
    bad("1 // one", 2);
}

static void
only_utf_8_is_accepted(void **state)
{
    (void)state;
    good("\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
    bad("\"\x80\"", 1);
    bad("\"\xc0\xaf\"", 1);
    bad("\"\xc3(\"", 1);
    bad("\"\xe0\x80\xaf\"", 1);
    bad("\"\xed\xa0\x80\"", 1);
    bad("\"\xf0\x80\x80\xaf\"", 1);
    bad("\"\xf4\x90\x80\x80\"", 1);
    bad("\"12345678\xf5\"", 9);
    bad("\"\xe2\x82", 1);
}

static void
depth_is_bounded_as_asked(void **state)
{
    (void)state;
    char text[300];
    size_t offset;
    for (size_t depth = 126; depth <= 130; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_check(slice_make(text, 2 * depth), 128, &offset),
                         depth <= 128 ? CODEC_OK : CODEC_DEEP);
    }
    assert_int_equal(json_check(SLICE_OF("7"), 0, &offset), CODEC_OK);
    assert_int_equal(json_check(SLICE_OF("[]"), 0, &offset), CODEC_DEEP);
    assert_int_equal(json_check(SLICE_OF("{\"a\":[{\"b\":[]}]}"), 4, &offset), CODEC_OK);
    assert_int_equal(json_check(SLICE_OF("{\"a\":[{\"b\":[]}]}"), 3, &offset), CODEC_DEEP);
}

/* Text that ends anywhere, and text with any byte changed, is read within its bounds. */
static void
no_text_is_read_beyond_its_end(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\\u00e9\":[1.5e3,\"\xc3\xa9\\n\",{\"b\":null}],\"c\":{},\"d\":[true,false,\"\"]}";
    for (size_t size = 0; size < sizeof(text); size++) {
        char *copy = malloc(size + 1);
        size_t offset;
        assert_non_null(copy);
        memcpy(copy, text, size);
        assert_int_equal(json_check(slice_make(copy, size), 128, &offset),
                         size + 1 == sizeof(text) ? CODEC_OK : CODEC_BAD);
        for (size_t i = 0; i < size; i++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                copy[i] = (char)byte;
                json_check(slice_make(copy, size), 128, &offset);
                assert_true(offset <= size || offset == SIZE_MAX);
            }
            copy[i] = text[i];
        }
        free(copy);
    }
}

static void
strings_mean_their_code_points(void **state)
{
    (void)state;
    struct arena arena;
    struct slice text;
    arena_init(&arena, 0);
    assert_true(json_decode(SLICE_OF("\"a\\u00e9\\ud83d\\ude00\\t\\\"\""), &arena, &text));
    assert_true(slice_equal(text, SLICE_OF("a\xc3\xa9\xf0\x9f\x98\x80\t\"")));
    assert_true(json_spells(SLICE_OF("\"\\u0061b\""), SLICE_OF("ab")));
    assert_false(json_spells(SLICE_OF("\"\\u0061b\""), SLICE_OF("abc")));
    assert_false(json_spells(SLICE_OF("\"\\u0061b\""), SLICE_OF("a")));
    assert_int_equal(json_compare(SLICE_OF("\"\\u0061b\""), SLICE_OF("\"a\\u0062\"")), 0);
    assert_true(json_compare(SLICE_OF("\"a\""), SLICE_OF("\"ab\"")) < 0);
    assert_true(json_compare(SLICE_OF("\"\\u00e9\""), SLICE_OF("\"z\"")) > 0);

    struct slice raw;
    assert_true(json_encode_arena(&arena, SLICE_OF("\"\\\n\x01\xc3\xa9"), &raw));
    assert_true(slice_equal(raw, SLICE_OF("\"\\\"\\\\\\n\\u0001\xc3\xa9\"")));
    assert_true(json_decode(SLICE_OF("\"\\udc00x\""), &arena, &text));
    assert_true(json_encode_arena(&arena, text, &raw));
    assert_true(slice_equal(raw, SLICE_OF("\"\\udc00x\"")));
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8259_is_accepted_and_nothing_else),
        cmocka_unit_test(only_utf_8_is_accepted),
        cmocka_unit_test(depth_is_bounded_as_asked),
        cmocka_unit_test(no_text_is_read_beyond_its_end),
        cmocka_unit_test(strings_mean_their_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
