#include "server/schema/packing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct registry_holder *holder;

static enum pack_algorithm
algorithm_for(const struct packing_rules *rules, const char *key, const char *name)
{
    struct packing_group group;
    if (!packing_find(registry_current(holder), rules, 0, slice_from_string(key), &group)) {
        return PACK_NONE;
    }
    assert_true(slice_equal(group.name, slice_from_string(name)));
    assert_non_null(group.packing);
    return group.algorithm;
}

static void
the_longest_pattern_wins_and_names_before_prefixes(void **state)
{
    (void)state;
    struct packing_rules *rules = packing_rules_new(
        SLICE_OF("sess:* lz4 sess:tmp:* none sess:big:* ZSTD sess:big:1 lz4 sess:tmp:* NONE"),
        NULL);
    assert_int_equal(packing_rules_count(rules), 4);
    assert_int_equal(algorithm_for(rules, "sess:1", "sess:*"), PACK_LZ4);
    assert_int_equal(algorithm_for(rules, "sess:", "sess:*"), PACK_LZ4);
    assert_int_equal(algorithm_for(rules, "sess", ""), PACK_NONE);
    assert_int_equal(algorithm_for(rules, "other", ""), PACK_NONE);
    assert_int_equal(algorithm_for(rules, "", ""), PACK_NONE);
    assert_int_equal(algorithm_for(rules, "sess:tmp:1", ""), PACK_NONE);
    assert_int_equal(algorithm_for(rules, "sess:big:2", "sess:big:*"), PACK_ZSTD);
    assert_int_equal(algorithm_for(rules, "sess:big:1", "sess:big:1"), PACK_LZ4);
    assert_int_equal(algorithm_for(rules, "sess:big:12", "sess:big:*"), PACK_ZSTD);
    packing_rules_free(rules);
}

static void
patterns_that_stay_keep_what_they_have(void **state)
{
    (void)state;
    struct packing_rules *old = packing_rules_new(SLICE_OF("a* lz4 b* lz4"), NULL);
    struct packing *kept = packing_rules_at(old, 1)->packing;
    struct packing_rules *rules = packing_rules_new(SLICE_OF("c* lz4 b* zstd"), old);
    packing_rules_free(old);
    assert_ptr_equal(packing_rules_at(rules, 1)->packing, kept);
    assert_int_not_equal(packing_rules_at(rules, 0)->packing->id, kept->id);
    assert_int_equal(packing_rules_at(rules, 1)->algorithm, PACK_ZSTD);
    struct packing_rules *none = packing_rules_new(SLICE_OF(""), rules);
    assert_int_equal(packing_rules_count(none), 0);
    assert_int_equal(algorithm_for(none, "b1", ""), PACK_NONE);
    packing_rules_free(rules);
    packing_rules_free(none);
}

static void
what_a_schema_says_goes_before_the_patterns(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "{\"schema\":\"packed\",\"keys\":[\"p:*\"],\"codec\":\"json\",\"compression\":\"zstd\","
        "\"versions\":[{\"version\":1}]}",
        "{\"schema\":\"plain\",\"keys\":[\"n:*\"],\"codec\":\"json\",\"compression\":\"none\","
        "\"versions\":[{\"version\":1}]}",
        "{\"schema\":\"silent\",\"keys\":[\"s:*\"],\"codec\":\"json\","
        "\"versions\":[{\"version\":1}]}",
    };
    struct buffer error;
    buffer_init(&error, 0);
    assert_false(registry_wants_compression(holder));
    uint64_t changes = registry_change_count(holder);
    for (size_t i = 0; i < 3; i++) {
        const struct registry *before;
        assert_true(
            registry_put(holder, slice_from_string(documents[i]), false, &before, &error));
        registry_retire(holder, before);
    }
    assert_true(registry_wants_compression(holder));
    assert_int_equal(registry_change_count(holder), changes + 3);
    struct packing_rules *rules = packing_rules_new(SLICE_OF("* lz4"), NULL);
    assert_int_equal(algorithm_for(rules, "p:1", "packed"), PACK_ZSTD);
    assert_int_equal(algorithm_for(rules, "n:1", ""), PACK_NONE);
    assert_int_equal(algorithm_for(rules, "s:1", "*"), PACK_LZ4);
    assert_int_equal(algorithm_for(rules, "x", "*"), PACK_LZ4);
    packing_rules_free(rules);
    assert_int_equal(algorithm_for(NULL, "p:1", "packed"), PACK_ZSTD);
    assert_int_equal(algorithm_for(NULL, "s:1", ""), PACK_NONE);

    const struct registry *before;
    assert_false(registry_put(holder,
                              SLICE_OF("{\"schema\":\"packed\",\"keys\":[\"p:*\"],\"codec\":"
                                       "\"json\",\"compression\":\"gzip\",\"versions\":"
                                       "[{\"version\":1}]}"),
                              false, &before, &error));
    buffer_fini(&error);
}

static int
open_registry(void **state)
{
    static char directory[64] = "/tmp/segue-test-XXXXXX";
    struct buffer error;
    buffer_init(&error, 0);
    *state = mkdtemp(directory);
    holder = registry_open(directory, &error);
    buffer_fini(&error);
    return holder == NULL;
}

static int
close_registry(void **state)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", (const char *)*state);
    registry_close(holder);
    return system(command);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_pattern_wins_and_names_before_prefixes),
        cmocka_unit_test(patterns_that_stay_keep_what_they_have),
        cmocka_unit_test(what_a_schema_says_goes_before_the_patterns),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}
