/*
 * pack - bytes made smaller with the help of a dictionary of what such bytes have in common.
 *
 * LZ4 and zstd, both with dictionaries as ZDICT (libzstd) trains them. What is packed has no
 * header of its own: whoever keeps it knows the dictionary and the size of the raw bytes.
 *
 * Thread:   dictionaries are immutable and shared; a context belongs to one thread at a time.
 * Errors:   without memory nothing gets packed, which is no failure; hostile bytes fail to
 *           unpack, within <size> bytes of room and of time.
 */
#ifndef SERVER_STORE_PACK_H
#define SERVER_STORE_PACK_H

#include "proto/base/slice.h"

enum pack_algorithm { PACK_NONE, PACK_LZ4, PACK_ZSTD };

enum {
    PACK_SIZE_MAX = 16 * 1024 - 1,   /* of raw bytes; larger values lie in blocks */
    PACK_DICTIONARY_MAX = 16 * 1024, /* bytes of content */
    PACK_TRAIN_SAMPLES_MIN = 1000,   /* fewer say little about those to come */
    PACK_TRAIN_BYTES_MAX = 1 << 20,  /* more only take longer */
};

const char *pack_algorithm_name(enum pack_algorithm algorithm); /* "lz4" */

struct pack_dictionary; /* opaque */

/* <content> (copied; possibly empty) as pack_train() makes it. NULL without memory. */
struct pack_dictionary *pack_dictionary_new(enum pack_algorithm algorithm,
                                            struct slice content);
void pack_dictionary_free(struct pack_dictionary *dictionary); /* takes NULL */
enum pack_algorithm pack_dictionary_algorithm(const struct pack_dictionary *dictionary);
size_t pack_dictionary_size(const struct pack_dictionary *dictionary);   /* its content */
size_t pack_dictionary_memory(const struct pack_dictionary *dictionary); /* all it takes */

/*
 * Train a dictionary from <count> samples that follow one another at <samples>; writes at most
 * PACK_DICTIONARY_MAX bytes to <ret_content>, returns how many: 0, the samples have nothing in
 * common, are too few, or there is no memory. About 100 ms for PACK_TRAIN_BYTES_MAX.
 */
size_t pack_train(const char *samples, const size_t *sizes, size_t count, char *ret_content);

/* What the libraries need while they work; made once per thread. NULL without memory. */
struct pack_context;
struct pack_context *pack_context_new(void);
void pack_context_free(struct pack_context *context); /* takes NULL */

/*
 * Pack <raw> (at most PACK_SIZE_MAX bytes) into at most <room> bytes at <out>: their count, 0
 * when they would be more. No allocation once the context has seen such a dictionary.
 */
size_t pack(struct pack_context *context, const struct pack_dictionary *dictionary,
            struct slice raw, char *out, size_t room);

/* False unless <packed> is exactly <size> bytes when unpacked; <out> is undefined then. */
bool unpack(struct pack_context *context, const struct pack_dictionary *dictionary,
            struct slice packed, char *out, size_t size);

#endif
