#include "server/store/memory.h"

#include "server/store/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = {1,          24,     1000, SLAB_SIZE_MAX, SLAB_SIZE_MAX + 1,
                               100 * 1000, 3000000};
enum { SIZE_COUNT = sizeof(sizes) / sizeof(*sizes) };

static void
realloc_keeps_the_bytes_whoever_holds_them(void **state)
{
    (void)state;
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t common = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            unsigned char *bytes = memory_alloc(sizes[from]);
            assert_non_null(bytes);
            for (size_t i = 0; i < sizes[from]; i++)
                bytes[i] = (unsigned char)(i * 7);
            assert_int_equal(memory_fail_at(1), 0);
            assert_null(memory_realloc(bytes, sizes[to]));
            assert_true(memory_size(bytes) >= sizes[from]);
            bytes = memory_realloc(bytes, sizes[to]);
            assert_non_null(bytes);
            assert_true(memory_size(bytes) >= sizes[to]);
            for (size_t i = 0; i < common; i++)
                assert_int_equal(bytes[i], (unsigned char)(i * 7));
            memory_free(bytes);
        }
    }
    void *bytes = memory_realloc(NULL, 100);
    assert_true(memory_size(bytes) >= 100);
    memory_free(bytes);
    memory_free(NULL);
    assert_int_equal(memory_size(NULL), 0);
}

static void
zeros_are_zeros_also_where_something_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        char *bytes = memory_alloc(sizes[i]);
        assert_non_null(bytes);
        memset(bytes, 1, sizes[i]);
        memory_free(bytes);
        bytes = memory_alloc_zeroed(sizes[i]);
        assert_non_null(bytes);
        assert_int_equal(bytes[0], 0);
        assert_memory_equal(bytes, bytes + 1, sizes[i] - 1);
        memory_free(bytes);
    }
}

static void
lines_begin_at_lines(void **state)
{
    (void)state;
    for (size_t count = 1; count < 1000; count++) {
        char *lines = memory_alloc_lines(count * MEMORY_LINE);
        assert_non_null(lines);
        assert_int_equal((uintptr_t)lines % MEMORY_LINE, 0);
        memset(lines, 1, count * MEMORY_LINE);
        memory_free(lines);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realloc_keeps_the_bytes_whoever_holds_them),
        cmocka_unit_test(zeros_are_zeros_also_where_something_was),
        cmocka_unit_test(lines_begin_at_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
