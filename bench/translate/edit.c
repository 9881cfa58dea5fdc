#include "bench/translate/edit.h"

/* Documents are those of bench/document.h. Every fourth edit changes more than a name. */
static const struct edit edits[EDIT_STEPS_MAX][EDIT_COUNT_MAX] = {
    {
        {EDIT_RENAME, NULL, "lang", "language", NULL},
        {EDIT_SPLIT, NULL, "userName", "firstName", "lastName"},
        {EDIT_ADD, NULL, "theme", "light", NULL},
        {EDIT_RENAME, NULL, "csrf", "csrfToken", NULL},
        {EDIT_RENAME, "cookie", "path", "scope", NULL},
        {EDIT_SCALE, "cookie", "originalMaxAge", NULL, NULL},
        {EDIT_STRING, NULL, "views", NULL, NULL},
        {EDIT_ADD, "cookie", "sameSite", "lax", NULL},
        {EDIT_RENAME, "cookie", "httpOnly", "hidden", NULL},
        {EDIT_ADD, NULL, "consent", "none", NULL},
        {EDIT_MOVE, "cookie", "expires", NULL, NULL},
        {EDIT_RENAME, NULL, "history", "visits", NULL},
    },
    {
        {EDIT_RENAME, NULL, "language", "locale", NULL},
        {EDIT_JOIN, NULL, "name", "firstName", "lastName"},
        {EDIT_ADD, NULL, "layout", "wide", NULL},
        {EDIT_RENAME, NULL, "csrfToken", "token", NULL},
        {EDIT_RENAME, "cookie", "scope", "root", NULL},
        {EDIT_SCALE, "cookie", "originalMaxAge", NULL, NULL},
        {EDIT_INTEGER, NULL, "views", NULL, NULL},
        {EDIT_ADD, "cookie", "priority", "high", NULL},
        {EDIT_RENAME, "cookie", "hidden", "sealed", NULL},
        {EDIT_ADD, NULL, "region", "eu", NULL},
        {EDIT_RENAME, NULL, "theme", "colors", NULL},
        {EDIT_RENAME, NULL, "visits", "trail", NULL},
    },
    {
        {EDIT_RENAME, NULL, "locale", "tongue", NULL},
        {EDIT_SPLIT, NULL, "name", "given", "family"},
        {EDIT_ADD, NULL, "density", "low", NULL},
        {EDIT_RENAME, NULL, "token", "secret", NULL},
        {EDIT_RENAME, "cookie", "root", "base", NULL},
        {EDIT_SCALE, "cookie", "originalMaxAge", NULL, NULL},
        {EDIT_STRING, NULL, "views", NULL, NULL},
        {EDIT_ADD, "cookie", "partition", "none", NULL},
        {EDIT_RENAME, "cookie", "sealed", "private", NULL},
        {EDIT_ADD, NULL, "tier", "free", NULL},
        {EDIT_RENAME, NULL, "consent", "agreed", NULL},
        {EDIT_RENAME, NULL, "trail", "pages", NULL},
    },
};

const struct edit *
edit_step(unsigned step)
{
    return edits[step];
}

static void
write_op(const struct edit *edit, struct buffer *out)
{
    const char *slash = edit->object == NULL ? "" : "/";
    const char *object = edit->object == NULL ? "" : edit->object;
    const char *op = NULL;
    switch (edit->kind) {
    case EDIT_MOVE:
        buffer_printf(out, "{\"op\":\"move\",\"from\":\"/%s/%s\",\"to\":\"/%s\"}", object,
                      edit->name, edit->name);
        return;
    case EDIT_JOIN:
        buffer_printf(out,
                      "{\"op\":\"join\",\"from\":[\"%s\",\"%s\"],\"separator\":\" \","
                      "\"path\":\"/%s\"}",
                      edit->to, edit->rest, edit->name);
        return;
    case EDIT_RENAME:
        op = "rename";
        break;
    case EDIT_ADD:
        op = "add";
        break;
    case EDIT_SPLIT:
        op = "split";
        break;
    case EDIT_SCALE:
        op = "scale";
        break;
    case EDIT_STRING:
    case EDIT_INTEGER:
        op = "convert";
        break;
    }
    buffer_printf(out, "{\"op\":\"%s\",\"path\":\"%s%s/%s\"", op, slash, object, edit->name);
    switch (edit->kind) {
    case EDIT_RENAME:
        buffer_printf(out, ",\"to\":\"%s\"}", edit->to);
        break;
    case EDIT_ADD:
        buffer_printf(out, ",\"default\":\"%s\"}", edit->to);
        break;
    case EDIT_SPLIT:
        buffer_printf(out, ",\"separator\":\" \",\"into\":[\"%s\",\"%s\"]}", edit->to,
                      edit->rest);
        break;
    case EDIT_SCALE:
        buffer_append_string(out, ",\"factor\":10}");
        break;
    case EDIT_STRING:
        buffer_append_string(out, ",\"from\":\"integer\",\"to\":\"string\"}");
        break;
    default:
        buffer_append_string(out, ",\"from\":\"string\",\"to\":\"integer\"}");
        break;
    }
}

void
edit_write_schema(const char *first, const char *later, unsigned steps, unsigned count,
                  struct buffer *out)
{
    buffer_printf(out,
                  "{\"schema\":\"bench\",\"keys\":[\"sess:*\"],\"codec\":\"%s\","
                  "\"identity\":[\"/userId\"],\"versions\":[{\"version\":1}",
                  first);
    for (unsigned step = 0; step < steps; step++) {
        buffer_printf(out, ",{\"version\":%u,\"codec\":\"%s\",\"steps\":[", step + 2, later);
        for (unsigned i = 0; i < count; i++) {
            if (i > 0) {
                buffer_append_char(out, ',');
            }
            write_op(&edits[step][i], out);
        }
        buffer_append_string(out, "]}");
    }
    buffer_append_string(out, "]}");
}
