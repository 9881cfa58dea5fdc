/*
 * scan - the inner loops of the JSON scanner: many bytes at a time.
 *
 * Sixteen at a time where SSE2 is part of the architecture (x86-64), eight in a word
 * elsewhere; never a byte beyond <end>.
 *
 * Thread:   pure functions.
 */
#ifndef PROTO_CODEC_SCAN_H
#define PROTO_CODEC_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_HIGHS UINT64_C(0x8080808080808080)

/* A bit in every byte of a word that is zero; above the first such byte there may be false
 * ones.
 */
static inline uint64_t
scan_zeros(uint64_t word)
{
    return (word - SCAN_ONES) & ~word & SCAN_HIGHS;
}

/* Is any of the eight bytes at <at> special? */
static inline bool
scan_word_is_special(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return (scan_zeros(word ^ (SCAN_ONES * '"')) | scan_zeros(word ^ (SCAN_ONES * '\\')) |
            (((word - SCAN_ONES * 0x20) | word) & SCAN_HIGHS)) != 0;
}

/* Must the byte be looked at inside a string? */
static inline bool
scan_is_special(char byte)
{
    return (uint8_t)byte < 0x20 || byte == '"' || byte == '\\' || (uint8_t)byte >= 0x80;
}

/* A bracket or a quote? */
static inline bool
scan_is_mark(char byte)
{
    return byte == '"' || (byte | 0x20) == '{' || (byte | 0x20) == '}';
}

#if defined(__SSE2__)

#include <emmintrin.h>

enum { SCAN_STEP = 16 };

static inline __m128i
scan_load(const char *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

typedef unsigned scan_found;

/* A bit for every special byte of the sixteen at <at>. */
static inline scan_found
scan_specials(const char *at)
{
    __m128i bytes = scan_load(at);
    /* Signed comparison: bytes from 0x80 on are below 0x20, too. */
    __m128i found = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(found);
}

static inline scan_found
scan_marks(const char *at)
{
    __m128i bytes = scan_load(at);
    __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    __m128i found = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(lower, _mm_set1_epi8('{')));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(lower, _mm_set1_epi8('}')));
    return (unsigned)_mm_movemask_epi8(found);
}

static inline unsigned
scan_first(scan_found found)
{
    return (unsigned)__builtin_ctz(found);
}

/* A bit for every byte from 0x80 on. */
static inline scan_found
scan_highs(const char *at)
{
    return (unsigned)_mm_movemask_epi8(scan_load(at));
}

#else

enum { SCAN_STEP = 8 };

static inline uint64_t
scan_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

typedef uint64_t scan_found;

static inline scan_found
scan_specials(const char *at)
{
    uint64_t word = scan_load(at);
    return scan_zeros(word ^ (SCAN_ONES * '"')) | scan_zeros(word ^ (SCAN_ONES * '\\')) |
           (((word - SCAN_ONES * 0x20) | word) & SCAN_HIGHS);
}

static inline scan_found
scan_marks(const char *at)
{
    uint64_t word = scan_load(at);
    uint64_t lower = word | (SCAN_ONES * 0x20);
    return scan_zeros(word ^ (SCAN_ONES * '"')) | scan_zeros(lower ^ (SCAN_ONES * '{')) |
           scan_zeros(lower ^ (SCAN_ONES * '}'));
}

static inline unsigned
scan_first(scan_found found)
{
    return (unsigned)__builtin_ctzll(found) / 8;
}

static inline scan_found
scan_highs(const char *at)
{
    return scan_load(at) & SCAN_HIGHS;
}

#endif

/* The first special byte from <at> on, <end> if there is none. */
static inline const char *
scan_string(const char *at, const char *end)
{
    while (end - at >= SCAN_STEP) {
        scan_found found = scan_specials(at);
        if (found != 0) {
            return at + scan_first(found);
        }
        at += SCAN_STEP;
    }
    if (end - at >= 8 && !scan_word_is_special(at)) {
        at += 8;
    }
    while (at < end && !scan_is_special(*at)) {
        at++;
    }
    return at;
}

static inline const char *
scan_mark(const char *at, const char *end)
{
    while (end - at >= SCAN_STEP) {
        scan_found found = scan_marks(at);
        if (found != 0) {
            return at + scan_first(found);
        }
        at += SCAN_STEP;
    }
    while (at < end && !scan_is_mark(*at)) {
        at++;
    }
    return at;
}

/* The first byte from 0x80 on. */
static inline const char *
scan_high(const char *at, const char *end)
{
    while (end - at >= SCAN_STEP) {
        scan_found found = scan_highs(at);
        if (found != 0) {
            return at + scan_first(found);
        }
        at += SCAN_STEP;
    }
    while (at < end && (uint8_t)*at < 0x80) {
        at++;
    }
    return at;
}

#endif
