/*
 * trial - a dry run: what a schema would do to the records that live now, in both directions.
 *
 * Every record is shown to, and rebased to, other versions: to the newest ones and to the
 * first. Of each are asked the laws that a rollout rests on: the view can be made; rebasing
 * there and back gives the same bytes; no view changes by rebasing, nor by writing back what
 * was read. Records are copied out one by one and worked on with nothing locked; nothing of
 * them changes, and no clock of theirs notices.
 *
 * Thread:   one at a time.
 * Bounded:  a step ends after about TRIAL_SLICE_US; TRIAL_TARGETS_MAX versions,
 * TRIAL_LOSERS_MAX kinds of losers with a few sample keys each.
 */
#ifndef SERVER_SCHEMA_TRIAL_H
#define SERVER_SCHEMA_TRIAL_H

#include "server/schema/registry.h"
#include "server/store/keyspace.h"

struct trial;

enum {
    TRIAL_SLICE_US = 500,
    TRIAL_TARGETS_MAX = 8,
    TRIAL_LOSERS_MAX = 64,
    TRIAL_SAMPLES_MAX = 5,
};

/*
 * Try <schema> of <preview> (registry_preview()), which is taken over, on <count_max> records.
 * NULL without memory: <preview> is the caller's then.
 */
struct trial *trial_new(struct keyspace *keyspace, uint32_t database_count,
                        struct registry *preview, const struct registry_schema *schema,
                        uint64_t count_max);
void trial_free(struct trial *trial); /* takes NULL */

/* Do a slice; false when all is done. */
bool trial_step(struct trial *trial, int64_t now_ms);

/* From version <from> to <to>. */
struct trial_pair {
    unsigned from;
    unsigned to;
    uint64_t count;
    uint64_t failed;
    uint64_t p50_ns; /* of a translation */
    uint64_t p99_ns;
    uint64_t body_before; /* bytes, of those that did not fail */
    uint64_t body_after;
    uint64_t complement_before;
    uint64_t complement_after;
};

/* What went wrong with some records. */
struct trial_loser {
    const char *what; /* a reason of the lens, or the law that is broken */
    unsigned from;
    unsigned to;
    uint64_t count;
    struct lens_failure first; /* path and text; empty for laws */
    size_t sample_count;
    struct slice samples[TRIAL_SAMPLES_MAX]; /* keys */
};

struct trial_sums {
    uint64_t seen;  /* entries looked at */
    uint64_t tried; /* records of the schema among them */
    uint64_t clean; /* of which nothing went wrong with so many */
    size_t pair_count;
    size_t loser_count;
};
void trial_sums(const struct trial *trial, struct trial_sums *ret_sums);
void trial_pair(const struct trial *trial, size_t index, struct trial_pair *ret_pair);
const struct trial_loser *trial_loser(const struct trial *trial, size_t index);

#endif
