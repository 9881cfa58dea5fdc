/*
 * check - assertions about ourselves, compiled into every build.
 *
 * CHECK states what cannot be false unless this program is wrong. What a peer can make false is
 * never checked this way: it gets an error reply.
 */
#ifndef PROTO_BASE_CHECK_H
#define PROTO_BASE_CHECK_H

#define CHECK(condition)                                                                       \
    (__builtin_expect(!!(condition), 1) ? (void)0                                              \
                                        : check_failed(#condition, __FILE__, __LINE__))

/* Write the failed condition to standard error and abort. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
