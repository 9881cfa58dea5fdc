/* Strings as rows of bits, the highest bit of the first byte being bit 0. */
#include "server/cmd/argument.h"
#include "server/cmd/bits.h"
#include "server/cmd/edit.h"
#include "server/cmd/handlers.h"
#include "server/cmd/range.h"

void
cmd_setbit(struct request *request)
{
    uint64_t offset;
    int64_t bit;
    struct slice view;
    bool exists;
    if (!bits_argument_offset(request, 2, 0, &offset) ||
        !argument_int64_or(request, 3, 0, 1, "bit is not an integer or out of range", &bit) ||
        !edit_read(request, &request->keys[0], &view, &exists)) {
        return;
    }
    size_t size = (size_t)(offset / 8) + 1;
    struct edit edit;
    if (!edit_open(request, &request->keys[0], view, size, size, &edit)) {
        return;
    }
    uint64_t old = bits_get(slice_make(edit.bytes, edit.size), offset, 1);
    bits_set(edit.bytes, offset, 1, (uint64_t)bit);
    if (edit_close(request, &request->keys[0], &edit)) {
        reply_integer(request->reply, (int64_t)old);
    }
}

void
cmd_getbit(struct request *request)
{
    uint64_t offset;
    struct slice view = SLICE("");
    if (!bits_argument_offset(request, 2, 0, &offset)) {
        return;
    }
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found != VALUE_FAILED) {
        reply_integer(request->reply,
                      found == VALUE_FOUND ? (int64_t)bits_get(view, offset, 1) : 0);
    }
}

/* ---- BITCOUNT and BITPOS ---- */

/* [start [end [BYTE | BIT]]] as it stands in argv. */
struct bit_range {
    bool has_start;
    bool has_end;
    bool counts_bits;
    int64_t start;
    int64_t end;
};

/* Read it from argv[index] on; false when an error was replied. */
static bool
parse_bit_range(struct request *request, size_t index, struct bit_range *ret_range)
{
    struct bit_range range = {.end = -1};
    if (request->argc > index + 3) {
        reply_syntax_error(request->reply);
        return false;
    }
    range.has_start = request->argc > index;
    range.has_end = request->argc > index + 1;
    if ((range.has_start && !argument_int64(request, index, &range.start)) ||
        (range.has_end && !argument_int64(request, index + 1, &range.end))) {
        return false;
    }
    if (request->argc > index + 2) {
        range.counts_bits = argument_is(request, index + 2, "BIT");
        if (!range.counts_bits && !argument_is(request, index + 2, "BYTE")) {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    *ret_range = range;
    return true;
}

/* The bits of <view> that it means; false for none. */
static bool
resolve_bit_range(const struct bit_range *range, struct slice view, struct range *ret_bits)
{
    uint64_t unit = range->counts_bits ? 1 : 8;
    struct range units;
    if (!range_resolve(range->start, range->end, (uint64_t)view.size * 8 / unit, &units)) {
        return false;
    }
    *ret_bits = (struct range){units.first * unit, units.last * unit + unit - 1};
    return true;
}

/* Redis looks at the key first: a missing one hides what is wrong with the range. */
void
cmd_bitcount(struct request *request)
{
    struct bit_range range;
    struct range bits;
    struct slice view = SLICE("");
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FAILED) {
        return;
    }
    if (found == VALUE_ABSENT) {
        reply_integer(request->reply, 0);
        return;
    }
    if (request->argc == 3) {
        reply_syntax_error(request->reply);
        return;
    }
    if (parse_bit_range(request, 2, &range)) {
        bool some = !range_is_reversed(range.start, range.end) &&
                    resolve_bit_range(&range, view, &bits);
        reply_integer(request->reply, some ? (int64_t)bits_count(view, bits) : 0);
    }
}

static int64_t
find_bit(const struct bit_range *range, struct slice view, bool set)
{
    struct range bits;
    if (!resolve_bit_range(range, view, &bits)) {
        return -1;
    }
    int64_t position = bits_find(view, bits, set);
    /* A string goes on with zeros for those who state no end. */
    return position < 0 && !set && !range->has_end ? (int64_t)view.size * 8 : position;
}

void
cmd_bitpos(struct request *request)
{
    struct bit_range range;
    int64_t bit;
    struct slice view = SLICE("");
    if (!argument_int64(request, 2, &bit)) {
        return;
    }
    if (bit != 0 && bit != 1) {
        reply_error(request->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FAILED) {
        return;
    }
    if (found == VALUE_ABSENT) {
        reply_integer(request->reply, bit == 1 ? -1 : 0);
    } else if (parse_bit_range(request, 3, &range)) {
        reply_integer(request->reply, find_bit(&range, view, bit == 1));
    }
}

/* ---- BITOP ---- */

enum bit_operation { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT };

static bool
parse_operation(struct request *request, enum bit_operation *ret_operation)
{
    static const char *const NAMES[] = {"AND", "OR", "XOR", "NOT"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++) {
        if (argument_is(request, 1, NAMES[i])) {
            *ret_operation = (enum bit_operation)i;
            if (*ret_operation == BIT_NOT && request->argc != 4) {
                reply_error(request->reply,
                            "ERR BITOP NOT must be called with a single source key.");
                return false;
            }
            return true;
        }
    }
    reply_syntax_error(request->reply);
    return false;
}

/* <into> op= <source>, which counts as padded with zeros to <size>. */
static void
combine(enum bit_operation operation, unsigned char *into, size_t size, struct slice source)
{
    const unsigned char *bytes = (const unsigned char *)source.data;
    switch (operation) {
    case BIT_AND:
        for (size_t i = 0; i < source.size; i++) {
            into[i] &= bytes[i];
        }
        memset(into + source.size, 0, size - source.size);
        break;
    case BIT_OR:
        for (size_t i = 0; i < source.size; i++) {
            into[i] |= bytes[i];
        }
        break;
    case BIT_XOR:
        for (size_t i = 0; i < source.size; i++) {
            into[i] ^= bytes[i];
        }
        break;
    case BIT_NOT:
        for (size_t i = 0; i < source.size; i++) {
            into[i] = (unsigned char)~bytes[i];
        }
        break;
    }
}

/* The views of BITOP's sources; NULL when an error was replied. */
static struct slice *
read_sources(struct request *request, size_t *ret_count, size_t *ret_size_max)
{
    size_t count = request->key_count - 1;
    struct slice *sources = arena_calloc(request->arena, count, sizeof(*sources));
    if (sources == NULL) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    size_t size_max = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice view = SLICE("");
        enum value_find found = value_read(request, &request->keys[1 + i], &view);
        if (found == VALUE_FAILED) {
            return NULL;
        }
        sources[i] = found == VALUE_FOUND ? view : SLICE_OF("");
        size_max = sources[i].size > size_max ? sources[i].size : size_max;
    }
    *ret_count = count;
    *ret_size_max = size_max;
    return sources;
}

void
cmd_bitop(struct request *request)
{
    enum bit_operation operation;
    size_t count;
    size_t size;
    if (!parse_operation(request, &operation)) {
        return;
    }
    struct slice *sources = read_sources(request, &count, &size);
    if (sources == NULL) {
        return;
    }
    const struct key *target = &request->keys[0];
    if (size == 0) {
        (void)keyspace_delete_locked(request->server->keyspace, target, request->now_ms);
        reply_integer(request->reply, 0);
        return;
    }
    char *result = edit_copy(request, sources[0], size);
    if (result == NULL) {
        return;
    }
    for (size_t i = operation == BIT_NOT ? 0 : 1; i < count; i++) {
        combine(operation, (unsigned char *)result, size, sources[i]);
    }
    if (value_write(request, target, slice_make(result, size), KEYSPACE_EXPIRY_NONE)) {
        reply_integer(request->reply, (int64_t)size);
    }
}
