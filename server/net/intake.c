#include "server/net/intake.h"

#include "proto/base/check.h"
#include "server/store/block.h"

#include <stdlib.h>

enum {
    INTAKE_GROWTH = 16,           /* times what has come: room costs little until it is used, */
    INTAKE_ROOM_MIN = 128 * 1024, /* and what is moved when it grows is a fifteenth of all */
    INTAKE_TAIL = 64,             /* what follows most values, options of SET, comes along */
    INTAKE_CAPACITY_MIN = 4,
};

void
intake_fini(struct intake *intake)
{
    for (size_t i = 0; i < intake->count; i++) {
        block_unref(intake->blocks[i]);
    }
    free(intake->blocks);
    block_unref(intake->filling);
    *intake = (struct intake){0};
}

/* Take <block> over; false, and it is let go, without memory. */
static bool
add(struct intake *intake, struct block *block)
{
    if (block != NULL && intake->count == intake->capacity) {
        size_t capacity = intake->capacity * 2;
        capacity = capacity < INTAKE_CAPACITY_MIN ? INTAKE_CAPACITY_MIN : capacity;
        struct block **blocks = realloc(intake->blocks, capacity * sizeof(struct block *));
        if (blocks == NULL) {
            block_unref(block);
            return false;
        }
        intake->blocks = blocks;
        intake->capacity = capacity;
    }
    if (block != NULL) {
        intake->blocks[intake->count++] = block;
    }
    return block != NULL;
}

/* Make room in the block being filled; false without memory. */
static bool
grow(struct intake *intake, const struct resp_request *parser)
{
    size_t all = parser->bulk_size + INTAKE_TAIL;
    size_t room = intake->filled * INTAKE_GROWTH;
    room = room < INTAKE_ROOM_MIN ? INTAKE_ROOM_MIN : room;
    room = room > all ? all : room;
    struct block *block =
        intake->filling == NULL ? block_new(room) : block_resize(intake->filling, room);
    if (block == NULL) {
        return false;
    }
    intake->filling = block;
    intake->room = room;
    return true;
}

bool
intake_begin(struct intake *intake, const struct resp_request *parser, const char *data,
             size_t *size)
{
    size_t come = parser->has_bulk_size ? *size - parser->position : 0;
    if (intake->filling != NULL || !parser->has_bulk_size ||
        parser->bulk_size < BLOCK_SIZE_MIN || come >= parser->bulk_size) {
        return true;
    }
    intake->filled = come;
    if (!grow(intake, parser)) {
        return false;
    }
    memcpy(intake->filling->bytes, data + parser->position, come);
    intake->size += come;
    *size = parser->position;
    return true;
}

char *
intake_room(struct intake *intake, const struct resp_request *parser, size_t size_max,
            size_t *ret_size)
{
    if (intake->filled == intake->room && !grow(intake, parser)) {
        return NULL;
    }
    size_t room = intake->room - intake->filled;
    *ret_size = room < size_max ? room : size_max;
    return intake->filling->bytes + intake->filled;
}

enum intake_result
intake_commit(struct intake *intake, struct resp_request *parser, size_t size,
              struct buffer *rest)
{
    CHECK(size <= intake->room - intake->filled);
    intake->filled += size;
    intake->size += size;
    if (intake->filled < parser->bulk_size) {
        return INTAKE_MORE;
    }
    struct block *block = intake->filling;
    size_t beyond = intake->filled - parser->bulk_size;
    buffer_append(rest, block->bytes + parser->bulk_size, beyond);
    intake->size -= beyond;
    intake->filling = NULL;
    if (!resp_request_set_apart(parser, block->bytes)) {
        block_unref(block);
        return INTAKE_FAILED;
    }
    return add(intake, block) && !rest->failed ? INTAKE_READY : INTAKE_FAILED;
}

void
intake_complete(struct intake *intake, struct slice *argv, size_t argc)
{
    size_t count = 0;
    for (size_t i = 0; i < argc; i++) {
        count += argv[i].size >= BLOCK_SIZE_MIN;
    }
    struct intake all = {.blocks = calloc(count, sizeof(struct block *)), .capacity = count};
    if (all.blocks == NULL) {
        return;
    }
    size_t taken = 0;
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].size < BLOCK_SIZE_MIN) {
            continue;
        }
        bool is_apart = taken < intake->count && intake->blocks[taken]->bytes == argv[i].data;
        struct block *block = is_apart ? intake->blocks[taken++] : block_copy(argv[i]);
        if (block != NULL) {
            argv[i].data = block->bytes;
            all.blocks[all.count++] = block;
        }
    }
    CHECK(taken == intake->count);
    free(intake->blocks);
    *intake = all;
}
