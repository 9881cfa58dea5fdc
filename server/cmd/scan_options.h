/*
 * scan_options - what SCAN and HSCAN take behind the cursor.
 */
#ifndef SERVER_CMD_SCAN_OPTIONS_H
#define SERVER_CMD_SCAN_OPTIONS_H

#include "server/cmd/argument.h"

struct scan_options {
    bool has_pattern;
    struct slice pattern;
    uint64_t count; /* at least 1 */
    bool has_type;
    struct slice type;
};

/* Read argv from <index> on; TYPE only if <knows_type>. False when an error was replied. */
bool scan_options_parse(struct request *request, size_t index, bool knows_type,
                        struct scan_options *ret_options);

bool scan_options_match(const struct scan_options *options, struct slice name);

#endif
