#include "server/schema/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* <count> measurements of <turn_us>, in order of time. */
static void
measure(struct pace *pace, int64_t *now_ms, unsigned count, uint64_t turn_us)
{
    for (unsigned i = 0; i < count; i++) {
        *now_ms += PACE_MEASURE_MS;
        pace_note_turn(pace, turn_us);
        assert_true(pace_heed(pace, *now_ms));
        assert_false(pace_heed(pace, *now_ms + 1)); /* not yet again */
    }
}

static void
work_begins_when_it_is_known_how_long_turns_are_without(void **state)
{
    (void)state;
    struct pace pace;
    int64_t now_ms = 1000000;
    pace_init(&pace);
    pace_begin(&pace, now_ms);
    measure(&pace, &now_ms, PACE_CALM_COUNT - 1, 30);
    assert_false(pace_may_begin(&pace));
    measure(&pace, &now_ms, 1, 30);
    assert_true(pace_may_begin(&pace));
    pace_begin(&pace, now_ms + PACE_CALM_MS / 2);
    assert_true(pace_may_begin(&pace));
    pace_begin(&pace, now_ms + PACE_CALM_MS + 1);
    assert_false(pace_may_begin(&pace));
}

static void
the_share_halves_when_turns_are_long_and_rises_slowly(void **state)
{
    (void)state;
    struct pace pace;
    int64_t now_ms = 1000000;
    pace_init(&pace);
    measure(&pace, &now_ms, PACE_CALM_COUNT, 100);
    unsigned share = pace.share;
    measure(&pace, &now_ms, 1, 2 * 100 + PACE_SLACK_US); /* still usual */
    assert_int_equal(pace.share, share + PACE_SHARE_STEP);
    share = pace.share;
    measure(&pace, &now_ms, 1, 10000);
    assert_int_equal(pace.share, share / 2);
    measure(&pace, &now_ms, 10, 100000);
    assert_int_equal(pace.share, PACE_SHARE_MIN);
    measure(&pace, &now_ms, 100, 50);
    assert_int_equal(pace.share, PACE_SHARE_MAX);
    assert_int_equal(pace.usual_us, 50);
    /* Nothing measured: nothing changes. */
    assert_true(pace_heed(&pace, now_ms + 1000));
    assert_int_equal(pace.share, PACE_SHARE_MAX);
}

static void
a_rest_leaves_the_share(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    for (pace.share = PACE_SHARE_MIN; pace.share <= PACE_SHARE_MAX; pace.share++) {
        uint64_t rest_us = pace_rest_us(&pace, 1000);
        assert_true(1000 * 1000 / (1000 + rest_us) - pace.share <= 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_begins_when_it_is_known_how_long_turns_are_without),
        cmocka_unit_test(the_share_halves_when_turns_are_long_and_rises_slowly),
        cmocka_unit_test(a_rest_leaves_the_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
