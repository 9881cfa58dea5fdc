/*
 * Schema documents: any bytes are refused with a path and a reason, or accepted; what is
 * accepted is accepted again from its own text.
 */
#include "proto/base/check.h"
#include "proto/lens.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lens_problem problem = {{0}, {0}};
    struct lens_schema *schema = lens_schema_new(slice_make(data, size), &problem);
    if (schema == NULL) {
        CHECK(problem.text[0] != '\0');
        CHECK(memchr(problem.path, '\0', sizeof(problem.path)) != NULL);
        CHECK(memchr(problem.text, '\0', sizeof(problem.text)) != NULL);
        return 0;
    }
    struct lens_schema *again = lens_schema_new(lens_schema_json(schema), &problem);
    CHECK(again != NULL);
    CHECK(lens_schema_may_follow(schema, again, &problem));
    lens_schema_free(again);
    lens_schema_free(schema);
    return 0;
}
