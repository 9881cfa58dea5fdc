#include "bench/memcached.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
check_cut(const char *text, size_t cut, bool is_miss, bool is_error,
          struct memcached_reply *reply)
{
    size_t size = strlen(text);
    size_t used = 0;
    size_t at = 0;
    if (cut < size) {
        assert_int_equal(memcached_reply_skip(reply, text, cut, &used), RESP_MORE);
        assert_int_equal(used, cut);
        at = cut;
    }
    assert_int_equal(memcached_reply_skip(reply, text + at, size - at, &used), RESP_READY);
    assert_int_equal(at + used, size);
    assert_int_equal(reply->is_miss, is_miss);
    assert_int_equal(reply->is_error, is_error);
}

static void
replies_cut_at_every_byte_end_where_they_end(void **state)
{
    (void)state;
    struct memcached_reply reply;
    memcached_reply_init(&reply);
    static const struct {
        const char *text;
        bool is_miss;
        bool is_error;
    } cases[] = {
        {"STORED\r\n", false, false},
        {"END\r\n", true, false},
        {"VALUE key 0 5\r\nEND\r\n\r\nEND\r\n", false, false},
        {"VALUE key 0 0\r\n\r\nEND\r\n", false, false},
        {"TOUCHED\r\n", false, false},
        {"NOT_FOUND\r\n", true, false},
        {"ERROR\r\n", false, true},
        {"SERVER_ERROR out of memory\r\n", false, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            check_cut(cases[i].text, cut, cases[i].is_miss, cases[i].is_error, &reply);
        }
    }
}

static void
what_is_no_reply_is_bad(void **state)
{
    (void)state;
    struct memcached_reply reply;
    memcached_reply_init(&reply);
    size_t used;
    const char *text = "VALUE key 0 x\r\n";
    assert_int_equal(memcached_reply_skip(&reply, text, strlen(text), &used), RESP_BAD);
    memcached_reply_init(&reply);
    char endless[MEMCACHED_LINE_SIZE + 1];
    memset(endless, 'a', sizeof(endless));
    assert_int_equal(memcached_reply_skip(&reply, endless, sizeof(endless), &used), RESP_BAD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_cut_at_every_byte_end_where_they_end),
        cmocka_unit_test(what_is_no_reply_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
