/*
 * Every directive, ours, inert or refused, is one row of <directives>; the rows of config.def
 * come first, so that enum config_id indexes them.
 *
 * A value goes three ways: words -> candidate (checked, nothing changed yet) -> setting. CONFIG
 * SET checks all its candidates before it applies the first.
 */
#include "server/core/config.h"

#include "proto/base/check.h"
#include "server/core/config_file.h"
#include "server/core/config_value.h"
#include "server/core/version.h"
#include "server/core/words.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CONFIG_HOOKS_MAX = 32, CONFIG_SET_MAX = 64 };

enum directive_flags { MUTABLE = 1, WORDS = 2, HIDDEN = 4, IS_INERT = 8 };

struct directive {
    const char *name;
    enum config_type type;
    const char *initial;
    int64_t minimum;
    int64_t maximum;
    unsigned flags;
    const char *refusal; /* NULL: any value of its type is taken */
};

static const struct directive directives[] = {
#define CONFIG(id, name, type, initial, minimum, maximum, flags)                               \
    {name, CONFIG_TYPE_##type, initial, minimum, maximum, flags, NULL},
#include "server/core/config.def"
#undef CONFIG
#define INERT(name, type, initial, flags)                                                      \
    {name, CONFIG_TYPE_##type, initial, INT64_MIN, INT64_MAX, (flags) | IS_INERT, NULL},
#define REFUSED(name, harmless, flags, reason)                                                 \
    {name, CONFIG_TYPE_STRING, harmless, 0, 0, (flags) | WORDS, reason},
#define ALIAS(name, of)
#include "server/core/config_inert.def"
#undef INERT
#undef REFUSED
#undef ALIAS
};
enum { DIRECTIVE_COUNT = sizeof(directives) / sizeof(*directives) };

static const struct {
    const char *name;
    const char *of;
} aliases[] = {
#define INERT(name, type, initial, flags)
#define REFUSED(name, harmless, flags, reason)
#define ALIAS(name, of) {name, of},
#include "server/core/config_inert.def"
#undef INERT
#undef REFUSED
#undef ALIAS
};
enum { ALIAS_COUNT = sizeof(aliases) / sizeof(*aliases) };

static const char *const loglevel_names[] = {"debug", "verbose", "notice", "warning", NULL};
static const char *const appendfsync_names[] = {"everysec", "always", "no", NULL};
static const char *const policy_names[] = {"volatile-lru",   "volatile-lfu", "volatile-random",
                                           "volatile-ttl",   "allkeys-lru",  "allkeys-lfu",
                                           "allkeys-random", "noeviction",   NULL};

struct setting {
    _Atomic int64_t number; /* [atomic] of the types that are numbers */
    char *text;             /* [mutex] [owned] of the others; LINES: separated by '\n' */
    size_t text_size;       /* [mutex] */
};

struct hook {
    enum config_id id;
    config_changed *on_change;
    void *context;
};

struct config {
    pthread_mutex_t mutex;
    struct setting settings[DIRECTIVE_COUNT];
    _Atomic int64_t limits[CONFIG_CLIENT_CLASS_COUNT][3]; /* [atomic] hard, soft, seconds */
    char *file;                                           /* [const] after loading [owned] */
    bool is_save_given; /* a `save` was loaded: the next one adds to it */
    struct hook hooks[CONFIG_HOOKS_MAX];
    size_t hook_count;
};

static bool
is_number(enum config_type type)
{
    return type <= CONFIG_TYPE_ENUM;
}

static const char *const *
enum_names(size_t index)
{
    switch (index) {
    case CONFIG_LOGLEVEL:
        return loglevel_names;
    case CONFIG_APPENDFSYNC:
        return appendfsync_names;
    default:
        CHECK(index == CONFIG_MAXMEMORY_POLICY);
        return policy_names;
    }
}

/* The row of <name>, in any case, or of what it is an alias of; DIRECTIVE_COUNT: unknown. */
static size_t
find_directive(struct slice name)
{
    for (size_t i = 0; i < ALIAS_COUNT; i++) {
        if (slice_equal_nocase(name, slice_from_string(aliases[i].name))) {
            name = slice_from_string(aliases[i].of);
            break;
        }
    }
    size_t index = 0;
    while (index < DIRECTIVE_COUNT &&
           !slice_equal_nocase(name, slice_from_string(directives[index].name))) {
        index++;
    }
    return index;
}

/* ---- candidates ---- */

/* A checked value that has not been applied. */
struct candidate {
    size_t index;
    int64_t number;
    struct buffer text;
    struct config_limit limits[CONFIG_CLIENT_CLASS_COUNT];
};

static void
candidate_fini(struct candidate *candidate)
{
    buffer_fini(&candidate->text);
}

/* False with the reason, in Redis' words where it has some, in <ret_error>. */
static bool
candidate_init(struct candidate *candidate, const struct config *config, size_t index,
               const struct slice *words, size_t count, struct buffer *ret_error)
{
    const struct directive *directive = &directives[index];
    *candidate = (struct candidate){.index = index};
    buffer_init(&candidate->text, 0);
    if (count == 0 || (count > 1 && !(directive->flags & WORDS))) {
        buffer_append_string(ret_error, "wrong number of arguments");
        return false;
    }
    const char *const *names = directive->type == CONFIG_TYPE_ENUM ? enum_names(index) : NULL;
    const char *reason = NULL;
    if (is_number(directive->type)) {
        return config_value_number(directive->type, words[0], directive->minimum,
                                   directive->maximum, names, &candidate->number, ret_error);
    }
    switch (directive->type) {
    case CONFIG_TYPE_LIMITS:
        for (int class = 0; class < CONFIG_CLIENT_CLASS_COUNT; class ++) {
            candidate->limits[class] =
                config_output_limit(config, (enum config_client_class) class);
        }
        reason = config_value_limits(words, count, candidate->limits);
        break;
    case CONFIG_TYPE_SAVE:
        reason = config_value_save(words, count, &candidate->text);
        break;
    case CONFIG_TYPE_EVENTS:
        reason = config_value_events(words[0], &candidate->text);
        break;
    case CONFIG_TYPE_COMPRESSION:
        reason = config_value_compression(words, count, &candidate->text);
        break;
    default:
        config_value_join(words, count, &candidate->text);
        break;
    }
    if (reason == NULL && directive->refusal != NULL &&
        !slice_equal_nocase(buffer_slice(&candidate->text),
                            slice_from_string(directive->initial))) {
        reason = directive->refusal;
    }
    if (reason == NULL && candidate->text.failed) {
        reason = "out of memory";
    }
    if (reason != NULL) {
        buffer_append_string(ret_error, reason);
    }
    return reason == NULL;
}

/* The mutex is held, or nobody else knows <config> yet. Takes the candidate's text. */
static void
candidate_apply_locked(struct candidate *candidate, struct config *config)
{
    struct setting *setting = &config->settings[candidate->index];
    enum config_type type = directives[candidate->index].type;
    if (is_number(type)) {
        atomic_store_explicit(&setting->number, candidate->number, memory_order_relaxed);
    } else if (type == CONFIG_TYPE_LIMITS) {
        for (int class = 0; class < CONFIG_CLIENT_CLASS_COUNT; class ++) {
            const struct config_limit *limit = &candidate->limits[class];
            _Atomic int64_t *fields = config->limits[class];
            atomic_store_explicit(&fields[0], limit->hard, memory_order_relaxed);
            atomic_store_explicit(&fields[1], limit->soft, memory_order_relaxed);
            atomic_store_explicit(&fields[2], limit->soft_s, memory_order_relaxed);
        }
    } else {
        free(setting->text);
        setting->text = candidate->text.data;
        setting->text_size = candidate->text.size;
        buffer_init(&candidate->text, 0);
    }
}

/* Prefix the candidate's text with what is there, for directives that add up. */
static void
candidate_add_to_locked(struct candidate *candidate, const struct config *config,
                        char separator)
{
    const struct setting *setting = &config->settings[candidate->index];
    if (setting->text_size == 0 || candidate->text.size == 0) {
        return;
    }
    struct buffer joined;
    buffer_init(&joined, 0);
    buffer_append(&joined, setting->text, setting->text_size);
    buffer_append_char(&joined, separator);
    buffer_append_slice(&joined, buffer_slice(&candidate->text));
    buffer_fini(&candidate->text);
    candidate->text = joined;
}

/* ---- life ---- */

struct config *
config_new(void)
{
    struct config *config = calloc(1, sizeof(*config));
    if (config == NULL) {
        return NULL;
    }
    pthread_mutex_init(&config->mutex, NULL);
    struct buffer error;
    buffer_init(&error, 0);
    for (size_t i = 0; i < DIRECTIVE_COUNT; i++) {
        const struct directive *directive = &directives[i];
        struct slice initial = slice_from_string(directive->initial);
        struct words words = {0};
        struct candidate candidate;
        bool is_split = directive->type == CONFIG_TYPE_LIMITS;
        if (is_split && words_init(&words, initial) != WORDS_READY) {
            goto failed;
        }
        bool is_good = candidate_init(&candidate, config, i, is_split ? words.items : &initial,
                                      is_split ? words.count : 1, &error);
        if (is_good) {
            candidate_apply_locked(&candidate, config);
        }
        candidate_fini(&candidate);
        words_fini(&words);
        if (!is_good) {
            goto failed;
        }
    }
    buffer_fini(&error);
    return config;
failed:
    buffer_fini(&error);
    config_free(config);
    return NULL;
}

void
config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < DIRECTIVE_COUNT; i++) {
        free(config->settings[i].text);
    }
    free(config->file);
    pthread_mutex_destroy(&config->mutex);
    free(config);
}

/* ---- reading ---- */

int64_t
config_number(const struct config *config, enum config_id id)
{
    CHECK(is_number(directives[id].type));
    return atomic_load_explicit(&config->settings[id].number, memory_order_relaxed);
}

struct config_limit
config_output_limit(const struct config *config, enum config_client_class class)
{
    const _Atomic int64_t *fields = config->limits[class];
    return (struct config_limit){
        .hard = atomic_load_explicit(&fields[0], memory_order_relaxed),
        .soft = atomic_load_explicit(&fields[1], memory_order_relaxed),
        .soft_s = atomic_load_explicit(&fields[2], memory_order_relaxed),
    };
}

const char *
config_file(const struct config *config)
{
    return config->file != NULL ? config->file : "";
}

static void
append_text(struct config *config, size_t index, struct buffer *ret_text)
{
    const struct setting *setting = &config->settings[index];
    int64_t number = atomic_load_explicit(&setting->number, memory_order_relaxed);
    switch (directives[index].type) {
    case CONFIG_TYPE_NUMBER:
    case CONFIG_TYPE_SECONDS:
    case CONFIG_TYPE_MEMORY:
        buffer_append_int64(ret_text, number);
        break;
    case CONFIG_TYPE_OCTAL:
        buffer_printf(ret_text, "%llo", (unsigned long long)number);
        break;
    case CONFIG_TYPE_BOOLEAN:
        buffer_append_string(ret_text, number != 0 ? "yes" : "no");
        break;
    case CONFIG_TYPE_ENUM:
        buffer_append_string(ret_text, enum_names(index)[number]);
        break;
    case CONFIG_TYPE_LIMITS:
        for (int class = 0; class < CONFIG_CLIENT_CLASS_COUNT; class ++) {
            struct config_limit limit =
                config_output_limit(config, (enum config_client_class) class);
            config_value_append_limit((enum config_client_class) class, &limit, ret_text);
        }
        break;
    default:
        pthread_mutex_lock(&config->mutex);
        buffer_append(ret_text, setting->text, setting->text_size);
        pthread_mutex_unlock(&config->mutex);
        break;
    }
}

void
config_string(struct config *config, enum config_id id, struct buffer *ret_text)
{
    append_text(config, id, ret_text);
}

bool
config_line(struct config *config, enum config_id id, size_t index, struct buffer *ret_line)
{
    CHECK(directives[id].type == CONFIG_TYPE_LINES);
    bool is_there = false;
    pthread_mutex_lock(&config->mutex);
    const struct setting *setting = &config->settings[id];
    const char *at = setting->text;
    const char *end = at + setting->text_size;
    for (size_t i = 0; at != NULL && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline != NULL ? newline : end;
        if (i == index) {
            buffer_append(ret_line, at, (size_t)(line_end - at));
            is_there = true;
            break;
        }
        at = line_end + 1;
    }
    pthread_mutex_unlock(&config->mutex);
    return is_there;
}

void
config_match(struct config *config, struct slice pattern,
             void (*on_match)(void *context, struct slice name, struct slice value),
             void *context)
{
    struct buffer value;
    buffer_init(&value, 0);
    for (size_t i = 0; i < DIRECTIVE_COUNT + ALIAS_COUNT; i++) {
        bool is_alias = i >= DIRECTIVE_COUNT;
        struct slice name = slice_from_string(is_alias ? aliases[i - DIRECTIVE_COUNT].name
                                                       : directives[i].name);
        if (!slice_glob(pattern, name, true)) {
            continue;
        }
        size_t index = is_alias ? find_directive(name) : i;
        if (directives[index].flags & HIDDEN) {
            continue;
        }
        buffer_clear(&value);
        append_text(config, index, &value);
        on_match(context, name, buffer_slice(&value));
    }
    buffer_fini(&value);
}

/* ---- CONFIG SET ---- */

static const char *
refuse_set(const struct candidate *candidate)
{
    if (!(directives[candidate->index].flags & MUTABLE)) {
        return "can't set immutable config";
    }
    if (candidate->index == CONFIG_APPENDONLY && candidate->number != 0) {
        return "persistence is not there yet";
    }
    return NULL;
}

/* One pair of CONFIG SET. False with the reason, or "" for an unknown name, in <ret_error>. */
static bool
prepare_set(struct candidate *candidate, const struct config *config, size_t index,
            struct slice value, struct buffer *ret_error)
{
    *candidate = (struct candidate){.index = index};
    struct words words = {.items = &value, .count = 1};
    bool is_split = directives[index].type == CONFIG_TYPE_LIMITS;
    if (is_split && words_init(&words, value) != WORDS_READY) {
        buffer_append_string(ret_error, "Unbalanced quotes in configuration line");
        return false;
    }
    bool is_good =
        candidate_init(candidate, config, index, words.items, words.count, ret_error);
    if (is_split) {
        words_fini(&words);
    }
    const char *refusal = is_good ? refuse_set(candidate) : NULL;
    if (refusal != NULL) {
        buffer_append_string(ret_error, refusal);
    }
    return is_good && refusal == NULL;
}

static void
run_hooks(struct config *config, const struct candidate *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < config->hook_count; k++) {
            struct hook *hook = &config->hooks[k];
            if ((size_t)hook->id == candidates[i].index) {
                hook->on_change(hook->context, config, hook->id);
            }
        }
    }
}

bool
config_set(struct config *config, const struct slice *names, const struct slice *values,
           size_t count, struct buffer *ret_error)
{
    if (count > CONFIG_SET_MAX) {
        buffer_append_string(ret_error, "too many arguments for CONFIG SET");
        return false;
    }
    struct candidate candidates[CONFIG_SET_MAX];
    size_t indices[CONFIG_SET_MAX];
    for (size_t i = 0; i < count; i++) {
        indices[i] = find_directive(names[i]);
        if (indices[i] == DIRECTIVE_COUNT || directives[indices[i]].flags & HIDDEN) {
            buffer_printf(ret_error,
                          "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                          (int)(names[i].size < 128 ? names[i].size : 128), names[i].data);
            return false;
        }
    }
    size_t ready = 0;
    bool is_good = true;
    struct buffer reason;
    buffer_init(&reason, 0);
    for (size_t i = 0; i < count && is_good; i++) {
        for (size_t k = 0; k < i; k++) {
            if (indices[k] == indices[i]) {
                buffer_append_string(&reason, "duplicate parameter");
                is_good = false;
                break;
            }
        }
        is_good = is_good &&
                  prepare_set(&candidates[ready++], config, indices[i], values[i], &reason);
        if (!is_good) {
            buffer_printf(ret_error,
                          "CONFIG SET failed (possibly related to argument '%.*s') - ",
                          (int)names[i].size, names[i].data);
            buffer_append_slice(ret_error, buffer_slice(&reason));
        }
    }
    buffer_fini(&reason);
    if (is_good) {
        pthread_mutex_lock(&config->mutex);
        for (size_t i = 0; i < count; i++) {
            candidate_apply_locked(&candidates[i], config);
        }
        pthread_mutex_unlock(&config->mutex);
        run_hooks(config, candidates, count);
    }
    for (size_t i = 0; i < ready; i++) {
        candidate_fini(&candidates[i]);
    }
    return is_good;
}

void
config_on_change(struct config *config, enum config_id id, config_changed *on_change,
                 void *context)
{
    CHECK(config->hook_count < CONFIG_HOOKS_MAX);
    config->hooks[config->hook_count++] = (struct hook){id, on_change, context};
}

/* ---- loading ---- */

/* Take `dir` as an absolute path: what is relative now may not be so later. */
static const char *
resolve_directory(struct candidate *candidate)
{
    buffer_append_char(&candidate->text, '\0');
    char path[PATH_MAX];
    if (candidate->text.failed || realpath(candidate->text.data, path) == NULL) {
        return candidate->text.failed ? "out of memory" : strerror(errno);
    }
    buffer_clear(&candidate->text);
    buffer_append_string(&candidate->text, path);
    return NULL;
}

static bool
load_directive(void *context, struct slice name, const struct slice *words, size_t count,
               struct buffer *ret_reason)
{
    struct config *config = context;
    size_t index = find_directive(name);
    if (index == DIRECTIVE_COUNT) {
        buffer_append_string(ret_reason, "unknown directive '");
        buffer_append_slice(ret_reason, name);
        buffer_append_string(ret_reason, "'");
        return false;
    }
    const struct directive *directive = &directives[index];
    struct candidate candidate;
    bool is_good = candidate_init(&candidate, config, index, words, count, ret_reason);
    if (is_good && index == CONFIG_DIR) {
        const char *problem = resolve_directory(&candidate);
        if (problem != NULL) {
            buffer_printf(ret_reason, "can't use this directory: %s", problem);
            is_good = false;
        }
    }
    if (is_good) {
        if (index == CONFIG_SAVE) {
            if (config->is_save_given) {
                candidate_add_to_locked(&candidate, config, ' ');
            }
            config->is_save_given = true;
        } else if (directive->type == CONFIG_TYPE_LINES) {
            candidate_add_to_locked(&candidate, config, '\n');
        } else if (directive->type == CONFIG_TYPE_COMPRESSION) {
            candidate_add_to_locked(&candidate, config, ' ');
        }
        candidate_apply_locked(&candidate, config);
    }
    candidate_fini(&candidate);
    return is_good;
}

/* What was asked for and will not happen, a line each. */
static void
append_notices(struct config *config, struct buffer *ret_notices)
{
    struct config *defaults = config_new();
    struct buffer text;
    struct buffer initial;
    buffer_init(&text, 0);
    buffer_init(&initial, 0);
    for (size_t i = 0; i < DIRECTIVE_COUNT && defaults != NULL; i++) {
        buffer_clear(&text);
        buffer_clear(&initial);
        append_text(config, i, &text);
        append_text(defaults, i, &initial);
        bool is_default = slice_equal(buffer_slice(&text), buffer_slice(&initial));
        if (directives[i].flags & IS_INERT && !is_default) {
            buffer_printf(ret_notices, "'%s' has no effect here\n", directives[i].name);
        }
    }
    if (config->settings[CONFIG_SAVE].text_size > 0) {
        buffer_append_string(
            ret_notices,
            "'save' has no effect yet: no snapshots are written, a restart loses the data\n");
    }
    buffer_fini(&initial);
    buffer_fini(&text);
    config_free(defaults);
}

/* What can only be said of everything together. */
static bool
check_loaded(struct config *config, struct buffer *ret_problem)
{
    const struct setting *dir = &config->settings[CONFIG_DIR];
    struct slice dot = SLICE(".");
    if (slice_equal(slice_make(dir->text, dir->text_size), dot) &&
        !load_directive(config, SLICE_OF("dir"), &dot, 1, ret_problem)) {
        return false;
    }
    if (config_number(config, CONFIG_APPENDONLY) != 0) {
        buffer_append_string(
            ret_problem, "appendonly yes: persistence is not there yet. Data lives in memory "
                         "only, and a\nrestart loses it; start with appendonly no to accept "
                         "that.");
        return false;
    }
    return true;
}

bool
config_load(struct config *config, int argc, char *const argv[], struct buffer *ret_error,
            struct buffer *ret_notices)
{
    struct buffer problem;
    buffer_init(&problem, 0);
    bool is_good = config_file_load(argc, argv, load_directive, config, &problem) &&
                   check_loaded(config, &problem);
    if (is_good) {
        config->file = argc > 1 && argv[1][0] != '-' ? realpath(argv[1], NULL) : NULL;
        append_notices(config, ret_notices);
    } else {
        buffer_append_string(ret_error,
                             "*** CONFIGURATION ERROR (Segue " SEGUE_VERSION ") ***\n");
        buffer_append_slice(ret_error, buffer_slice(&problem));
        buffer_append_char(ret_error, '\n');
    }
    buffer_fini(&problem);
    return is_good;
}

const char *
config_early_text(int argc, char *const argv[])
{
    if (argc != 2) {
        return NULL;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
        return "segue-server " SEGUE_VERSION " (serves clients of Redis " SEGUE_REDIS_VERSION
               ")\n";
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return "usage: segue-server [FILE] [--NAME VALUE ...]\n"
               "       segue-server - [--NAME VALUE ...]     (read the configuration from\n"
               "                                              standard input)\n"
               "       segue-server --help | --version\n"
               "\n"
               "FILE has the syntax of redis.conf; every directive may also stand on the\n"
               "command line as --NAME VALUE and then wins over FILE.\n"
               "\n"
               "  --port 6379             0: no TCP\n"
               "  --bind 127.0.0.1 -::1   addresses to listen on; '-': skip if not there\n"
               "  --unixsocket PATH       and --unixsocketperm 700\n"
               "  --threads 0             workers; 0: one per core\n"
               "  --dir .                 where the schemas and releases are kept\n"
               "  --requirepass PASSWORD\n"
               "  --maxclients 10000\n"
               "  --maxmemory 0           bytes, or with kb, mb, gb; 0: no limit\n"
               "  --databases 16\n"
               "  --loglevel notice       debug, verbose, notice, warning\n"
               "  --logfile PATH          else standard error\n"
               "  --listener-release 6380 web@2026.11\n"
               "                          what connections to a port speak; repeatable\n"
               "  --database-release 2 web@2026.11 0\n"
               "                          what a database speaks, and whose data it shows\n"
               "  --preset express-session\n"
               "                          a ready schema; repeatable; --preset help lists "
               "them\n"
               "  --compression \"sess:* zstd\"\n"
               "                          store values of these keys compressed; repeatable\n"
               "\n"
               "CONFIG GET * lists all directives with their values.\n";
    }
    return NULL;
}
