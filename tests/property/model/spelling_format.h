/*
 * spelling_format - what the readers and writers of the codecs share; see spelling.h.
 */
#ifndef TESTS_PROPERTY_MODEL_SPELLING_FORMAT_H
#define TESTS_PROPERTY_MODEL_SPELLING_FORMAT_H

#include "tests/property/model/spelling.h"

/* A document being read. */
struct spelling_reader {
    struct arena *arena;
    const char *at;
    const char *end;
    size_t depth_max;
    size_t depth_seen;
    bool deep;
};

/* One codec: a value from reader->at on, NULL where there is none; and a value written. */
struct spelling_format {
    const char *name;
    bool is_modelled;
    struct value *(*take)(struct spelling_reader *reader, size_t depth);
    void (*put)(struct buffer *out, const struct value *value, enum value_style style,
                struct prng *prng);
};

/* Numbers as spelled; false for others. */
bool spelling_int64(struct slice text, int64_t *ret_number);
bool spelling_uint64(struct slice text, uint64_t *ret_number);
bool spelling_double(struct slice text, double *ret_number);
bool spelling_is_whole(struct slice text); /* no fraction, no exponent */

/* The shortest decimal that reads back as the same float; NULL for one that is no number. */
struct value *spelling_float(struct arena *arena, double number);

/* Where a shuffled object starts, and how it goes on: as value_print() does it. */
size_t spelling_shuffled(const struct value *value, enum value_style style, struct prng *prng,
                         size_t *ret_stride);

/* spelling_pickle.c */
struct value *spelling_pickle_take(struct spelling_reader *reader, size_t depth);
void spelling_pickle_put(struct buffer *out, const struct value *value, enum value_style style,
                         struct prng *prng);

/* spelling_hash.c */
struct value *spelling_hash_take(struct spelling_reader *reader, size_t depth);
void spelling_hash_put(struct buffer *out, const struct value *value, enum value_style style,
                       struct prng *prng);

#endif
