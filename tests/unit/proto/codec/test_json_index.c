#include "proto/codec/json_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/property/model/prng.h"

enum { TEXT_SIZE_MAX = 700, MUTATIONS = 300000 };

/* What json_check() and a walk say of the object that <text> holds, and the index the same? */
static void
compare(struct slice text, unsigned depth_max, struct arena *arena)
{
    struct json_index index;
    size_t offset = 0;
    size_t left = text.size;
    arena_clear(arena);
    enum codec_status found = json_index(text, depth_max, arena, &index);
    enum codec_status status = json_check(text, depth_max, &offset);
    bool is_whole = found == CODEC_OK && json_skip_space(text.data + index.size,
                                                         text.data + left) == text.data + left;
    if (is_whole != (status == CODEC_OK)) {
        print_error("index says %d, check %d at %zu: %.*s\n", is_whole, status, offset,
                    (int)text.size, text.data);
        fail();
    }
    if (status != CODEC_OK) {
        return;
    }
    struct codec_walk walk;
    struct codec_item item;
    size_t count = 0;
    json_walk_init(&walk, text.data, text.data + text.size);
    while (json_walk_next(&walk, &item)) {
        assert_true(count < index.count);
        const struct json_mark *mark = &index.marks[count++];
        assert_ptr_equal(json_skip_space(item.colon, item.value), text.data + mark->colon);
        assert_ptr_equal(item.end, text.data + mark->stop);
        assert_true(index.has_escapes || !item.escaped);
    }
    assert_int_equal(count, index.count);
    assert_ptr_equal(walk.at, text.data + index.size);
}

/* Texts in memory of their own size, so that a sanitizer sees every byte too far. */
static void
compare_copy(const char *text, size_t size, unsigned depth_max, struct arena *arena)
{
    char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, text, size);
    compare(slice_make(copy, size), depth_max, arena);
    free(copy);
}

static const char *const texts[] = {
    "{}",
    "{\"a\":1}",
    " ",
    "{ \"a\" : [ ] , \"b\" : { } }",
    "{\"cookie\":{\"originalMaxAge\":3600000,\"expires\":\"2026-11-23T01:19:56.755Z\","
    "\"httpOnly\":true,\"path\":\"/\"},\"user\":{\"id\":42,\"name\":\"Zo\xC3\xAB\"},"
    "\"cart\":[1,2],\"views\":1}",
    "{\"a\\\"b\":\"\\\\\",\"c\\u00e9\":\"\\ud83d\\ude00\",\"d\":[\"\\n\\t\\/\",\"\"]}",
    "{\"numbers\":[0,-0,1.5e10,-12.25,1E+2,100000000000000000000000000000000000000000000],"
    "\"t\":true,\"f\":false,\"n\":null,\"long\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
    "{\n  \"a\": {\n    \"b\": [\n      1,\n      2\n    ]\n  },\r\n\t\"c\": \"d\"\n}\n",
    "{\"a\":[[[[[[[[{\"b\":[{\"c\":{\"d\":[]}}]}]]]]]]]],\"e\":[{},{},[],[{}],{\"f\":[]}]}",
    "{\"\xE2\x82\xAC\":\"\xF0\x9F\x98\x80\xED\x9F\xBF\xEE\x80\x80\xC2\x80\"}",
};

static void
it_agrees_with_the_checker_on_whole_texts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (texts[i][0] == '{') {
            for (unsigned depth = 0; depth < 16; depth++) {
                compare_copy(texts[i], strlen(texts[i]), depth, &arena);
            }
        }
    }
    arena_fini(&arena);
}

/* Bytes that matter, and some that do not. */
static char
pick(struct prng *prng)
{
    static const char bytes[] =
        "{}[],:\"\\ \n\t0123456789-+.eEtrufalsn/bx\xC3\xA9\xE2\x82\xAC\xF0"
        "\x9F\x98\x80\xED\xA0\x1F\x7F\xFF";
    return bytes[prng_below(prng, sizeof(bytes))];
}

static void
it_agrees_with_the_checker_on_damaged_texts(void **state)
{
    (void)state;
    struct prng prng = {.state = 1};
    struct arena arena;
    arena_init(&arena, 0);
    for (unsigned round = 0; round < MUTATIONS; round++) {
        char text[TEXT_SIZE_MAX];
        const char *origin = texts[prng_below(&prng, sizeof(texts) / sizeof(*texts))];
        size_t size = strlen(origin);
        /* Behind a member of any length, so that everything is everywhere in a block. */
        size_t pad = prng_below(&prng, 80);
        size_t used = (size_t)snprintf(text, sizeof(text), "{\"%0*d\":", (int)pad + 1, 0);
        memcpy(text + used, origin, size);
        used += size;
        text[used++] = '}';
        for (uint64_t changes = prng_below(&prng, 4); changes > 0 && used > 1; changes--) {
            size_t at = 1 + prng_below(&prng, used - 1);
            switch (prng_below(&prng, 4)) {
            case 0:
                text[at] = pick(&prng);
                break;
            case 1: /* out */
                memmove(text + at, text + at + 1, used - at - 1);
                used--;
                break;
            case 2: /* in */
                memmove(text + at + 1, text + at, used - at);
                text[at] = pick(&prng);
                used++;
                break;
            default: /* cut off */
                used = prng_below(&prng, 8) == 0 ? at : used;
                break;
            }
        }
        compare_copy(text, used, (unsigned)prng_below(&prng, 3) == 0 ? 6 : 100, &arena);
    }
    arena_fini(&arena);
}

/* Deeper than there are bits: refused, for the checker to say. */
static void
deep_nesting_is_left_to_the_checker(void **state)
{
    (void)state;
    struct arena arena;
    struct json_index index;
    char text[600];
    arena_init(&arena, 0);
    for (size_t depth = 1; depth < 120; depth++) {
        size_t used = 0;
        used += (size_t)snprintf(text, sizeof(text), "{\"a\":");
        for (size_t i = 1; i < depth; i++) {
            text[used++] = '[';
        }
        text[used++] = '1';
        for (size_t i = 1; i < depth; i++) {
            text[used++] = ']';
        }
        text[used++] = '}';
        struct slice slice = slice_make(text, used);
        assert_int_equal(json_index(slice, 1024, &arena, &index) == CODEC_OK, depth <= 62);
        arena_clear(&arena);
        if (depth <= 62) {
            assert_int_equal(json_index(slice, (unsigned)depth, &arena, &index), CODEC_OK);
            assert_int_equal(json_index(slice, (unsigned)depth - 1, &arena, &index), CODEC_BAD);
        }
    }
    arena_fini(&arena);
}

static void
many_members_are_all_found(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    char *text = malloc(200000);
    assert_non_null(text);
    size_t used = 1;
    text[0] = '{';
    for (int i = 0; i < 10000; i++) {
        used += (size_t)snprintf(text + used, 32, "%s\"%d\":%d", i == 0 ? "" : ",", i, i);
    }
    text[used++] = '}';
    compare_copy(text, used, 100, &arena);
    free(text);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_the_checker_on_whole_texts),
        cmocka_unit_test(it_agrees_with_the_checker_on_damaged_texts),
        cmocka_unit_test(deep_nesting_is_left_to_the_checker),
        cmocka_unit_test(many_members_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
