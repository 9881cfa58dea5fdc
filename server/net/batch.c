#include "server/net/batch.h"

#include "server/cmd/dispatch.h"
#include "server/cmd/value.h"
#include "server/store/block.h"

#include <stdio.h>

/* Take what <parser> has found at <data>; false without memory. */
static bool
take_parsed(const struct resp_request *parser, const char *data, struct arena *arena,
            struct batch_item *item)
{
    struct slice *argv = arena_alloc(arena, parser->argc * sizeof(*argv));
    if (argv == NULL) {
        return false;
    }
    for (size_t i = 0; i < parser->argc; i++) {
        argv[i] = slice_make(data + parser->spans[i].offset, parser->spans[i].size);
    }
    item->size = parser->position;
    item->argc = parser->argc;
    item->argv = argv;
    for (size_t i = 0; i < parser->apart_count; i++) {
        argv[parser->aparts[i].index] = parser->aparts[i].bytes;
    }
    return true;
}

/* Parse one request with all that may be unusual about it. */
static enum resp_result
parse_one(struct resp_request *parser, char *data, size_t size,
          const struct resp_limits *limits, struct arena *arena, struct batch_item *item)
{
    enum resp_result result = resp_request_parse(parser, data, size, limits);
    if (result == RESP_READY && !take_parsed(parser, data, arena, item)) {
        (void)snprintf(parser->error, sizeof(parser->error), "out of memory");
        return RESP_BAD;
    }
    if (result == RESP_READY) {
        resp_request_clear(parser);
    }
    return result;
}

void
batch_parse(struct batch *batch, struct resp_request *parser, char *data, size_t size,
            const struct resp_limits *limits, struct arena *arena)
{
    /* Decoding changes an inline request, so it must not be parsed twice; before authentication
     * every request may change the limits. Both are batches of their own. */
    size_t count_max = limits->is_authenticated && data[0] == '*' ? BATCH_COUNT_MAX : 1;
    size_t used = 0;
    size_t argument_count = 0;
    bool is_begun = parser->position > 0;   /* then the parser goes on with the first */
    batch->large = parser->apart_count > 0; /* arguments of the first */
    batch->count = 0;
    batch->end = RESP_READY;
    while (batch->count < count_max && (batch->count == 0 || used < size)) {
        struct batch_item *item = &batch->items[batch->count];
        item->command = NULL;
        item->keys = NULL;
        item->key_count = 0;
        if (batch->count > 0 && data[used] != '*') {
            return;
        }
        item->argv = &batch->arguments[argument_count];
        item->size = is_begun
                         ? 0
                         : resp_request_take(data + used, size - used, limits,
                                             BATCH_ARGUMENT_COUNT - argument_count,
                                             &batch->arguments[argument_count], &item->argc);
        if (item->size > 0) {
            argument_count += item->argc;
        } else {
            batch->end = parse_one(parser, data + used, size - used, limits, arena, item);
            if (batch->end != RESP_READY) {
                return;
            }
            is_begun = false;
        }
        if (__builtin_expect(item->size >= BLOCK_SIZE_MIN, 0)) {
            batch->large |= 1U << batch->count;
        }
        used += item->size;
        batch->count++;
    }
}

void
batch_load(struct batch_item *item, struct request *request)
{
    request->argc = item->argc;
    request->argv = item->argv;
    request->command = item->command;
    request->keys = item->keys;
    request->key_count = item->key_count;
    request->key_room = &item->key;
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
        item->keys = request->keys;
        item->key_count = request->key_count;
        if (item->key_count > 0) {
            keys[count++] = item->keys[0];
        }
    }
    value_prefetch(request, keys, count, false);
    keyspace_prefetch(request->server->keyspace, keys, count);
    value_prefetch(request, keys, count, true);
}
