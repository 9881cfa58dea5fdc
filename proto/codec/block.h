/*
 * block - 64 bytes of text as bit masks, one bit per byte: where what stands.
 *
 * With AVX-512 or AVX2 where the processor has it, with SSE2 on every other x86-64, in words of
 * eight bytes elsewhere: BLOCK_READERS lists what there is, the best first.
 *
 * Thread:   pure functions.
 */
#ifndef PROTO_CODEC_BLOCK_H
#define PROTO_CODEC_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK_SIZE = 64 };

struct block {
    uint64_t quote;     /* " */
    uint64_t backslash; /* \ */
    uint64_t control;   /* below 0x20 */
    uint64_t high;      /* from 0x80 on */
    uint64_t open;      /* { [ */
    uint64_t close;     /* } ] */
    uint64_t comma;
    uint64_t colon;
    uint64_t space; /* blanks; tabs and line ends are control bytes */
    uint64_t digit;
    uint64_t zero; /* 0 */
};

#if defined(__SSE2__)

#include <immintrin.h>

/*
 * X(name, attributes, is there?): block_read_<name>(), for functions with these attributes.
 */
#define BLOCK_READERS(X)                                                                       \
    X(avx512, __attribute__((target("avx512bw,avx2,bmi,bmi2,lzcnt,popcnt"))),                  \
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2"))             \
    X(avx2, __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))),                             \
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))                        \
    X(sse2, , true)

/*
 * A vector's share of a block, by GNU C's vector operations: <vector> of bytes, and <bits_of> a
 * comparison of such. Signed: bytes from 0x80 on are below 0x20, too; and '0' to '9' can be
 * made the lowest of all.
 */
#define BLOCK_PART(name, attributes, vector, bits_of)                                          \
    attributes static inline __attribute__((always_inline)) void block_part_##name(            \
        const char *at, unsigned shift, struct block *block)                                   \
    {                                                                                          \
        vector bytes;                                                                          \
        memcpy(&bytes, at, sizeof(bytes));                                                     \
        const vector lower = bytes | 0x20;                                                     \
        const uint64_t high = bits_of(bytes);                                                  \
        block->quote |= bits_of(bytes == '"') << shift;                                        \
        block->backslash |= bits_of(bytes == '\\') << shift;                                   \
        block->control |= (bits_of(bytes < 0x20) & ~high) << shift;                            \
        block->high |= high << shift;                                                          \
        block->open |= bits_of(lower == '{') << shift;                                         \
        block->close |= bits_of(lower == '}') << shift;                                        \
        block->comma |= bits_of(bytes == ',') << shift;                                        \
        block->colon |= bits_of(bytes == ':') << shift;                                        \
        block->space |= bits_of(bytes == ' ') << shift;                                        \
        block->zero |= bits_of(bytes == '0') << shift;                                         \
        block->digit |= (bits_of((bytes ^ '0') < 10) & ~high) << shift;                        \
    }

typedef signed char block_16 __attribute__((vector_size(16)));
typedef signed char block_32 __attribute__((vector_size(32)));

#define BLOCK_BITS_16(vector) ((uint64_t)(uint16_t)_mm_movemask_epi8((__m128i)(vector)))
#define BLOCK_BITS_32(vector) ((uint64_t)(uint32_t)_mm256_movemask_epi8((__m256i)(vector)))

BLOCK_PART(sse2, , block_16, BLOCK_BITS_16)
BLOCK_PART(avx2, __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))), block_32, BLOCK_BITS_32)

/* All of a block in one vector, whose comparisons are masks. */
__attribute__((target("avx512bw,avx2,bmi,bmi2,lzcnt,popcnt"))) static inline void
block_read_avx512(const char *at, struct block *ret_block)
{
    const __m512i bytes = _mm512_loadu_si512(at);
    const __m512i lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    *ret_block = (struct block){
        .quote = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')),
        .backslash = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')),
        .control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20)),
        .high = _mm512_movepi8_mask(bytes),
        .open = _mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8('{')),
        .close = _mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8('}')),
        .comma = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(',')),
        .colon = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(':')),
        .space = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' ')),
        .digit = _mm512_cmplt_epu8_mask(_mm512_xor_si512(bytes, _mm512_set1_epi8('0')),
                                        _mm512_set1_epi8(10)),
        .zero = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('0')),
    };
}

static inline void
block_read_sse2(const char *at, struct block *ret_block)
{
    *ret_block = (struct block){0};
    block_part_sse2(at, 0, ret_block);
    block_part_sse2(at + 16, 16, ret_block);
    block_part_sse2(at + 32, 32, ret_block);
    block_part_sse2(at + 48, 48, ret_block);
}

__attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))) static inline void
block_read_avx2(const char *at, struct block *ret_block)
{
    *ret_block = (struct block){0};
    block_part_avx2(at, 0, ret_block);
    block_part_avx2(at + 32, 32, ret_block);
}

#else

#define BLOCK_ONES UINT64_C(0x0101010101010101)
#define BLOCK_HIGHS UINT64_C(0x8080808080808080)

/* The high bits of bytes, as bits 0 to 7. */
static inline uint64_t
block_gather(uint64_t highs)
{
    return (highs & BLOCK_HIGHS) * UINT64_C(0x0002040810204081) >> 56;
}

/* Bytes of <word> below <bound>, at most 0x80. */
static inline uint64_t
block_below(uint64_t word, unsigned bound)
{
    return block_gather(
        ~(((word & ~BLOCK_HIGHS) + BLOCK_ONES * (0x80 - bound)) | (word & BLOCK_HIGHS)));
}

static inline uint64_t
block_equal(uint64_t word, char byte)
{
    return block_below(word ^ BLOCK_ONES * (uint8_t)byte, 1);
}

#define BLOCK_READERS(X) X(words, , true)

static inline void
block_read_words(const char *at, struct block *ret_block)
{
    struct block block = {0};
    for (unsigned shift = 0; shift < BLOCK_SIZE; shift += 8) {
        uint64_t word;
        memcpy(&word, at + shift, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint64_t lower = word | BLOCK_ONES * 0x20;
        block.quote |= block_equal(word, '"') << shift;
        block.backslash |= block_equal(word, '\\') << shift;
        block.control |= block_below(word, 0x20) << shift;
        block.high |= block_gather(word) << shift;
        block.open |= block_equal(lower, '{') << shift;
        block.close |= block_equal(lower, '}') << shift;
        block.comma |= block_equal(word, ',') << shift;
        block.colon |= block_equal(word, ':') << shift;
        block.space |= block_equal(word, ' ') << shift;
        block.digit |= (block_below(word, '9' + 1) & ~block_below(word, '0')) << shift;
        block.zero |= block_equal(word, '0') << shift;
    }
    *ret_block = block;
}

#endif

#endif
