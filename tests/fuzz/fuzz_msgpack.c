/* Documents of MessagePack, and complements: see translate.h. */
#include "tests/fuzz/translate.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return translate_one("\"msgpack\"", "", data, size);
}
