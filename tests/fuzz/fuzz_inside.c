/* Documents of JSON in a string in PHP, and complements: see translate.h. */
#include "tests/fuzz/translate.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return translate_one("[\"php\",\"json\"],\"inside\":\"/s\"", "", data, size);
}
