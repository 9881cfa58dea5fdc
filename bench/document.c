#include "bench/document.h"

#include "proto/base/check.h"

#include <stdlib.h>

/* A document is a head, which names the user, and one of some bodies. */
enum { USER_DIGITS = 11 };

static const struct slice head = SLICE("{\"userId\":\"");

struct pair {
    struct buffer versions[2];
};

struct documents {
    size_t variants;
    struct pair pairs[];
};

struct slice
document_schema(void)
{
    static const struct slice schema =
        SLICE("{\"schema\":\"bench\",\"keys\":[\"sess:*\"],\"codec\":\"json\","
              "\"identity\":[\"/userId\"],\"default_version\":1,\"versions\":[{\"version\":1},"
              "{\"version\":2,\"steps\":["
              "{\"op\":\"rename\",\"path\":\"/lang\",\"to\":\"language\"},"
              "{\"op\":\"split\",\"path\":\"/userName\",\"separator\":\" \","
              "\"into\":[\"firstName\",\"lastName\"]},"
              "{\"op\":\"add\",\"path\":\"/theme\",\"default\":\"light\"}]}]}");
    return schema;
}

static const char *
pick(struct random *random, const char *const *names, size_t count)
{
    return names[random_take_below(random, count)];
}

static void
write_token(struct random *random, size_t size, struct buffer *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < size; i++) {
        buffer_append_char(out, letters[random_take_below(random, 64)]);
    }
}

/* Both versions of one body; their values are the same. */
static void
make_bodies(struct random *random, size_t size, struct buffer *v1, struct buffer *v2)
{
    static const char *const first[] = {"Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald"};
    static const char *const last[] = {"Lovelace", "Hopper", "Turing", "Dijkstra", "Knuth"};
    static const char *const languages[] = {"en", "de", "fr", "es", "ja"};
    static const char *const pages[] = {"/", "/search?q=tea", "/account", "/basket",
                                        "/product"};
    const char *first_name = pick(random, first, 6);
    const char *last_name = pick(random, last, 5);
    const char *language = pick(random, languages, 5);
    buffer_printf(v1, "\",\"userName\":\"%s %s\",\"lang\":\"%s\"", first_name, last_name,
                  language);
    buffer_printf(v2, "\",\"firstName\":\"%s\",\"lastName\":\"%s\",\"language\":\"%s\"",
                  first_name, last_name, language);
    struct buffer rest;
    buffer_init(&rest, 0);
    buffer_append_string(&rest, ",\"csrf\":\"");
    write_token(random, 24, &rest);
    buffer_printf(&rest,
                  "\",\"views\":%d,\"cookie\":{\"originalMaxAge\":3600000,"
                  "\"expires\":\"2026-11-%02dT%02d:15:00.000Z\",\"httpOnly\":true,"
                  "\"path\":\"/\"},\"history\":[",
                  (int)random_take_below(random, 500), (int)random_take_below(random, 28) + 1,
                  (int)random_take_below(random, 24));
    const char *separator = "";
    while (rest.size + head.size + USER_DIGITS + v1->size + 60 < size) {
        buffer_printf(&rest, "%s{\"page\":\"%s\",\"at\":%lld}", separator,
                      pick(random, pages, 5),
                      1790000000000LL + (long long)random_take_below(random, 1000000000));
        separator = ",";
    }
    buffer_append_char(&rest, ']');
    buffer_append_slice(v1, buffer_slice(&rest));
    buffer_append_char(v1, '}');
    buffer_append_slice(v2, buffer_slice(&rest));
    buffer_append_string(v2, ",\"theme\":\"dark\"}");
    CHECK(!rest.failed && !v1->failed && !v2->failed);
    buffer_fini(&rest);
}

struct documents *
documents_new(struct random *random, size_t size, size_t variants)
{
    struct documents *documents =
        calloc(1, sizeof(*documents) + variants * sizeof(documents->pairs[0]));
    CHECK(documents != NULL);
    documents->variants = variants;
    for (size_t i = 0; i < variants; i++) {
        struct buffer *versions = documents->pairs[i].versions;
        make_bodies(random, size, &versions[0], &versions[1]);
    }
    return documents;
}

void
documents_free(struct documents *documents)
{
    for (size_t i = 0; documents != NULL && i < documents->variants; i++) {
        buffer_fini(&documents->pairs[i].versions[0]);
        buffer_fini(&documents->pairs[i].versions[1]);
    }
    free(documents);
}

static const struct buffer *
body_of(const struct documents *documents, unsigned version, uint64_t variant)
{
    return &documents->pairs[variant % documents->variants].versions[version - 1];
}

void
documents_write(const struct documents *documents, unsigned version, uint64_t user,
                uint64_t variant, struct buffer *out)
{
    char digits[USER_DIGITS];
    for (size_t i = USER_DIGITS; i-- > 0; user /= 10) {
        digits[i] = (char)('0' + user % 10);
    }
    buffer_append_slice(out, head);
    buffer_append(out, digits, sizeof(digits));
    buffer_append_slice(out, buffer_slice(body_of(documents, version, variant)));
}

size_t
documents_size(const struct documents *documents, unsigned version, uint64_t variant)
{
    return head.size + USER_DIGITS + body_of(documents, version, variant)->size;
}
