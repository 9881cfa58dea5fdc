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

/* uv_try_write() of all, or uv_write() of what is behind <skip>, where <write> is given. */
static int
send_pieces(uv_stream_t *stream, const struct buffer *bytes,
            const struct references *references, size_t skip, uv_write_t *write,
            uv_write_cb on_written)
{
    uv_buf_t few[OUTPUT_FEW_PIECES + 1];
    struct pieces pieces = {.items = room_for_pieces(references, few), .skip = skip};
    if (pieces.items == NULL) {
        return UV_ENOMEM;
    }
    cut_up(bytes, references, &pieces);
    int result = write == NULL
                     ? uv_try_write(stream, pieces.items, pieces.count)
                     : uv_write(write, stream, pieces.items, pieces.count, on_written);
    if (pieces.items != few) {
        free(pieces.items);
    }
    return result;
}

void
output_fini(struct output *output)
{
    buffer_fini(&output->bytes);
    references_fini(&output->references);
    buffer_fini(&output->writing.bytes);
    references_fini(&output->writing.references);
}

int
output_try_write(const struct output *output, uv_stream_t *stream)
{
    return send_pieces(stream, &output->bytes, &output->references, 0, NULL, NULL);
}

enum output_result
output_flush_rest(struct output *output, uv_stream_t *stream, int sent, uv_write_cb on_written,
                  void *context)
{
    if (sent < 0 && sent != UV_EAGAIN) {
        return OUTPUT_FAILED;
    }
    size_t done = sent < 0 ? 0 : (size_t)sent;
    if (done == output_waiting(output)) {
        references_fini(&output->references);
        return OUTPUT_EMPTY;
    }
    struct output_run *writing = &output->writing;
    references_settle(&output->references);
    *writing = (struct output_run){output->bytes, output->references};
    buffer_init(&output->bytes, 0);
    output->references = (struct references){0};
    output->write.data = context;
    if (send_pieces(stream, &writing->bytes, &writing->references, done, &output->write,
                    on_written) < 0) {
        return OUTPUT_FAILED;
    }
    output->is_writing = true;
    return OUTPUT_WRITING;
}

void
output_written(struct output *output, struct buffer *spare)
{
    output->is_writing = false;
    output->over_soft_since_ms = 0;
    output_lend(&output->writing.bytes, spare);
    references_fini(&output->writing.references);
}

bool
output_is_over(struct output *output, const struct config_limit *limit, int64_t now_ms)
{
    size_t size = output_size(output);
    if (limit->hard > 0 && size > (size_t)limit->hard) {
        return true;
    }
    if (limit->soft <= 0 || size <= (size_t)limit->soft) {
        output->over_soft_since_ms = 0;
        return false;
    }
    if (output->over_soft_since_ms == 0) {
        output->over_soft_since_ms = now_ms;
    }
    return now_ms - output->over_soft_since_ms > limit->soft_s * 1000;
}
