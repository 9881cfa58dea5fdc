/*
 * bindings - which version of each schema a connection speaks.
 *
 * Per schema, the first that names it: SCHEMA USE; a release, of the user of AUTH/HELLO, else of
 * the client name, else of the listener, else of the database number; the default version.
 * Resolved when first asked in an epoch, then one array access.
 *
 * Thread:   owned by the session's worker.
 */
#ifndef SERVER_SCHEMA_BINDINGS_H
#define SERVER_SCHEMA_BINDINGS_H

#include "server/schema/registry.h"

struct bindings;

enum { BINDINGS_RAW = 0 }; /* the version number that stands for SCHEMA USE name RAW */

/* What a session says of itself; slices borrowed for the call. */
struct bindings_source {
    struct slice user;
    struct slice client_name;
    struct slice listener_release;
    struct slice database_release;
};

struct bindings *bindings_new(void);
void bindings_free(struct bindings *bindings); /* takes NULL */

/* SCHEMA USE name version, or BINDINGS_RAW; survives epochs by schema name. False: no memory. */
bool bindings_use(struct bindings *bindings, struct slice schema_name, unsigned version);
void bindings_clear(struct bindings *bindings); /* RESET: forgets SCHEMA USE */

/* To be called after anything in bindings_source changed: resolve anew at the next use. */
void bindings_invalidate(struct bindings *bindings);

/* Is a resolution for this epoch there? If not, bindings_resolve() first. */
bool bindings_are_current(const struct bindings *bindings, const struct registry *registry);
bool bindings_resolve(struct bindings *bindings, const struct registry *registry,
                      const struct bindings_source *source);

/* The version spoken of <schema>, BINDINGS_RAW included; current bindings only. O(1). */
unsigned bindings_version(const struct bindings *bindings,
                          const struct registry_schema *schema);

#endif
