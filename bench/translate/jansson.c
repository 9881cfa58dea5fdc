#include "bench/translate/library.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void
put(json_t *object, const char *name, json_t *value)
{
    (void)json_object_set_new_nocheck(object, name, value);
}

static void
split(json_t *object, const struct edit *edit)
{
    json_t *whole = json_object_get(object, edit->name);
    const char *text = json_string_value(whole);
    const char *blank = text == NULL ? NULL : strchr(text, ' ');
    if (text == NULL) {
        return;
    }
    size_t size = blank == NULL ? strlen(text) : (size_t)(blank - text);
    put(object, edit->to, json_stringn_nocheck(text, size));
    put(object, edit->rest, json_string_nocheck(blank == NULL ? "" : blank + 1));
    (void)json_object_del(object, edit->name);
}

static void
join(json_t *object, const struct edit *edit)
{
    char text[256];
    const char *first = json_string_value(json_object_get(object, edit->to));
    const char *rest = json_string_value(json_object_get(object, edit->rest));
    if (first == NULL || rest == NULL) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%s %s", first, rest);
    (void)json_object_del(object, edit->to);
    (void)json_object_del(object, edit->rest);
    put(object, edit->name, json_string_nocheck(text));
}

static void
apply(json_t *root, const struct edit *edit)
{
    json_t *object = edit->object == NULL ? root : json_object_get(root, edit->object);
    json_t *value = json_object_get(object, edit->name);
    char text[32];
    switch (edit->kind) {
    case EDIT_RENAME:
    case EDIT_MOVE:
        if (value != NULL) {
            (void)json_object_set(edit->kind == EDIT_MOVE ? root : object,
                                  edit->kind == EDIT_MOVE ? edit->name : edit->to, value);
            (void)json_object_del(object, edit->name);
        }
        break;
    case EDIT_ADD:
        put(object, edit->name, json_string_nocheck(edit->to));
        break;
    case EDIT_SPLIT:
        split(object, edit);
        break;
    case EDIT_JOIN:
        join(object, edit);
        break;
    case EDIT_SCALE:
        put(object, edit->name, json_integer(json_integer_value(value) * 10));
        break;
    case EDIT_STRING:
        (void)snprintf(text, sizeof(text), "%lld", json_integer_value(value));
        put(object, edit->name, json_string_nocheck(text));
        break;
    case EDIT_INTEGER:
        put(object, edit->name, json_integer(strtoll(json_string_value(value), NULL, 10)));
        break;
    }
}

static int
on_text(const char *text, size_t size, void *context)
{
    struct buffer *out = context;
    buffer_append(out, text, size);
    return 0;
}

bool
jansson_edit(struct slice body, unsigned steps, unsigned count, struct buffer *out)
{
    json_t *root = json_loadb(body.data, body.size, 0, NULL);
    if (root == NULL) {
        return false;
    }
    for (unsigned step = 0; step < steps; step++) {
        for (unsigned i = 0; i < count; i++) {
            apply(root, &edit_step(step)[i]);
        }
    }
    int status = json_dump_callback(root, on_text, out, JSON_COMPACT);
    json_decref(root);
    return status == 0;
}
