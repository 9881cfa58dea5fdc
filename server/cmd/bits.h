/*
 * bits - reading, writing, counting and finding bits; bit 0 is the highest of the first byte.
 */
#ifndef SERVER_CMD_BITS_H
#define SERVER_CMD_BITS_H

#include "server/cmd/range.h"
#include "server/cmd/request.h"

/* The <width> (up to 64) bits at <offset> as a number; zeros lie beyond the end. */
uint64_t bits_get(struct slice bytes, uint64_t offset, unsigned width);

/* Overwrite them; they must lie inside. */
void bits_set(char *bytes, uint64_t offset, unsigned width, uint64_t value);

/* How many bits of <range> (inside <bytes>) are set. O(size of range). */
uint64_t bits_count(struct slice bytes, struct range range);

/* The first bit of <range> (inside <bytes>) that is <set>; -1: none. O(size of range). */
int64_t bits_find(struct slice bytes, struct range range, bool set);

/*
 * argv[index] as a bit offset: "ERR bit offset is not an integer or out of range" when it
 * lies beyond proto-max-bulk-len. "#n" stands for n * <width>; 0: it is not known here.
 */
bool bits_argument_offset(struct request *request, size_t index, unsigned width,
                          uint64_t *ret_offset);

#endif
