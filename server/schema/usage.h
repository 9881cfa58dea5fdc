/*
 * usage - what is used of one schema: connections, reads and writes per version, translations
 * per pair of versions, failures by reason with sample keys.
 *
 * One usage per schema, shared by the epochs of the registry (reference-counted).
 *
 * Thread:   counting of reads, writes and translations: each worker in cells of its own,
 * relaxed. Connections: atomic. Failures: a mutex of their own (a leaf in the lock order).
 * Bounded:  USAGE_KINDS_MAX kinds of failures, USAGE_SAMPLES_MAX keys for each.
 */
#ifndef SERVER_SCHEMA_USAGE_H
#define SERVER_SCHEMA_USAGE_H

#include "proto/lens.h"

struct usage;

enum {
    USAGE_VERSIONS_MAX = 1024, /* highest version + 1; 0 counts readers of RAW */
    USAGE_WORKERS_MAX = 257,   /* the main thread's included */
    USAGE_KINDS_MAX = 256,
    USAGE_SAMPLES_MAX = 8,
    USAGE_KEY_SIZE_MAX = 512, /* of a sample; longer keys are cut */
};

struct usage *usage_new(void); /* NULL without memory */
struct usage *usage_ref(struct usage *usage);
void usage_unref(struct usage *usage); /* takes NULL */

void usage_connect(struct usage *usage, unsigned version, int64_t change);

/* By the worker <worker> alone. Counts get lost only without memory. */
void usage_read(struct usage *usage, unsigned worker, unsigned version, int64_t now_ms);
void usage_write(struct usage *usage, unsigned worker, unsigned version, int64_t now_ms);
void usage_translated(struct usage *usage, unsigned worker, unsigned from, unsigned to);

void usage_failed(struct usage *usage, unsigned from, unsigned to, enum lens_reason reason,
                  struct slice key, int64_t now_ms);

struct usage_sum {
    int64_t connections;
    uint64_t reads;
    uint64_t writes;
    int64_t read_ms; /* the last one; 0: never */
    int64_t write_ms;
};
void usage_sum(const struct usage *usage, unsigned version, struct usage_sum *ret_sum);

/* Every pair that was translated; the callback runs without locks. */
typedef void usage_on_pair(void *context, unsigned from, unsigned to, uint64_t count);
void usage_pairs(const struct usage *usage, usage_on_pair *on_pair, void *context);

struct usage_failure {
    unsigned from;
    unsigned to;
    enum lens_reason reason;
    uint64_t count;
    int64_t seen_ms;
    size_t sample_count;
    struct slice samples[USAGE_SAMPLES_MAX]; /* newest last */
};

/* Every kind of failure; the callback runs under the mutex of the failures. Returns the count.
 */
typedef void usage_on_failure(void *context, const struct usage_failure *failure);
size_t usage_failures(struct usage *usage, usage_on_failure *on_failure, void *context);

#endif
