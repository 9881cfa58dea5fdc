/*
 * plan - a checked schema as the translator reads it: ops with decoded paths and tables.
 *
 * Thread:   immutable once built.
 * Borrowed: everything lies in the arena of the schema.
 */
#ifndef PROTO_LENS_PLAN_H
#define PROTO_LENS_PLAN_H

#include "proto/codec/codec.h"
#include "proto/lens.h"

enum {
    PLAN_NESTING_MAX = 16,
    PLAN_OPS_MAX = 65536,
    PLAN_PARTS_MAX = 64, /* names of a split or join */
    PLAN_DIGITS_MAX = 30,
    PLAN_VERSIONS_MAX = 4096,
    PLAN_PATTERNS_MAX = 1024,
    PLAN_NAME_SIZE_MAX = 128,
    PLAN_RETENTION_S = 7 * 24 * 3600,
    PLAN_RETENTION_MAX_S = 10 * 366 * 24 * 3600,
    PLAN_LAYERS_MAX = 4, /* codecs of one version */
    PLAN_FIELDS_MAX = 256,
};

/*
 * Values and names of a schema document are compiled in the spelling of the codec in which the
 * step runs: "raw" below.
 */

/* A member name: as text, and as a key, with the codec's colon right behind it. */
struct plan_name {
    struct slice text;
    struct slice raw;
};

/* A JSON Pointer. */
struct plan_path {
    struct slice text;
    struct plan_name *names;
    size_t count;
};

enum plan_kind {
    PLAN_RENAME,
    PLAN_ADD,
    PLAN_REMOVE,
    PLAN_MOVE,
    PLAN_MAP,
    PLAN_CONVERT,
    PLAN_SCALE,
    PLAN_WRAP,
    PLAN_UNWRAP,
    PLAN_SPLIT,
    PLAN_JOIN,
    PLAN_FILL,
    PLAN_EACH,
    PLAN_FILTER,
};

struct plan_entry {
    struct slice key;  /* text */
    struct slice text; /* what it becomes */
    struct slice raw;  /* the string that it becomes */
};

/* One direction of a map. */
struct plan_table {
    struct plan_entry *entries; /* ascending by key */
    size_t count;
    enum { PLAN_ELSE_FAIL, PLAN_ELSE_KEEP, PLAN_ELSE_VALUE } otherwise;
    struct slice value; /* PLAN_ELSE_VALUE: raw */
};

enum plan_unit {
    PLAN_INTEGER,
    PLAN_STRING,
    PLAN_BOOLEAN,
    PLAN_UNIX_SECONDS,
    PLAN_UNIX_MILLISECONDS,
    PLAN_ISO_8601,
};

struct plan_op;

struct plan_list {
    struct plan_op *ops;
    size_t count;
};

/* Members beside <kind> and <path> mean something for some kinds only. */
struct plan_op {
    enum plan_kind kind;
    const char *name;
    struct plan_path path; /* move: from */
    struct plan_path to;   /* move, and rename: the path with the new name */
    bool is_field;         /* its paths begin at the fields of a hash */
    bool is_text;          /* on a field of a hash, where numbers and booleans are texts */
    bool has_value;        /* add, remove: a default is given; fill: always */
    struct slice value;    /* raw */
    struct plan_table up;  /* map */
    struct plan_table down;
    enum plan_unit from_unit; /* convert */
    enum plan_unit to_unit;
    struct slice factor; /* scale: a JSON number */
    int up_digits;       /* -1: exact */
    int down_digits;
    struct slice separator;  /* split, join */
    struct plan_name *parts; /* split: into, join: from */
    size_t part_count;
    struct plan_path key; /* each, filter; count 0: none */
    struct plan_path new_key;
    struct plan_list steps; /* each */
    struct plan_path hide;  /* filter */
    struct slice *hidden;   /* raw */
    size_t hidden_count;
};

/* The lens from version v to v + 1. */
struct plan_step {
    struct plan_list list;
    bool converts;        /* the versions' formats differ: the codec changes below the list */
    uint64_t fingerprint; /* of the meaning of the steps, not of their spelling */
};

/* How the bodies of a version are written: see document.h. */
struct plan_format {
    const struct codec *codecs[PLAN_LAYERS_MAX]; /* from the outside in */
    unsigned count;
    struct plan_path inside; /* in the first; count 0: its root */
};

/* The codec of the state. */
static inline const struct codec *
plan_format_codec(const struct plan_format *format)
{
    return codec_values(format->codecs[format->count - 1]);
}

/* Are these the fields of a hash themselves? */
static inline bool
plan_format_is_fields(const struct plan_format *format)
{
    return format->count == 1 && format->codecs[0]->is_hash && format->inside.count == 0;
}

struct plan_version {
    struct plan_format format;
    struct plan_path *identity; /* of this version's form */
    size_t identity_count;
    struct slice steps; /* canonical text of the steps that lead here, for comparison */
};

struct plan_limits {
    unsigned depth;
    unsigned ops;
    unsigned nesting;
    size_t output_factor;
    size_t output_size;
    size_t complement_factor;
    size_t complement_size;
    size_t work_factor; /* ops run and members looked at: times the body's bytes, */
    size_t work_count;  /* and so many more */
};

struct lens_schema {
    struct arena arena;
    struct slice json;
    struct slice name;
    struct slice *keys;
    size_t key_count;
    struct slice *excepts;
    size_t except_count;
    int db;
    unsigned default_version;
    enum lens_outcome outcome;
    bool strict;
    enum lens_compression compression;
    bool opaque;                    /* slots per version: see opaque.h */
    bool drops_others;              /* a write drops the other slots */
    int64_t complement_retention_s; /* of what only withdrawn versions have */
    struct plan_format format;      /* of versions that state none */
    struct codec *hash;             /* with the fields of this schema */
    struct plan_limits limits;
    struct slice identity; /* canonical text */
    unsigned version_count;
    struct plan_version *versions; /* versions[v - 1] */
    struct plan_step *steps;       /* steps[v - 1]: from v to v + 1 */
};

/* Is <outer> the same as <inner>, or an ancestor of it? */
bool plan_path_covers(const struct plan_path *outer, const struct plan_path *inner);

bool plan_path_same(const struct plan_path *a, const struct plan_path *b);

#endif
