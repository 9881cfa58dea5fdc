#include "proto/base/slice.h"

static char
lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

int
slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

bool
slice_equal_bytes_nocase(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.size; i++) {
        if (a.data[i] != b.data[i] && lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool
slice_starts_with(struct slice slice, struct slice prefix)
{
    return slice.size >= prefix.size &&
           (prefix.size == 0 || memcmp(slice.data, prefix.data, prefix.size) == 0);
}

bool
slice_to_uint64(struct slice slice, uint64_t *ret_value)
{
    if (slice.size == 0 || slice.size > 20 || (slice.size > 1 && slice.data[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < slice.size; i++) {
        unsigned digit = (unsigned)(unsigned char)slice.data[i] - '0';
        /* Only the twentieth digit can be too much. */
        if (digit > 9 || (i == 19 && value > (UINT64_MAX - digit) / 10)) {
            return false;
        }
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

bool
slice_to_int64(struct slice slice, int64_t *ret_value)
{
    bool negative = slice.size > 0 && slice.data[0] == '-';
    if (negative) {
        slice = slice_make(slice.data + 1, slice.size - 1);
    }
    uint64_t magnitude = 0;
    if (!slice_to_uint64(slice, &magnitude) || (negative && magnitude == 0) ||
        magnitude > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *ret_value = negative ? (int64_t)(~magnitude + 1) : (int64_t)magnitude;
    return true;
}

/* Match the class that opens at pattern[*at] == '['; leaves *at on its last byte. */
static bool
glob_class(struct slice pattern, size_t *at, char byte, bool ignore_case)
{
    size_t i = *at + 1;
    bool negated = i < pattern.size && pattern.data[i] == '^';
    bool matched = false;
    if (negated) {
        i++;
    }
    byte = ignore_case ? lower(byte) : byte;
    for (; i < pattern.size && pattern.data[i] != ']'; i++) {
        char low = pattern.data[i];
        char high;
        if (low == '\\' && i + 1 < pattern.size) {
            low = high = pattern.data[++i];
        } else if (i + 2 < pattern.size && pattern.data[i + 1] == '-') {
            high = pattern.data[i + 2];
            i += 2;
            if ((unsigned char)low > (unsigned char)high) {
                char swap = low;
                low = high;
                high = swap;
            }
        } else {
            high = low;
        }
        if (ignore_case) {
            low = lower(low);
            high = lower(high);
        }
        matched |= (unsigned char)byte >= (unsigned char)low &&
                   (unsigned char)byte <= (unsigned char)high;
    }
    *at = i < pattern.size ? i : pattern.size - 1;
    return matched != negated;
}

bool
slice_glob(struct slice pattern, struct slice text, bool ignore_case)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = SIZE_MAX; /* the last '*' met, and where its text began */
    size_t star_text = 0;

    while (t < text.size || p < pattern.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            star_text = t;
            continue;
        }
        if (p < pattern.size && t < text.size) {
            size_t next = p;
            bool same;
            char byte = pattern.data[p];
            if (byte == '?') {
                same = true;
            } else if (byte == '[') {
                same = glob_class(pattern, &next, text.data[t], ignore_case);
            } else {
                if (byte == '\\' && p + 1 < pattern.size) {
                    byte = pattern.data[++next];
                }
                same = ignore_case ? lower(byte) == lower(text.data[t]) : byte == text.data[t];
            }
            if (same) {
                p = next + 1;
                t++;
                continue;
            }
        }
        if (star == SIZE_MAX || star_text >= text.size) {
            return false;
        }
        p = star + 1;
        t = ++star_text;
    }
    return true;
}
