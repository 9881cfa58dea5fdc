#include "server/net/pending.h"

#include "proto/base/check.h"
#include "server/store/block.h"

#include <stdlib.h>

enum { PENDING_READ_SIZE_MIN = 16 * 1024 }; /* room for the rest of an unfinished request */

struct pending *
pending_new(struct resp_request *parser, const char *data, size_t size, size_t size_max)
{
    struct pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL) {
        return NULL;
    }
    pending->parser = *parser; /* with its spans */
    resp_request_init(parser);
    buffer_init(&pending->bytes, 0);
    pending->size_max = size_max;
    bool begun = intake_begin(&pending->intake, &pending->parser, data, &size);
    buffer_append(&pending->bytes, data, size);
    if (!begun || pending->bytes.failed || pending_size(pending) > size_max) {
        pending_free(pending);
        return NULL;
    }
    return pending;
}

void
pending_free(struct pending *pending)
{
    if (pending != NULL) {
        resp_request_fini(&pending->parser);
        buffer_fini(&pending->bytes);
        intake_fini(&pending->intake);
        free(pending);
    }
}

size_t
pending_size(const struct pending *pending)
{
    return pending == NULL ? 0 : pending_left(pending) + pending->intake.size;
}

char *
pending_room(struct pending *pending, size_t *ret_size)
{
    struct buffer *bytes = &pending->bytes;
    size_t held = pending_size(pending);
    size_t left = held < pending->size_max ? pending->size_max - held : 0;
    if (left == 0) {
        return NULL;
    }
    if (pending->intake.filling != NULL) {
        return intake_room(&pending->intake, &pending->parser, left, ret_size);
    }
    size_t room = bytes->capacity - bytes->size; /* there anyway */
    room = room < PENDING_READ_SIZE_MIN ? PENDING_READ_SIZE_MIN : room;
    *ret_size = room > left ? left : room;
    return buffer_reserve(bytes, *ret_size);
}

enum intake_result
pending_commit(struct pending *pending, const char *room, size_t size)
{
    struct intake *intake = &pending->intake;
    if (intake->filling != NULL) {
        CHECK(room == intake->filling->bytes + intake->filled);
        return intake_commit(intake, &pending->parser, size, &pending->bytes);
    }
    CHECK(room == pending->bytes.data + pending->bytes.size);
    buffer_commit(&pending->bytes, size);
    return INTAKE_READY;
}

enum intake_result
pending_add(struct pending *pending, const char *data, size_t size)
{
    enum intake_result result = INTAKE_MORE;
    while (size > 0 && result != INTAKE_FAILED) {
        size_t part = 0;
        char *room = pending_room(pending, &part);
        if (room == NULL) {
            return INTAKE_FAILED;
        }
        part = part < size ? part : size;
        memcpy(room, data, part);
        result = pending_commit(pending, room, part);
        data += part;
        size -= part;
    }
    return result;
}

bool
pending_consume(struct pending *pending, size_t size)
{
    pending->start += size;
    if (pending->start > pending_left(pending)) {
        buffer_consume(&pending->bytes, pending->start);
        pending->start = 0;
    }
    size_t left = pending_left(pending);
    bool begun = intake_begin(&pending->intake, &pending->parser, pending_data(pending), &left);
    pending->bytes.size = pending->start + left;
    return begun;
}
