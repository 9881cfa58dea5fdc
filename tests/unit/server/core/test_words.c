#include "server/core/words.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Cut <line> and compare with <expected>, which separates its words by bars. */
static void
assert_words(const char *line, const char *expected)
{
    struct words words;
    assert_int_equal(words_init(&words, slice_from_string(line)), WORDS_READY);
    char seen[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < words.count; i++) {
        seen[used] = '|';
        used += i > 0;
        memcpy(seen + used, words.items[i].data, words.items[i].size);
        used += words.items[i].size;
    }
    seen[used] = '\0';
    assert_string_equal(seen, expected);
    words_fini(&words);
}

static void
words_are_separated_by_white_space(void **state)
{
    (void)state;
    assert_words("", "");
    assert_words("  \t ", "");
    assert_words("save 900 1", "save|900|1");
    assert_words("\tsave\t900 \r\n", "save|900");
}

static void
quotes_and_escapes_are_those_of_redis(void **state)
{
    (void)state;
    assert_words("a \"b c\" d", "a|b c|d");
    assert_words("save \"\"", "save|");
    assert_words("\"\\x41\\n\\t\\\"\\\\\\q\"", "A\n\t\"\\q");
    assert_words("\"\\xZZ\"", "xZZ");
    assert_words("'it\\'s \\n'", "it's \\n");
    assert_words("pre\"fix ed\"", "prefix ed");
}

static void
a_quote_that_is_never_closed_or_touched_behind_is_refused(void **state)
{
    (void)state;
    const char *const bad[] = {"\"", "'", "a \"b", "\"a\"b", "'a'b", "\"a\\\"", "'a\\'"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct words words;
        assert_int_equal(words_init(&words, slice_from_string(bad[i])), WORDS_UNBALANCED);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_separated_by_white_space),
        cmocka_unit_test(quotes_and_escapes_are_those_of_redis),
        cmocka_unit_test(a_quote_that_is_never_closed_or_touched_behind_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
