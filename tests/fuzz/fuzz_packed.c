/*
 * Packed bodies: whatever the bytes, unpacking fails or fills its room exactly; what was packed
 * comes back. The first byte says whether the rest is raw or packed.
 */
#include "proto/base/check.h"
#include "server/store/dictionaries.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

enum { NUMBERS = 4 };

static struct pack_context *context;
static struct dictionaries *dictionaries;

/* LZ4 and zstd, with a dictionary and without. */
static void
open_dictionaries(void)
{
    static const struct slice content =
        SLICE("{\"userId\":\"1\",\"userName\":\"Ada Lovelace\",\"csrf\":\"0\",\"cookie\":"
              "{\"originalMaxAge\":3600000,\"httpOnly\":true,\"path\":\"/\"},\"history\":[]}");
    context = pack_context_new();
    dictionaries = dictionaries_new();
    CHECK(context != NULL && dictionaries != NULL);
    for (unsigned i = 0; i < NUMBERS; i++) {
        struct pack_dictionary *dictionary = pack_dictionary_new(
            i % 2 == 0 ? PACK_LZ4 : PACK_ZSTD, i < 2 ? content : slice_make("", 0));
        CHECK(dictionary != NULL && dictionaries_put(dictionaries, dictionary) == i + 1);
    }
}

static void
open_packed(struct slice packed)
{
    size_t size = packed_raw_size(packed);
    char *room =
        malloc(size + 1); /* exactly, so that a sanitizer sees what is written behind */
    CHECK(room != NULL);
    if (packed_open(context, dictionaries, packed, room) && size > 0) {
        volatile char last = room[size - 1]; /* was written: MSan, valgrind */
        (void)last;
    }
    free(room);
}

static void
round_trip(struct slice raw)
{
    if (raw.size == 0 || raw.size > PACK_SIZE_MAX) {
        return;
    }
    size_t room = raw.size + raw.size / 8 + 64;
    char *out = malloc(room);
    char *back = malloc(raw.size);
    CHECK(out != NULL && back != NULL);
    for (unsigned number = 1; number <= NUMBERS; number++) {
        size_t size = packed_make(context, dictionaries, number, raw, out, room);
        CHECK(size > PACKED_HEAD_SIZE);
        struct slice packed = slice_make(out, size);
        CHECK(packed_raw_size(packed) == raw.size && packed_dictionary(packed) == number);
        CHECK(packed_open(context, dictionaries, packed, back));
        CHECK(memcmp(back, raw.data, raw.size) == 0);
    }
    free(out);
    free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (context == NULL) {
        open_dictionaries();
    }
    if (size > 0) {
        struct slice rest = slice_make((const char *)data + 1, size - 1);
        (data[0] % 2 == 0 ? round_trip : open_packed)(rest);
    }
    return 0;
}
