/*
 * config_value - the values of directives: from the words that were written to what is kept.
 *
 * Reasons for a refusal are Redis' texts, which CONFIG SET shows to clients.
 *
 * Thread:   pure.
 */
#ifndef SERVER_CORE_CONFIG_VALUE_H
#define SERVER_CORE_CONFIG_VALUE_H

#include "server/core/config.h"

enum config_type {
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_SECONDS,
    CONFIG_TYPE_OCTAL,
    CONFIG_TYPE_MEMORY,
    CONFIG_TYPE_BOOLEAN,
    CONFIG_TYPE_ENUM, /* the last that is a number */
    CONFIG_TYPE_STRING,
    CONFIG_TYPE_LINES,
    CONFIG_TYPE_SAVE,
    CONFIG_TYPE_LIMITS,
    CONFIG_TYPE_EVENTS,
    CONFIG_TYPE_COMPRESSION
};

/*
 * A value of a type that is a number, from <minimum> to <maximum>; an ENUM is the index in
 * <names>, which ends with NULL. False with the reason in <ret_reason>.
 */
bool config_value_number(enum config_type type, struct slice word, int64_t minimum,
                         int64_t maximum, const char *const *names, int64_t *ret_number,
                         struct buffer *ret_reason);

/* Bytes: a number, alone or with b, k (1000), kb (1024), m, mb, g, gb in any case. */
bool config_value_memory(struct slice word, int64_t *ret_bytes);

/* The words with blanks between them. */
void config_value_join(const struct slice *words, size_t count, struct buffer *ret_text);

/* All below: NULL when good, else the reason. */

/* class hard soft seconds [...]: changes the classes that are named. */
const char *config_value_limits(const struct slice *words, size_t count,
                                struct config_limit limits[CONFIG_CLIENT_CLASS_COUNT]);

/* seconds changes [...], in one word or several; an empty word: none. */
const char *config_value_save(const struct slice *words, size_t count, struct buffer *ret_text);

/* The flags of notify-keyspace-events, in Redis' order. */
const char *config_value_events(struct slice word, struct buffer *ret_text);

/* pattern algorithm [...], in one word or several; an empty word: none. */
const char *config_value_compression(const struct slice *words, size_t count,
                                     struct buffer *ret_text);

/* "class hard soft seconds" as CONFIG GET shows it, behind a blank where needed. */
void config_value_append_limit(enum config_client_class class, const struct config_limit *limit,
                               struct buffer *ret_text);

#endif
