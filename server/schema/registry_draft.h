/*
 * registry_draft - an epoch in the making: what registry_put() and its like change, what the
 * registry file holds, and what becomes an immutable epoch. Private to server/schema.
 *
 * Thread:   owned by one thread at a time.
 */
#ifndef SERVER_SCHEMA_REGISTRY_DRAFT_H
#define SERVER_SCHEMA_REGISTRY_DRAFT_H

#include "proto/base/arena.h"
#include "server/schema/registry.h"

#include <stdatomic.h>

/* A compiled schema, shared by the epochs that have it unchanged. */
struct shared_lens {
    _Atomic uint32_t references;
    struct lens_schema *lens; /* [owned] */
};

/* Takes <lens> over, also when it fails (NULL: no memory). */
struct shared_lens *shared_lens_new(struct lens_schema *lens);
void shared_lens_unref(struct shared_lens *shared); /* takes NULL */

struct draft_schema {
    uint32_t id;
    uint32_t base_version;
    struct shared_lens *shared; /* [owned] one reference */
    struct usage *usage;        /* [owned] one reference */
    struct packing *packing;    /* [owned] one reference */
    struct registry_rollout rollout;
};

struct draft_pair {
    uint32_t schema_id;
    uint32_t version;
};

struct draft_release {
    struct slice name;
    struct draft_pair *pairs;
    size_t count;
};

/* Arrays and names lie in the arena. */
struct draft {
    struct arena arena;
    uint64_t epoch;
    uint32_t next_id;
    struct draft_schema *schemas;
    size_t schema_count;
    struct draft_release *releases;
    size_t release_count;
};

/* Room for that many schemas and releases; false without memory. */
bool draft_init(struct draft *draft, size_t schemas_max, size_t releases_max);
void draft_fini(struct draft *draft);

/* Takes all references, also when it fails. Makes a new usage and packing where it is NULL. */
bool draft_add_schema(struct draft *draft, uint32_t id, uint32_t base_version,
                      struct shared_lens *shared, struct usage *usage, struct packing *packing);
void draft_remove_schema(struct draft *draft, size_t index);

size_t draft_find(const struct draft *draft, struct slice name); /* its schema_count: none */

/* Copy an epoch, which must stay as long, with room for one schema and one release more. */
bool draft_from_registry(struct draft *draft, const struct registry *registry);

/* The epoch of a draft, which stays the caller's; NULL without memory. */
struct registry *registry_new(const struct draft *draft);
void registry_free(struct registry *registry); /* takes NULL */

/* Changes are made one at a time, under the holder's mutex; the current epoch stays meanwhile.
 */
const struct registry *registry_lock(struct registry_holder *holder);
void registry_unlock(struct registry_holder *holder);

/* Make the draft the current epoch, on disk first: see registry_put() for the results. */
bool registry_commit_locked(struct registry_holder *holder, struct draft *draft,
                            const struct registry **ret_old, struct buffer *ret_error);

/* The registry file: see registry_file.c for its layout. */
bool registry_file_encode(const struct draft *draft, struct buffer *ret_file);

/* False with what is wrong in <ret_error>; any bytes are survived. <draft> is not initialized.
 */
bool registry_file_decode(struct slice file, struct draft *draft, struct buffer *ret_error);

/* Read all of the file; *ret_found is false where there is none. */
bool registry_file_read(const char *directory, struct buffer *ret_file, bool *ret_found,
                        struct buffer *ret_error);

/* Replace the file atomically and durably. */
bool registry_file_write(const char *directory, struct slice file, struct buffer *ret_error);

#endif
