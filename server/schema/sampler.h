/*
 * sampler - values of one group, to train a dictionary with and to judge dictionaries by; those
 * that judge are not trained with.
 *
 * Thread:   owned by one thread.
 * Bounded:  PACK_TRAIN_BYTES_MAX, and SAMPLER_COUNT_MAX values cut at SAMPLER_SIZE_MAX bytes.
 */
#ifndef SERVER_SCHEMA_SAMPLER_H
#define SERVER_SCHEMA_SAMPLER_H

#include "proto/base/buffer.h"
#include "server/schema/packing.h"

enum { SAMPLER_COUNT_MAX = 4096, SAMPLER_SIZE_MAX = 8 * 1024 };

/* Values that follow one another. */
struct samples {
    struct buffer bytes;
    size_t sizes[SAMPLER_COUNT_MAX];
    size_t count;
};

struct sampler {
    struct packing *packing; /* the user's */
    enum pack_algorithm algorithm;
    bool is_training; /* else it only judges, which takes fewer */
    bool is_done;     /* the user's */
    size_t seen;
    struct samples *trained; /* [owned] */
    struct samples *held;    /* [owned] back, to judge by */
};

void sampler_init(struct sampler *sampler, struct packing *packing,
                  enum pack_algorithm algorithm, bool is_training);
void sampler_fini(struct sampler *sampler);

enum sampler_result { SAMPLER_MORE, SAMPLER_FULL };

/* Take a copy of <raw>; without memory it is passed over. */
enum sampler_result sampler_add(struct sampler *sampler, struct slice raw);

/* There are as many as training needs, or judging. */
bool sampler_is_enough(const struct sampler *sampler);

/* NULL: nothing came of it. About 100 ms. */
struct pack_dictionary *sampler_train(const struct sampler *sampler);

/* The size of the samples held back when packed, in thousandths of their raw size. */
unsigned sampler_ratio(const struct sampler *sampler, struct pack_context *context,
                       const struct pack_dictionary *dictionary);

#endif
