#include "server/net/output.h"

#include <stdlib.h>

enum { OUTPUT_FEW_PIECES = 16 };

/* What is to be written, in order; <skip> bytes of it are not any more. */
struct pieces {
    uv_buf_t *items;
    unsigned count;
    size_t skip;
};

static void
add_piece(struct pieces *pieces, const char *data, size_t size)
{
    size_t skipped = size < pieces->skip ? size : pieces->skip;
    pieces->skip -= skipped;
    if (size > skipped) {
        union {
            const char *borrowed;
            char *base; /* libuv's type serves reading, too */
        } cast = {data + skipped};
        uv_buf_t *piece = &pieces->items[pieces->count++];
        piece->base = cast.base;
        piece->len = size - skipped;
    }
}

static void
cut_up(const struct buffer *bytes, const struct references *references, struct pieces *pieces)
{
    size_t at = 0;
    for (size_t i = 0; i < references->count; i++) {
        const struct reference *reference = &references->items[i];
        add_piece(pieces, bytes->data + at, reference->at - at);
        add_piece(pieces, reference->bytes.data, reference->bytes.size);
        at = reference->at;
    }
    add_piece(pieces, bytes->data + at, bytes->size - at);
}

/* <few> is enough for them, or memory is taken; NULL without. */
static uv_buf_t *
room_for_pieces(const struct references *references, uv_buf_t *few)
{
    return references->count <= OUTPUT_FEW_PIECES / 2
               ? few
               : calloc(2 * references->count + 1, sizeof(uv_buf_t));
}

int
output_try_write(uv_stream_t *stream, const struct buffer *bytes,
                 const struct references *references)
{
    uv_buf_t few[OUTPUT_FEW_PIECES + 1];
    struct pieces pieces = {.items = room_for_pieces(references, few)};
    if (pieces.items == NULL) {
        return UV_ENOMEM;
    }
    cut_up(bytes, references, &pieces);
    int sent = uv_try_write(stream, pieces.items, pieces.count);
    if (pieces.items != few) {
        free(pieces.items);
    }
    return sent;
}

int
output_write(uv_write_t *write, uv_stream_t *stream, const struct buffer *bytes,
             const struct references *references, size_t skip, uv_write_cb on_written)
{
    uv_buf_t few[OUTPUT_FEW_PIECES + 1];
    struct pieces pieces = {.items = room_for_pieces(references, few), .skip = skip};
    if (pieces.items == NULL) {
        return UV_ENOMEM;
    }
    cut_up(bytes, references, &pieces);
    int error = uv_write(write, stream, pieces.items, pieces.count, on_written);
    if (pieces.items != few) {
        free(pieces.items);
    }
    return error;
}
