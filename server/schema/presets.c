#include "server/schema/presets.h"

#include "proto/codec/json.h"
#include "server/core/log.h"
#include "server/core/words.h"

static const struct preset {
    const char *name;
    const char *summary;
    const char *keys;
    const char *rest;
} presets[] = {
#define PRESET(name, summary, keys, ...) {name, summary, keys, #__VA_ARGS__},
#include "server/schema/presets.def"
#undef PRESET
};
enum { PRESET_COUNT = sizeof(presets) / sizeof(*presets) };

void
presets_list(struct buffer *ret_text)
{
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        buffer_printf(ret_text, "  %-21s %s\n  %21s %s\n", presets[i].name, presets[i].summary,
                      "", presets[i].keys);
    }
}

static const struct preset *
find_preset(struct slice name)
{
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (slice_equal(name, slice_from_string(presets[i].name))) {
            return &presets[i];
        }
    }
    return NULL;
}

static void
append_keys(const struct slice *keys, size_t count, struct buffer *ret_json)
{
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(ret_json, i > 0 ? ", " : "");
        json_encode(ret_json, keys[i]);
    }
}

static bool
make_document(const struct preset *preset, const struct words *line, struct buffer *ret_json,
              struct buffer *ret_error)
{
    struct words usual;
    if (words_init(&usual, slice_from_string(preset->keys)) != WORDS_READY) {
        buffer_append_string(ret_error, "out of memory");
        return false;
    }
    buffer_printf(ret_json, "{\"schema\": \"%s\", \"keys\": [", preset->name);
    if (line->count > 1) {
        append_keys(line->items + 1, line->count - 1, ret_json);
    } else {
        append_keys(usual.items, usual.count, ret_json);
    }
    buffer_printf(ret_json, "], %s, \"versions\": [{\"version\": 1}]}", preset->rest);
    words_fini(&usual);
    if (ret_json->failed) {
        buffer_append_string(ret_error, "out of memory");
    }
    return !ret_json->failed;
}

bool
presets_document(struct slice line, struct buffer *ret_json, struct buffer *ret_error)
{
    struct words words;
    if (words_init(&words, line) != WORDS_READY) {
        buffer_append_string(ret_error, "unbalanced quotes, or out of memory");
        return false;
    }
    const struct preset *preset = words.count > 0 ? find_preset(words.items[0]) : NULL;
    bool is_made = preset != NULL && make_document(preset, &words, ret_json, ret_error);
    if (preset == NULL) {
        buffer_append_string(ret_error, "there is no preset of this name. There are:\n");
        presets_list(ret_error);
    }
    words_fini(&words);
    return is_made;
}

struct conflict {
    struct slice name; /* of the preset */
    bool is_there;
};

static void
log_conflict(void *context, const struct lens_problem *problem)
{
    struct conflict *conflict = context;
    conflict->is_there = true;
    log_line(LOG_LEVEL_WARNING, "Preset %.*s is not put: at %s: %s", (int)conflict->name.size,
             conflict->name.data, problem->path, problem->text);
}

/* Put the schema unless its name or its keys are taken. */
static bool
put_unless_taken(struct registry_holder *registries, const struct lens_schema *lens,
                 struct buffer *ret_error)
{
    const struct registry *current = registry_current(registries);
    struct slice json = lens_schema_json(lens);
    struct slice name = lens_schema_name(lens);
    const struct registry_schema *known = registry_schema_by_name(current, name);
    if (known != NULL) {
        if (!slice_equal(lens_schema_json(known->lens), json)) {
            log_line(LOG_LEVEL_NOTICE, "Schema %.*s stays as it is; it differs from its preset",
                     (int)name.size, name.data);
        }
        return true;
    }
    struct conflict conflict = {.name = name};
    registry_conflicts(current, lens, log_conflict, &conflict);
    const struct registry *old = NULL;
    if (conflict.is_there || !registry_put(registries, json, false, &old, ret_error)) {
        return conflict.is_there;
    }
    registry_retire(registries, old); /* nobody else is there yet to hold it */
    log_line(LOG_LEVEL_NOTICE, "Schema %.*s comes from its preset", (int)name.size, name.data);
    return true;
}

static bool
put_line(struct registry_holder *registries, struct slice line, struct buffer *ret_error)
{
    struct buffer json;
    struct lens_problem problem;
    buffer_init(&json, 0);
    bool is_good = presets_document(line, &json, ret_error);
    struct lens_schema *lens = is_good ? lens_schema_new(buffer_slice(&json), &problem) : NULL;
    if (lens != NULL) {
        is_good = put_unless_taken(registries, lens, ret_error);
        lens_schema_free(lens);
    } else if (is_good) {
        buffer_printf(ret_error, "at %s: %s", problem.path, problem.text);
        is_good = false;
    }
    buffer_fini(&json);
    return is_good;
}

bool
presets_put(struct config *config, struct registry_holder *registries, struct buffer *ret_error)
{
    struct buffer line;
    struct buffer reason;
    buffer_init(&line, 0);
    buffer_init(&reason, 0);
    bool is_good = true;
    for (size_t i = 0; is_good && config_line(config, CONFIG_PRESET, i, &line); i++) {
        is_good = put_line(registries, buffer_slice(&line), &reason);
        if (!is_good) {
            buffer_append_string(ret_error, "preset ");
            buffer_append_slice(ret_error, buffer_slice(&line));
            buffer_append_string(ret_error, ": ");
            buffer_append_slice(ret_error, buffer_slice(&reason));
        }
        buffer_clear(&line);
    }
    buffer_fini(&reason);
    buffer_fini(&line);
    return is_good;
}
