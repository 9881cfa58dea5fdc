/* PHP in versions 1 and 3, JSON in version 2, and complements: see translate.h. */
#include "tests/fuzz/translate.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return translate_one("\"php\"", "\"codec\":\"json\",", data, size);
}
