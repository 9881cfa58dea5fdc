#include "server/store/table.h"

#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ITEM_COUNT = 20000 };

struct item {
    uint64_t number;
    int64_t due;
    bool there;
    unsigned seen;
};

static struct item items[ITEM_COUNT];

static uint64_t
random_next(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t
good_hash(const void *item, uint64_t seed)
{
    uint64_t random = ((const struct item *)item)->number + seed;
    return random_next(&random);
}

/* Sixteen hashes in all, of four tags: long chains. */
static uint64_t
poor_hash(const void *item, uint64_t seed)
{
    uint64_t number = ((const struct item *)item)->number;
    (void)seed;
    return number % 16 | (number % 4) << 40;
}

static void
start(struct table *table, table_hash *hash)
{
    for (size_t i = 0; i < ITEM_COUNT; i++)
        items[i] = (struct item){.number = i, .due = TABLE_DUE_NEVER};
    table_init(table, hash, 7);
}

static void **
find(const struct table *table, const struct item *item)
{
    struct table_probe probe;
    void **slot = table_probe_first(table, table->hash(item, table->seed), &probe);
    while (slot != NULL && *slot != item)
        slot = table_probe_next(&probe);
    return slot;
}

static bool
insert(struct table *table, struct item *item)
{
    if (!table_insert(table, table->hash(item, table->seed), item))
        return false;
    item->there = true;
    table_due_note(table, table->hash(item, table->seed), item->due);
    table_adjust(table);
    return true;
}

static void delete (struct table *table, struct item *item)
{
    void **slot = find(table, item);
    assert_non_null(slot);
    table_remove(table, table->hash(item, table->seed), slot);
    item->there = false;
    table_adjust(table);
}

/* The invariants of the header, and that exactly what is there is found. */
static void
check(const struct table *table)
{
    size_t count = 0;
    assert_true(table->bucket_count == 0 || ((table->mask & (table->mask + 1)) == 0 &&
                                             (table->mask + 1) / 2 <= table->bucket_count &&
                                             table->bucket_count <= table->mask));
    for (uint32_t i = 0; i < table->bucket_count; i++) {
        const struct home *home = table_home(table, i);
        const struct segment *segment = &table->segments[i / TABLE_SEGMENT];
        assert_true(table_due(table) <= segment->due && segment->due <= home->due);
        for (const struct bucket *bucket = &home->bucket;;) {
            bool chained = (bucket->tags & TABLE_CHAINED) != 0;
            unsigned held = 0;
            for (unsigned s = 0; s < TABLE_SLOTS; s++) {
                if ((bucket->tags >> 8 * s & 0xff) == 0)
                    continue;
                const struct item *item = bucket->slots[s];
                uint64_t hash = table->hash(item, table->seed);
                assert_true(item->there);
                assert_int_equal(table_home_index(table, hash), i);
                assert_int_equal(bucket->tags >> 8 * s & 0xff, table_tag(hash));
                assert_true(home->due <= item->due);
                held++;
            }
            count += held;
            if (chained)
                assert_int_equal(held, TABLE_SLOTS - 1);
            else if (bucket != &home->bucket)
                assert_true(held >= 2);
            if (!chained)
                break;
            bucket = bucket->slots[TABLE_SLOTS - 1];
        }
    }
    assert_int_equal(count, table_count(table));
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        assert_int_equal(find(table, &items[i]) != NULL, items[i].there);
        count -= items[i].there;
    }
    assert_int_equal(count, 0);
}

static void
it_holds_what_a_plain_array_holds_through_growing_and_shrinking(void **state)
{
    (void)state;
    static table_hash *const hashes[] = {good_hash, poor_hash};
    for (size_t h = 0; h < 2; h++) {
        size_t limit = h == 0 ? ITEM_COUNT : 1500;
        struct table table;
        uint64_t random = 1;
        start(&table, hashes[h]);
        check(&table);
        /* The share of items that should be there goes up and down. */
        for (size_t step = 0; step < limit * 40; step++) {
            size_t share = step / limit % 8;
            share = share < 4 ? share : 8 - share;
            struct item *item = &items[random_next(&random) % limit];
            bool wanted = random_next(&random) % 4 < share;
            if (wanted && !item->there) {
                item->due = (int64_t)(random_next(&random) % 1000);
                assert_true(insert(&table, item));
            } else if (!wanted && item->there) {
                delete (&table, item);
            }
            if (step % (limit * 40 / 16) == 0)
                check(&table);
        }
        check(&table);
        if (h == 0)
            assert_true(table.bucket_count < table_count(&table) / 2 + 64);
        table_fini(&table);
        assert_int_equal(table.memory, 0);
    }
}

static void
its_memory_follows_its_items(void **state)
{
    (void)state;
    struct table table;
    start(&table, good_hash);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        assert_true(insert(&table, &items[i]));
        if (i > 2000)
            assert_true(table.memory / i <= 20);
    }
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        delete (&table, &items[i]);
        size_t left = ITEM_COUNT - i - 1;
        if (left > 2000)
            assert_true(table.memory / left <= 32);
    }
    assert_int_equal(table.bucket_count, 1);
    assert_true(table.memory < 1000);
    check(&table);
    table_fini(&table);
}

static void
on_slot(void *context, void **slot)
{
    (void)context;
    struct item *item = *slot;
    assert_true(item->there);
    item->seen++;
}

/*
 * Items at the front stay through a whole iteration; between the calls others come and go, so
 * that the table grows and shrinks by up to a hundredfold.
 */
static void
a_scan_sees_what_stays_at_least_once_while_the_table_resizes(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int round = 0; round < 60; round++) {
        struct table table;
        start(&table, round % 10 == 9 ? poor_hash : good_hash);
        size_t staying = 1 + random_next(&random) % (round % 2 ? 1000 : 50);
        size_t limit = round % 10 == 9 ? 2000 : ITEM_COUNT;
        for (size_t i = 0; i < staying; i++)
            assert_true(insert(&table, &items[i]));
        uint64_t cursor = 0;
        size_t calls = 0;
        size_t next = staying;
        bool grows = true;
        uint32_t least = UINT32_MAX;
        uint32_t most = 0;
        do {
            cursor = table_scan(&table, cursor, on_slot, NULL);
            calls++;
            size_t changes = random_next(&random) % (round % 3 == 0 ? 600 : 60);
            for (size_t i = 0; i < changes; i++) {
                if (grows && next < limit)
                    assert_true(insert(&table, &items[next++]));
                else if (!grows && next > staying)
                    delete (&table, &items[--next]);
            }
            if (random_next(&random) % 20 == 0)
                grows = !grows;
            least = table.bucket_count < least ? table.bucket_count : least;
            most = table.bucket_count > most ? table.bucket_count : most;
        } while (cursor != 0);
        for (size_t i = 0; i < staying; i++)
            assert_true(items[i].seen >= 1);
        assert_true(calls <= most);
        table_fini(&table);
    }
}

static void
a_scan_of_a_table_at_rest_sees_everything_once(void **state)
{
    (void)state;
    struct table table;
    start(&table, good_hash);
    assert_int_equal(table_scan(&table, 0, on_slot, NULL), 0);
    for (size_t i = 0; i < 3000; i++) {
        assert_true(insert(&table, &items[i]));
        if (i % 271 != 0)
            continue;
        uint64_t cursor = 0;
        do {
            cursor = table_scan(&table, cursor, on_slot, NULL);
        } while (cursor != 0);
        for (size_t k = 0; k <= i; k++) {
            assert_int_equal(items[k].seen, 1);
            items[k].seen = 0;
        }
        size_t position = 0;
        void **slot;
        while ((slot = table_next(&table, &position)) != NULL)
            on_slot(NULL, slot);
        assert_null(table_next(&table, &position));
        for (size_t k = 0; k <= i; k++) {
            assert_int_equal(items[k].seen, 1);
            items[k].seen = 0;
        }
    }
    (void)table_scan(&table, UINT64_MAX, on_slot, NULL); /* a cursor nobody gave out */
    table_fini(&table);
}

static void
what_is_due_is_found_and_nothing_else_is_looked_at_twice(void **state)
{
    (void)state;
    struct table table;
    uint64_t random = 5;
    start(&table, good_hash);
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        items[i].due = (int64_t)(random_next(&random) % 10000);
        assert_true(insert(&table, &items[i]));
    }
    size_t visits = 0;
    for (int64_t now = 0; now <= 10000; now += 100) {
        uint32_t index;
        while (table_due_find(&table, now, &index)) {
            int64_t due = TABLE_DUE_NEVER;
            size_t ordinal = 0;
            size_t removed = 0;
            void **slot;
            while ((slot = table_slot_at(&table, index, ordinal)) != NULL) {
                struct item *item = *slot;
                if (item->due < now) {
                    table_remove(&table, good_hash(item, table.seed), slot);
                    item->there = false;
                    removed++;
                    continue;
                }
                due = item->due < due ? item->due : due;
                ordinal++;
            }
            table_due_set(&table, index, due);
            visits++;
            for (size_t i = 0; i < removed; i++)
                table_adjust(&table);
        }
        for (size_t i = 0; i < ITEM_COUNT; i++)
            assert_int_equal(items[i].there, items[i].due >= now);
        assert_true(table_due(&table) >= now);
    }
    /* A split or merge carries its bucket's bound to where it may be too low. */
    assert_true(visits < ITEM_COUNT * 2);
    check(&table);
    table_fini(&table);
}

static void
a_draw_is_uniform(void **state)
{
    (void)state;
    struct table table;
    uint64_t random = 11;
    start(&table, good_hash);
    assert_null(table_random(&table, &random));
    for (size_t i = 0; i < 1000; i++)
        assert_true(insert(&table, &items[i]));
    for (size_t i = 0; i < 200000; i++)
        on_slot(NULL, table_random(&table, &random));
    for (size_t i = 0; i < 1000; i++)
        assert_in_range(items[i].seen, 120, 280);
    table_fini(&table);
}

/* With every N-th allocation failing, inserts may fail, and the rest goes on. */
static void
a_failed_allocation_loses_nothing(void **state)
{
    (void)state;
    static table_hash *const hashes[] = {good_hash, poor_hash};
    for (size_t h = 0; h < 2; h++) {
        struct table table;
        size_t limit = h == 0 ? ITEM_COUNT : 1500;
        size_t failures = 0;
        start(&table, hashes[h]);
        for (size_t i = 0; i < limit; i++) {
            memory_fail_at(1 + (int64_t)(i % 3));
            if (!insert(&table, &items[i]))
                failures++;
            memory_fail_at(0);
        }
        assert_true(failures > 0);
        check(&table);
        for (size_t i = 0; i < limit; i++) {
            if (!items[i].there)
                assert_true(insert(&table, &items[i]));
        }
        check(&table);
        for (size_t i = 0; i < limit; i++) {
            memory_fail_at(1 + (int64_t)(i % 3));
            delete (&table, &items[i]);
            memory_fail_at(0);
            if (i % (limit / 8) == 0)
                check(&table);
        }
        check(&table);
        table_fini(&table);
    }
}

static void
on_item(void *context, void *item)
{
    ++*(size_t *)context;
    ((struct item *)item)->there = false;
}

static void
a_table_is_freed_in_slices(void **state)
{
    (void)state;
    struct table table;
    start(&table, good_hash);
    for (size_t i = 0; i < ITEM_COUNT; i++)
        assert_true(insert(&table, &items[i]));
    size_t freed = 0;
    size_t slices = 0;
    bool more;
    do {
        size_t budget = 100;
        size_t before = freed;
        more = table_free_some(&table, &budget, on_item, &freed);
        assert_true(freed - before <= 150);
        slices++;
    } while (more);
    assert_int_equal(freed, ITEM_COUNT);
    assert_in_range(slices, 150, 200);
    assert_int_equal(table.memory, 0);
    table_fini(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_a_plain_array_holds_through_growing_and_shrinking),
        cmocka_unit_test(its_memory_follows_its_items),
        cmocka_unit_test(a_scan_sees_what_stays_at_least_once_while_the_table_resizes),
        cmocka_unit_test(a_scan_of_a_table_at_rest_sees_everything_once),
        cmocka_unit_test(what_is_due_is_found_and_nothing_else_is_looked_at_twice),
        cmocka_unit_test(a_draw_is_uniform),
        cmocka_unit_test(a_failed_allocation_loses_nothing),
        cmocka_unit_test(a_table_is_freed_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
