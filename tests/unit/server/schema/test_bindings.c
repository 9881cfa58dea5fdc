#include "server/schema/bindings.h"

#include "server/schema/usage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define VERSIONS                                                                               \
    "\"codec\":\"json\",\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[]},"           \
    "{\"version\":3,\"steps\":[]}]}"

static char directory[64];
static struct registry_holder *holder;
static struct bindings *bindings;

static void
put(const char *json)
{
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old;
    assert_true(registry_put(holder, slice_from_string(json), false, &old, &error));
    registry_retire(holder, old);
    buffer_fini(&error);
}

static void
set_release(const char *name, const char *schema, unsigned version)
{
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old;
    struct slice schema_name = slice_from_string(schema);
    assert_true(registry_release_set(holder, slice_from_string(name), &schema_name, &version, 1,
                                     &old, &error));
    registry_retire(holder, old);
    buffer_fini(&error);
}

static void
delete_release(const char *name)
{
    struct buffer error;
    buffer_init(&error, 0);
    const struct registry *old;
    assert_true(registry_release_delete(holder, slice_from_string(name), &old, &error));
    registry_retire(holder, old);
    buffer_fini(&error);
}

static int
setup(void **state)
{
    (void)state;
    struct buffer error;
    buffer_init(&error, 0);
    snprintf(directory, sizeof(directory), "/tmp/segue-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    holder = registry_open(directory, &error);
    assert_non_null(holder);
    buffer_fini(&error);
    put("{\"schema\":\"session\",\"keys\":[\"sess:*\"]," VERSIONS);
    put("{\"schema\":\"cart\",\"keys\":[\"cart:*\"],\"default_version\":2," VERSIONS);
    set_release("web@1", "session", 2);
    set_release("shop@1", "cart", 3);
    set_release("shop@2", "session", 3);
    bindings = bindings_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    char path[128];
    bindings_free(bindings);
    registry_close(holder);
    snprintf(path, sizeof(path), "%s/segue-registry", directory);
    unlink(path);
    return rmdir(directory);
}

static const struct registry_schema *
schema_get(const char *name)
{
    return registry_schema_by_name(registry_current(holder), slice_from_string(name));
}

/* The version of <schema> that a connection with these names speaks. */
static unsigned
version(const char *schema, const char *user, const char *client, const char *listener,
        const char *database)
{
    const struct bindings_source source = {
        .user = slice_from_string(user),
        .client_name = slice_from_string(client),
        .listener_release = slice_from_string(listener),
        .database_release = slice_from_string(database),
    };
    bindings_invalidate(bindings);
    assert_false(bindings_are_current(bindings, registry_current(holder)));
    assert_true(bindings_resolve(bindings, registry_current(holder), &source));
    assert_true(bindings_are_current(bindings, registry_current(holder)));
    return bindings_version(bindings, schema_get(schema));
}

static void
the_first_that_names_a_schema_decides(void **state)
{
    (void)state;
    assert_int_equal(version("session", "", "", "", ""), 1);
    assert_int_equal(version("cart", "", "", "", ""), 2);
    assert_int_equal(version("session", "default", "me", "", ""), 1);
    assert_int_equal(version("session", "web@1", "", "", ""), 2);
    assert_int_equal(version("session", "", "shop@2", "web@1", ""), 3);
    assert_int_equal(version("session", "", "", "web@1", "shop@2"), 2);
    assert_int_equal(version("session", "", "", "", "shop@2"), 3);
    assert_int_equal(version("cart", "web@1", "shop@1", "", ""), 3);
    assert_int_equal(version("session", "shop@1", "", "", "web@1"), 2);
    assert_true(bindings_use(bindings, SLICE_OF("session"), 1));
    assert_int_equal(version("session", "web@1", "", "", ""), 1);
    assert_true(bindings_use(bindings, SLICE_OF("session"), BINDINGS_RAW));
    assert_int_equal(version("session", "web@1", "", "", ""), BINDINGS_RAW);
    bindings_clear(bindings);
    assert_int_equal(version("session", "web@1", "", "", ""), 2);
}

static void
a_release_that_is_not_defined_is_never_the_default(void **state)
{
    (void)state;
    assert_true(version("session", "", "", "api@1", "") == BINDINGS_NO_RELEASE);
    assert_true(slice_equal(bindings_missing(bindings), SLICE_OF("api@1")));
    assert_int_equal(version("session", "web@1", "", "api@1", ""), 2);
    assert_true(version("cart", "web@1", "", "api@1", "") == BINDINGS_NO_RELEASE);
    assert_true(version("session", "", "web@7", "", "") == BINDINGS_NO_RELEASE);
    assert_int_equal(version("session", "", "joe@example", "", ""), 1);
    assert_int_equal(bindings_missing(bindings).size, 0);
    assert_true(bindings_use(bindings, SLICE_OF("session"), 1));
    assert_int_equal(version("session", "", "web@7", "", ""), 1);
}

static void
a_deleted_release_does_not_become_the_default(void **state)
{
    (void)state;
    assert_int_equal(version("session", "", "web@1", "", ""), 2);
    delete_release("web@1");
    assert_false(bindings_are_current(bindings, registry_current(holder)));
    assert_true(version("session", "", "web@1", "", "") == BINDINGS_NO_RELEASE);
    assert_true(version("session", "web@1", "", "", "") == BINDINGS_NO_RELEASE);
    set_release("web@1", "session", 3);
    assert_int_equal(version("session", "", "web@1", "", ""), 3);
}

static void
connections_are_counted_where_they_are_bound(void **state)
{
    (void)state;
    struct usage_sum sum;
    struct usage *usage = schema_get("session")->usage;
    version("session", "web@1", "", "", "");
    usage_sum(usage, 2, &sum);
    assert_int_equal(sum.connections, 1);
    version("session", "shop@2", "", "", "");
    usage_sum(usage, 2, &sum);
    assert_int_equal(sum.connections, 0);
    usage_sum(usage, 3, &sum);
    assert_int_equal(sum.connections, 1);
    bindings_free(bindings);
    bindings = NULL;
    usage_sum(usage, 3, &sum);
    assert_int_equal(sum.connections, 0);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_first_that_names_a_schema_decides),
        TEST(a_release_that_is_not_defined_is_never_the_default),
        TEST(a_deleted_release_does_not_become_the_default),
        TEST(connections_are_counted_where_they_are_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
