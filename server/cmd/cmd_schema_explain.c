#include "proto/codec/hash.h"
#include "server/cmd/compression.h"
#include "server/cmd/handlers.h"
#include "server/cmd/value_state.h"
#include "server/schema/bindings.h"

/* Lines are gathered first: their count is announced before them. */
enum { LINES_MAX = 10000 };

struct line {
    struct line *next;
    struct slice text;
};

struct lines {
    struct arena *arena;
    struct line *first;
    struct line **end;
    size_t count;
};

static void
on_note(void *context, const struct lens_note *note)
{
    struct lines *lines = context;
    struct line *line = arena_alloc(lines->arena, sizeof(*line));
    if (line == NULL || lines->count == LINES_MAX) {
        return;
    }
    struct buffer text;
    buffer_init(&text, 0);
    buffer_printf(&text, "%u->%u %s ", note->from, note->to, note->op);
    buffer_append_slice(&text, note->path);
    buffer_append_string(&text, ": ");
    buffer_append_string(&text, note->text);
    if (!text.failed && arena_copy(lines->arena, buffer_slice(&text), &line->text)) {
        line->next = NULL;
        *lines->end = line;
        lines->end = &line->next;
        lines->count++;
    }
    buffer_fini(&text);
}

/* A hash as the map of its fields. */
static void
reply_fields(struct reply *reply, struct slice body)
{
    struct slice field;
    struct slice value;
    size_t count = 0;
    for (struct slice rest = body; hash_take(&rest, &field, &value);) {
        count++;
    }
    reply_map(reply, count);
    while (hash_take(&body, &field, &value)) {
        reply_bulk(reply, field);
        reply_bulk(reply, value);
    }
}

static void
explain(struct request *request, const struct spoken *spoken, const struct lens_record *record)
{
    struct reply *reply = request->reply;
    struct lines lines = {.arena = request->arena, .end = &lines.first};
    struct lens_failure failure = {0};
    struct slice view = record->body;
    bool has_view = spoken->version == BINDINGS_RAW ||
                    lens_explain(spoken->schema->lens, record, spoken->version, request->arena,
                                 on_note, &lines, &view, &failure);
    reply_map(reply, 6);
    reply_string(reply, "schema");
    reply_bulk(reply, lens_schema_name(spoken->schema->lens));
    reply_string(reply, "version");
    reply_integer(reply, record->version);
    reply_string(reply, "complement");
    reply_integer(reply, (int64_t)record->complement.size);
    reply_string(reply, "as");
    if (spoken->version == BINDINGS_RAW) {
        reply_string(reply, "RAW");
    } else {
        reply_integer(reply, spoken->version);
    }
    reply_string(reply, "steps");
    reply_array(reply, lines.count);
    for (const struct line *line = lines.first; line != NULL; line = line->next) {
        reply_bulk(reply, line->text);
    }
    reply_string(reply, has_view ? "view" : "failure");
    if (has_view) {
        unsigned version = spoken->version == BINDINGS_RAW ? record->version : spoken->version;
        if (lens_is_hash(spoken->schema->lens, version)) {
            reply_fields(reply, view);
        } else {
            reply_bulk(reply, view);
        }
        return;
    }
    struct buffer text;
    buffer_init(&text, 0);
    buffer_printf(&text, "%u->%u%s%s: %s (%s)", failure.from, failure.to,
                  failure.path[0] == '\0' ? "" : " at ", failure.path, failure.text,
                  lens_reason_name(failure.reason));
    reply_bulk(reply, buffer_slice(&text));
    buffer_fini(&text);
}

/* [AS version]: changes *spoken; false when an error was replied. */
static bool
parse_as(struct request *request, struct spoken *spoken)
{
    if (request->argc == 3) {
        return true;
    }
    if (request->argc != 5 || !slice_equal_nocase(request->argv[3], SLICE_OF("AS"))) {
        reply_syntax_error(request->reply);
        return false;
    }
    struct slice text = request->argv[4];
    uint64_t version;
    if (slice_equal_nocase(text, SLICE_OF("RAW"))) {
        spoken->version = BINDINGS_RAW;
        return true;
    }
    if (!slice_to_uint64(text, &version) || version == 0 ||
        version > lens_schema_version_count(spoken->schema->lens)) {
        struct slice name = lens_schema_name(spoken->schema->lens);
        reply_error(request->reply, "NOVERSION schema %.*s has no version %.*s",
                    reply_width(name), name.data, text.size < 64 ? (int)text.size : 64,
                    text.data);
        return false;
    }
    spoken->version = (unsigned)version;
    return true;
}

/* A copy of the record of <key>, so that nothing is locked while it is translated. */
enum found { FOUND, FOUND_NOTHING, FOUND_OTHER_TYPE, FOUND_NO_MEMORY };

static enum found
copy_record(struct request *request, const struct key *key,
            const struct registry_schema *schema, struct lens_record *ret_record)
{
    struct keyspace *keyspace = request->server->keyspace;
    enum found found = FOUND_NOTHING;
    bool is_packed = false;
    keyspace_lock(keyspace, key, 1);
    const struct entry *entry = keyspace_peek_locked(keyspace, key, request->now_ms);
    struct value value;
    if (entry != NULL && !entry_record(entry, request->arena, &value)) {
        found = FOUND_NO_MEMORY;
    } else if (entry != NULL && !value_is_record(schema, &value)) {
        found = FOUND_OTHER_TYPE;
    } else if (entry != NULL) {
        *ret_record = value_record(schema, &value);
        is_packed = value.is_packed;
        found =
            arena_copy(request->arena, ret_record->body, &ret_record->body) &&
                    arena_copy(request->arena, ret_record->complement, &ret_record->complement)
                ? FOUND
                : FOUND_NO_MEMORY;
    }
    keyspace_unlock(keyspace, key, 1);
    if (found == FOUND && is_packed) {
        struct pack_context *context = compression_context(request);
        if (context == NULL ||
            !packed_open_in(request->arena, context, keyspace_dictionaries(keyspace),
                            ret_record->body, &ret_record->body)) {
            found = FOUND_NO_MEMORY;
        }
    }
    return found;
}

void
cmd_schema_explain(struct request *request)
{
    const struct key key =
        keyspace_key(request->server->keyspace, request->db, request->argv[2]);
    struct spoken spoken = {
        .schema = registry_match(request->registry, key.db, key.name),
    };
    if (spoken.schema == NULL) {
        reply_error(request->reply, "NOSCHEMA no schema has this key");
        return;
    }
    if (request->argc == 3 && !value_speak(request, &key, &spoken)) {
        value_reply_failure(request);
        return;
    }
    if (!parse_as(request, &spoken)) {
        return;
    }
    struct lens_record record;
    switch (copy_record(request, &key, spoken.schema, &record)) {
    case FOUND:
        explain(request, &spoken, &record);
        break;
    case FOUND_NOTHING:
        reply_null(request->reply);
        break;
    case FOUND_OTHER_TYPE:
        reply_wrong_type(request->reply);
        break;
    case FOUND_NO_MEMORY:
        reply_out_of_memory(request->reply);
        break;
    }
}
