/*
 * log - lines for the operator: "pid:role time level text", to standard error or a file.
 *
 * Thread:   any. One write per line, so lines never mix. Never called with a lock held: a full
 *           pipe would stall everybody.
 */
#ifndef SERVER_CORE_LOG_H
#define SERVER_CORE_LOG_H

#include "proto/base/buffer.h"

/* In the order of the names of the directive `loglevel`. */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_VERBOSE, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING };

/*
 * Append to <path> from now on; "" for standard error. False with a message for people, and
 * everything as it was, when the file cannot be opened. Before other threads start.
 */
bool log_open(const char *path, struct buffer *ret_error);

/* Lines below <level> are dropped. */
void log_set_level(enum log_level level);

/* What the calling thread is called in its lines: "main", "worker 3"; at most 15 bytes. */
void log_set_role(const char *role);

/* One line; control bytes become blanks; cut at 4 KiB. errno is kept. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
