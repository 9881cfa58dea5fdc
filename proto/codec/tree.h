/*
 * tree - a document that can be edited in place and written back with every byte that nobody
 * touched as it was. Its codec (codec.h) is stated where a tree, or a value for one, is made.
 *
 * Containers are opened lazily: only then their children become nodes; everything else stays a
 * run of raw text. A child owns the text from behind the comma (or bracket) before it up to the
 * comma (or bracket) behind it: taking a child out and putting it back at the same place is an
 * identity of bytes. Where the last child leaves a container, the white space before it stays
 * behind; where a child enters an empty container, it stands before the child, instead of
 * what the child had before it.
 *
 *   { "a" : 1 , "b":[ ] }       lead  key  colon  value  trail
 *    ~~~~~~~~~ ~~~~~~~~~        " "   "a"  " : "  1      " "
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: nodes lie in the arena; text is borrowed from whatever was put in, and from the
 *           arena.
 * Errors:   functions answering bool fail for want of memory and nothing else.
 */
#ifndef PROTO_CODEC_TREE_H
#define PROTO_CODEC_TREE_H

#include "proto/codec/json.h"

struct tree_box;

struct tree_node {
    struct tree_node *parent;
    struct tree_node *prev;
    struct tree_node *next;
    struct tree_box *box; /* the children; NULL: a scalar, or not opened */
    const char *head;     /* lead, key and colon */
    const char *value;    /* raw text; stale where edited */
    const char *tail;     /* white space behind the value */
    uint32_t lead_size;
    uint32_t key_size; /* with its quotes; 0 for elements and the root */
    uint32_t head_size;
    uint32_t value_size;
    uint32_t tail_size;
    uint32_t tag; /* JSON: of the name of a member */
    uint8_t type; /* enum kind; as tree_kind() says where children came or went */
    bool escaped; /* the key holds escapes */
    bool edited;  /* a child, or one below, was changed: write the children, not <value> */
    bool listed;  /* as it was parsed, in one piece behind a comma */
};

struct tree_box {
    const struct codec *codec;
    struct tree_node *first;
    struct tree_node *last;
    size_t count;
    struct slice inner; /* white space while there are no children */
    bool changed;       /* children came, went, or got other names */
    uint64_t once;  /* JSON: a bit for every name that is, or was, there (tree.c: tag_bit) */
    uint64_t twice; /* and for those that share their bit with another */
};

/*
 * Check <text> and make its root, opened if it is a JSON object. CODEC_OK with *ret_root NULL:
 * no memory (or more than 4 GiB of text).
 */
enum codec_status tree_parse(const struct codec *codec, struct slice text, unsigned depth_max,
                             struct arena *arena, struct tree_node **ret_root,
                             size_t *ret_offset);

/* A node over <text>, known to be one valid value without white space around it. */
struct tree_node *tree_value(const struct codec *codec, struct slice text, struct arena *arena);

/* Make the children of a container nodes. Does nothing when that is done, or for scalars. */
bool tree_fill(const struct codec *codec, struct tree_node *node, struct arena *arena);

static inline bool
tree_open(const struct codec *codec, struct tree_node *node, struct arena *arena)
{
    return node->box != NULL || !kind_is_container(node->type) || tree_fill(codec, node, arena);
}

/*
 * What <node> is by the children it has now: codecs whose arrays and objects look alike tell
 * them apart by the names. O(children) where they changed in such a codec.
 */
enum kind tree_kind(const struct tree_node *node);

/* How often a member called <name> occurs in an opened object (counting stops at 2). */
unsigned tree_find(const struct tree_node *object, struct slice name,
                   struct tree_node **ret_first);

static inline struct slice
tree_key(const struct tree_node *node)
{
    return slice_make(node->head + node->lead_size, node->key_size);
}

static inline struct tree_node *
tree_first(const struct tree_node *node)
{
    return node->box == NULL ? NULL : node->box->first;
}

/*
 * The children of an opened container as an array: of an object in the order of their names
 * (those of one name as they stand), of an array as they stand. O(n log n).
 */
bool tree_children(const struct tree_node *container, struct arena *arena,
                   struct tree_node ***ret_children);

/* Take <node> out of its container; it keeps its own text. */
void tree_remove(struct tree_node *node);

/* Put <node> behind <after> in an opened container, at the start where that is NULL. */
bool tree_insert(struct tree_node *container, struct tree_node *after, struct tree_node *node,
                 struct arena *arena);

/*
 * Give a member the key <raw>, whatever stands around it staying. <is_escaped>: as in struct
 * tree_node. With <has_colon> the codec's colon follows <raw> where that lies, and need not be
 * copied.
 */
bool tree_set_key(struct tree_node *node, struct slice raw, bool is_escaped, bool has_colon,
                  struct arena *arena);

/* Let <lead> (white space) stand before a child. */
bool tree_set_lead(struct tree_node *node, struct slice lead, struct arena *arena);

/* Make <raw> (a valid value) the value of <node>, whatever stands around it staying. */
void tree_set_value(const struct codec *codec, struct tree_node *node, struct slice raw);

/*
 * Put <by>, which stands nowhere, into the place of <node>, with the head and tail of <node>;
 * <node> keeps its value and stands nowhere then. Not for the root.
 */
void tree_replace(struct tree_node *node, struct tree_node *by);

/* Mark what lies around a change. */
void tree_touch(struct tree_node *container);

/* The raw text of the value as it is now. */
bool tree_text(struct tree_node *node, struct arena *arena, struct slice *ret_text);

/* The text of the node with head and tail, written in one pass where it is not much larger than
 * what it was parsed from. */
bool tree_full_text(struct tree_node *node, struct arena *arena, struct slice *ret_text);

/* Bytes that tree_full_text() will take; O(edited nodes). */
size_t tree_full_size(const struct tree_node *node);

/*
 * Equality of values: numbers by exact decimal value, strings by code points, objects without
 * order (duplicates as a multiset), arrays with order. Opens containers of both. O(n log n).
 */
bool tree_equal(const struct codec *codec, struct tree_node *a, struct tree_node *b,
                struct arena *arena, bool *ret_equal);

#endif
