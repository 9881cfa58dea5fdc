/*
 * edit - changing a string in place, as the caller's version sees it: read, change, write.
 *
 * An untranslatable record fails an edit, also under the outcome "miss".
 */
#ifndef SERVER_CMD_EDIT_H
#define SERVER_CMD_EDIT_H

#include "server/cmd/value.h"

/*
 * The view of <key> to be edited; empty, with *ret_exists false, when it is absent. False when
 * an error was replied. Borrowed until the next write to the key.
 */
bool edit_read(struct request *request, const struct key *key, struct slice *ret_view,
               bool *ret_exists);

/*
 * A copy of <view> in scratch memory, padded with zeros to <size> bytes if it is shorter; NULL
 * when "out of memory" was replied.
 */
char *edit_copy(struct request *request, struct slice view, size_t size);

#endif
