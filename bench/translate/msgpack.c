/* Objects and what is put into them lie in the zone of the document, as msgpack-c has it. */
#include "bench/translate/library.h"

#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>

static msgpack_object
text_of(const char *text, size_t size)
{
    return (msgpack_object){.type = MSGPACK_OBJECT_STR,
                            .via.str = {.size = (uint32_t)size, .ptr = text}};
}

static msgpack_object_kv *
find(const msgpack_object *object, const char *name)
{
    size_t size = strlen(name);
    for (uint32_t i = 0; i < object->via.map.size; i++) {
        msgpack_object_kv *member = &object->via.map.ptr[i];
        if (member->key.type == MSGPACK_OBJECT_STR && member->key.via.str.size == size &&
            memcmp(member->key.via.str.ptr, name, size) == 0) {
            return member;
        }
    }
    return NULL;
}

/* Set a member, at the end where it is new. */
static void
put(msgpack_zone *zone, msgpack_object *object, const char *name, msgpack_object value)
{
    msgpack_object_map *map = &object->via.map;
    msgpack_object_kv *member = find(object, name);
    if (member == NULL) {
        msgpack_object_kv *grown = msgpack_zone_malloc(zone, (map->size + 1) * sizeof(*grown));
        if (grown == NULL) {
            abort();
        }
        memcpy(grown, map->ptr, map->size * sizeof(*grown));
        map->ptr = grown;
        member = &grown[map->size++];
        member->key = text_of(name, strlen(name));
    }
    member->val = value;
}

static void
take_out(msgpack_object *object, msgpack_object_kv *member)
{
    msgpack_object_map *map = &object->via.map;
    size_t behind = (size_t)(map->ptr + map->size - member) - 1;
    memmove(member, member + 1, behind * sizeof(*member));
    map->size--;
}

static void
split(msgpack_zone *zone, msgpack_object *object, const struct edit *edit)
{
    msgpack_object_kv *whole = find(object, edit->name);
    if (whole == NULL || whole->val.type != MSGPACK_OBJECT_STR) {
        return;
    }
    const char *text = whole->val.via.str.ptr;
    size_t size = whole->val.via.str.size;
    const char *blank = memchr(text, ' ', size);
    size_t first = blank == NULL ? size : (size_t)(blank - text);
    size_t skipped = blank == NULL ? size : first + 1;
    take_out(object, whole);
    put(zone, object, edit->to, text_of(text, first));
    put(zone, object, edit->rest, text_of(text + skipped, size - skipped));
}

static void
join(msgpack_zone *zone, msgpack_object *object, const struct edit *edit)
{
    const msgpack_object_kv *first = find(object, edit->to);
    const msgpack_object_kv *rest = find(object, edit->rest);
    if (first == NULL || rest == NULL || first->val.type != MSGPACK_OBJECT_STR ||
        rest->val.type != MSGPACK_OBJECT_STR) {
        return;
    }
    msgpack_object_str a = first->val.via.str;
    msgpack_object_str b = rest->val.via.str;
    char *text = msgpack_zone_malloc_no_align(zone, (size_t)a.size + 1 + b.size);
    if (text == NULL) {
        abort();
    }
    memcpy(text, a.ptr, a.size);
    text[a.size] = ' ';
    memcpy(text + a.size + 1, b.ptr, b.size);
    take_out(object, find(object, edit->to));
    take_out(object, find(object, edit->rest));
    put(zone, object, edit->name, text_of(text, (size_t)a.size + 1 + b.size));
}

static msgpack_object
number_of(int64_t number)
{
    return (msgpack_object){.type = number < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER
                                               : MSGPACK_OBJECT_POSITIVE_INTEGER,
                            .via.i64 = number};
}

static msgpack_object
digits_of(msgpack_zone *zone, int64_t number)
{
    char digits[24];
    size_t size = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number);
    char *text = msgpack_zone_malloc_no_align(zone, size);
    if (text == NULL) {
        abort();
    }
    memcpy(text, digits, size);
    return text_of(text, size);
}

static int64_t
read_digits(msgpack_object_str str)
{
    char digits[24];
    size_t size = str.size < sizeof(digits) ? str.size : sizeof(digits) - 1;
    memcpy(digits, str.ptr, size);
    digits[size] = '\0';
    return strtoll(digits, NULL, 10);
}

static void
apply(msgpack_zone *zone, msgpack_object *root, const struct edit *edit)
{
    msgpack_object_kv *outer = edit->object == NULL ? NULL : find(root, edit->object);
    msgpack_object *object = outer == NULL ? root : &outer->val;
    msgpack_object_kv *member = find(object, edit->name);
    msgpack_object value;
    switch (edit->kind) {
    case EDIT_ADD:
        put(zone, object, edit->name, text_of(edit->to, strlen(edit->to)));
        return;
    case EDIT_SPLIT:
        split(zone, object, edit);
        return;
    case EDIT_JOIN:
        join(zone, object, edit);
        return;
    default:
        break;
    }
    if (member == NULL) {
        return;
    }
    switch (edit->kind) {
    case EDIT_RENAME:
        member->key = text_of(edit->to, strlen(edit->to));
        break;
    case EDIT_MOVE:
        value = member->val;
        take_out(object, member);
        put(zone, root, edit->name, value);
        break;
    case EDIT_SCALE:
        member->val = number_of(member->val.via.i64 * 10);
        break;
    case EDIT_STRING:
        member->val = digits_of(zone, member->val.via.i64);
        break;
    default:
        member->val = number_of(read_digits(member->val.via.str));
        break;
    }
}

static int
on_bytes(void *context, const char *bytes, size_t size)
{
    struct buffer *out = context;
    buffer_append(out, bytes, size);
    return 0;
}

bool
msgpack_edit(struct slice body, unsigned steps, unsigned count, struct buffer *out)
{
    msgpack_unpacked document;
    msgpack_packer packer;
    msgpack_unpacked_init(&document);
    bool done =
        msgpack_unpack_next(&document, body.data, body.size, NULL) == MSGPACK_UNPACK_SUCCESS &&
        document.data.type == MSGPACK_OBJECT_MAP;
    for (unsigned step = 0; done && step < steps; step++) {
        for (unsigned i = 0; i < count; i++) {
            apply(document.zone, &document.data, &edit_step(step)[i]);
        }
    }
    msgpack_packer_init(&packer, out, on_bytes);
    done = done && msgpack_pack_object(&packer, document.data) == 0;
    msgpack_unpacked_destroy(&document);
    return done;
}
