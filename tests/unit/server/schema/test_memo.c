#include "server/schema/memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ROOM = 1 << 20 };

struct fixture {
    _Atomic uint64_t bytes;
    struct memo *memo;
    struct lens_record record;
    struct memo_question question;
};

static int
set_up(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){
        .record = {.version = 1, .body = SLICE("body"), .complement = SLICE("hidden")}};
    fixture.memo = memo_new(&fixture.bytes);
    fixture.question = (struct memo_question){
        .hash = 0x123456789abcdef, .epoch = 1, .schema = 1, .version = 2};
    fixture.question.record = &fixture.record;
    *state = &fixture;
    return fixture.memo == NULL;
}

static int
tear_down(void **state)
{
    struct fixture *fixture = *state;
    memo_free(fixture->memo);
    return atomic_load(&fixture->bytes) != 0;
}

/* Twice: what is asked for once only is not kept. */
static void
put(struct fixture *fixture, struct slice view)
{
    memo_put(fixture->memo, &fixture->question, view, ROOM);
    memo_put(fixture->memo, &fixture->question, view, ROOM);
}

static bool
finds(struct fixture *fixture, struct slice expected)
{
    struct slice view;
    return memo_find(fixture->memo, &fixture->question, &view) && slice_equal(view, expected);
}

static void
only_what_is_asked_for_twice_is_kept(void **state)
{
    struct fixture *fixture = *state;
    assert_false(finds(fixture, SLICE_OF("view")));
    memo_put(fixture->memo, &fixture->question, SLICE_OF("view"), ROOM);
    assert_false(finds(fixture, SLICE_OF("view")));
    memo_put(fixture->memo, &fixture->question, SLICE_OF("view"), ROOM);
    assert_true(finds(fixture, SLICE_OF("view")));
}

static void
nothing_answers_a_question_that_differs_in_anything(void **state)
{
    struct fixture *fixture = *state;
    struct slice view;
    put(fixture, SLICE_OF("view"));
    const struct memo_question asked = fixture->question;
    const struct lens_record records[] = {
        {.version = 3, .body = SLICE("body"), .complement = SLICE("hidden")},
        {.version = 1, .body = SLICE("bodx"), .complement = SLICE("hidden")},
        {.version = 1, .body = SLICE("body"), .complement = SLICE("hiddem")},
        {.version = 1, .body = SLICE("body"), .complement = SLICE("")},
        {.version = 1, .body = SLICE("bodyh"), .complement = SLICE("idden")},
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
        struct memo_question other = asked;
        other.record = &records[i];
        assert_false(memo_find(fixture->memo, &other, &view));
    }
    for (int i = 0; i < 3; i++) {
        struct memo_question other = asked;
        other.epoch += i == 0;
        other.schema += i == 1;
        other.version += i == 2;
        assert_false(memo_find(fixture->memo, &other, &view));
    }
    assert_true(finds(fixture, SLICE_OF("view")));
}

static void
a_key_has_one_view_per_version(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, SLICE_OF("two"));
    fixture->question.version = 3;
    put(fixture, SLICE_OF("three"));
    assert_true(finds(fixture, SLICE_OF("three")));
    fixture->question.version = 2;
    assert_true(finds(fixture, SLICE_OF("two")));
    fixture->record.body = SLICE_OF("another body");
    put(fixture, SLICE_OF("new"));
    assert_true(finds(fixture, SLICE_OF("new")));
    fixture->record.body = SLICE_OF("body");
    assert_false(finds(fixture, SLICE_OF("two")));
}

static void
it_stays_within_its_room(void **state)
{
    struct fixture *fixture = *state;
    static char body[2000];
    fixture->record.body = slice_make(body, sizeof(body));
    for (uint64_t i = 1; i < 5000; i++) {
        fixture->question.hash = i * UINT64_C(0x9e3779b97f4a7c15);
        (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)i);
        put(fixture, fixture->record.body);
        assert_true(atomic_load(&fixture->bytes) <= ROOM);
    }
    assert_true(atomic_load(&fixture->bytes) > ROOM / 2);
    memo_trim(fixture->memo, ROOM / 4);
    assert_true(atomic_load(&fixture->bytes) <= ROOM / 4);
    memo_trim(fixture->memo, 0);
    assert_int_equal(atomic_load(&fixture->bytes), 0);
    memo_put(fixture->memo, &fixture->question, SLICE_OF("view"), 0);
    memo_put(fixture->memo, &fixture->question, SLICE_OF("view"), 0);
    assert_int_equal(atomic_load(&fixture->bytes), 0);
}

static void
what_is_used_outlives_what_is_not(void **state)
{
    struct fixture *fixture = *state;
    static char body[2000];
    const uint64_t hot = UINT64_C(0xfeedbeef12345678);
    unsigned found = 0;
    fixture->record.body = slice_make(body, sizeof(body));
    for (uint64_t i = 1; i < 20000; i++) {
        memset(body, 0, 24);
        fixture->question.hash = hot;
        if (finds(fixture, SLICE_OF("hot"))) {
            found++;
        } else {
            put(fixture, SLICE_OF("hot"));
        }
        fixture->question.hash = i * UINT64_C(0x9e3779b97f4a7c15);
        (void)snprintf(body, sizeof(body), "%llu", (unsigned long long)i);
        put(fixture, fixture->record.body);
    }
    assert_true(found > 19900);
}

static void
a_large_record_or_view_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    static char large[MEMO_RECORD_SIZE_MAX + 1];
    put(fixture, slice_make(large, sizeof(large)));
    assert_false(finds(fixture, slice_make(large, sizeof(large))));
    fixture->record.body = slice_make(large, sizeof(large));
    put(fixture, SLICE_OF("view"));
    assert_false(finds(fixture, SLICE_OF("view")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_is_asked_for_twice_is_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_answers_a_question_that_differs_in_anything,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_has_one_view_per_version, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_stays_within_its_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_used_outlives_what_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_record_or_view_is_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
