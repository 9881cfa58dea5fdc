/*
 * translate - what the fuzz targets of the codecs share: any body and any complement, under
 * each of a few schemas, survive views, rebases and writes. Input: a byte that picks schema and
 * versions, two bytes of the size of the complement, the complement, the body; what follows a
 * 0xff byte in the body is written over it.
 */
#ifndef TESTS_FUZZ_TRANSLATE_H
#define TESTS_FUZZ_TRANSLATE_H

#include "proto/base/buffer.h"
#include "proto/base/check.h"
#include "proto/lens.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const documents[] = {
    "{\"schema\":\"s\",\"keys\":[\"s:*\"],\"codec\":%s,\"identity\":[\"/p/"
    "u\"],\"versions\":["
    "{\"version\":1},{\"version\":2,%s\"steps\":["
    "{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"},"
    "{\"op\":\"add\",\"path\":\"/t\",\"default\":\"x\"},{\"op\":\"remove\",\"path\":\"/l\"},"
    "{\"op\":\"map\",\"path\":\"/r\",\"up\":{\"a\":\"a\"},\"down\":{\"a\":\"a\",\"o\":\"a\"},"
    "\"down_else\":{\"value\":\"u\"}}]},{\"version\":3,\"steps\":["
    "{\"op\":\"move\",\"from\":\"/p/u\",\"to\":\"/u/id\"},{\"op\":\"wrap\",\"path\":\"/r\"},"
    "{\"op\":\"convert\",\"path\":\"/v\",\"from\":\"integer\",\"to\":\"string\"},"
    "{\"op\":\"fill\",\"path\":\"/f\",\"value\":1}]}]}",

    "{\"schema\":\"c\",\"keys\":[\"c:*\"],\"codec\":%s,\"versions\":[{\"version\":1},"
    "{\"version\":2,%s\"steps\":[{\"op\":\"each\",\"path\":\"/i\",\"key\":\"/k\",\"steps\":["
    "{\"op\":\"add\",\"path\":\"/n\",\"default\":\"\"},"
    "{\"op\":\"scale\",\"path\":\"/p\",\"factor\":\"100\",\"up_digits\":0,\"down_digits\":2}]},"
    "{\"op\":\"convert\",\"path\":\"/d\",\"from\":\"unix-seconds\",\"to\":\"iso-8601\"}]},"
    "{\"version\":3,\"steps\":["
    "{\"op\":\"split\",\"path\":\"/c\",\"separator\":\" \",\"into\":[\"x\",\"y\"]},"
    "{\"op\":\"filter\",\"path\":\"/e\",\"key\":\"/k\",\"hide\":{\"path\":\"/"
    "h\",\"values\":[\"b\",1]}},"
    "{\"op\":\"join\",\"from\":[\"q\",\"w\"],\"separator\":\"_\",\"path\":\"/j\"},"
    "{\"op\":\"unwrap\",\"path\":\"/g\"}]}]}",
};

enum { SCHEMA_COUNT = sizeof(documents) / sizeof(*documents), VERSIONS = 3 };

static struct lens_schema *
schema_get(const char *codec, const char *change, size_t index)
{
    static struct lens_schema *schemas[SCHEMA_COUNT];
    if (schemas[index] == NULL) {
        struct lens_problem problem;
        struct buffer json;
        buffer_init(&json, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buffer_printf(&json, documents[index], codec, change);
#pragma GCC diagnostic pop
        schemas[index] = lens_schema_new(buffer_slice(&json), &problem);
        buffer_fini(&json);
        if (schemas[index] == NULL) {
            (void)fprintf(stderr, "%s: %s\n", problem.path, problem.text);
            abort();
        }
    }
    return schemas[index];
}

static void
check_failure(const struct lens_failure *failure)
{
    CHECK(failure->reason > LENS_OK && failure->reason < LENS_REASON_COUNT);
    CHECK(memchr(failure->path, '\0', sizeof(failure->path)) != NULL);
    CHECK(memchr(failure->text, '\0', sizeof(failure->text)) != NULL);
}

/* Look at the record from every version, and rebase it to every version. */
static void
look(const struct lens_schema *schema, const struct lens_record *record, struct arena *arena)
{
    for (unsigned to = 1; to <= VERSIONS; to++) {
        struct lens_failure failure = {.reason = LENS_OK};
        struct slice view;
        struct lens_record rebased;
        bool seen = lens_view(schema, record, to, arena, &view, &failure);
        if (!seen) {
            check_failure(&failure);
        }
        if (lens_rebase(schema, record, to, arena, &rebased, &failure)) {
            CHECK(seen && slice_equal(view, rebased.body) && rebased.version == to);
        }
    }
}

/*
 * For schemas of <codec>; <change> is what version 2 says of its own (both JSON text, the
 * latter with a comma behind it). Always the same in one program.
 */
static int
translate_one(const char *codec, const char *change, const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    const struct lens_schema *schema = schema_get(codec, change, data[0] % SCHEMA_COUNT);
    unsigned version = data[0] / SCHEMA_COUNT % VERSIONS + 1;
    unsigned by = data[0] / SCHEMA_COUNT / VERSIONS % VERSIONS + 1;
    size_t complement_size = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    complement_size = complement_size < size ? complement_size : size;
    struct slice complement = slice_make(data, complement_size);
    struct slice body = slice_make(data + complement_size, size - complement_size);
    const char *mark = body.size == 0 ? NULL : memchr(body.data, 0xff, body.size);
    struct slice next = body;
    if (mark != NULL) {
        next = slice_make(mark + 1, body.size - (size_t)(mark + 1 - body.data));
        body.size = (size_t)(mark - body.data);
    }
    struct arena arena;
    arena_init(&arena, 64u << 20);
    struct lens_record record = {version, body, complement};
    look(schema, &record, &arena);
    struct lens_record after;
    struct lens_failure failure = {.reason = LENS_OK};
    if (lens_write(schema, &record, by, next, &arena, &after, &failure) != LENS_WRITE_REFUSED) {
        CHECK(after.version == by && slice_equal(after.body, next));
        look(schema, &after, &arena);
    }
    arena_fini(&arena);
    return 0;
}

#endif
