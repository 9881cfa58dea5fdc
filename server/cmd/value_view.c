/*
 * Reading: what the caller's version sees of a key. One way of looking, whatever the command:
 * at the entry under the lock, or at what value_keep() took along of it, without.
 */
#include "server/cmd/value_state.h"

#include "proto/base/check.h"
#include "server/schema/bindings.h"
#include "server/schema/usage.h"

enum look {
    LOOK_SILENT, /* the connection cannot speak here; the failure was kept */
    LOOK_ABSENT,
    LOOK_OTHER, /* another type than string */
    LOOK_VIEW,
    LOOK_FAILED, /* no view; the failure was kept and counted */
    LOOK_LATER,  /* the handler is to be run again */
    LOOK_LOST,   /* no memory; this was kept as the failure */
};

struct seen {
    struct spoken spoken;
    struct value_view view;
    struct slice stored; /* behind a failure: the body, whatever its version */
    bool is_hash;        /* it is fields: no bytes to show to one who reads a string */
};

/* What the caller can do with: views that are packed, too, or bytes alone. */
enum use { USE_VIEW, USE_BYTES };

/* ---- a translation's answer ---- */

static enum look
lose(struct request *request)
{
    value_fail_memory(request);
    return LOOK_LOST;
}

bool
value_take_answer(struct request *request, const struct key *key, const struct spoken *spoken,
                  unsigned from, struct value_answer *answer, struct slice *ret_view,
                  bool *ret_is_lost)
{
    *ret_is_lost = answer->is_lost;
    if (answer->is_lost) {
        value_fail_memory(request);
        return false;
    }
    bool is_first = !answer->is_counted;
    answer->is_counted = true;
    if (is_first) {
        usage_read(spoken->schema->usage, request->worker_index, spoken->version,
                   request->now_ms);
    }
    if (!answer->has_view) {
        value_keep_failure(request, spoken, from, &answer->failure);
        if (is_first) {
            value_count_failure(request, key, spoken);
        }
        return false;
    }
    if (is_first) {
        value_count_translation(request, spoken, from);
    }
    *ret_view = answer->view;
    return true;
}

/* What <answer> says of a record of <from>: the view, or the failure; counted once. */
static enum look
take_answer(struct request *request, const struct key *key, unsigned from,
            struct value_answer *answer, struct seen *seen)
{
    struct slice view;
    bool is_lost;
    seen->stored = answer->old_body;
    if (!value_take_answer(request, key, &seen->spoken, from, answer, &view, &is_lost)) {
        return is_lost ? LOOK_LOST : LOOK_FAILED;
    }
    seen->view = (struct value_view){.bytes = view};
    return LOOK_VIEW;
}

/* Likewise of what was merely unpacked. */
static enum look
take_bytes(struct request *request, const struct value_answer *answer, struct seen *seen)
{
    if (answer->is_lost) {
        return lose(request);
    }
    seen->view = (struct value_view){.bytes = answer->old_body};
    return LOOK_VIEW;
}

/* ---- the entry, under the lock ---- */

struct entry *
value_find_entry(struct request *request, const struct key *key)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct value_state *state = request->value_state;
    return state != NULL && state->rounds > 0
               ? keyspace_peek_locked(keyspace, key, request->now_ms)
               : request_find(request, key);
}

void
value_count_read(struct request *request, const struct spoken *spoken)
{
    if (request->value_state == NULL || request->value_state->rounds == 0) {
        usage_read(spoken->schema->usage, request->worker_index, spoken->version,
                   request->now_ms);
    }
}

/* What is kept of <key>, with room made for all keys; NULL without memory. */
static struct value_sight *
sight_of(struct request *request, const struct key *key)
{
    struct value_state *state = request->value_state;
    if (state->sights == NULL) {
        state->sights =
            arena_calloc(request->arena, request->key_count, sizeof(*state->sights));
    }
    return state->sights == NULL ? NULL : &state->sights[key - request->keys];
}

/* Remember that the view of <key> is the wish noted last. */
static void
keep_wish(struct request *request, const struct key *key, const struct spoken *spoken)
{
    struct value_wish *wish = request->value_state->last;
    if (wish == NULL || wish->question.key.data != key->name.data) {
        return; /* more wishes than may be noted */
    }
    struct value_sight *sight = sight_of(request, key);
    if (sight != NULL) {
        *sight = (struct value_sight){.kind = SIGHT_WISH, .spoken = *spoken, .wish = wish};
    }
}

/* The handler is to be run again for the wish noted last. */
static enum look
wait_for_wish(struct request *request, const struct key *key, const struct spoken *spoken)
{
    if ((request->command->flags & COMMAND_VIEWS) != 0) {
        keep_wish(request, key, spoken);
    }
    return LOOK_LATER;
}

/* The view is the body. */
static enum look
look_at_body(struct request *request, const struct key *key, const struct entry *entry,
             const struct value *value, enum use use, struct seen *seen)
{
    if (value->is_hash) {
        return LOOK_OTHER;
    }
    seen->view = (struct value_view){.bytes = value->body, .is_packed = value->is_packed};
    if (!value->is_packed || use == USE_VIEW) {
        return LOOK_VIEW;
    }
    struct value_answer room;
    const struct value_answer *answer = value_unpack(request, key, entry, value->body, &room);
    return answer != NULL ? take_bytes(request, answer, seen)
                          : wait_for_wish(request, key, &seen->spoken);
}

static enum look
look_at_entry(struct request *request, const struct key *key, const struct entry *entry,
              enum use use, struct seen *seen)
{
    struct value value;
    entry_value(entry, &value);
    const struct spoken *spoken = &seen->spoken;
    if (spoken->schema == NULL) {
        return look_at_body(request, key, entry, &value, use, seen);
    }
    struct lens_record record = value_record(spoken->schema, &value);
    if (spoken->version == BINDINGS_RAW || spoken->version == record.version) {
        value_count_read(request, spoken);
        return look_at_body(request, key, entry, &value, use, seen);
    }
    if (!value_is_record(spoken->schema, &value)) {
        return look_at_body(request, key, entry, &value, use, seen);
    }
    if (lens_is_hash(spoken->schema->lens, spoken->version)) {
        return LOOK_OTHER;
    }
    seen->is_hash = value.is_hash;
    if (value.is_hash) {
        if (!entry_record(entry, request->arena, &value)) {
            return lose(request);
        }
        record.body = value.body;
    }
    struct value_answer room;
    struct value_answer *answer = value_translate(request, key, entry, spoken, &record, &room);
    return answer != NULL ? take_answer(request, key, record.version, answer, seen)
                          : wait_for_wish(request, key, spoken);
}

/* ---- what was kept, without the lock ---- */

static enum look
look_back(struct request *request, const struct key *key, struct seen *seen)
{
    const struct value_sight *sight = &request->value_state->sights[key - request->keys];
    seen->spoken = sight->spoken;
    seen->is_hash = false;
    switch (sight->kind) {
    case SIGHT_WISH:
        if (sight->wish->question.kind == QUESTION_BYTES) {
            return take_bytes(request, &sight->wish->answer, seen);
        }
        seen->is_hash =
            lens_is_hash(sight->spoken.schema->lens, sight->wish->question.old.version);
        return take_answer(request, key, sight->wish->question.old.version,
                           &sight->wish->answer, seen);
    case SIGHT_VIEW:
        seen->view = sight->view;
        return LOOK_VIEW;
    case SIGHT_ABSENT:
        return LOOK_ABSENT;
    case SIGHT_OTHER:
        return LOOK_OTHER;
    case SIGHT_SILENT:
        (void)value_speak(request, key, &seen->spoken); /* keeps the failure */
        return LOOK_SILENT;
    case SIGHT_NONE:
        break;
    }
    CHECK(sight->kind != SIGHT_NONE); /* it is a key of the request */
    return LOOK_ABSENT;
}

static enum look
look(struct request *request, const struct key *key, enum use use, struct seen *ret_seen)
{
    if (request->value_state != NULL && request->value_state->is_unlocked) {
        return look_back(request, key, ret_seen);
    }
    if (!value_speak(request, key, &ret_seen->spoken)) {
        return LOOK_SILENT;
    }
    const struct entry *entry = value_find_entry(request, key);
    if (entry == NULL) {
        return LOOK_ABSENT;
    }
    return look_at_entry(request, key, entry, use, ret_seen);
}

/* By its block if it is large, else as a copy. */
static bool
keep_view(struct request *request, const struct key *key, const struct seen *seen,
          struct value_sight *sight)
{
    struct block *block = value_block(request, key, seen->view.bytes);
    *sight =
        (struct value_sight){.kind = SIGHT_VIEW, .spoken = seen->spoken, .view = seen->view};
    if (block != NULL) {
        sight->block = block_ref(block);
        return true;
    }
    return arena_copy(request->arena, seen->view.bytes, &sight->view.bytes);
}

/* Take along what <key>, which is not wished for, holds; false if the lock is needed again. */
static bool
keep(struct request *request, const struct key *key, struct value_sight *sight)
{
    static const enum value_sight_kind kinds[] = {
        [LOOK_SILENT] = SIGHT_SILENT, [LOOK_ABSENT] = SIGHT_ABSENT, [LOOK_OTHER] = SIGHT_OTHER};
    struct seen seen;
    enum look found = look(request, key, USE_VIEW, &seen);
    switch (found) {
    case LOOK_SILENT:
    case LOOK_ABSENT:
    case LOOK_OTHER:
        *sight = (struct value_sight){.kind = kinds[found]};
        return true;
    case LOOK_VIEW:
        return keep_view(request, key, &seen, sight);
    case LOOK_LATER:
        return sight->kind == SIGHT_WISH;
    case LOOK_FAILED:
    case LOOK_LOST:
        break;
    }
    return false;
}

bool
value_keep(struct request *request)
{
    struct value_state *state = request->value_state;
    if ((request->command->flags & COMMAND_VIEWS) == 0 || state->sights == NULL) {
        return false;
    }
    state->rounds++;
    state->is_keeping = true;
    for (size_t i = 0; i < request->key_count; i++) {
        if (state->sights[i].kind == SIGHT_NONE &&
            !keep(request, &request->keys[i], &state->sights[i])) {
            state->is_keeping = false;
            value_let_sights_go(request); /* which the entries hold, too: nothing is freed */
            return false;
        }
    }
    state->is_unlocked = true;
    return true;
}

/* ---- for handlers ---- */

enum entry_type
value_type(struct request *request, const struct key *key, const struct entry *entry)
{
    const struct registry_schema *schema = value_schema_of(request, key);
    struct spoken spoken;
    struct value value;
    entry_value(entry, &value);
    if (schema == NULL || !value_is_record(schema, &value) ||
        !value_speak_schema(request, schema, &spoken) || spoken.version == BINDINGS_RAW) {
        return entry_type(entry);
    }
    return lens_is_hash(schema->lens, spoken.version) ? ENTRY_HASH : ENTRY_STRING;
}

/* What a failed view means to a command that only reads. */
static enum value_find
read_outcome(const struct seen *seen, struct value_view *ret_view)
{
    switch (lens_schema_outcome(seen->spoken.schema->lens)) {
    case LENS_OUTCOME_MISS:
        return VALUE_ABSENT;
    case LENS_OUTCOME_RAW:
        if (seen->is_hash) {
            break;
        }
        *ret_view = (struct value_view){.bytes = seen->stored};
        return VALUE_FOUND;
    case LENS_OUTCOME_ERROR:
        break;
    }
    return VALUE_FAILED;
}

enum value_find
value_peek(struct request *request, const struct key *key, struct value_view *ret_view)
{
    struct seen seen;
    switch (look(request, key, USE_VIEW, &seen)) {
    case LOOK_SILENT:
    case LOOK_LOST:
        return VALUE_FAILED;
    case LOOK_ABSENT:
    case LOOK_OTHER:
    case LOOK_LATER: /* let the handler ask for its other keys, too */
        return VALUE_ABSENT;
    case LOOK_VIEW:
        *ret_view = seen.view;
        return VALUE_FOUND;
    case LOOK_FAILED:
        break;
    }
    return read_outcome(&seen, ret_view);
}

/* For those that reply errors: what need not be looked at further. */
static enum value_find
look_and_reply(struct request *request, const struct key *key, enum use use,
               struct seen *ret_seen, bool *ret_is_failed)
{
    *ret_is_failed = false;
    switch (look(request, key, use, ret_seen)) {
    case LOOK_SILENT:
    case LOOK_LOST:
        value_reply_failure(request);
        return VALUE_FAILED;
    case LOOK_ABSENT:
        return VALUE_ABSENT;
    case LOOK_OTHER:
        reply_wrong_type(request->reply);
        return VALUE_FAILED;
    case LOOK_VIEW:
        return VALUE_FOUND;
    case LOOK_LATER:
        return VALUE_FAILED;
    case LOOK_FAILED:
        break;
    }
    *ret_is_failed = true;
    return VALUE_FAILED;
}

static enum value_find
read(struct request *request, const struct key *key, enum use use, struct value_view *ret_view)
{
    struct seen seen;
    bool is_failed;
    enum value_find found = look_and_reply(request, key, use, &seen, &is_failed);
    if (is_failed) {
        found = read_outcome(&seen, ret_view);
        if (found == VALUE_FAILED) {
            value_reply_failure(request);
        }
    } else if (found == VALUE_FOUND) {
        *ret_view = seen.view;
    }
    return found;
}

enum value_find
value_look(struct request *request, const struct key *key, struct value_view *ret_view)
{
    return read(request, key, USE_VIEW, ret_view);
}

enum value_find
value_read(struct request *request, const struct key *key, struct slice *ret_view)
{
    struct value_view view;
    enum value_find found = read(request, key, USE_BYTES, &view);
    if (found == VALUE_FOUND) {
        *ret_view = view.bytes;
    }
    return found;
}

static enum value_find
read_for_update(struct request *request, const struct key *key, enum use use,
                struct value_view *ret_view, bool *ret_is_hidden)
{
    struct seen seen;
    bool is_failed;
    enum value_find found = look_and_reply(request, key, use, &seen, &is_failed);
    *ret_is_hidden =
        is_failed && lens_schema_outcome(seen.spoken.schema->lens) == LENS_OUTCOME_MISS;
    if (*ret_is_hidden) {
        return VALUE_ABSENT;
    }
    if (is_failed) {
        value_reply_failure(request);
    } else if (found == VALUE_FOUND) {
        *ret_view = seen.view;
    }
    return found;
}

enum value_find
value_look_for_update(struct request *request, const struct key *key,
                      struct value_view *ret_view, bool *ret_is_hidden)
{
    return read_for_update(request, key, USE_VIEW, ret_view, ret_is_hidden);
}

enum value_find
value_read_for_update(struct request *request, const struct key *key, struct slice *ret_view,
                      bool *ret_is_hidden)
{
    struct value_view view;
    enum value_find found = read_for_update(request, key, USE_BYTES, &view, ret_is_hidden);
    if (found == VALUE_FOUND) {
        *ret_view = view.bytes;
    }
    return found;
}
