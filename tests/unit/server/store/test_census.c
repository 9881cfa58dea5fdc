#include "server/store/census.h"

#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
it_counts_each_pair_of_schema_and_version(void **state)
{
    (void)state;
    struct census census = {0};
    assert_null(census_get(&census, 1, 1));
    for (int round = 0; round < 3; round++) {
        for (uint32_t schema = 1; schema < 60; schema++) {
            for (uint32_t version = 0; version < 5; version++) {
                assert_true(census_reserve(&census, schema, version));
                census_add(&census, schema, version, 1, version == 3);
            }
        }
    }
    census_add(&census, 7, 3, -1, -1);
    assert_int_equal(census_get(&census, 7, 3)->records, 2);
    assert_int_equal(census_get(&census, 7, 3)->complements, 2);
    assert_int_equal(census_get(&census, 59, 4)->records, 3);
    assert_int_equal(census_get(&census, 59, 4)->complements, 0);
    assert_null(census_get(&census, 60, 0));
    assert_null(census_get(&census, 0, 0));
    census_clear(&census);
    assert_int_equal(census_get(&census, 7, 3)->records, 0);
    assert_true(census_memory(&census) < 16 * 1024);
    census_fini(&census);
}

static void
pairs_that_are_gone_leave_their_room(void **state)
{
    (void)state;
    struct census census = {0};
    assert_true(census_reserve(&census, 1, 2));
    census_add(&census, 1, 2, 1, 1);
    for (uint32_t schema = 2; schema < 1000; schema++) {
        assert_true(census_reserve(&census, schema, 1));
        census_add(&census, schema, 1, 1, 0);
        assert_int_equal(census_get(&census, schema, 1)->records, 1);
        census_add(&census, schema, 1, -1, 0);
    }
    assert_int_equal(census_get(&census, 1, 2)->records, 1);
    assert_int_equal(census_get(&census, 1, 2)->complements, 1);
    assert_true(census_memory(&census) < 256);
    census_fini(&census);
}

static void
a_reserve_leaves_it_unchanged_without_memory(void **state)
{
    (void)state;
    struct census census = {0};
    for (uint32_t version = 0; version < 50; version++) {
        memory_fail_at(1);
        bool reserved = census_reserve(&census, 1, version);
        if (memory_fail_at(0) == 0) {
            assert_false(reserved);
            assert_null(census_get(&census, 1, version));
            assert_true(census_reserve(&census, 1, version));
        }
        census_add(&census, 1, version, 1, 0);
    }
    for (uint32_t version = 0; version < 50; version++)
        assert_int_equal(census_get(&census, 1, version)->records, 1);
    census_fini(&census);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_each_pair_of_schema_and_version),
        cmocka_unit_test(pairs_that_are_gone_leave_their_room),
        cmocka_unit_test(a_reserve_leaves_it_unchanged_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
