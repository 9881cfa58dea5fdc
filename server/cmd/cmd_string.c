#include "server/cmd/condition.h"
#include "server/cmd/handlers.h"
#include "server/cmd/set_options.h"
#include "server/cmd/value.h"

static inline void
reply_view_or_null(struct request *request, const struct key *key, bool found,
                   const struct value_view *view)
{
    if (found) {
        value_reply_view(request, key, view);
    } else {
        reply_null(request->reply);
    }
}

static bool
key_exists(struct request *request, const struct key *key)
{
    return keyspace_peek_locked(request->server->keyspace, key, request->now_ms) != NULL;
}

void
cmd_get(struct request *request)
{
    struct value_view view;
    enum value_find found = value_look(request, &request->keys[0], &view);
    if (found != VALUE_FAILED) {
        reply_view_or_null(request, &request->keys[0], found == VALUE_FOUND, &view);
    }
}

/* ---- SET ---- */

/* What a SET must know of the value that is there. */
struct old_value {
    bool exists;            /* there is a record */
    bool found;             /* and it has a view */
    struct value_view view; /* borrowed; bytes where there is a condition on them */
};

/* False when an error was replied. */
static bool
read_old(struct request *request, const struct set_options *options, struct old_value *ret_old)
{
    const struct key *key = &request->keys[0];
    bool has_condition = options->condition.kind != CONDITION_NONE;
    struct old_value old = {.exists = false};
    if (options->answers_old || has_condition) {
        bool is_hidden = false;
        enum value_find found =
            has_condition ? value_read_for_update(request, key, &old.view.bytes, &is_hidden)
                          : value_look_for_update(request, key, &old.view, &is_hidden);
        if (found == VALUE_FAILED) {
            return false;
        }
        /* Hidden content can neither meet nor fail a comparison. */
        if (is_hidden && has_condition) {
            value_reply_failure(request);
            return false;
        }
        old.found = found == VALUE_FOUND;
        old.exists = old.found || is_hidden;
    } else {
        old.exists = key_exists(request, key);
    }
    *ret_old = old;
    return true;
}

static enum condition_result
check_requirements(struct request *request, const struct set_options *options,
                   const struct old_value *old)
{
    if ((options->existence == SET_IF_ABSENT && old->exists) ||
        (options->existence == SET_IF_PRESENT && !old->exists)) {
        return CONDITION_FAILS;
    }
    if (options->condition.kind == CONDITION_NONE) {
        return CONDITION_HOLDS;
    }
    if (!old->found) {
        return condition_needs_value(options->condition.kind) ? CONDITION_FAILS
                                                              : CONDITION_HOLDS;
    }
    return condition_check(request, &options->condition, old->view.bytes);
}

/* The write ends the life of the <old> view, and may itself be refused. */
static void
replace_and_reply(struct request *request, struct slice body, const struct value_view *old,
                  int64_t expiry_ms)
{
    struct value_held held;
    if (!value_hold(request, &request->keys[0], old, &held)) {
        reply_out_of_memory(request->reply);
    } else if (value_write(request, &request->keys[0], body, expiry_ms)) {
        value_reply_held(request, &held);
    } else {
        value_let_go(&held);
    }
}

/* SET with anything that depends on what is there. */
static void
set_conditionally(struct request *request, struct slice body, const struct set_options *options,
                  int64_t expiry_ms)
{
    struct old_value old;
    if (!read_old(request, options, &old)) {
        return;
    }
    enum condition_result result = check_requirements(request, options, &old);
    if (result == CONDITION_REFUSED) {
        return;
    }
    if (result == CONDITION_HOLDS) {
        if (old.found && options->answers_old) {
            replace_and_reply(request, body, &old.view, expiry_ms);
            return;
        }
        if (!value_write(request, &request->keys[0], body, expiry_ms)) {
            return;
        }
    }
    if (options->answers_old) {
        reply_view_or_null(request, &request->keys[0], old.found, &old.view);
    } else if (result == CONDITION_HOLDS) {
        reply_ok(request->reply);
    } else {
        reply_null(request->reply);
    }
}

static void
set_plainly(struct request *request, struct slice body, int64_t expiry_ms)
{
    if (value_write(request, &request->keys[0], body, expiry_ms)) {
        reply_ok(request->reply);
    }
}

void
cmd_set(struct request *request)
{
    struct set_options options;
    int64_t expiry_ms;
    if (!set_options_parse(request, 3, SET_OPTIONS_SET, &options) ||
        !set_options_expiry(request, &options,
                            options.keeps_ttl ? VALUE_KEEP_TTL : KEYSPACE_EXPIRY_NONE,
                            &expiry_ms)) {
        return;
    }
    if (options.existence == SET_ALWAYS && options.condition.kind == CONDITION_NONE &&
        !options.answers_old) {
        set_plainly(request, request->argv[2], expiry_ms);
    } else {
        set_conditionally(request, request->argv[2], &options, expiry_ms);
    }
}

void
cmd_setex(struct request *request)
{
    int64_t expiry_ms;
    if (argument_expiry(request, 2, (struct expiry_unit){.is_seconds = true}, &expiry_ms)) {
        set_plainly(request, request->argv[3], expiry_ms);
    }
}

void
cmd_psetex(struct request *request)
{
    int64_t expiry_ms;
    if (argument_expiry(request, 2, (struct expiry_unit){0}, &expiry_ms)) {
        set_plainly(request, request->argv[3], expiry_ms);
    }
}

void
cmd_setnx(struct request *request)
{
    if (key_exists(request, &request->keys[0])) {
        reply_integer(request->reply, 0);
    } else if (value_write(request, &request->keys[0], request->argv[2],
                           KEYSPACE_EXPIRY_NONE)) {
        reply_integer(request->reply, 1);
    }
}

void
cmd_getset(struct request *request)
{
    const struct set_options options = {.answers_old = true};
    set_conditionally(request, request->argv[2], &options, KEYSPACE_EXPIRY_NONE);
}

/* ---- GET with effects ---- */

void
cmd_getdel(struct request *request)
{
    const struct key *key = &request->keys[0];
    struct value_view view;
    bool is_hidden = false;
    enum value_find found = value_look_for_update(request, key, &view, &is_hidden);
    if (found == VALUE_FAILED) {
        return;
    }
    reply_view_or_null(request, key, found == VALUE_FOUND, &view);
    if (found == VALUE_FOUND) {
        (void)keyspace_delete_locked(request->server->keyspace, key, request->now_ms);
    }
}

/* Persisting what never expires is no change: watchers must not see one. */
static bool
has_expiry(struct request *request, const struct key *key)
{
    const struct entry *entry =
        keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
    return entry != NULL && entry_expiry_ms(entry) != KEYSPACE_EXPIRY_NONE;
}

void
cmd_getex(struct request *request)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    struct set_options options;
    if (!set_options_parse(request, 2, SET_OPTIONS_GETEX, &options)) {
        return;
    }
    struct value_view view;
    bool is_hidden = false;
    enum value_find found = value_look_for_update(request, key, &view, &is_hidden);
    if (found == VALUE_ABSENT) {
        reply_null(request->reply);
    }
    int64_t expiry_ms;
    if (found != VALUE_FOUND ||
        !set_options_expiry(request, &options, KEYSPACE_EXPIRY_NONE, &expiry_ms)) {
        return;
    }
    value_reply_view(request, key, &view);
    if (options.expiry_index != 0 && expiry_ms <= request->now_ms) {
        (void)keyspace_delete_locked(keyspace, key, request->now_ms);
    } else if (options.expiry_index != 0 || (options.persists && has_expiry(request, key))) {
        (void)value_expire(request, key, expiry_ms);
    }
}

/* ---- several keys ---- */

void
cmd_mget(struct request *request)
{
    /* All views first: one that cannot be made fails the command, not half a reply. */
    struct value_view *views = arena_calloc(request->arena, request->key_count, sizeof(*views));
    if (views == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    for (size_t i = 0; i < request->key_count; i++) {
        struct value_view view;
        enum value_find found = value_peek(request, &request->keys[i], &view);
        if (found == VALUE_FAILED) {
            value_reply_failure(request);
            return;
        }
        if (found == VALUE_FOUND) {
            views[i] = view;
            if (view.bytes.size == 0) {
                views[i].bytes = SLICE_OF("");
            }
        }
    }
    reply_array(request->reply, request->key_count);
    for (size_t i = 0; i < request->key_count; i++) {
        reply_view_or_null(request, &request->keys[i], views[i].bytes.data != NULL, &views[i]);
    }
}

/* False when an error was replied. */
static bool
set_pairs(struct request *request)
{
    for (size_t i = 0; request->key_count > 1 && i < request->key_count; i++) {
        if (!value_may_write(request, &request->keys[i], request->argv[2 + 2 * i])) {
            return false;
        }
    }
    for (size_t i = 0; i < request->key_count; i++) {
        if (!value_write(request, &request->keys[i], request->argv[2 + 2 * i],
                         KEYSPACE_EXPIRY_NONE)) {
            return false;
        }
    }
    return true;
}

void
cmd_mset(struct request *request)
{
    if (request->argc % 2 == 0) {
        argument_wrong_count(request);
    } else if (set_pairs(request)) {
        reply_ok(request->reply);
    }
}

void
cmd_msetnx(struct request *request)
{
    if (request->argc % 2 == 0) {
        argument_wrong_count(request);
        return;
    }
    for (size_t i = 0; i < request->key_count; i++) {
        if (key_exists(request, &request->keys[i])) {
            reply_integer(request->reply, 0);
            return;
        }
    }
    if (set_pairs(request)) {
        reply_integer(request->reply, 1);
    }
}

/* ---- digests ---- */

void
cmd_digest(struct request *request)
{
    struct slice view = SLICE("");
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FAILED) {
        return;
    }
    char digits[DIGEST_SIZE];
    if (found == VALUE_FOUND) {
        digest_write(view, digits);
        reply_bulk(request->reply, slice_make(digits, DIGEST_SIZE));
    } else {
        reply_null(request->reply);
    }
}

/* Does DELEX's condition hold for the entry that is there? REFUSED: an error was replied. */
static enum condition_result
check_delex(struct request *request, const struct entry *entry)
{
    if (request->argc == 2) {
        return CONDITION_HOLDS;
    }
    if (value_type(request, &request->keys[0], entry) != ENTRY_STRING) {
        reply_error(request->reply,
                    "ERR Key should be of string type if conditions are specified");
        return CONDITION_REFUSED;
    }
    struct condition condition = {.operand = request->argv[3]};
    if (!condition_parse(request, 2, &condition.kind)) {
        reply_error(request->reply, "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
        return CONDITION_REFUSED;
    }
    struct slice view;
    bool is_hidden = false;
    enum value_find found =
        value_read_for_update(request, &request->keys[0], &view, &is_hidden);
    if (found == VALUE_ABSENT) {
        value_reply_failure(request);
    }
    return found == VALUE_FOUND ? condition_check(request, &condition, view)
                                : CONDITION_REFUSED;
}

void
cmd_delex(struct request *request)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    if (request->argc != 2 && request->argc != 4) {
        argument_wrong_count(request);
        return;
    }
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    enum condition_result result =
        entry == NULL ? CONDITION_FAILS : check_delex(request, entry);
    if (result == CONDITION_REFUSED) {
        return;
    }
    bool deleted =
        result == CONDITION_HOLDS && keyspace_delete_locked(keyspace, key, request->now_ms);
    reply_integer(request->reply, deleted);
}
