#include "server/store/pack.h"

#include "proto/base/check.h"
#include "server/store/memory.h"

/* Both for calls that the stable interfaces lack: frames without magic, prepared streams. */
#define LZ4_STATIC_LINKING_ONLY
#define ZSTD_STATIC_LINKING_ONLY
#include <lz4.h>
#include <zdict.h>
#include <zstd.h>

enum { ZSTD_LEVEL = 1, LZ4_ACCELERATION = 1 };

struct pack_dictionary {
    enum pack_algorithm algorithm;
    size_t size;
    size_t memory;
    ZSTD_CDict *zstd_out; /* [owned] PACK_ZSTD */
    ZSTD_DDict *zstd_in;  /* [owned] */
    struct slice lz4;     /* PACK_LZ4: the content without zstd's tables */
    LZ4_stream_t lz4_out; /* with the content's positions in it */
    char content[];
};

struct pack_context {
    ZSTD_CCtx *zstd_out; /* [owned] */
    ZSTD_DCtx *zstd_in;  /* [owned] */
    LZ4_stream_t lz4_out;
};

const char *
pack_algorithm_name(enum pack_algorithm algorithm)
{
    static const char *const names[] = {"none", "lz4", "zstd"};
    return names[algorithm];
}

/* ---- dictionaries ---- */

static bool
prepare_zstd(struct pack_dictionary *dictionary)
{
    dictionary->zstd_out =
        ZSTD_createCDict_byReference(dictionary->content, dictionary->size, ZSTD_LEVEL);
    dictionary->zstd_in = ZSTD_createDDict_byReference(dictionary->content, dictionary->size);
    dictionary->memory +=
        ZSTD_sizeof_CDict(dictionary->zstd_out) + ZSTD_sizeof_DDict(dictionary->zstd_in);
    return dictionary->zstd_out != NULL && dictionary->zstd_in != NULL;
}

/* What ZDICT puts in front of the content means nothing to LZ4. */
static void
prepare_lz4(struct pack_dictionary *dictionary)
{
    size_t head = ZDICT_getDictHeaderSize(dictionary->content, dictionary->size);
    head = ZDICT_isError(head) ? 0 : head;
    dictionary->lz4 = slice_make(dictionary->content + head, dictionary->size - head);
    CHECK(LZ4_initStream(&dictionary->lz4_out, sizeof(dictionary->lz4_out)) != NULL);
    (void)LZ4_loadDict(&dictionary->lz4_out, dictionary->lz4.data, (int)dictionary->lz4.size);
}

struct pack_dictionary *
pack_dictionary_new(enum pack_algorithm algorithm, struct slice content)
{
    CHECK(algorithm != PACK_NONE && content.size <= PACK_DICTIONARY_MAX);
    struct pack_dictionary *dictionary = memory_alloc(sizeof(*dictionary) + content.size);
    if (dictionary == NULL) {
        return NULL;
    }
    memset(dictionary, 0, sizeof(*dictionary));
    dictionary->algorithm = algorithm;
    dictionary->size = content.size;
    dictionary->memory = memory_size(dictionary);
    if (content.size > 0) {
        memcpy(dictionary->content, content.data, content.size);
    }
    if (algorithm == PACK_LZ4) {
        prepare_lz4(dictionary);
    } else if (!prepare_zstd(dictionary)) {
        pack_dictionary_free(dictionary);
        return NULL;
    }
    return dictionary;
}

void
pack_dictionary_free(struct pack_dictionary *dictionary)
{
    if (dictionary != NULL) {
        (void)ZSTD_freeCDict(dictionary->zstd_out);
        (void)ZSTD_freeDDict(dictionary->zstd_in);
        memory_free(dictionary);
    }
}

enum pack_algorithm
pack_dictionary_algorithm(const struct pack_dictionary *dictionary)
{
    return dictionary->algorithm;
}

size_t
pack_dictionary_size(const struct pack_dictionary *dictionary)
{
    return dictionary->size;
}

size_t
pack_dictionary_memory(const struct pack_dictionary *dictionary)
{
    return dictionary->memory;
}

size_t
pack_train(const char *samples, const size_t *sizes, size_t count, char *ret_content)
{
    if (count < PACK_TRAIN_SAMPLES_MIN) {
        return 0;
    }
    size_t size = ZDICT_trainFromBuffer(ret_content, PACK_DICTIONARY_MAX, samples, sizes,
                                        (unsigned)count);
    return ZDICT_isError(size) ? 0 : size;
}

/* ---- contexts ---- */

struct pack_context *
pack_context_new(void)
{
    struct pack_context *context = memory_alloc(sizeof(*context));
    if (context == NULL) {
        return NULL;
    }
    context->zstd_out = ZSTD_createCCtx();
    context->zstd_in = ZSTD_createDCtx();
    if (context->zstd_out == NULL || context->zstd_in == NULL) {
        pack_context_free(context);
        return NULL;
    }
    /* A frame says nothing that is known already. */
    const size_t results[] = {
        ZSTD_CCtx_setParameter(context->zstd_out, ZSTD_c_format, ZSTD_f_zstd1_magicless),
        ZSTD_CCtx_setParameter(context->zstd_out, ZSTD_c_contentSizeFlag, 0),
        ZSTD_CCtx_setParameter(context->zstd_out, ZSTD_c_checksumFlag, 0),
        ZSTD_CCtx_setParameter(context->zstd_out, ZSTD_c_dictIDFlag, 0),
        ZSTD_DCtx_setParameter(context->zstd_in, ZSTD_d_format, ZSTD_f_zstd1_magicless),
    };
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
        CHECK(!ZSTD_isError(results[i]));
    }
    CHECK(LZ4_initStream(&context->lz4_out, sizeof(context->lz4_out)) != NULL);
    return context;
}

void
pack_context_free(struct pack_context *context)
{
    if (context != NULL) {
        (void)ZSTD_freeCCtx(context->zstd_out);
        (void)ZSTD_freeDCtx(context->zstd_in);
        memory_free(context);
    }
}

/* ---- packing ---- */

static size_t
pack_zstd(struct pack_context *context, const struct pack_dictionary *dictionary,
          struct slice raw, char *out, size_t room)
{
    size_t size = ZSTD_CCtx_refCDict(context->zstd_out, dictionary->zstd_out);
    if (!ZSTD_isError(size)) {
        size = ZSTD_compress2(context->zstd_out, out, room, raw.data, raw.size);
    }
    if (ZSTD_isError(size)) {
        /* It would stay in the middle of a frame. */
        (void)ZSTD_CCtx_reset(context->zstd_out, ZSTD_reset_session_only);
        return 0;
    }
    return size;
}

static size_t
pack_lz4(struct pack_context *context, const struct pack_dictionary *dictionary,
         struct slice raw, char *out, size_t room)
{
    LZ4_resetStream_fast(&context->lz4_out);
    LZ4_attach_dictionary(&context->lz4_out, &dictionary->lz4_out);
    int size = LZ4_compress_fast_continue(&context->lz4_out, raw.data, out, (int)raw.size,
                                          (int)room, LZ4_ACCELERATION);
    if (size <= 0) {
        /* The quick reset is not for streams that have failed. */
        CHECK(LZ4_initStream(&context->lz4_out, sizeof(context->lz4_out)) != NULL);
        return 0;
    }
    return (size_t)size;
}

size_t
pack(struct pack_context *context, const struct pack_dictionary *dictionary, struct slice raw,
     char *out, size_t room)
{
    CHECK(raw.size <= PACK_SIZE_MAX);
    room = room > INT32_MAX ? INT32_MAX : room;
    return dictionary->algorithm == PACK_LZ4 ? pack_lz4(context, dictionary, raw, out, room)
                                             : pack_zstd(context, dictionary, raw, out, room);
}

bool
unpack(struct pack_context *context, const struct pack_dictionary *dictionary,
       struct slice packed, char *out, size_t size)
{
    if (packed.size > INT32_MAX || size > PACK_SIZE_MAX) {
        return false;
    }
    if (dictionary->algorithm == PACK_LZ4) {
        int count =
            LZ4_decompress_safe_usingDict(packed.data, out, (int)packed.size, (int)size,
                                          dictionary->lz4.data, (int)dictionary->lz4.size);
        return count >= 0 && (size_t)count == size;
    }
    return ZSTD_decompress_usingDDict(context->zstd_in, out, size, packed.data, packed.size,
                                      dictionary->zstd_in) == size;
}
