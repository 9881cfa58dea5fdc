/*
 * registry - the schemas and releases in force: immutable epochs, swapped whole.
 *
 * A worker takes the current epoch once per turn (or per EXEC) and uses it unlocked; an old
 * epoch is freed when every worker has passed a turn since the swap (server->wake_workers). The
 * registry survives a restart in `segue-registry` in `dir`: checksummed (XXH3), replaced
 * atomically (write, fsync, rename, fsync of the directory).
 *
 * Thread:   an epoch is read by any thread; changes are serialized by the holder.
 */
#ifndef SERVER_SCHEMA_REGISTRY_H
#define SERVER_SCHEMA_REGISTRY_H

#include "proto/base/buffer.h"
#include "proto/lens.h"

struct usage;
struct packing;
struct registry;        /* one epoch */
struct registry_holder; /* the current epoch and its file */

/* A version that nobody speaks any more. Its records can still be read as other versions. */
struct registry_withdrawal {
    unsigned version;
    bool is_forced;
    int64_t at_ms;
    struct slice by;       /* who asked for it */
    struct slice evidence; /* what was in the way, where it was forced */
};

/* What is wanted of the records of a schema: server/schema/backfill.h does it. */
struct registry_backfill {
    enum { REGISTRY_BACKFILL_NONE, REGISTRY_BACKFILL_RUNNING, REGISTRY_BACKFILL_PAUSED } state;
    unsigned version; /* to be theirs; 0: the base version, and nothing remembered */
    uint64_t rate;    /* records a second at most; 0: no limit */
};

/* Where the rollout of a schema stands; survives a restart. */
struct registry_rollout {
    struct registry_backfill backfill;
    const struct registry_withdrawal *withdrawals;
    size_t withdrawal_count;
};

/* One schema of an epoch. <index> is dense within the epoch; <id> is never reused. */
struct registry_schema {
    uint32_t id;
    uint32_t index;
    uint32_t base_version; /* the default version at the first SCHEMA PUT */
    const struct lens_schema *lens;
    struct usage *usage;     /* server/schema/usage.h; outlives the epoch where referenced */
    struct packing *packing; /* server/schema/packing.h; likewise */
    struct registry_rollout rollout;
};

/*
 * Load the registry file of <directory>, or start empty where there is none. NULL with a
 * message for people in <ret_error> when it cannot be read or fails its checksum.
 */
struct registry_holder *registry_open(const char *directory, struct buffer *ret_error);
void registry_close(struct registry_holder *holder); /* takes NULL */

/* The current epoch: valid until the calling worker's next turn. One relaxed load. */
const struct registry *registry_current(const struct registry_holder *holder);

uint64_t registry_epoch(const struct registry *registry);   /* 1, 2, 3 ... */
uint32_t registry_next_id(const struct registry *registry); /* of the next new schema */
bool registry_is_empty(const struct registry *registry);    /* no schemas: nothing to match */
size_t registry_schema_count(const struct registry *registry);
const struct registry_schema *registry_schema_at(const struct registry *registry, size_t index);
const struct registry_schema *registry_schema_by_name(const struct registry *registry,
                                                      struct slice name);
const struct registry_schema *registry_schema_by_id(const struct registry *registry,
                                                    uint32_t id);

/* NULL: the version is not withdrawn. */
const struct registry_withdrawal *registry_withdrawal(const struct registry_schema *schema,
                                                      unsigned version);

/* For the background, without an epoch: does some schema compress; how often was it changed? */
bool registry_wants_compression(const struct registry_holder *holder);
uint64_t registry_change_count(const struct registry_holder *holder);

/* The schema whose pattern matches best (the longest wins); NULL: the key is plain. */
const struct registry_schema *registry_match(const struct registry *registry, uint32_t db,
                                             struct slice key);

/* Releases: "web@2026.11" = session 2, cart 1. */
struct release;
const struct release *registry_release(const struct registry *registry, struct slice name);
/* The version of schema <index> that <release> names, 0: it names none. */
unsigned release_version(const struct release *release, uint32_t schema_index);
/* Some release of the same application ("x@" of "x@y") is defined. */
bool registry_has_application(const struct registry *registry, struct slice name);

size_t registry_release_count(const struct registry *registry); /* in order of their names */
const struct release *registry_release_at(const struct registry *registry, size_t index);
struct slice release_name(const struct release *release);

/*
 * Changes. Each builds the next epoch, writes it to disk and swaps it in. They block
 * (compiling, fsync, a mutex that serializes them), so they run on a pool thread
 * (server->run_blocking). False with the whole error reply (without '-') in <ret_error>;
 * nothing changed then. True with the epoch that was replaced in *ret_old, NULL where nothing
 * had to change: to be handed to registry_retire() when every worker has passed a turn.
 */
enum {
    REGISTRY_SCHEMAS_MAX = 1024,
    REGISTRY_RELEASES_MAX = 4096,
    REGISTRY_NAME_SIZE_MAX = 256, /* of a release */
};

bool registry_put(struct registry_holder *holder, struct slice json, bool force,
                  const struct registry **ret_old, struct buffer *ret_error);

/*
 * What is in the way of putting <lens> (but for the count of schemas): it contradicts what is
 * published under its name, or takes keys of another schema. Nothing: registry_put() takes it.
 */
void registry_conflicts(const struct registry *registry, const struct lens_schema *lens,
                        lens_on_problem *on_problem, void *context);

/* <may_delete> (NULL: always) looks at what lives of the schema, and says what is in the way.
 */
typedef bool registry_may_delete(void *context, const struct registry_schema *schema,
                                 struct buffer *ret_error);
bool registry_delete(struct registry_holder *holder, struct slice name,
                     registry_may_delete *may_delete, void *context,
                     const struct registry **ret_old, struct buffer *ret_error);

/* Ask for a backfill of a schema, another one, or none any more. */
bool registry_set_backfill(struct registry_holder *holder, struct slice name,
                           const struct registry_backfill *backfill,
                           const struct registry **ret_old, struct buffer *ret_error);

/* The backfill of schema <id> to <version> is done: nothing is wanted any more, if it still was
 * that. */
bool registry_end_backfill(struct registry_holder *holder, uint32_t id, unsigned version,
                           const struct registry **ret_old, struct buffer *ret_error);

/*
 * Withdraw a version: not the default version, and not one that is withdrawn already. Readmit:
 * the contrary.
 */
bool registry_withdraw(struct registry_holder *holder, struct slice name,
                       const struct registry_withdrawal *withdrawal,
                       const struct registry **ret_old, struct buffer *ret_error);
bool registry_readmit(struct registry_holder *holder, struct slice name, unsigned version,
                      const struct registry **ret_old, struct buffer *ret_error);

/* The number of the current epoch; any thread. */
uint64_t registry_holder_epoch(const struct registry_holder *holder);

/* Replaces the release whole. <names>[i] is spoken as <versions>[i]. */
bool registry_release_set(struct registry_holder *holder, struct slice name,
                          const struct slice *names, const unsigned *versions, size_t count,
                          const struct registry **ret_old, struct buffer *ret_error);
bool registry_release_delete(struct registry_holder *holder, struct slice name,
                             const struct registry **ret_old, struct buffer *ret_error);

/*
 * A copy of the current epoch for a thread that is no worker, to keep as long as it likes;
 * waits for a change that is under way. NULL without memory.
 */
struct registry *registry_copy(struct registry_holder *holder);
void registry_copy_free(struct registry *copy); /* takes NULL */

/*
 * What the next epoch would be if <json> were put (without FORCE), for the caller alone; frees
 * as a copy does. NULL with the whole error reply (without '-') in <ret_error>.
 */
struct registry *registry_preview(struct registry_holder *holder, struct slice json,
                                  const struct registry_schema **ret_schema,
                                  struct buffer *ret_error);

/* Free an epoch that no worker can hold any more. */
void registry_retire(struct registry_holder *holder, const struct registry *old);

#endif
