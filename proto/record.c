#include "proto/record.h"

static void
append_number(struct buffer *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7) {
        buffer_append_char(out, (char)(0x80 | (number & 0x7f)));
    }
    buffer_append_char(out, (char)number);
}

static void
append_text(struct buffer *out, struct slice text)
{
    append_number(out, text.size);
    buffer_append_slice(out, text);
}

void
record_write(struct buffer *out, const struct record *record)
{
    buffer_append_char(out, (char)RECORD_MARK);
    buffer_append_char(out, RECORD_FORMAT);
    append_text(out, record->schema);
    append_number(out, record->version);
    append_text(out, record->complement);
    buffer_append_slice(out, record->body);
}

/* Numbers have one spelling: at most 63 bits, no leading zeros. */
static bool
take_number(struct slice *rest, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 63 && rest->size > 0; shift += 7) {
        unsigned byte = (unsigned char)rest->data[0];
        *rest = slice_make(rest->data + 1, rest->size - 1);
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_number = number;
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

static bool
take_text(struct slice *rest, struct slice *ret_text)
{
    uint64_t size;
    if (!take_number(rest, &size) || size > rest->size) {
        return false;
    }
    *ret_text = slice_make(rest->data, (size_t)size);
    *rest = slice_make(rest->data + size, rest->size - (size_t)size);
    return true;
}

bool
record_read(struct slice bytes, struct record *ret_record)
{
    if (bytes.size < 2 || (unsigned char)bytes.data[0] != RECORD_MARK ||
        bytes.data[1] != RECORD_FORMAT) {
        return false;
    }
    struct record record;
    uint64_t version;
    struct slice rest = slice_make(bytes.data + 2, bytes.size - 2);
    if (!take_text(&rest, &record.schema) || !take_number(&rest, &version) ||
        !take_text(&rest, &record.complement) || version > UINT16_MAX ||
        (version == 0) != (record.schema.size == 0) ||
        (version == 0 && record.complement.size > 0)) {
        return false;
    }
    record.version = (uint32_t)version;
    record.body = rest;
    *ret_record = record;
    return true;
}
