/*
 * The registry file: any bytes are decoded or refused with a message. A checksum would stop
 * nearly all of them, so the input is a payload for which a right header is made; of odd sizes
 * it is the whole file.
 */
#include "proto/base/check.h"
#include "server/schema/registry_draft.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <xxhash.h>

enum { HEADER_SIZE = 28, CHECKSUM_AT = 20 };

static void
put_number(char *place, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        place[i] = (char)(value >> (8 * i) & 0xff);
    }
}

static void
decode(struct slice file)
{
    struct draft draft;
    struct buffer error;
    buffer_init(&error, 0);
    if (registry_file_decode(file, &draft, &error)) {
        draft_fini(&draft);
    } else {
        CHECK(error.size > 0);
    }
    buffer_fini(&error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size % 2 == 1) {
        decode(slice_make(data, size));
        return 0;
    }
    char *file = malloc(HEADER_SIZE + size);
    CHECK(file != NULL);
    memcpy(file, "SEGUEREG", 8);
    put_number(file + 8, 1 + size % 4 / 2, 4);
    put_number(file + 12, size, 8);
    if (size > 0) {
        memcpy(file + HEADER_SIZE, data, size);
    }
    XXH64_hash_t header = XXH3_64bits(file, CHECKSUM_AT);
    put_number(file + CHECKSUM_AT, XXH3_64bits_withSeed(file + HEADER_SIZE, size, header), 8);
    decode(slice_make(file, HEADER_SIZE + size));
    free(file);
    return 0;
}
