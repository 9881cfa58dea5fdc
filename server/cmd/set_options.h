/*
 * set_options - the options of SET and GETEX, in any order.
 */
#ifndef SERVER_CMD_SET_OPTIONS_H
#define SERVER_CMD_SET_OPTIONS_H

#include "server/cmd/argument.h"
#include "server/cmd/condition.h"

enum set_existence { SET_ALWAYS, SET_IF_ABSENT, SET_IF_PRESENT };

struct set_options {
    enum set_existence existence;
    struct condition condition;
    bool answers_old; /* GET */
    bool keeps_ttl;
    bool persists;
    size_t expiry_index; /* of the number in argv; 0: none */
    struct expiry_unit expiry_unit;
};

enum set_options_command { SET_OPTIONS_SET, SET_OPTIONS_GETEX };

/* Read argv from <index> on; false when "ERR syntax error" was replied. */
bool set_options_parse(struct request *request, size_t index, enum set_options_command command,
                       struct set_options *ret_options);

/*
 * The expiry that the options state, in absolute milliseconds, else <otherwise>; false when an
 * error was replied. Apart from parsing, as the key may have to be looked at in between.
 */
bool set_options_expiry(struct request *request, const struct set_options *options,
                        int64_t otherwise, int64_t *ret_expiry_ms);

#endif
