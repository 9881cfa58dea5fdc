#include "server/cmd/value_state.h"

#include "server/cmd/compression.h"
#include "server/schema/bindings.h"
#include "server/schema/mapping.h"
#include "server/schema/memo.h"

struct value_state *
value_state_get(struct request *request)
{
    if (request->value_state == NULL) {
        request->value_state = arena_calloc(request->arena, 1, sizeof(*request->value_state));
    }
    return request->value_state;
}

static bool
fail(struct request *request, enum value_failure_kind kind,
     const struct registry_schema *schema, unsigned version)
{
    struct value_state *state = value_state_get(request);
    if (state != NULL) {
        state->failure =
            (struct value_failure){.kind = kind, .schema = schema, .version = version};
    }
    return false;
}

void
value_fail_memory(struct request *request)
{
    (void)fail(request, VALUE_FAILURE_MEMORY, NULL, 0);
}

/* ---- which version ---- */

static struct slice
text_of(const char *text)
{
    return text == NULL ? slice_make(NULL, 0) : slice_from_string(text);
}

static bool
resolve(const struct server *server, struct session *session, const struct registry *registry)
{
    const struct mapping *mapping = server->mapping;
    struct bindings_source source = {.user = text_of(session->user),
                                     .client_name = text_of(session->name)};
    if (mapping != NULL) {
        source.listener_release = mapping_listener_release(mapping, session->listener_port);
        source.database_release = mapping_database_release(
            mapping, atomic_load_explicit(&session->db, memory_order_relaxed));
    }
    return bindings_resolve(session->bindings, registry, &source);
}

/* Current bindings; false without memory. */
static bool
bind(struct request *request)
{
    struct session *session = request->session;
    if (session->bindings == NULL && (session->bindings = bindings_new()) == NULL) {
        return false;
    }
    return bindings_are_current(session->bindings, request->registry) ||
           resolve(request->server, session, request->registry);
}

void
value_bind(struct request *request)
{
    if (request->session->bindings != NULL) {
        bindings_invalidate(request->session->bindings);
    }
    if (request->has_schemas) {
        (void)bind(request); /* without memory: at the next use, which will say so */
    }
}

bool
value_rebind(const struct server *server, struct session *session,
             const struct registry *registry)
{
    return session->bindings != NULL && !bindings_are_current(session->bindings, registry) &&
           resolve(server, session, registry);
}

bool
value_speak_bound(struct request *request, const struct registry_schema *schema,
                  struct spoken *ret_spoken)
{
    *ret_spoken = (struct spoken){.schema = schema};
    if (!bind(request)) {
        return fail(request, VALUE_FAILURE_MEMORY, schema, 0);
    }
    unsigned version = bindings_version(request->session->bindings, schema);
    if (version == BINDINGS_NO_RELEASE) {
        return fail(request, VALUE_FAILURE_NO_RELEASE, schema, 0);
    }
    if (version > lens_schema_version_count(schema->lens)) {
        if (version > BINDINGS_WITHDRAWN) {
            return fail(request, VALUE_FAILURE_RETIRED, schema, version - BINDINGS_WITHDRAWN);
        }
        return fail(request, VALUE_FAILURE_NO_VERSION, schema, version);
    }
    ret_spoken->version = version;
    return true;
}

struct lens_record
value_record(const struct registry_schema *schema, const struct value *value)
{
    if (value->schema == schema->id) {
        return (struct lens_record){
            .version = value->version, .body = value->body, .complement = value->complement};
    }
    return (struct lens_record){.version = schema->base_version, .body = value->body};
}

bool
value_is_record(const struct registry_schema *schema, const struct value *value)
{
    return value->schema == schema->id ||
           lens_is_hash(schema->lens, schema->base_version) == value->is_hash;
}

bool
value_old(struct request *request, const struct registry_schema *schema,
          const struct entry *entry, struct lens_record *ret_record, bool *ret_is_there)
{
    struct value value;
    if (!entry_record(entry, request->arena, &value)) {
        reply_out_of_memory(request->reply);
        return false;
    }
    *ret_is_there = value_is_record(schema, &value);
    *ret_record = value_record(schema, &value);
    return true;
}

bool
value_may_be_foreign(struct request *request, const struct registry_schema *schema,
                     bool is_hash)
{
    if (lens_is_hash(schema->lens, schema->base_version) == is_hash) {
        reply_wrong_type(request->reply);
        return false;
    }
    return true;
}

/* ---- translation, with and without the lock ---- */

/* The old body as its writer sent it; false without memory. */
static bool
open_old(struct request *request, const struct value_question *question, struct slice *ret_body)
{
    if (!question->old_is_packed) {
        *ret_body = question->old.body;
        return true;
    }
    struct pack_context *context = compression_context(request);
    return context != NULL && packed_open_in(request->arena, context,
                                             keyspace_dictionaries(request->server->keyspace),
                                             question->old.body, ret_body);
}

static void
answer(struct request *request, const struct value_question *question,
       struct value_answer *ret_answer)
{
    struct arena *arena = request->arena;
    struct lens_record old = question->old;
    ret_answer->is_counted = false;
    ret_answer->has_view = false;
    ret_answer->is_lost = !open_old(request, question, &old.body);
    ret_answer->old_body = old.body;
    if (ret_answer->is_lost || question->kind == QUESTION_BYTES) {
        return;
    }
    const struct lens_schema *lens = question->schema->lens;
    if (question->kind == QUESTION_WRITE) {
        ret_answer->outcome =
            lens_write(lens, question->had_old ? &old : NULL, question->version, question->body,
                       arena, &ret_answer->record, &ret_answer->failure);
    } else {
        ret_answer->has_view = lens_view(lens, &old, question->version, arena,
                                         &ret_answer->view, &ret_answer->failure);
    }
}

static bool
is_granted(const struct value_wish *wish, const struct value_question *wanted)
{
    const struct value_question *made = &wish->question;
    return wish->is_granted && made->kind == wanted->kind && made->db == wanted->db &&
           slice_equal(made->key, wanted->key) && made->schema == wanted->schema &&
           made->version == wanted->version && made->had_old == wanted->had_old &&
           (!made->had_old || (made->revision == wanted->revision &&
                               made->old.version == wanted->old.version)) && /* rebased? */
           (made->kind != QUESTION_WRITE || slice_equal(made->body, wanted->body));
}

/*
 * A granted wish that is what <wanted> asks for, of a record that has not changed since. A
 * handler that runs again asks in the same order: what is sought is mostly the next.
 */
static struct value_wish *
find_granted(struct value_state *state, const struct value_question *wanted)
{
    if (state->rounds == 0 || state->miss_count == VALUE_MISSES_MAX) {
        return NULL;
    }
    struct value_wish *wish = state->cursor;
    for (size_t i = 0; i < state->wish_count; i++) {
        wish = wish != NULL && wish->next != NULL ? wish->next : state->wishes;
        if (is_granted(wish, wanted)) {
            state->cursor = wish;
            return wish;
        }
    }
    state->miss_count++;
    return NULL;
}

/* The block that the value of <key> has, or had when the locks were given up. */
static struct block *
block_of(struct request *request, const struct key *key)
{
    const struct value_state *state = request->value_state;
    if (state != NULL && state->is_unlocked) {
        const struct value_sight *sight = &state->sights[key - request->keys];
        return sight->kind == SIGHT_WISH ? sight->wish->block : sight->block;
    }
    const struct entry *entry =
        keyspace_peek_locked(request->server->keyspace, key, request->now_ms);
    return entry == NULL ? NULL : entry_block(entry);
}

struct block *
value_block(struct request *request, const struct key *key, struct slice view)
{
    struct block *block = view.size < BLOCK_SIZE_MIN ? NULL : block_of(request, key);
    bool lies_in = block != NULL && (uintptr_t)view.data >= (uintptr_t)block->bytes &&
                   (uintptr_t)view.data - (uintptr_t)block->bytes < block_room(block);
    return lies_in ? block : NULL;
}

static bool
is_argument(const struct request *request, struct slice bytes)
{
    for (size_t i = 0; i < request->argc; i++) {
        if (request->argv[i].data == bytes.data && request->argv[i].size == bytes.size) {
            return true;
        }
    }
    return false;
}

/* Was the same wished for before, of a record that has changed meanwhile? */
static bool
is_retry(const struct value_state *state, const struct value_question *wanted)
{
    const struct value_wish *wish = state->rounds == 0 ? NULL : state->wishes;
    while (wish != NULL &&
           !(wish->question.kind == wanted->kind && wish->question.db == wanted->db &&
             slice_equal(wish->question.key, wanted->key))) {
        wish = wish->next;
    }
    return wish != NULL;
}

/* A wish of this request, empty-handed and not granted; NULL without memory. */
static struct value_wish *
wish_new(struct request *request, struct value_state *state,
         const struct value_question *wanted)
{
    struct value_wish *wish = arena_alloc(request->arena, sizeof(*wish));
    if (wish != NULL) {
        wish->question = *wanted;
        wish->block = NULL;
        wish->is_granted = false;
        wish->next = NULL;
        *(state->last != NULL ? &state->last->next : &state->wishes) = wish;
        state->last = wish;
        state->wish_count++;
    }
    return wish;
}

/* Note a wish, with copies of what it needs; false without memory. */
static bool
note(struct request *request, struct value_state *state, const struct value_question *wanted)
{
    struct arena *arena = request->arena;
    struct value_question question = *wanted;
    struct block *block = wanted->had_old ? entry_block(wanted->entry) : NULL;
    if ((wanted->had_old &&
         ((block == NULL && !arena_copy(arena, wanted->old.body, &question.old.body)) ||
          !arena_copy(arena, wanted->old.complement, &question.old.complement))) ||
        (wanted->kind == QUESTION_WRITE && !is_argument(request, wanted->body) &&
         !arena_copy(arena, wanted->body, &question.body))) {
        return false;
    }
    bool is_again = is_retry(state, wanted);
    struct value_wish *wish = wish_new(request, state, &question);
    if (wish == NULL) {
        return false;
    }
    if (block != NULL) {
        wish->block = block_ref(block);
    }
    if (is_again) {
        counters_add(request->counters, COUNTER_TRANSLATION_RETRIES, 1);
    }
    state->is_waiting = true;
    return true;
}

/* ---- views made before ---- */

/* Bytes that the memo of one worker may hold: never much of what the keys need. */
static size_t
memo_room(const struct server *server)
{
    uint64_t room = (uint64_t)config_number(server->config, CONFIG_TRANSLATION_MEMO_MAX_BYTES);
    uint64_t limit = atomic_load_explicit(&server->memory_limit, memory_order_relaxed);
    if (limit != 0 && room > limit / VALUE_MEMO_SHARE) {
        room = limit / VALUE_MEMO_SHARE;
    }
    return (size_t)(room / server->worker_count);
}

void
value_trim_memo(struct server *server, unsigned worker)
{
    memo_trim(server->memos[worker], memo_room(server));
}

/* Packed bytes mean something with their dictionary only, whose number may be given out again:
 * it counts as an epoch of its own. */
static struct memo_question
memo_question(const struct request *request, const struct value_question *wanted)
{
    uint64_t serial =
        wanted->old_is_packed
            ? dictionaries_serial(keyspace_dictionaries(request->server->keyspace),
                                  packed_dictionary(wanted->old.body))
            : 0;
    return (struct memo_question){.hash = wanted->hash,
                                  .epoch = registry_epoch(request->registry) ^ serial << 32,
                                  .schema = wanted->schema->id,
                                  .version = wanted->version,
                                  .record = &wanted->old};
}

static struct memo *
memo_of(const struct request *request)
{
    return request->server->memos[request->worker_index];
}

void
value_prefetch(const struct request *request, const struct key *keys, size_t count,
               bool is_later)
{
    if (registry_is_empty(request->registry)) {
        return;
    }
    const struct memo *memo = memo_of(request);
    void (*const fetch)(const struct memo *memo, uint64_t hash) =
        is_later ? memo_prefetch_view : memo_prefetch;
    for (size_t i = 0; i < count; i++) {
        fetch(memo, keys[i].hash);
    }
}

static void
memorize(struct request *request, const struct value_wish *wish)
{
    if (wish->question.kind == QUESTION_VIEW && wish->answer.has_view) {
        struct memo_question question = memo_question(request, &wish->question);
        memo_put(memo_of(request), &question, wish->answer.view, memo_room(request->server));
    }
}

/*
 * The view that <wanted> asks for, if it was made before. A handler that may ask again in a
 * second run gets a copy, and the same answer then: memos change in between.
 */
static struct value_answer *
recall(struct request *request, const struct value_question *wanted, struct value_answer *room)
{
    if (wanted->kind != QUESTION_VIEW) {
        return NULL;
    }
    struct memo_question question = memo_question(request, wanted);
    struct slice view;
    if (!memo_find(memo_of(request), &question, &view)) {
        return NULL;
    }
    if (request->may_run_again && (request->command->flags & COMMAND_VIEWS) == 0) {
        struct value_state *state = value_state_get(request);
        struct value_wish *wish = state == NULL ? NULL : wish_new(request, state, wanted);
        if (wish == NULL || !arena_copy(request->arena, view, &view)) {
            return NULL;
        }
        wish->is_granted = true;
        room = &wish->answer;
    }
    room->is_counted = request->value_state != NULL && request->value_state->is_keeping;
    room->has_view = true;
    room->is_lost = false;
    room->old_body = wanted->old.body;
    room->view = view;
    if (!room->is_counted) {
        counters_add(request->counters, COUNTER_TRANSLATION_MEMO_HITS, 1);
    }
    return room;
}

static struct value_answer *
translate(struct request *request, const struct value_question *wanted,
          struct value_answer *room)
{
    struct value_state *state = request->value_state;
    struct value_wish *granted = state == NULL ? NULL : find_granted(state, wanted);
    if (granted != NULL) {
        return &granted->answer;
    }
    struct value_answer *recalled = recall(request, wanted, room);
    if (recalled != NULL) {
        return recalled;
    }
    if (request->may_run_again && (state = value_state_get(request)) != NULL &&
        state->rounds < VALUE_ROUNDS_MAX && state->wish_count < VALUE_WISHES_MAX &&
        note(request, state, wanted)) {
        return NULL;
    }
    if (value_must_run_again(request)) {
        return NULL; /* beyond what may be noted: what this run finds is void anyway */
    }
    answer(request, wanted, room);
    return room;
}

struct value_answer *
value_translate(struct request *request, const struct key *key, const struct entry *entry,
                const struct spoken *spoken, const struct lens_record *record,
                struct value_answer *room)
{
    const struct value_question wanted = {
        .key = key->name,
        .hash = key->hash,
        .db = key->db,
        .had_old = true,
        .revision = entry_revision(entry),
        .schema = spoken->schema,
        .version = spoken->version,
        .old = *record,
        .old_is_packed = entry_is_packed(entry),
        .entry = entry,
    };
    return translate(request, &wanted, room);
}

struct value_answer *
value_translate_write(struct request *request, const struct key *key, const struct entry *entry,
                      const struct spoken *spoken, const struct lens_record *old,
                      struct slice body, struct value_answer *room)
{
    struct value_question wanted = {
        .key = key->name,
        .hash = key->hash,
        .db = key->db,
        .kind = QUESTION_WRITE,
        .had_old = old != NULL,
        .schema = spoken->schema,
        .version = spoken->version,
        .body = body,
    };
    if (old != NULL) {
        wanted.old = *old;
        wanted.entry = entry;
        wanted.old_is_packed = entry_is_packed(entry);
        wanted.revision = entry_revision(entry);
    }
    return translate(request, &wanted, room);
}

struct value_answer *
value_unpack(struct request *request, const struct key *key, const struct entry *entry,
             struct slice packed, struct value_answer *room)
{
    struct value value;
    entry_value(entry, &value);
    const struct value_question wanted = {
        .key = key->name,
        .hash = key->hash,
        .db = key->db,
        .kind = QUESTION_BYTES,
        .had_old = true,
        .revision = entry_revision(entry),
        .old = {.version = value.version, .body = packed},
        .old_is_packed = true,
        .entry = entry,
    };
    return translate(request, &wanted, room);
}

bool
value_must_run_again(const struct request *request)
{
    return request->value_state != NULL && request->value_state->is_waiting;
}

void
value_prepare(struct request *request)
{
    struct value_state *state = request->value_state;
    for (struct value_wish *wish = state->wishes; wish != NULL; wish = wish->next) {
        if (!wish->is_granted) {
            answer(request, &wish->question, &wish->answer);
            wish->is_granted = true;
            memorize(request, wish);
        }
    }
    state->rounds++;
    state->cursor = NULL;
    state->miss_count = 0;
    state->is_waiting = false;
}

void
value_let_sights_go(struct request *request)
{
    struct value_sight *sights = request->value_state->sights;
    for (size_t i = 0; sights != NULL && i < request->key_count; i++) {
        block_unref(sights[i].block);
        sights[i].block = NULL;
    }
}

void
value_end(struct request *request)
{
    value_let_sights_go(request);
    value_let_scratches_go(request);
    for (const struct value_wish *wish = request->value_state->wishes; wish != NULL;
         wish = wish->next) {
        block_unref(wish->block);
    }
}
