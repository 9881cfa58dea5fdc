/*
 * document - session documents (JSON) in the two versions of the bench's schema: alike in their
 * fields, different in their values, as sessions are.
 *
 * Thread:   read-only once made.
 */
#ifndef BENCH_DOCUMENT_H
#define BENCH_DOCUMENT_H

#include "bench/random.h"
#include "proto/base/buffer.h"

struct documents;

/* The schema that relates version 1 and version 2, for keys "sess:*"; its name is "bench". */
struct slice document_schema(void);

/* <variants> documents of about <size> bytes (not below 300). Aborts without memory. */
struct documents *documents_new(struct random *random, size_t size, size_t variants);
void documents_free(struct documents *documents);

/*
 * Append the document of the user <user>; <variant> picks one of many with other values.
 * <version> is 1 or 2.
 */
void documents_write(const struct documents *documents, unsigned version, uint64_t user,
                     uint64_t variant, struct buffer *out);

/* Size in bytes of that document. */
size_t documents_size(const struct documents *documents, unsigned version, uint64_t variant);

#endif
