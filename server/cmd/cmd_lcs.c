/* LCS: the longest common subsequence of two strings, by the textbook table. */
#include "server/cmd/argument.h"
#include "server/cmd/collected.h"
#include "server/cmd/handlers.h"
#include "server/cmd/value.h"

#include <stdlib.h>

/* Both keys are locked while the table is filled: it stays small enough for milliseconds. */
enum { LCS_TABLE_SIZE_MAX = 64 * 1024 * 1024 };

struct lcs_options {
    bool wants_length;   /* LEN */
    bool wants_ranges;   /* IDX */
    bool shows_lengths;  /* WITHMATCHLEN */
    uint64_t length_min; /* MINMATCHLEN */
};

/* The length for every pair of prefixes: (a.size + 1) rows of (b.size + 1). */
struct lcs {
    struct slice a;
    struct slice b;
    uint32_t *lengths; /* [owned] */
};

/* A run that stands in both strings, ends included. */
struct lcs_match {
    size_t a_first, a_last;
    size_t b_first, b_last;
};

static bool
parse_options(struct request *request, struct lcs_options *ret_options)
{
    struct lcs_options options = {0};
    for (size_t index = 3; index < request->argc; index++) {
        if (argument_is(request, index, "LEN")) {
            options.wants_length = true;
        } else if (argument_is(request, index, "IDX")) {
            options.wants_ranges = true;
        } else if (argument_is(request, index, "WITHMATCHLEN")) {
            options.shows_lengths = true;
        } else if (argument_is(request, index, "MINMATCHLEN") && index + 1 < request->argc) {
            int64_t length_min;
            if (!argument_int64(request, ++index, &length_min)) {
                return false;
            }
            options.length_min = length_min > 0 ? (uint64_t)length_min : 0;
        } else {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    if (options.wants_length && options.wants_ranges) {
        reply_error(request->reply,
                    "ERR If you want both the length and indexes, please just use IDX.");
        return false;
    }
    *ret_options = options;
    return true;
}

/* The caller's view of keys[index]; empty if absent. False when an error was replied. */
static bool
read_operand(struct request *request, size_t index, struct slice *ret_view)
{
    struct slice view = SLICE("");
    enum value_find found = value_read(request, &request->keys[index], &view);
    *ret_view = found == VALUE_FOUND ? view : SLICE_OF("");
    return found != VALUE_FAILED;
}

static bool
operands_are_strings(struct request *request)
{
    for (size_t i = 0; i < 2; i++) {
        const struct entry *entry =
            keyspace_peek_locked(request->server->keyspace, &request->keys[i], request->now_ms);
        if (entry != NULL && value_type(request, &request->keys[i], entry) != ENTRY_STRING) {
            reply_error(request->reply, "ERR The specified keys must contain string values");
            return false;
        }
    }
    return true;
}

static uint32_t
length_at(const struct lcs *lcs, size_t i, size_t j)
{
    return lcs->lengths[i * (lcs->b.size + 1) + j];
}

/* Fill the table; false when an error was replied. */
static bool
lcs_init(struct lcs *lcs, struct reply *reply, struct slice a, struct slice b)
{
    size_t count;
    size_t size;
    if (__builtin_mul_overflow(a.size + 1, b.size + 1, &count) ||
        __builtin_mul_overflow(count, sizeof(uint32_t), &size) || size > LCS_TABLE_SIZE_MAX) {
        reply_error(reply, "ERR Insufficient memory, transient memory for LCS exceeds 64mb");
        return false;
    }
    *lcs = (struct lcs){a, b, calloc(count, sizeof(uint32_t))};
    if (lcs->lengths == NULL) {
        reply_error(reply, "ERR Insufficient memory, failed allocating transient memory for "
                           "LCS");
        return false;
    }
    for (size_t i = 1; i <= a.size; i++) {
        const uint32_t *above = lcs->lengths + (i - 1) * (b.size + 1);
        uint32_t *row = lcs->lengths + i * (b.size + 1);
        for (size_t j = 1; j <= b.size; j++) {
            uint32_t longer = above[j] > row[j - 1] ? above[j] : row[j - 1];
            row[j] = a.data[i - 1] == b.data[j - 1] ? above[j - 1] + 1 : longer;
        }
    }
    return true;
}

/*
 * The last match that ends before *i and *j, which move to its start; false when there is none.
 * The rows answer from the end of the strings to their start.
 */
static bool
lcs_previous(const struct lcs *lcs, size_t *i, size_t *j, struct lcs_match *ret_match)
{
    const char *a = lcs->a.data;
    const char *b = lcs->b.data;
    while (*i > 0 && *j > 0 && a[*i - 1] != b[*j - 1]) {
        if (length_at(lcs, *i - 1, *j) > length_at(lcs, *i, *j - 1)) {
            (*i)--;
        } else {
            (*j)--;
        }
    }
    if (*i == 0 || *j == 0) {
        return false;
    }
    struct lcs_match match = {.a_last = *i - 1, .b_last = *j - 1};
    while (*i > 0 && *j > 0 && a[*i - 1] == b[*j - 1]) {
        (*i)--;
        (*j)--;
    }
    match.a_first = *i;
    match.b_first = *j;
    *ret_match = match;
    return true;
}

static void
reply_range(struct reply *reply, size_t first, size_t last)
{
    reply_array(reply, 2);
    reply_integer(reply, (int64_t)first);
    reply_integer(reply, (int64_t)last);
}

static void
reply_ranges(struct request *request, const struct lcs *lcs, const struct lcs_options *options)
{
    struct collected matches;
    struct lcs_match match;
    size_t i = lcs->a.size;
    size_t j = lcs->b.size;
    collected_init(&matches, request->reply);
    while (lcs_previous(lcs, &i, &j, &match)) {
        size_t length = match.a_last - match.a_first + 1;
        if (length < options->length_min) {
            continue;
        }
        reply_array(&matches.reply, options->shows_lengths ? 3 : 2);
        reply_range(&matches.reply, match.a_first, match.a_last);
        reply_range(&matches.reply, match.b_first, match.b_last);
        if (options->shows_lengths) {
            reply_integer(&matches.reply, (int64_t)length);
        }
        matches.count++;
    }
    if (collected_failed(&matches)) {
        reply_out_of_memory(request->reply);
    } else {
        reply_map(request->reply, 2);
        reply_string(request->reply, "matches");
        collected_reply(&matches, request->reply);
        reply_string(request->reply, "len");
        reply_integer(request->reply, length_at(lcs, lcs->a.size, lcs->b.size));
    }
    collected_fini(&matches);
}

static void
reply_subsequence(struct request *request, const struct lcs *lcs)
{
    size_t at = length_at(lcs, lcs->a.size, lcs->b.size);
    size_t size = at;
    size_t i = lcs->a.size;
    size_t j = lcs->b.size;
    struct lcs_match match;
    char *text = arena_alloc(request->arena, size);
    if (text == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    while (lcs_previous(lcs, &i, &j, &match)) {
        size_t length = match.a_last - match.a_first + 1;
        at -= length;
        memcpy(text + at, lcs->a.data + match.a_first, length);
    }
    reply_bulk(request->reply, slice_make(text, size));
}

void
cmd_lcs(struct request *request)
{
    struct lcs_options options;
    struct slice a;
    struct slice b;
    struct lcs lcs;
    if (!operands_are_strings(request) || !parse_options(request, &options) ||
        !read_operand(request, 0, &a) || !read_operand(request, 1, &b) ||
        !lcs_init(&lcs, request->reply, a, b)) {
        return;
    }
    if (options.wants_ranges) {
        reply_ranges(request, &lcs, &options);
    } else if (options.wants_length) {
        reply_integer(request->reply, length_at(&lcs, a.size, b.size));
    } else {
        reply_subsequence(request, &lcs);
    }
    free(lcs.lengths);
}
