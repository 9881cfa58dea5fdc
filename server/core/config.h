/*
 * config - the server's options: one row per directive in config.def, Redis' names and syntax.
 *
 * Sources, later ones win: defaults, a configuration file (redis.conf syntax), the command line
 * (--name value ...), CONFIG SET for those marked mutable.
 *
 * Thread:   numbers (also booleans, enums, memory sizes, seconds) are relaxed atomics, read
 * from anywhere; strings are copied out under a mutex.
 */
#ifndef SERVER_CORE_CONFIG_H
#define SERVER_CORE_CONFIG_H

#include "proto/base/buffer.h"
#include "proto/base/slice.h"

struct config;

enum config_id {
#define CONFIG(id, ...) CONFIG_##id,
#include "server/core/config.def"
#undef CONFIG
    CONFIG_COUNT
};

struct config *config_new(void); /* defaults; NULL without memory */
void config_free(struct config *config);

/*
 * Read the command line as redis-server does: an optional file name first ("-" for standard
 * input), then --name value [value ...]. False with a message for people in <ret_error> that
 * names file, line and directive. Notices about directives accepted without effect are appended
 * to <ret_notices>, one line each.
 */
bool config_load(struct config *config, int argc, char *const argv[], struct buffer *ret_error,
                 struct buffer *ret_notices);

int64_t config_number(const struct config *config, enum config_id id);

/* Append the current text of a directive, as CONFIG GET shows it. */
void config_string(struct config *config, enum config_id id, struct buffer *ret_text);

/* For directives that may be given repeatedly (listener-release, database-release,
 * preset): the <index>th line of arguments as it was written; false past the end. */
bool config_line(struct config *config, enum config_id id, size_t index,
                 struct buffer *ret_line);

/* Clients are limited by class; the names of CONFIG GET are normal, slave, pubsub. */
enum config_client_class {
    CONFIG_CLIENT_NORMAL,
    CONFIG_CLIENT_REPLICA,
    CONFIG_CLIENT_PUBSUB,
    CONFIG_CLIENT_CLASS_COUNT
};
struct config_limit {
    int64_t hard;   /* bytes of unsent output at which a client is closed; 0: none */
    int64_t soft;   /* bytes at which it is closed when over it for <soft_s>; 0: none */
    int64_t soft_s; /* seconds */
};
struct config_limit config_output_limit(const struct config *config,
                                        enum config_client_class class);

/* The file read at the start, as an absolute path; "" without one. [borrowed] from <config> */
const char *config_file(const struct config *config);

/*
 * A text that the command line asks for instead of a server: --help, --version. NULL: none.
 * To be printed to standard output, with exit status 0.
 */
const char *config_early_text(int argc, char *const argv[]);

/* CONFIG GET: call back with name and value of every directive that matches the glob. */
void config_match(struct config *config, struct slice pattern,
                  void (*on_match)(void *context, struct slice name, struct slice value),
                  void *context);

/*
 * CONFIG SET for <count> pairs: all or none. False with Redis' error text (without "ERR ") in
 * <ret_error>. <on_change> hooks registered with config_on_change run after success.
 */
bool config_set(struct config *config, const struct slice *names, const struct slice *values,
                size_t count, struct buffer *ret_error);

/*
 * Call <on_change> after CONFIG SET has changed <id>, in the thread that changed it, with no
 * lock held. Registered before other threads start; at most 32.
 */
typedef void config_changed(void *context, const struct config *config, enum config_id id);
void config_on_change(struct config *config, enum config_id id, config_changed *on_change,
                      void *context);

#endif
