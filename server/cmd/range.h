/*
 * range - Redis' inclusive ranges: negative ends count from the end, what lies outside is cut.
 */
#ifndef SERVER_CMD_RANGE_H
#define SERVER_CMD_RANGE_H

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t first;
    uint64_t last;
};

/* Do both count from the end, the wrong way round? GETRANGE and BITCOUNT answer nothing then.
 */
bool range_is_reversed(int64_t first, int64_t last);

/* Resolve <first> .. <last> over <count> items; false when nothing is left. */
bool range_resolve(int64_t first, int64_t last, uint64_t count, struct range *ret_range);

#endif
