#include "proto/codec/json_index.h"

#include "proto/codec/block.h"

enum { INDEX_MARKS_MIN = 32, INDEX_DEPTH_MAX = 62, INDEX_BATCH = 16 };

enum { STACK_EMPTY = 1, STACK_ROOT = 3 };

/* What goes over from one block to the next: as bit 0 of it, or as a number of its own. */
struct state {
    uint64_t in_string; /* all ones or none */
    uint64_t escaped;   /* the first byte is */
    uint64_t in_key;
    uint64_t in_scalar;
    /* It follows, perhaps over white space, ... */
    uint64_t behind_comma;
    uint64_t behind_colon;
    uint64_t behind_open;
    uint64_t behind_key;
    uint64_t behind_value;
    /* Below a one, a bit for each container that is open, the innermost last: an object? */
    uint64_t stack;
    uint64_t stack_full; /* bits that are set when no container more may be opened */
    size_t scalar;       /* where the last one starts */
    bool has_escapes;
    bool has_high;
};

/* Every bit is the parity of those up to it. */
static inline __attribute__((always_inline)) uint64_t
parity(uint64_t bits)
{
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^= bits << 32;
    return bits;
}

/*
 * From positions right behind something to those that follow it, white space skipped: added to
 * a run of spaces, a bit at its start is carried to its end. <carry> goes in as bit 0 already.
 */
static inline __attribute__((always_inline)) uint64_t
follow(uint64_t behind, uint64_t spaces, uint64_t *ret_carry)
{
    uint64_t carried;
    *ret_carry |= (uint64_t)__builtin_add_overflow(behind & spaces, spaces, &carried);
    return (behind | carried) & ~spaces;
}

/* Positions behind <bits>, with the one carried in; the one beyond the block is carried out. */
static inline __attribute__((always_inline)) uint64_t
behind(uint64_t bits, uint64_t *carry)
{
    uint64_t shifted = bits << 1 | *carry;
    *carry = bits >> 63;
    return shifted;
}

/* The sum and what is carried out of it, with <carry> (0 or 1) carried in. */
static inline __attribute__((always_inline)) uint64_t
add_carry(uint64_t a, uint64_t b, uint64_t carry, uint64_t *ret_sum)
{
    uint64_t sum;
    uint64_t out = (uint64_t)__builtin_add_overflow(a, b, &sum);
    return out | (uint64_t)__builtin_add_overflow(sum, carry, ret_sum);
}

/* Bytes that a backslash before them makes escaped. */
static uint64_t
find_escaped(uint64_t backslashes, struct state *state)
{
    uint64_t escaped = state->escaped;
    uint64_t left = backslashes & ~escaped;
    state->escaped = 0;
    while (left != 0) {
        uint64_t first = left & -left;
        escaped |= first << 1;
        state->escaped |= first >> 63;
        left &= ~(first | first << 1);
    }
    return escaped;
}

/* Do the backslashes at <bits> start escapes that there are? */
static bool
check_escapes(struct slice text, size_t base, uint64_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        const size_t at = base + (size_t)__builtin_ctzll(bits);
        if (!json_is_escape(text.data + at, text.data + text.size)) {
            return false;
        }
    }
    return true;
}

static bool
check_scalars(struct slice text, size_t base, uint64_t starts)
{
    for (; starts != 0; starts &= starts - 1) {
        const size_t at = base + (size_t)__builtin_ctzll(starts);
        if (!json_is_scalar(text.data + at, text.data + text.size)) {
            return false;
        }
    }
    return true;
}

/*
 * Go through the brackets: which positions are in an object, and which in the outermost
 * container; a bracket itself is where it was before it. *ret_whole: the bits up to the end of
 * the object, all if that is not here. False: they do not match, or are too deep.
 */
static inline __attribute__((always_inline)) bool
check_brackets(struct state *state, const char *at, uint64_t opens, uint64_t closes,
               uint64_t *ret_objects, uint64_t *ret_root, uint64_t *ret_whole)
{
    uint64_t stack = state->stack;
    uint64_t objects = -(stack & 1);
    uint64_t root = -(uint64_t)(stack == STACK_ROOT);
    uint64_t wrong = 0;
    for (uint64_t left = opens | closes; left != 0; left &= left - 1) {
        const uint64_t up_to = left ^ (left - 1); /* the bracket, and all before it */
        const uint64_t bit = left & -left;
        const uint64_t is_brace = (uint8_t)at[__builtin_ctzll(left)] >> 5 & 1; /* { or [ */
        if ((opens & bit) != 0) {
            wrong |= stack & state->stack_full;
            stack = stack << 1 | is_brace;
        } else {
            wrong |= is_brace ^ (stack & 1);
            stack >>= 1;
            if (stack <= STACK_EMPTY) {
                *ret_whole = up_to;
                break;
            }
        }
        objects = (objects & up_to) | (-(stack & 1) & ~up_to);
        root = (root & up_to) | (-(uint64_t)(stack == STACK_ROOT) & ~up_to);
    }
    state->stack = stack;
    *ret_objects = objects;
    *ret_root = root;
    return wrong == 0;
}

/* The last bytes of a text as a block. */
static const char *
pad(const char *at, size_t size, char rest[BLOCK_SIZE])
{
    memset(rest, ' ', BLOCK_SIZE);
    memcpy(rest, at, size);
    return rest;
}

/* Note colons and stops of members of the outermost object. */
static bool
take_marks(struct json_index *index, uint64_t colons, uint64_t stops, size_t base,
           struct arena *arena)
{
    for (uint64_t left = colons | stops; left != 0; left &= left - 1) {
        const uint32_t at = (uint32_t)(base + (size_t)__builtin_ctzll(left));
        if ((colons & left & -left) != 0) {
            if (index->count == index->capacity) {
                size_t capacity = index->capacity * 2 + INDEX_MARKS_MIN;
                struct json_mark *marks = arena_alloc(arena, capacity * sizeof(*marks));
                if (marks == NULL) {
                    return false;
                }
                if (index->count > 0) {
                    memcpy(marks, index->marks, index->count * sizeof(*marks));
                }
                index->marks = marks;
                index->capacity = capacity;
            }
            index->marks[index->count++].colon = at;
        } else if (index->count > 0) {
            index->marks[index->count - 1].stop = at;
        }
    }
    return true;
}

/* What stands where in a block, outside of strings but for the strings themselves. */
struct tokens {
    uint64_t opening; /* quotes */
    uint64_t closing;
    uint64_t opens; /* brackets */
    uint64_t closes;
    uint64_t commas;
    uint64_t colons;
    uint64_t spaces;
    uint64_t scalars;
    uint64_t strings;  /* from the opening quote to before the closing one */
    uint64_t controls; /* in strings, where there may be none */
    uint64_t digits;
    uint64_t zeros;
};

/* Find the strings, and so what is in none. False for an escape that there is not. */
static inline __attribute__((always_inline)) bool
find_tokens(struct state *state, const struct block *block, struct slice text, size_t base,
            const char *at, struct tokens *ret_tokens)
{
    uint64_t quotes = block->quote;
    if (__builtin_expect((block->backslash | state->escaped) != 0, 0)) {
        uint64_t escaped = find_escaped(block->backslash, state);
        quotes &= ~escaped;
        state->has_escapes = true;
        if (!check_escapes(text, base, block->backslash & ~escaped)) {
            return false;
        }
    }
    const uint64_t strings = parity(quotes) ^ state->in_string;
    const uint64_t outside = ~(strings | quotes);
    uint64_t spaces = block->space & outside;
    state->in_string = (uint64_t)((int64_t)strings >> 63);
    state->has_high |= block->high != 0;
    if (__builtin_expect((block->control & outside) != 0, 0)) {
        for (uint64_t left = block->control & outside; left != 0; left &= left - 1) {
            spaces |= json_is_space(at[__builtin_ctzll(left)]) ? left & -left : 0;
        }
    }
    ret_tokens->opening = quotes & strings;
    ret_tokens->closing = quotes & ~strings;
    ret_tokens->opens = block->open & outside;
    ret_tokens->closes = block->close & outside;
    ret_tokens->commas = block->comma & outside;
    ret_tokens->colons = block->colon & outside;
    ret_tokens->spaces = spaces;
    ret_tokens->scalars =
        outside & ~(block->open | block->close | block->comma | block->colon | spaces);
    ret_tokens->strings = strings;
    ret_tokens->controls = block->control & strings;
    ret_tokens->digits = block->digit;
    ret_tokens->zeros = block->zero;
    return true;
}

/*
 * Is it grammar? False where anything is wrong in the block at <base>. ret_colons, ret_stops:
 * those of the outermost object; *ret_whole as in check_brackets().
 */
static inline __attribute__((always_inline)) bool
check_tokens(struct state *state, const struct tokens *tokens, struct slice text, size_t base,
             uint64_t *ret_colons, uint64_t *ret_stops, uint64_t *ret_whole)
{
    const uint64_t opening = tokens->opening;
    const uint64_t closing = tokens->closing;
    const uint64_t opens = tokens->opens;
    const uint64_t closes = tokens->closes;
    const uint64_t commas = tokens->commas;
    const uint64_t colons = tokens->colons;
    const uint64_t spaces = tokens->spaces;
    const uint64_t scalars = tokens->scalars;
    uint64_t objects;
    uint64_t root;
    uint64_t whole = UINT64_MAX;
    if (!check_brackets(state, text.data + base, opens, closes, &objects, &root, &whole)) {
        return false;
    }

    /* Scalars. */
    const uint64_t behind_scalars = behind(scalars, &state->in_scalar);
    const uint64_t starts = scalars & ~behind_scalars;
    uint64_t doubtful = starts & whole & tokens->zeros;
    if ((scalars & ~tokens->digits & whole) != 0) {
        doubtful = starts & whole;
        if ((scalars & behind_scalars & 1) != 0 &&
            !json_is_scalar(text.data + state->scalar, text.data + text.size)) {
            return false;
        }
    }
    if (doubtful != 0 && !check_scalars(text, base, doubtful)) {
        return false;
    }
    if (starts != 0) {
        state->scalar = base + 63 - (size_t)__builtin_clzll(starts);
    }

    /*
     * What must be right before what. That a comma or colon is followed by a value needs no
     * check: whatever else could follow must have something else before it.
     */
    uint64_t after_comma = behind(commas, &state->behind_comma);
    uint64_t after_colon = behind(colons, &state->behind_colon);
    uint64_t after_open = behind(opens, &state->behind_open);
    if (spaces != 0) {
        after_comma = follow(after_comma, spaces, &state->behind_comma);
        after_colon = follow(after_colon, spaces, &state->behind_colon);
        after_open = follow(after_open, spaces, &state->behind_open);
    }
    const uint64_t key_places = (after_comma | after_open) & objects;
    uint64_t key_ends;
    state->in_key = add_carry(tokens->strings, opening & key_places, state->in_key, &key_ends);
    key_ends &= closing;
    uint64_t after_key = behind(key_ends, &state->behind_key);
    uint64_t after_value = behind((closing ^ key_ends) | closes, &state->behind_value) |
                           (behind_scalars & ~scalars);
    if (spaces != 0) {
        after_key = follow(after_key, spaces, &state->behind_key);
        after_value = follow(after_value, spaces, &state->behind_value);
    }
    const uint64_t others = opens | starts; /* values that are no strings */
    const uint64_t wrong = tokens->controls | (after_key ^ colons) |
                           ((opening | others) & ~(after_comma | after_colon | after_open)) |
                           (others & key_places) | (commas & ~after_value) |
                           (closes & ~(after_value | after_open));
    if ((wrong & whole) != 0) {
        return false;
    }

    const uint64_t end = state->stack > STACK_EMPTY ? 0 : whole & ~(whole >> 1);
    *ret_colons = colons & root & whole;
    *ret_stops = (commas & root & whole) | end;
    *ret_whole = whole;
    return true;
}

/* The blocks of a text, by each way of reading them. */
#define INDEX_FIND(name, attributes, is_there)                                                 \
    attributes static bool find_##name(struct state *state, struct slice text, size_t base,    \
                                       size_t count, struct tokens *tokens)                    \
    {                                                                                          \
        for (size_t i = 0; i < count; i++, base += BLOCK_SIZE) {                               \
            char rest[BLOCK_SIZE];                                                             \
            const char *at = text.data + base;                                                 \
            struct block block;                                                                \
            if (text.size - base < BLOCK_SIZE) {                                               \
                at = pad(at, text.size - base, rest);                                          \
            }                                                                                  \
            block_read_##name(at, &block);                                                     \
            if (!find_tokens(state, &block, text, base, at, &tokens[i])) {                     \
                return false;                                                                  \
            }                                                                                  \
        }                                                                                      \
        return true;                                                                           \
    }                                                                                          \
                                                                                               \
    attributes static enum codec_status index_##name(                                          \
        struct state *state, struct slice text, struct arena *arena, struct json_index *index) \
    {                                                                                          \
        struct tokens tokens[INDEX_BATCH];                                                     \
        for (size_t base = 0; base < text.size;) {                                             \
            size_t count = (text.size - base + BLOCK_SIZE - 1) / BLOCK_SIZE;                   \
            count = count < INDEX_BATCH ? count : INDEX_BATCH;                                 \
            if (!find_##name(state, text, base, count, tokens)) {                              \
                return CODEC_BAD;                                                              \
            }                                                                                  \
            for (size_t i = 0; i < count; i++, base += BLOCK_SIZE) {                           \
                uint64_t colons;                                                               \
                uint64_t stops;                                                                \
                uint64_t whole;                                                                \
                if (!check_tokens(state, &tokens[i], text, base, &colons, &stops, &whole)) {   \
                    return CODEC_BAD;                                                          \
                }                                                                              \
                if ((colons | stops) != 0 && !take_marks(index, colons, stops, base, arena)) { \
                    return CODEC_NO_MEMORY;                                                    \
                }                                                                              \
                if (state->stack <= STACK_EMPTY) {                                             \
                    index->size = base + 64 - (size_t)__builtin_clzll(whole);                  \
                    return CODEC_OK;                                                           \
                }                                                                              \
            }                                                                                  \
        }                                                                                      \
        return CODEC_BAD;                                                                      \
    }

BLOCK_READERS(INDEX_FIND)

static enum codec_status
index_blocks(struct state *state, struct slice text, struct arena *arena,
             struct json_index *index)
{
#define X(name, attributes, is_there)                                                          \
    if (is_there) {                                                                            \
        return index_##name(state, text, arena, index);                                        \
    }
    BLOCK_READERS(X)
#undef X
}

enum codec_status
json_index(struct slice text, unsigned depth_max, struct arena *arena,
           struct json_index *ret_index)
{
    struct json_index index = {0};
    struct state state = {
        .stack = STACK_EMPTY,
        .stack_full = UINT64_C(1)
                      << (depth_max < INDEX_DEPTH_MAX ? depth_max : INDEX_DEPTH_MAX),
        .behind_colon = 1, /* the whole is a value as one behind a colon is */
    };
    enum codec_status status = index_blocks(&state, text, arena, &index);
    if (status == CODEC_OK && state.has_high &&
        !json_is_utf8(slice_make(text.data, index.size))) {
        status = CODEC_BAD;
    }
    index.has_escapes = state.has_escapes;
    *ret_index = index;
    return status;
}
