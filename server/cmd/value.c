#include "server/cmd/value_state.h"

#include "server/cmd/argument.h"
#include "server/schema/bindings.h"
#include "server/schema/quarantine.h"
#include "server/schema/usage.h"

/* ---- failures ---- */

static void
reply_failure(struct request *request, const struct value_failure *failure)
{
    struct slice name =
        failure->schema == NULL ? SLICE_OF("") : lens_schema_name(failure->schema->lens);
    const struct lens_failure *lens = &failure->lens;
    switch (failure->kind) {
    case VALUE_FAILURE_MEMORY:
        reply_out_of_memory(request->reply);
        return;
    case VALUE_FAILURE_VIEW:
        reply_error(request->reply, "UNTRANSLATABLE %.*s %u->%u%s%s: %s", reply_width(name),
                    name.data, lens->from, lens->to, lens->path[0] == '\0' ? "" : " at ",
                    lens->path, lens->text);
        return;
    case VALUE_FAILURE_NO_VERSION:
        reply_error(request->reply, "NOVERSION schema %.*s has no version %u",
                    reply_width(name), name.data, failure->version);
        return;
    case VALUE_FAILURE_RETIRED:
        reply_error(request->reply, "NOVERSION schema %.*s has retired its version %u",
                    reply_width(name), name.data, failure->version);
        return;
    case VALUE_FAILURE_NO_RELEASE: {
        struct slice missing = bindings_missing(request->session->bindings);
        reply_error(request->reply,
                    "NORELEASE this connection speaks release %.*s, which is not defined",
                    reply_width(missing), missing.data);
        return;
    }
    }
}

void
value_reply_failure(struct request *request)
{
    static const struct value_failure no_memory = {.kind = VALUE_FAILURE_MEMORY};
    reply_failure(request,
                  request->value_state == NULL ? &no_memory : &request->value_state->failure);
}

void
value_keep_failure(struct request *request, const struct spoken *spoken, unsigned from,
                   const struct lens_failure *lens)
{
    struct value_state *state = value_state_get(request);
    if (state == NULL) {
        return;
    }
    state->failure = (struct value_failure){
        .kind = VALUE_FAILURE_VIEW, .schema = spoken->schema, .lens = *lens};
    if (lens->from == 0 && lens->to == 0) {
        state->failure.lens.from = from;
        state->failure.lens.to = spoken->version;
    }
}

void
value_count_failure(struct request *request, const struct key *key, const struct spoken *spoken)
{
    counters_add(request->counters, COUNTER_TRANSLATION_FAILURES, 1);
    if (request->value_state != NULL) {
        const struct lens_failure *lens = &request->value_state->failure.lens;
        usage_failed(spoken->schema->usage, lens->from, lens->to, lens->reason, key->name,
                     request->now_ms);
    }
}

void
value_fail_view(struct request *request, const struct key *key, const struct spoken *spoken,
                unsigned from, const struct lens_failure *failure)
{
    value_keep_failure(request, spoken, from, failure);
    value_count_failure(request, key, spoken);
}

void
value_count_translation(struct request *request, const struct spoken *spoken, unsigned from)
{
    counters_add(request->counters, COUNTER_TRANSLATIONS, 1);
    usage_translated(spoken->schema->usage, request->worker_index, from, spoken->version);
}

/* ---- large views ---- */

void
value_reply_large(struct request *request, const struct key *key, struct slice view)
{
    struct block *block = value_block(request, key, view);
    if (block != NULL) {
        reply_block(request->reply, view, block);
    } else {
        reply_bulk(request->reply, view);
    }
}

bool
value_hold(struct request *request, const struct key *key, const struct value_view *view,
           struct value_held *ret_held)
{
    struct block *block = value_block(request, key, view->bytes);
    *ret_held = (struct value_held){.view = *view, .block = block};
    if (block != NULL) {
        (void)block_ref(block);
        return true;
    }
    return arena_copy(request->arena, view->bytes, &ret_held->view.bytes);
}

void
value_reply_held(struct request *request, struct value_held *held)
{
    if (held->block != NULL) {
        reply_block(request->reply, held->view.bytes, held->block);
    } else if (held->view.is_packed) {
        value_reply_packed(request, held->view.bytes);
    } else {
        reply_bulk(request->reply, held->view.bytes);
    }
    value_let_go(held);
}

/* Frees nothing: until the unlock the entry holds the block, too, be it alive or buried. */
void
value_let_go(struct value_held *held)
{
    block_unref(held->block);
    held->block = NULL;
}

/* ---- writing ---- */

static bool
refuse_body(struct request *request, const struct spoken *spoken,
            const struct lens_failure *failure)
{
    struct slice name = lens_schema_name(spoken->schema->lens);
    reply_error(request->reply,
                "SCHEMA %.*s is strict, and this is no document of version %u: %s",
                reply_width(name), name.data, spoken->version, failure->text);
    return false;
}

/* Copy what a write is about to replace although it cannot be rebased; NULL: no memory. */
static struct quarantined *
put_aside(struct request *request, const struct key *key, int64_t expiry_ms,
          const struct spoken *spoken, const struct lens_record *old,
          const struct lens_failure *failure)
{
    const struct quarantine_record record = {
        .db = key->db,
        .key = key->name,
        .value = {.body = old->body,
                  .complement = old->complement,
                  .schema = spoken->schema->id,
                  .version = old->version},
        .expiry_ms = expiry_ms,
        .since_ms = request->now_ms,
        .to = spoken->version,
        .reason = failure->reason,
    };
    return quarantine_prepare(&record);
}

/* With the packed bytes of the body, where there are some. */
static __attribute__((noinline)) bool
set_packed(struct request *request, const struct key *key, const struct value *value,
           int64_t expiry_ms)
{
    struct value packed = *value;
    (void)value_take_packed(request, key, &packed);
    return keyspace_set_locked(request->server->keyspace, key, &packed, expiry_ms);
}

bool
value_store(struct request *request, const struct key *key, const struct value *value,
            int64_t expiry_ms)
{
    struct keyspace *keyspace = request->server->keyspace;
    bool is_nothing = value->is_hash && value->body.size == 0 && value->complement.size == 0;
    if (is_nothing || (expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms)) {
        (void)keyspace_delete_locked(keyspace, key, request->now_ms);
        return true;
    }
    bool is_set = __builtin_expect(request->packed != NULL, 0)
                      ? set_packed(request, key, value, expiry_ms)
                      : keyspace_set_locked(keyspace, key, value, expiry_ms);
    if (!is_set) {
        reply_out_of_memory(request->reply);
        return false;
    }
    quarantine_expire(request->server->quarantine, key, expiry_ms);
    return true;
}

bool
value_expire(struct request *request, const struct key *key, int64_t expiry_ms)
{
    if (!keyspace_expire_locked(request->server->keyspace, key, expiry_ms)) {
        return false;
    }
    quarantine_expire(request->server->quarantine, key, expiry_ms);
    return true;
}

/*
 * Has any version a field of <value>, a hash that its own version sees none of? Where nothing
 * is remembered, others see defaults at most, which nobody wrote. What cannot be seen counts.
 */
static bool
has_fields(struct request *request, const struct spoken *spoken, const struct value *value)
{
    const struct lens_schema *lens = spoken->schema->lens;
    const struct lens_record record = {
        .version = value->version, .body = value->body, .complement = value->complement};
    bool has = false;
    for (unsigned version = lens_schema_version_count(lens);
         version > 0 && !has && value->complement.size > 0; version--) {
        struct lens_failure failure;
        struct slice view;
        has = !lens_view(lens, &record, version, request->arena, &view, &failure) ||
              (view.size > 0 && !slice_equal(view, SLICE_OF("{}")));
    }
    return has;
}

bool
value_write_record(struct request *request, const struct key *key, const struct entry *entry,
                   const struct spoken *spoken, const struct lens_record *old,
                   const struct value *written, int64_t expiry_ms)
{
    const struct registry_schema *schema = spoken->schema;
    bool is_simple =
        old == NULL || (old->version == spoken->version && old->complement.size == 0);
    bool is_over = expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms;
    struct slice body = written->body;
    struct value value = {.body = body,
                          .block = written->block,
                          .schema = schema->id,
                          .version = spoken->version,
                          .is_hash = written->is_hash};
    struct quarantined *aside = NULL;
    if (!is_simple || lens_schema_strict(schema->lens)) {
        struct value_answer room;
        const struct value_answer *answer =
            value_translate_write(request, key, entry, spoken, old, body, &room);
        if (answer == NULL) {
            return false;
        }
        if (answer->is_lost) {
            reply_out_of_memory(request->reply);
            return false;
        }
        if (answer->outcome == LENS_WRITE_REFUSED) {
            return refuse_body(request, spoken, &answer->failure);
        }
        if (answer->outcome == LENS_WRITE_OK) {
            value.complement = answer->record.complement;
        }
        if (answer->outcome == LENS_WRITE_QUARANTINE && old != NULL) {
            value_fail_view(request, key, spoken, old->version, &answer->failure);
            struct lens_record whole = *old;
            whole.body = answer->old_body;
            aside = is_over
                        ? NULL
                        : put_aside(request, key, expiry_ms, spoken, &whole, &answer->failure);
            if (aside == NULL && !is_over) {
                reply_out_of_memory(request->reply);
                return false;
            }
        } else if (old != NULL && old->version != spoken->version) {
            value_count_translation(request, spoken, old->version);
        }
    }
    if (value.is_hash && value.body.size == 0 && !has_fields(request, spoken, &value)) {
        (void)keyspace_delete_locked(request->server->keyspace, key, request->now_ms);
    } else if (!value_store(request, key, &value, expiry_ms)) {
        quarantine_discard(aside);
        return false;
    }
    if (aside != NULL) {
        quarantine_add(
            request->server->quarantine, aside,
            (size_t)config_number(request->server->config, CONFIG_QUARANTINE_MAX_BYTES));
    }
    return true;
}

bool
value_write(struct request *request, const struct key *key, struct slice body,
            int64_t expiry_ms)
{
    struct spoken spoken;
    if (!value_speak(request, key, &spoken)) {
        value_reply_failure(request);
        return false;
    }
    const struct value value = {.body = body, .block = argument_block(request, body)};
    if (spoken.schema == NULL && expiry_ms != VALUE_KEEP_TTL) {
        return value_store(request, key, &value, expiry_ms);
    }
    struct entry *entry = keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
    if (expiry_ms == VALUE_KEEP_TTL) {
        expiry_ms = entry == NULL ? KEYSPACE_EXPIRY_NONE : entry_expiry_ms(entry);
    }
    if (spoken.schema == NULL) {
        return value_store(request, key, &value, expiry_ms);
    }
    struct lens_record record;
    bool is_old = false;
    if (entry != NULL && !value_old(request, spoken.schema, entry, &record, &is_old)) {
        return false;
    }
    const struct lens_record *old = is_old ? &record : NULL;
    unsigned speaks = spoken.version;
    if (speaks == BINDINGS_RAW) {
        spoken.version = old == NULL ? spoken.schema->base_version : old->version;
    }
    if (lens_is_hash(spoken.schema->lens, spoken.version)) {
        return value_may_be_foreign(request, spoken.schema, false) &&
               value_store(request, key, &value, expiry_ms);
    }
    if (!value_write_record(request, key, entry, &spoken, old, &value, expiry_ms)) {
        return false;
    }
    usage_write(spoken.schema->usage, request->worker_index, speaks, request->now_ms);
    return true;
}

bool
value_may_write(struct request *request, const struct key *key, struct slice body)
{
    struct spoken spoken;
    if (!value_speak(request, key, &spoken)) {
        value_reply_failure(request);
        return false;
    }
    if (spoken.schema == NULL) {
        return true;
    }
    unsigned version =
        spoken.version == BINDINGS_RAW ? spoken.schema->base_version : spoken.version;
    if (lens_is_hash(spoken.schema->lens, version)) {
        return value_may_be_foreign(request, spoken.schema, false);
    }
    if (!lens_schema_strict(spoken.schema->lens)) {
        return true;
    }
    if (lens_is_document(spoken.schema->lens, version, body)) {
        return true;
    }
    const struct lens_failure failure = {.text = "it cannot be parsed"};
    return refuse_body(request, &spoken, &failure);
}

/* ---- editing ---- */

enum value_find
value_edit(struct request *request, const struct key *key, size_t size, size_t zeros_to,
           char **ret_bytes)
{
    struct keyspace *keyspace = request->server->keyspace;
    struct spoken spoken;
    if (!value_speak(request, key, &spoken) || spoken.schema != NULL) {
        return VALUE_ABSENT;
    }
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    if (entry != NULL && !entry_is_plain(entry)) {
        return VALUE_ABSENT;
    }
    char *bytes = keyspace_edit_locked(keyspace, key, size, zeros_to);
    if (bytes == NULL) {
        reply_out_of_memory(request->reply);
        return VALUE_FAILED;
    }
    *ret_bytes = bytes;
    return VALUE_FOUND;
}
