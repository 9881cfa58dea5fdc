#include "server/schema/pace.h"

void
pace_init(struct pace *pace)
{
    *pace = (struct pace){.share = PACE_SHARE_FIRST};
}

void
pace_begin(struct pace *pace, int64_t now_ms)
{
    if (now_ms - pace->calm_ms > PACE_CALM_MS || now_ms < pace->calm_ms) {
        pace->measured_count = 0;
    }
}

void
pace_note_turn(struct pace *pace, uint64_t duration_us)
{
    atomic_store(&pace->turn_us, duration_us + 1);
}

static void
learn(struct pace *pace, uint64_t turn_us, int64_t now_ms)
{
    bool is_calm = !pace_may_begin(pace);
    pace->measured_count++;
    if (is_calm) {
        pace->calm_ms = now_ms;
    }
    if (pace->measured_count == 1 || turn_us < pace->usual_us) {
        pace->usual_us = turn_us;
    } else {
        pace->usual_us += (turn_us - pace->usual_us) / (is_calm ? 2 : 64);
    }
}

bool
pace_heed(struct pace *pace, int64_t now_ms)
{
    uint64_t turn_us = atomic_exchange(&pace->turn_us, 0);
    if (turn_us > 0) {
        learn(pace, --turn_us, now_ms);
        unsigned share = turn_us > 2 * pace->usual_us + PACE_SLACK_US
                             ? pace->share / 2
                             : pace->share + PACE_SHARE_STEP;
        share = share < PACE_SHARE_MIN ? PACE_SHARE_MIN : share;
        pace->share = share > PACE_SHARE_MAX ? PACE_SHARE_MAX : share;
    }
    if (now_ms - pace->measured_ms < PACE_MEASURE_MS && now_ms >= pace->measured_ms) {
        return false;
    }
    pace->measured_ms = now_ms;
    return true;
}

bool
pace_may_begin(const struct pace *pace)
{
    return pace->measured_count >= PACE_CALM_COUNT;
}

uint64_t
pace_rest_us(const struct pace *pace, uint64_t took_us)
{
    return took_us * (1000 - pace->share) / pace->share;
}
