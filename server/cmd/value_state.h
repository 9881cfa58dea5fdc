/*
 * value_state - what value.c keeps of one request: the last failure, and translations that are
 * made while no shard is locked. Private to value*.c.
 *
 * A wish is a translation that a handler's call would have had to make under the lock. It holds
 * copies of all it needs, and the revision they were taken at; once granted, it serves the call
 * that wished for it when the handler runs again, if the record is still of that revision.
 *
 * Thread:   the request's worker; everything lies in the request's arena.
 */
#ifndef SERVER_CMD_VALUE_STATE_H
#define SERVER_CMD_VALUE_STATE_H

#include "proto/lens.h"
#include "server/cmd/value.h"
#include "server/schema/registry.h"

enum {
    VALUE_ROUNDS_MAX = 3, /* times a handler is run again before it translates locked */
    VALUE_WISHES_MAX = 4096,
    VALUE_MEMO_SHARE = 16, /* of maxmemory, that views made before may take */
    VALUE_MISSES_MAX = 64, /* wishes sought in vain in a round; more are not sought at all */
};

/* The schema of a key, and the version of it that the connection speaks (BINDINGS_RAW, too). */
struct spoken {
    const struct registry_schema *schema; /* NULL: the key is plain */
    unsigned version;
};

enum value_failure_kind {
    VALUE_FAILURE_MEMORY,
    VALUE_FAILURE_VIEW,       /* <schema> and <lens> say what */
    VALUE_FAILURE_NO_VERSION, /* of <schema>; <version> */
    VALUE_FAILURE_RETIRED,    /* likewise */
    VALUE_FAILURE_NO_RELEASE,
};

struct value_failure {
    enum value_failure_kind kind;
    const struct registry_schema *schema;
    unsigned version;
    struct lens_failure lens;
};

enum value_question_kind {
    QUESTION_VIEW,  /* <old> for a reader of <version> */
    QUESTION_WRITE, /* <body> over it, by a writer of <version> */
    QUESTION_BYTES, /* its body, unpacked */
};

/* A translation, or merely an unpacking: what it is of ... */
struct value_question {
    struct slice key; /* in argv */
    uint64_t hash;
    uint32_t db;
    enum value_question_kind kind;
    bool had_old; /* else nothing was there, and <revision> and <old> mean nothing */
    uint64_t revision;
    const struct registry_schema *schema;
    unsigned version; /* of the view, or of the writer */
    struct lens_record old;
    bool old_is_packed;
    const struct entry *entry; /* of <old>, while the locks are held */
    struct slice body;         /* of a write */
};

/* ... and what came out. */
struct value_answer {
    bool is_counted;       /* it was used, and counted */
    bool is_lost;          /* there was no memory to unpack the old body */
    struct slice old_body; /* unpacked; where there was one */
    bool has_view;         /* of a read */
    struct slice view;
    enum lens_write outcome; /* of a write */
    struct lens_record record;
    struct lens_failure failure; /* of either */
};

struct value_wish {
    struct value_wish *next;
    struct value_question question;
    bool is_granted;     /* there is an answer */
    struct block *block; /* [owned] that the old body lies in; NULL: it is a copy */
    struct value_answer answer;
};

enum value_sight_kind {
    SIGHT_NONE, /* not looked at */
    SIGHT_SILENT,
    SIGHT_ABSENT,
    SIGHT_OTHER, /* another type than string */
    SIGHT_VIEW,
    SIGHT_WISH,
};

/* What one of the request's keys held when the locks were given up. */
struct value_sight {
    enum value_sight_kind kind;
    struct spoken spoken;
    struct value_view view;
    struct block *block; /* [owned] that <view> lies in; NULL: it is a copy */
    struct value_wish *wish;
};

struct value_state {
    struct value_failure failure;
    struct value_wish *wishes; /* in the order they were made */
    struct value_wish *last;
    struct value_wish *cursor; /* found last in this round */
    size_t wish_count;
    size_t miss_count; /* in this round */
    unsigned rounds;
    bool is_waiting;            /* some wish is not granted: the handler is to be run again */
    bool is_keeping;            /* value_keep() looks: no access, nothing to count */
    bool is_unlocked;           /* from now on keys are what <sights> says */
    struct value_sight *sights; /* of request->keys; NULL: none kept */
    struct value_scratch *scratches; /* hashes made of views: hash_key.c */
};

/* NULL without memory. */
struct value_state *value_state_get(struct request *request);

/* The schema that <key> belongs to, whatever the connection speaks; NULL: it is plain. */
static inline const struct registry_schema *
value_schema_of(const struct request *request, const struct key *key)
{
    return request->has_schemas ? registry_match(request->registry, key->db, key->name) : NULL;
}

/*
 * Find the version of <schema>, NULL: plain, or schema and version of <key>. False: the
 * connection cannot speak here; the failure is kept for value_reply_failure(). Without schemas
 * one comparison.
 */
bool value_speak_bound(struct request *request, const struct registry_schema *schema,
                       struct spoken *ret_spoken); /* of these two, for a schema */

static inline bool
value_speak_schema(struct request *request, const struct registry_schema *schema,
                   struct spoken *ret_spoken)
{
    if (schema == NULL) {
        *ret_spoken = (struct spoken){.schema = NULL};
        return true;
    }
    return value_speak_bound(request, schema, ret_spoken);
}

static inline bool
value_speak(struct request *request, const struct key *key, struct spoken *ret_spoken)
{
    return value_speak_schema(request, value_schema_of(request, key), ret_spoken);
}

/* Keep a failed translation of a record of <from> for value_reply_failure(). */
void value_keep_failure(struct request *request, const struct spoken *spoken, unsigned from,
                        const struct lens_failure *lens);
void value_fail_memory(struct request *request); /* likewise that there was none */
void value_count_failure(struct request *request, const struct key *key,
                         const struct spoken *spoken); /* the one kept last */
void value_fail_view(struct request *request, const struct key *key,
                     const struct spoken *spoken, unsigned from,
                     const struct lens_failure *failure); /* both */
void value_count_translation(struct request *request, const struct spoken *spoken,
                             unsigned from);

/* The block that <view>, as it was read of <key>, lies in; borrowed. NULL: in none. */
struct block *value_block(struct request *request, const struct key *key, struct slice view);

/* Let go of the blocks that the sights hold. */
void value_let_sights_go(struct request *request);

/* An entry as a record of <schema>: a foreign one is a body of the base version. */
struct lens_record value_record(const struct registry_schema *schema,
                                const struct value *value);

/* Put the packed bytes of <value>'s body into it, if value_pack() made them for <key>. */
bool value_take_packed(const struct request *request, const struct key *key,
                       struct value *value);

/* Is it one? What came in plain and is of another type than the base version's is what it is,
 * for everybody. */
bool value_is_record(const struct registry_schema *schema, const struct value *value);

/* What is there of the record of <entry>, with its body; *ret_is_there false: no record. False
 * without memory, replied. */
bool value_old(struct request *request, const struct registry_schema *schema,
               const struct entry *entry, struct lens_record *ret_record, bool *ret_is_there);

/* May what has no place in the records of <schema>, a hash or a string, be stored plain? Not
 * where the base version would take it for a record of its own: WRONGTYPE was replied. */
bool value_may_be_foreign(struct request *request, const struct registry_schema *schema,
                          bool is_hash);

/* The entry of <key>, as an access of this request: one only, however often it is run. */
struct entry *value_find_entry(struct request *request, const struct key *key);
void value_count_read(struct request *request, const struct spoken *spoken); /* once */

/* What <answer> says of a record of <from>; counted once. False: the failure was kept; no
 * memory is another than the view's, and *ret_is_lost. */
bool value_take_answer(struct request *request, const struct key *key,
                       const struct spoken *spoken, unsigned from, struct value_answer *answer,
                       struct slice *ret_view, bool *ret_is_lost);

void value_let_scratches_go(struct request *request);

/* Store <value>, or delete the key where <expiry_ms> is over; false: no memory, replied. */
bool value_store(struct request *request, const struct key *key, const struct value *value,
                 int64_t expiry_ms);

/*
 * Write body (and block) of <written> as <spoken> over the record <old> of <entry>; both NULL:
 * nothing is there that is a record. False when an error was replied, or the handler is to be
 * run again.
 */
bool value_write_record(struct request *request, const struct key *key,
                        const struct entry *entry, const struct spoken *spoken,
                        const struct lens_record *old, const struct value *written,
                        int64_t expiry_ms);

/*
 * Reads and writes translated, or wished for: NULL when the handler is to be run again. The
 * answer lies in *room or with the wish.
 */
struct value_answer *value_translate(struct request *request, const struct key *key,
                                     const struct entry *entry, const struct spoken *spoken,
                                     const struct lens_record *record,
                                     struct value_answer *room);
struct value_answer *value_translate_write(struct request *request, const struct key *key,
                                           const struct entry *entry,
                                           const struct spoken *spoken,
                                           const struct lens_record *old, struct slice body,
                                           struct value_answer *room);

/* Likewise the body of <entry>, whose packed bytes are given: the answer's <old_body>. */
struct value_answer *value_unpack(struct request *request, const struct key *key,
                                  const struct entry *entry, struct slice packed,
                                  struct value_answer *room);

#endif
