#include "server/cmd/bits.h"

#include "server/cmd/argument.h"

static unsigned
byte_at(struct slice bytes, uint64_t index)
{
    return index < bytes.size ? (unsigned char)bytes.data[index] : 0;
}

uint64_t
bits_get(struct slice bytes, uint64_t offset, unsigned width)
{
    uint64_t value = 0;
    while (width > 0) {
        unsigned skip = (unsigned)(offset % 8);
        unsigned take = 8 - skip < width ? 8 - skip : width;
        unsigned part = byte_at(bytes, offset / 8) >> (8 - skip - take) & ((1U << take) - 1);
        value = value << take | part;
        offset += take;
        width -= take;
    }
    return value;
}

void
bits_set(char *bytes, uint64_t offset, unsigned width, uint64_t value)
{
    while (width > 0) {
        unsigned skip = (unsigned)(offset % 8);
        unsigned take = 8 - skip < width ? 8 - skip : width;
        unsigned shift = 8 - skip - take;
        unsigned mask = ((1U << take) - 1) << shift;
        unsigned part = (unsigned)(value >> (width - take)) << shift & mask;
        unsigned char *byte = (unsigned char *)bytes + offset / 8;
        *byte = (unsigned char)((*byte & ~mask) | part);
        offset += take;
        width -= take;
    }
}

/* Bits of <range> from <at> on that stand in one 64-bit load or less; at most 64. */
static unsigned
width_at(struct range range, uint64_t at)
{
    uint64_t left = range.last - at + 1;
    return left < 64 ? (unsigned)left : 64;
}

uint64_t
bits_count(struct slice bytes, struct range range)
{
    uint64_t count = 0;
    uint64_t at = range.first;
    for (; at <= range.last && at % 8 != 0; at++) {
        count += bits_get(bytes, at, 1);
    }
    for (; at <= range.last && range.last - at >= 63; at += 64) {
        uint64_t word;
        memcpy(&word, bytes.data + at / 8, sizeof(word));
        count += (uint64_t)__builtin_popcountll(word);
    }
    if (at <= range.last) {
        uint64_t rest = bits_get(bytes, at, width_at(range, at));
        count += (uint64_t)__builtin_popcountll(rest);
    }
    return count;
}

int64_t
bits_find(struct slice bytes, struct range range, bool set)
{
    const uint64_t boring = set ? 0 : UINT64_MAX;
    uint64_t at = range.first;
    while (at <= range.last) {
        unsigned width = width_at(range, at);
        uint64_t word;
        if (at % 8 == 0 && width == 64) {
            memcpy(&word, bytes.data + at / 8, sizeof(word));
            if (word == boring) {
                at += 64;
                continue;
            }
        }
        word = bits_get(bytes, at, width);
        word = set ? word : ~word;
        word <<= 64 - width;
        if (word != 0) {
            return (int64_t)at + __builtin_clzll(word);
        }
        /* Go on at a byte's start, where whole words can be compared. */
        at += width < 64 ? width : 64 - at % 8;
    }
    return -1;
}

bool
bits_argument_offset(struct request *request, size_t index, unsigned width,
                     uint64_t *ret_offset)
{
    struct slice text = request->argv[index];
    bool multiplies = width > 0 && text.size > 0 && text.data[0] == '#';
    if (multiplies) {
        text = slice_make(text.data + 1, text.size - 1);
    }
    uint64_t offset = 0;
    int64_t size_max = config_number(request->server->config, CONFIG_PROTO_MAX_BULK_LEN);
    bool valid = slice_to_uint64(text, &offset) &&
                 !__builtin_mul_overflow(offset, multiplies ? width : 1U, &offset) &&
                 offset / 8 < (uint64_t)size_max;
    if (!valid) {
        reply_error(request->reply, "ERR bit offset is not an integer or out of range");
        return false;
    }
    *ret_offset = offset;
    return true;
}
