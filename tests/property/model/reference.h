/*
 * reference - the translation as slow, plain tree code, written from the specification alone.
 *
 * A model of records with complement: what each version's view is equal to in value, and for
 * which reasons it may fail. Text (spelling, order, white space) is not modelled; the laws hold
 * that. Where the specification leaves two readings, the model says so instead of choosing: the
 * record (or the view) becomes uncertain, and is not compared.
 *
 * Borrowed: everything lives in the arena passed in.
 */
#ifndef TESTS_PROPERTY_MODEL_REFERENCE_H
#define TESTS_PROPERTY_MODEL_REFERENCE_H

#include "proto/lens.h"
#include "tests/property/model/spelling.h"

enum {
    POINTER_TOKENS_MAX = 12,
    REFERENCE_DEPTH_MAX = 96, /* documents nested deeper are left to the laws */
    IDENTITY_MAX = 4,
};

struct pointer {
    struct slice tokens[POINTER_TOKENS_MAX];
    size_t count;
};

/* Bits 1 << enum lens_reason: the reasons a failure may have; 0: no failure. */
typedef unsigned reason_set; /* a number, not a struct: the house has no other typedef */

struct reference;        /* a schema */
struct reference_memory; /* what one op remembers */

struct reference_record {
    const struct reference *schema;
    unsigned version;
    struct slice text;
    struct value *body;              /* NULL: no document */
    bool deep;                       /* NULL, because nested too deep */
    struct reference_memory **steps; /* per step, per op */
    bool uncertain;
};

struct reference_view {
    reason_set reasons; /* 0: there is a view */
    bool uncertain;
    struct value *value;
};

/* Read a schema document that the lens engine has accepted. */
struct reference *reference_new(struct arena *arena, const struct value *schema);
unsigned reference_version_count(const struct reference *reference);

/*
 * Does the specification say where every op puts what it inserts? Then the members of a fresh
 * record's views stand in the model's order, too.
 */
bool reference_knows_order(const struct reference *reference);

/* Identity members in the form of <version>. */
size_t reference_identity(const struct reference *reference, unsigned version,
                          struct pointer *ret_pointers);

struct pointer pointer_parse(struct arena *arena, struct slice text);
bool pointer_has_prefix(const struct pointer *pointer, const struct pointer *prefix);

/* The value there or NULL; false when a name on the way occurs twice. */
bool pointer_get(const struct pointer *pointer, struct value *root, struct value **ret_value);

struct reference_record reference_fresh(const struct reference *reference, struct arena *arena,
                                        unsigned version, struct slice body);

struct reference_view reference_view(const struct reference_record *record, struct arena *arena,
                                     unsigned to);

/* The equivalent record of version <to>; false when there is none. */
bool reference_rebase(const struct reference_record *record, struct arena *arena, unsigned to,
                      struct reference_record *ret_record);

/* The record after <by> stored <body> over <old>. */
struct reference_record reference_write(const struct reference_record *old, struct arena *arena,
                                        unsigned by, struct slice body);

#endif
