/*
 * packing - which keys have their values compressed, how, and with which dictionary just now.
 *
 * A group is the keys of a schema with "compression", or those of a pattern of the directive
 * `compression` of which no schema says anything. Its dictionary comes and goes while the
 * server runs; the background (server/cmd/compression.c) sees to that, workers read its number.
 *
 * Thread:   any; rules are immutable.
 */
#ifndef SERVER_SCHEMA_PACKING_H
#define SERVER_SCHEMA_PACKING_H

#include "server/schema/registry.h"
#include "server/store/pack.h"

#include <stdatomic.h>

/* What a group has of its own; shared by the epochs it lives through (reference-counted). */
struct packing {
    atomic_uint references;
    unsigned id;            /* [const] never reused */
    atomic_uint dictionary; /* writes are packed with it; 0: none yet */
    /* Of the background alone: sizes packed / raw, in thousandths. */
    unsigned adopted_ratio; /* of the samples, when the dictionary was adopted */
    bool is_drifting;       /* they have got worse: it is trained anew */
    int64_t retry_ms;       /* nothing better is sought before */
};

struct packing *packing_new(void); /* NULL without memory */
struct packing *packing_ref(struct packing *packing);
void packing_unref(struct packing *packing); /* takes NULL */

struct packing_group {
    struct slice name; /* of the schema, or the pattern */
    enum pack_algorithm algorithm;
    struct packing *packing;
};

/* The groups of the directive `compression`. */
struct packing_rules;

/*
 * From its text, "pattern algorithm ..." as the configuration checked it. Patterns that
 * <before> (possibly NULL) has, too, keep their dictionaries. NULL without memory.
 */
struct packing_rules *packing_rules_new(struct slice text, const struct packing_rules *before);
void packing_rules_free(struct packing_rules *rules); /* takes NULL */
size_t packing_rules_count(const struct packing_rules *rules);
const struct packing_group *packing_rules_at(const struct packing_rules *rules, size_t index);

/* The group of <schema> itself; false when it says nothing of compression. */
bool packing_of_schema(const struct registry_schema *schema, struct packing_group *ret_group);

/* The group of a key; false when it is not compressed. O(patterns of the directive). */
bool packing_find(const struct registry *registry, const struct packing_rules *rules,
                  uint32_t db, struct slice key, struct packing_group *ret_group);

#endif
