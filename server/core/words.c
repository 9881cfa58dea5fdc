#include "server/core/words.h"

#include <stdlib.h>

static bool
is_blank(char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static int
hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    char lower = (char)(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/*
 * Undo the quoted part that begins behind its opening <quote> at <at>. Returns where the line
 * goes on, 0 when the quote is never closed or something touches the closing one.
 */
static size_t
copy_quoted(struct slice line, size_t at, char quote, char **write)
{
    const char *data = line.data;
    for (; at < line.size; at++) {
        char byte = data[at];
        if (byte == quote) {
            return at + 1 == line.size || is_blank(data[at + 1]) ? at + 1 : 0;
        }
        bool has_next = byte == '\\' && at + 1 < line.size;
        if (has_next && quote == '\'') {
            if (data[at + 1] == '\'') {
                byte = data[++at];
            }
        } else if (has_next && data[at + 1] == 'x' && at + 3 < line.size &&
                   hex_digit(data[at + 2]) >= 0 && hex_digit(data[at + 3]) >= 0) {
            byte = (char)(hex_digit(data[at + 2]) * 16 + hex_digit(data[at + 3]));
            at += 3;
        } else if (has_next) {
            static const char names[] = "nrtba";
            static const char bytes[] = "\n\r\t\b\a";
            byte = data[++at];
            const char *found = byte == '\0' ? NULL : strchr(names, byte);
            byte = found != NULL ? bytes[found - names] : byte;
        }
        *(*write)++ = byte;
    }
    return 0;
}

enum words_result
words_init(struct words *words, struct slice line)
{
    /* A word takes at least a byte and, but for the last, a blank; none grows when unquoted. */
    struct slice *items = calloc(line.size / 2 + 1, sizeof(*items));
    char *storage = malloc(line.size + 1);
    if (items == NULL || storage == NULL) {
        free(items);
        free(storage);
        return WORDS_NO_MEMORY;
    }
    size_t count = 0;
    char *write = storage;
    size_t at = 0;
    while (true) {
        while (at < line.size && is_blank(line.data[at])) {
            at++;
        }
        if (at == line.size) {
            break;
        }
        char *start = write;
        while (at < line.size && !is_blank(line.data[at])) {
            char byte = line.data[at];
            if (byte != '"' && byte != '\'') {
                *write++ = byte;
                at++;
                continue;
            }
            at = copy_quoted(line, at + 1, byte, &write);
            if (at == 0) {
                free(items);
                free(storage);
                return WORDS_UNBALANCED;
            }
        }
        items[count++] = slice_make(start, (size_t)(write - start));
    }
    *words = (struct words){.items = items, .count = count, .storage = storage};
    return WORDS_READY;
}

void
words_fini(struct words *words)
{
    free(words->items);
    free(words->storage);
    *words = (struct words){0};
}
