#include "proto/codec/php_scan.h"

const char *
php_integer_end(const char *at, const char *end)
{
    if (at < end && *at == '-') {
        at++;
    }
    if (at == end || !php_is_digit(*at)) {
        return NULL;
    }
    if (*at == '0') {
        return at + 1;
    }
    while (at < end && php_is_digit(*at)) {
        at++;
    }
    return at;
}

/* Behind what PHP writes for a float, or NULL. */
static const char *
float_end(const char *at, const char *end)
{
    if (end - at >= 3 && memcmp(at, "NAN", 3) == 0) {
        return at + 3;
    }
    const char *digits = at < end && *at == '-' ? at + 1 : at;
    if (end - digits >= 3 && memcmp(digits, "INF", 3) == 0) {
        return digits + 3;
    }
    if ((at = php_integer_end(at, end)) == NULL) {
        return NULL;
    }
    if (at < end && *at == '.') {
        const char *fraction = ++at;
        while (at < end && php_is_digit(*at)) {
            at++;
        }
        if (at == fraction) {
            return NULL;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        const char *exponent = at;
        while (at < end && php_is_digit(*at)) {
            at++;
        }
        if (at == exponent) {
            return NULL;
        }
    }
    return at;
}

const char *
php_size_end(const char *at, const char *end, uint64_t *ret_size)
{
    const char *first = at;
    uint64_t size = 0;
    for (; at < end && php_is_digit(*at); at++) {
        if (at - first == 19) {
            return NULL; /* more than there can be bytes */
        }
        size = size * 10 + (uint64_t)(*at - '0');
    }
    if (at == first || at == end || *at != ':' || (*first == '0' && at - first > 1)) {
        return NULL;
    }
    *ret_size = size;
    return at + 1;
}

/* 5:"bytes", from the size on; behind it, or NULL. */
static const char *
quoted_end(const char *at, const char *end, struct slice *ret_text)
{
    uint64_t size;
    at = php_size_end(at, end, &size);
    if (at == NULL || end - at < 2 || size > (uint64_t)(end - at) - 2 || at[0] != '"' ||
        at[size + 1] != '"') {
        return NULL;
    }
    *ret_text = slice_make(at + 1, (size_t)size);
    return at + size + 2;
}

static const char *
semicolon_end(const char *at, const char *end)
{
    return at != NULL && at < end && *at == ';' ? at + 1 : NULL;
}

const char *
php_key_end(const char *at, const char *end, struct slice *ret_text)
{
    if (end - at < 2 || at[1] != ':') {
        return NULL;
    }
    if (at[0] == 's') {
        return semicolon_end(quoted_end(at + 2, end, ret_text), end);
    }
    if (at[0] != 'i') {
        return NULL;
    }
    const char *stop = php_integer_end(at + 2, end);
    if (stop == NULL) {
        return NULL;
    }
    *ret_text = slice_make(at + 2, (size_t)(stop - at - 2));
    return semicolon_end(stop, end);
}

/* Behind C:3:"Any":5:{bytes}, from the first size on, or NULL. */
static const char *
custom_end(const char *at, const char *end)
{
    struct slice name;
    uint64_t size;
    at = quoted_end(at, end, &name);
    if (at == NULL || at == end || *at != ':' ||
        (at = php_size_end(at + 1, end, &size)) == NULL || end - at < 2 ||
        size > (uint64_t)(end - at) - 2 || at[0] != '{' || at[size + 1] != '}') {
        return NULL;
    }
    return at + size + 2;
}

struct slice
php_key_label(struct slice raw)
{
    if (raw.data[0] == 'i') {
        return slice_make(raw.data + 2, raw.size - 3);
    }
    const char *at = raw.data + 2;
    while (*at != ':') {
        at++;
    }
    return slice_make(at + 2, (size_t)(raw.data + raw.size - 2 - (at + 2)));
}

bool
php_is_position(struct slice raw, uint64_t index)
{
    uint64_t number;
    return raw.data[0] == 'i' && slice_to_uint64(php_key_label(raw), &number) &&
           number == index;
}

const char *
php_value_end(const char *at, const char *end, unsigned depth_max,
              enum codec_status *ret_status, const char **ret_at, enum kind *ret_kind,
              php_on_value *on_value, void *context)
{
    uint64_t left[CODEC_DEPTH_MAX]; /* children still to come, per open container */
    uint64_t index = 0;             /* of the outermost */
    unsigned depth = 0;
    bool list = true;
    struct slice text;
    *ret_status = CODEC_BAD;
    for (;;) {
        const char *start = at;
        enum kind kind = KIND_OTHER;
        bool container = false;
        uint64_t count = 0;
        *ret_at = at;
        if (end - at < 2 || (at[1] != ':' && *at != 'N')) {
            return NULL;
        }
        switch (*at) {
        case 'N':
            kind = KIND_NULL;
            at = semicolon_end(at + 1, end);
            break;
        case 'b':
            if (end - at < 4 || (at[2] != '0' && at[2] != '1')) {
                return NULL;
            }
            kind = at[2] == '1' ? KIND_TRUE : KIND_FALSE;
            at = semicolon_end(at + 3, end);
            break;
        case 'i':
            kind = KIND_NUMBER;
            at = semicolon_end(php_integer_end(at + 2, end), end);
            break;
        case 'd':
            kind = KIND_NUMBER;
            at = semicolon_end(float_end(at + 2, end), end);
            break;
        case 's':
            kind = KIND_STRING;
            at = semicolon_end(quoted_end(at + 2, end, &text), end);
            break;
        case 'a':
            kind = KIND_OBJECT;
            container = true;
            at = php_size_end(at + 2, end, &count);
            break;
        case 'O':
            container = true;
            at = quoted_end(at + 2, end, &text);
            at =
                at != NULL && at < end && *at == ':' ? php_size_end(at + 1, end, &count) : NULL;
            break;
        case 'C':
            at = custom_end(at + 2, end);
            break;
        case 'E':
            at = semicolon_end(quoted_end(at + 2, end, &text), end);
            break;
        case 'R':
        case 'r':
            at = semicolon_end(php_integer_end(at + 2, end), end);
            break;
        default:
            return NULL;
        }
        if (at == NULL) {
            return NULL;
        }
        if (on_value != NULL) {
            on_value(context, start, slice_make(start, (size_t)(at - start)));
        }
        if (container) {
            if (at == end || *at != '{') {
                return NULL;
            }
            if (depth == depth_max) {
                *ret_status = CODEC_DEEP;
                return NULL;
            }
            left[depth++] = count;
            at++;
        }
        if (depth <= (container ? 1u : 0u)) {
            *ret_kind = kind;
        }
        for (; depth > 0 && left[depth - 1] == 0; depth--) {
            *ret_at = at;
            if (at == end || *at != '}') {
                return NULL;
            }
            at++;
        }
        if (depth == 0) {
            if (*ret_kind == KIND_OBJECT && list) {
                *ret_kind = index == 0 ? KIND_EMPTY : KIND_LIST;
            }
            return at;
        }
        left[depth - 1]--;
        const char *key = at;
        *ret_at = at;
        if ((at = php_key_end(at, end, &text)) == NULL) {
            return NULL;
        }
        if (depth == 1 && list) {
            list = php_is_position(slice_make(key, (size_t)(at - key)), index++);
        }
    }
}

void
php_values(struct slice raw, php_on_value *on_value, void *context)
{
    enum codec_status status;
    enum kind kind;
    const char *where;
    (void)php_value_end(raw.data, raw.data + raw.size, CODEC_DEPTH_MAX, &status, &where, &kind,
                        on_value, context);
}
