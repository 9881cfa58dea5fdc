/*
 * history - one record's life under one schema, and the laws that must hold at every moment.
 *
 * A history is data: a schema document, and events with their bodies spelt out. It is drawn
 * once, then checked; a violation is checked again and again while it is made smaller.
 */
#ifndef TESTS_PROPERTY_MODEL_HISTORY_H
#define TESTS_PROPERTY_MODEL_HISTORY_H

#include "proto/lens.h"
#include "tests/property/model/generate.h"

enum event_kind {
    EVENT_WRITE,      /* <version> stores <body> */
    EVENT_WRITE_BACK, /* <version> reads its view and stores it unchanged */
    EVENT_REBASE,     /* the twin, which must not differ, is rebased to <version> */
    EVENT_KIND_COUNT,
};

struct event {
    enum event_kind kind;
    unsigned version;
    struct slice body;
    uint64_t seed; /* of what is tried on the side */
    bool stepwise; /* rebase: through every version on the way */
};

struct history {
    struct value *schema;
    struct event *events;
    size_t count;
    uint64_t seed;
};

enum history_verdict {
    HISTORY_PASSED,
    HISTORY_FAILED,
    HISTORY_REFUSED, /* the schema was: nothing to check */
};

/*
 * X(enum, name in reports). Beside the specification's own: identity and quarantine (who may
 * inherit hidden data), idempotence (rebase to its own version, the same bytes again), model (a
 * fresh record's views against the reference), rollback (the same after any versions' writes),
 * refused (schemas that are not accepted). "invisible" needs a server, and is not held here.
 */
#define LAWS(X)                                                                                \
    X(LAW_SAME_VERSION, "same version")                                                        \
    X(LAW_REBASE, "rebase")                                                                    \
    X(LAW_GET_PUT, "get-put")                                                                  \
    X(LAW_PUT_GET, "put-get")                                                                  \
    X(LAW_FRAME, "frame")                                                                      \
    X(LAW_CHAIN, "chain")                                                                      \
    X(LAW_ARRAYS, "arrays")                                                                    \
    X(LAW_IDENTITY, "identity")                                                                \
    X(LAW_QUARANTINE, "quarantine")                                                            \
    X(LAW_IDEMPOTENCE, "idempotence")                                                          \
    X(LAW_HONEST, "honest")                                                                    \
    X(LAW_BOUNDED, "bounded")                                                                  \
    X(LAW_TOTAL, "total")                                                                      \
    X(LAW_MODEL, "model")                                                                      \
    X(LAW_ROLLBACK, "rollback")                                                                \
    X(LAW_REFUSED, "refused")

enum law {
#define X(id, name) id,
    LAWS(X)
#undef X
        LAW_COUNT
};

const char *law_name(enum law law);

struct violation {
    enum law law;
    size_t event;       /* index; SIZE_MAX: of the schema alone */
    struct buffer text; /* expected and got */
};

/* How often each law was put to the test, and what was left out. */
struct tally {
    size_t checked[LAW_COUNT];
    size_t events[EVENT_KIND_COUNT];
    size_t views_made;
    size_t views_failed;
    size_t reasons[LENS_REASON_COUNT];
    size_t quarantined;
    size_t models_uncertain;
};

/* Draw events for <generated>; its schema must have been accepted as <lens>. */
struct history history_generate(struct prng *prng, struct arena *arena,
                                const struct generated *generated,
                                const struct lens_schema *lens);

/* <ret_violation> (its text an initialized buffer) is set when the verdict is HISTORY_FAILED.
 */
enum history_verdict history_check(const struct history *history, struct tally *tally,
                                   struct violation *ret_violation);

/*
 * The smallest history found that breaks the same law: fewer events, steps, members. Gives up
 * after <tries_max> checks.
 */
struct history history_shrink(const struct history *history, struct arena *arena, enum law law,
                              size_t tries_max);

void history_print(const struct history *history);

struct slice value_text(struct arena *arena, const struct value *value, enum value_style style,
                        struct prng *prng);

#endif
