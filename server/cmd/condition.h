/*
 * condition - compare-and-set on the caller's view: IFEQ, IFNE, IFDEQ, IFDNE and the digest.
 */
#ifndef SERVER_CMD_CONDITION_H
#define SERVER_CMD_CONDITION_H

#include "server/cmd/request.h"

enum condition_kind {
    CONDITION_NONE,
    CONDITION_EQUAL,
    CONDITION_NOT_EQUAL,
    CONDITION_DIGEST_EQUAL,
    CONDITION_DIGEST_NOT_EQUAL,
};

struct condition {
    enum condition_kind kind;
    struct slice operand; /* the value, or the digest in hexadecimal */
};

enum { DIGEST_SIZE = 16 };

/* XXH3-64 of <value> as lower-case hexadecimal digits. O(size of value). */
void digest_write(struct slice value, char ret_digits[DIGEST_SIZE]);

/* Is argv[index] one of the four words, in any case? */
bool condition_parse(const struct request *request, size_t index,
                     enum condition_kind *ret_kind);

/* Must there be a value for the condition to hold? */
bool condition_needs_value(enum condition_kind kind);

enum condition_result { CONDITION_HOLDS, CONDITION_FAILS, CONDITION_REFUSED };

/* Does it hold for <view>? REFUSED: the digest is malformed, which was replied. */
enum condition_result condition_check(struct request *request,
                                      const struct condition *condition, struct slice view);

#endif
