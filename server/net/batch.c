#include "server/net/batch.h"

#include "server/cmd/dispatch.h"

#include <stdio.h>

/* Take what <parser> has found at <data>; false without memory. */
static bool
take_parsed(const struct resp_request *parser, const char *data, struct arena *arena,
            struct batch_item *ret_item)
{
    struct slice *argv = arena_alloc(arena, parser->argc * sizeof(*argv));
    if (argv == NULL) {
        return false;
    }
    for (size_t i = 0; i < parser->argc; i++) {
        argv[i] = slice_make(data + parser->spans[i].offset, parser->spans[i].size);
    }
    *ret_item =
        (struct batch_item){.size = parser->position, .argc = parser->argc, .argv = argv};
    return true;
}

void
batch_parse(struct batch *batch, struct resp_request *parser, char *data, size_t size,
            const struct resp_limits *limits, struct arena *arena)
{
    /* Decoding changes an inline request, so it must not be parsed twice; before authentication
     * every request may change the limits. Both are batches of their own. */
    size_t count_max = limits->is_authenticated && data[0] == '*' ? BATCH_COUNT_MAX : 1;
    size_t used = 0;
    batch->count = 0;
    batch->end = RESP_READY;
    while (batch->count < count_max && (batch->count == 0 || used < size)) {
        if (batch->count > 0 && data[used] != '*') {
            return;
        }
        batch->end = resp_request_parse(parser, data + used, size - used, limits);
        if (batch->end != RESP_READY) {
            return;
        }
        if (!take_parsed(parser, data + used, arena, &batch->items[batch->count])) {
            (void)snprintf(parser->error, sizeof(parser->error), "out of memory");
            batch->end = RESP_BAD;
            return;
        }
        used += parser->position;
        batch->count++;
        resp_request_clear(parser);
    }
}

void
batch_load(const struct batch_item *item, struct request *request)
{
    request->argc = item->argc;
    request->argv = item->argv;
    request->command = item->command;
    request->keys = request->own_keys = item->keys;
    request->key_count = item->key_count;
}

void
batch_prefetch(struct batch *batch, struct request *request)
{
    struct key keys[BATCH_COUNT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_item *item = &batch->items[i];
        if (item->argc == 0) {
            continue;
        }
        batch_load(item, request);
        dispatch_prepare(request);
        item->command = request->command;
        item->keys = request->own_keys;
        item->key_count = request->key_count;
        if (item->key_count > 0) {
            keys[count++] = item->keys[0];
        }
    }
    keyspace_prefetch(request->server->keyspace, keys, count);
}
