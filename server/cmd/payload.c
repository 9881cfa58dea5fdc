#include "server/cmd/payload.h"

#include "server/store/hash.h"

enum {
    RDB_VERSION_WRITTEN = 9, /* Redis 5 to 8 read it */
    RDB_VERSION_MAX = 12,
    RDB_TYPE_STRING = 0,
    RDB_TYPE_HASH = 4,
    RDB_TYPE_HASH_ZIPLIST = 13,
    RDB_TYPE_HASH_LISTPACK = 16,
    CHECKSUM_SIZE = 8,
    FOOTER_SIZE = 2 + CHECKSUM_SIZE,
};

/* Four bits at a time; the remainders of 0 .. 15 by the reflected polynomial. */
uint64_t
payload_checksum(struct slice bytes)
{
    static const uint64_t POLYNOMIAL = 0x95ac9329ac4bc9b5U;
    uint64_t table[16];
    for (unsigned i = 0; i < 16; i++) {
        uint64_t rest = i;
        for (unsigned bit = 0; bit < 4; bit++) {
            rest = rest & 1 ? rest >> 1 ^ POLYNOMIAL : rest >> 1;
        }
        table[i] = rest;
    }
    uint64_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (unsigned char)bytes.data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

/* ---- writing ---- */

static void
append_little_endian(struct buffer *out, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        buffer_append_char(out, (char)(value >> (8 * i) & 0xff));
    }
}

static void
append_big_endian(struct buffer *out, uint64_t value, unsigned size)
{
    for (unsigned i = size; i-- > 0;) {
        buffer_append_char(out, (char)(value >> (8 * i) & 0xff));
    }
}

static void
append_length(struct buffer *out, uint64_t length)
{
    if (length < 1U << 6) {
        append_big_endian(out, length, 1);
    } else if (length < 1U << 14) {
        append_big_endian(out, length | 1U << 14, 2);
    } else if (length <= UINT32_MAX) {
        append_big_endian(out, 0x80, 1);
        append_big_endian(out, length, 4);
    } else {
        append_big_endian(out, 0x81, 1);
        append_big_endian(out, length, 8);
    }
}

static void
append_string(struct buffer *out, struct slice string)
{
    append_length(out, string.size);
    buffer_append_slice(out, string);
}

static void
append_footer(struct buffer *out)
{
    append_little_endian(out, RDB_VERSION_WRITTEN, 2);
    append_little_endian(out, payload_checksum(buffer_slice(out)), CHECKSUM_SIZE);
}

void
payload_write_string(struct buffer *out, const struct record *record)
{
    if (record->schema.size > 0) {
        record_write(out, record);
    } else {
        append_big_endian(out, RDB_TYPE_STRING, 1);
        append_string(out, record->body);
    }
    append_footer(out);
}

void
payload_write_hash(struct buffer *out, const struct hash *hash)
{
    size_t position = 0;
    struct slice field;
    struct slice value;
    append_big_endian(out, RDB_TYPE_HASH, 1);
    append_length(out, hash_size(hash));
    while (hash_next(hash, &position, &field, &value)) {
        append_string(out, field);
        append_string(out, value);
    }
    append_footer(out);
}

/* ---- reading: bytes, lengths, strings ---- */

/* What is left to read. The first failure stays; everything after it reads zeros. */
struct reader {
    struct slice rest;
    struct arena *arena;
    enum payload_result result;
};

static struct slice
take(struct reader *reader, uint64_t size)
{
    if (reader->result == PAYLOAD_READ && size > reader->rest.size) {
        reader->result = PAYLOAD_BAD_FORMAT;
    }
    if (reader->result != PAYLOAD_READ) {
        reader->rest = SLICE_OF(""); /* whoever reads to the end has arrived */
        return reader->rest;
    }
    struct slice taken = slice_make(reader->rest.data, (size_t)size);
    reader->rest = slice_make(reader->rest.data + taken.size, reader->rest.size - taken.size);
    return taken;
}

static char *
allocate(struct reader *reader, size_t size)
{
    char *memory = reader->result == PAYLOAD_READ ? arena_alloc(reader->arena, size) : NULL;
    if (memory == NULL && reader->result == PAYLOAD_READ) {
        reader->result = PAYLOAD_NO_MEMORY;
    }
    return memory;
}

static uint64_t
take_big_endian(struct reader *reader, unsigned size)
{
    struct slice bytes = take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        value = value << 8 | (unsigned char)bytes.data[i];
    }
    return value;
}

static uint64_t
take_little_endian(struct reader *reader, unsigned size)
{
    struct slice bytes = take(reader, size);
    uint64_t value = 0;
    for (size_t i = bytes.size; i-- > 0;) {
        value = value << 8 | (unsigned char)bytes.data[i];
    }
    return value;
}

/* Two's complement of <size> bytes as decimal text. */
static struct slice
integer_text(struct reader *reader, uint64_t value, unsigned size)
{
    unsigned unused = 64 - 8 * size;
    struct buffer text;
    struct slice copy = SLICE("");
    buffer_init(&text, 0);
    buffer_append_int64(&text, (int64_t)(value << unused) >> unused);
    char *memory = allocate(reader, text.size);
    if (memory != NULL && !text.failed) {
        memcpy(memory, text.data, text.size);
        copy = slice_make(memory, text.size);
    }
    buffer_fini(&text);
    return copy;
}

static struct slice
take_integer(struct reader *reader, unsigned size)
{
    return integer_text(reader, take_little_endian(reader, size), size);
}

/* LibLZF's format: runs of literals, and copies of what stands a little before. */
static struct slice
expand(struct reader *reader, struct slice packed, uint64_t size)
{
    struct reader source = {.rest = packed, .result = reader->result};
    /* Three bytes make 264 at most. */
    if (size / 264 > packed.size) {
        reader->result = PAYLOAD_BAD_FORMAT;
    }
    char *text = allocate(reader, (size_t)size);
    size_t at = 0;
    while (text != NULL && source.rest.size > 0) {
        unsigned control = (unsigned)take_big_endian(&source, 1);
        if (control < 32) {
            struct slice literals = take(&source, control + 1);
            if (literals.size > size - at) {
                break;
            }
            memcpy(text + at, literals.data, literals.size);
            at += literals.size;
            continue;
        }
        size_t length = control >> 5;
        length += length == 7 ? (size_t)take_big_endian(&source, 1) : 0;
        length += 2;
        size_t back = ((control & 31) << 8 | (size_t)take_big_endian(&source, 1)) + 1;
        if (source.result != PAYLOAD_READ || back > at || length > size - at) {
            break;
        }
        for (size_t i = 0; i < length; i++, at++) {
            text[at] = text[at - back];
        }
    }
    if (text == NULL || at != size || source.rest.size > 0 || source.result != PAYLOAD_READ) {
        reader->result = reader->result == PAYLOAD_READ ? PAYLOAD_BAD_FORMAT : reader->result;
        return SLICE_OF("");
    }
    return slice_make(text, (size_t)size);
}

/* A length; or, with *ret_is_special, the number of a string's special form. */
static uint64_t
take_length(struct reader *reader, bool *ret_is_special)
{
    unsigned first = (unsigned)take_big_endian(reader, 1);
    *ret_is_special = first >> 6 == 3;
    switch (first >> 6) {
    case 0:
    case 3:
        return first & 0x3f;
    case 1:
        return (uint64_t)(first & 0x3f) << 8 | take_big_endian(reader, 1);
    default:
        return take_big_endian(reader, first == 0x81 ? 8 : 4);
    }
}

static uint64_t
take_plain_length(struct reader *reader)
{
    bool is_special;
    uint64_t length = take_length(reader, &is_special);
    if (is_special && reader->result == PAYLOAD_READ) {
        reader->result = PAYLOAD_BAD_FORMAT;
    }
    return length;
}

static struct slice
take_string(struct reader *reader)
{
    bool is_special;
    uint64_t length = take_length(reader, &is_special);
    if (!is_special) {
        return take(reader, length);
    }
    if (length <= 2) {
        return take_integer(reader, 1U << length);
    }
    if (length == 3) {
        uint64_t packed_size = take_plain_length(reader);
        uint64_t size = take_plain_length(reader);
        return expand(reader, take(reader, packed_size), size);
    }
    reader->result = PAYLOAD_BAD_FORMAT;
    return SLICE_OF("");
}

/* ---- reading: packed hashes ---- */

/* How many bytes a listpack spends to say that an entry has <size>. */
static unsigned
back_size(uint64_t size)
{
    unsigned bytes = 1;
    while (bytes < 5 && size >> (7 * bytes) != 0) {
        bytes++;
    }
    return bytes;
}

static struct slice
take_listpack_value(struct reader *reader)
{
    unsigned first = (unsigned)take_big_endian(reader, 1);
    if (first < 0x80) {
        return integer_text(reader, first, 8);
    }
    if (first < 0xc0) {
        return take(reader, first & 0x3f);
    }
    if (first < 0xe0) {
        uint64_t value = (uint64_t)(first & 0x1f) << 8 | take_big_endian(reader, 1);
        return integer_text(reader, value >= 1U << 12 ? value - (1U << 13) : value, 8);
    }
    if (first < 0xf0) {
        uint64_t size = (uint64_t)(first & 0x0f) << 8 | take_big_endian(reader, 1);
        return take(reader, size);
    }
    switch (first) {
    case 0xf0:
        return take(reader, take_little_endian(reader, 4));
    case 0xf1:
        return take_integer(reader, 2);
    case 0xf2:
        return take_integer(reader, 3);
    case 0xf3:
        return take_integer(reader, 4);
    case 0xf4:
        return take_integer(reader, 8);
    default:
        reader->result = PAYLOAD_BAD_FORMAT;
        return SLICE_OF("");
    }
}

static struct slice
take_listpack_entry(struct reader *reader)
{
    size_t before = reader->rest.size;
    struct slice value = take_listpack_value(reader);
    (void)take(reader, back_size(before - reader->rest.size));
    return value;
}

static struct slice
take_ziplist_entry(struct reader *reader)
{
    if (take_big_endian(reader, 1) == 0xfe) { /* the size of the entry before */
        (void)take(reader, 4);
    }
    unsigned first = (unsigned)take_big_endian(reader, 1);
    switch (first >> 6) {
    case 0:
        return take(reader, first & 0x3f);
    case 1:
        return take(reader, (uint64_t)(first & 0x3f) << 8 | take_big_endian(reader, 1));
    case 2:
        return take(reader, take_big_endian(reader, 4));
    default:
        break;
    }
    switch (first) {
    case 0xc0:
        return take_integer(reader, 2);
    case 0xd0:
        return take_integer(reader, 4);
    case 0xe0:
        return take_integer(reader, 8);
    case 0xf0:
        return take_integer(reader, 3);
    case 0xfe:
        return take_integer(reader, 1);
    default:
        break;
    }
    if (first >= 0xf1 && first <= 0xfd) {
        return integer_text(reader, first - 0xf1, 8);
    }
    reader->result = PAYLOAD_BAD_FORMAT;
    return SLICE_OF("");
}

typedef struct slice take_entry(struct reader *reader);

/* Every entry takes a byte at least, so that the count can be checked before allocating. */
static void
take_pairs(struct reader *reader, uint64_t pair_count, take_entry *take_one,
           struct payload *payload)
{
    if (reader->result == PAYLOAD_READ &&
        (pair_count == 0 || pair_count > reader->rest.size / 2)) {
        reader->result = PAYLOAD_BAD_FORMAT;
    }
    size_t count = reader->result == PAYLOAD_READ ? (size_t)pair_count * 2 : 0;
    void *memory = allocate(reader, count * sizeof(struct slice));
    payload->pairs = memory;
    payload->pair_count = count / 2;
    for (size_t i = 0; reader->result == PAYLOAD_READ && i < count; i++) {
        payload->pairs[i] = take_one(reader);
    }
}

/* A listpack or ziplist within a string: <header_size> bytes end in the count of entries. */
static void
take_packed(struct reader *reader, unsigned header_size, take_entry *take_one,
            struct payload *payload)
{
    struct reader inner = {take_string(reader), reader->arena, reader->result};
    (void)take(&inner, header_size - 2);
    uint64_t count = take_little_endian(&inner, 2);
    if (count == UINT16_MAX || count % 2 != 0) {
        inner.result = PAYLOAD_BAD_FORMAT; /* so many are never packed */
    }
    take_pairs(&inner, count / 2, take_one, payload);
    if (take_big_endian(&inner, 1) != 0xff || inner.rest.size > 0) {
        inner.result = inner.result == PAYLOAD_READ ? PAYLOAD_BAD_FORMAT : inner.result;
    }
    reader->result = inner.result;
}

static bool
footer_is_good(struct slice bytes)
{
    if (bytes.size < FOOTER_SIZE) {
        return false;
    }
    struct reader reader = {.rest =
                                slice_make(bytes.data + bytes.size - FOOTER_SIZE, FOOTER_SIZE)};
    uint64_t version = take_little_endian(&reader, 2);
    uint64_t checksum = take_little_endian(&reader, CHECKSUM_SIZE);
    struct slice covered = slice_make(bytes.data, bytes.size - CHECKSUM_SIZE);
    return version <= RDB_VERSION_MAX && checksum == payload_checksum(covered);
}

enum payload_result
payload_read(struct slice bytes, struct arena *arena, struct payload *ret_payload)
{
    if (!footer_is_good(bytes)) {
        return PAYLOAD_BAD_CHECKSUM;
    }
    struct payload payload = {.record = {.schema = SLICE(""), .complement = SLICE("")}};
    struct slice value = slice_make(bytes.data, bytes.size - FOOTER_SIZE);
    struct reader reader = {value, arena, PAYLOAD_READ};
    uint64_t type = take_big_endian(&reader, 1);
    payload.is_hash = type != RDB_TYPE_STRING && type != RECORD_MARK;
    switch (type) {
    case RDB_TYPE_STRING:
        payload.record.body = take_string(&reader);
        break;
    case RECORD_MARK:
        reader.rest = SLICE_OF("");
        if (!record_read(value, &payload.record)) {
            reader.result = PAYLOAD_BAD_FORMAT;
        }
        break;
    case RDB_TYPE_HASH:
        take_pairs(&reader, take_plain_length(&reader), take_string, &payload);
        break;
    case RDB_TYPE_HASH_ZIPLIST:
        take_packed(&reader, 10, take_ziplist_entry, &payload);
        break;
    case RDB_TYPE_HASH_LISTPACK:
        take_packed(&reader, 6, take_listpack_entry, &payload);
        break;
    default:
        reader.result = PAYLOAD_BAD_FORMAT;
        break;
    }
    if (reader.result == PAYLOAD_READ && reader.rest.size > 0) {
        reader.result = PAYLOAD_BAD_FORMAT;
    }
    if (reader.result == PAYLOAD_READ) {
        *ret_payload = payload;
    }
    return reader.result;
}
