/*
 * edit - what the lenses of the translation bench change, said once: as steps of a schema, and
 * as what a program does to a library's tree of the same document.
 *
 * Thread:   pure functions.
 */
#ifndef BENCH_TRANSLATE_EDIT_H
#define BENCH_TRANSLATE_EDIT_H

#include "proto/base/buffer.h"

enum { EDIT_STEPS_MAX = 3, EDIT_COUNT_MAX = 12 };

enum edit_kind {
    EDIT_RENAME, /* <name> becomes <to>, in its object */
    EDIT_ADD,    /* <name> with the string <to> */
    EDIT_SPLIT,  /* <name> at its first blank into <to> and <rest> */
    EDIT_JOIN,   /* <to> and <rest>, with a blank between, into <name> */
    EDIT_SCALE,  /* the number <name> times 10 */
    EDIT_STRING, /* the integer <name> becomes a string */
    EDIT_INTEGER,
    EDIT_MOVE, /* <name> out of <object> to the root, under its name; or the other way round */
};

struct edit {
    enum edit_kind kind;
    const char *object; /* the member of the root that holds <name>; NULL: the root */
    const char *name;
    const char *to;
    const char *rest;
};

/* The edits of the step <step> (from 0) in their order; each step has EDIT_COUNT_MAX. */
const struct edit *edit_step(unsigned step);

/*
 * A schema of <steps> steps with the first <count> edits each, for documents that are of the
 * codec <first> in version 1, and of <later> in those behind it.
 */
void edit_write_schema(const char *first, const char *later, unsigned steps, unsigned count,
                       struct buffer *out);

#endif
