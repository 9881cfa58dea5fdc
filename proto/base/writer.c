#include "proto/base/writer.h"

char *
writer_reserve(struct writer *writer, size_t size)
{
    if (writer->failed) {
        return NULL;
    }
    if (writer->capacity - writer->size < size) {
        size_t capacity = writer->capacity * 2 + size + 48;
        char *data = arena_alloc(writer->arena, capacity);
        if (data == NULL) {
            writer->failed = true;
            return NULL;
        }
        if (writer->size > 0) {
            memcpy(data, writer->data, writer->size);
        }
        writer->data = data;
        writer->capacity = capacity;
    }
    return writer->data + writer->size;
}

void
writer_number(struct writer *writer, uint64_t number)
{
    char *at = writer_reserve(writer, 10);
    if (at != NULL) {
        for (; number >= 0x80; number >>= 7) {
            *at++ = (char)(number | 0x80);
        }
        *at++ = (char)number;
        writer->size = (size_t)(at - writer->data);
    }
}

void
writer_bytes(struct writer *writer, struct slice bytes)
{
    char *at = writer_reserve(writer, bytes.size);
    if (at != NULL && bytes.size > 0) {
        memcpy(at, bytes.data, bytes.size);
        writer->size += bytes.size;
    }
}

void
writer_text(struct writer *writer, struct slice text)
{
    writer_number(writer, text.size);
    writer_bytes(writer, text);
}

void
writer_char(struct writer *writer, char byte)
{
    char *at = writer_reserve(writer, 1);
    if (at != NULL) {
        *at = byte;
        writer->size++;
    }
}
