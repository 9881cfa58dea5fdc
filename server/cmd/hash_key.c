#include "server/cmd/hash_key.h"

#include "server/cmd/value_state.h"
#include "server/schema/bindings.h"
#include "server/schema/usage.h"
#include "server/store/hash_life.h"

/* A hash made of a view, for as long as the request takes. */
struct value_scratch {
    struct hash hash;
    struct spoken spoken; /* whose view it is; of RAW the record's own version */
    struct value_scratch *next;
};

/* ---- scratch hashes ---- */

static struct value_scratch *
scratch_of(const struct request *request, const struct hash *hash)
{
    const struct value_state *state = request->value_state;
    struct value_scratch *scratch = state == NULL ? NULL : state->scratches;
    while (scratch != NULL && &scratch->hash != hash) {
        scratch = scratch->next;
    }
    return scratch;
}

/* A hash of the fields in <body>; NULL: no memory, replied. */
static struct hash *
scratch_new(struct request *request, const struct spoken *spoken, struct slice body)
{
    struct value_state *state = value_state_get(request);
    struct value_scratch *scratch =
        state == NULL ? NULL : arena_alloc(request->arena, sizeof(*scratch));
    if (scratch == NULL || !hash_read(body, &scratch->hash)) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    scratch->spoken = *spoken;
    scratch->next = state->scratches;
    state->scratches = scratch;
    return &scratch->hash;
}

void
value_let_scratches_go(struct request *request)
{
    struct value_scratch *scratch = request->value_state->scratches;
    for (; scratch != NULL; scratch = scratch->next) {
        size_t budget = SIZE_MAX;
        (void)hash_free_some(&scratch->hash, &budget);
    }
    request->value_state->scratches = NULL;
}

/* ---- looking ---- */

struct hash_look {
    const struct key *key;
    bool is_update;
    const struct entry *entry;
    struct value value;
    struct spoken spoken;
};

static bool
wrong_type(struct request *request)
{
    reply_wrong_type(request->reply);
    return false;
}

/* No view could be made; the failure was kept. */
static bool
look_at_failure(struct request *request, const struct hash_look *look, struct hash **ret_hash)
{
    enum lens_outcome outcome = lens_schema_outcome(look->spoken.schema->lens);
    if (!look->is_update && outcome == LENS_OUTCOME_MISS) {
        return true;
    }
    if (!look->is_update && outcome == LENS_OUTCOME_RAW && look->value.is_hash) {
        *ret_hash = entry_hash(look->entry);
        return true;
    }
    value_reply_failure(request);
    return false;
}

/* The view of a record of another version. */
static bool
look_at_view(struct request *request, struct hash_look *look, struct hash **ret_hash)
{
    const struct spoken *spoken = &look->spoken;
    struct value_answer room;
    struct slice view;
    if (!lens_is_hash(spoken->schema->lens, spoken->version)) {
        return wrong_type(request);
    }
    if (!entry_record(look->entry, request->arena, &look->value)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    const struct lens_record record = value_record(spoken->schema, &look->value);
    struct value_answer *answer =
        value_translate(request, look->key, look->entry, spoken, &record, &room);
    if (answer == NULL) {
        return false;
    }
    bool is_lost;
    if (!value_take_answer(request, look->key, spoken, record.version, answer, &view,
                           &is_lost)) {
        if (is_lost) {
            value_reply_failure(request);
            return false;
        }
        return look_at_failure(request, look, ret_hash);
    }
    if (view.size > 0) {
        *ret_hash = scratch_new(request, spoken, view);
    }
    return view.size == 0 || *ret_hash != NULL;
}

/* What the caller's own version wrote. */
static bool
look_at_own(struct request *request, struct hash_look *look, struct hash **ret_hash)
{
    const struct lens_schema *lens = look->spoken.schema->lens;
    if (!look->value.is_hash) {
        return wrong_type(request);
    }
    value_count_read(request, &look->spoken);
    struct hash *hash = entry_hash(look->entry);
    bool is_edited_there = look->value.complement.size == 0 && !lens_schema_strict(lens);
    if (hash_size(hash) == 0) {
        return true;
    }
    if (look->is_update && !is_edited_there) {
        if (!entry_record(look->entry, request->arena, &look->value)) {
            reply_out_of_memory(request->reply);
            return false;
        }
        hash = scratch_new(request, &look->spoken, look->value.body);
    }
    *ret_hash = hash;
    return hash != NULL;
}

static bool
look_at(struct request *request, struct hash_look *look, struct hash **ret_hash)
{
    *ret_hash = NULL;
    if (!value_speak(request, look->key, &look->spoken)) {
        value_reply_failure(request);
        return false;
    }
    look->entry = value_find_entry(request, look->key);
    if (look->entry == NULL) {
        return true;
    }
    struct spoken *spoken = &look->spoken;
    if (spoken->schema != NULL) {
        entry_value(look->entry, &look->value);
    }
    if (spoken->schema == NULL || !value_is_record(spoken->schema, &look->value)) {
        if (entry_type(look->entry) != ENTRY_HASH) {
            return wrong_type(request);
        }
        *ret_hash = entry_hash(look->entry);
        return true;
    }
    unsigned version = value_record(spoken->schema, &look->value).version;
    if (spoken->version == BINDINGS_RAW) {
        spoken->version = version;
    }
    return version == spoken->version ? look_at_own(request, look, ret_hash)
                                      : look_at_view(request, look, ret_hash);
}

bool
hash_key_find(struct request *request, struct hash **ret_hash)
{
    struct hash_look look = {.key = &request->keys[0]};
    return look_at(request, &look, ret_hash);
}

bool
hash_key_open(struct request *request, struct hash **ret_hash)
{
    struct hash_look look = {.key = &request->keys[0], .is_update = true};
    return look_at(request, &look, ret_hash);
}

bool
hash_key_view(struct request *request, const struct key *key, struct slice *ret_body)
{
    struct hash_look look = {.key = key, .is_update = true};
    struct hash *hash;
    if (!look_at(request, &look, &hash)) {
        return false;
    }
    size_t size = hash == NULL ? 0 : hash_body_size(hash);
    char *body = arena_alloc(request->arena, size + 1);
    if (body == NULL) {
        reply_out_of_memory(request->reply);
        return false;
    }
    if (hash != NULL) {
        hash_body_write(hash, body);
    }
    *ret_body = slice_make(body, size);
    return true;
}

/* ---- writing ---- */

/* A hash where there is none, or none to be seen; NULL when an error was replied. */
static struct hash *
add(struct request *request, const struct hash_look *look)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct registry_schema *schema = look->spoken.schema;
    struct spoken spoken = look->spoken;
    uint32_t id = 0;
    if (schema != NULL) {
        if (spoken.version == BINDINGS_RAW) {
            spoken.version = schema->base_version;
        }
        bool is_hash = lens_is_hash(schema->lens, spoken.version);
        if (!is_hash && !value_may_be_foreign(request, schema, true)) {
            return NULL;
        }
        if (is_hash && (look->entry != NULL || lens_schema_strict(schema->lens))) {
            return scratch_new(request, &spoken, slice_make(NULL, 0));
        }
        id = is_hash ? schema->id : 0;
    }
    struct entry *entry =
        keyspace_add_hash_locked(keyspace, look->key, id, id == 0 ? 0 : spoken.version);
    if (entry == NULL) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    return entry_hash(entry);
}

struct hash *
hash_key_add(struct request *request)
{
    struct hash_look look = {.key = &request->keys[0], .is_update = true};
    struct hash *hash;
    if (!look_at(request, &look, &hash)) {
        return NULL;
    }
    return hash != NULL ? hash : add(request, &look);
}

/* The scratch hash as the body that its version writes. */
static bool
write_scratch(struct request *request, const struct value_scratch *scratch)
{
    struct keyspace *keyspace = request->server->keyspace;
    const struct key *key = &request->keys[0];
    const struct spoken *spoken = &scratch->spoken;
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    struct lens_record record;
    bool is_old = false;
    if (entry != NULL && !value_old(request, spoken->schema, entry, &record, &is_old)) {
        return false;
    }
    size_t size = hash_body_size(&scratch->hash);
    char *body = arena_alloc(request->arena, size + 1);
    if (body == NULL) {
        reply_out_of_memory(request->reply);
        return false;
    }
    hash_body_write(&scratch->hash, body);
    const struct value value = {.body = slice_make(body, size), .is_hash = true};
    return value_write_record(request, key, entry, spoken, is_old ? &record : NULL, &value,
                              entry == NULL ? KEYSPACE_EXPIRY_NONE : entry_expiry_ms(entry));
}

static void
count_write(struct request *request, const struct spoken *spoken)
{
    usage_write(spoken->schema->usage, request->worker_index, spoken->version, request->now_ms);
}

/* What was changed where it lies. */
static void
settle_own(struct request *request, const struct hash *hash)
{
    struct keyspace *keyspace = request->server->keyspace;
    if (hash_size(hash) == 0) {
        (void)keyspace_delete_locked(keyspace, &request->keys[0], request->now_ms);
    } else {
        keyspace_changed_locked(keyspace, &request->keys[0]);
    }
}

void
hash_key_give_up(struct request *request, struct hash *hash)
{
    reply_out_of_memory(request->reply);
    if (scratch_of(request, hash) == NULL) {
        settle_own(request, hash);
    }
}

bool
hash_key_settle(struct request *request, struct hash *hash)
{
    const struct value_scratch *scratch = scratch_of(request, hash);
    struct spoken spoken;
    if (scratch != NULL) {
        if (!write_scratch(request, scratch)) {
            return false;
        }
        count_write(request, &scratch->spoken);
        return true;
    }
    settle_own(request, hash);
    if (value_speak(request, &request->keys[0], &spoken) && spoken.schema != NULL) {
        count_write(request, &spoken);
    }
    return true;
}
