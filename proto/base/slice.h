/*
 * slice - a borrowed run of bytes: pointer and size, never owned, never NUL-terminated.
 *
 * Thread:   values; as safe as the memory behind them.
 */
#ifndef PROTO_BASE_SLICE_H
#define PROTO_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

/* A slice over a string literal, usable in initializers of static tables, too. */
#define SLICE(literal)                                                                         \
    {                                                                                          \
        "" literal, sizeof(literal) - 1                                                        \
    }
#define SLICE_OF(literal) ((struct slice)SLICE(literal))

static inline struct slice
slice_make(const void *data, size_t size)
{
    return (struct slice){data, size};
}

static inline struct slice
slice_from_string(const char *string)
{
    return (struct slice){string, strlen(string)};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Order by bytes, a proper prefix first: <0, 0 or >0. */
int slice_compare(struct slice a, struct slice b);

/* Do slices of one size hold the same but for the case of ASCII letters? */
bool slice_equal_bytes_nocase(struct slice a, struct slice b);

/* Equality without regard to the case of ASCII letters. */
static inline bool
slice_equal_nocase(struct slice a, struct slice b)
{
    return a.size == b.size &&
           (a.size == 0 || (((a.data[0] ^ b.data[0]) & ~0x20) == 0 && /* most differ here */
                            slice_equal_bytes_nocase(a, b)));
}

bool slice_starts_with(struct slice slice, struct slice prefix);

/*
 * Read all of <slice> as a decimal 64-bit integer as Redis does: an optional '-', no '+', no
 * leading zeros, no blanks. False, leaving <ret_value> untouched, for anything else.
 */
bool slice_to_int64(struct slice slice, int64_t *ret_value);

/* Likewise without a sign, up to UINT64_MAX. */
bool slice_to_uint64(struct slice slice, uint64_t *ret_value);

/*
 * Redis' glob match: * ? [a-z] [^a-z] and \ to escape. Iterative, with one level of
 * backtracking: O(pattern size * text size) at worst, no recursion.
 */
bool slice_glob(struct slice pattern, struct slice text, bool ignore_case);

#endif
