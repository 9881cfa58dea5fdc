/*
 * run - ops at work on the tree of one document, in one direction, with what is remembered.
 *
 * An op turns S into T and what it remembered of T into what it must remember of S; run the
 * other way with that, it gives S back byte for byte. All laws of the translation rest on
 * this. An op that fails has changed nothing.
 *
 * Settling runs ops to find out what is still held: a list that fails there undoes itself, and
 * leaves in <out> what remains of <in>.
 *
 * Thread:   owned by one thread at a time.
 * Bounded:  recursion as deep as ops are nested in the schema.
 */
#ifndef PROTO_LENS_RUN_H
#define PROTO_LENS_RUN_H

#include "proto/codec/tree.h"
#include "proto/lens/memory.h"

/* The element that is being worked on: where a failure is, for people. */
struct run_frame {
    const struct run_frame *up;
    const struct plan_op *op;
    const struct tree_node *element;
};

struct run {
    const struct lens_schema *schema;
    const struct codec *codec; /* of the document as it stands */
    struct arena *arena;
    bool is_text;   /* the op at work is on a field of a hash: see plan_op */
    bool remember;  /* produce memory; else <out> stays empty */
    bool settling;  /* a failing list undoes itself */
    bool forget;    /* the failure was a conversion's: its shadow goes */
    bool no_memory; /* no answer is to be trusted */
    unsigned from;  /* the step at work, for failures and notes */
    unsigned to;
    size_t text_max;  /* of the text of any one value */
    size_t text_left; /* that may be put together on the way */
    size_t work_left; /* ops that may be run, and members looked at for them */
    size_t held_max;  /* what there would be to remember, at most; kept by every op */
    const struct run_frame *frame;
    struct lens_failure *failure;
    void (*on_note)(void *context, const struct lens_note *note);
    void *context;
};

/*
 * Run <list> upwards (in order) or downwards (in reverse) over <object>. <in> holds an entry
 * for every op, NULL: all empty; <out> takes as many, NULL: not wanted (only where nothing is
 * to be remembered, and not when settling).
 */
bool run_list(struct run *run, const struct plan_list *list, bool up, struct tree_node *object,
              const struct slice *in, struct slice *out);

/* --- for the ops -------------------------------------------------------------------------- */

/* False, for `return run_fail(…)`. */
bool run_fail(struct run *run, enum lens_reason reason, const struct plan_path *path,
              const char *text);
bool run_no_memory(struct run *run);
void run_note(struct run *run, const struct plan_op *op, const char *text);

enum { RUN_ENTRY_SIZE = 64 }; /* of an entry, element or segment beside its texts, at most */

/* Note that up to <size> bytes of text are to be remembered. */
static inline void
run_hold(struct run *run, size_t size)
{
    run->held_max += size + RUN_ENTRY_SIZE;
}

/* Likewise the segment of <node>, and its neighbour. */
void run_hold_node(struct run *run, const struct tree_node *node);

/* Note that <size> bytes of text are put together; false beyond the bounds. */
bool run_spend(struct run *run, size_t size);

/* Note that <count> ops are run or members looked at; false beyond the bounds. */
bool run_work(struct run *run, size_t count);

/* The raw text of a value, within bounds. */
bool run_text(struct run *run, struct tree_node *node, struct slice *ret_text);

/* May the value of <node> stand inside <container>, <levels> further down, and be no deeper
 * than documents may be? */
bool run_depth(struct run *run, const struct tree_node *container, size_t levels,
               struct tree_node *node, const struct plan_path *path);

/* Where the first <count> names of a path lead. */
struct place {
    struct tree_node *object;  /* that holds the last name; NULL: missing, or no object */
    struct tree_node *member;  /* NULL: missing */
    struct tree_node *deepest; /* the last object on the way that exists */
    size_t reached;            /* names that lead to <deepest> */
    bool blocked;              /* what the next name leads to is there, but no object */
};

/* False for a duplicate on the way. */
bool run_resolve(struct run *run, struct tree_node *object, const struct plan_path *path,
                 struct place *ret_place);

/* A place among the children of an object. */
struct hole {
    enum { HOLE_END, HOLE_START, HOLE_AFTER } where;
    struct slice name;
    uint64_t occurrence;
};

/* Where <node> stands: after its neighbour, or at the start. */
bool hole_of(struct run *run, const struct tree_node *node, struct hole *ret_hole);
struct tree_node *hole_find(const struct tree_node *object, const struct hole *hole);
void hole_write(struct writer *writer, const struct hole *hole);
struct hole hole_read(struct cursor *cursor);

/*
 * A member or element that stands nowhere, with the text around its value. <key> is the usual
 * spelling of its name, empty for elements. Reading yields NULL for a bad one, and where there
 * is no memory (which is noted).
 */
bool segment_is_plain(const struct run *run, const struct tree_node *node, struct slice key);
bool segment_write(struct run *run, struct writer *writer, struct tree_node *node,
                   struct slice key);
struct tree_node *segment_read(struct run *run, struct cursor *cursor, struct slice key);

/* A new member with compact text. NULL without memory, noted. */
struct tree_node *segment_new(struct run *run, const struct plan_name *name,
                              struct slice value);

/* Is <raw> a key that spells <name>? */
bool key_is_valid(const struct run *run, struct slice raw, struct slice name);

/* May <text> stand where white space may? */
bool space_is_valid(const struct run *run, struct slice text);

/* Is <raw> one value, without white space around it, no deeper than documents may be? */
bool value_is_valid(struct run *run, struct slice raw);

/* Give <node> the key <raw>, a spelling of <name>, without memory noted. */
bool run_set_key(struct run *run, struct tree_node *node, struct slice raw,
                 const struct plan_name *name);
bool run_insert(struct run *run, struct tree_node *container, struct tree_node *after,
                struct tree_node *node);
bool run_open(struct run *run, struct tree_node *node);

/* The text that a container would have without children. False without memory, noted. */
bool run_emptied(struct run *run, const struct tree_node *container, struct slice *ret_text);

/* A node over a valid value; NULL without memory, noted. */
struct tree_node *run_value(struct run *run, struct slice raw);

static inline void
run_set_value(const struct run *run, struct tree_node *node, struct slice raw)
{
    tree_set_value(run->codec, node, raw);
}

/* The bytes of a string, and a string of such bytes; false without memory, noted. */
bool run_decode(struct run *run, struct slice raw, struct slice *ret_text);
bool run_encode(struct run *run, struct slice text, struct slice *ret_raw);

/* --- the ops: one file per family --------------------------------------------------------- */

typedef bool run_op(struct run *run, const struct plan_op *op, bool up,
                    struct tree_node *object, struct slice in, struct slice *out);

run_op op_rename; /* member.c */
run_op op_add;    /* add, remove */
run_op op_fill;
run_op op_move;    /* move.c */
run_op op_convert; /* value.c: map, convert, scale, wrap, unwrap */
run_op op_split;   /* parts.c: split, join */
run_op op_each;    /* element.c */
run_op op_filter;

/* Does the text of <node> stand for the value <raw>? */
bool run_equal(struct run *run, struct tree_node *node, struct slice raw, bool *ret_equal);

#endif
