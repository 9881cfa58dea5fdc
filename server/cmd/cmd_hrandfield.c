/* HRANDFIELD: random fields of a hash, with or without repetitions. */
#include "server/cmd/argument.h"
#include "server/cmd/handlers.h"
#include "server/cmd/hash_key.h"
#include "server/core/random.h"

#include <inttypes.h>

/* So many answers, repetitions included, are refused: nothing else would bound the reply. */
enum { RANDOM_COUNT_MAX = 10 * 1000 * 1000 };

struct random_options {
    bool has_count;
    bool repeats; /* the count was negative */
    bool shows_values;
    uint64_t count;
};

static bool
parse_options(struct request *request, struct random_options *ret_options)
{
    struct random_options options = {0};
    int64_t count = 0;
    if (request->argc > 2) {
        options.has_count = true;
        if (!argument_int64(request, 2, &count)) {
            return false;
        }
        if (count == INT64_MIN) {
            reply_error(request->reply,
                        "ERR value is out of range, value must between %" PRId64
                        " and %" PRId64,
                        -INT64_MAX, INT64_MAX);
            return false;
        }
    }
    if (request->argc > 3) {
        options.shows_values = true;
        if (request->argc > 4 || !argument_is(request, 3, "WITHVALUES")) {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    if (count < -RANDOM_COUNT_MAX || (options.shows_values && count > INT64_MAX / 2)) {
        reply_error(request->reply, "ERR value is out of range");
        return false;
    }
    options.repeats = count < 0;
    options.count = (uint64_t)(count < 0 ? -count : count);
    *ret_options = options;
    return true;
}

/* One answer: in RESP3 field and value are a pair of their own. */
static void
reply_pair(struct reply *reply, const struct random_options *options, struct slice field,
           struct slice value)
{
    if (options->shows_values && reply->resp >= 3) {
        reply_array(reply, 2);
    }
    reply_bulk(reply, field);
    if (options->shows_values) {
        reply_bulk(reply, value);
    }
}

static void
reply_repeating(struct reply *reply, const struct hash *hash,
                const struct random_options *options)
{
    struct slice field;
    struct slice value;
    for (uint64_t i = 0; i < options->count; i++) {
        hash_random(hash, random_next(), &field, &value);
        reply_pair(reply, options, field, value);
    }
}

/* Knuth's selection sampling (TAOCP 2, 3.4.2 S): one pass over all fields. */
static void
reply_selected(struct reply *reply, const struct hash *hash,
               const struct random_options *options)
{
    size_t position = 0;
    uint64_t needed = options->count;
    uint64_t left = hash_size(hash);
    struct slice field;
    struct slice value;
    while (needed > 0 && hash_next(hash, &position, &field, &value)) {
        if (random_below(left) < needed) {
            reply_pair(reply, options, field, value);
            needed--;
        }
        left--;
    }
}

/* Remember <field>, of a hash that does not change; false if it was met before. */
static bool
remember(const char **seen, size_t mask, struct slice field)
{
    size_t slot = (uintptr_t)field.data * 0x9e3779b97f4a7c15U >> 20 & mask;
    while (seen[slot] != NULL) {
        if (seen[slot] == field.data) {
            return false;
        }
        slot = (slot + 1) & mask;
    }
    seen[slot] = field.data;
    return true;
}

/* For few out of many: draw again what was drawn before. <seen> has <mask> + 1 empty slots. */
static void
reply_drawn(struct reply *reply, const struct hash *hash, const struct random_options *options,
            const char **seen, size_t mask)
{
    struct slice field;
    struct slice value;
    for (uint64_t needed = options->count; needed > 0;) {
        hash_random(hash, random_next(), &field, &value);
        if (remember(seen, mask, field)) {
            reply_pair(reply, options, field, value);
            needed--;
        }
    }
}

static void
reply_header(struct reply *reply, const struct random_options *options)
{
    bool is_flat = options->shows_values && reply->resp < 3;
    reply_array(reply, options->count * (is_flat ? 2 : 1));
}

static void
reply_distinct(struct request *request, const struct hash *hash,
               const struct random_options *options)
{
    if (hash_is_packed(hash) || options->count > hash_size(hash) / 4) {
        reply_header(request->reply, options);
        reply_selected(request->reply, hash, options);
        return;
    }
    size_t slots = 4;
    while (slots < 2 * options->count) {
        slots *= 2;
    }
    const char **seen = arena_calloc(request->arena, slots, sizeof(*seen));
    if (seen == NULL) {
        reply_out_of_memory(request->reply);
        return;
    }
    reply_header(request->reply, options);
    reply_drawn(request->reply, hash, options, seen, slots - 1);
}

void
cmd_hrandfield(struct request *request)
{
    struct random_options options;
    struct hash *hash;
    if (!parse_options(request, &options) || !hash_key_find(request, &hash)) {
        return;
    }
    if (hash == NULL && options.has_count) {
        reply_array(request->reply, 0);
    } else if (hash == NULL) {
        reply_null(request->reply);
    } else if (!options.has_count) {
        struct slice field;
        struct slice value;
        hash_random(hash, random_next(), &field, &value);
        reply_bulk(request->reply, field);
    } else if (options.repeats) {
        reply_header(request->reply, &options);
        reply_repeating(request->reply, hash, &options);
    } else {
        options.count = options.count < hash_size(hash) ? options.count : hash_size(hash);
        reply_distinct(request, hash, &options);
    }
}
