#include "proto/resp_reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Skip <text> cut into pieces that end at <cut> and at every byte from there on. */
static enum resp_result
skip_cut(struct resp_reply *reply, const char *text, size_t size, size_t cut, size_t *ret_at)
{
    enum resp_result result = RESP_MORE;
    size_t at = 0;
    size_t used;
    if (cut > 0) {
        result = resp_reply_skip(reply, text, cut, &used);
        at = used;
    }
    while (result == RESP_MORE && at < size) {
        result = resp_reply_skip(reply, text + at, 1, &used);
        at += used;
    }
    *ret_at = at;
    return result;
}

static void
replies_cut_at_every_byte_end_where_they_end(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "+OK\r\n",
        "-ERR no\r\n",
        ":-17\r\n",
        "$0\r\n\r\n",
        "$-1\r\n",
        "$6\r\na\r\nb\r\n\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*3\r\n$1\r\nx\r\n*2\r\n:1\r\n*0\r\n+y\r\n",
        "_\r\n",
        "#t\r\n",
        ",3.5\r\n",
        "(123456789012345678901234567890\r\n",
        "=7\r\ntxt:abc\r\n",
        "!5\r\nERR x\r\n",
        "~2\r\n:1\r\n:2\r\n",
        "%2\r\n+a\r\n%1\r\n+b\r\n_\r\n+c\r\n*1\r\n$-1\r\n",
        "|1\r\n+ttl\r\n:3\r\n$2\r\nhi\r\n",
        ">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        size_t size = strlen(texts[i]);
        for (size_t cut = 0; cut <= size; cut++) {
            struct resp_reply reply;
            resp_reply_init(&reply);
            for (int again = 0; again < 2; again++) {
                size_t at;
                assert_int_equal(skip_cut(&reply, texts[i], size, cut, &at), RESP_READY);
                assert_int_equal(at, size);
            }
        }
    }
}

static void
replies_in_one_piece_are_counted(void **state)
{
    (void)state;
    const char text[] = "+OK\r\n$3\r\nabc\r\n>1\r\n+x\r\n*1\r\n:1\r\n-ERR\r\n$5\r\nab";
    size_t size = sizeof(text) - 1;
    struct resp_reply reply;
    resp_reply_init(&reply);
    size_t count = 0;
    for (size_t at = 0; at < size; count++) {
        size_t used;
        enum resp_result result = resp_reply_skip(&reply, text + at, size - at, &used);
        at += used;
        if (result == RESP_MORE) {
            assert_int_equal(at, size);
            break;
        }
        assert_int_equal(result, RESP_READY);
    }
    assert_int_equal(count, 4);
}

static void
errors_and_nulls_are_told_apart(void **state)
{
    (void)state;
    struct resp_reply reply;
    resp_reply_init(&reply);
    size_t at;
    const char *error = "-ERR wrong number\r\n";
    assert_int_equal(skip_cut(&reply, error, strlen(error), 0, &at), RESP_READY);
    assert_int_equal(reply.kind, '-');
    assert_int_equal(reply.text_size, 16);
    assert_memory_equal(reply.text, "ERR wrong number", 16);
    assert_int_equal(skip_cut(&reply, "$-1\r\n", 5, 0, &at), RESP_READY);
    assert_true(reply.is_null);
    assert_int_equal(skip_cut(&reply, "*1\r\n$-1\r\n", 9, 3, &at), RESP_READY);
    assert_false(reply.is_null);
    assert_int_equal(skip_cut(&reply, "_\r\n", 3, 0, &at), RESP_READY);
    assert_true(reply.is_null);
    assert_int_equal(skip_cut(&reply, "+OK\r\n", 5, 0, &at), RESP_READY);
    assert_false(reply.is_null);
    assert_int_equal(reply.text_size, 0);
}

static void
a_long_error_is_cut_but_skipped_whole(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'e', sizeof(text));
    text[0] = '-';
    text[998] = '\r';
    text[999] = '\n';
    struct resp_reply reply;
    resp_reply_init(&reply);
    size_t used;
    assert_int_equal(resp_reply_skip(&reply, text, sizeof(text), &used), RESP_READY);
    assert_int_equal(used, sizeof(text));
    assert_int_equal(reply.text_size, RESP_REPLY_TEXT_SIZE);
}

static void
what_is_no_reply_is_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "hello\r\n",    "$x\r\n",      "$\r\n", "$-2\r\n",  "$3\r\nabcd\r\n",
        "$3\r\nabc\rX", "*1\r\nhello", "$1\rX", "%-1\r\n",  "*9999999999999999999\r\n",
        "$1-\r\n",      "*?\r\n",      "\r\n",  "$--1\r\n", "*999999999999999999\r\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct resp_reply reply;
        resp_reply_init(&reply);
        size_t used;
        assert_int_equal(resp_reply_skip(&reply, texts[i], strlen(texts[i]), &used), RESP_BAD);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_cut_at_every_byte_end_where_they_end),
        cmocka_unit_test(replies_in_one_piece_are_counted),
        cmocka_unit_test(errors_and_nulls_are_told_apart),
        cmocka_unit_test(a_long_error_is_cut_but_skipped_whole),
        cmocka_unit_test(what_is_no_reply_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
