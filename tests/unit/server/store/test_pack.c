#include "server/store/dictionaries.h"
#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SAMPLE_COUNT = 2000, SAMPLE_SIZE = 400, GUARD = 64 };

static const enum pack_algorithm algorithms[] = {PACK_LZ4, PACK_ZSTD};

static uint64_t seed = 7;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* A session as an application might write it. */
static size_t
write_session(char *out)
{
    static const char *const names[] = {"Ada Lovelace", "Grace Hopper", "Alan Turing"};
    return (size_t)snprintf(
        out, SAMPLE_SIZE,
        "{\"userId\":\"%u\",\"userName\":\"%s\",\"csrf\":\"%08x%08x\",\"views\":%u,"
        "\"cookie\":{\"originalMaxAge\":3600000,\"httpOnly\":true,\"path\":\"/\"},"
        "\"history\":[{\"page\":\"/account\",\"at\":17900%u},{\"page\":\"/\",\"at\":17900%u}]}",
        draw(100000), names[draw(3)], draw(UINT32_MAX), draw(UINT32_MAX), draw(500),
        draw(100000000), draw(100000000));
}

/* A dictionary trained from sessions. */
static struct pack_dictionary *
train(enum pack_algorithm algorithm)
{
    static char samples[SAMPLE_COUNT * SAMPLE_SIZE];
    static size_t sizes[SAMPLE_COUNT];
    static char content[PACK_DICTIONARY_MAX];
    size_t used = 0;
    for (size_t i = 0; i < SAMPLE_COUNT; i++) {
        sizes[i] = write_session(samples + used);
        used += sizes[i];
    }
    size_t size = pack_train(samples, sizes, SAMPLE_COUNT, content);
    assert_in_range(size, 1, PACK_DICTIONARY_MAX);
    struct pack_dictionary *dictionary =
        pack_dictionary_new(algorithm, slice_make(content, size));
    assert_non_null(dictionary);
    assert_int_equal(pack_dictionary_size(dictionary), size);
    assert_in_range(pack_dictionary_memory(dictionary), size, 200 * 1024);
    return dictionary;
}

static void
sessions_become_a_third_and_come_back_whole(void **state)
{
    (void)state;
    struct pack_context *context = pack_context_new();
    for (size_t i = 0; i < 2; i++) {
        struct pack_dictionary *dictionary = train(algorithms[i]);
        size_t raw_sum = 0;
        size_t packed_sum = 0;
        for (int round = 0; round < 500; round++) {
            char raw[SAMPLE_SIZE];
            char packed[SAMPLE_SIZE];
            char back[SAMPLE_SIZE];
            size_t size = write_session(raw);
            size_t now = pack(context, dictionary, slice_make(raw, size), packed, size);
            assert_in_range(now, 1, size);
            assert_true(unpack(context, dictionary, slice_make(packed, now), back, size));
            assert_memory_equal(raw, back, size);
            raw_sum += size;
            packed_sum += now;
        }
        assert_true(packed_sum * 10 < raw_sum * 4);
        pack_dictionary_free(dictionary);
    }
    pack_context_free(context);
}

static void
any_bytes_of_any_size_come_back_or_do_not_fit(void **state)
{
    (void)state;
    static char raw[PACK_SIZE_MAX];
    static char packed[PACK_SIZE_MAX + 1024];
    static char back[PACK_SIZE_MAX];
    struct pack_context *context = pack_context_new();
    for (size_t i = 0; i < 2; i++) {
        struct pack_dictionary *dictionaries[2] = {
            train(algorithms[i]), pack_dictionary_new(algorithms[i], SLICE_OF(""))};
        for (int round = 0; round < 400; round++) {
            size_t size = round < 100 ? (size_t)round + 1 : draw(PACK_SIZE_MAX) + 1;
            uint32_t values = draw(256) + 1;
            for (size_t at = 0; at < size; at++) {
                raw[at] = (char)draw(values);
            }
            const struct pack_dictionary *dictionary = dictionaries[round % 2];
            size_t now =
                pack(context, dictionary, slice_make(raw, size), packed, sizeof(packed));
            assert_in_range(now, 1, sizeof(packed));
            assert_true(unpack(context, dictionary, slice_make(packed, now), back, size));
            assert_memory_equal(raw, back, size);
            assert_int_equal(pack(context, dictionary, slice_make(raw, size), packed, now - 1),
                             0);
        }
        pack_dictionary_free(dictionaries[0]);
        pack_dictionary_free(dictionaries[1]);
    }
    pack_context_free(context);
}

/* Whatever the bytes, nothing around <out> is touched, and success means <size> bytes. */
static void
damaged_bytes_fail_within_their_room(void **state)
{
    (void)state;
    struct pack_context *context = pack_context_new();
    for (size_t i = 0; i < 2; i++) {
        struct pack_dictionary *dictionary = train(algorithms[i]);
        unsigned failures = 0;
        for (int round = 0; round < 20000; round++) {
            char raw[SAMPLE_SIZE];
            char packed[SAMPLE_SIZE];
            size_t size = write_session(raw);
            size_t now = pack(context, dictionary, slice_make(raw, size), packed, size);
            for (uint32_t edits = draw(4); edits > 0; edits--) {
                packed[draw((uint32_t)now)] = (char)draw(256);
            }
            size_t given = draw(4) == 0 ? draw((uint32_t)now + 1) : now;
            size_t wanted = draw(4) == 0 ? draw(SAMPLE_SIZE) : size;
            char *exact = malloc(given + 1); /* so that a sanitizer sees reads behind it */
            char *out = malloc(wanted + GUARD);
            memcpy(exact, packed, given);
            memset(out + wanted, 0x5a, GUARD);
            failures += !unpack(context, dictionary, slice_make(exact, given), out, wanted);
            for (size_t at = 0; at < GUARD; at++) {
                assert_int_equal(out[wanted + at], 0x5a);
            }
            free(exact);
            free(out);
        }
        assert_in_range(failures, 1000, 20000);
        pack_dictionary_free(dictionary);
    }
    pack_context_free(context);
}

static void
too_few_samples_train_nothing(void **state)
{
    (void)state;
    static char samples[PACK_TRAIN_SAMPLES_MIN * SAMPLE_SIZE];
    static char content[PACK_DICTIONARY_MAX];
    static size_t sizes[PACK_TRAIN_SAMPLES_MIN];
    size_t used = 0;
    for (size_t i = 0; i < PACK_TRAIN_SAMPLES_MIN; i++) {
        sizes[i] = write_session(samples + used);
        used += sizes[i];
    }
    assert_int_equal(pack_train(samples, sizes, PACK_TRAIN_SAMPLES_MIN - 1, content), 0);
    assert_in_range(pack_train(samples, sizes, PACK_TRAIN_SAMPLES_MIN, content), 1,
                    PACK_DICTIONARY_MAX);
}

static void
a_packed_body_names_its_dictionary_and_its_raw_size(void **state)
{
    (void)state;
    struct pack_context *context = pack_context_new();
    struct dictionaries *dictionaries = dictionaries_new();
    assert_int_equal(dictionaries_memory(dictionaries), 0);
    assert_int_equal(dictionaries_put(dictionaries, train(PACK_LZ4)), 1);
    assert_int_equal(dictionaries_put(dictionaries, train(PACK_ZSTD)), 2);
    assert_in_range(dictionaries_memory(dictionaries), 40000, 400000);
    for (unsigned number = 1; number <= 2; number++) {
        char raw[SAMPLE_SIZE];
        char out[SAMPLE_SIZE];
        char back[SAMPLE_SIZE];
        size_t size = write_session(raw);
        size_t now =
            packed_make(context, dictionaries, number, slice_make(raw, size), out, size);
        struct slice packed = slice_make(out, now);
        assert_in_range(now, PACKED_HEAD_SIZE + 1, size);
        assert_int_equal(packed_dictionary(packed), number);
        assert_int_equal(packed_raw_size(packed), size);
        assert_true(packed_open(context, dictionaries, packed, back));
        assert_memory_equal(raw, back, size);
        assert_int_equal(
            packed_make(context, dictionaries, number, slice_make(raw, size), out, 3), 0);
        out[0] = 77; /* a number that is not given out */
        assert_false(packed_open(context, dictionaries, packed, back));
        assert_false(packed_open(context, dictionaries, slice_make(out, 2), back));
    }
    dictionaries_pin(dictionaries);
    assert_false(dictionaries_drop(dictionaries, 1));
    dictionaries_unpin(dictionaries);
    assert_true(dictionaries_drop(dictionaries, 1));
    assert_null(dictionaries_get(dictionaries, 1));
    assert_int_equal(dictionaries_put(dictionaries, train(PACK_LZ4)), 1);
    dictionaries_free(dictionaries);
    pack_context_free(context);
}

static void
as_many_dictionaries_as_there_are_numbers(void **state)
{
    (void)state;
    struct dictionaries *dictionaries = dictionaries_new();
    struct pack_dictionary *dictionary = NULL;
    for (unsigned number = 1; number < DICTIONARIES_MAX; number++) {
        dictionary = pack_dictionary_new(PACK_LZ4, SLICE_OF("abcdefgh"));
        assert_int_equal(dictionaries_put(dictionaries, dictionary), number);
    }
    dictionary = pack_dictionary_new(PACK_LZ4, SLICE_OF("abcdefgh"));
    assert_int_equal(dictionaries_put(dictionaries, dictionary), 0);
    pack_dictionary_free(dictionary);
    dictionaries_free(dictionaries);
}

static void
without_memory_there_is_neither_context_nor_dictionary(void **state)
{
    (void)state;
    memory_fail_at(1);
    assert_null(pack_context_new());
    memory_fail_at(1);
    assert_null(pack_dictionary_new(PACK_ZSTD, SLICE_OF("abcdefgh")));
    memory_fail_at(1);
    assert_null(dictionaries_new());
    assert_int_equal(memory_fail_at(0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_become_a_third_and_come_back_whole),
        cmocka_unit_test(any_bytes_of_any_size_come_back_or_do_not_fit),
        cmocka_unit_test(damaged_bytes_fail_within_their_room),
        cmocka_unit_test(too_few_samples_train_nothing),
        cmocka_unit_test(a_packed_body_names_its_dictionary_and_its_raw_size),
        cmocka_unit_test(as_many_dictionaries_as_there_are_numbers),
        cmocka_unit_test(without_memory_there_is_neither_context_nor_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
