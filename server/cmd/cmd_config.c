#include "server/cmd/handlers.h"
#include "server/cmd/statistics.h"

/* ---- CONFIG GET ---- */

/* The pairs found so far, encoded; a name that several patterns match is shown once. */
struct found {
    struct request *request;
    size_t at; /* the pattern being looked at */
    size_t count;
    struct reply pairs;
};

static bool
has_wildcard(struct slice pattern)
{
    for (size_t i = 0; i < pattern.size; i++) {
        if (memchr("*?[", pattern.data[i], 3) != NULL) {
            return true;
        }
    }
    return false;
}

static void
add_pair(void *context, struct slice name, struct slice value)
{
    struct found *found = context;
    const struct slice *argv = found->request->argv;
    for (size_t i = 2; i < found->at; i++) {
        if (slice_glob(argv[i], name, true)) {
            return;
        }
    }
    /* As in Redis a plain name comes back as it was written. */
    reply_bulk(&found->pairs, has_wildcard(argv[found->at]) ? name : argv[found->at]);
    reply_bulk(&found->pairs, value);
    found->count++;
}

void
cmd_config_get(struct request *request)
{
    struct buffer out;
    buffer_init(&out, 0);
    struct found found = {.request = request,
                          .pairs = {.out = &out, .resp = request->reply->resp}};
    for (found.at = 2; found.at < request->argc; found.at++) {
        config_match(request->server->config, request->argv[found.at], add_pair, &found);
    }
    if (out.failed) {
        reply_out_of_memory(request->reply);
    } else {
        reply_map(request->reply, found.count);
        buffer_append_slice(request->reply->out, buffer_slice(&out));
    }
    buffer_fini(&out);
}

/* ---- CONFIG SET and the rest ---- */

void
cmd_config_set(struct request *request)
{
    if (request->argc % 2 != 0) {
        reply_syntax_error(request->reply);
        return;
    }
    size_t count = (request->argc - 2) / 2;
    struct slice *names = arena_calloc(request->arena, count, sizeof(*names));
    struct slice *values = arena_calloc(request->arena, count, sizeof(*values));
    if (names == NULL || values == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = request->argv[2 + 2 * i];
        values[i] = request->argv[3 + 2 * i];
    }
    struct buffer error;
    buffer_init(&error, 0);
    if (config_set(request->server->config, names, values, count, &error)) {
        reply_ok(request->reply);
    } else {
        reply_error(request->reply, "ERR %.*s", (int)error.size, error.data);
    }
    buffer_fini(&error);
}

void
cmd_config_resetstat(struct request *request)
{
    statistics_reset(request->server);
    reply_ok(request->reply);
}

void
cmd_config_rewrite(struct request *request)
{
    if (config_file(request->server->config)[0] == '\0') {
        reply_error(request->reply, "ERR The server is running without a config file");
    } else {
        reply_error(request->reply, "ERR Rewriting config file: not there yet");
    }
}
