#include "server/store/lock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREAD_COUNT = 4, ROUND_COUNT = 100000 };

struct shared {
    struct lock lock;
    uint64_t count; /* [lock] */
};

static void *
count_up(void *argument)
{
    struct shared *shared = argument;
    for (int i = 0; i < ROUND_COUNT; i++) {
        if (i % 3 == 0 && lock_try(&shared->lock)) {
            shared->count++;
        } else {
            lock_take(&shared->lock);
            shared->count++;
        }
        lock_give(&shared->lock);
    }
    return NULL;
}

static void
one_thread_at_a_time_holds_it(void **state)
{
    (void)state;
    struct shared shared = {{0}, 0};
    pthread_t threads[THREAD_COUNT];
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, &shared), 0);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shared.count, THREAD_COUNT * ROUND_COUNT);
    assert_int_equal(atomic_load(&shared.lock.state), LOCK_FREE);
}

static void *
take_and_give(void *argument)
{
    struct shared *shared = argument;
    lock_take(&shared->lock);
    shared->count++;
    lock_give(&shared->lock);
    return NULL;
}

static void
who_is_parked_is_woken(void **state)
{
    (void)state;
    struct shared shared = {{0}, 0};
    pthread_t threads[THREAD_COUNT];
    lock_take(&shared.lock);
    assert_false(lock_try(&shared.lock));
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &shared), 0);
    }
    for (int i = 0; i < 1000 && atomic_load(&shared.lock.state) != LOCK_AWAITED; i++) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&shared.lock.state), LOCK_AWAITED);
    usleep(20000); /* they sleep by now */
    assert_int_equal(shared.count, 0);
    lock_give(&shared.lock);
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shared.count, THREAD_COUNT);
    assert_true(lock_try(&shared.lock));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_holds_it),
        cmocka_unit_test(who_is_parked_is_woken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
