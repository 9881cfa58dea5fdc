#include "server/store/watch.h"

#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NODE_COUNT = 300 };

static struct watch nodes[NODE_COUNT];
static atomic_bool dirty[NODE_COUNT];
static char names[NODE_COUNT][16];

/* Hashes on purpose alike: names decide. */
static struct key
key_of(int index)
{
    snprintf(names[index], sizeof(names[index]), "%d", index);
    return (struct key){.name = slice_from_string(names[index]), .hash = (uint64_t)index / 10};
}

static bool
is_odd(void *context, const struct key *key)
{
    (void)context;
    return (key->name.data[key->name.size - 1] - '0') % 2 == 1;
}

static void
a_mark_reaches_exactly_the_watchers_of_a_key(void **state)
{
    (void)state;
    struct watch_table table = {0};
    for (int i = 0; i < NODE_COUNT; i++) {
        struct key key = key_of(i);
        watch_table_mark(&table, &key);
        memory_fail_at(1 + i % 2);
        if (!watch_table_add(&table, &nodes[i], &key, &dirty[i])) {
            assert_int_equal(memory_fail_at(0), 0);
            assert_true(watch_table_add(&table, &nodes[i], &key, &dirty[i]));
        }
        memory_fail_at(0);
        names[i][0] = 'x'; /* the table has its own copy */
    }
    for (int i = 0; i < NODE_COUNT; i += 3)
        watch_table_remove(&table, &nodes[i]);
    for (int i = 0; i < NODE_COUNT; i++) {
        struct key key = key_of(i);
        watch_table_mark(&table, &key);
        for (int k = 0; k < NODE_COUNT; k++)
            assert_int_equal(dirty[k], k == i && i % 3 != 0);
        dirty[i] = false;
    }
    watch_table_mark_if(&table, is_odd, NULL);
    for (int i = 0; i < NODE_COUNT; i++) {
        assert_int_equal(dirty[i], i % 2 == 1 && i % 3 != 0);
        if (i % 3 != 0)
            watch_table_remove(&table, &nodes[i]);
    }
    watch_table_fini(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_reaches_exactly_the_watchers_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
