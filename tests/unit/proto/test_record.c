#include "proto/record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
what_is_written_is_read(void **state)
{
    (void)state;
    static const char body[300];
    const struct record records[] = {
        {SLICE(""), 0, SLICE(""), SLICE("")},
        {SLICE(""), 0, SLICE(""), SLICE("\xc1 binary")},
        {SLICE("session"), 1, SLICE(""), SLICE("{}")},
        {SLICE("cart"), 65535, {body, sizeof(body)}, {body, sizeof(body)}},
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
        struct buffer out;
        struct record record;
        buffer_init(&out, 0);
        record_write(&out, &records[i]);
        assert_true(record_read(buffer_slice(&out), &record));
        assert_true(slice_equal(record.schema, records[i].schema));
        assert_int_equal(record.version, records[i].version);
        assert_true(slice_equal(record.complement, records[i].complement));
        assert_true(slice_equal(record.body, records[i].body));
        buffer_fini(&out);
    }
}

static void
anything_else_is_refused(void **state)
{
    (void)state;
    const struct slice bad[] = {
        SLICE(""),
        SLICE("\xc1"),
        SLICE("\xc1\x02\x00\x00\x00"),            /* a format to come */
        SLICE("{\x01\x00\x00\x00"),               /* no record */
        SLICE("\xc1\x01\x05sess"),                /* cut */
        SLICE("\xc1\x01\x01s\x01\x05"),           /* cut in the complement */
        SLICE("\xc1\x01\x01s\x00\x00{}"),         /* a schema without version */
        SLICE("\xc1\x01\x00\x01\x00{}"),          /* a version without schema */
        SLICE("\xc1\x01\x00\x00\x01x{}"),         /* a complement without schema */
        SLICE("\xc1\x01\x01s\x80\x80\x04\x00{}"), /* version 65,536 */
        SLICE("\xc1\x01\x01s\x81\x00\x00{}"),     /* a number spelled too long */
        SLICE("\xc1\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct record record;
        assert_false(record_read(bad[i], &record));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
