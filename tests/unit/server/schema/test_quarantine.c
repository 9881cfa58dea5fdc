#include "server/schema/quarantine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct quarantine *quarantine;

static int
setup(void **state)
{
    (void)state;
    quarantine = quarantine_new();
    return quarantine == NULL;
}

static int
teardown(void **state)
{
    (void)state;
    quarantine_free(quarantine);
    return 0;
}

static void
add(uint32_t db, const char *key, unsigned version, const char *body, int64_t expiry_ms,
    size_t size_max)
{
    const struct quarantine_record record = {
        .db = db,
        .key = slice_from_string(key),
        .value = {.body = slice_from_string(body),
                  .complement = SLICE("hidden"),
                  .schema = 1,
                  .version = version},
        .expiry_ms = expiry_ms,
    };
    struct quarantined *prepared = quarantine_prepare(&record);
    assert_non_null(prepared);
    quarantine_add(quarantine, prepared, size_max);
}

static struct quarantine_stats
stats(void)
{
    struct quarantine_stats all;
    quarantine_stats(quarantine, &all);
    return all;
}

/* "key/version=body ..." of everything, newest first. */
static void
on_record(void *context, const struct quarantine_record *record)
{
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%.*s/%u=%.*s ", (int)record->key.size, record->key.data,
             record->value.version, (int)record->value.body.size, record->value.body.data);
}

static const char *
all(int64_t now_ms)
{
    static char text[512];
    text[0] = '\0';
    quarantine_each(quarantine, 1, NULL, 100, now_ms, on_record, text);
    return text;
}

static void
the_latest_of_each_version_is_kept(void **state)
{
    (void)state;
    add(0, "a", 1, "x", -1, SIZE_MAX);
    add(0, "a", 2, "y", -1, SIZE_MAX);
    add(0, "b", 1, "z", -1, SIZE_MAX);
    add(0, "a", 1, "w", -1, SIZE_MAX);
    assert_string_equal(all(0), "a/1=w b/1=z a/2=y ");
    assert_int_equal(stats().records, 3);
    assert_int_equal(atomic_load(quarantine_gate(quarantine)), 3);
    struct quarantined *taken = quarantine_take(quarantine, 1, 0, SLICE_OF("a"), 0);
    struct quarantine_record record;
    quarantined_record(taken, &record);
    assert_true(slice_equal(record.value.body, SLICE_OF("w")));
    assert_true(slice_equal(record.value.complement, SLICE_OF("hidden")));
    quarantine_discard(taken);
    assert_null(quarantine_take(quarantine, 2, 0, SLICE_OF("a"), 0));
    assert_null(quarantine_take(quarantine, 1, 1, SLICE_OF("a"), 0));
    assert_string_equal(all(0), "b/1=z a/2=y ");
}

static void
beyond_the_budget_the_oldest_go_and_are_counted(void **state)
{
    (void)state;
    add(0, "a", 1, "x", -1, SIZE_MAX);
    size_t base = stats().size;
    add(0, "b", 1, "y", -1, SIZE_MAX);
    size_t each = stats().size - base;
    add(0, "c", 1, "z", -1, each * 2 + each / 2);
    assert_string_equal(all(0), "c/1=z b/1=y ");
    assert_int_equal(stats().dropped, 1);
    add(0, "d", 1, "too large for the budget", -1, 10);
    assert_string_equal(all(0), "");
    assert_int_equal(stats().dropped, 4);
    assert_int_equal(stats().records, 0);
}

static void
a_key_takes_its_records_along(void **state)
{
    (void)state;
    add(0, "a", 1, "x", -1, SIZE_MAX);
    add(0, "a", 2, "x", -1, SIZE_MAX);
    add(1, "a", 1, "x", -1, SIZE_MAX);
    add(1, "b", 1, "x", -1, SIZE_MAX);
    add(2, "c", 1, "x", -1, SIZE_MAX);
    const struct key key = {.name = SLICE("a")};
    quarantine_on_remove(quarantine, 0, &key);
    assert_string_equal(all(0), "c/1=x b/1=x a/1=x ");
    quarantine_on_remove(quarantine, 1, NULL);
    assert_string_equal(all(0), "c/1=x ");
    quarantine_swap(quarantine, 2, 5);
    uint32_t db = 2;
    struct slice name = SLICE_OF("c");
    assert_int_equal(quarantine_drop(quarantine, 0, &db, &name), 0);
    db = 5;
    assert_int_equal(quarantine_drop(quarantine, 0, &db, &name), 1);
    assert_string_equal(all(0), "");
}

static void
records_follow_a_key_that_moves(void **state)
{
    (void)state;
    const struct key from = {.name = SLICE("a")};
    const struct key to = {.name = SLICE("b"), .db = 3};
    assert_null(quarantine_detach(quarantine, &from));
    add(0, "a", 1, "x", -1, SIZE_MAX);
    add(0, "a", 2, "y", -1, SIZE_MAX);
    struct quarantined *detached = quarantine_detach(quarantine, &from);
    assert_int_equal(stats().records, 0);
    quarantine_attach(quarantine, detached, &to);
    assert_string_equal(all(0), "b/2=y b/1=x ");
}

static void
what_is_over_is_gone(void **state)
{
    (void)state;
    add(0, "a", 1, "x", 100, SIZE_MAX);
    add(0, "b", 1, "y", 200, SIZE_MAX);
    assert_string_equal(all(99), "b/1=y a/1=x ");
    assert_string_equal(all(100), "b/1=y ");
    assert_null(quarantine_take(quarantine, 1, 0, SLICE_OF("b"), 200));
    assert_int_equal(stats().records, 0);
}

static void
many_records_find_their_keys(void **state)
{
    (void)state;
    char key[32];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key:%u", i);
        add(i % 3, key, 1, "x", -1, SIZE_MAX);
    }
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(key, sizeof(key), "key:%u", i);
        uint32_t db = i % 3;
        struct slice name = slice_from_string(key);
        assert_int_equal(quarantine_drop(quarantine, 1, &db, &name), 1);
    }
    assert_int_equal(stats().records, 0);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_latest_of_each_version_is_kept),
        TEST(beyond_the_budget_the_oldest_go_and_are_counted),
        TEST(a_key_takes_its_records_along),
        TEST(records_follow_a_key_that_moves),
        TEST(what_is_over_is_gone),
        TEST(many_records_find_their_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
