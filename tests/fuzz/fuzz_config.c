/*
 * Words and values of the configuration: any line is cut into words or refused, and CONFIG SET
 * takes or refuses any pair.
 */
#include "proto/base/check.h"
#include "server/core/config.h"
#include "server/core/words.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config *config;
    if (config == NULL) {
        config = config_new();
        CHECK(config != NULL);
    }
    struct words words;
    if (words_init(&words, slice_make(data, size)) != WORDS_READY) {
        return 0;
    }
    if (words.count >= 2) {
        struct buffer error;
        buffer_init(&error, 0);
        if (!config_set(config, &words.items[0], &words.items[1], 1, &error)) {
            CHECK(error.size > 0);
        }
        buffer_fini(&error);
        (void)slice_glob(words.items[0], words.items[1], (size & 1) != 0);
    }
    words_fini(&words);
    return 0;
}
