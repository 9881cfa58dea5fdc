#include "server/cmd/value_state.h"

#include "server/schema/bindings.h"
#include "server/schema/quarantine.h"
#include "server/schema/usage.h"

/* ---- failures ---- */

static int
width(struct slice text)
{
    return text.size < 256 ? (int)text.size : 256;
}

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
        reply_error(request->reply, "UNTRANSLATABLE %.*s %u->%u%s%s: %s", width(name),
                    name.data, lens->from, lens->to, lens->path[0] == '\0' ? "" : " at ",
                    lens->path, lens->text);
        return;
    case VALUE_FAILURE_NO_VERSION:
        reply_error(request->reply, "NOVERSION schema %.*s has no version %u", width(name),
                    name.data, failure->version);
        return;
    case VALUE_FAILURE_NO_RELEASE: {
        struct slice missing = bindings_missing(request->session->bindings);
        reply_error(request->reply,
                    "NORELEASE this connection speaks release %.*s, which is not defined",
                    width(missing), missing.data);
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

/* Keep a failed translation of a record of <from> to <to> for the reply. */
static void
keep_failure(struct request *request, const struct spoken *spoken, unsigned from, unsigned to,
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
        state->failure.lens.to = to;
    }
}

/* Count the failure that was kept last. */
static void
count_failure(struct request *request, const struct key *key, const struct spoken *spoken)
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
    keep_failure(request, spoken, from, spoken->version, failure);
    count_failure(request, key, spoken);
}

static void
count_translation(struct request *request, const struct spoken *spoken, unsigned from)
{
    counters_add(request->counters, COUNTER_TRANSLATIONS, 1);
    usage_translated(spoken->schema->usage, request->worker_index, from, spoken->version);
}

/* ---- reading ---- */

enum view {
    VIEW_MADE,
    VIEW_FAILED, /* the failure was kept and counted */
    VIEW_LATER,  /* the handler is to be run again */
};

static void
count_read(struct request *request, const struct spoken *spoken)
{
    usage_read(spoken->schema->usage, request->worker_index, spoken->version, request->now_ms);
}

static enum view
make_view(struct request *request, const struct key *key, const struct entry *entry,
          const struct spoken *spoken, struct slice *ret_view, struct slice *ret_stored)
{
    struct value value;
    entry_value(entry, &value);
    *ret_stored = value.body;
    if (spoken->schema == NULL) {
        *ret_view = value.body;
        return VIEW_MADE;
    }
    struct lens_record record = value_record(spoken->schema, &value);
    if (spoken->version == BINDINGS_RAW || spoken->version == record.version) {
        if (request->value_state == NULL || request->value_state->rounds == 0) {
            count_read(request, spoken);
        }
        *ret_view = value.body;
        return VIEW_MADE;
    }
    struct value_wish result;
    if (!value_translate(request, key, entry, spoken, &record, &result)) {
        return VIEW_LATER;
    }
    if (!result.is_counted) {
        count_read(request, spoken);
    }
    if (!result.has_view) {
        keep_failure(request, spoken, record.version, spoken->version, &result.failure);
        if (!result.is_counted) {
            count_failure(request, key, spoken);
        }
        return VIEW_FAILED;
    }
    if (!result.is_counted) {
        count_translation(request, spoken, record.version);
    }
    *ret_view = result.view;
    return VIEW_MADE;
}

/* The entry of <key>, as an access of this request: one only, however often it is run. */
static struct entry *
find_entry(struct request *request, const struct key *key)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct value_state *state = request->value_state;
    return state != NULL && state->rounds > 0
               ? keyspace_peek_locked(keyspace, key, request->now_ms)
               : request_find(request, key);
}

/* What a failed view means to a command that only reads. */
static enum value_find
read_outcome(const struct spoken *spoken, struct slice stored, struct slice *ret_view)
{
    switch (lens_schema_outcome(spoken->schema->lens)) {
    case LENS_OUTCOME_MISS:
        return VALUE_ABSENT;
    case LENS_OUTCOME_RAW:
        *ret_view = stored;
        return VALUE_FOUND;
    case LENS_OUTCOME_ERROR:
        break;
    }
    return VALUE_FAILED;
}

enum value_find
value_peek(struct request *request, const struct key *key, struct slice *ret_view)
{
    struct spoken spoken;
    if (!value_speak(request, key, &spoken)) {
        return VALUE_FAILED;
    }
    struct entry *entry = find_entry(request, key);
    if (entry == NULL || entry_type(entry) != ENTRY_STRING) {
        return VALUE_ABSENT;
    }
    struct slice stored;
    switch (make_view(request, key, entry, &spoken, ret_view, &stored)) {
    case VIEW_MADE:
        return VALUE_FOUND;
    case VIEW_LATER: /* let the handler ask for its other keys, too */
        return VALUE_ABSENT;
    case VIEW_FAILED:
        break;
    }
    return read_outcome(&spoken, stored, ret_view);
}

/* For value_read() and value_read_for_update(): absent and other types; true: go on. */
static bool
find_string(struct request *request, const struct key *key, struct spoken *ret_spoken,
            struct entry **ret_entry, enum value_find *ret_find)
{
    if (!value_speak(request, key, ret_spoken)) {
        value_reply_failure(request);
        *ret_find = VALUE_FAILED;
        return false;
    }
    *ret_entry = find_entry(request, key);
    if (*ret_entry == NULL) {
        *ret_find = VALUE_ABSENT;
        return false;
    }
    if (entry_type(*ret_entry) != ENTRY_STRING) {
        reply_wrong_type(request->reply);
        *ret_find = VALUE_FAILED;
        return false;
    }
    return true;
}

enum value_find
value_read(struct request *request, const struct key *key, struct slice *ret_view)
{
    struct spoken spoken;
    struct entry *entry;
    enum value_find found;
    if (!find_string(request, key, &spoken, &entry, &found)) {
        return found;
    }
    struct slice stored;
    switch (make_view(request, key, entry, &spoken, ret_view, &stored)) {
    case VIEW_MADE:
        return VALUE_FOUND;
    case VIEW_LATER:
        return VALUE_FAILED;
    case VIEW_FAILED:
        break;
    }
    found = read_outcome(&spoken, stored, ret_view);
    if (found == VALUE_FAILED) {
        value_reply_failure(request);
    }
    return found;
}

enum value_find
value_read_for_update(struct request *request, const struct key *key, struct slice *ret_view,
                      bool *ret_is_hidden)
{
    struct spoken spoken;
    struct entry *entry;
    enum value_find found;
    *ret_is_hidden = false;
    if (!find_string(request, key, &spoken, &entry, &found)) {
        return found;
    }
    struct slice stored;
    switch (make_view(request, key, entry, &spoken, ret_view, &stored)) {
    case VIEW_MADE:
        return VALUE_FOUND;
    case VIEW_LATER:
        return VALUE_FAILED;
    case VIEW_FAILED:
        break;
    }
    if (lens_schema_outcome(spoken.schema->lens) == LENS_OUTCOME_MISS) {
        *ret_is_hidden = true;
        return VALUE_ABSENT;
    }
    value_reply_failure(request);
    return VALUE_FAILED;
}

/* ---- writing ---- */

static bool
refuse_body(struct request *request, const struct spoken *spoken,
            const struct lens_failure *failure)
{
    struct slice name = lens_schema_name(spoken->schema->lens);
    reply_error(request->reply,
                "SCHEMA %.*s is strict, and this is no document of version %u: %s", width(name),
                name.data, spoken->version, failure->text);
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

bool
value_store(struct request *request, const struct key *key, const struct value *value,
            int64_t expiry_ms)
{
    struct keyspace *keyspace = request->server->keyspace;
    if (expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms) {
        (void)keyspace_delete_locked(keyspace, key, request->now_ms);
        return true;
    }
    if (!keyspace_set_locked(keyspace, key, value, expiry_ms)) {
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

bool
value_write_record(struct request *request, const struct key *key, const struct entry *entry,
                   const struct spoken *spoken, const struct lens_record *old,
                   struct slice body, int64_t expiry_ms)
{
    const struct registry_schema *schema = spoken->schema;
    bool is_simple =
        old == NULL || (old->version == spoken->version && old->complement.size == 0);
    bool is_over = expiry_ms != KEYSPACE_EXPIRY_NONE && expiry_ms <= request->now_ms;
    struct value value = {.body = body, .schema = schema->id, .version = spoken->version};
    struct quarantined *aside = NULL;
    if (!is_simple || lens_schema_strict(schema->lens)) {
        struct value_wish result;
        if (!value_translate_write(request, key, entry, spoken, old, body, &result)) {
            return false;
        }
        if (result.outcome == LENS_WRITE_REFUSED) {
            return refuse_body(request, spoken, &result.failure);
        }
        if (result.outcome == LENS_WRITE_OK) {
            value.complement = result.record.complement;
        }
        if (result.outcome == LENS_WRITE_QUARANTINE && old != NULL) {
            keep_failure(request, spoken, old->version, spoken->version, &result.failure);
            count_failure(request, key, spoken);
            aside = is_over ? NULL
                            : put_aside(request, key, expiry_ms, spoken, old, &result.failure);
            if (aside == NULL && !is_over) {
                reply_out_of_memory(request->reply);
                return false;
            }
        } else if (old != NULL && old->version != spoken->version) {
            count_translation(request, spoken, old->version);
        }
    }
    if (!value_store(request, key, &value, expiry_ms)) {
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
    if (spoken.schema == NULL && expiry_ms != VALUE_KEEP_TTL) {
        return value_store(request, key, &(struct value){.body = body}, expiry_ms);
    }
    struct entry *entry = keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
    if (expiry_ms == VALUE_KEEP_TTL) {
        expiry_ms = entry == NULL ? KEYSPACE_EXPIRY_NONE : entry_expiry_ms(entry);
    }
    if (spoken.schema == NULL) {
        return value_store(request, key, &(struct value){.body = body}, expiry_ms);
    }
    struct lens_record record;
    const struct lens_record *old = NULL;
    if (entry != NULL && entry_type(entry) == ENTRY_STRING) {
        struct value value;
        entry_value(entry, &value);
        record = value_record(spoken.schema, &value);
        old = &record;
    }
    unsigned speaks = spoken.version;
    if (speaks == BINDINGS_RAW) {
        spoken.version = old == NULL ? spoken.schema->base_version : old->version;
    }
    if (!value_write_record(request, key, entry, &spoken, old, body, expiry_ms)) {
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
    if (spoken.schema == NULL || !lens_schema_strict(spoken.schema->lens)) {
        return true;
    }
    unsigned version =
        spoken.version == BINDINGS_RAW ? spoken.schema->base_version : spoken.version;
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
