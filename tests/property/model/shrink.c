#include "proto/base/check.h"
#include "tests/property/model/history.h"

#include <stdio.h>

struct shrinker {
    struct arena *arena;
    enum law law;
    size_t tries_left;
};

static bool
still_fails(struct shrinker *shrinker, const struct history *history)
{
    struct tally tally = {0};
    struct violation violation = {0};
    if (shrinker->tries_left == 0) {
        return false;
    }
    shrinker->tries_left--;
    buffer_init(&violation.text, 0);
    bool fails = history_check(history, &tally, &violation) == HISTORY_FAILED &&
                 violation.law == shrinker->law;
    buffer_fini(&violation.text);
    return fails;
}

static struct history
history_copy(struct arena *arena, const struct history *history)
{
    struct history copy = *history;
    copy.events = arena_calloc(arena, history->count + 1, sizeof(*copy.events));
    CHECK(copy.events != NULL);
    memcpy(copy.events, history->events, history->count * sizeof(*copy.events));
    return copy;
}

static bool
drop_events(struct shrinker *shrinker, struct history *history)
{
    bool any = false;
    for (size_t i = history->count; i-- > 0;) {
        struct history less = history_copy(shrinker->arena, history);
        memmove(less.events + i, less.events + i + 1,
                (less.count - i - 1) * sizeof(*less.events));
        less.count--;
        if (still_fails(shrinker, &less)) {
            *history = less;
            any = true;
        }
    }
    return any;
}

/* May a schema document do without this member? Elements of lists always may be tried. */
static bool
is_optional(struct slice name)
{
    static const char *const names[] = {"default",     "key",    "new_key",  "up_else",
                                        "down_else",   "up",     "down",     "up_digits",
                                        "down_digits", "strict", "identity", "steps"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (slice_equal(name, slice_from_string(names[i]))) {
            return true;
        }
    }
    return false;
}

/* Delete the n-th thing that may be deleted; *n counts down to it. */
static bool
delete_nth(struct value *value, bool schema, bool table, size_t *n)
{
    for (size_t i = 0; i < value->count; i++) {
        struct slice name = value->members[i].name;
        bool nested_steps = schema && slice_equal(name, SLICE_OF("steps"));
        bool deletable = !schema || value->kind == VALUE_ARRAY || table ||
                         (is_optional(name) && !nested_steps);
        if (deletable && (*n)-- == 0) {
            value_remove(value, i);
            return true;
        }
        bool inner_table = table || slice_equal(name, SLICE_OF("up")) ||
                           slice_equal(name, SLICE_OF("down")) ||
                           slice_equal(name, SLICE_OF("default"));
        value->raw = (struct slice){0};
        if (delete_nth(value->members[i].value, schema, schema && inner_table, n)) {
            return true;
        }
    }
    return false;
}

static bool
shrink_schema(struct shrinker *shrinker, struct history *history)
{
    bool any = false;
    for (size_t n = 0;;) {
        struct history less = *history;
        size_t nth = n;
        less.schema = value_copy(shrinker->arena, history->schema);
        if (!delete_nth(less.schema, true, false, &nth) || shrinker->tries_left == 0) {
            return any;
        }
        if (still_fails(shrinker, &less)) {
            *history = less;
            any = true;
        } else {
            n++;
        }
    }
}

/* Version 1 goes, and the steps that lead from it; writers and readers move down by one. */
static bool
drop_first_version(struct shrinker *shrinker, struct history *history)
{
    struct history less = history_copy(shrinker->arena, history);
    less.schema = value_copy(shrinker->arena, history->schema);
    struct value *versions = value_get_string(less.schema, "versions");
    if (versions->count < 3) {
        return false;
    }
    size_t steps = value_index(versions->members[1].value, SLICE_OF("steps"));
    if (steps != SIZE_MAX) {
        value_remove(versions->members[1].value, steps);
    }
    value_remove(versions, 0);
    for (size_t i = 0; i < versions->count; i++) {
        static const char *const numbers[] = {"1", "2", "3", "4"};
        struct value *version = versions->members[i].value;
        version->members[value_index(version, SLICE_OF("version"))].value =
            value_number(shrinker->arena, numbers[i]);
    }
    size_t kept = 0;
    for (size_t i = 0; i < less.count; i++) {
        if (less.events[i].version > 1) {
            less.events[kept] = less.events[i];
            less.events[kept++].version--;
        }
    }
    less.count = kept;
    if (still_fails(shrinker, &less)) {
        *history = less;
        return true;
    }
    return false;
}

static bool
shrink_bodies(struct shrinker *shrinker, struct history *history)
{
    bool any = false;
    for (size_t i = 0; i < history->count; i++) {
        struct value *body;
        if (history->events[i].kind != EVENT_WRITE ||
            spelling_parse(shrinker->arena, history->events[i].body, 400, &body, NULL) !=
                VALUE_PARSE_OK) {
            continue;
        }
        for (size_t n = 0; shrinker->tries_left > 0;) {
            struct value *smaller = value_copy(shrinker->arena, body);
            size_t nth = n;
            if (!delete_nth(smaller, false, false, &nth)) {
                break;
            }
            struct history less = history_copy(shrinker->arena, history);
            less.events[i].body = spelling_text(shrinker->arena, history->events[i].version,
                                                smaller, VALUE_RAW, NULL);
            if (still_fails(shrinker, &less)) {
                *history = less;
                body = smaller;
                any = true;
            } else {
                n++;
            }
        }
    }
    return any;
}

/* Do the bodies need their odd white space and escapes? */
static void
respell_bodies(struct shrinker *shrinker, struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        struct value *body;
        struct history less = history_copy(shrinker->arena, history);
        if (history->events[i].kind == EVENT_WRITE &&
            spelling_parse(shrinker->arena, history->events[i].body, 400, &body, NULL) ==
                VALUE_PARSE_OK) {
            less.events[i].body = spelling_text(shrinker->arena, history->events[i].version,
                                                body, VALUE_COMPACT, NULL);
            if (less.events[i].body.size < history->events[i].body.size &&
                still_fails(shrinker, &less)) {
                *history = less;
            }
        }
    }
}

struct history
history_shrink(const struct history *history, struct arena *arena, enum law law,
               size_t tries_max)
{
    struct shrinker shrinker = {.arena = arena, .law = law, .tries_left = tries_max};
    struct history smallest = history_copy(arena, history);
    bool any = true;
    while (any && shrinker.tries_left > 0) {
        any = drop_events(&shrinker, &smallest);
        any |= drop_first_version(&shrinker, &smallest);
        any |= shrink_schema(&shrinker, &smallest);
        any |= shrink_bodies(&shrinker, &smallest);
        respell_bodies(&shrinker, &smallest);
    }
    return smallest;
}

void
history_print(const struct history *history)
{
    struct buffer buffer;
    buffer_init(&buffer, 0);
    value_print(&buffer, history->schema, VALUE_COMPACT, NULL);
    printf("  schema %.*s\n", (int)buffer.size, buffer.data);
    for (size_t i = 0; i < history->count; i++) {
        const struct event *event = &history->events[i];
        switch (event->kind) {
        case EVENT_WRITE:
            printf("  %zu: version %u writes ", i, event->version);
            for (size_t k = 0; k < event->body.size && k < 4000; k++) {
                unsigned char byte = (unsigned char)event->body.data[k];
                if (byte < 0x20 || byte == 0x7f) {
                    printf("\\x%02x", byte);
                } else {
                    putchar(byte);
                }
            }
            putchar('\n');
            break;
        case EVENT_WRITE_BACK:
            printf("  %zu: version %u writes back what it reads\n", i, event->version);
            break;
        default:
            printf("  %zu: the twin is rebased to version %u%s\n", i, event->version,
                   event->stepwise ? ", step by step" : "");
        }
    }
    buffer_fini(&buffer);
}
