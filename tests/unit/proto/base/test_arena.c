#include "proto/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
allocations_do_not_overlap_and_are_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 20000, 3, 300000, 0, 64};
    enum { COUNT = sizeof(sizes) / sizeof(*sizes) };
    struct arena arena;
    unsigned char *memory[COUNT];
    arena_init(&arena, 0);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            memory[i] = arena_alloc(&arena, sizes[i]);
            assert_non_null(memory[i]);
            assert_int_equal((uintptr_t)memory[i] % ARENA_ALIGN, 0);
            memset(memory[i], (int)i, sizes[i]);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t at = 0; at < sizes[i]; at++) {
                assert_int_equal(memory[i][at], i);
            }
        }
        arena_clear(&arena);
    }
    arena_fini(&arena);
}

static void
a_warm_arena_gives_the_same_memory_again(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    for (int i = 0; i < 10; i++) {
        assert_non_null(arena_alloc(&arena, 9000));
    }
    arena_clear(&arena);
    void *first = arena_alloc(&arena, 9000);
    for (int i = 0; i < 5; i++) {
        assert_non_null(arena_alloc(&arena, 9000));
    }
    arena_clear(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_fini(&arena);
}

static void
nothing_is_handed_out_past_the_limit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 50000);
    assert_null(arena_alloc(&arena, 50001));
    assert_non_null(arena_alloc(&arena, 10000));
    assert_non_null(arena_alloc(&arena, 30000));
    assert_null(arena_alloc(&arena, 10001));
    assert_non_null(arena_alloc(&arena, 10000));
    assert_null(arena_alloc(&arena, 1));
    arena_clear(&arena);
    assert_non_null(arena_alloc(&arena, 50000));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
    arena_fini(&arena);
}

static void
what_is_given_back_is_handed_out_next(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 0);
    char *memory = arena_alloc(&arena, 1000);
    arena_shrink(&arena, memory, 17);
    assert_ptr_equal(arena_alloc(&arena, 1), memory + 32);
    arena_fini(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap_and_are_aligned),
        cmocka_unit_test(a_warm_arena_gives_the_same_memory_again),
        cmocka_unit_test(nothing_is_handed_out_past_the_limit),
        cmocka_unit_test(what_is_given_back_is_handed_out_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
