/*
 * references - large values that stand in a run of replies without lying in it.
 *
 *   bytes        | $20000 CRLF | CRLF $3 CRLF new CRLF |
 *   references                 ^ at 8: 20,000 bytes of a block
 *
 * Each holds its block until it is written or taken back. In front of each stands its header,
 * behind it a CRLF: so no two have the same place, and what is cut off a run of bytes says
 * which references go with it.
 *
 * Thread:   owned by one thread at a time; blocks are let go with no lock held.
 */
#ifndef SERVER_CMD_REFERENCES_H
#define SERVER_CMD_REFERENCES_H

#include "server/store/block.h"

struct reference {
    size_t at;           /* before this byte of the run */
    struct slice bytes;  /* in the block */
    struct block *block; /* [owned] */
};

struct references {
    struct reference *items; /* [owned] ascending */
    size_t count;
    size_t capacity;
    size_t size; /* of all their bytes */
};

void references_fini(struct references *references); /* lets go of all; empty again */

/* Becomes another holder of <block>. False without memory. */
bool references_add(struct references *references, size_t at, struct slice bytes,
                    struct block *block);

/* The run was cut to <size> bytes. */
void references_cut(struct references *references, size_t size);

/*
 * What must wait shall not hold much more than it shows: parts of less than half of their block
 * are copied, so the block can go. What cannot be, without memory, stays.
 */
void references_settle(struct references *references);

#endif
