#include "proto/base/buffer.h"

#include "proto/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUFFER_CAPACITY_MIN = 64 };

void
buffer_init(struct buffer *buffer, size_t size_max)
{
    *buffer = (struct buffer){.size_max = size_max};
}

void
buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void
buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

char *
buffer_reserve_more(struct buffer *buffer, size_t size)
{
    if (buffer->failed) {
        return NULL;
    }
    size_t limit = buffer->size_max != 0 ? buffer->size_max : SIZE_MAX / 2;
    if (buffer->size > limit || size > limit - buffer->size) {
        buffer->failed = true;
        return NULL;
    }
    size_t need = buffer->size + size;
    size_t capacity = buffer->capacity < limit / 2 ? buffer->capacity * 2 : limit;
    capacity = capacity < need ? need : capacity;
    capacity = capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : capacity;
    capacity = capacity > limit ? limit : capacity;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return data + buffer->size;
}

void
buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    char *room = buffer_reserve(buffer, size);
    if (room != NULL && size > 0) {
        memcpy(room, data, size);
        buffer->size += size;
    }
}

void
buffer_append_slice(struct buffer *buffer, struct slice slice)
{
    buffer_append(buffer, slice.data, slice.size);
}

void
buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

void
buffer_append_char(struct buffer *buffer, char byte)
{
    buffer_append(buffer, &byte, 1);
}

void
buffer_append_int64(struct buffer *buffer, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? ~(uint64_t)value + 1 : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    buffer_append(buffer, digits + at, sizeof(digits) - at);
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char small[256];
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    CHECK(size >= 0);
    if ((size_t)size < sizeof(small)) {
        buffer_append(buffer, small, (size_t)size);
    } else {
        char *room = buffer_reserve(buffer, (size_t)size + 1);
        if (room != NULL) {
            (void)vsnprintf(room, (size_t)size + 1, format, again);
            buffer->size += (size_t)size;
        }
    }
    va_end(again);
}

void
buffer_consume(struct buffer *buffer, size_t size)
{
    CHECK(size <= buffer->size);
    buffer->size -= size;
    if (buffer->size > 0 && size > 0) {
        memmove(buffer->data, buffer->data + size, buffer->size);
    }
}
