/*
 * words - a line cut into words, with the quotes and escapes of redis.conf.
 *
 * Words are separated by white space. "..." knows \n \r \t \b \a \xHH, and \ before any other
 * byte for that byte; '...' knows \' only. A closing quote must be followed by white space or
 * the end.
 */
#ifndef SERVER_CORE_WORDS_H
#define SERVER_CORE_WORDS_H

#include "proto/base/slice.h"

struct words {
    struct slice *items; /* [owned] they point into <storage> */
    size_t count;
    char *storage; /* [owned] */
};

enum words_result { WORDS_READY, WORDS_UNBALANCED, WORDS_NO_MEMORY };

/* Cut <line>; only WORDS_READY leaves something to words_fini(). O(size). */
enum words_result words_init(struct words *words, struct slice line);
void words_fini(struct words *words);

#endif
