/*
 * Schema documents: any bytes are refused with a path and a reason, or accepted; what is
 * accepted is accepted again from its own text.
 */
#include "proto/base/check.h"
#include "proto/lens.h"
#include "tests/fuzz/fuzz.h"

static void
on_problem(void *context, const struct lens_problem *problem)
{
    CHECK(problem->text[0] != '\0');
    ++*(size_t *)context;
}

static void
on_op(void *context, const struct lens_op *op)
{
    CHECK(op->at.size > 0);
    ++*(size_t *)context;
}

/* A check finds problems exactly where a schema is refused; every op of one is told. */
static void
check(struct slice json, bool is_refused)
{
    size_t problems = 0;
    size_t ops = 0;
    struct arena arena;
    arena_init(&arena, 0);
    struct lens_schema *schema = lens_schema_check(json, on_problem, &problems);
    CHECK((schema == NULL) == is_refused && (problems > 0) == is_refused);
    if (schema != NULL) {
        CHECK(lens_schema_ops(schema, &arena, on_op, &ops));
        lens_schema_conflicts(schema, schema, on_problem, &problems);
        CHECK(problems == 0);
    }
    lens_schema_free(schema);
    arena_fini(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lens_problem problem = {{0}, {0}};
    struct lens_schema *schema = lens_schema_new(slice_make(data, size), &problem);
    check(slice_make(data, size), schema == NULL);
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
