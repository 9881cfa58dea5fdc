/*
 * lens - versioned documents: a checked schema, and what readers and writers of its versions
 * get.
 *
 * A schema document (JSON) becomes a `struct lens_schema`: immutable, its steps compiled for
 * both directions. A chain of steps runs over one tree of the document, parsed once and written
 * once. A record is a body as its writer sent it, the writer's version, and the complement:
 * what other versions have and the body cannot show. lens_view() shows a record to another
 * version, lens_write() replaces its body without losing what the writer cannot see.
 *
 * The translation is a symmetric lens with complement (Hofmann, Pierce, Wagner: Symmetric
 * Lenses, POPL 2011); arrays are aligned by key (Barbosa et al.: Matching Lenses, ICFP 2010).
 *
 * Thread:   a schema is immutable and may be shared; arenas belong to the caller.
 * Errors:   what a document or schema can make false is reported, never checked. Without
 * memory, or past a budget, an operation fails with LENS_BUDGET. Borrowed: results lie in the
 * caller's arena or in the record passed in. Bounded:  depth, steps, output and complement as
 * the schema's limits say; no recursion on input.
 */
#ifndef PROTO_LENS_H
#define PROTO_LENS_H

#include "proto/base/arena.h"
#include "proto/base/slice.h"

struct lens_schema;

enum lens_outcome {
    LENS_OUTCOME_ERROR, /* reads answer an error */
    LENS_OUTCOME_MISS,  /* the content reads as absent */
    LENS_OUTCOME_RAW,   /* reads get the stored bytes */
};

/* How a store may keep bodies small; means nothing to a translation. */
enum lens_compression {
    LENS_COMPRESSION_UNSAID, /* as for keys without schema */
    LENS_COMPRESSION_NONE,
    LENS_COMPRESSION_LZ4,
    LENS_COMPRESSION_ZSTD,
};

/* Why a view cannot be made, or a schema is refused: X(enum, name as in replies and counters).
 */
#define LENS_REASONS(X)                                                                        \
    X(LENS_OK, "ok")                                                                           \
    X(LENS_SYNTAX, "syntax")         /* the body is no document of its codec */                \
    X(LENS_COLLISION, "collision")   /* a stray name of the target form */                     \
    X(LENS_DUPLICATE, "duplicate")   /* a named member occurs twice */                         \
    X(LENS_TYPE, "type")             /* a value of another type than the op takes */           \
    X(LENS_UNMAPPED, "unmapped")     /* map: not in the table */                               \
    X(LENS_INEXACT, "inexact")       /* a quotient without end */                              \
    X(LENS_TOO_LONG, "too-long")     /* over 1,000 digits */                                   \
    X(LENS_RANGE, "range")           /* a value that the target form has no place for */       \
    X(LENS_REFERENCE, "reference")   /* what the codec refers to by its place would move */    \
    X(LENS_SLOT, "slot")             /* opaque: the version has written nothing */             \
    X(LENS_NO_VERSION, "no-version") /* the record's or reader's version is unknown */         \
    X(LENS_BUDGET, "budget")         /* beyond depth, size or memory limits */

enum lens_reason {
#define X(id, name) id,
    LENS_REASONS(X)
#undef X
        LENS_REASON_COUNT
};

enum {
    LENS_PATH_SIZE = 128, /* of a path in a failure, cut beyond */
    LENS_TEXT_SIZE = 160,
};

/* Where and why a translation failed; <path> is a JSON Pointer into the form that failed. */
struct lens_failure {
    enum lens_reason reason;
    unsigned from; /* version the failing step started from, and where it led */
    unsigned to;
    char path[LENS_PATH_SIZE]; /* NUL-terminated, printable ASCII */
    char text[LENS_TEXT_SIZE]; /* e.g. "not a number"; one printable line */
};

/* Why a schema document is refused; <path> points into the schema document. */
struct lens_problem {
    char path[LENS_PATH_SIZE];
    char text[LENS_TEXT_SIZE];
};

struct lens_record {
    unsigned version; /* the writer's */
    struct slice body;
    struct slice complement; /* opaque bytes, possibly empty; hostile ones are survived */
};

const char *lens_reason_name(enum lens_reason reason);

/*
 * Check a schema document and compile it. NULL with *ret_problem set when it is refused or
 * memory ran out. The caller owns the schema. O(document + versions^2 * steps).
 */
struct lens_schema *lens_schema_new(struct slice json, struct lens_problem *ret_problem);
void lens_schema_free(struct lens_schema *schema); /* takes NULL */

/*
 * Likewise, but reports every problem that can be told (256 at most), in order of the document,
 * instead of the first: what depends on something refused is not looked at.
 */
typedef void lens_on_problem(void *context, const struct lens_problem *problem);
struct lens_schema *lens_schema_check(struct slice json, lens_on_problem *on_problem,
                                      void *context);

/*
 * May <next> replace the published <old>? Versions may be appended; keys, except, db,
 * default_version, on_untranslatable, strict and limits may change; codec, identity and steps
 * of published versions may not. False with *ret_problem naming the first conflict.
 */
bool lens_schema_may_follow(const struct lens_schema *old, const struct lens_schema *next,
                            struct lens_problem *ret_problem);

/* All of what is in the way. */
void lens_schema_conflicts(const struct lens_schema *old, const struct lens_schema *next,
                           lens_on_problem *on_problem, void *context);

/*
 * What an op is in one direction, from what its table and numbers say: the worst that may
 * happen to a value that it takes.
 */
enum lens_class {
    LENS_ISO,        /* the other side has it all: nothing is remembered but spelling */
    LENS_COMPLEMENT, /* what the other side cannot show is remembered, and comes back whole */
    LENS_DEFAULT,    /* the other side gets a value that nobody wrote, until it writes one */
    LENS_LOSSY,      /* what is shown does not say what was there; that is remembered as long as
                        the shown value stays */
    LENS_PARTIAL,    /* a change of codec: what the other codec has no place for is
                        untranslatable (LENS_RANGE), all else it has */
};
const char *lens_class_name(enum lens_class class);

struct lens_op {
    unsigned from;     /* the step goes up from this version */
    const char *name;  /* static */
    struct slice path; /* of the member; '*' stands for every element inside `each` */
    struct slice at;   /* where the op stands in the schema document */
    enum lens_class up;
    enum lens_class down;
    bool is_hiding; /* some version has what another one does not see */
};

/*
 * Every op of every step, those inside an `each` behind it; first, where the codec changes,
 * "codec". False without memory. <arena> holds the paths.
 */
typedef void lens_on_op(void *context, const struct lens_op *op);
bool lens_schema_ops(const struct lens_schema *schema, struct arena *arena, lens_on_op *on_op,
                     void *context);

/* Facts of the document; slices live as long as the schema. */
struct slice lens_schema_json(const struct lens_schema *schema); /* as it was given */
struct slice lens_schema_name(const struct lens_schema *schema);
size_t lens_schema_key_count(const struct lens_schema *schema); /* patterns in "keys" */
struct slice lens_schema_key(const struct lens_schema *schema, size_t index);
size_t lens_schema_except_count(const struct lens_schema *schema);
struct slice lens_schema_except(const struct lens_schema *schema, size_t index);
int lens_schema_db(const struct lens_schema *schema);                 /* -1: any */
unsigned lens_schema_version_count(const struct lens_schema *schema); /* versions 1..count */
unsigned lens_schema_default_version(const struct lens_schema *schema);
enum lens_outcome lens_schema_outcome(const struct lens_schema *schema);
bool lens_schema_strict(const struct lens_schema *schema);
enum lens_compression lens_schema_compression(const struct lens_schema *schema);
int64_t lens_schema_complement_retention_s(const struct lens_schema *schema);
size_t lens_schema_identity_count(const struct lens_schema *schema);

/* Are bodies of <version> the fields of a Redis hash (proto/codec/hash.h)? */
bool lens_is_hash(const struct lens_schema *schema, unsigned version);

/* Is <body> a document of the codec (with everything inside its limits)? O(size). */
bool lens_is_document(const struct lens_schema *schema, unsigned version, struct slice body);

/*
 * What a reader of version <to> gets. The body itself when <to> is the record's version,
 * without looking at it. False with *ret_failure set (ret_view untouched) when no view can be
 * made.
 */
bool lens_view(const struct lens_schema *schema, const struct lens_record *record, unsigned to,
               struct arena *arena, struct slice *ret_view, struct lens_failure *ret_failure);

/* The equivalent record of version <to>: no view and no later write can tell the difference. */
bool lens_rebase(const struct lens_schema *schema, const struct lens_record *record,
                 unsigned to, struct arena *arena, struct lens_record *ret_record,
                 struct lens_failure *ret_failure);

/*
 * The complement of <record> without what only versions outside of <first> .. <last> have (the
 * record's own lies within). False without memory.
 */
bool lens_forget(const struct lens_schema *schema, const struct lens_record *record,
                 unsigned first, unsigned last, struct arena *arena,
                 struct slice *ret_complement);

enum lens_write {
    LENS_WRITE_OK,         /* ret_record is what to store */
    LENS_WRITE_QUARANTINE, /* likewise, but <old> could not be rebased: keep it aside;
                            *ret_failure says why */
    LENS_WRITE_REFUSED,    /* strict schema, and <body> is no document; *ret_failure says why */
};

/*
 * The record after a writer of version <by> stored <body> over <old> (NULL: none): rebase, put
 * the body in, settle, apply the identity rule. ret_record->body is <body> itself.
 */
enum lens_write lens_write(const struct lens_schema *schema, const struct lens_record *old,
                           unsigned by, struct slice body, struct arena *arena,
                           struct lens_record *ret_record, struct lens_failure *ret_failure);

/* One line of an explanation: an op that ran, where, and what the complement gave. */
struct lens_note {
    unsigned from;
    unsigned to;
    const char *op;    /* static */
    struct slice path; /* of the member, elements by their place; dies with the call */
    const char *text;  /* e.g. "restored from the complement", "default", "converted"; static */
};

/*
 * Like lens_view(), calling <on_note> for every op that ran; for people, not for speed. Notes
 * of steps that ran before a failure are reported, too.
 */
bool lens_explain(const struct lens_schema *schema, const struct lens_record *record,
                  unsigned to, struct arena *arena,
                  void (*on_note)(void *context, const struct lens_note *note), void *context,
                  struct slice *ret_view, struct lens_failure *ret_failure);

#endif
