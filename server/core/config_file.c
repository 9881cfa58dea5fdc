#include "server/core/config_file.h"

#include "server/core/words.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

enum { INCLUDE_DEPTH_MAX = 16 };

struct loader {
    config_on_directive *on_directive;
    void *context;
    struct buffer *error;
    unsigned depth;
};

static bool load_file(struct loader *loader, const char *path, struct buffer *ret_reason);

/* ---- files ---- */

/* As in Redis: a pattern may match nothing, a plain name must be there. */
static bool
load_include(struct loader *loader, struct slice pattern, struct buffer *ret_reason)
{
    char path[4096];
    if (loader->depth >= INCLUDE_DEPTH_MAX) {
        buffer_append_string(ret_reason, "files include each other too deeply");
        return false;
    }
    if (pattern.size >= sizeof(path)) {
        buffer_append_string(ret_reason, "this name is too long");
        return false;
    }
    memcpy(path, pattern.data, pattern.size);
    path[pattern.size] = '\0';
    if (strpbrk(path, "*?[") == NULL) {
        return load_file(loader, path, ret_reason);
    }
    glob_t found;
    int result = glob(path, 0, NULL, &found);
    bool is_good = result == 0 || result == GLOB_NOMATCH;
    if (!is_good) {
        buffer_append_string(ret_reason, "this pattern cannot be looked up");
    }
    for (size_t i = 0; result == 0 && i < found.gl_pathc && is_good; i++) {
        is_good = load_file(loader, found.gl_pathv[i], ret_reason);
    }
    globfree(&found);
    return is_good;
}

static bool
load_line(struct loader *loader, struct slice line, struct buffer *ret_reason)
{
    struct words words;
    switch (words_init(&words, line)) {
    case WORDS_UNBALANCED:
        buffer_append_string(ret_reason, "unbalanced quotes");
        return false;
    case WORDS_NO_MEMORY:
        buffer_append_string(ret_reason, "out of memory");
        return false;
    case WORDS_READY:
        break;
    }
    bool is_good = true;
    if (words.count > 0 && slice_equal_nocase(words.items[0], SLICE_OF("include"))) {
        is_good = words.count == 2 && load_include(loader, words.items[1], ret_reason);
        if (words.count != 2) {
            buffer_append_string(ret_reason, "wrong number of arguments");
        }
    } else if (words.count > 0) {
        is_good = loader->on_directive(loader->context, words.items[0], words.items + 1,
                                       words.count - 1, ret_reason);
    }
    words_fini(&words);
    return is_good;
}

static struct slice
trimmed(const char *data, size_t size)
{
    static const char blanks[] = " \t\r\n";
    while (size > 0 && data[size - 1] != '\0' && strchr(blanks, data[size - 1]) != NULL) {
        size--;
    }
    while (size > 0 && data[0] != '\0' && strchr(blanks, data[0]) != NULL) {
        data++;
        size--;
    }
    return slice_make(data, size);
}

static bool
load_stream(struct loader *loader, FILE *stream, const char *path)
{
    char *data = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool is_good = true;
    struct buffer reason;
    buffer_init(&reason, 0);
    for (unsigned number = 1; is_good && (size = getline(&data, &capacity, stream)) >= 0;
         number++) {
        struct slice line = trimmed(data, (size_t)size);
        if (line.size == 0 || line.data[0] == '#') {
            continue;
        }
        is_good = load_line(loader, line, &reason);
        /* An error in an included file has said where it is already. */
        if (!is_good && loader->error->size == 0) {
            buffer_printf(loader->error, "%s, line %u\n>>> ", path, number);
            buffer_append_slice(loader->error, line);
            buffer_append_char(loader->error, '\n');
            buffer_append_slice(loader->error, buffer_slice(&reason));
        }
    }
    if (is_good && ferror(stream)) {
        buffer_printf(loader->error, "can't read '%s': %s", path, strerror(errno));
        is_good = false;
    }
    free(data);
    buffer_fini(&reason);
    return is_good;
}

/* What is wrong inside goes to the loader's error; that it cannot be opened is a reason. */
static bool
load_file(struct loader *loader, const char *path, struct buffer *ret_reason)
{
    if (strcmp(path, "-") == 0 && loader->depth == 0) {
        return load_stream(loader, stdin, "standard input");
    }
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        buffer_printf(ret_reason, "can't open '%s': %s", path, strerror(errno));
        return false;
    }
    loader->depth++;
    bool is_good = load_stream(loader, stream, path);
    loader->depth--;
    fclose(stream);
    return is_good;
}

/* ---- command line ---- */

static bool
is_option(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-';
}

/* The option at <at> with its values; *ret_next: the one behind. */
static bool
load_option(struct loader *loader, int argc, char *const argv[], int at, int *ret_next)
{
    struct slice *words = calloc((size_t)argc, sizeof(*words));
    if (words == NULL) {
        buffer_append_string(loader->error, "out of memory");
        return false;
    }
    size_t count = 0;
    int next = at + 1;
    while (next < argc && !is_option(argv[next])) {
        words[count++] = slice_from_string(argv[next++]);
    }
    struct slice name = slice_from_string(argv[at] + 2);
    if (count == 0 && slice_equal_nocase(name, SLICE_OF("save"))) {
        words[count++] = SLICE_OF(""); /* --save alone: none, as in Redis */
    }
    struct buffer reason;
    buffer_init(&reason, 0);
    bool is_good = false;
    if (slice_equal_nocase(name, SLICE_OF("include")) && count == 1) {
        is_good = load_include(loader, words[0], &reason);
    } else {
        is_good = loader->on_directive(loader->context, name, words, count, &reason);
    }
    if (!is_good && loader->error->size == 0) {
        buffer_append_string(loader->error, "command line\n>>>");
        for (int i = at; i < next; i++) {
            buffer_append_char(loader->error, ' ');
            buffer_append_string(loader->error, argv[i]);
        }
        buffer_append_char(loader->error, '\n');
        buffer_append_slice(loader->error, buffer_slice(&reason));
    }
    buffer_fini(&reason);
    free(words);
    *ret_next = next;
    return is_good;
}

bool
config_file_load(int argc, char *const argv[], config_on_directive *on_directive, void *context,
                 struct buffer *ret_error)
{
    struct loader loader = {on_directive, context, ret_error, 0};
    int at = 1;
    if (at < argc && (argv[at][0] != '-' || strcmp(argv[at], "-") == 0)) {
        if (!load_file(&loader, argv[at], ret_error)) {
            return false;
        }
        at++;
    }
    while (at < argc) {
        if (!is_option(argv[at])) {
            buffer_printf(ret_error, "command line\n>>> %s\nan option is --name value [...]",
                          argv[at]);
            return false;
        }
        if (!load_option(&loader, argc, argv, at, &at)) {
            return false;
        }
    }
    return true;
}
