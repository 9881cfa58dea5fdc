#include "server/schema/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64];
static char path[128];

static int
setup(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/segue-registry", directory);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static struct registry_holder *
open_registry(void)
{
    struct buffer error;
    buffer_init(&error, 0);
    struct registry_holder *holder = registry_open(directory, &error);
    if (holder == NULL) {
        fail_msg("%.*s", (int)error.size, error.data);
    }
    assert_int_equal(error.size, 0);
    buffer_fini(&error);
    return holder;
}

/* Put a schema; the error reply, or "" when it was taken. Valid until the next call. */
static const char *
put(struct registry_holder *holder, const char *json, bool force)
{
    static char text[512];
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old = NULL;
    bool ok = registry_put(holder, slice_from_string(json), force, &old, &error);
    snprintf(text, sizeof(text), "%.*s", (int)error.size, error.size > 0 ? error.data : "");
    assert_true(ok == (error.size == 0));
    registry_retire(holder, old);
    buffer_fini(&error);
    return text;
}

static const char *
set_release(struct registry_holder *holder, const char *name, const char *schema,
            unsigned version)
{
    static char text[512];
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old = NULL;
    struct slice schema_name = slice_from_string(schema);
    registry_release_set(holder, slice_from_string(name), &schema_name, &version, 1, &old,
                         &error);
    snprintf(text, sizeof(text), "%.*s", (int)error.size, error.size > 0 ? error.data : "");
    registry_retire(holder, old);
    buffer_fini(&error);
    return text;
}

static const char *
match(const struct registry_holder *holder, uint32_t db, const char *key)
{
    static char text[64];
    const struct registry_schema *schema =
        registry_match(registry_current(holder), db, slice_from_string(key));
    if (schema == NULL) {
        return "";
    }
    struct slice name = lens_schema_name(schema->lens);
    snprintf(text, sizeof(text), "%.*s", (int)name.size, name.data);
    return text;
}

#define SESSION                                                                                \
    "{\"schema\":\"session\",\"keys\":[\"sess:*\",\"current\"],\"except\":[\"*_LOCK\"],"       \
    "\"codec\":\"json\",\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[]}]}"

static void
the_longest_pattern_wins_and_exceptions_are_taken_out(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_true(registry_is_empty(registry_current(holder)));
    assert_string_equal(match(holder, 0, "sess:1"), "");
    assert_string_equal(put(holder, SESSION, false), "");
    assert_string_equal(match(holder, 0, "sess:1"), "session");
    assert_string_equal(match(holder, 0, "sess:"), "session");
    assert_string_equal(match(holder, 0, "sess"), "");
    assert_string_equal(match(holder, 0, "sest:"), "");
    assert_string_equal(match(holder, 0, "a"), "");
    assert_string_equal(match(holder, 0, "current"), "session");
    assert_string_equal(match(holder, 0, "currents"), "");
    assert_string_equal(match(holder, 0, "sess:1_LOCK"), "");
    assert_string_equal(put(holder,
                            "{\"schema\":\"admin\",\"keys\":[\"sess:admin:*\",\"sess:root\"],"
                            "\"codec\":\"json\",\"versions\":[{\"version\":1}]}",
                            false),
                        "");
    assert_string_equal(put(holder,
                            "{\"schema\":\"cart\",\"keys\":[\"cart:*\",\"sess:b*\"],"
                            "\"codec\":\"json\",\"db\":2,\"versions\":[{\"version\":1}]}",
                            false),
                        "");
    assert_string_equal(match(holder, 0, "sess:admin:1"), "admin");
    assert_string_equal(match(holder, 0, "sess:admin"), "session");
    assert_string_equal(match(holder, 0, "sess:admio"), "session");
    assert_string_equal(match(holder, 0, "sess:zzz"), "session");
    assert_string_equal(match(holder, 0, "sess:root"), "admin");
    assert_string_equal(match(holder, 0, "sess:bb"), "session");
    assert_string_equal(match(holder, 2, "sess:bb"), "cart");
    assert_string_equal(match(holder, 2, "cart:1"), "cart");
    assert_string_equal(match(holder, 0, "cart:1"), "");
    assert_string_equal(put(holder,
                            "{\"schema\":\"rest\",\"keys\":[\"*\"],\"codec\":\"json\","
                            "\"versions\":[{\"version\":1}]}",
                            false),
                        "");
    assert_string_equal(match(holder, 0, "cart:1"), "rest");
    assert_string_equal(match(holder, 0, ""), "rest");
    assert_string_equal(match(holder, 0, "sess:1"), "session");
    registry_close(holder);
}

static void
a_pattern_belongs_to_one_schema_only(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(put(holder, SESSION, false), "");
    assert_string_equal(put(holder,
                            "{\"schema\":\"other\",\"keys\":[\"x\",\"sess:*\"],"
                            "\"codec\":\"json\",\"versions\":[{\"version\":1}]}",
                            false),
                        "SCHEMA at /keys/1: sess:* already belongs to schema session");
    assert_int_equal(registry_schema_count(registry_current(holder)), 1);
    registry_close(holder);
}

static void
everything_survives_a_restart_and_ids_are_never_reused(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(put(holder, SESSION, false), "");
    assert_string_equal(set_release(holder, "web@1", "session", 2), "");
    assert_string_equal(set_release(holder, "web@2", "session", 3),
                        "NOVERSION schema session has no version 3");
    assert_string_equal(set_release(holder, "web@2", "cart", 1),
                        "NOSCHEMA no schema is called cart");
    uint64_t epoch = registry_epoch(registry_current(holder));
    assert_string_equal(put(holder, SESSION, false), ""); /* nothing changes */
    assert_int_equal(registry_epoch(registry_current(holder)), epoch);
    registry_close(holder);

    holder = open_registry();
    const struct registry *registry = registry_current(holder);
    assert_int_equal(registry_epoch(registry), epoch);
    const struct registry_schema *schema =
        registry_schema_by_name(registry, SLICE_OF("session"));
    assert_non_null(schema);
    assert_int_equal(schema->id, 1);
    assert_int_equal(schema->base_version, 1);
    assert_ptr_equal(registry_schema_by_id(registry, 1), schema);
    const struct release *release = registry_release(registry, SLICE_OF("web@1"));
    assert_non_null(release);
    assert_int_equal(release_version(release, schema->index), 2);
    assert_true(registry_has_application(registry, SLICE_OF("web@9")));
    assert_false(registry_has_application(registry, SLICE_OF("we@9")));
    assert_false(registry_has_application(registry, SLICE_OF("web")));
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old;
    assert_true(registry_delete(holder, SLICE_OF("session"), NULL, NULL, &old, &error));
    registry_retire(holder, old);
    assert_string_equal(put(holder, SESSION, false), "");
    registry = registry_current(holder);
    schema = registry_schema_by_name(registry, SLICE_OF("session"));
    assert_int_equal(schema->id, 2);
    /* It named nothing else, so it went with the schema. */
    assert_null(registry_release(registry, SLICE_OF("web@1")));
    assert_false(registry_release_delete(holder, SLICE_OF("web@1"), &old, &error));
    buffer_fini(&error);
    registry_close(holder);
}

static void
the_base_version_is_that_of_the_first_put(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(put(holder, SESSION, false), "");
    assert_string_equal(put(holder,
                            "{\"schema\":\"session\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
                            "\"default_version\":2,\"versions\":[{\"version\":1},"
                            "{\"version\":2,\"steps\":[]}]}",
                            false),
                        "");
    const struct registry_schema *schema =
        registry_schema_by_name(registry_current(holder), SLICE_OF("session"));
    assert_int_equal(schema->id, 1);
    assert_int_equal(schema->base_version, 1);
    assert_int_equal(lens_schema_default_version(schema->lens), 2);
    registry_close(holder);
}

static void
write_file(const char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void
expect_refusal(void)
{
    struct buffer error;
    buffer_init(&error, 0);
    assert_null(registry_open(directory, &error));
    buffer_append_char(&error, '\0');
    assert_non_null(strstr(error.data, "segue-registry: "));
    assert_non_null(strstr(error.data, "Put back"));
    buffer_fini(&error);
}

static void
a_damaged_file_refuses_the_start(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    assert_string_equal(put(holder, SESSION, false), "");
    assert_string_equal(set_release(holder, "web@1", "session", 2), "");
    registry_close(holder);
    char data[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    assert_in_range(size, 100, sizeof(data) - 1);
    for (size_t i = 0; i < size; i++) {
        for (unsigned flip = 1; flip < 256; flip = flip * 16 + 15) {
            data[i] = (char)((unsigned char)data[i] ^ flip);
            write_file(data, size);
            expect_refusal();
            data[i] = (char)((unsigned char)data[i] ^ flip);
        }
    }
    for (size_t i = 0; i < size; i++) {
        write_file(data, i);
        expect_refusal();
    }
    write_file(data, size + 1);
    expect_refusal();
    write_file(data, size);
    registry_close(open_registry());
}

static void
a_change_that_cannot_be_saved_is_refused(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    char moved[128];
    snprintf(moved, sizeof(moved), "%s.gone", directory);
    assert_int_equal(rename(directory, moved), 0);
    const char *text = put(holder, SESSION, false);
    assert_non_null(strstr(text, "SCHEMA the file segue-registry was not saved"));
    assert_true(registry_is_empty(registry_current(holder)));
    assert_int_equal(rename(moved, directory), 0);
    assert_string_equal(put(holder, SESSION, false), "");
    registry_close(holder);
}

static void
a_rollout_survives_a_restart_and_changes_of_its_schema(void **state)
{
    (void)state;
    struct registry_holder *holder = open_registry();
    const struct registry *old;
    struct buffer error;
    buffer_init(&error, 0);
    assert_string_equal(put(holder, SESSION, false), "");
    const struct registry_backfill backfill = {
        .state = REGISTRY_BACKFILL_PAUSED, .version = 2, .rate = 7};
    const struct registry_withdrawal withdrawal = {.version = 2,
                                                   .is_forced = true,
                                                   .at_ms = 123456789012,
                                                   .by = SLICE("ops@host"),
                                                   .evidence = SLICE("3 connections")};
    assert_true(registry_withdraw(holder, SLICE_OF("session"), &withdrawal, &old, &error));
    registry_retire(holder, old);
    assert_false(registry_withdraw(holder, SLICE_OF("session"), &withdrawal, &old, &error));
    assert_true(registry_set_backfill(holder, SLICE_OF("session"), &backfill, &old, &error));
    registry_retire(holder, old);
    assert_string_equal(set_release(holder, "web@2", "session", 2),
                        "NOVERSION schema session has retired its version 2");
    registry_close(holder);

    holder = open_registry();
    assert_string_equal(put(holder,
                            "{\"schema\":\"session\",\"keys\":[\"s:*\"],\"codec\":\"json\","
                            "\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[]},"
                            "{\"version\":3,\"steps\":[]}]}",
                            false),
                        "");
    const struct registry_schema *schema =
        registry_schema_by_name(registry_current(holder), SLICE_OF("session"));
    assert_int_equal(schema->rollout.backfill.state, REGISTRY_BACKFILL_PAUSED);
    assert_int_equal(schema->rollout.backfill.version, 2);
    assert_int_equal(schema->rollout.backfill.rate, 7);
    const struct registry_withdrawal *kept = registry_withdrawal(schema, 2);
    assert_non_null(kept);
    assert_true(kept->is_forced);
    assert_int_equal(kept->at_ms, 123456789012);
    assert_true(slice_equal(kept->by, withdrawal.by));
    assert_true(slice_equal(kept->evidence, withdrawal.evidence));
    assert_null(registry_withdrawal(schema, 1));
    assert_int_equal(registry_holder_epoch(holder), registry_epoch(registry_current(holder)));
    /* Another wish is no end of this one; what has fewer versions forgets the rest. */
    assert_true(registry_end_backfill(holder, schema->id, 1, &old, &error));
    assert_null(old);
    assert_string_equal(put(holder,
                            "{\"schema\":\"session\",\"keys\":[\"s:*\"],\"codec\":\"json\","
                            "\"versions\":[{\"version\":1}]}",
                            true),
                        "");
    registry_close(holder);
    holder = open_registry();
    schema = registry_schema_by_name(registry_current(holder), SLICE_OF("session"));
    assert_int_equal(schema->rollout.withdrawal_count, 0);
    assert_int_equal(schema->rollout.backfill.state, REGISTRY_BACKFILL_NONE);
    assert_false(registry_readmit(holder, SLICE_OF("session"), 1, &old, &error));
    buffer_fini(&error);
    registry_close(holder);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_longest_pattern_wins_and_exceptions_are_taken_out),
        TEST(a_pattern_belongs_to_one_schema_only),
        TEST(everything_survives_a_restart_and_ids_are_never_reused),
        TEST(a_rollout_survives_a_restart_and_changes_of_its_schema),
        TEST(the_base_version_is_that_of_the_first_put),
        TEST(a_damaged_file_refuses_the_start),
        TEST(a_change_that_cannot_be_saved_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
