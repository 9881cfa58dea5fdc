#include "server/cmd/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* <body> with the footer of RDB version 10, as one more block of <arena>. */
static struct slice
sealed(struct arena *arena, struct slice body)
{
    char *bytes = arena_alloc(arena, body.size + 10);
    assert_non_null(bytes);
    memcpy(bytes, body.data, body.size);
    bytes[body.size] = 10;
    bytes[body.size + 1] = 0;
    uint64_t checksum = payload_checksum(slice_make(bytes, body.size + 2));
    for (unsigned i = 0; i < 8; i++) {
        bytes[body.size + 2 + i] = (char)(checksum >> (8 * i) & 0xff);
    }
    return slice_make(bytes, body.size + 10);
}

static void
assert_body(struct slice rdb, const char *expected)
{
    struct arena arena;
    struct payload payload;
    arena_init(&arena, 0);
    assert_int_equal(payload_read(sealed(&arena, rdb), &arena, &payload), PAYLOAD_READ);
    assert_false(payload.is_hash);
    assert_true(slice_equal(payload.record.body, slice_from_string(expected)));
    arena_fini(&arena);
}

static void
the_checksum_is_redis_crc64(void **state)
{
    (void)state;
    assert_true(payload_checksum(SLICE_OF("123456789")) == 0xe9c6d914c4b8d9caU);
}

static void
what_is_written_is_read(void **state)
{
    (void)state;
    static char big[20000];
    const size_t sizes[] = {0, 1, 63, 64, 16383, 16384, sizeof(big)};
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct buffer out;
        struct payload payload;
        buffer_init(&out, 0);
        const struct record record = {.body = slice_make(big, sizes[i])};
        payload_write_string(&out, &record);
        assert_int_equal(payload_read(buffer_slice(&out), &arena, &payload), PAYLOAD_READ);
        assert_true(slice_equal(payload.record.body, slice_make(big, sizes[i])));
        buffer_fini(&out);
    }
    arena_fini(&arena);
}

static void
a_record_of_a_schema_is_carried_whole(void **state)
{
    (void)state;
    const struct record record = {
        .schema = SLICE("session"),
        .version = 300,
        .complement = SLICE("\x01\x00\xff"),
        .body = SLICE("{\"a\":1}"),
    };
    struct arena arena;
    struct buffer out;
    struct payload payload;
    arena_init(&arena, 0);
    buffer_init(&out, 0);
    payload_write_string(&out, &record);
    assert_int_equal(payload_read(buffer_slice(&out), &arena, &payload), PAYLOAD_READ);
    assert_false(payload.is_hash);
    assert_true(slice_equal(payload.record.schema, record.schema));
    assert_int_equal(payload.record.version, 300);
    assert_true(slice_equal(payload.record.complement, record.complement));
    assert_true(slice_equal(payload.record.body, record.body));
    buffer_fini(&out);
    arena_fini(&arena);
}

static void
every_form_of_a_string_is_read(void **state)
{
    (void)state;
    assert_body(SLICE_OF("\x00\x05hello"), "hello");
    assert_body(SLICE_OF("\x00\x40\x05hello"), "hello");
    assert_body(SLICE_OF("\x00\x80\x00\x00\x00\x05hello"), "hello");
    assert_body(SLICE_OF("\x00\xc0\xff"), "-1");
    assert_body(SLICE_OF("\x00\xc1\x00\x80"), "-32768");
    assert_body(SLICE_OF("\x00\xc2\x40\xe2\x01\x00"), "123456");
    /* LZF: one literal, then nine more of it */
    assert_body(SLICE_OF("\x00\xc3\x05\x0a\x00"
                         "a\xe0\x00\x00"),
                "aaaaaaaaaa");
}

static void
packed_hashes_are_read(void **state)
{
    (void)state;
    const struct slice forms[] = {
        /* listpack: "f" => 5 */
        SLICE("\x10\x0c\x0c\x00\x00\x00\x02\x00\x81"
              "f\x02\x05\x01\xff"),
        /* ziplist: "f" => 5 */
        SLICE("\x0d\x10\x10\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01"
              "f\x03\xf6\xff"),
        /* plain */
        SLICE("\x04\x01\x01"
              "f\xc0\x05"),
    };
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        struct payload payload;
        assert_int_equal(payload_read(sealed(&arena, forms[i]), &arena, &payload),
                         PAYLOAD_READ);
        assert_true(payload.is_hash);
        assert_int_equal(payload.pair_count, 1);
        assert_true(slice_equal(payload.pairs[0], SLICE_OF("f")));
        assert_true(slice_equal(payload.pairs[1], SLICE_OF("5")));
    }
    arena_fini(&arena);
}

static void
damage_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    struct payload payload;
    arena_init(&arena, 0);
    assert_int_equal(payload_read(SLICE_OF(""), &arena, &payload), PAYLOAD_BAD_CHECKSUM);
    assert_int_equal(payload_read(SLICE_OF("garbage, but long enough"), &arena, &payload),
                     PAYLOAD_BAD_CHECKSUM);
    const struct slice bad[] = {
        SLICE(""),
        SLICE("\x00"),
        SLICE("\x00\x05hell"),
        SLICE("\x00\x05hello!"),
        SLICE("\x04\x00"),
        SLICE("\x01\x00"),
        SLICE("\x00\xc4"),
        SLICE("\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(payload_read(sealed(&arena, bad[i]), &arena, &payload),
                         PAYLOAD_BAD_FORMAT);
    }
    arena_fini(&arena);
}

/* For the sanitizers: nothing is read or written outside, whatever the bytes. */
static void
no_bytes_do_harm(void **state)
{
    (void)state;
    static const char TYPES[] = {0, 4, 13, 16};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    uint64_t noise = 42;
    for (unsigned round = 0; round < 200000; round++) {
        char body[48];
        size_t size = round % sizeof(body);
        for (size_t i = 0; i < size; i++) {
            noise = noise * 6364136223846793005U + 1442695040888963407U;
            unsigned kind = (unsigned)(noise >> 40) & 3;
            body[i] = (char)(kind == 0   ? noise >> 33 & 0xff
                             : kind == 1 ? noise >> 33 & 7
                             : kind == 2 ? 0xc0 | (noise >> 33 & 0x3f)
                                         : 0);
        }
        if (size > 0) {
            body[0] = TYPES[noise >> 50 & 3];
        }
        struct payload payload;
        (void)payload_read(sealed(&arena, slice_make(body, size)), &arena, &payload);
        arena_clear(&arena);
    }
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_redis_crc64),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_record_of_a_schema_is_carried_whole),
        cmocka_unit_test(every_form_of_a_string_is_read),
        cmocka_unit_test(packed_hashes_are_read),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(no_bytes_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
