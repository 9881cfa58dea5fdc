#include "server/schema/mapping.h"

#include "server/core/words.h"

#include <stdlib.h>

enum { LISTENERS_MAX = 256 };

struct listener {
    uint16_t port; /* 0: the Unix socket */
    char *release; /* [owned] */
};

struct database {
    uint32_t shows;
    char *release; /* [owned] NULL: not mapped */
};

struct mapping {
    struct listener listeners[LISTENERS_MAX];
    size_t listener_count;
    uint32_t database_count;
    struct database databases[];
};

struct mapping *
mapping_new_empty(uint32_t database_count)
{
    struct mapping *mapping =
        calloc(1, sizeof(*mapping) + database_count * sizeof(*mapping->databases));
    if (mapping != NULL) {
        mapping->database_count = database_count;
        for (uint32_t i = 0; i < database_count; i++) {
            mapping->databases[i].shows = i;
        }
    }
    return mapping;
}

void
mapping_free(struct mapping *mapping)
{
    if (mapping == NULL) {
        return;
    }
    for (size_t i = 0; i < mapping->listener_count; i++) {
        free(mapping->listeners[i].release);
    }
    for (uint32_t i = 0; i < mapping->database_count; i++) {
        free(mapping->databases[i].release);
    }
    free(mapping);
}

static bool
refuse(struct buffer *ret_error, const char *directive, struct slice line, const char *reason)
{
    buffer_printf(ret_error, "%s ", directive);
    buffer_append_slice(ret_error, line);
    buffer_printf(ret_error, ": %s", reason);
    return false;
}

static char *
copy_text(struct slice text)
{
    char *copy = malloc(text.size + 1);
    if (copy != NULL) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
    }
    return copy;
}

static bool
add_listener(struct mapping *mapping, const struct words *words, struct slice line,
             struct buffer *ret_error)
{
    static const char directive[] = "listener-release";
    if (words->count != 2 || words->items[0].size == 0 || words->items[1].size == 0) {
        return refuse(ret_error, directive, line,
                      "a port (or the path of the Unix socket) and a release are wanted");
    }
    struct slice where = words->items[0];
    uint64_t port = 0;
    if (memchr(where.data, '/', where.size) == NULL &&
        (!slice_to_uint64(where, &port) || port == 0 || port > 65535)) {
        return refuse(ret_error, directive, line, "the port is not a number from 1 to 65535");
    }
    if (mapping_listener_release(mapping, (uint16_t)port).size > 0) {
        return refuse(ret_error, directive, line, "this listener has a release already");
    }
    char *release = copy_text(words->items[1]);
    if (release == NULL || mapping->listener_count == LISTENERS_MAX) {
        free(release);
        return refuse(ret_error, directive, line, "there are too many of them");
    }
    mapping->listeners[mapping->listener_count++] =
        (struct listener){.port = (uint16_t)port, .release = release};
    return true;
}

static bool
add_database(struct mapping *mapping, const struct words *words, struct slice line,
             struct buffer *ret_error)
{
    static const char directive[] = "database-release";
    uint64_t db;
    uint64_t shows;
    if (words->count != 3 || words->items[1].size == 0 ||
        !slice_to_uint64(words->items[0], &db) || !slice_to_uint64(words->items[2], &shows)) {
        return refuse(ret_error, directive, line,
                      "a database, a release, and the database to show are wanted");
    }
    if (db >= mapping->database_count || shows >= mapping->database_count) {
        return refuse(ret_error, directive, line, "there is no database of this number");
    }
    struct database *database = &mapping->databases[db];
    if (database->release != NULL) {
        return refuse(ret_error, directive, line, "this database has a release already");
    }
    database->release = copy_text(words->items[1]);
    if (database->release == NULL) {
        return refuse(ret_error, directive, line, "no memory");
    }
    database->shows = (uint32_t)shows;
    return true;
}

bool
mapping_add_listener(struct mapping *mapping, struct slice line, struct buffer *ret_error)
{
    struct words words;
    if (words_init(&words, line) != WORDS_READY) {
        return refuse(ret_error, "listener-release", line, "unbalanced quotes");
    }
    bool ok = add_listener(mapping, &words, line, ret_error);
    words_fini(&words);
    return ok;
}

bool
mapping_add_database(struct mapping *mapping, struct slice line, struct buffer *ret_error)
{
    struct words words;
    if (words_init(&words, line) != WORDS_READY) {
        return refuse(ret_error, "database-release", line, "unbalanced quotes");
    }
    bool ok = add_database(mapping, &words, line, ret_error);
    words_fini(&words);
    return ok;
}

/* A database that is shown by another must show its own data: no chains. */
static bool
check_chains(const struct mapping *mapping, struct buffer *ret_error)
{
    for (uint32_t i = 0; i < mapping->database_count; i++) {
        uint32_t shows = mapping->databases[i].shows;
        if (mapping->databases[shows].shows != shows) {
            buffer_printf(ret_error,
                          "database-release: database %u shows database %u, which itself shows "
                          "database %u",
                          i, shows, mapping->databases[shows].shows);
            return false;
        }
    }
    return true;
}

static bool
add_lines(struct mapping *mapping, struct config *config, enum config_id id,
          bool (*add)(struct mapping *mapping, struct slice line, struct buffer *ret_error),
          struct buffer *ret_error)
{
    struct buffer line;
    buffer_init(&line, 0);
    bool ok = true;
    for (size_t i = 0; ok && config_line(config, id, i, &line); i++) {
        ok = add(mapping, buffer_slice(&line), ret_error);
        buffer_clear(&line);
    }
    buffer_fini(&line);
    return ok;
}

struct mapping *
mapping_new(struct config *config, struct buffer *ret_error)
{
    struct mapping *mapping =
        mapping_new_empty((uint32_t)config_number(config, CONFIG_DATABASES));
    if (mapping == NULL) {
        buffer_append_string(ret_error, "no memory");
        return NULL;
    }
    if (!add_lines(mapping, config, CONFIG_LISTENER_RELEASE, mapping_add_listener, ret_error) ||
        !add_lines(mapping, config, CONFIG_DATABASE_RELEASE, mapping_add_database, ret_error) ||
        !check_chains(mapping, ret_error)) {
        mapping_free(mapping);
        return NULL;
    }
    return mapping;
}

struct slice
mapping_listener_release(const struct mapping *mapping, uint16_t port)
{
    for (size_t i = 0; i < mapping->listener_count; i++) {
        if (mapping->listeners[i].port == port) {
            return slice_from_string(mapping->listeners[i].release);
        }
    }
    return slice_make(NULL, 0);
}

struct slice
mapping_database_release(const struct mapping *mapping, uint32_t db)
{
    if (db >= mapping->database_count || mapping->databases[db].release == NULL) {
        return slice_make(NULL, 0);
    }
    return slice_from_string(mapping->databases[db].release);
}

uint32_t
mapping_database(const struct mapping *mapping, uint32_t db)
{
    return db < mapping->database_count ? mapping->databases[db].shows : db;
}
