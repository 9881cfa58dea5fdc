/*
 * generate - random schemas, the documents that fit them, and what people do to documents.
 *
 * A small vocabulary of names and values, so that collisions and coincidences are frequent.
 * Each version has a shape (which members, of which kind); steps are drawn to fit the shape
 * they start from, and change it, so that most documents of a version's shape translate.
 *
 * Borrowed: everything lives in the arena passed in.
 */
#ifndef TESTS_PROPERTY_MODEL_GENERATE_H
#define TESTS_PROPERTY_MODEL_GENERATE_H

#include "tests/property/model/spelling.h"

struct shape;

enum { GENERATE_VERSIONS_MAX = 4 };

struct generated {
    struct value *schema;
    unsigned version_count;
    struct shape *shapes[GENERATE_VERSIONS_MAX + 1]; /* by version */
};

struct generated generate_schema(struct prng *prng, struct arena *arena);

/* <noise>: percent of members that are something else than the shape says. */
struct value *generate_document(struct prng *prng, struct arena *arena,
                                const struct shape *shape, unsigned noise);

/* <depth> containers, each in the next. */
struct value *generate_deep(struct prng *prng, struct arena *arena, size_t depth);

/* Change <root> in one place as an application would; <pocket> may give an element to add. */
void generate_edit(struct prng *prng, struct arena *arena, const struct shape *shape,
                   struct value *root, struct value **pocket);

/* Change, remove or set to null what <pointer> tokens lead to. */
void generate_identity_edit(struct prng *prng, struct arena *arena, struct value *root,
                            const struct slice *tokens, size_t count);

/* Bytes that are seldom a document. */
struct slice generate_garbage(struct prng *prng, struct arena *arena);

/* Make an accepted schema one that must be refused; what was done to it. */
const char *generate_spoiled(struct prng *prng, struct arena *arena, struct value *schema);

/* Is <name> one that schemas and documents have members of? */
bool generate_names(struct slice name);

#endif
