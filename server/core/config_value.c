#include "server/core/config_value.h"

#include "server/core/words.h"

static const char *const class_names[] = {"normal", "slave", "pubsub"};

/* ---- numbers ---- */

bool
config_value_memory(struct slice word, int64_t *ret_bytes)
{
    static const struct {
        const char *name;
        int64_t factor;
    } units[] = {
        {"", 1},           {"b", 1},
        {"k", 1000},       {"kb", 1024},
        {"m", 1000000},    {"mb", 1024 * 1024},
        {"g", 1000000000}, {"gb", 1024 * 1024 * 1024},
    };
    size_t digits = 0;
    while (digits < word.size && word.data[digits] >= '0' && word.data[digits] <= '9') {
        digits++;
    }
    int64_t number;
    if (!slice_to_int64(slice_make(word.data, digits), &number)) {
        return false;
    }
    struct slice unit = slice_make(word.data + digits, word.size - digits);
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (slice_equal_nocase(unit, slice_from_string(units[i].name))) {
            return !__builtin_mul_overflow(number, units[i].factor, ret_bytes);
        }
    }
    return false;
}

static bool
read_octal(struct slice word, int64_t *ret_number)
{
    int64_t number = 0;
    for (size_t i = 0; i < word.size; i++) {
        if (word.data[i] < '0' || word.data[i] > '7' || i > 10) {
            return false;
        }
        number = number * 8 + (word.data[i] - '0');
    }
    *ret_number = number;
    return word.size > 0;
}

static bool
read_enum(struct slice word, const char *const *names, int64_t *ret_number)
{
    for (int64_t i = 0; names[i] != NULL; i++) {
        if (slice_equal_nocase(word, slice_from_string(names[i]))) {
            *ret_number = i;
            return true;
        }
    }
    return false;
}

bool
config_value_number(enum config_type type, struct slice word, int64_t minimum, int64_t maximum,
                    const char *const *names, int64_t *ret_number, struct buffer *ret_reason)
{
    static const char *const booleans[] = {"no", "yes", NULL};
    int64_t number = 0;
    const char *reason = NULL;
    switch (type) {
    case CONFIG_TYPE_MEMORY:
        reason = config_value_memory(word, &number) ? NULL : "argument must be a memory value";
        break;
    case CONFIG_TYPE_OCTAL:
        reason = read_octal(word, &number) ? NULL : "argument must be an octal number";
        break;
    case CONFIG_TYPE_BOOLEAN:
        reason = read_enum(word, booleans, &number) ? NULL : "argument must be 'yes' or 'no'";
        break;
    case CONFIG_TYPE_ENUM:
        if (!read_enum(word, names, &number)) {
            buffer_append_string(ret_reason, "argument(s) must be one of the following: ");
            for (size_t i = 0; names[i] != NULL; i++) {
                buffer_append_string(ret_reason, i > 0 ? ", " : "");
                buffer_append_string(ret_reason, names[i]);
            }
            return false;
        }
        break;
    default:
        reason = slice_to_int64(word, &number) ? NULL
                                               : "argument couldn't be parsed into an integer";
        break;
    }
    if (reason != NULL) {
        buffer_append_string(ret_reason, reason);
        return false;
    }
    bool has_range = type != CONFIG_TYPE_BOOLEAN && type != CONFIG_TYPE_ENUM;
    if (has_range && (number < minimum || number > maximum)) {
        buffer_printf(ret_reason, "argument must be between %lld and %lld inclusive",
                      (long long)minimum, (long long)maximum);
        return false;
    }
    *ret_number = number;
    return true;
}

/* ---- texts ---- */

void
config_value_join(const struct slice *words, size_t count, struct buffer *ret_text)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buffer_append_char(ret_text, ' ');
        }
        buffer_append_slice(ret_text, words[i]);
    }
}

const char *
config_value_limits(const struct slice *words, size_t count,
                    struct config_limit limits[CONFIG_CLIENT_CLASS_COUNT])
{
    if (count == 0 || count % 4 != 0) {
        return "Wrong number of arguments in buffer limit configuration.";
    }
    for (size_t i = 0; i < count; i += 4) {
        int class = 0;
        while (class < CONFIG_CLIENT_CLASS_COUNT &&
               !slice_equal_nocase(words[i], slice_from_string(class_names[class]))) {
            class ++;
        }
        if (slice_equal_nocase(words[i], SLICE_OF("replica"))) {
            class = CONFIG_CLIENT_REPLICA;
        }
        if (class == CONFIG_CLIENT_CLASS_COUNT) {
            return "Invalid client class specified in buffer limit configuration.";
        }
        struct config_limit limit;
        if (!config_value_memory(words[i + 1], &limit.hard) ||
            !config_value_memory(words[i + 2], &limit.soft) ||
            !slice_to_int64(words[i + 3], &limit.soft_s) || limit.soft_s < 0) {
            return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        }
        limits[class] = limit;
    }
    return NULL;
}

const char *
config_value_save(const struct slice *words, size_t count, struct buffer *ret_text)
{
    if (count == 1 && words[0].size == 0) {
        return NULL;
    }
    if (count == 1) {
        struct words parts;
        if (words_init(&parts, words[0]) != WORDS_READY) {
            return "Invalid save parameters";
        }
        const char *reason = parts.count > 1
                                 ? config_value_save(parts.items, parts.count, ret_text)
                                 : "Invalid save parameters";
        words_fini(&parts);
        return reason;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        if (count % 2 != 0 || !slice_to_int64(words[i], &number) || number < (i % 2 == 0)) {
            return "Invalid save parameters";
        }
    }
    config_value_join(words, count, ret_text);
    return NULL;
}

const char *
config_value_events(struct slice word, struct buffer *ret_text)
{
    static const char classes[] = "g$lshzxetd"; /* 'A' stands for all of them */
    static const char order[] = "g$lshzxetdKEmn";
    bool is_set[sizeof(order)] = {false};
    for (size_t i = 0; i < word.size; i++) {
        const char *found = word.data[i] == '\0' ? NULL : strchr(order, word.data[i]);
        if (word.data[i] == 'A') {
            memset(is_set, true, sizeof(classes) - 1);
        } else if (found == NULL) {
            return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
        } else {
            is_set[found - order] = true;
        }
    }
    size_t class_count = 0;
    for (size_t i = 0; i < sizeof(classes) - 1; i++) {
        class_count += is_set[i];
    }
    bool is_all = class_count == sizeof(classes) - 1;
    if (is_all) {
        buffer_append_char(ret_text, 'A');
    }
    for (size_t i = is_all ? class_count : 0; i < sizeof(order) - 1; i++) {
        if (is_set[i]) {
            buffer_append_char(ret_text, order[i]);
        }
    }
    return NULL;
}

/* A name, or the start of names and a '*'; nothing that would need quotes in the text. */
static bool
is_pattern(struct slice word)
{
    for (size_t i = 0; i < word.size; i++) {
        unsigned char byte = (unsigned char)word.data[i];
        if (byte <= ' ' || byte == 127 || (byte == '*' && i + 1 < word.size)) {
            return false;
        }
    }
    return word.size > 0;
}

static bool
is_algorithm(struct slice word)
{
    return slice_equal_nocase(word, SLICE_OF("lz4")) ||
           slice_equal_nocase(word, SLICE_OF("zstd")) ||
           slice_equal_nocase(word, SLICE_OF("none"));
}

const char *
config_value_compression(const struct slice *words, size_t count, struct buffer *ret_text)
{
    struct words parts = {0};
    struct buffer text;
    buffer_init(&text, 0);
    config_value_join(words, count, &text); /* a word may hold several */
    bool is_good = !text.failed && words_init(&parts, buffer_slice(&text)) == WORDS_READY;
    if (is_good) {
        is_good = parts.count % 2 == 0;
        for (size_t i = 0; i < parts.count; i++) {
            is_good &= i % 2 == 0 ? is_pattern(parts.items[i]) : is_algorithm(parts.items[i]);
        }
        config_value_join(parts.items, is_good ? parts.count : 0, ret_text);
        words_fini(&parts);
    }
    buffer_fini(&text);
    return is_good
               ? NULL
               : "must be a key, or the start of keys and a '*', then lz4, zstd or none, as "
                 "often as wanted";
}

void
config_value_append_limit(enum config_client_class class, const struct config_limit *limit,
                          struct buffer *ret_text)
{
    buffer_printf(ret_text, "%s%s %lld %lld %lld", class == CONFIG_CLIENT_NORMAL ? "" : " ",
                  class_names[class], (long long)limit->hard, (long long)limit->soft,
                  (long long)limit->soft_s);
}
