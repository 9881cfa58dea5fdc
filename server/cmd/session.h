/*
 * session - what commands know of a connection and may change; net/conn embeds one.
 *
 * Thread:   owned by the connection's worker. Fields tagged [directory] are changed by the
 * owner under the directory's mutex and read by anybody under it (CLIENT LIST); those tagged
 *           [atomic] are relaxed.
 */
#ifndef SERVER_CMD_SESSION_H
#define SERVER_CMD_SESSION_H

#include "proto/base/slice.h"
#include "server/store/keyspace.h"

#include <stdatomic.h>

struct command;
struct transaction; /* server/cmd/transaction.h: MULTI's queue and WATCH's nodes */
struct bindings;    /* server/schema/bindings.h: which versions this connection speaks */
struct directory;   /* server/cmd/directory.h: the sessions of one worker */

enum session_reply_mode { SESSION_REPLY_ON, SESSION_REPLY_OFF };

enum { SESSION_NAME_SIZE = 128, SESSION_ADDRESS_SIZE = 128 };

struct session {
    uint64_t id;                 /* [const] never reused */
    int64_t created_ms;          /* [const] */
    const char *address;         /* [const] peer, "127.0.0.1:1234" or "/path:0" */
    const char *local_address;   /* [const] both are the connection's */
    int fd;                      /* [const] for CLIENT LIST */
    uint16_t listener_port;      /* [const] where it came in; 0: Unix socket */
    struct directory *directory; /* [const] */
    void *owner;                 /* [const] the connection, for net/ */

    struct session *next;     /* [directory] */
    struct session *previous; /* [directory] */
    char *name;               /* [directory] [owned] CLIENT SETNAME; NULL: none */
    char *lib_name;           /* [directory] [owned] */
    char *lib_version;        /* [directory] [owned] */
    char *user;               /* [directory] [owned] as given to AUTH; NULL: default */

    _Atomic uint32_t db;                          /* [atomic] as SELECTed */
    _Atomic uint8_t resp;                         /* [atomic] 2 or 3 */
    _Atomic(const struct command *) last_command; /* [atomic] */
    _Atomic int64_t active_ms;                    /* [atomic] last command */
    _Atomic uint64_t command_count;               /* [atomic] */
    _Atomic uint32_t queued_count;  /* [atomic] commands in MULTI, plus 1; 0: none */
    _Atomic uint32_t watched_count; /* [atomic] */
    _Atomic uint64_t input_size;    /* [atomic] bytes waiting */
    _Atomic uint64_t output_size;   /* [atomic] */
    atomic_bool is_killed;          /* [atomic] close when its worker sees it */
    atomic_bool is_no_evict;        /* [atomic] */
    atomic_bool is_no_touch;        /* [atomic] */

    bool is_authenticated;
    bool is_closing; /* close after the reply: QUIT, protocol error */
    enum session_reply_mode reply_mode;
    bool skip_next_reply;            /* CLIENT REPLY SKIP: drops the next command's reply */
    struct transaction *transaction; /* [owned] NULL until MULTI or WATCH */
    struct bindings *bindings;       /* [owned] NULL until a schema is met */
};

enum session_text { SESSION_TEXT_SET, SESSION_TEXT_REFUSED, SESSION_TEXT_NO_MEMORY };

/*
 * Texts that CLIENT LIST shows, changed under the directory's mutex; "" takes one away. Names
 * and libraries are printable ASCII without blanks, anything else is REFUSED. By the owner
 * only.
 */
bool session_is_name(struct slice name); /* such a text, or "" */
enum session_text session_set_name(struct session *session, struct slice name);
enum session_text session_set_library_name(struct session *session, struct slice name);
enum session_text session_set_library_version(struct session *session, struct slice version);
enum session_text session_set_user(struct session *session, struct slice user);

/* Free the texts, once the session is out of its directory. */
void session_fini(struct session *session);

#endif
