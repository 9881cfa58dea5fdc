/* Values packed before the lock is taken, and unpacked behind it. */
#include "proto/base/check.h"
#include "server/cmd/compression.h"
#include "server/cmd/value_state.h"

struct reply_gap {
    struct reply_gap *next;
    size_t offset; /* in the output */
    struct slice packed;
};

size_t
value_size(const struct value_view *view)
{
    return view->is_packed ? packed_raw_size(view->bytes) : view->bytes.size;
}

/* ---- replies ---- */

void
value_reply_packed(struct request *request, struct slice packed)
{
    struct arena *arena = request->is_in_exec ? request->exec_arena : request->arena;
    struct reply_gap *gap = arena_alloc(arena, sizeof(*gap));
    if (gap == NULL || compression_context(request) == NULL ||
        !arena_copy(arena, packed, &gap->packed)) {
        reply_out_of_memory(request->reply);
        return;
    }
    gap->offset = reply_bulk_gap(request->reply, packed_raw_size(packed));
    gap->next = request->reply->gaps;
    request->reply->gaps = gap;
}

void
value_fill(struct request *request)
{
    struct buffer *out = request->reply->out;
    struct pack_context *context = compression_context(request);
    const struct dictionaries *dictionaries = keyspace_dictionaries(request->server->keyspace);
    for (struct reply_gap *gap = request->reply->gaps; gap != NULL && !out->failed;
         gap = gap->next) {
        /* We packed it ourselves. */
        CHECK(packed_open(context, dictionaries, gap->packed, out->data + gap->offset));
    }
    request->reply->gaps = NULL;
}

/* ---- arguments ---- */

/* Pack what is about to be stored under <key>; where that is not done, *ret_packed stays. */
static void
pack_argument(struct request *request, const struct key *key, struct slice body,
              struct slice *ret_packed)
{
    const struct compression *compression = request->server->compression;
    struct repack *repack = compression_repack(compression);
    struct packing_group group;
    if (!repack_is_worth(repack, body.size) || !compression_find(request, key, &group)) {
        return;
    }
    unsigned number = atomic_load_explicit(&group.packing->dictionary, memory_order_acquire);
    struct pack_context *context = number == 0 ? NULL : compression_context(request);
    size_t room = repack_room(repack, body.size);
    char *out = context == NULL ? NULL : arena_alloc(request->arena, room);
    if (out != NULL) {
        size_t size = packed_make(context, keyspace_dictionaries(request->server->keyspace),
                                  number, body, out, room);
        *ret_packed = slice_make(out, size);
    }
}

/* Where the value of key <index> stands in argv: behind it, in rows of fixed arity last. */
static size_t
body_index(const struct request *request, size_t index)
{
    const struct command *command = request->command;
    return command->arity > 0
               ? (size_t)command->arity - 1
               : (size_t)command->keys.first + index * (size_t)command->keys.step + 1;
}

void
value_pack(struct request *request)
{
    request->packed = NULL;
    if ((request->command->flags & COMMAND_STORES) == 0) {
        return;
    }
    struct slice *packed =
        arena_calloc(request->arena, request->key_count, sizeof(*request->packed));
    if (packed == NULL) {
        return;
    }
    for (size_t i = 0; i < request->key_count; i++) {
        size_t at = body_index(request, i);
        if (at < request->argc) {
            pack_argument(request, &request->keys[i], request->argv[at], &packed[i]);
        }
    }
    request->packed = packed;
}

bool
value_take_packed(const struct request *request, const struct key *key, struct value *value)
{
    size_t index = (size_t)(key - request->keys);
    if (index >= request->key_count || request->packed[index].size == 0) {
        return false;
    }
    size_t at = body_index(request, index);
    if (request->argv[at].data != value->body.data ||
        request->argv[at].size != value->body.size) {
        return false; /* it is another that is written */
    }
    value->body = request->packed[index];
    value->block = NULL;
    value->is_packed = true;
    return true;
}
