#include "server/cmd/authentication.h"
#include "server/cmd/directory.h"
#include "server/cmd/handlers.h"
#include "server/schema/registry.h"

#include <stdlib.h>

/* ---- names ---- */

void
cmd_client_setname(struct request *request)
{
    struct slice name = request->argv[2];
    if (authentication_check_name(request, name) && authentication_apply_name(request, name)) {
        reply_ok(request->reply);
    }
}

void
cmd_client_getname(struct request *request)
{
    /* The owner may read its own texts unlocked: nobody else changes them. */
    const char *name = request->session->name;
    if (name == NULL) {
        reply_null(request->reply);
    } else {
        reply_string(request->reply, name);
    }
}

void
cmd_client_setinfo(struct request *request)
{
    struct slice attribute = request->argv[2];
    enum session_text result;
    if (slice_equal_nocase(attribute, SLICE_OF("LIB-NAME"))) {
        result = session_set_library_name(request->session, request->argv[3]);
    } else if (slice_equal_nocase(attribute, SLICE_OF("LIB-VER"))) {
        result = session_set_library_version(request->session, request->argv[3]);
    } else {
        reply_error(request->reply, "ERR Unrecognized option '%.*s'",
                    (int)(attribute.size < 128 ? attribute.size : 128), attribute.data);
        return;
    }
    switch (result) {
    case SESSION_TEXT_SET:
        reply_ok(request->reply);
        break;
    case SESSION_TEXT_REFUSED:
        reply_error(request->reply,
                    "ERR %.*s cannot contain spaces, newlines or special characters.",
                    (int)attribute.size, attribute.data);
        break;
    case SESSION_TEXT_NO_MEMORY:
        reply_out_of_memory(request->reply);
        break;
    }
}

void
cmd_client_id(struct request *request)
{
    reply_integer(request->reply, (int64_t)request->session->id);
}

/* ---- switches ---- */

static void
set_switch(struct request *request, atomic_bool *flag)
{
    bool is_on = slice_equal_nocase(request->argv[2], SLICE_OF("ON"));
    if (!is_on && !slice_equal_nocase(request->argv[2], SLICE_OF("OFF"))) {
        reply_syntax_error(request->reply);
        return;
    }
    atomic_store_explicit(flag, is_on, memory_order_relaxed);
    reply_ok(request->reply);
}

void
cmd_client_no_evict(struct request *request)
{
    set_switch(request, &request->session->is_no_evict);
}

void
cmd_client_no_touch(struct request *request)
{
    set_switch(request, &request->session->is_no_touch);
}

/* OFF and SKIP are themselves answered by nothing. */
void
cmd_client_reply(struct request *request)
{
    struct session *session = request->session;
    struct slice mode = request->argv[2];
    if (slice_equal_nocase(mode, SLICE_OF("ON"))) {
        session->reply_mode = SESSION_REPLY_ON;
        session->skip_next_reply = false;
        reply_ok(request->reply);
    } else if (slice_equal_nocase(mode, SLICE_OF("OFF"))) {
        session->reply_mode = SESSION_REPLY_OFF;
    } else if (slice_equal_nocase(mode, SLICE_OF("SKIP"))) {
        if (session->reply_mode == SESSION_REPLY_ON) {
            session->skip_next_reply = true;
        }
    } else {
        reply_syntax_error(request->reply);
    }
}

void
cmd_client_getredir(struct request *request)
{
    reply_integer(request->reply, -1); /* nobody tracks */
}

void
cmd_client_unblock(struct request *request)
{
    int64_t id;
    if (request->argc > 4 ||
        (request->argc == 4 && !slice_equal_nocase(request->argv[3], SLICE_OF("TIMEOUT")) &&
         !slice_equal_nocase(request->argv[3], SLICE_OF("ERROR")))) {
        reply_syntax_error(request->reply);
    } else if (!slice_to_int64(request->argv[2], &id)) {
        reply_not_integer(request->reply);
    } else {
        reply_integer(request->reply, 0); /* no command blocks */
    }
}

/* ---- LIST, INFO ---- */

enum client_type {
    CLIENT_NORMAL,
    CLIENT_REPLICA,
    CLIENT_PUBSUB,
    CLIENT_MASTER,
    CLIENT_UNKNOWN
};

static enum client_type
client_type_by_name(struct slice name)
{
    static const struct {
        const char *name;
        enum client_type type;
    } types[] = {
        {"normal", CLIENT_NORMAL}, {"replica", CLIENT_REPLICA}, {"slave", CLIENT_REPLICA},
        {"pubsub", CLIENT_PUBSUB}, {"master", CLIENT_MASTER},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (slice_equal_nocase(name, slice_from_string(types[i].name))) {
            return types[i].type;
        }
    }
    return CLIENT_UNKNOWN;
}

static const char *
text_or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void
append_command_name(const struct command *command, struct buffer *out)
{
    if (command == NULL) {
        buffer_append_string(out, "NULL");
        return;
    }
    for (const char *at = command->name; *at != '\0'; at++) {
        buffer_append_char(out, *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at);
    }
}

/* One line as Redis 7 shows a client. The session's directory is locked, or it is our own. */
static void
append_client(const struct request *request, const struct session *session, struct buffer *out)
{
    const struct command *last =
        session == request->session
            ? request->command
            : atomic_load_explicit(&session->last_command, memory_order_relaxed);
    int64_t idle_ms =
        session == request->session
            ? 0
            : request->now_ms - atomic_load_explicit(&session->active_ms, memory_order_relaxed);
    int64_t age_ms = request->now_ms - session->created_ms;
    int64_t queued = atomic_load_explicit(&session->queued_count, memory_order_relaxed);
    uint64_t input = atomic_load_explicit(&session->input_size, memory_order_relaxed);
    uint64_t output = atomic_load_explicit(&session->output_size, memory_order_relaxed);
    char flags[8];
    size_t flag_count = 0;
    if (queued > 0) {
        flags[flag_count++] = 'x';
    }
    if (atomic_load_explicit(&session->is_killed, memory_order_relaxed)) {
        flags[flag_count++] = 'A';
    }
    if (session->listener_port == 0) {
        flags[flag_count++] = 'U';
    }
    if (atomic_load_explicit(&session->is_no_evict, memory_order_relaxed)) {
        flags[flag_count++] = 'e';
    }
    if (atomic_load_explicit(&session->is_no_touch, memory_order_relaxed)) {
        flags[flag_count++] = 'T';
    }
    if (flag_count == 0) {
        flags[flag_count++] = 'N';
    }
    flags[flag_count] = '\0';
    buffer_printf(
        out,
        "id=%llu addr=%s laddr=%s fd=%d name=%s age=%lld idle=%lld flags=%s db=%u sub=0 psub=0 "
        "ssub=0 multi=%lld watch=%u qbuf=%llu qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 "
        "obl=0 oll=0 omem=%llu tot-mem=%llu events=%s cmd=",
        (unsigned long long)session->id, session->address, session->local_address, session->fd,
        text_or_empty(session->name), (long long)(age_ms > 0 ? age_ms / 1000 : 0),
        (long long)(idle_ms > 0 ? idle_ms / 1000 : 0), flags,
        atomic_load_explicit(&session->db, memory_order_relaxed), (long long)queued - 1,
        atomic_load_explicit(&session->watched_count, memory_order_relaxed),
        (unsigned long long)input, (unsigned long long)output,
        (unsigned long long)(input + output + sizeof(*session)), output > 0 ? "rw" : "r");
    append_command_name(last, out);
    buffer_printf(out, " user=%s redir=-1 resp=%u lib-name=%s lib-ver=%s",
                  session->user != NULL ? session->user : "default",
                  atomic_load_explicit(&session->resp, memory_order_relaxed),
                  text_or_empty(session->lib_name), text_or_empty(session->lib_version));
    buffer_append_char(out, '\n');
}

void
cmd_client_info(struct request *request)
{
    struct buffer line;
    buffer_init(&line, 0);
    append_client(request, request->session, &line);
    reply_verbatim(request->reply, buffer_slice(&line));
    buffer_fini(&line);
}

struct listed {
    uint64_t id;
    size_t start;
    size_t size;
};

/* Lines are collected worker by worker, then shown by id. */
struct listing {
    const struct request *request;
    const uint64_t *ids; /* sorted; NULL: all */
    size_t id_count;
    struct buffer text;
    struct buffer lines; /* struct listed */
};

static int
compare_ids(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return (*left > *right) - (*left < *right);
}

static bool
list_session(void *context, struct session *session)
{
    struct listing *listing = context;
    if (listing->ids != NULL && bsearch(&session->id, listing->ids, listing->id_count,
                                        sizeof(*listing->ids), compare_ids) == NULL) {
        return true;
    }
    struct listed listed = {.id = session->id, .start = listing->text.size};
    append_client(listing->request, session, &listing->text);
    listed.size = listing->text.size - listed.start;
    buffer_append(&listing->lines, &listed, sizeof(listed));
    return true;
}

static int
compare_listed(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void
list_clients(struct request *request, uint64_t *ids, size_t id_count)
{
    struct listing listing = {.request = request, .ids = ids, .id_count = id_count};
    buffer_init(&listing.text, 0);
    buffer_init(&listing.lines, 0);
    if (ids != NULL) {
        qsort(ids, id_count, sizeof(*ids), compare_ids);
    }
    for (unsigned i = 0; i < request->server->worker_count; i++) {
        directory_each(request->server->directories[i], list_session, &listing);
    }
    size_t count = listing.lines.size / sizeof(struct listed);
    struct listed *lines = arena_calloc(request->arena, count + 1, sizeof(*lines));
    struct buffer sorted;
    buffer_init(&sorted, 0);
    if (lines == NULL || listing.text.failed || listing.lines.failed) {
        reply_out_of_memory(request->reply);
    } else {
        if (count > 0) {
            memcpy(lines, listing.lines.data, count * sizeof(*lines));
        }
        qsort(lines, count, sizeof(*lines), compare_listed);
        for (size_t i = 0; i < count; i++) {
            buffer_append(&sorted, listing.text.data + lines[i].start, lines[i].size);
        }
        reply_verbatim(request->reply, buffer_slice(&sorted));
    }
    buffer_fini(&sorted);
    buffer_fini(&listing.lines);
    buffer_fini(&listing.text);
}

void
cmd_client_list(struct request *request)
{
    const struct slice *argv = request->argv;
    if (request->argc == 2) {
        list_clients(request, NULL, 0);
    } else if (request->argc == 4 && slice_equal_nocase(argv[2], SLICE_OF("TYPE"))) {
        enum client_type type = client_type_by_name(argv[3]);
        uint64_t none = 0;
        if (type == CLIENT_UNKNOWN) {
            reply_error(request->reply, "ERR Unknown client type '%.*s'",
                        (int)(argv[3].size < 128 ? argv[3].size : 128), argv[3].data);
        } else if (type == CLIENT_NORMAL) {
            list_clients(request, NULL, 0);
        } else {
            list_clients(request, &none, 0);
        }
    } else if (request->argc > 3 && slice_equal_nocase(argv[2], SLICE_OF("ID"))) {
        size_t count = request->argc - 3;
        uint64_t *ids = arena_calloc(request->arena, count, sizeof(*ids));
        if (ids == NULL) {
            reply_out_of_memory(request->reply);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            if (!slice_to_uint64(argv[i + 3], &ids[i])) {
                reply_error(request->reply, "ERR Invalid client ID");
                return;
            }
        }
        list_clients(request, ids, count);
    } else {
        reply_syntax_error(request->reply);
    }
}

/* ---- KILL ---- */

struct kill_filter {
    struct request *request;
    uint64_t id; /* 0: any */
    bool has_address;
    bool has_local_address;
    bool has_user;
    bool skips_me;
    struct slice address;
    struct slice local_address;
    struct slice user;
    enum client_type type; /* CLIENT_UNKNOWN: any */
    int64_t age_min_ms;
    int64_t killed;
};

static bool
kill_matches(const struct kill_filter *filter, const struct session *session)
{
    struct slice user = slice_from_string(session->user != NULL ? session->user : "default");
    return (filter->id == 0 || filter->id == session->id) &&
           (filter->type == CLIENT_UNKNOWN || filter->type == CLIENT_NORMAL) &&
           (!filter->has_address ||
            slice_equal(filter->address, slice_from_string(session->address))) &&
           (!filter->has_local_address ||
            slice_equal(filter->local_address, slice_from_string(session->local_address))) &&
           (!filter->has_user || slice_equal(filter->user, user)) &&
           filter->request->now_ms - session->created_ms >= filter->age_min_ms;
}

static bool
kill_session(void *context, struct session *session)
{
    struct kill_filter *filter = context;
    if (!kill_matches(filter, session) ||
        atomic_load_explicit(&session->is_killed, memory_order_relaxed)) {
        return true;
    }
    if (session == filter->request->session) {
        if (!filter->skips_me) {
            session->is_closing = true; /* behind the reply */
            filter->killed++;
        }
        return true;
    }
    filter->request->server->kill_session(filter->request->server, session);
    filter->killed++;
    return true;
}

static void
kill_all(struct kill_filter *filter)
{
    struct server *server = filter->request->server;
    for (unsigned i = 0; i < server->worker_count; i++) {
        directory_each(server->directories[i], kill_session, filter);
    }
}

/* One option with its value; false when an error was replied. */
static bool
kill_parse_option(struct kill_filter *filter, struct slice option, struct slice value)
{
    struct reply *reply = filter->request->reply;
    if (slice_equal_nocase(option, SLICE_OF("ID"))) {
        int64_t id;
        if (!slice_to_int64(value, &id) || id < 1) {
            reply_error(reply, "ERR client-id should be greater than 0");
            return false;
        }
        filter->id = (uint64_t)id;
    } else if (slice_equal_nocase(option, SLICE_OF("MAXAGE"))) {
        int64_t age_s;
        if (!slice_to_int64(value, &age_s) || age_s > INT64_MAX / 1000) {
            reply_error(reply, "ERR maxage is not an integer or out of range");
            return false;
        }
        if (age_s < 1) {
            reply_error(reply, "ERR maxage should be greater than 0");
            return false;
        }
        filter->age_min_ms = age_s * 1000;
    } else if (slice_equal_nocase(option, SLICE_OF("TYPE"))) {
        filter->type = client_type_by_name(value);
        if (filter->type == CLIENT_UNKNOWN) {
            reply_error(reply, "ERR Unknown client type '%.*s'",
                        (int)(value.size < 128 ? value.size : 128), value.data);
            return false;
        }
    } else if (slice_equal_nocase(option, SLICE_OF("ADDR"))) {
        filter->address = value;
        filter->has_address = true;
    } else if (slice_equal_nocase(option, SLICE_OF("LADDR"))) {
        filter->local_address = value;
        filter->has_local_address = true;
    } else if (slice_equal_nocase(option, SLICE_OF("USER"))) {
        if (!slice_equal(value, SLICE_OF("default")) &&
            registry_release(filter->request->registry, value) == NULL) {
            reply_error(reply, "ERR No such user '%.*s'",
                        (int)(value.size < 128 ? value.size : 128), value.data);
            return false;
        }
        filter->user = value;
        filter->has_user = true;
    } else if (slice_equal_nocase(option, SLICE_OF("SKIPME")) &&
               (slice_equal_nocase(value, SLICE_OF("YES")) ||
                slice_equal_nocase(value, SLICE_OF("NO")))) {
        filter->skips_me = slice_equal_nocase(value, SLICE_OF("YES"));
    } else {
        reply_syntax_error(reply);
        return false;
    }
    return true;
}

void
cmd_client_kill(struct request *request)
{
    struct kill_filter filter = {
        .request = request, .type = CLIENT_UNKNOWN, .skips_me = request->argc > 3};
    if (request->argc == 3) {
        /* The old form: an address, whoever it is. */
        filter.has_address = true;
        filter.address = request->argv[2];
        kill_all(&filter);
        if (filter.killed == 0) {
            reply_error(request->reply, "ERR No such client");
        } else {
            reply_ok(request->reply);
        }
        return;
    }
    if (request->argc % 2 != 0) {
        reply_syntax_error(request->reply);
        return;
    }
    for (size_t i = 2; i < request->argc; i += 2) {
        if (!kill_parse_option(&filter, request->argv[i], request->argv[i + 1])) {
            return;
        }
    }
    kill_all(&filter);
    reply_integer(request->reply, filter.killed);
}
