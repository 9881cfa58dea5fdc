/*
 * registry - the schemas and releases in force: immutable epochs, swapped whole.
 *
 * A worker takes the current epoch once per turn (or per EXEC) and uses it unlocked; an old epoch
 * is freed when every worker has passed a turn since the swap (server->wake_workers). The
 * registry survives a restart in `segue-registry` in `dir`: checksummed (XXH3), replaced
 * atomically (write, fsync, rename, fsync of the directory).
 *
 * Thread:   an epoch is read by any thread; changes are serialized by the holder.
 */
#ifndef SERVER_SCHEMA_REGISTRY_H
#define SERVER_SCHEMA_REGISTRY_H

#include "proto/base/buffer.h"
#include "proto/lens.h"

struct registry;        /* one epoch */
struct registry_holder; /* the current epoch and its file */

/* One schema of an epoch. <index> is dense within the epoch; <id> is never reused. */
struct registry_schema {
    uint32_t id;
    uint32_t index;
    uint32_t base_version; /* the default version at the first SCHEMA PUT */
    const struct lens_schema *lens;
};

/*
 * Load the registry file of <directory>, or start empty where there is none. NULL with a message
 * for people in <ret_error> when it cannot be read or fails its checksum.
 */
struct registry_holder *registry_open(const char *directory, struct buffer *ret_error);
void registry_close(struct registry_holder *holder); /* takes NULL */

/* The current epoch: valid until the calling worker's next turn. One relaxed load. */
const struct registry *registry_current(const struct registry_holder *holder);

uint64_t registry_epoch(const struct registry *registry); /* 1, 2, 3 ... */
bool registry_is_empty(const struct registry *registry);  /* no schemas: nothing to match */
size_t registry_schema_count(const struct registry *registry);
const struct registry_schema *registry_schema_at(const struct registry *registry,
                                                 size_t index);
const struct registry_schema *registry_schema_by_name(const struct registry *registry,
                                                      struct slice name);
const struct registry_schema *registry_schema_by_id(const struct registry *registry,
                                                    uint32_t id);

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

#endif
