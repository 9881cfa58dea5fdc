/*
 * bindings - which version of each schema a connection speaks.
 *
 * Per schema, the first that names it: SCHEMA USE; a release, of the user of AUTH/HELLO, else
 * of the client name, else of the listener, else of the database number; the default version.
 * Resolved when first asked in an epoch, then one array access. A release that is named but not
 * defined (any more) makes the schemas that nothing before it names unusable: no connection
 * silently speaks the default version. That is: any user but "default", any listener's or
 * database's release; of client names those of a known application ("x@" of "x@y"), and those
 * that were a release when last resolved.
 *
 * Resolved bindings count as a connection in the usage (usage.h) of each schema.
 *
 * Thread:   owned by the session's worker.
 */
#ifndef SERVER_SCHEMA_BINDINGS_H
#define SERVER_SCHEMA_BINDINGS_H

#include "server/schema/registry.h"

#include <limits.h>

struct bindings;

enum { BINDINGS_RAW = 0 }; /* the version number that stands for SCHEMA USE name RAW */

/* Not a version: the release that should say it is not defined. bindings_missing() names it. */
#define BINDINGS_NO_RELEASE UINT_MAX

/* Added to a version that is withdrawn: beyond every version there is. */
enum { BINDINGS_WITHDRAWN = 1 << 16 };

/* What a session says of itself; slices borrowed for the call. */
struct bindings_source {
    struct slice user;
    struct slice client_name;
    struct slice listener_release;
    struct slice database_release;
};

struct bindings *bindings_new(void);
void bindings_free(struct bindings *bindings); /* takes NULL */

/* SCHEMA USE name version, or BINDINGS_RAW; survives epochs by schema name. False: no memory.
 */
bool bindings_use(struct bindings *bindings, struct slice schema_name, unsigned version);
void bindings_clear(struct bindings *bindings); /* RESET: forgets SCHEMA USE */

/* To be called after anything in bindings_source changed: resolve anew at the next use. */
void bindings_invalidate(struct bindings *bindings);

/* Is a resolution for this epoch there? If not, bindings_resolve() first. */
bool bindings_are_current(const struct bindings *bindings, const struct registry *registry);
bool bindings_resolve(struct bindings *bindings, const struct registry *registry,
                      const struct bindings_source *source);

/*
 * The version spoken of <schema>, BINDINGS_RAW and BINDINGS_NO_RELEASE included; current
 * bindings only. It may be beyond the schema's versions after SCHEMA PUT ... FORCE, and is
 * where it is withdrawn (BINDINGS_WITHDRAWN + version). O(1).
 */
unsigned bindings_version(const struct bindings *bindings,
                          const struct registry_schema *schema);

/* The release that was not defined when the bindings were resolved; empty: all are. */
struct slice bindings_missing(const struct bindings *bindings);

#endif
