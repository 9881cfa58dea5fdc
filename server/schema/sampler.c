#include "server/schema/sampler.h"

#include <stdlib.h>

enum { HELD_SHARE = 8, HELD_COUNT_MAX = 256, HELD_COUNT_MIN = 64 };

void
sampler_init(struct sampler *sampler, struct packing *packing, enum pack_algorithm algorithm,
             bool is_training)
{
    *sampler = (struct sampler){
        .packing = packing, .algorithm = algorithm, .is_training = is_training};
}

static void
samples_free(struct samples *samples)
{
    if (samples != NULL) {
        buffer_fini(&samples->bytes);
        free(samples);
    }
}

void
sampler_fini(struct sampler *sampler)
{
    samples_free(sampler->trained);
    samples_free(sampler->held);
}

/* Most samplers never see a value: what they need is made then. */
static bool
add(struct samples **samples, struct slice raw)
{
    if (*samples == NULL) {
        *samples = calloc(1, sizeof(**samples));
        if (*samples == NULL) {
            return false;
        }
        buffer_init(&(*samples)->bytes, 0);
    }
    struct samples *to = *samples;
    size_t size = raw.size < SAMPLER_SIZE_MAX ? raw.size : SAMPLER_SIZE_MAX;
    buffer_append(&to->bytes, raw.data, size);
    if (to->bytes.failed || to->count == SAMPLER_COUNT_MAX) {
        return false;
    }
    to->sizes[to->count++] = size;
    return true;
}

static size_t
count_of(const struct samples *samples)
{
    return samples == NULL ? 0 : samples->count;
}

static bool
is_full(const struct sampler *sampler)
{
    if (!sampler->is_training) {
        return count_of(sampler->held) == HELD_COUNT_MAX;
    }
    const struct samples *trained = sampler->trained;
    return trained != NULL &&
           (trained->count == SAMPLER_COUNT_MAX || trained->bytes.size >= PACK_TRAIN_BYTES_MAX);
}

enum sampler_result
sampler_add(struct sampler *sampler, struct slice raw)
{
    bool is_held = !sampler->is_training || (sampler->seen++ % HELD_SHARE == 0 &&
                                             count_of(sampler->held) < HELD_COUNT_MAX);
    (void)add(is_held ? &sampler->held : &sampler->trained, raw);
    return is_full(sampler) ? SAMPLER_FULL : SAMPLER_MORE;
}

bool
sampler_is_enough(const struct sampler *sampler)
{
    return count_of(sampler->held) >= HELD_COUNT_MIN &&
           (!sampler->is_training || count_of(sampler->trained) >= PACK_TRAIN_SAMPLES_MIN);
}

struct pack_dictionary *
sampler_train(const struct sampler *sampler)
{
    const struct samples *samples = sampler->trained;
    char *content = malloc(PACK_DICTIONARY_MAX);
    struct pack_dictionary *dictionary = NULL;
    if (content != NULL && samples != NULL) {
        size_t size = pack_train(samples->bytes.data, samples->sizes, samples->count, content);
        if (size > 0) {
            dictionary = pack_dictionary_new(sampler->algorithm, slice_make(content, size));
        }
    }
    free(content);
    return dictionary;
}

unsigned
sampler_ratio(const struct sampler *sampler, struct pack_context *context,
              const struct pack_dictionary *dictionary)
{
    char out[SAMPLER_SIZE_MAX];
    size_t packed = 0;
    const char *at = sampler->held == NULL ? NULL : sampler->held->bytes.data;
    for (size_t i = 0; i < count_of(sampler->held); i++) {
        size_t size = sampler->held->sizes[i];
        size_t now = pack(context, dictionary, slice_make(at, size), out, size);
        packed += now == 0 ? size : now;
        at += size;
    }
    return packed == 0 ? 1000 : (unsigned)(packed * 1000 / sampler->held->bytes.size);
}
