#include "server/store/dictionaries.h"

#include "proto/base/check.h"
#include "server/store/memory.h"

struct dictionaries *
dictionaries_new(void)
{
    struct dictionaries *dictionaries = memory_alloc(sizeof(*dictionaries));
    if (dictionaries != NULL) {
        for (unsigned number = 0; number < DICTIONARIES_MAX; number++) {
            atomic_init(&dictionaries->items[number], NULL);
        }
        memset(dictionaries->serials, 0, sizeof(dictionaries->serials));
        dictionaries->last_serial = 0;
        atomic_init(&dictionaries->memory, 0);
        atomic_init(&dictionaries->pins, 0);
    }
    return dictionaries;
}

void
dictionaries_free(struct dictionaries *dictionaries)
{
    for (unsigned number = 0; dictionaries != NULL && number < DICTIONARIES_MAX; number++) {
        pack_dictionary_free(atomic_load(&dictionaries->items[number]));
    }
    memory_free(dictionaries);
}

unsigned
dictionaries_put(struct dictionaries *dictionaries, struct pack_dictionary *dictionary)
{
    for (unsigned number = 1; number < DICTIONARIES_MAX; number++) {
        if (dictionaries_get(dictionaries, number) == NULL) {
            atomic_fetch_add(&dictionaries->memory, pack_dictionary_memory(dictionary));
            dictionaries->serials[number] = ++dictionaries->last_serial;
            atomic_store_explicit(&dictionaries->items[number], dictionary,
                                  memory_order_release);
            return number;
        }
    }
    return 0;
}

bool
dictionaries_drop(struct dictionaries *dictionaries, unsigned number)
{
    if (atomic_load(&dictionaries->pins) > 0) {
        return false;
    }
    struct pack_dictionary *dictionary = atomic_exchange(&dictionaries->items[number], NULL);
    CHECK(dictionary != NULL);
    atomic_fetch_sub(&dictionaries->memory, pack_dictionary_memory(dictionary));
    pack_dictionary_free(dictionary);
    return true;
}

void
dictionaries_pin(struct dictionaries *dictionaries)
{
    atomic_fetch_add(&dictionaries->pins, 1);
}

void
dictionaries_unpin(struct dictionaries *dictionaries)
{
    atomic_fetch_sub(&dictionaries->pins, 1);
}

size_t
packed_make(struct pack_context *context, const struct dictionaries *dictionaries,
            unsigned number, struct slice raw, char *out, size_t room)
{
    const struct pack_dictionary *dictionary = dictionaries_get(dictionaries, number);
    CHECK(dictionary != NULL);
    if (room <= PACKED_HEAD_SIZE) {
        return 0;
    }
    size_t size =
        pack(context, dictionary, raw, out + PACKED_HEAD_SIZE, room - PACKED_HEAD_SIZE);
    if (size == 0) {
        return 0;
    }
    uint16_t raw_size = (uint16_t)raw.size;
    out[0] = (char)number;
    memcpy(out + 1, &raw_size, sizeof(raw_size));
    return size + PACKED_HEAD_SIZE;
}

unsigned
packed_dictionary(struct slice packed)
{
    return packed.size < PACKED_HEAD_SIZE ? 0 : (unsigned char)packed.data[0];
}

size_t
packed_raw_size(struct slice packed)
{
    uint16_t size = 0;
    if (packed.size >= PACKED_HEAD_SIZE) {
        memcpy(&size, packed.data + 1, sizeof(size));
    }
    return size;
}

bool
packed_open(struct pack_context *context, const struct dictionaries *dictionaries,
            struct slice packed, char *out)
{
    const struct pack_dictionary *dictionary =
        dictionaries_get(dictionaries, packed_dictionary(packed));
    return dictionary != NULL &&
           unpack(context, dictionary,
                  slice_make(packed.data + PACKED_HEAD_SIZE, packed.size - PACKED_HEAD_SIZE),
                  out, packed_raw_size(packed));
}

bool
packed_open_in(struct arena *arena, struct pack_context *context,
               const struct dictionaries *dictionaries, struct slice packed,
               struct slice *ret_raw)
{
    size_t size = packed_raw_size(packed);
    char *raw = arena_alloc(arena, size);
    if (raw == NULL) {
        return false;
    }
    CHECK(packed_open(context, dictionaries, packed, raw));
    *ret_raw = slice_make(raw, size);
    return true;
}

bool
unpacker_open(struct unpacker *unpacker, struct arena *arena, struct slice packed,
              struct slice *ret_raw)
{
    if (unpacker->context == NULL) {
        unpacker->context = pack_context_new();
    }
    return unpacker->context != NULL &&
           packed_open_in(arena, unpacker->context, unpacker->dictionaries, packed, ret_raw);
}

void
unpacker_fini(struct unpacker *unpacker)
{
    pack_context_free(unpacker->context);
}
