#include "proto/codec/hash.h"

#include "proto/codec/json.h"
#include "proto/codec/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct arena arena;

static int
setup(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* The value that <body> stands for. */
static enum codec_status
open_body(const struct codec *codec, struct slice body, struct codec_document *ret_document)
{
    size_t offset = 0;
    return codec->document_open(codec, body, 128, &arena, ret_document, &offset);
}

static void
assert_slice(struct slice got, struct slice wanted)
{
    assert_int_equal(got.size, wanted.size);
    assert_memory_equal(got.data, wanted.data, wanted.size);
}

/* <body> is <value>, and <value> is <body>. */
static void
assert_stands_for(const struct codec *codec, struct slice body, struct slice value)
{
    struct codec_document document;
    struct slice back;
    const char *problem = "";
    size_t offset;
    assert_int_equal(open_body(codec, body, &document), CODEC_OK);
    assert_slice(document.value, value);
    assert_int_equal(json_check(document.value, 128, &offset), CODEC_OK);
    assert_int_equal(
        codec->document_close(codec, &document, NULL, document.value, &arena, &back, &problem),
        CODEC_OK);
    assert_slice(back, body);
}

static void
a_hash_is_an_object_of_strings_and_documents(void **state)
{
    (void)state;
    const struct slice names[] = {SLICE("data"), SLICE("n")};
    struct codec codec = codec_hash;
    codec.documents = names;
    codec.document_count = 2;
    assert_stands_for(&codec, SLICE_OF(""), SLICE_OF("{}"));
    assert_stands_for(&codec, SLICE_OF("\1a\1b\0\0"), SLICE_OF("{\"a\":\"b\",\"\":\"\"}"));
    assert_stands_for(&codec, SLICE_OF("\4data\x09 {\"a\": 1}\1n\3 5 \1x\0015"),
                      SLICE_OF("{\"data\": {\"a\": 1},\"n\": 5 ,\"x\":\"5\"}"));
    assert_stands_for(&codec_hash, SLICE_OF("\1n\0015"), SLICE_OF("{\"n\":\"5\"}"));
    assert_stands_for(&codec, SLICE_OF("\2\n\"\3\0\\\x7f"),
                      SLICE_OF("{\"\\n\\\"\":\"\\u0000\\\\\x7f\"}"));
}

static void
bytes_that_are_no_text_are_surrogates_by_themselves(void **state)
{
    (void)state;
    assert_stands_for(&codec_hash, SLICE_OF("\1\xff\4\xc3\xa9\x80\xc3"),
                      SLICE_OF("{\"\\udcff\":\"\xc3\xa9\\udc80\\udcc3\"}"));
    /* A surrogate spelled in three bytes is no UTF-8 either. */
    assert_stands_for(&codec_hash, SLICE_OF("\1a\3\xed\xb2\x80"),
                      SLICE_OF("{\"a\":\"\\udced\\udcb2\\udc80\"}"));
    assert_true(hash_is_text(SLICE_OF("\1a\2\xc3\xa9")));
    assert_false(hash_is_text(SLICE_OF("\1a\1\xc3")));
    assert_false(hash_is_text(SLICE_OF("\1\xc3\1a")));
}

static void
every_byte_comes_back(void **state)
{
    (void)state;
    char body[2 + 256 + 3];
    struct codec_document document;
    struct slice back;
    const char *problem = "";
    memcpy(body, "\1a\x80\2", 4);
    for (unsigned i = 0; i < 256; i++) {
        body[4 + i] = (char)i;
    }
    struct slice whole = slice_make(body, 4 + 256);
    assert_int_equal(open_body(&codec_hash, whole, &document), CODEC_OK);
    assert_int_equal(codec_hash.document_close(&codec_hash, &document, NULL, document.value,
                                               &arena, &back, &problem),
                     CODEC_OK);
    assert_slice(back, whole);
}

static void
what_is_no_body_is_refused(void **state)
{
    (void)state;
    static const struct slice bad[] = {
        SLICE("\1"),
        SLICE("\1a"),
        SLICE("\1a\2b"),
        SLICE("\x80\x80\x80\x80\x80\x01"),
        SLICE("\xff\xff\xff\xff\x0f"),
        SLICE("\0\0x"),
    };
    size_t offset;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(codec_hash.check(bad[i], 128, &offset), CODEC_BAD);
        assert_in_range(offset, 0, bad[i].size);
    }
    assert_int_equal(codec_hash.check(SLICE_OF(""), 0, &offset), CODEC_DEEP);
}

static void
a_document_that_is_none_is_refused_where_it_stands(void **state)
{
    (void)state;
    const struct slice names[] = {SLICE("d")};
    struct codec codec = codec_hash;
    struct codec_document document;
    size_t offset = 0;
    codec.documents = names;
    codec.document_count = 1;
    assert_int_equal(
        codec.document_open(&codec, SLICE_OF("\1a\1b\1d\1{"), 128, &arena, &document, &offset),
        CODEC_BAD);
    assert_int_equal(offset, 7);
    assert_int_equal(
        codec.document_open(&codec, SLICE_OF("\1d\0"), 128, &arena, &document, &offset),
        CODEC_BAD);
    assert_int_equal(
        codec.document_open(&codec, SLICE_OF("\1d\4[[]]"), 2, &arena, &document, &offset),
        CODEC_DEEP);
    assert_int_equal(
        codec.document_open(&codec, SLICE_OF("\1d\4[[]]"), 3, &arena, &document, &offset),
        CODEC_OK);
}

static void
values_without_a_place_are_named(void **state)
{
    (void)state;
    static const struct slice values[] = {
        SLICE("[]"),
        SLICE("5"),
        SLICE("{\"a\":5}"),
        SLICE("{\"a\":null}"),
        SLICE("{\"a\":{}}"),
        SLICE("{\"a\":\"\\ud800\"}"),
        SLICE("{\"a\":\"\\udc7f\"}"),
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        const struct codec_document document = {.value = values[i]};
        struct slice back;
        const char *problem = NULL;
        assert_int_equal(codec_hash.document_close(&codec_hash, &document, NULL, values[i],
                                                   &arena, &back, &problem),
                         CODEC_RANGE);
        assert_non_null(problem);
    }
}

static void
twins_are_found(void **state)
{
    (void)state;
    bool has;
    assert_true(hash_has_twins(SLICE_OF("\1a\1b\1b\1b\1a\1c"), &arena, &has));
    assert_true(has);
    assert_true(hash_has_twins(SLICE_OF("\1a\1b\1b\1b\0\1b"), &arena, &has));
    assert_false(has);
    assert_true(hash_has_twins(SLICE_OF(""), &arena, &has));
    assert_false(has);
}

static void
pieces_of_every_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 70000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *bytes = arena_alloc(&arena, sizes[i] + 1);
        memset(bytes, 'x', sizes[i]);
        struct slice piece = slice_make(bytes, sizes[i]);
        size_t size = hash_piece_size(piece) + hash_piece_size(SLICE_OF("v"));
        char *body = arena_alloc(&arena, size);
        assert_ptr_equal(hash_piece_put(hash_piece_put(body, piece), SLICE_OF("v")),
                         body + size);
        struct slice rest = slice_make(body, size);
        struct slice field;
        struct slice value;
        assert_true(hash_take(&rest, &field, &value));
        assert_slice(field, piece);
        assert_slice(value, SLICE_OF("v"));
        assert_int_equal(rest.size, 0);
        assert_false(hash_take(&rest, &field, &value));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_an_object_of_strings_and_documents),
        cmocka_unit_test(bytes_that_are_no_text_are_surrogates_by_themselves),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(what_is_no_body_is_refused),
        cmocka_unit_test(a_document_that_is_none_is_refused_where_it_stands),
        cmocka_unit_test(values_without_a_place_are_named),
        cmocka_unit_test(twins_are_found),
        cmocka_unit_test(pieces_of_every_size_come_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
