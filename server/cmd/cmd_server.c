#include "server/cmd/handlers.h"
#include "server/core/log.h"
#include "server/core/version.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* ---- time ---- */

void
cmd_time(struct request *request)
{
    /* Microseconds are asked for, so the request's own time is too coarse. */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct buffer text;
    buffer_init(&text, 0);
    reply_array(request->reply, 2);
    buffer_append_int64(&text, now.tv_sec);
    reply_bulk(request->reply, buffer_slice(&text));
    buffer_clear(&text);
    buffer_append_int64(&text, now.tv_nsec / 1000);
    reply_bulk(request->reply, buffer_slice(&text));
    buffer_fini(&text);
}

/* ---- DEBUG ---- */

/* Holds up the whole worker, as it does Redis: that is what tests want it for. */
static void
sleep_for(struct slice argument)
{
    char text[64] = "";
    memcpy(text, argument.data,
           argument.size < sizeof(text) ? argument.size : sizeof(text) - 1);
    double seconds = strtod(text, NULL);
    if (!(seconds > 0)) {
        return;
    }
    seconds = seconds < 3600 ? seconds : 3600;
    struct timespec rest = {.tv_sec = (time_t)seconds};
    rest.tv_nsec = (long)((seconds - (double)rest.tv_sec) * 1e9);
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

void
cmd_debug(struct request *request)
{
    struct slice subcommand = request->argv[1];
    if (request->argc == 3 && slice_equal_nocase(subcommand, SLICE_OF("SLEEP"))) {
        sleep_for(request->argv[2]);
        reply_ok(request->reply);
    } else if (request->argc == 2 && slice_equal_nocase(subcommand, SLICE_OF("HELP"))) {
        reply_array(request->reply, 3);
        reply_simple(request->reply,
                     "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
        reply_simple(request->reply, "SLEEP <seconds>");
        reply_simple(request->reply, "    Holds up the worker of this connection.");
    } else {
        reply_error(request->reply,
                    "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try DEBUG "
                    "HELP.",
                    (int)(subcommand.size < 128 ? subcommand.size : 128), subcommand.data);
    }
}

/* ---- SHUTDOWN ---- */

void
cmd_shutdown(struct request *request)
{
    bool saves = false;
    bool saves_not = false;
    bool aborts = false;
    for (size_t i = 1; i < request->argc; i++) {
        struct slice option = request->argv[i];
        bool is_urgent = slice_equal_nocase(option, SLICE_OF("NOW")) ||
                         slice_equal_nocase(option, SLICE_OF("FORCE"));
        if (slice_equal_nocase(option, SLICE_OF("SAVE"))) {
            saves = true;
        } else if (slice_equal_nocase(option, SLICE_OF("NOSAVE"))) {
            saves_not = true;
        } else if (slice_equal_nocase(option, SLICE_OF("ABORT"))) {
            aborts = true;
        } else if (!is_urgent) {
            reply_syntax_error(request->reply);
            return;
        }
    }
    if ((saves && saves_not) || (aborts && request->argc > 2)) {
        reply_syntax_error(request->reply);
        return;
    }
    if (aborts) {
        /* Stopping takes no time that one could abort. */
        reply_error(request->reply, "ERR No shutdown in progress.");
        return;
    }
    if (saves) {
        log_line(LOG_LEVEL_WARNING, "SHUTDOWN SAVE: there is no persistence yet, nothing is "
                                    "saved");
    }
    log_line(LOG_LEVEL_NOTICE, "SHUTDOWN by client %s", request->session->address);
    request->session->is_closing = true;
    request->server->shutdown(request->server);
}

/* ---- replication and cluster, which there are none of ---- */

void
cmd_role(struct request *request)
{
    reply_array(request->reply, 3);
    reply_string(request->reply, "master");
    reply_integer(request->reply, 0);
    reply_array(request->reply, 0);
}

void
cmd_replicaof(struct request *request)
{
    if (slice_equal_nocase(request->argv[1], SLICE_OF("NO")) &&
        slice_equal_nocase(request->argv[2], SLICE_OF("ONE"))) {
        reply_ok(request->reply); /* it is a master already */
        return;
    }
    reply_error(request->reply, "ERR replication is not there");
}

void
cmd_wait(struct request *request)
{
    int64_t replicas;
    int64_t timeout_ms;
    if (!slice_to_int64(request->argv[1], &replicas)) {
        reply_not_integer(request->reply);
    } else if (!slice_to_int64(request->argv[2], &timeout_ms)) {
        reply_error(request->reply, "ERR timeout is not an integer or out of range");
    } else if (timeout_ms < 0) {
        reply_error(request->reply, "ERR timeout is negative");
    } else {
        reply_integer(request->reply, 0);
    }
}

void
cmd_cluster(struct request *request)
{
    reply_error(request->reply, "ERR This instance has cluster support disabled");
}

/* ---- persistence, which is not there yet ---- */

void
cmd_save(struct request *request)
{
    reply_error(request->reply, "ERR persistence is not there yet: nothing can be saved");
}

/* ---- LATENCY, MEMORY, MODULE ---- */

void
cmd_latency_latest(struct request *request)
{
    reply_array(request->reply, 0);
}

void
cmd_latency_histogram(struct request *request)
{
    reply_map(request->reply, 0);
}

void
cmd_latency_reset(struct request *request)
{
    reply_integer(request->reply, 0);
}

void
cmd_latency_doctor(struct request *request)
{
    reply_verbatim(request->reply, SLICE_OF("Latency is not monitored. SLOWLOG GET shows the "
                                            "commands that took long.\n"));
}

void
cmd_module_list(struct request *request)
{
    reply_array(request->reply, 0);
}

void
cmd_lolwut(struct request *request)
{
    reply_verbatim(request->reply, SLICE_OF("  v1 ~~~~~~~\\      /~~~~~~~ v2\n"
                                            "             \\____/\n"
                                            "        one session, both ways\n"
                                            "\nSegue ver. " SEGUE_VERSION "\n"));
}

/* ---- ACL: as far as tools ask, until there are users ---- */

static const char *
user_of(const struct session *session)
{
    return session->user != NULL ? session->user : "default";
}

static bool
has_password(struct request *request)
{
    struct buffer secret;
    buffer_init(&secret, 0);
    config_string(request->server->config, CONFIG_REQUIREPASS, &secret);
    bool has = secret.size > 0;
    buffer_fini(&secret);
    return has;
}

void
cmd_acl_whoami(struct request *request)
{
    reply_string(request->reply, user_of(request->session));
}

void
cmd_acl_users(struct request *request)
{
    reply_array(request->reply, 1);
    reply_string(request->reply, "default");
}

void
cmd_acl_list(struct request *request)
{
    reply_array(request->reply, 1);
    reply_string(request->reply, has_password(request) ? "user default on ~* &* +@all"
                                                       : "user default on nopass ~* &* +@all");
}

void
cmd_acl_getuser(struct request *request)
{
    struct reply *reply = request->reply;
    if (!slice_equal(request->argv[2], SLICE_OF("default"))) {
        reply_null(reply);
        return;
    }
    bool has = has_password(request);
    reply_map(reply, 6);
    reply_string(reply, "flags");
    reply_set(reply, has ? 1 : 2);
    reply_string(reply, "on");
    if (!has) {
        reply_string(reply, "nopass");
    }
    reply_string(reply, "passwords");
    reply_array(reply, 0);
    reply_string(reply, "commands");
    reply_string(reply, "+@all");
    reply_string(reply, "keys");
    reply_string(reply, "~*");
    reply_string(reply, "channels");
    reply_string(reply, "&*");
    reply_string(reply, "selectors");
    reply_array(reply, 0);
}
