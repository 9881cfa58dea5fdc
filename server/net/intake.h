/*
 * intake - the large arguments of the request that is being read, each in a block that a
 * handler may keep: what is read from the socket becomes the stored value.
 *
 * A large argument that is not there yet is set apart from the other bytes of its request
 * (intake_begin), filled from the socket (intake_room, intake_commit), and given back to the
 * parser, which goes on behind it. One that came wholly in one read is copied, before any lock
 * is taken (intake_complete). Blocks grow with what has come, not with what was announced.
 *
 * Thread:   the worker's.
 */
#ifndef SERVER_NET_INTAKE_H
#define SERVER_NET_INTAKE_H

#include "proto/base/buffer.h"
#include "proto/resp.h"

struct block;

struct intake {
    struct block **blocks; /* [owned] of arguments that are there, in the order of argv */
    size_t count;
    size_t capacity;
    size_t size;           /* bytes in all blocks, the one below included */
    struct block *filling; /* [owned] of the argument being read; NULL: none is read apart */
    size_t filled;
    size_t room; /* it has in all */
};

void intake_fini(struct intake *intake); /* empty again */

/*
 * If <parser> is in the middle of a large argument, set it apart: what has come of it, up to
 * data[*size], is copied, and *size cut to what is before it. False without memory.
 */
bool intake_begin(struct intake *intake, const struct resp_request *parser, const char *data,
                  size_t *size);

/* Room to read into, while one is filled, <size_max> bytes at most; NULL: no memory. */
char *intake_room(struct intake *intake, const struct resp_request *parser, size_t size_max,
                  size_t *ret_size);

enum intake_result { INTAKE_MORE, INTAKE_READY, INTAKE_FAILED };

/* <size> bytes were read. READY: the argument is there, the parser was told, and what had come
 * behind it was appended to <rest>. FAILED: no memory. */
enum intake_result intake_commit(struct intake *intake, struct resp_request *parser,
                                 size_t size, struct buffer *rest);

/*
 * The request is there: let all its large arguments have <blocks>. Those that were not set
 * apart are copied, and argv changed; without memory they stay what they are.
 */
void intake_complete(struct intake *intake, struct slice *argv, size_t argc);

#endif
