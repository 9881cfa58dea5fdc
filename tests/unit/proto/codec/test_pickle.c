/* Pickles of plain data; tests/clients/stored.py has Python's own opinion. */
#include "proto/codec/pickle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/writer.h"
#include "proto/codec/msgpack.h"
#include "proto/codec/tree.h"

/* What Django 4.2 stores in its cache: protocol 5, one frame. */
static const struct slice django =
    SLICE("\x80\x05\x95\x1f\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x07user_id\x94K*\x8c\x04"
          "name\x94\x8c\x04Zo\xc3\xab\x94u.");

static enum codec_status
status_of(struct slice text)
{
    size_t offset = 0;
    enum codec_status status = codec_pickle.check(text, 128, &offset);
    assert_true(offset <= text.size);
    return status;
}

static void
what_plain_data_is(void **state)
{
    static const struct slice good[] = {
        SLICE("\x80\x02N."),
        SLICE("\x80\x02\x88."),
        SLICE("\x80\x02K\x05."),
        SLICE("\x80\x02M\x05\x01."),
        SLICE("\x80\x02J\xff\xff\xff\xff."),
        SLICE("\x80\x02\x8a\x00."),
        SLICE("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."),
        SLICE("\x80\x02\x8b\x01\x00\x00\x00\x07."),
        SLICE("\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00."),
        SLICE("\x80\x02X\x01\x00\x00\x00"
              "aq\x00."),
        SLICE("\x80\x02]q\x00(K\x01K\x02"
              "e."),
        SLICE("\x80\x02]K\x01"
              "a."),
        SLICE("\x80\x02}K\x01K\x02s."),
        SLICE("\x80\x02}(u."),
        SLICE("\x80\x02)."),
        SLICE("\x80\x02K\x01\x85."),
        SLICE("\x80\x02(K\x01K\x02K\x03K\x04t."),
        SLICE("\x80\x03"
              "C\x01"
              "a."),
        SLICE("\x80\x04\x95\x04\x00\x00\x00\x00\x00\x00\x00\x8c\x01"
              "a."),
        SLICE("\x80\x04\x8c\x01"
              "a\x94h\x00\x86."),
        SLICE("!\x80\x04N."),
    };
    static const struct slice bad[] = {
        SLICE(""),
        SLICE("\x80"),
        SLICE("\x80\x02"),
        SLICE("\x80\x02."),
        SLICE("N."),
        SLICE("\x80\x01N."),
        SLICE("\x80\x06N."),
        SLICE("\x80\x02N.."),
        SLICE("\x80\x02NN."),
        SLICE("\x80\x02(."),
        SLICE("\x80\x02(N."),
        SLICE("\x80\x02N"),
        SLICE("\x80\x02"
              "a."),
        SLICE("\x80\x02"
              "e."),
        SLICE("\x80\x02(e."),
        SLICE("\x80\x02N(Ne."),
        SLICE("\x80\x02}(Nu."),
        SLICE("\x80\x02]NNs."),
        SLICE("\x80\x02h\x00."),
        SLICE("\x80\x02q\x00."),
        SLICE("\x80\x02Nr\xff\xff\xff\xff."),
        SLICE("\x80\x02X\xff\xff\xff\xff"
              "a."),
        SLICE("\x80\x02\x95\x00\x00\x00\x00\x00\x00\x00\x00N."),
        SLICE("\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N."),
        SLICE("\x80\x02t."),
        SLICE("\x80\x02\x85."),
        SLICE("!N."),
        /* A dict in a list that gets a pair later. */
        SLICE("\x80\x02]}q\x00"
              "ah\x00K\x01K\x02s\x86."),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (status_of(good[i]) != CODEC_OK) {
            fail_msg("refused: number %zu", i);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (status_of(bad[i]) != CODEC_BAD) {
            fail_msg("accepted: number %zu", i);
        }
    }
    assert_int_equal(status_of(django), CODEC_OK);
    for (size_t cut = 0; cut < django.size; cut++) {
        assert_int_equal(status_of(slice_make(django.data, cut)), CODEC_BAD);
    }
}

static void
what_would_run_code_is_refused_by_name(void **state)
{
    static const struct {
        struct slice text;
        const char *name;
    } refused[] = {
        {SLICE("\x80\x02"
               "cos\nsystem\nX\x02\x00\x00\x00id\x85R."),
         "GLOBAL"},
        {SLICE("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."), "STACK_GLOBAL"},
        {SLICE("\x80\x02NR."), "REDUCE"},
        {SLICE("\x80\x02N\x81."), "NEWOBJ"},
        {SLICE("\x80\x02N\x92."), "NEWOBJ_EX"},
        {SLICE("\x80\x02Nb."), "BUILD"},
        {SLICE("\x80\x02(ios\nsystem\n."), "INST"},
        {SLICE("\x80\x02(o."), "OBJ"},
        {SLICE("\x80\x02\x82\x01."), "EXT1"},
        {SLICE("\x80\x02P0\n."), "PERSID"},
        {SLICE("\x80\x02NQ."), "BINPERSID"},
        {SLICE("\x80\x04\x8f."), "EMPTY_SET"},
        {SLICE("\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x00."), "BYTEARRAY8"},
        {SLICE("\x80\x05\x97."), "NEXT_BUFFER"},
        {SLICE("\x80\x02I5\n."), "INT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        size_t offset = 0;
        assert_int_equal(codec_pickle.check(refused[i].text, 128, &offset), CODEC_BAD);
        const char *name = codec_pickle.name_at(refused[i].text, offset);
        assert_non_null(name);
        assert_string_equal(name, refused[i].name);
    }
}

static void
depth_and_growth_are_bounded(void **state)
{
    char text[4096];
    size_t size = 2;
    (void)state;
    memcpy(text, "\x80\x04", 2);
    for (unsigned i = 0; i < 128; i++) {
        text[size++] = ']';
    }
    for (unsigned i = 1; i < 128; i++) {
        text[size++] = 'a';
    }
    text[size++] = '.';
    assert_int_equal(status_of(slice_make(text, size)), CODEC_OK);
    size_t offset;
    assert_int_equal(codec_pickle.check(slice_make(text, size), 127, &offset), CODEC_DEEP);
    assert_int_equal(codec_pickle.check(SLICE_OF("\x80\x04]."), 0, &offset), CODEC_DEEP);
    assert_int_equal(codec_pickle.check(SLICE_OF("\x80\x04N."), 0, &offset), CODEC_OK);

    /* Each tuple holds the one before twice: 2^60 of the first at the end. */
    size = 2;
    memcpy(text + size, "N\x85\x94", 3);
    size += 3;
    for (char i = 0; i < 60; i++) {
        char step[] = {'h', i, 'h', i, '\x86', '\x94'};
        memcpy(text + size, step, sizeof(step));
        size += sizeof(step);
    }
    text[size++] = 't'; /* with a MARK in front, all of them as one */
    text[size++] = '.';
    memmove(text + 3, text + 2, size - 2);
    text[2] = '(';
    assert_int_equal(status_of(slice_make(text, size + 1)), CODEC_RANGE);

    /* A long text, many times. */
    char *many = malloc(400000);
    assert_non_null(many);
    memcpy(many, "\x80\x04(X\xa0\x86\x01\x00", 8);
    memset(many + 8, 'x', 100000);
    many[100008] = '\x94';
    size = 100009;
    for (unsigned i = 0; i < 120; i++) {
        many[size++] = 'h';
        many[size++] = 0;
    }
    many[size++] = 't';
    many[size++] = '.';
    assert_int_equal(status_of(slice_make(many, size)), CODEC_RANGE);
    free(many);

    /* A list in itself. */
    assert_int_equal(status_of(SLICE_OF("\x80\x04]\x94h\x00"
                                        "a.")),
                     CODEC_REFERENCE);
}

/* <text>, read and pickled again. */
static void
comes_back(struct slice text)
{
    struct arena arena;
    struct codec_document document;
    struct slice again;
    const char *problem = "";
    size_t offset;
    arena_init(&arena, 0);
    assert_int_equal(
        codec_pickle.document_open(&codec_pickle, text, 128, &arena, &document, &offset),
        CODEC_OK);
    assert_true(codec_msgpack.is_value(document.value, CODEC_DEPTH_MAX));
    assert_int_equal(pickle_write(document.value, document.form, &arena, &again, &problem),
                     CODEC_OK);
    assert_true(slice_equal(again, text));
    arena_fini(&arena);
}

static void
what_cpython_writes_comes_back_in_the_same_opcodes(void **state)
{
    (void)state;
    comes_back(django);
    comes_back(SLICE_OF("\x80\x04N."));
    comes_back(SLICE_OF("\x80\x02}q\x00X\x01\x00\x00\x00"
                        "aq\x01h\x01s."));
    comes_back(SLICE_OF("\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x01"
                        "a\x94h\x01"
                        "e."));
    comes_back(SLICE_OF("\x80\x03}q\x00(C\x02\x00\xffq\x01K\x01K\x02\x86q\x02h\x01h\x02u."));
    comes_back(SLICE_OF("!\x80\x05\x95\x0b\x00\x00\x00\x00\x00\x00\x00)\x85\x94J\xff\xff\xff"
                        "\xff\x86\x94."));
    comes_back(SLICE_OF("\x80\x02]K\x01"
                        "a.")); /* pickletools.optimize() */
    comes_back(SLICE_OF("\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."));
    comes_back(SLICE_OF("\x80\x02\x8a\x05\x00\x00\x00\x00\x01."));
    comes_back(SLICE_OF("\x80\x02\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80."));
}

static void
what_python_has_no_place_for_is_refused(void **state)
{
    struct arena arena;
    struct slice text;
    const char *problem = NULL;
    (void)state;
    arena_init(&arena, 0);
    assert_int_equal(pickle_write(SLICE_OF("\xc4\x01"
                                           "a"),
                                  2, &arena, &text, &problem),
                     CODEC_RANGE);
    assert_string_equal(problem, "protocol 2 has no bytes");
    assert_int_equal(pickle_write(SLICE_OF("\xd4\x05"
                                           "a"),
                                  4, &arena, &text, &problem),
                     CODEC_RANGE);
    arena_fini(&arena);
}

static void
what_is_known_takes_room_for_as_many_values_as_there_are(void **state)
{
    enum { BIG = 1 << 20, COUNT = 500 };
    struct arena arena;
    struct writer writer;
    struct slice text;
    struct slice again;
    const char *problem;
    struct codec_document document;
    size_t offset;
    (void)state;
    arena_init(&arena, 12 * BIG);
    writer = writer_in(&arena);
    char *big = arena_calloc(&arena, BIG, 1);
    assert_non_null(big);
    writer_bytes(&writer, SLICE_OF("\xdc\x03\xe9\xc6\x00\x10\x00\x00"));
    writer_bytes(&writer, slice_make(big, BIG));
    for (unsigned i = 0; i < 2 * COUNT; i++) { /* the second half: the same once more */
        char name[5 + 1 + 3];
        int size = snprintf(name, sizeof(name), "%03u", i % COUNT);
        writer_bytes(&writer, i < COUNT ? SLICE_OF("\xa3") : SLICE_OF("\xdb\x00\x00\x00\x03"));
        writer_bytes(&writer, slice_make(name, (size_t)size));
    }
    struct slice value = writer_slice(&writer);
    assert_int_equal(pickle_write(value, 4, &arena, &text, &problem), CODEC_OK);
    assert_int_equal(
        codec_pickle.document_open(&codec_pickle, text, 128, &arena, &document, &offset),
        CODEC_OK);
    assert_int_equal(pickle_write(document.value, 4, &arena, &again, &problem), CODEC_OK);
    assert_true(slice_equal(text, again));
    assert_true(text.size < BIG + COUNT * (2 + 3 + 1) + COUNT * 5 + 64);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_plain_data_is),
        cmocka_unit_test(what_would_run_code_is_refused_by_name),
        cmocka_unit_test(depth_and_growth_are_bounded),
        cmocka_unit_test(what_cpython_writes_comes_back_in_the_same_opcodes),
        cmocka_unit_test(what_python_has_no_place_for_is_refused),
        cmocka_unit_test(what_is_known_takes_room_for_as_many_values_as_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
