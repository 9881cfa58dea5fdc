/*
 * pace - how busy work in the background may be: a share of its thread's time, which falls by
 * half when the loops take longer to turn than is usual, and rises slowly otherwise.
 *
 * What is usual is measured before the work begins. It follows shorter turns at once and longer
 * ones hardly, as those measured later are not what they would be without the work.
 *
 * Thread:   pace_note_turn(): any. The rest: its owner's.
 */
#ifndef SERVER_SCHEMA_PACE_H
#define SERVER_SCHEMA_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_SHARE_FIRST = 50, /* permille */
    PACE_SHARE_MIN = 5,
    PACE_SHARE_MAX = 150,
    PACE_SHARE_STEP = 5,
    PACE_MEASURE_MS = 40, /* between measurements of turns */
    PACE_CALM_COUNT = 8,  /* of them before the work begins, */
    PACE_CALM_MS = 60000, /* which are good for so long */
    PACE_SLACK_US = 150,  /* longer than twice as usual, and by so much: too long */
};

struct pace {
    _Atomic uint64_t turn_us; /* the last measurement, plus 1; 0: taken */
    uint64_t usual_us;
    unsigned measured_count;
    unsigned share;      /* permille */
    int64_t calm_ms;     /* when it was measured without work last */
    int64_t measured_ms; /* when a measurement was asked for last */
};

void pace_init(struct pace *pace);

/* Other work begins at <now_ms>. */
void pace_begin(struct pace *pace, int64_t now_ms);

/* Loops took <duration_us> to turn. */
void pace_note_turn(struct pace *pace, uint64_t duration_us);

/* Heed what was noted; true: it is time to measure once more. */
bool pace_heed(struct pace *pace, int64_t now_ms);

/* Is it known by now how long turns are without the work? */
bool pace_may_begin(const struct pace *pace);

/* For how long to rest after work of <took_us>, which is not 0. */
uint64_t pace_rest_us(const struct pace *pace, uint64_t took_us);

#endif
