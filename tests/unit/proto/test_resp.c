#include "proto/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct resp_limits open_limits = {RESP_ARGC_MAX, 512u << 20, true};

static enum resp_result
parse_text(struct resp_request *request, const char *text, char *copy)
{
    size_t size = strlen(text);
    memcpy(copy, text, size);
    return resp_request_parse(request, copy, size, &open_limits);
}

static void
a_request_cut_at_every_byte_parses_alike(void **state)
{
    (void)state;
    const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nb\n\r\n";
    size_t size = sizeof(text) - 1;
    for (size_t cut = 0; cut <= size; cut++) {
        char data[sizeof(text)];
        struct resp_request request;
        resp_request_init(&request);
        memcpy(data, text, size);
        for (size_t have = cut; have < size; have++) {
            assert_int_equal(resp_request_parse(&request, data, have, &open_limits), RESP_MORE);
        }
        assert_int_equal(resp_request_parse(&request, data, size, &open_limits), RESP_READY);
        assert_int_equal(request.argc, 3);
        assert_int_equal(request.position, size);
        assert_memory_equal(data + request.spans[2].offset, "a\r\nb\n", 5);
        resp_request_fini(&request);
    }
}

static void
inline_arguments_are_split_and_unquoted(void **state)
{
    (void)state;
    struct resp_request request;
    resp_request_init(&request);
    char copy[128];
    assert_int_equal(parse_text(&request, "set  \"a\\x41\\n\" 'it\\'s' x\r\nrest", copy),
                     RESP_READY);
    assert_int_equal(request.argc, 4);
    assert_int_equal(request.spans[1].size, 3);
    assert_memory_equal(copy + request.spans[1].offset, "aA\n", 3);
    assert_memory_equal(copy + request.spans[2].offset, "it's", 4);
    resp_request_clear(&request);
    assert_int_equal(parse_text(&request, "get \"a\r\n", copy), RESP_BAD);
    assert_string_equal(request.error, "Protocol error: unbalanced quotes in request");
    resp_request_fini(&request);
}

static void
wrong_requests_are_bad_with_redis_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"*x\r\n", "Protocol error: invalid multibulk length"},
        {"*99999999999\r\n", "Protocol error: invalid multibulk length"},
        {"*1\r\n:1\r\n", "Protocol error: expected '$', got ':'"},
        {"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"},
        {"*1\r\n$9999999999\r\n", "Protocol error: invalid bulk length"},
        {"*1\r\n$1\r\nabc", "Protocol error: expected CRLF after bulk"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct resp_request request;
        resp_request_init(&request);
        char copy[64];
        assert_int_equal(parse_text(&request, cases[i].text, copy), RESP_BAD);
        assert_string_equal(request.error, cases[i].error);
        resp_request_fini(&request);
    }
}

static void
limits_before_authentication_are_small(void **state)
{
    (void)state;
    const struct resp_limits small = {10, 16384, false};
    struct resp_request request;
    resp_request_init(&request);
    char many[] = "*11\r\n";
    assert_int_equal(resp_request_parse(&request, many, 5, &small), RESP_BAD);
    assert_string_equal(request.error, "Protocol error: unauthenticated multibulk length");
    resp_request_clear(&request);
    char big[] = "*1\r\n$16385\r\n";
    assert_int_equal(resp_request_parse(&request, big, 12, &small), RESP_BAD);
    assert_string_equal(request.error, "Protocol error: unauthenticated bulk length");
    resp_request_fini(&request);
}

static void
an_endless_line_is_refused(void **state)
{
    (void)state;
    size_t size = RESP_INLINE_SIZE_MAX + 2;
    char *data = malloc(size);
    memset(data, 'a', size);
    struct resp_request request;
    resp_request_init(&request);
    assert_int_equal(resp_request_parse(&request, data, 1000, &open_limits), RESP_MORE);
    assert_int_equal(resp_request_parse(&request, data, size, &open_limits), RESP_BAD);
    assert_string_equal(request.error, "Protocol error: too big inline request");
    resp_request_clear(&request);
    data[0] = '*';
    assert_int_equal(resp_request_parse(&request, data, size, &open_limits), RESP_BAD);
    assert_string_equal(request.error, "Protocol error: too big mbulk count string");
    resp_request_fini(&request);
    free(data);
}

/* Whatever is taken at once is what the parser finds. Returns what was taken. */
static size_t
take(const char *text, size_t size)
{
    struct slice argv[4] = {{0}};
    size_t argc = 0;
    char *copy = malloc(size + 1); /* of its size, for the sanitizers */
    memcpy(copy, text, size);
    struct resp_request request;
    resp_request_init(&request);
    size_t taken = resp_request_take(copy, size, &open_limits, 4, argv, &argc);
    if (taken > 0) {
        assert_int_equal(resp_request_parse(&request, copy, size, &open_limits), RESP_READY);
        assert_int_equal(request.position, taken);
        assert_int_equal(request.argc, argc);
        for (size_t i = 0; i < argc; i++) {
            assert_ptr_equal(argv[i].data, copy + request.spans[i].offset);
            assert_int_equal(argv[i].size, request.spans[i].size);
        }
    }
    resp_request_fini(&request);
    free(copy);
    return taken;
}

static void
whole_requests_are_taken_at_once(void **state)
{
    (void)state;
    static const char *const usual[] = {
        "*1\r\n$4\r\nPING\r\n",
        "*2\r\n$3\r\nGET\r\n$16\r\n0123456789abcdef\r\n",
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n",
        "*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$5\r\na\r\nb\n\r\n",
        "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n",
    };
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
        size_t size = strlen(usual[i]);
        assert_int_equal(take(usual[i], size), size);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(take(usual[i], cut), 0);
        }
        for (size_t at = 0; at < size; at++) {
            for (const char *byte = "\r\n$*-+0159:/\x80 "; *byte != '\0'; byte++) {
                char damaged[64];
                memcpy(damaged, usual[i], size);
                damaged[at] = *byte;
                (void)take(damaged, size);
            }
        }
    }
}

static void
what_is_unusual_is_left_to_the_parser(void **state)
{
    (void)state;
    static const char *const unusual[] = {
        "",
        "PING\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n", /* no room */
        "*01\r\n$0000000004\r\nPING\r\n",
        "*1\r\n$04\r\nPING\r\n",
        "*1\r\n$18446744073709551620\r\nPING\r\n",
        "*1\r\n$4294967300\r\nPING\r\n",
        "*1\r\n$999999999\r\nPING\r\n",
        "*1\r\n$4\r\nPINGxy",
    };
    for (size_t i = 0; i < sizeof(unusual) / sizeof(*unusual); i++) {
        assert_int_equal(take(unusual[i], strlen(unusual[i])), 0);
    }
    struct slice argv[2];
    size_t argc;
    const struct resp_limits small = {2, 3, false};
    const char text[] = "*2\r\n$3\r\nGET\r\n$4\r\nabcd\r\n";
    assert_int_equal(resp_request_take(text, sizeof(text) - 1, &small, 2, argv, &argc), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_cut_at_every_byte_parses_alike),
        cmocka_unit_test(inline_arguments_are_split_and_unquoted),
        cmocka_unit_test(wrong_requests_are_bad_with_redis_texts),
        cmocka_unit_test(limits_before_authentication_are_small),
        cmocka_unit_test(an_endless_line_is_refused),
        cmocka_unit_test(whole_requests_are_taken_at_once),
        cmocka_unit_test(what_is_unusual_is_left_to_the_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
