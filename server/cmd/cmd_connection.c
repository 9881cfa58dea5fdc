#include "server/cmd/argument.h"
#include "server/cmd/authentication.h"
#include "server/cmd/handlers.h"
#include "server/cmd/transaction.h"
#include "server/core/version.h"
#include "server/schema/bindings.h"

void
cmd_ping(struct request *request)
{
    if (request->argc > 2) {
        reply_error(request->reply, "ERR wrong number of arguments for 'ping' command");
    } else if (request->argc == 2) {
        reply_bulk(request->reply, request->argv[1]);
    } else {
        reply_simple(request->reply, "PONG");
    }
}

void
cmd_echo(struct request *request)
{
    reply_bulk(request->reply, request->argv[1]);
}

void
cmd_quit(struct request *request)
{
    request->session->is_closing = true;
    reply_ok(request->reply);
}

void
cmd_select(struct request *request)
{
    int64_t db;
    uint32_t shown;
    if (!argument_db_number(request, 1, NULL, &db) || !argument_db(request, db, &shown)) {
        return;
    }
    struct session *session = request->session;
    atomic_store_explicit(&session->db, (uint32_t)db, memory_order_relaxed);
    if (session->bindings != NULL) {
        bindings_invalidate(session->bindings); /* a database may name a release */
    }
    reply_ok(request->reply);
}

void
cmd_auth(struct request *request)
{
    if (request->argc > 3) {
        reply_syntax_error(request->reply);
        return;
    }
    bool has_user = request->argc == 3;
    if (!has_user && !authentication_is_required(request)) {
        reply_error(request->reply,
                    "ERR AUTH <password> called without any password configured for the "
                    "default user. Are you sure your configuration is correct?");
        return;
    }
    struct slice user = has_user ? request->argv[1] : SLICE_OF("default");
    if (authentication_check(request, user, request->argv[request->argc - 1]) &&
        authentication_apply(request, user)) {
        reply_ok(request->reply);
    }
}

/* What HELLO asks for; nothing is changed before all of it is known to be good. */
struct hello {
    unsigned version; /* 0: stays as it is */
    bool has_user;
    bool has_name;
    struct slice user;
    struct slice password;
    struct slice name;
};

static bool
hello_parse(struct request *request, struct hello *ret_hello)
{
    struct hello hello = {0};
    if (request->argc > 1) {
        int64_t version;
        if (!slice_to_int64(request->argv[1], &version)) {
            reply_error(request->reply,
                        "ERR Protocol version is not an integer or out of range");
            return false;
        }
        if (version < 2 || version > 3) {
            reply_error(request->reply, "NOPROTO unsupported protocol version");
            return false;
        }
        hello.version = (unsigned)version;
    }
    size_t at = 2;
    while (at < request->argc) {
        struct slice option = request->argv[at];
        size_t more = request->argc - 1 - at;
        if (more >= 2 && slice_equal_nocase(option, SLICE_OF("AUTH"))) {
            hello.has_user = true;
            hello.user = request->argv[at + 1];
            hello.password = request->argv[at + 2];
            at += 3;
        } else if (more >= 1 && slice_equal_nocase(option, SLICE_OF("SETNAME"))) {
            hello.has_name = true;
            hello.name = request->argv[at + 1];
            at += 2;
        } else {
            reply_error(request->reply, "ERR Syntax error in HELLO option '%.*s'",
                        (int)(option.size < 128 ? option.size : 128), option.data);
            return false;
        }
    }
    *ret_hello = hello;
    return true;
}

void
cmd_hello(struct request *request)
{
    struct session *session = request->session;
    struct reply *reply = request->reply;
    struct hello hello;
    if (!hello_parse(request, &hello)) {
        return;
    }
    if (hello.has_user && !authentication_check(request, hello.user, hello.password)) {
        return;
    }
    if (!hello.has_user && !session->is_authenticated) {
        reply_error(reply, "NOAUTH HELLO must be called with the client already authenticated, "
                           "otherwise the HELLO AUTH <user> <pass> option can be used to "
                           "authenticate the client and select the RESP protocol version at "
                           "the same time");
        return;
    }
    if ((hello.has_name && !authentication_check_name(request, hello.name)) ||
        (hello.has_user && !authentication_apply(request, hello.user)) ||
        (hello.has_name && !authentication_apply_name(request, hello.name))) {
        return;
    }
    if (hello.version != 0) {
        atomic_store_explicit(&session->resp, (uint8_t)hello.version, memory_order_relaxed);
        reply->resp = hello.version;
    }
    reply_map(reply, 7);
    reply_string(reply, "server");
    reply_string(reply, "segue");
    reply_string(reply, "version");
    reply_string(reply, SEGUE_VERSION);
    reply_string(reply, "proto");
    reply_integer(reply, reply->resp);
    reply_string(reply, "id");
    reply_integer(reply, (int64_t)session->id);
    reply_string(reply, "mode");
    reply_string(reply, "standalone");
    reply_string(reply, "role");
    reply_string(reply, "master");
    reply_string(reply, "modules");
    reply_array(reply, 0);
}

/* As a fresh connection, but for what describes the client's library and the listener. */
void
cmd_reset(struct request *request)
{
    struct session *session = request->session;
    transaction_reset(request);
    atomic_store_explicit(&session->db, 0, memory_order_relaxed);
    atomic_store_explicit(&session->resp, 2, memory_order_relaxed);
    atomic_store_explicit(&session->is_no_evict, false, memory_order_relaxed);
    atomic_store_explicit(&session->is_no_touch, false, memory_order_relaxed);
    request->reply->resp = 2;
    session->reply_mode = SESSION_REPLY_ON;
    session->skip_next_reply = false;
    session->is_authenticated = !authentication_is_required(request);
    session_set_name(session, SLICE_OF("")); /* taking a text away cannot fail */
    session_set_user(session, SLICE_OF(""));
    if (session->bindings != NULL) {
        bindings_clear(session->bindings);
        bindings_invalidate(session->bindings);
    }
    reply_simple(request->reply, "RESET");
}
