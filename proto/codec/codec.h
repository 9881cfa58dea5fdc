/*
 * codec - one way to write documents down, as the editable tree and the lens see it.
 *
 * A document is a value; a value is a scalar or a container of values; whatever nobody touches
 * is a run of raw text (of bytes, in binary codecs) that goes out as it came in. Everything
 * that knows how a codec spells things stands behind this table; ops know kinds, texts and
 * decimal numbers only.
 *
 * There are two families. JSON puts commas, colons and white space between values. In the
 * *framed* codecs a container starts with a header that counts its children, which follow each
 * other with nothing between them.
 *
 * Thread:   tables are constant, functions pure.
 * Bounded:  no recursion; O(size), depth as the caller says, CODEC_DEPTH_MAX at most.
 * Errors:   functions answering bool fail for want of memory and nothing else, unless they are
 *           questions.
 */
#ifndef PROTO_CODEC_CODEC_H
#define PROTO_CODEC_CODEC_H

#include "proto/base/arena.h"
#include "proto/base/slice.h"

enum {
    CODEC_DEPTH_MAX = 1024,
    CODEC_HEADER_MAX = 32, /* bytes of a container's header */
};

/* What a value is to an op. From KIND_ARRAY on: containers; from KIND_LIST on: with names. */
enum kind {
    KIND_NULL,
    KIND_FALSE,
    KIND_TRUE,
    KIND_NUMBER,
    KIND_STRING,
    KIND_BYTES, /* where strings of text and of bytes differ */
    KIND_OTHER, /* what only the codec's own programs understand: passed through whole */
    KIND_ARRAY,
    KIND_LIST,  /* an array whose elements have positions for names */
    KIND_EMPTY, /* an array or an object, where the codec cannot tell */
    KIND_OBJECT,
};

static inline bool
kind_is_container(unsigned kind)
{
    return kind >= KIND_ARRAY;
}

static inline bool
kind_is_array(unsigned kind)
{
    return kind >= KIND_ARRAY && kind <= KIND_EMPTY;
}

static inline bool
kind_has_names(unsigned kind)
{
    return kind >= KIND_LIST;
}

enum codec_status {
    CODEC_OK,
    CODEC_BAD,       /* not of this codec */
    CODEC_DEEP,      /* nested deeper than asked for */
    CODEC_RANGE,     /* a value that this codec has no place for */
    CODEC_REFERENCE, /* what the codec refers to by its place would be elsewhere */
    CODEC_NO_MEMORY,
};

/*
 * One member or element of a container, or the value of a document, as positions in the text:
 * start <= key <= colon <= value <= trail <= end. White space stands at start..key (before the
 * key, or the value of an element) and at trail..end; colon..value holds the colon and the
 * white space around it. For elements key = colon = value; framed codecs have neither white
 * space nor colons.
 */
struct codec_item {
    const char *start;
    const char *key;
    const char *colon;
    const char *value;
    const char *trail;
    const char *end;
    enum kind kind; /* of the value; framed codecs only */
    bool escaped;   /* JSON: the key holds escapes */
};

/* A walk over the children of a container. */
struct codec_walk {
    const char *at;
    const char *end;
    const char *inner; /* JSON: white space of an empty container, up to <at> - 1 */
    uint64_t left;     /* framed: children still to come */
    unsigned depth_max;
    bool object;
    bool first;
    enum codec_status status;
};

struct tree_node;

/* A document that is not a value of its codec as it stands. */
struct codec_document {
    struct slice value; /* what it stands for, in the spelling of values */
    unsigned form;      /* how it is written, where there is a choice: the codec's own */
    bool shared;        /* the codec's own, too: of this document only */
};

struct codec {
    const char *name;     /* in schema documents */
    const char *document; /* in messages: "not <document>" */

    /*
     * The codec of its values, where documents are turned into those of another; only the name
     * and the functions of documents are there then. NULL: itself.
     */
    const struct codec *values;
    struct slice colon; /* of a compact member; empty: a framed codec */

    /* A Redis hash: which fields hold JSON (hash.h). */
    bool is_hash;
    const struct slice *documents;
    size_t document_count;

    /*
     * Does the key <raw> say that it is element <index> of an array? NULL where elements have
     * no keys.
     */
    bool (*is_position)(struct slice raw, uint64_t index);

    /* Spellings. */
    struct slice null;
    struct slice truth[2];
    struct slice empty_array;
    struct slice empty_object;
    struct slice one_before; /* of an array of one element */
    struct slice one_after;

    /* --- documents -------------------------------------------------------------------------
     */

    /* Is all of <text> one document? *ret_offset: where it goes wrong. */
    enum codec_status (*check)(struct slice text, unsigned depth_max, size_t *ret_offset);

    /* What the codec calls what stands at <offset> of a bad document; NULL: nothing. */
    const char *(*name_at)(struct slice text, size_t offset);

    /*
     * Check a document, as check() does, and find what it is as a value; and back: the document
     * that an edited value is. NULL where documents are values. <root> is the tree of the
     * document, <value> its text now. CODEC_RANGE or CODEC_REFERENCE, with *ret_problem, for a
     * value that can be none.
     */
    enum codec_status (*document_open)(const struct codec *codec, struct slice text,
                                       unsigned depth_max, struct arena *arena,
                                       struct codec_document *ret_document, size_t *ret_offset);
    unsigned form_alone;  /* of documents made from nothing: the body, */
    unsigned form_inside; /* or in a string of another document */
    enum codec_status (*document_close)(const struct codec *codec,
                                        const struct codec_document *document,
                                        struct tree_node *root, struct slice value,
                                        struct arena *arena, struct slice *ret_text,
                                        const char **ret_problem);

    /* --- values ----------------------------------------------------------------------------
     */

    /* Is all of <raw>, with nothing around it, one value no deeper than <depth_max>? */
    bool (*is_value)(struct slice raw, unsigned depth_max);

    /* What a valid value is. */
    enum kind (*kind)(struct slice raw);

    /* Does a valid value refer to others of its document? NULL: none can. O(size). */
    bool (*refers)(struct slice raw);

    /* Framed: over the children of a valid container. The kind of the container is <kind>. */
    void (*walk_init)(struct codec_walk *walk, struct slice raw);
    bool (*walk_next)(struct codec_walk *walk, struct codec_item *item);

    /* --- names -----------------------------------------------------------------------------
     */

    /* Is the key <raw> the name <text>? Never for a key that is no name. */
    bool (*key_is)(struct slice raw, struct slice text);

    /* Order of names: <0, 0 or >0; 0 exactly if they are the same. */
    int (*key_compare)(struct slice raw_a, struct slice raw_b);

    /* What tells a key from others, and its readable part: borrowed, or in the arena. */
    bool (*key_text)(struct slice raw, struct arena *arena, struct slice *ret_text);
    struct slice (*key_label)(struct slice raw);

    /* Is it what key_text() of <raw> gives? */
    bool (*key_has_text)(struct slice raw, struct slice text);

    /* Is all of <raw> one key? */
    bool (*key_is_valid)(struct slice raw);
    bool (*key_encode)(struct arena *arena, struct slice text, struct slice *ret_raw);

    /* --- scalars ---------------------------------------------------------------------------
     */

    /* The bytes of a KIND_STRING or KIND_BYTES. */
    bool (*string_text)(struct slice raw, struct arena *arena, struct slice *ret_text);
    bool (*string_encode)(struct arena *arena, struct slice text, struct slice *ret_raw);
    int (*string_compare)(struct slice raw_a, struct slice raw_b);

    bool is_text_or_bytes; /* strings are both; see transcode.h */

    /* A KIND_BYTES; NULL where there are none. */
    bool (*bytes_encode)(struct arena *arena, struct slice text, struct slice *ret_raw);

    /*
     * A KIND_NUMBER as a decimal number (decimal.h); CODEC_RANGE for one that is none, such as
     * an infinity. And the other way round: CODEC_RANGE for integers that have no place.
     */
    enum codec_status (*number_text)(struct slice raw, struct arena *arena,
                                     struct slice *ret_number);
    enum codec_status (*number_encode)(struct arena *arena, struct slice number,
                                       struct slice *ret_raw);

    /* --- framed codecs: writing ------------------------------------------------------------
     */

    /*
     * The header of a container that was <raw>, now with <count> children, and what follows
     * them; sizes, of CODEC_HEADER_MAX bytes at most.
     */
    size_t (*put_header)(struct slice raw, uint64_t count, char *out);
    struct slice footer;
};

extern const struct codec codec_json;

static inline const struct codec *
codec_values(const struct codec *codec)
{
    return codec->values == NULL ? codec : codec->values;
}

static inline bool
codec_is_framed(const struct codec *codec)
{
    return codec != &codec_json;
}

#endif
