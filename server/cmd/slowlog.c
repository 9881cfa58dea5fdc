#include "server/cmd/slowlog.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOWLOG_ARGC_MAX = 32, SLOWLOG_ARGUMENT_SIZE_MAX = 128 };

struct slowlog_entry {
    struct slowlog_entry *older;
    int64_t id;
    int64_t time_s;
    int64_t microseconds;
    char address[SESSION_ADDRESS_SIZE];
    char name[SESSION_NAME_SIZE];
    size_t argc;
    struct slice argv[SLOWLOG_ARGC_MAX]; /* behind the entry, in the same allocation */
};

struct slowlog {
    struct config *config; /* [const] */
    pthread_mutex_t mutex;
    struct slowlog_entry *newest; /* [mutex] */
    size_t count;                 /* [mutex] */
    int64_t next_id;              /* [mutex] */
};

struct slowlog *
slowlog_new(struct config *config)
{
    struct slowlog *slowlog = calloc(1, sizeof(*slowlog));
    if (slowlog != NULL) {
        slowlog->config = config;
        pthread_mutex_init(&slowlog->mutex, NULL);
    }
    return slowlog;
}

static void
free_entries(struct slowlog_entry *entry)
{
    while (entry != NULL) {
        struct slowlog_entry *older = entry->older;
        free(entry);
        entry = older;
    }
}

void
slowlog_free(struct slowlog *slowlog)
{
    if (slowlog == NULL) {
        return;
    }
    free_entries(slowlog->newest);
    pthread_mutex_destroy(&slowlog->mutex);
    free(slowlog);
}

/* ---- what is kept of the arguments ---- */

static bool
is_word(struct slice argument, const char *word)
{
    return slice_equal_nocase(argument, slice_from_string(word));
}

/* Is argv[index] a password, or what stands beside one? */
static bool
is_secret(size_t argc, const struct slice *argv, size_t index)
{
    if (is_word(argv[0], "hello")) {
        return (index >= 3 && is_word(argv[index - 1], "auth")) ||
               (index >= 4 && is_word(argv[index - 2], "auth"));
    }
    if (argc > 3 && is_word(argv[0], "config") && is_word(argv[1], "set") && index >= 3) {
        return is_word(argv[index - 1], "requirepass") ||
               is_word(argv[index - 1], "masterauth") || is_word(argv[index - 1], "masteruser");
    }
    return false;
}

/* The text kept for argv[index], at most 128 bytes and a remark. Returns its size. */
static size_t
shorten(size_t argc, const struct slice *argv, size_t index,
        char text[SLOWLOG_ARGUMENT_SIZE_MAX + 64])
{
    size_t room = SLOWLOG_ARGUMENT_SIZE_MAX + 64;
    struct slice argument = argv[index];
    if (argc > SLOWLOG_ARGC_MAX && index == SLOWLOG_ARGC_MAX - 1) {
        return (size_t)snprintf(text, room, "... (%zu more arguments)",
                                argc - SLOWLOG_ARGC_MAX + 1);
    }
    if (is_secret(argc, argv, index)) {
        return (size_t)snprintf(text, room, "(redacted)");
    }
    if (argument.size > SLOWLOG_ARGUMENT_SIZE_MAX) {
        memcpy(text, argument.data, SLOWLOG_ARGUMENT_SIZE_MAX);
        return SLOWLOG_ARGUMENT_SIZE_MAX +
               (size_t)snprintf(text + SLOWLOG_ARGUMENT_SIZE_MAX, 64, "... (%zu more bytes)",
                                argument.size - SLOWLOG_ARGUMENT_SIZE_MAX);
    }
    if (argument.size > 0) {
        memcpy(text, argument.data, argument.size);
    }
    return argument.size;
}

static struct slowlog_entry *
entry_new(size_t argc, const struct slice *argv)
{
    size_t kept = argc < SLOWLOG_ARGC_MAX ? argc : SLOWLOG_ARGC_MAX;
    char text[SLOWLOG_ARGUMENT_SIZE_MAX + 64];
    size_t size = 0;
    for (size_t i = 0; i < kept; i++) {
        size += shorten(argc, argv, i, text);
    }
    struct slowlog_entry *entry = malloc(sizeof(*entry) + size);
    if (entry == NULL) {
        return NULL;
    }
    char *at = (char *)(entry + 1);
    for (size_t i = 0; i < kept; i++) {
        size_t used = shorten(argc, argv, i, text);
        memcpy(at, text, used);
        entry->argv[i] = slice_make(at, used);
        at += used;
    }
    entry->argc = kept;
    return entry;
}

/* ---- the list ---- */

/* Cut off what is behind the newest <max>; the cut off part is the caller's to free. */
static struct slowlog_entry *
trim_locked(struct slowlog *slowlog, size_t max)
{
    if (slowlog->count <= max) {
        return NULL;
    }
    struct slowlog_entry **link = &slowlog->newest;
    for (size_t i = 0; i < max; i++) {
        link = &(*link)->older;
    }
    struct slowlog_entry *cut = *link;
    *link = NULL;
    slowlog->count = max;
    return cut;
}

void
slowlog_add(struct slowlog *slowlog, size_t argc, const struct slice *argv,
            int64_t microseconds, const struct session *session)
{
    int64_t threshold = config_number(slowlog->config, CONFIG_SLOWLOG_LOG_SLOWER_THAN);
    if (threshold < 0 || microseconds < threshold || argc == 0 || is_word(argv[0], "auth")) {
        return;
    }
    struct slowlog_entry *entry = entry_new(argc, argv);
    if (entry == NULL) {
        return;
    }
    entry->time_s = atomic_load_explicit(&session->active_ms, memory_order_relaxed) / 1000;
    entry->microseconds = microseconds;
    snprintf(entry->address, sizeof(entry->address), "%s", session->address);
    snprintf(entry->name, sizeof(entry->name), "%s",
             session->name != NULL ? session->name : "");
    size_t max = (size_t)config_number(slowlog->config, CONFIG_SLOWLOG_MAX_LEN);
    pthread_mutex_lock(&slowlog->mutex);
    entry->id = slowlog->next_id++;
    entry->older = slowlog->newest;
    slowlog->newest = entry;
    slowlog->count++;
    struct slowlog_entry *cut = trim_locked(slowlog, max);
    pthread_mutex_unlock(&slowlog->mutex);
    free_entries(cut);
}

size_t
slowlog_count(struct slowlog *slowlog)
{
    pthread_mutex_lock(&slowlog->mutex);
    size_t count = slowlog->count;
    pthread_mutex_unlock(&slowlog->mutex);
    return count;
}

void
slowlog_clear(struct slowlog *slowlog)
{
    pthread_mutex_lock(&slowlog->mutex);
    struct slowlog_entry *cut = trim_locked(slowlog, 0);
    pthread_mutex_unlock(&slowlog->mutex);
    free_entries(cut);
}

void
slowlog_reply(struct slowlog *slowlog, int64_t count, struct reply *reply)
{
    pthread_mutex_lock(&slowlog->mutex);
    size_t shown =
        count < 0 || (uint64_t)count > slowlog->count ? slowlog->count : (size_t)count;
    reply_array(reply, shown);
    const struct slowlog_entry *entry = slowlog->newest;
    for (size_t i = 0; i < shown; i++, entry = entry->older) {
        reply_array(reply, 6);
        reply_integer(reply, entry->id);
        reply_integer(reply, entry->time_s);
        reply_integer(reply, entry->microseconds);
        reply_array(reply, entry->argc);
        for (size_t k = 0; k < entry->argc; k++) {
            reply_bulk(reply, entry->argv[k]);
        }
        reply_string(reply, entry->address);
        reply_string(reply, entry->name);
    }
    pthread_mutex_unlock(&slowlog->mutex);
}
