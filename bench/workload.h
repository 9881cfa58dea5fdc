/*
 * workload - what is sent: a table of workloads, and the requests of one, made one by one.
 *
 * A generator belongs to a thread, a stream to a connection: a session is read, then written
 * back or its life renewed, over the same connection.
 *
 * Thread:   owned by one thread at a time; the table is read-only.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/document.h"
#include "bench/random.h"
#include "proto/base/buffer.h"

struct options;

/* Kinds of requests, counted apart. SETUP is not measured. */
enum op { OP_SETUP, OP_GET, OP_SET, OP_TOUCH, OP_HGETALL, OP_HSET, OP_COUNT };

extern const char *const op_names[OP_COUNT];

struct workload {
    const char *name; /* NULL ends the table */
    const char *help;
    const char *prefix; /* of keys, which have 16 bytes with their digits */
    bool is_session;    /* reads are followed by a write or a touch of the same key */
    bool is_hash;
    bool has_documents; /* values are sessions, else random text */
    bool has_versions;  /* of them; needs schemas in the server */
    bool is_idle;       /* one request per connection, then silence */
    int64_t keys;       /* 0: as the options' default */
    int64_t value_size; /* likewise */
    int64_t writes;     /* percent */
    double share;       /* as in struct options */
};

const struct workload *workload_at(size_t index);
const struct workload *workload_find(const char *name); /* NULL: no such */

struct generator {
    const struct options *options; /* [const] */
    struct random random;
    struct zipf zipf;
    uint64_t stride; /* spreads the ranks of Zipf's law over the keys */
    bool is_filling; /* keys <fill_next>, + <fill_step>, ... once each */
    uint64_t fill_next;
    uint64_t fill_step;
    double share;                /* of streams on version 2 by now, 0 to 1 */
    char *text;                  /* [owned] values are cut from it */
    struct documents *documents; /* [owned] NULL: not needed */
};

struct stream {
    double position;  /* of this connection among all, 0 to 1 */
    unsigned version; /* spoken now; 0: nothing said yet, which is 1 */
    unsigned step;    /* of the session: 0 next is a read */
    uint64_t key;
    uint64_t sent;
};

/* <index> of <count> generators, which together fill all keys. Aborts without memory. */
void generator_init(struct generator *generator, const struct options *options, bool is_filling,
                    unsigned index, unsigned count);
void generator_fini(struct generator *generator);

/* There is no more to send on <stream>. */
bool generator_is_done(const struct generator *generator, const struct stream *stream);

/* Append the request that goes out next on <stream>; what it is. */
enum op generator_write(struct generator *generator, struct stream *stream, struct buffer *out);

/*
 * Append what a connection says first (password, protocol; the very <is_first> one, the
 * schema); the count of requests.
 */
unsigned generator_write_hello(const struct generator *generator, bool is_first,
                               struct buffer *out);

#endif
