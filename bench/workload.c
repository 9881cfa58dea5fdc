#include "bench/workload.h"

#include "bench/options.h"
#include "proto/base/check.h"

#include <stdlib.h>

enum { KEY_SIZE = 16, TEXT_SPARE = 4096, FIELDS = 6 };
enum { KEYS_PER_VARIANT = 8, VARIANTS_MIN = 256, VARIANTS_MAX = 16384 };

const char *const op_names[OP_COUNT] = {"setup", "get", "set", "touch", "hgetall", "hset"};

static const struct workload workloads[] = {
    {.name = "get", .help = "GET of random keys", .prefix = "key:"},
    {.name = "set",
     .help = "SET of random keys, with a time to live",
     .prefix = "key:",
     .writes = 100},
    {.name = "mixed", .help = "nine GET to one SET", .prefix = "key:", .writes = 10},
    {.name = "session",
     .help = "a session is read, then written back (30 %) or its life renewed",
     .prefix = "sess:",
     .is_session = true,
     .has_documents = true,
     .writes = 30},
    {.name = "versions",
     .help = "the same by two versions of an application, rolled out over the run",
     .prefix = "sess:",
     .is_session = true,
     .has_documents = true,
     .has_versions = true,
     .writes = 30,
     .share = -1},
    {.name = "views",
     .help = "GET of sessions by the version that did not write them (with --fill)",
     .prefix = "sess:",
     .has_documents = true,
     .has_versions = true,
     .share = 100},
    {.name = "documents",
     .help = "the GET of `views` without schemas",
     .prefix = "sess:",
     .has_documents = true},
    {.name = "hash",
     .help = "sessions as hashes: HGETALL, then HSET of a field (30 %), then EXPIRE",
     .prefix = "hash:",
     .is_session = true,
     .is_hash = true,
     .writes = 30},
    {.name = "large",
     .help = "GET and SET of large values",
     .prefix = "key:",
     .keys = 100,
     .value_size = 1 << 20,
     .writes = 50},
    {.name = "idle",
     .help = "every connection sends one GET and rests for --seconds",
     .prefix = "key:",
     .is_idle = true},
    {.name = NULL},
};

const struct workload *
workload_at(size_t index)
{
    return &workloads[index];
}

const struct workload *
workload_find(const char *name)
{
    for (const struct workload *workload = workloads; workload->name != NULL; workload++) {
        if (strcmp(workload->name, name) == 0) {
            return workload;
        }
    }
    return NULL;
}

/* ---- life ---- */

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static char *
make_text(struct random *random, size_t size)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = malloc(size);
    CHECK(text != NULL);
    for (size_t i = 0; i < size; i++) {
        text[i] = letters[random_take_below(random, 64)];
    }
    return text;
}

/* Enough that a dictionary of a server that compresses cannot know them by heart. */
static size_t
variants_for(uint64_t keys)
{
    uint64_t count = keys / KEYS_PER_VARIANT;
    count = count < VARIANTS_MIN ? VARIANTS_MIN : count;
    return count > VARIANTS_MAX ? VARIANTS_MAX : (size_t)count;
}

void
generator_init(struct generator *generator, const struct options *options, bool is_filling,
               unsigned index, unsigned count)
{
    uint64_t keys = (uint64_t)options->keys;
    *generator = (struct generator){
        .options = options,
        .is_filling = is_filling,
        .fill_next = index,
        .fill_step = count,
        .stride = (uint64_t)((double)keys * 0.6180339887498949) | 1,
    };
    while (common_divisor(generator->stride, keys) != 1) {
        generator->stride += 2;
    }
    if (options->zipf > 0) {
        zipf_init(&generator->zipf, keys, options->zipf);
    }
    /* What values look like depends on the seed only; which ones are sent, on the thread. */
    random_init(&generator->random, (uint64_t)options->seed);
    if (options->workload->has_documents) {
        generator->documents =
            documents_new(&generator->random, (size_t)options->value_size, variants_for(keys));
    } else {
        generator->text =
            make_text(&generator->random, (size_t)options->value_size + TEXT_SPARE);
    }
    random_init(&generator->random,
                ((uint64_t)options->seed << 16) + index * 2 + (is_filling ? 1 : 0));
}

void
generator_fini(struct generator *generator)
{
    documents_free(generator->documents);
    free(generator->text);
}

/* ---- requests ---- */

static uint64_t
pick_key(struct generator *generator)
{
    uint64_t keys = (uint64_t)generator->options->keys;
    if (generator->options->zipf > 0) {
        __extension__ typedef unsigned __int128 wide;
        uint64_t rank = zipf_take(&generator->zipf, &generator->random);
        return (uint64_t)((wide)rank * generator->stride % keys);
    }
    return random_take_below(&generator->random, keys);
}

static void
write_bulk_size(struct buffer *out, size_t size)
{
    buffer_append_char(out, '$');
    buffer_append_int64(out, (int64_t)size);
    buffer_append(out, "\r\n", 2);
}

static void
write_bulk(struct buffer *out, struct slice bulk)
{
    write_bulk_size(out, bulk.size);
    buffer_append_slice(out, bulk);
    buffer_append(out, "\r\n", 2);
}

static void
make_key(const struct generator *generator, uint64_t key, char *ret_text)
{
    size_t at = strlen(generator->options->workload->prefix);
    key += (uint64_t)generator->options->first_key;
    memcpy(ret_text, generator->options->workload->prefix, at);
    for (size_t i = KEY_SIZE; i-- > at; key /= 10) {
        ret_text[i] = (char)('0' + key % 10);
    }
}

static void
write_key(const struct generator *generator, uint64_t key, struct buffer *out)
{
    char *text = buffer_reserve(out, 5 + KEY_SIZE + 2);
    CHECK(text != NULL);
    memcpy(text, "$16\r\n", 5);
    make_key(generator, key, text + 5);
    memcpy(text + 5 + KEY_SIZE, "\r\n", 2);
    buffer_commit(out, 5 + KEY_SIZE + 2);
}

static struct slice
pick_text(struct generator *generator, size_t size)
{
    size_t at = random_take_below(&generator->random, TEXT_SPARE);
    return slice_make(generator->text + at, size);
}

/* A value between its header and its CRLF; the header is "$size" or, for memcached, "size". */
static void
write_value(struct generator *generator, const struct stream *stream, struct buffer *out)
{
    bool is_resp = generator->options->protocol != PROTOCOL_MEMCACHED;
    struct slice text = {NULL, (size_t)generator->options->value_size};
    unsigned version = stream->version == 2 ? 2 : 1;
    uint64_t variant = 0;
    if (generator->documents != NULL) {
        variant = random_take(&generator->random);
        text.size = documents_size(generator->documents, version, variant);
    } else {
        text = pick_text(generator, text.size);
    }
    if (is_resp) {
        buffer_append_char(out, '$');
    }
    buffer_append_int64(out, (int64_t)text.size);
    buffer_append(out, "\r\n", 2);
    if (generator->documents != NULL) {
        documents_write(generator->documents, version, stream->key, variant, out);
    } else {
        buffer_append_slice(out, text);
    }
    buffer_append(out, "\r\n", 2);
}

static void
write_ttl(const struct generator *generator, struct buffer *out)
{
    char digits[32];
    struct buffer number = {digits, 0, sizeof(digits), sizeof(digits), false};
    buffer_append_int64(&number, generator->options->ttl_s);
    write_bulk(out, buffer_slice(&number));
}

static void
write_set(struct generator *generator, const struct stream *stream, struct buffer *out)
{
    bool has_ttl = generator->options->ttl_s > 0;
    buffer_append_string(out, has_ttl ? "*5\r\n$3\r\nSET\r\n" : "*3\r\n$3\r\nSET\r\n");
    write_key(generator, stream->key, out);
    write_value(generator, stream, out);
    if (has_ttl) {
        buffer_append_string(out, "$2\r\nEX\r\n");
        write_ttl(generator, out);
    }
}

/* All fields of a session, or one of them. */
static void
write_hset(struct generator *generator, const struct stream *stream, bool is_whole,
           struct buffer *out)
{
    static const struct slice fields[FIELDS] = {SLICE("user"), SLICE("name"), SLICE("token"),
                                                SLICE("cart"), SLICE("seen"), SLICE("data")};
    size_t first = is_whole ? 0 : random_take_below(&generator->random, FIELDS);
    size_t last = is_whole ? FIELDS : first + 1;
    buffer_printf(out, "*%d\r\n$4\r\nHSET\r\n", 2 + 2 * (int)(last - first));
    write_key(generator, stream->key, out);
    size_t size = (size_t)generator->options->value_size / FIELDS;
    for (size_t i = first; i < last; i++) {
        write_bulk(out, fields[i]);
        write_bulk(out, pick_text(generator, size));
    }
}

static void
write_op_resp(struct generator *generator, const struct stream *stream, enum op op,
              struct buffer *out)
{
    switch (op) {
    case OP_GET:
        buffer_append_string(out, "*2\r\n$3\r\nGET\r\n");
        write_key(generator, stream->key, out);
        break;
    case OP_SET:
        write_set(generator, stream, out);
        break;
    case OP_TOUCH:
        buffer_append_string(out, "*3\r\n$6\r\nEXPIRE\r\n");
        write_key(generator, stream->key, out);
        write_ttl(generator, out);
        break;
    case OP_HGETALL:
        buffer_append_string(out, "*2\r\n$7\r\nHGETALL\r\n");
        write_key(generator, stream->key, out);
        break;
    case OP_HSET:
        write_hset(generator, stream, generator->is_filling, out);
        break;
    case OP_SETUP:
    case OP_COUNT:
        break;
    }
}

static void
write_op_memcached(struct generator *generator, const struct stream *stream, enum op op,
                   struct buffer *out)
{
    char key[KEY_SIZE];
    make_key(generator, stream->key, key);
    buffer_append_string(out, op == OP_GET ? "get " : op == OP_SET ? "set " : "touch ");
    buffer_append(out, key, sizeof(key));
    if (op == OP_SET) {
        buffer_append_string(out, " 0 ");
        buffer_append_int64(out, generator->options->ttl_s);
        buffer_append_char(out, ' ');
        write_value(generator, stream, out);
        return;
    }
    if (op == OP_TOUCH) {
        buffer_append_char(out, ' ');
        buffer_append_int64(out, generator->options->ttl_s);
    }
    buffer_append(out, "\r\n", 2);
}

static bool
is_write(struct generator *generator)
{
    int64_t writes = generator->options->writes;
    return writes > 0 && (int64_t)random_take_below(&generator->random, 100) < writes;
}

static enum op
next_fill(struct generator *generator, struct stream *stream)
{
    const struct workload *workload = generator->options->workload;
    if (stream->step == 1) {
        stream->step = 0;
        return OP_TOUCH;
    }
    stream->key = generator->fill_next;
    generator->fill_next += generator->fill_step;
    if (workload->is_hash && generator->options->ttl_s > 0) {
        stream->step = 1;
    }
    return workload->is_hash ? OP_HSET : OP_SET;
}

static enum op
next_session(struct generator *generator, struct stream *stream)
{
    bool is_hash = generator->options->workload->is_hash;
    bool has_ttl = generator->options->ttl_s > 0;
    if (stream->step == 1) {
        stream->step = is_hash && has_ttl ? 2 : 0;
        if (is_write(generator)) {
            return is_hash ? OP_HSET : OP_SET;
        }
        if (has_ttl) {
            stream->step = 0;
            return OP_TOUCH;
        }
    } else if (stream->step == 2) {
        stream->step = 0;
        return OP_TOUCH;
    }
    stream->key = pick_key(generator);
    stream->step = 1;
    return is_hash ? OP_HGETALL : OP_GET;
}

static enum op
next_op(struct generator *generator, struct stream *stream)
{
    if (generator->is_filling) {
        return next_fill(generator, stream);
    }
    if (generator->options->workload->is_session) {
        return next_session(generator, stream);
    }
    stream->key = pick_key(generator);
    return is_write(generator) ? OP_SET : OP_GET;
}

bool
generator_is_done(const struct generator *generator, const struct stream *stream)
{
    if (generator->is_filling) {
        return stream->step == 0 && generator->fill_next >= (uint64_t)generator->options->keys;
    }
    return generator->options->workload->is_idle && stream->sent > 0;
}

enum op
generator_write(struct generator *generator, struct stream *stream, struct buffer *out)
{
    bool has_versions = generator->options->workload->has_versions && !generator->is_filling;
    unsigned version = stream->position < generator->share ? 2 : 1;
    if (has_versions && stream->step == 0 && stream->version != version) {
        stream->version = version;
        buffer_printf(out, "*4\r\n$6\r\nSCHEMA\r\n$3\r\nUSE\r\n$5\r\nbench\r\n$1\r\n%u\r\n",
                      version);
        return OP_SETUP;
    }
    enum op op = next_op(generator, stream);
    stream->sent++;
    if (generator->options->protocol == PROTOCOL_MEMCACHED) {
        write_op_memcached(generator, stream, op, out);
    } else {
        write_op_resp(generator, stream, op, out);
    }
    return op;
}

unsigned
generator_write_hello(const struct generator *generator, bool is_first, struct buffer *out)
{
    const struct options *options = generator->options;
    unsigned count = 0;
    if (options->protocol == PROTOCOL_MEMCACHED) {
        return 0;
    }
    if (options->password != NULL) {
        buffer_printf(out, "*%d\r\n$4\r\nAUTH\r\n", options->user == NULL ? 2 : 3);
        if (options->user != NULL) {
            write_bulk(out, slice_from_string(options->user));
        }
        write_bulk(out, slice_from_string(options->password));
        count++;
    }
    if (options->protocol == PROTOCOL_RESP3) {
        buffer_append_string(out, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
        count++;
    }
    if (is_first && options->workload->has_versions) {
        buffer_append_string(out, "*3\r\n$6\r\nSCHEMA\r\n$3\r\nPUT\r\n");
        write_bulk(out, document_schema());
        count++;
    }
    return count;
}
