/* When keys expire. Expiries belong to the record: no view is looked at. */
#include "server/cmd/argument.h"
#include "server/cmd/handlers.h"
#include "server/cmd/value.h"

/* The options of EXPIRE and its kin; all of them must hold. */
struct expire_options {
    bool if_none;    /* NX */
    bool if_some;    /* XX */
    bool if_greater; /* GT */
    bool if_less;    /* LT */
};

static bool
parse_options(struct request *request, struct expire_options *ret_options)
{
    struct expire_options options = {0};
    const struct {
        const char *word;
        bool *flag;
    } words[] = {
        {"NX", &options.if_none},
        {"XX", &options.if_some},
        {"GT", &options.if_greater},
        {"LT", &options.if_less},
    };
    for (size_t index = 3; index < request->argc; index++) {
        size_t i = 0;
        while (i < sizeof(words) / sizeof(*words) &&
               !argument_is(request, index, words[i].word)) {
            i++;
        }
        if (i == sizeof(words) / sizeof(*words)) {
            struct slice word = request->argv[index];
            reply_error(request->reply, "ERR Unsupported option %.*s",
                        (int)(word.size < 128 ? word.size : 128), word.data);
            return false;
        }
        *words[i].flag = true;
    }
    if (options.if_none && (options.if_some || options.if_greater || options.if_less)) {
        reply_error(request->reply, "ERR NX and XX, GT or LT options at the same time are not "
                                    "compatible");
        return false;
    }
    if (options.if_greater && options.if_less) {
        reply_error(request->reply,
                    "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    *ret_options = options;
    return true;
}

/* A key without an expiry counts as one that expires at the end of time. */
static bool
options_hold(const struct expire_options *options, int64_t old_ms, int64_t new_ms)
{
    bool has_old = old_ms != KEYSPACE_EXPIRY_NONE;
    return !(options->if_none && has_old) && !(options->if_some && !has_old) &&
           !(options->if_greater && (!has_old || new_ms <= old_ms)) &&
           !(options->if_less && has_old && new_ms >= old_ms);
}

static void
expire(struct request *request, struct expiry_unit unit)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    struct expire_options options;
    int64_t expiry_ms;
    if (!parse_options(request, &options) ||
        !argument_expiry_any(request, 2, unit, &expiry_ms)) {
        return;
    }
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    if (entry == NULL || !options_hold(&options, entry_expiry_ms(entry), expiry_ms)) {
        reply_integer(request->reply, 0);
        return;
    }
    bool done = expiry_ms <= request->now_ms
                    ? keyspace_delete_locked(keyspace, key, request->now_ms)
                    : value_expire(request, key, expiry_ms);
    if (done) {
        reply_integer(request->reply, 1);
    } else {
        reply_out_of_memory(request->reply);
    }
}

void
cmd_expire(struct request *request)
{
    expire(request, (struct expiry_unit){.is_seconds = true});
}

void
cmd_pexpire(struct request *request)
{
    expire(request, (struct expiry_unit){0});
}

void
cmd_expireat(struct request *request)
{
    expire(request, (struct expiry_unit){.is_seconds = true, .is_absolute = true});
}

void
cmd_pexpireat(struct request *request)
{
    expire(request, (struct expiry_unit){.is_absolute = true});
}

/* -2: no key, -1: no expiry. Seconds are rounded to the nearest. */
static void
reply_expiry(struct request *request, struct expiry_unit unit)
{
    const struct entry *entry =
        keyspace_peek_locked(request->server->keyspace, &request->keys[0], request->now_ms);
    if (entry == NULL) {
        reply_integer(request->reply, -2);
        return;
    }
    int64_t ms = entry_expiry_ms(entry);
    if (ms == KEYSPACE_EXPIRY_NONE) {
        reply_integer(request->reply, -1);
        return;
    }
    ms = unit.is_absolute ? ms : ms - request->now_ms;
    ms = ms > 0 ? ms : 0;
    reply_integer(request->reply, unit.is_seconds ? ms / 1000 + (ms % 1000 >= 500) : ms);
}

void
cmd_ttl(struct request *request)
{
    reply_expiry(request, (struct expiry_unit){.is_seconds = true});
}

void
cmd_pttl(struct request *request)
{
    reply_expiry(request, (struct expiry_unit){0});
}

void
cmd_expiretime(struct request *request)
{
    reply_expiry(request, (struct expiry_unit){.is_seconds = true, .is_absolute = true});
}

void
cmd_pexpiretime(struct request *request)
{
    reply_expiry(request, (struct expiry_unit){.is_absolute = true});
}

void
cmd_persist(struct request *request)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    bool had_expiry = entry != NULL && entry_expiry_ms(entry) != KEYSPACE_EXPIRY_NONE;
    if (had_expiry && !value_expire(request, key, KEYSPACE_EXPIRY_NONE)) {
        reply_out_of_memory(request->reply);
        return;
    }
    reply_integer(request->reply, had_expiry);
}
