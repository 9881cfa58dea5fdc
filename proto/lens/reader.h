/*
 * reader - reading a schema document: members by name, and refusals that say where.
 *
 * The first refusal wins, and ends the reading; unless all are wanted: then what can be read
 * without what was refused is read nevertheless.
 *
 * Thread:   owned by one thread at a time.
 */
#ifndef PROTO_LENS_READER_H
#define PROTO_LENS_READER_H

#include "proto/codec/tree.h"
#include "proto/lens/plan.h"

enum { READER_PROBLEMS_MAX = 256 }; /* reported of one document */

struct reader {
    struct arena *arena;
    struct lens_problem *problem; /* the last one reported */
    const struct codec *codec;    /* of the step at hand */
    const struct codec *hash;     /* hashes of this schema */
    const struct codec *fields;   /* where its members are the fields of a hash; else NULL */
    bool refused;
    lens_on_problem *on_problem; /* NULL: the first refusal ends it */
    void *context;
    size_t problem_count;
    bool no_memory;
};

/* After a refusal: go on to find others? */
static inline bool
reader_goes_on(const struct reader *reader)
{
    return reader->on_problem != NULL && reader->problem_count < READER_PROBLEMS_MAX &&
           !reader->no_memory;
}

/* Was it read, or is the rest to be read all the same? */
static inline bool
reader_kept(const struct reader *reader, bool done)
{
    return done || reader_goes_on(reader);
}

/* Refuse at <node>; false, for `return reader_refuse(…)`. <node> may be NULL: the document. */
bool reader_refuse(struct reader *reader, const struct tree_node *node, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

bool reader_no_memory(struct reader *reader);

/*
 * Open <node> as an object whose members are among <names> (NULL-terminated), each at most
 * once; <what> says what it is, in a refusal.
 */
bool reader_object(struct reader *reader, struct tree_node *node, const char *what,
                   const char *const names[]);

/* A member of an opened object, NULL if it has none. */
struct tree_node *reader_member(const struct tree_node *object, const char *name);

/* Likewise, refused if it has none. */
bool reader_need(struct reader *reader, struct tree_node *object, const char *name,
                 struct tree_node **ret_node);

bool reader_string(struct reader *reader, struct tree_node *node, struct slice *ret_text);
bool reader_boolean(struct reader *reader, struct tree_node *node, bool *ret_value);
bool reader_integer(struct reader *reader, struct tree_node *node, int64_t min, int64_t max,
                    int64_t *ret_value);
bool reader_array(struct reader *reader, struct tree_node *node);

/* A JSON Pointer; "" only where <may_be_empty>. */
bool reader_path(struct reader *reader, struct tree_node *node, bool may_be_empty,
                 struct plan_path *ret_path);

/* A plain member name. */
bool reader_name(struct reader *reader, struct tree_node *node, struct plan_name *ret_name);

/* Any value, spelled in the codec of the step. */
bool reader_value(struct reader *reader, struct tree_node *node, struct slice *ret_raw);

/*
 * A text that values share exactly if they are equal (and no object of theirs has a member
 * twice, which is refused).
 */
bool reader_canonical(struct reader *reader, struct tree_node *node, struct slice *ret_text);

/* The steps of one version, at most <limits>.ops of them, nested <limits>.nesting deep. */
bool reader_steps(struct reader *reader, struct tree_node *array,
                  const struct plan_limits *limits, struct plan_list *ret_list);

/*
 * Where the identity members <from> of version v stand in v + 1; refused where a step may not
 * touch them. <array> holds the steps of <list>.
 */
bool reader_carry_identity(struct reader *reader, struct tree_node *array,
                           const struct plan_list *list, const struct plan_version *from,
                           struct plan_version *to);

/* --- format.c: how documents are written ------------------------------------------------- */

/* A codec, or a list of them from the outside in; *ret_format stays where it is refused. */
bool format_read(struct reader *reader, struct tree_node *node, struct plan_format *ret_format);

/* "fields": which fields of hashes hold documents. */
bool format_read_fields(struct reader *reader, struct tree_node *node, struct codec *hash);

/* Where the state is in its document; the codecs have been read. */
bool format_read_inside(struct reader *reader, struct tree_node *node,
                        struct plan_format *format);

/* *format, and what <version> states itself. */
bool format_read_version(struct reader *reader, struct tree_node *version,
                         struct plan_format *format);

bool format_same(const struct plan_format *a, const struct plan_format *b);
bool format_is_opaque(const struct plan_format *format);

/*
 * What the fingerprints of steps start from: what is remembered of a step is spelled in the
 * codec of its documents.
 */
uint64_t format_seed(const struct plan_format *format);

/*
 * Append to a NUL-terminated path of <capacity> bytes, cut where it is full: printable ASCII
 * only, with <escape> '~' and '/' as a JSON Pointer writes them (RFC 6901).
 */
void path_append(char *path, size_t capacity, struct slice text, bool escape);

#endif
