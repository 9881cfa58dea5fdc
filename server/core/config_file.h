/*
 * config_file - where directives come from: files in the syntax of redis.conf, with `include`,
 * and the command line.
 */
#ifndef SERVER_CORE_CONFIG_FILE_H
#define SERVER_CORE_CONFIG_FILE_H

#include "proto/base/buffer.h"

/* A directive with its <count> words; false with the reason in <ret_reason>. */
typedef bool config_on_directive(void *context, struct slice name, const struct slice *words,
                                 size_t count, struct buffer *ret_reason);

/*
 * Hand over every directive of the command line: first those of the file it names, then its
 * own. False with a message in <ret_error> that says where, quotes the line, and why.
 */
bool config_file_load(int argc, char *const argv[], config_on_directive *on_directive,
                      void *context, struct buffer *ret_error);

#endif
