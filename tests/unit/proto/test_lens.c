#include "proto/lens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* --- refusals
 * ----------------------------------------------------------------------------------- */

static void
refused(const char *json, const char *path, const char *text)
{
    struct lens_problem problem = {"", ""};
    struct lens_schema *schema = lens_schema_new(slice_from_string(json), &problem);
    if (schema != NULL) {
        fail_msg("not refused: %s", json);
    }
    if (strcmp(problem.path, path) != 0 || strstr(problem.text, text) == NULL) {
        fail_msg("%s: refused at '%s': %s", json, problem.path, problem.text);
    }
}

static void
accepted(const char *json)
{
    struct lens_problem problem = {"", ""};
    struct lens_schema *schema = lens_schema_new(slice_from_string(json), &problem);
    if (schema == NULL) {
        fail_msg("%s: refused at '%s': %s", json, problem.path, problem.text);
    }
    lens_schema_free(schema);
}

#define HEAD "{\"schema\":\"s\",\"keys\":[\"k:*\"],\"codec\":\"json\""
#define WITH(members) HEAD "," members "}"
#define STEPS(steps)                                                                           \
    WITH("\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[" steps "]}]")
#define OWNED(identity, steps)                                                                 \
    WITH("\"identity\":[" identity "],\"versions\":[{\"version\":1},{\"version\":2,"           \
         "\"steps\":[" steps "]}]")
#define ONE "\"versions\":[{\"version\":1}]"

static void
documents_are_checked(void **state)
{
    (void)state;
    accepted(WITH(ONE));
    refused("", "", "not a JSON document");
    refused("[]", "", "must be an object");
    refused("{\"keys\":[\"k\"],\"codec\":\"json\"," ONE "}", "", "'schema' is missing");
    refused("{\"schema\":\"\",\"keys\":[\"k\"],\"codec\":\"json\"," ONE "}", "/schema", "1 to");
    refused("{\"schema\":\"a b\",\"keys\":[\"k\"],\"codec\":\"json\"," ONE "}", "/schema",
            "blanks");
    refused("{\"schema\":\"s\",\"keys\":[\"k\"]," ONE "}", "", "'codec' is missing");
    refused("{\"schema\":\"s\",\"codec\":\"json\"," ONE "}", "", "'keys' is missing");
    refused("{\"schema\":\"s\",\"keys\":[],\"codec\":\"json\"," ONE "}", "/keys", "needs");
    refused("{\"schema\":\"s\",\"keys\":[\"a*b\"],\"codec\":\"json\"," ONE "}", "/keys/0",
            "exact name");
    refused("{\"schema\":\"s\",\"keys\":[\"a**\"],\"codec\":\"json\"," ONE "}", "/keys/0",
            "exact name");
    refused("{\"schema\":\"s\",\"keys\":[\"a\",\"a\"],\"codec\":\"json\"," ONE "}", "/keys/1",
            "repeated");
    refused("{\"schema\":\"s\",\"keys\":[\"a\"],\"codec\":\"yaml\"," ONE "}", "/codec",
            "codec 'yaml' is not supported yet");
    refused("{\"schema\":\"s\",\"keys\":[\"a\"],\"codec\":[\"php\",\"yaml\"]," ONE "}",
            "/codec/1", "not supported yet");
    refused("{\"schema\":\"s\",\"keys\":[\"a\"],\"codec\":[]," ONE "}", "/codec",
            "must not be empty");
    accepted("{\"schema\":\"s\",\"keys\":[\"a\"],\"codec\":[\"php\",\"json\"]," ONE "}");
    accepted(WITH("\"inside\":\"/value\"," ONE));
    refused(WITH("\"inside\":\"value\"," ONE), "/inside", "start with '/'");
    accepted("{\"schema\":\"s\",\"keys\":[\"*\",\"a\",\"b:*\"],\"codec\":\"json\","
             "\"except\":[\"*_LOCK\"],\"db\":2,\"strict\":true,\"default_version\":1,"
             "\"on_untranslatable\":\"miss\"," ONE "}");
    refused(WITH("\"color\":1," ONE), "/color", "unknown member 'color'");
    refused(WITH("\"strict\":1," ONE), "/strict", "true or false");
    refused(WITH("\"strict\":true,\"strict\":true," ONE), "/strict", "occurs twice");
    refused(WITH("\"db\":-1," ONE), "/db", "integer");
    refused(WITH("\"on_untranslatable\":\"panic\"," ONE), "/on_untranslatable", "must be");
    refused(WITH("\"default_version\":2," ONE), "/default_version", "no version 2");
    refused(WITH("\"versions\":[]"), "/versions", "needs a version");
    refused(WITH("\"versions\":[{\"version\":2}]"), "/versions/0/version", "consecutive");
    refused(WITH("\"versions\":[{\"version\":1},{\"version\":3}]"), "/versions/1/version",
            "consecutive");
    refused(WITH("\"versions\":[{\"version\":1,\"steps\":[]}]"), "/versions/0/steps",
            "no steps");
    refused(WITH("\"versions\":[{\"version\":1,\"codec\":\"yaml\"}]"), "/versions/0/codec",
            "codec 'yaml' is not supported yet");
    refused(WITH("\"versions\":[{\"version\":1,\"step\":[]}]"), "/versions/0/step", "unknown");
}

static void
ops_are_checked(void **state)
{
    (void)state;
    refused(STEPS("1"), "/versions/1/steps/0", "must be an object");
    refused(STEPS("{}"), "/versions/1/steps/0", "'op' is missing");
    refused(STEPS("{\"op\":\"drop\"}"), "/versions/1/steps/0/op", "unknown op 'drop'");
    refused(STEPS("{\"op\":\"add\",\"path\":\"/a\",\"value\":1}"), "/versions/1/steps/0/value",
            "unknown member 'value' of add");
    refused(STEPS("{\"op\":\"add\",\"path\":\"a\"}"), "/versions/1/steps/0/path", "start with");
    refused(STEPS("{\"op\":\"add\",\"path\":\"\"}"), "/versions/1/steps/0/path", "empty path");
    refused(STEPS("{\"op\":\"add\",\"path\":\"/a~2\"}"), "/versions/1/steps/0/path", "~0");
    refused(STEPS("{\"op\":\"rename\",\"path\":\"/a/b\",\"to\":\"b\"}"),
            "/versions/1/steps/0/to", "own name");
    refused(STEPS("{\"op\":\"move\",\"from\":\"/a\",\"to\":\"/a\"}"), "/versions/1/steps/0",
            "where it is");
    refused(STEPS("{\"op\":\"map\",\"path\":\"/a\",\"up\":{\"x\":1}}"),
            "/versions/1/steps/0/up/x", "strings to strings");
    refused(STEPS("{\"op\":\"map\",\"path\":\"/a\",\"up_else\":\"drop\"}"),
            "/versions/1/steps/0/up_else", "must be");
    accepted(STEPS("{\"op\":\"map\",\"path\":\"/a\",\"up_else\":{\"value\":[1]}}"));
    refused(STEPS("{\"op\":\"convert\",\"path\":\"/a\",\"from\":\"float\",\"to\":\"string\"}"),
            "/versions/1/steps/0/from", "unknown type 'float'");
    refused(STEPS("{\"op\":\"convert\",\"path\":\"/a\",\"from\":\"integer\","
                  "\"to\":\"iso-8601\"}"),
            "/versions/1/steps/0", "no conversion");
    refused(STEPS("{\"op\":\"convert\",\"path\":\"/a\",\"from\":\"string\",\"to\":\"string\"}"),
            "/versions/1/steps/0", "the same");
    refused(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":\"0.00\"}"),
            "/versions/1/steps/0/factor", "not be 0");
    refused(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":\"ten\"}"),
            "/versions/1/steps/0/factor", "must be a number");
    refused(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":\"3\"}"), "/versions/1/steps/0",
            "down_digits is needed");
    accepted(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":0.125}"));
    accepted(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":\"3\",\"down_digits\":30}"));
    refused(STEPS("{\"op\":\"scale\",\"path\":\"/a\",\"factor\":\"3\",\"down_digits\":31}"),
            "/versions/1/steps/0/down_digits", "0 to 30");
    refused(
        STEPS("{\"op\":\"split\",\"path\":\"/a\",\"separator\":\"\",\"into\":[\"b\",\"c\"]}"),
        "/versions/1/steps/0/separator", "not be empty");
    refused(STEPS("{\"op\":\"split\",\"path\":\"/a\",\"separator\":\" \",\"into\":[\"b\"]}"),
            "/versions/1/steps/0/into", "two names");
    refused(STEPS("{\"op\":\"join\",\"path\":\"/a\",\"separator\":\" \","
                  "\"from\":[\"b\",\"b\"]}"),
            "/versions/1/steps/0/from/1", "repeated");
    refused(STEPS("{\"op\":\"fill\",\"path\":\"/a\"}"), "/versions/1/steps/0", "'value'");
    accepted(STEPS("{\"op\":\"each\",\"path\":\"\",\"steps\":[]}"));
    refused(STEPS("{\"op\":\"each\",\"path\":\"/l\",\"new_key\":\"/b\",\"steps\":[]}"),
            "/versions/1/steps/0/new_key", "without key");
    refused(STEPS("{\"op\":\"each\",\"path\":\"/l\",\"key\":\"/m/id\",\"steps\":["
                  "{\"op\":\"add\",\"path\":\"/x\"},{\"op\":\"wrap\",\"path\":\"/m\"}]}"),
            "/versions/1/steps/0/steps/1", "names the key");
    accepted(STEPS("{\"op\":\"each\",\"path\":\"/l\",\"key\":\"/id\",\"new_key\":\"/no\","
                   "\"steps\":[{\"op\":\"rename\",\"path\":\"/id\",\"to\":\"no\"}]}"));
    refused(STEPS("{\"op\":\"filter\",\"path\":\"/l\",\"hide\":{\"path\":\"/k\"}}"),
            "/versions/1/steps/0/hide", "'values' is missing");
#define NEST(inner) "{\"op\":\"each\",\"path\":\"/l\",\"steps\":[" inner "]}"
    accepted(STEPS(NEST(NEST(NEST(NEST("{\"op\":\"add\",\"path\":\"/x\"}"))))));
    refused(STEPS(NEST(NEST(NEST(NEST(NEST("")))))),
            "/versions/1/steps/0/steps/0/steps/0/steps/0/steps/0", "nested more than 4");
}

static void
a_step_has_at_most_256_ops(void **state)
{
    (void)state;
    char *json = malloc(65536);
    assert_non_null(json);
    for (int count = 256; count <= 257; count++) {
        size_t size = (size_t)sprintf(json, "%s",
                                      HEAD ",\"versions\":[{\"version\":1},"
                                           "{\"version\":2,\"steps\":[");
        for (int i = 0; i < count; i++) {
            size += (size_t)sprintf(json + size, "%s{\"op\":\"add\",\"path\":\"/a%d\"}",
                                    i == 0 ? "" : ",", i);
        }
        strcpy(json + size, "]}]}");
        if (count == 256) {
            accepted(json);
        } else {
            refused(json, "/versions/1/steps", "more than 256 ops");
        }
    }
    free(json);
}

static void
identity_members_are_left_alone(void **state)
{
    (void)state;
    static const char at[] = "/versions/1/steps/0";
    accepted(OWNED("\"/u\"", "{\"op\":\"rename\",\"path\":\"/u\",\"to\":\"v\"},"
                             "{\"op\":\"move\",\"from\":\"/v\",\"to\":\"/w/v\"},"
                             "{\"op\":\"rename\",\"path\":\"/w\",\"to\":\"x\"},"
                             "{\"op\":\"wrap\",\"path\":\"/x/v\"},"
                             "{\"op\":\"unwrap\",\"path\":\"/x/v\"},"
                             "{\"op\":\"add\",\"path\":\"/u\"}"));
    accepted(OWNED("\"/u\"", "{\"op\":\"move\",\"from\":\"/u\",\"to\":\"/u/id\"}"));
    refused(OWNED("\"/u\"", "{\"op\":\"rename\",\"path\":\"/u\",\"to\":\"v\"},"
                            "{\"op\":\"remove\",\"path\":\"/v\"}"),
            "/versions/1/steps/1", "identity");
    refused(OWNED("\"/u/id\"", "{\"op\":\"remove\",\"path\":\"/u\"}"), at, "identity");
    refused(OWNED("\"/u\"", "{\"op\":\"add\",\"path\":\"/u/x\"}"), at, "identity");
    refused(OWNED("\"/u\"", "{\"op\":\"map\",\"path\":\"/u\"}"), at, "identity");
    refused(OWNED("\"/u\"", "{\"op\":\"split\",\"path\":\"/n\",\"separator\":\" \","
                            "\"into\":[\"a\",\"u\"]}"),
            at, "identity");
    refused(OWNED("\"/u\"", "{\"op\":\"each\",\"path\":\"\",\"steps\":[]}"), at, "identity");
    refused(OWNED("\"/u\"", "{\"op\":\"rename\",\"path\":\"/n\",\"to\":\"u\"}"), at,
            "identity");
    refused(OWNED("\"\"", ""), "/identity/0", "empty path");
}

static struct lens_schema *
schema_of(const char *json)
{
    struct lens_problem problem;
    struct lens_schema *schema = lens_schema_new(slice_from_string(json), &problem);
    if (schema == NULL) {
        fail_msg("%s: refused at '%s': %s", json, problem.path, problem.text);
    }
    return schema;
}

static void
published_steps_never_change(void **state)
{
    (void)state;
    struct lens_problem problem;
    struct lens_schema *old =
        schema_of(STEPS("{\"op\":\"add\",\"path\":\"/a\",\"default\":1}"));
    struct lens_schema *spelled =
        schema_of(STEPS(" { \"path\":\"/\\u0061\", \"default\":1.0, \"op\":\"add\"}"));
    struct lens_schema *other =
        schema_of(STEPS("{\"op\":\"add\",\"path\":\"/a\",\"default\":2}"));
    struct lens_schema *more = schema_of(
        WITH("\"strict\":true,\"versions\":[{\"version\":1},{\"version\":2,\"steps\":["
             "{\"op\":\"add\",\"path\":\"/a\",\"default\":1}]},{\"version\":3}]"));
    struct lens_schema *owned =
        schema_of(OWNED("\"/u\"", "{\"op\":\"add\",\"path\":\"/a\",\"default\":1}"));
    assert_true(lens_schema_may_follow(old, spelled, &problem));
    assert_true(lens_schema_may_follow(old, more, &problem));
    assert_false(lens_schema_may_follow(old, other, &problem));
    assert_string_equal(problem.path, "/versions/1/steps");
    assert_false(lens_schema_may_follow(more, old, &problem));
    assert_string_equal(problem.path, "/versions");
    assert_false(lens_schema_may_follow(old, owned, &problem));
    assert_string_equal(problem.path, "/identity");
    lens_schema_free(old);
    lens_schema_free(spelled);
    lens_schema_free(other);
    lens_schema_free(more);
    lens_schema_free(owned);
}

/* --- views, to the byte
 * -------------------------------------------------------------------------- */

/* <older> as version 1 shows <newer> as 2, and the other way round, without memory. */
static void
shows(const struct lens_schema *schema, unsigned from, const char *body, unsigned to,
      const char *expected)
{
    struct arena arena;
    struct slice view;
    struct lens_failure failure;
    struct lens_record record = {.version = from, .body = slice_from_string(body)};
    arena_init(&arena, 0);
    if (!lens_view(schema, &record, to, &arena, &view, &failure)) {
        char text[512];
        snprintf(text, sizeof(text), "%s %u->%u %s: %s", lens_reason_name(failure.reason),
                 failure.from, failure.to, failure.path, failure.text);
        if (expected[0] == '{' || strstr(text, expected) == NULL) {
            fail_msg("%s: %s, not %s", body, text, expected);
        }
    } else if (!slice_equal(view, slice_from_string(expected))) {
        fail_msg("%s: %.*s, not %s", body, (int)view.size, view.data, expected);
    }
    arena_fini(&arena);
}

static void
op_shows(const char *steps, const char *older, const char *newer)
{
    char json[2048];
    snprintf(json, sizeof(json),
             HEAD ",\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[%s]}]}", steps);
    struct lens_schema *schema = schema_of(json);
    /* A side that ends in a blank is only looked at, not translated itself. */
    char trimmed[512];
    const char *sides[2] = {older, newer};
    for (unsigned i = 0; i < 2; i++) {
        const char *other = sides[1 - i];
        size_t size = strlen(other);
        if (sides[i][0] == '{' && sides[i][strlen(sides[i]) - 1] != ' ') {
            snprintf(trimmed, sizeof(trimmed), "%.*s",
                     (int)(other[size - 1] == ' ' ? size - 1 : size), other);
            shows(schema, 1 + i, sides[i], 2 - i, trimmed);
        }
    }
    lens_schema_free(schema);
}

static void
ops_do_what_the_table_says(void **state)
{
    (void)state;
    static const char rename[] = "{\"op\":\"rename\",\"path\":\"/a/b\",\"to\":\"c\"}";
    op_shows(rename, "{ \"a\" : { \"x\":1 , \"b\" : 1.0 , \"y\":2 } }",
             "{ \"a\" : { \"x\":1 , \"c\" : 1.0 , \"y\":2 } }");
    op_shows(rename, "{\"a\":5}", "{\"a\":5}");
    op_shows(rename, "{\"a\":{\"c\":1}}", "collision 1->2 /a/c");
    op_shows(rename, "collision 2->1 /a/b", "{\"a\":{\"c\":1,\"b\":2}}");
    op_shows(rename, "{\"a\":{\"b\":1,\"b\":2}}", "duplicate 1->2 /a/b");
    op_shows(rename, "{\"a\":1,\"\\u0061\":2}", "duplicate");

    static const char add[] = "{\"op\":\"add\",\"path\":\"/t\",\"default\":{ \"k\" : [ 1 ] }}";
    op_shows(add, "{\"a\":1}", "{\"a\":1,\"t\":{\"k\":[1]}}");
    op_shows(add, "{ }", "{ \"t\":{\"k\":[1]}}");
    op_shows(add, "{\"t\":1}", "collision 1->2 /t");
    op_shows("{\"op\":\"remove\",\"path\":\"/t\",\"default\":0}", "{\"a\":1,\"t\":0}",
             "{\"a\":1}");
    op_shows("{\"op\":\"add\",\"path\":\"/p/t\",\"default\":0}", "{\"p\":1}", "{\"p\":1}");

    static const char move[] = "{\"op\":\"move\",\"from\":\"/m\",\"to\":\"/n/o/m\"}";
    op_shows(move, "{\"a\":1,\"m\":2}", "{\"a\":1,\"n\":{\"o\":{\"m\":2}}} ");
    op_shows(move, "{\"a\":1,\"n\":{\"o\":{}},\"m\":2} ", "{\"a\":1,\"n\":{\"o\":{\"m\":2}}}");
    op_shows(move, "{\"m\":2,\"n\":5}", "type 1->2 /n/o/m");
    op_shows(move, "{\"n\":5}", "{\"n\":5}");
    op_shows(move, "{\"n\":{\"o\":{\"m\":1}}}", "collision");
    op_shows(move, "collision 2->1 /m", "{\"m\":1}");
    static const char sink[] = "{\"op\":\"move\",\"from\":\"/u\",\"to\":\"/u/v/id\"}";
    op_shows(sink, "{\"a\":1,\"u\":{\"x\":2},\"b\":3}",
             "{\"a\":1,\"u\":{\"v\":{\"id\":{\"x\":2}}},\"b\":3}");
    op_shows(sink, "collision 2->1 /u", "{\"u\":{\"v\":{\"id\":1,\"x\":1}}}");
    op_shows(sink, "collision 2->1 /u", "{\"u\":{}}");
    op_shows(sink, "{}", "{}");

    op_shows("{\"op\":\"wrap\",\"path\":\"/w\"}", "{\"w\":1}", "{\"w\":[1]}");
    op_shows("{\"op\":\"wrap\",\"path\":\"/w\"}", "{\"w\":null}", "{\"w\":[]}");
    op_shows("{\"op\":\"unwrap\",\"path\":\"/w\"}", "{\"w\":{}}", "type 1->2 /w: not an array");

    static const char split[] = "{\"op\":\"split\",\"path\":\"/n\",\"separator\":\", \","
                                "\"into\":[\"x\",\"y\",\"z\"]}";
    op_shows(split, "{\"a\":1,\"n\":\"p, q, r, s\",\"b\":2}",
             "{\"a\":1,\"x\":\"p\",\"y\":\"q\",\"z\":\"r, s\",\"b\":2}");
    op_shows(split, "{\"n\":null}", "type");
    op_shows(split, "{\"x\":1}", "collision");
    op_shows(split, "{\"n\":\"r\"}", "{\"x\":\"r\",\"y\":\"\",\"z\":\"\"}");
    op_shows(split, "{\"n\":\"r\"} ", "{\"z\":\"r\",\"x\":\"\"}");
    op_shows("{\"op\":\"fill\",\"path\":\"/f\",\"value\":1}", "{\"a\":0}",
             "{\"a\":0,\"f\":1} ");
}

static void
values_convert_as_the_text_says(void **state)
{
    (void)state;
#define CONVERT(from, to)                                                                      \
    "{\"op\":\"convert\",\"path\":\"/v\",\"from\":\"" from "\",\"to\":\"" to "\"}"
    op_shows(CONVERT("integer", "string"), "{\"v\":-120e-1}", "{\"v\":\"-12\"} ");
    op_shows(CONVERT("integer", "string"), "{\"v\":1.5}", "type 1->2 /v: not an integer");
    op_shows(CONVERT("integer", "string"), "type", "{\"v\":\"007\"}");
    op_shows(CONVERT("integer", "string"), "type", "{\"v\":\"1 \"}");
    op_shows(CONVERT("integer", "string"), "{\"v\":12345678901234567890123}",
             "{\"v\":\"12345678901234567890123\"}");
    op_shows(CONVERT("integer", "string"), "{\"v\":1e1000}", "too-long");
    op_shows(CONVERT("integer", "boolean"), "{\"v\":0}", "{\"v\":false}");
    op_shows(CONVERT("integer", "boolean"), "{\"v\":2}", "type");
    op_shows(CONVERT("string", "boolean"), "{\"v\":\"true\"}", "{\"v\":true}");
    op_shows(CONVERT("string", "boolean"), "{\"v\":null}", "type");
    op_shows(CONVERT("unix-seconds", "iso-8601"), "{\"v\":1709204400.25}",
             "{\"v\":\"2024-02-29T11:00:00.25Z\"}");
    op_shows(CONVERT("unix-seconds", "iso-8601"), "{\"v\":-62167219201}", "range");
    op_shows(CONVERT("unix-seconds", "iso-8601"), "{\"v\":1e-10}", "inexact");
    op_shows(CONVERT("unix-milliseconds", "iso-8601"), "{\"v\":-1}",
             "{\"v\":\"1969-12-31T23:59:59.999Z\"}");
    op_shows(CONVERT("unix-seconds", "iso-8601"), "type", "{\"v\":\"2023-02-29T11:00:00Z\"}");
    op_shows(CONVERT("unix-seconds", "iso-8601"), "type", "{\"v\":\"2024-02-29T11:00:60Z\"}");
    op_shows(CONVERT("unix-seconds", "unix-milliseconds"), "{\"v\":0.0005}", "{\"v\":0.5}");
#define SCALE(rest) "{\"op\":\"scale\",\"path\":\"/v\",\"factor\":" rest "}"
    op_shows(SCALE("\"100\""), "{\"v\":19.99}", "{\"v\":1999}");
    op_shows(SCALE("\"100\",\"up_digits\":0"), "{\"v\":1.005}", "{\"v\":100} ");
    op_shows(SCALE("\"100\",\"up_digits\":0"), "{\"v\":1.015}", "{\"v\":102} ");
    op_shows(SCALE("\"-3\",\"down_digits\":4"), "{\"v\":-0.3333} ", "{\"v\":1}");
    op_shows(SCALE("\"100\""), "{\"v\":1e998}", "too-long");
    op_shows(SCALE("\"100\""), "{\"v\":\"1\"}", "type 1->2 /v: not a number");
#define MAP(rest) "{\"op\":\"map\",\"path\":\"/v\"," rest "}"
    op_shows(MAP("\"up\":{\"a\":\"b\"}"), "{\"v\":\"\\u0061\"}", "{\"v\":\"b\"} ");
    op_shows(MAP("\"up\":{\"a\":\"b\"}"), "{\"v\":\"c\"}", "unmapped 1->2 /v");
    op_shows(MAP("\"up_else\":\"keep\",\"down_else\":{\"value\":{ \"x\" : 1 }}"),
             "{\"v\":{\"x\":1}} ", "{\"v\":7}");
}

/* --- histories
 * ------------------------------------------------------------------------------------ */

/* One record, its bytes kept from call to call in an arena that only grows. */
struct history {
    struct lens_schema *schema;
    struct arena arena;
    struct lens_record record;
    bool exists;
};

static struct history
history_of(const char *json)
{
    struct history history = {.schema = schema_of(json)};
    arena_init(&history.arena, 0);
    return history;
}

static void
history_end(struct history *history)
{
    lens_schema_free(history->schema);
    arena_fini(&history->arena);
}

static enum lens_write
writes(struct history *history, unsigned by, const char *body)
{
    struct lens_record next;
    struct lens_failure failure;
    enum lens_write done =
        lens_write(history->schema, history->exists ? &history->record : NULL, by,
                   slice_from_string(body), &history->arena, &next, &failure);
    if (done != LENS_WRITE_REFUSED) {
        history->record = next;
        history->exists = true;
    }
    return done;
}

static void
reads(struct history *history, unsigned as, const char *expected)
{
    struct slice view;
    struct lens_failure failure;
    if (!lens_view(history->schema, &history->record, as, &history->arena, &view, &failure)) {
        if (expected[0] == '{') {
            fail_msg("as %u: %s at %s: %s", as, lens_reason_name(failure.reason), failure.path,
                     failure.text);
        }
        assert_string_equal(lens_reason_name(failure.reason), expected);
    } else if (!slice_equal(view, slice_from_string(expected))) {
        fail_msg("as %u: %.*s, not %s", as, (int)view.size, view.data, expected);
    }
}

static void
an_owner_stays_an_owner_until_changed(void **state)
{
    (void)state;
    struct history history = history_of(
        STEPS("{\"op\":\"map\",\"path\":\"/r\",\"up\":{\"admin\":\"admin\",\"user\":\"user\"},"
              "\"down\":{\"admin\":\"admin\",\"user\":\"user\",\"owner\":\"admin\"}}"));
    writes(&history, 2, "{\"r\":\"owner\",\"n\":1}");
    reads(&history, 1, "{\"r\":\"admin\",\"n\":1}");
    writes(&history, 1, "{\"r\":\"admin\",\"n\":2}");
    reads(&history, 2, "{\"r\":\"owner\",\"n\":2}");
    writes(&history, 1, "{\"r\":\"user\",\"n\":2}");
    reads(&history, 2, "{\"r\":\"user\",\"n\":2}");
    writes(&history, 1, "{\"r\":\"admin\",\"n\":2}");
    reads(&history, 2, "{\"r\":\"admin\",\"n\":2}");
    history_end(&history);
}

static void
a_failing_op_forgets_its_own_shadow_only(void **state)
{
    (void)state;
    struct history history =
        history_of(STEPS("{\"op\":\"map\",\"path\":\"/"
                         "a\",\"up\":{\"1\":\"1\"},\"down\":{\"1\":\"1\",\"2\":\"1\"}},"
                         "{\"op\":\"map\",\"path\":\"/"
                         "b\",\"up\":{\"1\":\"1\"},\"down\":{\"1\":\"1\",\"2\":\"1\"}},"
                         "{\"op\":\"add\",\"path\":\"/h\"}"));
    writes(&history, 2, "{\"a\":\"2\",\"b\":\"2\",\"h\":7}");
    reads(&history, 1, "{\"a\":\"1\",\"b\":\"1\"}");
    writes(&history, 1, "{\"a\":\"bad\",\"b\":\"1\"}");
    reads(&history, 2, "unmapped");
    writes(&history, 1, "{\"a\":\"1\",\"b\":\"1\"}");
    reads(&history, 2, "{\"a\":\"1\",\"b\":\"2\",\"h\":7}");
    history_end(&history);
}

static void
another_user_sees_nothing_of_the_last(void **state)
{
    (void)state;
    struct history history =
        history_of(OWNED("\"/u\"", "{\"op\":\"move\",\"from\":\"/u\",\"to\":\"/w/u\"},"
                                   "{\"op\":\"add\",\"path\":\"/s\"}"));
    writes(&history, 2, "{\"w\":{\"u\":1},\"s\":\"one\"}");
    writes(&history, 1, "{\"u\":1.0,\"x\":0}");
    reads(&history, 2, "{\"x\":0,\"w\":{\"u\":1.0},\"s\":\"one\"}");
    writes(&history, 1, "{\"u\":2}");
    reads(&history, 2, "{\"w\":{\"u\":2}}");

    writes(&history, 2, "{\"w\":{\"u\":2},\"s\":\"two\"}");
    writes(&history, 1, "{}");
    reads(&history, 2, "{}");
    writes(&history, 2, "{\"s\":\"anonymous\"}");
    writes(&history, 1, "{\"u\":3}"); /* a login keeps what the visitor had */
    reads(&history, 2, "{\"s\":\"anonymous\",\"w\":{\"u\":3}}");
    writes(&history, 1, "{\"u\":3,\"u\":3}");
    reads(&history, 2, "duplicate");
    writes(&history, 1, "{\"u\":3}");
    reads(&history, 2, "{\"w\":{\"u\":3}}");

    writes(&history, 2, "{\"w\":{\"u\":null},\"s\":\"null\"}");
    writes(&history, 1, "{\"u\":4}");
    reads(&history, 2, "{\"w\":{\"u\":4}}");
    writes(&history, 2, "{\"w\":{\"u\":4},\"s\":\"four\"}");
    writes(&history, 1, "{\"u\":4,");
    assert_int_equal(history.record.complement.size, 0);
    history_end(&history);
}

static void
elements_keep_what_is_theirs(void **state)
{
    (void)state;
    struct history history = history_of(
        STEPS("{\"op\":\"each\",\"path\":\"/l\",\"key\":\"/id\",\"steps\":["
              "{\"op\":\"add\",\"path\":\"/h\"}]},"
              "{\"op\":\"filter\",\"path\":\"/l\",\"key\":\"/id\",\"hide\":{\"path\":\"/k\","
              "\"values\":[\"x\"]}}"));
    writes(&history, 2,
           "{\"l\":[{\"id\":0,\"k\":\"x\"},{\"id\":1,\"h\":\"a\"},"
           "{\"id\":2,\"k\":\"x\"},{\"id\":2,\"h\":\"b\"},{\"id\":2,\"h\":\"c\"}]}");
    reads(&history, 1, "{\"l\":[{\"id\":1},{\"id\":2},{\"id\":2}]}");
    writes(&history, 1, "{\"l\":[{\"id\":2},{\"id\":9},{\"id\":2e0},{\"id\":1}]}");
    reads(&history, 2,
          "{\"l\":[{\"id\":0,\"k\":\"x\"},{\"id\":2,\"h\":\"b\"},{\"id\":9},"
          "{\"id\":2e0,\"h\":\"c\"},{\"id\":1,\"h\":\"a\"},{\"id\":2,\"k\":\"x\"}]}");
    /* What has lost its neighbour stands at the end, and behind whatever stands there. */
    writes(&history, 1, "{\"l\":[{\"id\":2}]}");
    writes(&history, 1, "{\"l\":[{\"id\":2},{\"id\":1}]}");
    reads(&history, 2,
          "{\"l\":[{\"id\":0,\"k\":\"x\"},{\"id\":2,\"h\":\"b\"},"
          "{\"id\":2,\"k\":\"x\"},{\"id\":1}]}");
    history_end(&history);
}

static void
a_record_that_cannot_be_rebased_goes_aside(void **state)
{
    (void)state;
    struct history history = history_of(STEPS("{\"op\":\"wrap\",\"path\":\"/a\"}"));
    assert_int_equal(writes(&history, 2, "{\"a\":5}"), LENS_WRITE_OK);
    assert_int_equal(writes(&history, 1, "{\"a\":1}"), LENS_WRITE_QUARANTINE);
    reads(&history, 2, "{\"a\":[1]}");
    assert_int_equal(writes(&history, 1, "no document"), LENS_WRITE_OK);
    reads(&history, 2, "syntax");
    history.record.version = 7;
    reads(&history, 2, "no-version");
    history_end(&history);

    history = history_of(WITH("\"strict\":true," ONE));
    assert_int_equal(writes(&history, 1, "{\"a\":5,}"), LENS_WRITE_REFUSED);
    assert_int_equal(writes(&history, 1, " [] "), LENS_WRITE_OK);
    history_end(&history);
}

static void
a_redefined_step_discards_what_it_remembered(void **state)
{
    (void)state;
    struct history history = history_of(WITH(
        "\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[{\"op\":\"add\","
        "\"path\":\"/a\"}]},{\"version\":3,\"steps\":[{\"op\":\"add\",\"path\":\"/b\"}]}]"));
    writes(&history, 3, "{\"b\":2,\"a\":1}");
    writes(&history, 1, "{}");
    reads(&history, 3, "{\"b\":2,\"a\":1}");
    lens_schema_free(history.schema);
    history.schema = schema_of(
        WITH("\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[{\"op\":\"add\","
             "\"path\":\"/a\",\"default\":0}]},{\"version\":3,\"steps\":[{\"op\":\"add\","
             "\"path\":\"/b\"}]}]"));
    reads(&history, 3, "{\"b\":2,\"a\":0}");
    history_end(&history);
}

static void
limits_bound_what_comes_out(void **state)
{
    (void)state;
    struct arena arena;
    struct slice view;
    struct lens_failure failure;
    char body[400];
    struct lens_schema *schema = schema_of(
        WITH("\"limits\":{\"depth\":4,\"output_factor\":1,\"output_bytes\":8,"
             "\"complement_factor\":0,\"complement_bytes\":64},\"versions\":[{\"version\":1},"
             "{\"version\":2,\"steps\":[{\"op\":\"wrap\",\"path\":\"/a\"},"
             "{\"op\":\"add\",\"path\":\"/long\"}]}]"));
    arena_init(&arena, 0);
    struct lens_record record = {.version = 1, .body = SLICE_OF("{\"a\":[[1]]}")};
    assert_true(lens_view(schema, &record, 2, &arena, &view, &failure));
    record.body = SLICE_OF("{\"a\":[[[1]]]}");
    assert_false(lens_view(schema, &record, 2, &arena, &view, &failure));
    assert_int_equal(failure.reason, LENS_BUDGET);
    record.body = SLICE_OF("{\"a\":[[[[1]]]]}");
    assert_false(lens_view(schema, &record, 2, &arena, &view, &failure));
    assert_int_equal(failure.reason, LENS_BUDGET);
    assert_false(lens_is_document(schema, 1, record.body));

    /* A hidden member larger than a complement may be. */
    snprintf(body, sizeof(body), "{\"long\":\"%0100d\"}", 0);
    record = (struct lens_record){.version = 2, .body = slice_from_string(body)};
    assert_false(lens_view(schema, &record, 1, &arena, &view, &failure));
    assert_int_equal(failure.reason, LENS_BUDGET);
    struct lens_record rebased;
    assert_false(lens_rebase(schema, &record, 1, &arena, &rebased, &failure));
    assert_int_equal(failure.reason, LENS_BUDGET);
    assert_int_equal(lens_write(schema, &record, 1, SLICE_OF("{}"), &arena, &rebased, &failure),
                     LENS_WRITE_QUARANTINE);
    arena_fini(&arena);
    lens_schema_free(schema);
}

static void
a_small_arena_makes_every_call_fail_cleanly(void **state)
{
    (void)state;
    struct lens_schema *schema = schema_of(
        STEPS("{\"op\":\"each\",\"path\":\"/l\",\"key\":\"/id\",\"steps\":[{\"op\":\"scale\","
              "\"path\":\"/p\",\"factor\":\"100\",\"up_digits\":0},{\"op\":\"add\",\"path\":\"/"
              "n\"}]},"
              "{\"op\":\"move\",\"from\":\"/m\",\"to\":\"/o/m\"},"
              "{\"op\":\"split\",\"path\":\"/s\",\"separator\":\" \",\"into\":[\"x\",\"y\"]}"));
    const struct slice body = SLICE("{\"l\":[{\"id\":1,\"p\":1.005},{\"id\":2,\"p\":2}],"
                                    "\"m\":{\"k\":1},\"s\":\"a b c\"}");
    struct lens_record record = {.version = 1, .body = body};
    struct lens_record rebased;
    bool done = false;
    for (size_t limit = 16; !done; limit += 16) {
        struct arena arena;
        struct slice view;
        struct lens_failure failure;
        arena_init(&arena, limit);
        done = lens_view(schema, &record, 2, &arena, &view, &failure);
        arena_clear(&arena);
        if (!done) {
            assert_int_equal(failure.reason, LENS_BUDGET);
        }
        done = lens_rebase(schema, &record, 2, &arena, &rebased, &failure);
        if (!done) {
            assert_int_equal(failure.reason, LENS_BUDGET);
        } else {
            struct lens_record kept = rebased;
            done = false;
            for (size_t more = 16; !done; more += 16) {
                struct arena small;
                struct lens_record next;
                arena_init(&small, more);
                enum lens_write wrote =
                    lens_write(schema, &kept, 1, SLICE_OF("{\"l\":[{\"id\":1,\"p\":3}]}"),
                               &small, &next, &failure);
                done = wrote == LENS_WRITE_OK;
                if (!done) {
                    assert_int_equal(failure.reason, LENS_BUDGET);
                }
                arena_fini(&small);
            }
        }
        arena_fini(&arena);
    }
    lens_schema_free(schema);
}

static void
note_ops(void *context, const struct lens_note *note)
{
    char *text = context;
    sprintf(text + strlen(text), "%u->%u %s %.*s: %s\n", note->from, note->to, note->op,
            (int)note->path.size, note->path.data, note->text);
}

static void
explain_says_what_ran(void **state)
{
    (void)state;
    char text[1024] = "";
    struct slice view;
    struct lens_failure failure;
    struct history history = history_of(STEPS(
        "{\"op\":\"rename\",\"path\":\"/a\",\"to\":\"b\"},"
        "{\"op\":\"add\",\"path\":\"/t\",\"default\":1},{\"op\":\"wrap\",\"path\":\"/none\"}"));
    writes(&history, 1, "{\"a\":0}");
    assert_true(lens_explain(history.schema, &history.record, 2, &history.arena, note_ops, text,
                             &view, &failure));
    assert_string_equal(text, "1->2 rename /a: renamed\n1->2 add /t: default\n");
    assert_true(slice_equal(view, SLICE_OF("{\"b\":0,\"t\":1}")));
    history_end(&history);
}

static void
what_only_other_versions_have_can_be_forgotten(void **state)
{
    (void)state;
    struct lens_schema *schema = schema_of(
        HEAD ",\"versions\":[{\"version\":1},{\"version\":2,\"steps\":[{\"op\":\"remove\","
             "\"path\":\"/one\"}]},{\"version\":3,\"steps\":[{\"op\":\"add\",\"path\":"
             "\"/three\"}]}]}");
    struct arena arena;
    struct lens_failure failure;
    arena_init(&arena, 0);
    struct lens_record first = {.version = 1, .body = SLICE_OF("{\"one\":1}")};
    struct lens_record third;
    struct lens_record second;
    struct slice view;
    assert_int_equal(
        lens_write(schema, &first, 3, SLICE_OF("{\"three\":3}"), &arena, &third, &failure),
        LENS_WRITE_OK);
    assert_true(lens_rebase(schema, &third, 2, &arena, &second, &failure));
    struct lens_record kept = second;
    assert_true(lens_forget(schema, &second, 1, 3, &arena, &kept.complement));
    assert_true(slice_equal(kept.complement, second.complement));
    assert_true(lens_forget(schema, &second, 2, 3, &arena, &kept.complement));
    assert_true(lens_view(schema, &kept, 3, &arena, &view, &failure));
    assert_true(slice_equal(view, SLICE_OF("{\"three\":3}")));
    assert_true(lens_view(schema, &kept, 1, &arena, &view, &failure));
    assert_true(slice_equal(view, SLICE_OF("{}")));
    assert_true(lens_forget(schema, &second, 1, 2, &arena, &kept.complement));
    assert_true(lens_view(schema, &kept, 1, &arena, &view, &failure));
    assert_true(slice_equal(view, SLICE_OF("{\"one\":1}")));
    assert_true(lens_forget(schema, &second, 2, 2, &arena, &kept.complement));
    assert_int_equal(kept.complement.size, 0);
    second.complement = SLICE_OF("\x01\xff\xff"); /* nothing that we wrote */
    assert_true(lens_forget(schema, &second, 1, 3, &arena, &kept.complement));
    assert_int_equal(kept.complement.size, 0);
    arena_fini(&arena);
    lens_schema_free(schema);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_checked),
        cmocka_unit_test(ops_are_checked),
        cmocka_unit_test(a_step_has_at_most_256_ops),
        cmocka_unit_test(identity_members_are_left_alone),
        cmocka_unit_test(published_steps_never_change),
        cmocka_unit_test(ops_do_what_the_table_says),
        cmocka_unit_test(values_convert_as_the_text_says),
        cmocka_unit_test(an_owner_stays_an_owner_until_changed),
        cmocka_unit_test(a_failing_op_forgets_its_own_shadow_only),
        cmocka_unit_test(another_user_sees_nothing_of_the_last),
        cmocka_unit_test(elements_keep_what_is_theirs),
        cmocka_unit_test(a_record_that_cannot_be_rebased_goes_aside),
        cmocka_unit_test(a_redefined_step_discards_what_it_remembered),
        cmocka_unit_test(limits_bound_what_comes_out),
        cmocka_unit_test(a_small_arena_makes_every_call_fail_cleanly),
        cmocka_unit_test(explain_says_what_ran),
        cmocka_unit_test(what_only_other_versions_have_can_be_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
