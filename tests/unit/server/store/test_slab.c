#include "server/store/slab.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OBJECT_COUNT = 20000, STEP_COUNT = 400000, THREAD_COUNT = 4, PASSED_COUNT = 64 };

/* Under a sanitizer that watches every object there is no slab. */
static void
need_slab(void)
{
    if (!slab_is_there())
        skip();
}

static uint32_t
draw(uint32_t *random, uint32_t below)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % below;
}

static size_t
used_size(void)
{
    struct slab_stats stats;
    slab_stats(&stats);
    return stats.used;
}

static void
classes_lie_close_together(void **state)
{
    (void)state;
    need_slab();
    for (size_t size = 1; size <= SLAB_SIZE_MAX; size++) {
        size_t held = slab_class_size(size);
        assert_true(held >= size && held % (size < 1024 ? 8 : 16) == 0);
        /* 4 % up to 8 KB; above, a few of them share a span. */
        assert_true(held - size <= 16 + (size <= 8192 ? size / 25 : size / 15));
    }
    for (size_t size = 16; size <= SLAB_SIZE_MAX; size *= 2)
        assert_int_equal(slab_class_size(size), size);
    assert_null(slab_alloc(SLAB_SIZE_MAX + 1));
}

static void
powers_of_two_are_aligned(void **state)
{
    (void)state;
    need_slab();
    for (size_t size = 16; size <= SLAB_SIZE_MAX; size *= 2) {
        void *objects[3];
        for (size_t i = 0; i < 3; i++) {
            objects[i] = slab_alloc(size);
            assert_int_equal((uintptr_t)objects[i] % size, 0);
        }
        for (size_t i = 0; i < 3; i++)
            slab_free(objects[i]);
    }
}

struct object {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
};

static void
check(const struct object *object)
{
    assert_true(slab_owns(object->bytes));
    assert_int_equal(slab_size(object->bytes), slab_class_size(object->size));
    for (size_t i = 0; i < object->size; i += 1 + object->size / 8)
        assert_int_equal(object->bytes[i], object->mark);
    assert_int_equal(object->bytes[object->size - 1], object->mark);
}

/* Objects keep their bytes whatever is allocated, freed and moved around them. */
static void
play(uint32_t random)
{
    struct object *objects = calloc(OBJECT_COUNT, sizeof(*objects));
    assert_non_null(objects);
    for (size_t step = 0; step < STEP_COUNT; step++) {
        struct object *object = &objects[draw(&random, OBJECT_COUNT)];
        if (object->bytes == NULL) {
            object->size = 1 + draw(&random, draw(&random, 50) == 0 ? SLAB_SIZE_MAX : 700);
            object->mark = (unsigned char)draw(&random, 256);
            object->bytes = slab_alloc(object->size);
            assert_non_null(object->bytes);
            memset(object->bytes, object->mark, object->size);
            continue;
        }
        check(object);
        if (slab_is_sparse(object->bytes)) {
            unsigned char *moved = slab_alloc_dense(object->size);
            assert_non_null(moved);
            memcpy(moved, object->bytes, object->size);
            slab_free_now(object->bytes);
            object->bytes = moved;
            check(object);
        }
        slab_free(object->bytes);
        object->bytes = NULL;
    }
    for (size_t i = 0; i < OBJECT_COUNT; i++) {
        if (objects[i].bytes != NULL) {
            check(&objects[i]);
            slab_free(objects[i].bytes);
        }
    }
    free(objects);
}

static void
objects_keep_their_bytes(void **state)
{
    (void)state;
    need_slab();
    size_t before = used_size();
    play(1);
    assert_int_equal(used_size(), before);
}

static void
objects_keep_their_bytes_with_a_cache(void **state)
{
    (void)state;
    need_slab();
    size_t before = used_size();
    assert_true(slab_cache_open());
    play(2);
    assert_true(used_size() > before); /* kept */
    slab_cache_clear();
    assert_int_equal(used_size(), before);
    play(3);
    slab_cache_close();
    assert_int_equal(used_size(), before);
}

static void
free_spans_go_back(void **state)
{
    (void)state;
    need_slab();
    struct slab_stats stats;
    (void)slab_trim(SIZE_MAX);
    void **objects = calloc(OBJECT_COUNT, sizeof(*objects));
    assert_non_null(objects);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
        objects[i] = slab_alloc(1000);
    for (size_t i = 0; i < OBJECT_COUNT; i++)
        slab_free(objects[i]);
    free(objects);
    slab_stats(&stats);
    size_t held = stats.free;
    assert_true(held >= (size_t)OBJECT_COUNT * 1000);
    /* What was in use since the last call stays for once; then it may go. */
    assert_true(slab_unneeded() < held / SLAB_SPAN_SIZE);
    for (size_t size = held; size > 0; size = stats.free) {
        size_t count = slab_unneeded();
        assert_int_equal(count, size / SLAB_SPAN_SIZE);
        assert_int_equal(slab_trim((count + 1) / 2), (count + 1) / 2);
        slab_stats(&stats);
        assert_true(stats.free < size);
    }
    assert_int_equal(slab_trim(SIZE_MAX), 0);
    void *object = slab_alloc_dense(1000); /* a span that was given back holds zeros */
    assert_non_null(object);
    assert_memory_equal(object, "\0\0\0\0\0\0\0", 8);
    slab_free_now(object);
}

static void
what_is_left_moves_together(void **state)
{
    (void)state;
    need_slab();
    struct slab_stats stats;
    uint32_t random = 7;
    void **objects = calloc(OBJECT_COUNT, sizeof(*objects));
    assert_non_null(objects);
    size_t before = used_size();
    for (size_t i = 0; i < OBJECT_COUNT; i++)
        objects[i] = slab_alloc(1000);
    for (size_t i = 0; i < OBJECT_COUNT; i++) {
        if (draw(&random, 10) < 7) {
            slab_free(objects[i]);
            objects[i] = NULL;
        }
    }
    slab_stats(&stats);
    size_t sparse = stats.holes;
    assert_true(sparse > (size_t)OBJECT_COUNT / 2 * 1000);
    for (int pass = 0; pass < 4; pass++) {
        for (size_t i = 0; i < OBJECT_COUNT; i++) {
            if (objects[i] != NULL && slab_is_sparse(objects[i])) {
                void *moved = slab_alloc_dense(1000);
                assert_non_null(moved);
                slab_free_now(objects[i]);
                objects[i] = moved;
            }
        }
    }
    slab_stats(&stats);
    assert_true(stats.holes < sparse / 20);
    for (size_t i = 0; i < OBJECT_COUNT; i++) {
        if (objects[i] != NULL)
            slab_free(objects[i]);
    }
    free(objects);
    assert_int_equal(used_size(), before);
}

/* Threads that pass objects around: what one allocated another frees. */
static _Atomic(void *) passed[PASSED_COUNT];

static void *
run_thread(void *argument)
{
    uint32_t random = *(const uint32_t *)argument;
    bool has_cache = random % 2 == 0;
    if (has_cache && !slab_cache_open())
        abort();
    for (size_t step = 0; step < STEP_COUNT / 4; step++) {
        size_t size = 16 + draw(&random, 40) * 50;
        void *object = draw(&random, 2) == 0 ? slab_alloc(size) : slab_alloc_dense(size);
        if (object == NULL)
            abort();
        memset(object, (int)size, size);
        object = atomic_exchange(&passed[draw(&random, PASSED_COUNT)], object);
        if (object != NULL && draw(&random, 2) == 0)
            slab_free(object);
        else if (object != NULL)
            slab_free_now(object);
        if (draw(&random, 5000) == 0) {
            (void)slab_trim(draw(&random, 2) == 0 ? SIZE_MAX : slab_unneeded());
            slab_cache_clear();
        }
    }
    slab_cache_close();
    return NULL;
}

static void
threads_free_what_others_allocated(void **state)
{
    (void)state;
    need_slab();
    size_t before = used_size();
    pthread_t threads[THREAD_COUNT];
    uint32_t seeds[THREAD_COUNT];
    for (uint32_t i = 0; i < THREAD_COUNT; i++) {
        seeds[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, run_thread, &seeds[i]), 0);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < PASSED_COUNT; i++) {
        void *object = atomic_exchange(&passed[i], NULL);
        if (object != NULL)
            slab_free(object);
    }
    assert_int_equal(used_size(), before);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_lie_close_together),
        cmocka_unit_test(powers_of_two_are_aligned),
        cmocka_unit_test(objects_keep_their_bytes),
        cmocka_unit_test(objects_keep_their_bytes_with_a_cache),
        cmocka_unit_test(free_spans_go_back),
        cmocka_unit_test(what_is_left_moves_together),
        cmocka_unit_test(threads_free_what_others_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
