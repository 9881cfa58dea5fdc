/* Fields of hashes, some of which hold JSON, and complements: see translate.h. */
#include "tests/fuzz/translate.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return translate_one("\"hash\",\"fields\":{\"r\":\"json\",\"i\":\"json\",\"p\":\"json\","
                         "\"u\":\"json\",\"e\":\"json\",\"g\":\"json\"}",
                         "", data, size);
}
