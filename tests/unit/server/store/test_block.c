#include "server/store/block.h"

#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
the_bytes_live_until_the_last_holder_lets_go(void **state)
{
    (void)state;
    struct block *block = block_copy(SLICE_OF("bytes"));
    assert_non_null(block);
    assert_false(block_is_shared(block));
    assert_ptr_equal(block_ref(block), block);
    assert_true(block_is_shared(block));
    block_unref(block);
    assert_false(block_is_shared(block));
    assert_memory_equal(block->bytes, "bytes", 5);
    block_unref(block);
    block_unref(NULL);
}

static void
a_block_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct block *block = block_new_zeros(100);
    assert_non_null(block);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(block->bytes[i], 0);
    memset(block->bytes, 'x', 100);
    assert_true(block_room(block) >= 100);
    assert_true(block_memory(block) > block_room(block));
    memory_fail_at(1);
    assert_null(block_resize(block, 1000000));
    memory_fail_at(0);
    struct block *larger = block_resize(block, 1000000);
    assert_non_null(larger);
    assert_true(block_room(larger) >= 1000000);
    assert_int_equal(larger->bytes[99], 'x');
    assert_int_equal((uintptr_t)larger->bytes % 16, 0);
    block_unref(larger);
    assert_int_equal(block_memory(NULL), 0);
    assert_int_equal(block_room(NULL), 0);
}

static void
without_memory_there_is_none(void **state)
{
    (void)state;
    memory_fail_at(1);
    assert_null(block_new(10));
    memory_fail_at(1);
    assert_null(block_new_zeros(10));
    memory_fail_at(1);
    assert_null(block_copy(SLICE_OF("bytes")));
    memory_fail_at(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_live_until_the_last_holder_lets_go),
        cmocka_unit_test(a_block_grows_and_keeps_its_bytes),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
