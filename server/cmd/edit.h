/*
 * edit - changing a string, as the caller's version sees it: read, change, write.
 *
 *   struct edit edit;
 *   edit_read() ... edit_open() ... change edit.bytes ... edit_close(), then reply
 *
 * A plain string is changed where it lies; of a key with a schema a copy is changed and written
 * back. An untranslatable record fails an edit, also under the outcome "miss".
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

struct edit {
    char *bytes; /* borrowed until edit_close() */
    size_t size; /* of all of them */
    bool is_copy;
};

/*
 * Open the string whose <view> was read for changes, with <size> bytes if it is shorter: zeros
 * from its end up to <zeros_to>; those behind are the caller's to write. What is changed from
 * here on is done: an edit that may yet be refused is refused before. False when an error was
 * replied.
 */
bool edit_open(struct request *request, const struct key *key, struct slice view, size_t size,
               size_t zeros_to, struct edit *ret_edit);

/* Keeps the key's TTL. False when an error was replied. */
bool edit_close(struct request *request, const struct key *key, const struct edit *edit);

/*
 * A copy of <view> in scratch memory, padded with zeros to <size> bytes if it is shorter; NULL
 * when "out of memory" was replied.
 */
char *edit_copy(struct request *request, struct slice view, size_t size);

#endif
