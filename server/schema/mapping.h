/*
 * mapping - what the configuration says of releases: of listeners, and of database numbers.
 *
 *   listener-release 6380 web@2026.11            by port
 *   listener-release /run/segue.sock web@2026.11  by path of the Unix socket
 *   database-release 2 web@2026.11 0             database 2 shows the data of database 0
 *
 * The releases need not be defined (yet).
 *
 * Thread:   immutable once made.
 * Borrowed: names live as long as the mapping.
 */
#ifndef SERVER_SCHEMA_MAPPING_H
#define SERVER_SCHEMA_MAPPING_H

#include "server/core/config.h"

struct mapping;

/* NULL with a message for people that names the directive and the line in <ret_error>. */
struct mapping *mapping_new(struct config *config, struct buffer *ret_error);
void mapping_free(struct mapping *mapping); /* takes NULL */

/* Add one line of a directive; for mapping_new() and tests. False like mapping_new(). */
struct mapping *mapping_new_empty(uint32_t database_count);
bool mapping_add_listener(struct mapping *mapping, struct slice line, struct buffer *ret_error);
bool mapping_add_database(struct mapping *mapping, struct slice line, struct buffer *ret_error);

/* The release of the listener at <port> (0: the Unix socket); empty: none. */
struct slice mapping_listener_release(const struct mapping *mapping, uint16_t port);

/* The release of database <db>; empty: none. */
struct slice mapping_database_release(const struct mapping *mapping, uint32_t db);

/* The database whose data <db> shows: itself where it is not mapped. One array access. */
uint32_t mapping_database(const struct mapping *mapping, uint32_t db);

#endif
