#include "proto/codec/tree.h"

#include "proto/base/check.h"
#include "proto/codec/json_index.h"

/* Nodes allocated at once for a container: twice these at first, then growing. */
enum { TREE_CHUNK_MIN = 1, TREE_CHUNK_ROOT = 8, TREE_CHUNK_MAX = 32 };

#define TREE_TAG_ANY UINT32_MAX

enum { TREE_TEXT_ROOM = 256 }; /* that a text may have grown by before its size is counted */

static struct tree_node *
node_new(struct arena *arena)
{
    struct tree_node *node = arena_alloc(arena, sizeof(*node));
    if (node != NULL) {
        *node = (struct tree_node){0};
    }
    return node;
}

/* What most names of a document differ in. */
static inline uint32_t
name_tag(const char *name, size_t size)
{
    uint32_t tag = (uint32_t)size << 16;
    if (size > 0) {
        tag += (uint32_t)(uint8_t)name[0] * 5 + (uint32_t)(uint8_t)name[size - 1] * 11 +
               (uint32_t)(uint8_t)name[size / 2] * 23;
    }
    return tag;
}

/* One of 64 bits for a tag. */
static inline uint64_t
tag_bit(uint32_t tag)
{
    return UINT64_C(1) << ((tag ^ tag >> 16) & 63);
}

/* Note the name of <node>, a member of the object with <box>; an escaped one may be any. */
static inline void
note_name(struct tree_box *box, struct tree_node *node)
{
    if (__builtin_expect(node->escaped, 0)) {
        node->tag = TREE_TAG_ANY;
        box->once = box->twice = UINT64_MAX;
        return;
    }
    node->tag = name_tag(node->head + node->lead_size + 1, (size_t)node->key_size - 2);
    const uint64_t bit = tag_bit(node->tag);
    box->twice |= box->once & bit;
    box->once |= bit;
}

static inline bool
is_same(const char *a, const char *b, size_t size)
{
    uint64_t a_word;
    uint64_t b_word;
    if (size < sizeof(a_word)) {
        for (size_t i = 0; i < size; i++) {
            if (a[i] != b[i]) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + sizeof(a_word) < size; i += sizeof(a_word)) {
        memcpy(&a_word, a + i, sizeof(a_word));
        memcpy(&b_word, b + i, sizeof(b_word));
        if (a_word != b_word) {
            return false;
        }
    }
    memcpy(&a_word, a + size - sizeof(a_word), sizeof(a_word));
    memcpy(&b_word, b + size - sizeof(b_word), sizeof(b_word));
    return a_word == b_word;
}

static inline const char *
skip_space(const char *at, const char *end)
{
    return at < end && (uint8_t)*at > ' ' ? at : json_skip_space(at, end);
}

/* What the children of a container are taken from. */
struct source {
    enum { SOURCE_JSON, SOURCE_FRAMED, SOURCE_INDEX } kind;
    const struct codec *codec;
    struct codec_walk walk; /* JSON known to be valid, or framed */
    struct json_index index;
    const char *text; /* that was indexed */
    size_t next;      /* mark */
};

/* A member of an object that was indexed. */
static inline bool
index_next(struct source *source, struct codec_item *item)
{
    const struct json_index *index = &source->index;
    const char *end = source->text + index->size;
    if (source->next == index->count) {
        return false;
    }
    const struct json_mark *mark = &index->marks[source->next++];
    const char *colon = source->text + mark->colon;
    const char *stop = source->text + mark->stop;
    item->start = source->walk.at;
    item->key = skip_space(item->start, end);
    item->colon = colon;
    while (json_is_space(item->colon[-1])) {
        item->colon--;
    }
    item->value = skip_space(colon + 1, end);
    item->trail = item->end = stop;
    while (json_is_space(item->trail[-1])) {
        item->trail--;
    }
    item->escaped = index->has_escapes &&
                    memchr(item->key, '\\', (size_t)(item->colon - item->key)) != NULL;
    source->walk.at = stop + 1;
    return true;
}

static inline bool
source_next(struct source *source, int kind, struct codec_item *item)
{
    return kind == SOURCE_INDEX    ? index_next(source, item)
           : kind == SOURCE_FRAMED ? source->codec->walk_next(&source->walk, item)
                                   : json_walk_next(&source->walk, item);
}

/*
 * Children of <node> from <source>, of <kind>. Made once per kind: this is where translation
 * spends its time.
 */
static inline __attribute__((always_inline)) bool
fill(struct tree_node *node, struct source *source, int kind, size_t chunk_size,
     struct arena *arena)
{
    const bool framed = kind == SOURCE_FRAMED;
    struct codec_walk *walk = &source->walk;
    struct codec_item item;
    struct tree_node *chunk = NULL;
    size_t chunk_used = 0; /* of the nodes allocated at once */
    struct tree_node *last = NULL;
    size_t count = 0;
    struct tree_box *box = arena_alloc(arena, sizeof(*box));
    if ((node->box = box) == NULL) {
        return false;
    }
    struct tree_node **link = &box->first;
    box->once = box->twice = 0;
    while (source_next(source, kind, &item)) {
        if (chunk == NULL || chunk_used == chunk_size) {
            chunk_size = chunk_size < TREE_CHUNK_MAX ? chunk_size * 2 : chunk_size;
            chunk = arena_alloc(arena, chunk_size * sizeof(*chunk));
            chunk_used = 0;
            if (chunk == NULL) {
                return false;
            }
        }
        struct tree_node *child = &chunk[chunk_used++];
        child->parent = node;
        child->box = NULL;
        child->head = item.start;
        child->value = item.value;
        child->tail = item.trail;
        child->lead_size = (uint32_t)(item.key - item.start);
        child->key_size = (uint32_t)(item.colon - item.key);
        child->head_size = (uint32_t)(item.value - item.start);
        child->value_size = (uint32_t)(item.trail - item.value);
        child->tail_size = (uint32_t)(item.end - item.trail);
        child->type = (uint8_t)(framed ? item.kind : json_kind(*item.value));
        child->escaped = item.escaped;
        child->edited = false;
        child->listed = !framed && last != NULL;
        child->prev = last;
        if (kind == SOURCE_INDEX || (!framed && walk->object)) {
            note_name(box, child);
        }
        *link = child;
        link = &child->next;
        last = child;
        count++;
    }
    *link = NULL;
    box->codec = source->codec;
    box->last = last;
    box->count = count;
    box->inner = (struct slice){NULL, 0};
    box->changed = false;
    if (count == 0 && !framed) {
        box->inner = slice_make(walk->inner, (size_t)(walk->at - 1 - walk->inner));
    }
    return true;
}

static bool
json_fill(struct tree_node *node, struct arena *arena)
{
    struct source source = {.codec = &codec_json};
    json_walk_init(&source.walk, node->value, node->value + node->value_size);
    return fill(node, &source, SOURCE_JSON, TREE_CHUNK_MIN, arena);
}

static bool
framed_fill(const struct codec *codec, struct tree_node *node, struct arena *arena)
{
    struct source source = {.codec = codec};
    codec->walk_init(&source.walk, slice_make(node->value, node->value_size));
    return fill(node, &source, SOURCE_FRAMED, TREE_CHUNK_MIN, arena);
}

static bool
index_fill(struct tree_node *node, const char *text, const struct json_index *index,
           struct arena *arena)
{
    struct source source = {.codec = &codec_json, .index = *index, .text = text};
    source.walk.inner = source.walk.at = text + 1;
    if (index->count == 0) {
        source.walk.at = text + index->size; /* as a walk stands behind an empty container */
    }
    return fill(node, &source, SOURCE_INDEX, TREE_CHUNK_ROOT, arena);
}

static enum codec_status
framed_parse(const struct codec *codec, struct slice text, unsigned depth_max,
             struct arena *arena, struct tree_node **ret_root, size_t *ret_offset)
{
    enum codec_status status = codec->check(text, depth_max, ret_offset);
    if (status == CODEC_OK) {
        *ret_root = tree_value(codec, text, arena);
    }
    return status;
}

/* Make <root> the value in <text>, with white space around it, that starts at <start>. */
static void
set_root(struct tree_node *root, struct slice text, const char *start, const char *end)
{
    root->head = text.data;
    root->lead_size = root->head_size = (uint32_t)(start - text.data);
    root->value = start;
    root->value_size = (uint32_t)(end - start);
    root->tail = end;
    root->tail_size = (uint32_t)(text.data + text.size - end);
    root->type = (uint8_t)json_kind(*start);
}

/* Objects are opened at once; what is wrong with one is found out by reading it again. */
static enum codec_status
json_parse(struct slice text, unsigned depth_max, struct arena *arena,
           struct tree_node **ret_root, size_t *ret_offset)
{
    const char *stop = text.size == 0 ? text.data : text.data + text.size;
    const char *start = text.size == 0 ? stop : json_skip_space(text.data, stop);
    struct tree_node *root = text.size > UINT32_MAX ? NULL : node_new(arena);
    struct json_index index;
    *ret_root = NULL;
    if (root == NULL) {
        return CODEC_OK;
    }
    if (start < stop && *start == '{') {
        enum codec_status status =
            json_index(slice_make(start, (size_t)(stop - start)), depth_max, arena, &index);
        if (status == CODEC_OK && skip_space(start + index.size, stop) == stop) {
            set_root(root, text, start, start + index.size);
            *ret_root = index_fill(root, start, &index, arena) ? root : NULL;
            return CODEC_OK;
        }
        if (status == CODEC_NO_MEMORY) {
            return CODEC_OK;
        }
    }
    enum codec_status status = json_check(text, depth_max, ret_offset);
    if (status == CODEC_OK) {
        while (json_is_space(stop[-1])) {
            stop--;
        }
        set_root(root, text, start, stop);
        *ret_root = root;
    }
    return status;
}

enum codec_status
tree_parse(const struct codec *codec, struct slice text, unsigned depth_max,
           struct arena *arena, struct tree_node **ret_root, size_t *ret_offset)
{
    if (codec_is_framed(codec)) {
        return framed_parse(codec, text, depth_max, arena, ret_root, ret_offset);
    }
    return json_parse(text, depth_max, arena, ret_root, ret_offset);
}

/* What the value <raw> is. */
static inline uint8_t
kind_of(const struct codec *codec, struct slice raw)
{
    return (uint8_t)(codec_is_framed(codec) ? codec->kind(raw) : json_kind(*raw.data));
}

struct tree_node *
tree_value(const struct codec *codec, struct slice text, struct arena *arena)
{
    struct tree_node *node = text.size > UINT32_MAX ? NULL : node_new(arena);
    if (node != NULL) {
        node->value = text.data;
        node->value_size = (uint32_t)text.size;
        node->type = kind_of(codec, text);
    }
    return node;
}

bool
tree_fill(const struct codec *codec, struct tree_node *node, struct arena *arena)
{
    return codec_is_framed(codec) ? framed_fill(codec, node, arena) : json_fill(node, arena);
}

enum kind
tree_kind(const struct tree_node *node)
{
    const struct tree_box *box = node->box;
    if (box == NULL || !box->changed || box->codec->is_position == NULL) {
        return (enum kind)node->type;
    }
    uint64_t index = 0;
    for (const struct tree_node *child = box->first; child != NULL; child = child->next) {
        if (!box->codec->is_position(tree_key(child), index++)) {
            return KIND_OBJECT;
        }
    }
    return box->count == 0 ? KIND_EMPTY : KIND_LIST;
}

/* Names of codecs other than JSON. */
static unsigned __attribute__((noinline))
framed_find(const struct tree_node *object, struct slice name, struct tree_node **ret_first)
{
    const struct codec *codec = object->box->codec;
    unsigned count = 0;
    for (struct tree_node *node = object->box->first; node != NULL && count < 2;
         node = node->next) {
        if (codec->key_is(tree_key(node), name) && count++ == 0) {
            *ret_first = node;
        }
    }
    return count;
}

unsigned
tree_find(const struct tree_node *object, struct slice name, struct tree_node **ret_first)
{
    if (__builtin_expect(codec_is_framed(object->box->codec), 0)) {
        return framed_find(object, name, ret_first);
    }
    const struct tree_box *box = object->box;
    const uint32_t tag = name_tag(name.data, name.size);
    const uint64_t bit = tag_bit(tag);
    if ((box->once & bit) == 0) {
        return 0;
    }
    const bool is_single = (box->twice & bit) == 0;
    unsigned count = 0;
    for (struct tree_node *node = box->first; node != NULL; node = node->next) {
        const char *key = node->head + node->lead_size;
        if (node->tag == TREE_TAG_ANY ? !json_spells(slice_make(key, node->key_size), name)
                                      : node->tag != tag || node->key_size != name.size + 2 ||
                                            !is_same(key + 1, name.data, name.size)) {
            continue;
        }
        if (count++ == 1) {
            break;
        }
        *ret_first = node;
        if (is_single) {
            break;
        }
    }
    return count;
}

void
tree_touch(struct tree_node *container)
{
    for (; container != NULL && !container->edited; container = container->parent) {
        container->edited = true;
        container->listed = false;
    }
}

void
tree_remove(struct tree_node *node)
{
    struct tree_node *parent = node->parent;
    struct tree_box *box = parent->box;
    box->changed = true;
    tree_touch(parent);
    if (node->prev == NULL) {
        box->first = node->next;
    } else {
        node->prev->next = node->next;
    }
    if (node->next == NULL) {
        box->last = node->prev;
    } else {
        node->next->prev = node->prev;
    }
    node->parent = node->prev = node->next = NULL;
    if (--box->count == 0) {
        box->inner = slice_make(node->head, node->lead_size);
        node->head += node->lead_size;
        node->head_size -= node->lead_size;
        node->lead_size = 0;
        node->listed = false;
    }
}

bool
tree_insert(struct tree_node *container, struct tree_node *after, struct tree_node *node,
            struct arena *arena)
{
    struct tree_box *box = container->box;
    if (box->count == 0 && (box->inner.size > 0 || node->lead_size > 0)) {
        size_t size = box->inner.size + node->head_size - node->lead_size;
        char *head = arena_alloc(arena, size);
        if (head == NULL || size > UINT32_MAX) {
            return false;
        }
        if (box->inner.size > 0) {
            memcpy(head, box->inner.data, box->inner.size);
        }
        if (node->head_size > node->lead_size) {
            memcpy(head + box->inner.size, node->head + node->lead_size,
                   node->head_size - node->lead_size);
        }
        node->head = head;
        node->head_size = (uint32_t)size;
        node->lead_size = (uint32_t)box->inner.size;
        node->listed = false;
        box->inner.size = 0;
    }
    node->parent = container;
    node->prev = after;
    node->next = after == NULL ? box->first : after->next;
    if (node->prev == NULL) {
        box->first = node;
    } else {
        node->prev->next = node;
    }
    if (node->next == NULL) {
        box->last = node;
    } else {
        node->next->prev = node;
    }
    box->count++;
    box->changed = true;
    if (node->key_size > 0 && !codec_is_framed(box->codec)) {
        note_name(box, node);
    }
    tree_touch(container);
    return true;
}

bool
tree_set_key(struct tree_node *node, struct slice raw, bool is_escaped, bool has_colon,
             struct arena *arena)
{
    size_t colon_size = node->head_size - node->lead_size - node->key_size;
    size_t size = node->lead_size + raw.size + colon_size;
    if (size > UINT32_MAX) {
        return false;
    }
    if (has_colon && node->lead_size == 0 && colon_size <= 1) {
        node->head = raw.data; /* its colon, or none in a framed codec */
    } else {
        char *head = arena_alloc(arena, size);
        if (head == NULL) {
            return false;
        }
        if (node->lead_size > 0) {
            memcpy(head, node->head, node->lead_size);
        }
        if (raw.size > 0) {
            memcpy(head + node->lead_size, raw.data, raw.size);
        }
        if (colon_size > 0) {
            memcpy(head + node->lead_size + raw.size,
                   node->head + node->lead_size + node->key_size, colon_size);
        }
        node->head = head;
    }
    node->head_size = (uint32_t)size;
    node->key_size = (uint32_t)raw.size;
    node->listed = false;
    node->escaped = is_escaped;
    if (node->parent != NULL) {
        struct tree_box *box = node->parent->box;
        box->changed = true;
        if (!codec_is_framed(box->codec)) {
            note_name(box, node);
        }
        tree_touch(node->parent);
    }
    return true;
}

bool
tree_set_lead(struct tree_node *node, struct slice lead, struct arena *arena)
{
    size_t rest = node->head_size - node->lead_size;
    char *head = lead.size + rest > UINT32_MAX ? NULL : arena_alloc(arena, lead.size + rest);
    if (head == NULL) {
        return false;
    }
    if (lead.size > 0) {
        memcpy(head, lead.data, lead.size);
    }
    if (rest > 0) {
        memcpy(head + lead.size, node->head + node->lead_size, rest);
    }
    node->head = head;
    node->lead_size = (uint32_t)lead.size;
    node->head_size = (uint32_t)(lead.size + rest);
    node->listed = false;
    tree_touch(node->parent);
    return true;
}

void
tree_set_value(const struct codec *codec, struct tree_node *node, struct slice raw)
{
    node->value = raw.data;
    node->value_size = (uint32_t)raw.size;
    node->type = kind_of(codec, raw);
    node->box = NULL;
    node->edited = false;
    node->listed = false;
    tree_touch(node->parent);
}

void
tree_replace(struct tree_node *node, struct tree_node *by)
{
    struct tree_box *box = node->parent->box;
    by->head = node->head;
    by->head_size = node->head_size;
    by->lead_size = node->lead_size;
    by->key_size = node->key_size;
    by->escaped = node->escaped;
    by->tag = node->tag;
    by->listed = false;
    by->tail = node->tail;
    by->tail_size = node->tail_size;
    by->parent = node->parent;
    by->prev = node->prev;
    by->next = node->next;
    if (by->prev == NULL) {
        box->first = by;
    } else {
        by->prev->next = by;
    }
    if (by->next == NULL) {
        box->last = by;
    } else {
        by->next->prev = by;
    }
    tree_touch(by->parent);
    node->parent = node->prev = node->next = NULL;
    node->head_size = node->lead_size = node->key_size = node->tail_size = 0;
    node->listed = false;
}

/* --- text ------------------------------------------------------------------------------ */

/*
 * Text on its way out: what lies in one piece where it comes from goes out in one piece.
 * Without room for one, <out> turns NULL.
 */
struct outlet {
    char *out;
    char *end;
    const char *from; /* the piece at hand: not copied yet */
    const char *to;
};

static inline void
copy_short(char *to, const char *from, size_t size)
{
    if (size > 32) {
        memcpy(to, from, size);
    } else if (size >= 16) {
        memcpy(to, from, 16);
        memmove(to + size - 16, from + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, from, 8);
        memmove(to + size - 8, from + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, from, 4);
        memmove(to + size - 4, from + size - 4, 4);
    } else {
        for (size_t i = 0; i < size; i++) {
            to[i] = from[i];
        }
    }
}

static inline void
outlet_flush(struct outlet *outlet)
{
    size_t size = (size_t)(outlet->to - outlet->from);
    if (size > (size_t)(outlet->end - outlet->out)) {
        outlet->out = outlet->end = NULL;
    } else if (size > 0) {
        copy_short(outlet->out, outlet->from, size);
        outlet->out += size;
    }
}

static inline void
outlet_put(struct outlet *outlet, const char *data, size_t size)
{
    if (data != outlet->to) {
        if (size == 0) {
            return;
        }
        outlet_flush(outlet);
        outlet->from = data;
    }
    outlet->to = data + size;
}

/* Is its value to be put together in the way of framed codecs? Seldom, as most are JSON. */
static inline bool
is_framed(const struct tree_node *node)
{
    return node->edited && __builtin_expect(codec_is_framed(node->box->codec), 0);
}

/* Text of a framed codec on its way out; only counted where <out> is NULL. */
struct sink {
    char *out;
    size_t size;
};

static void
sink_put(struct sink *sink, const char *data, size_t size)
{
    if (sink->out != NULL && size > 0) {
        memcpy(sink->out + sink->size, data, size);
    }
    sink->size += size;
}

/* The value of <top>, along children, siblings and parents. Its size. */
static size_t __attribute__((noinline)) framed_put(const struct tree_node *top, char *out)
{
    struct sink sink = {.out = out};
    const struct tree_node *node = top;
    for (;;) {
        if (node->edited) {
            const struct codec *codec = node->box->codec;
            char header[CODEC_HEADER_MAX];
            sink_put(&sink, header,
                     codec->put_header(slice_make(node->value, node->value_size),
                                       node->box->count, header));
            if (node->box->first != NULL) {
                node = node->box->first;
                sink_put(&sink, node->head, node->head_size);
                continue;
            }
            sink_put(&sink, codec->footer.data, codec->footer.size);
        } else {
            sink_put(&sink, node->value, node->value_size);
        }
        while (node != top) {
            if (node->next != NULL) {
                node = node->next;
                sink_put(&sink, node->head, node->head_size);
                break;
            }
            node = node->parent;
            sink_put(&sink, node->box->codec->footer.data, node->box->codec->footer.size);
        }
        if (node == top) {
            return sink.size;
        }
    }
}

/* Likewise where there is room for it. */
static void
framed_flush(const struct tree_node *top, struct outlet *outlet)
{
    outlet_flush(outlet);
    size_t size = framed_put(top, NULL);
    if (size > (size_t)(outlet->end - outlet->out)) {
        outlet->out = outlet->end = NULL;
    } else {
        outlet->out += framed_put(top, outlet->out);
    }
    outlet->from = outlet->to;
}

/* The value of <top>, along children, siblings and parents. */
static void
value_put(const struct tree_node *top, struct outlet *outlet)
{
    const struct tree_node *node = top;
    if (is_framed(top)) {
        framed_flush(top, outlet);
        return;
    }
    for (;;) {
        if (node->edited) {
            outlet_put(outlet, node->type == KIND_OBJECT ? "{" : "[", 1);
            if (node->box->first != NULL) {
                node = node->box->first;
                outlet_put(outlet, node->head, node->head_size);
                continue;
            }
            outlet_put(outlet, node->box->inner.data, node->box->inner.size);
            outlet_put(outlet, node->type == KIND_OBJECT ? "}" : "]", 1);
        } else {
            outlet_put(outlet, node->value, node->value_size);
        }
        while (node != top) {
            outlet_put(outlet, node->tail, node->tail_size);
            for (; node->next != NULL && node->next->listed; node = node->next) {
                const char *comma = node->next->head - 1;
                const char *end = node->next->tail + node->next->tail_size;
                outlet_put(outlet, comma, (size_t)(end - comma));
            }
            if (node->next != NULL) {
                node = node->next;
                outlet_put(outlet, ",", 1);
                outlet_put(outlet, node->head, node->head_size);
                break;
            }
            node = node->parent;
            outlet_put(outlet, node->type == KIND_OBJECT ? "}" : "]", 1);
        }
        if (node == top) {
            return;
        }
    }
}

/* Behind what was written from <out> on, NULL without room. */
static char *
full_put(const struct tree_node *node, char *out, size_t room)
{
    struct outlet outlet = {.out = out, .end = out + room, .from = "", .to = ""};
    outlet.to = outlet.from;
    outlet_put(&outlet, node->head, node->head_size);
    value_put(node, &outlet);
    outlet_put(&outlet, node->tail, node->tail_size);
    outlet_flush(&outlet);
    return outlet.out;
}

static size_t
value_size(const struct tree_node *top)
{
    const struct tree_node *node = top;
    size_t size = 0;
    if (is_framed(top)) {
        return framed_put(top, NULL);
    }
    for (;;) {
        if (!node->edited) {
            size += node->value_size;
        } else if (node->box->first == NULL) {
            size += 2 + node->box->inner.size;
        } else {
            size += 1 + node->box->count; /* brackets and commas */
            node = node->box->first;
            size += node->head_size;
            continue;
        }
        while (node != top) {
            size += node->tail_size;
            if (node->next != NULL) {
                node = node->next;
                size += node->head_size;
                break;
            }
            node = node->parent;
        }
        if (node == top) {
            return size;
        }
    }
}

bool
tree_text(struct tree_node *node, struct arena *arena, struct slice *ret_text)
{
    if (!node->edited) {
        *ret_text = slice_make(node->value, node->value_size);
        return true;
    }
    size_t size = value_size(node);
    char *text = arena_alloc(arena, size);
    if (text == NULL) {
        return false;
    }
    struct outlet outlet = {.out = text, .end = text + size, .from = text, .to = text};
    value_put(node, &outlet);
    outlet_flush(&outlet);
    *ret_text = slice_make(text, size);
    return true;
}

size_t
tree_full_size(const struct tree_node *node)
{
    return node->head_size + value_size(node) + node->tail_size;
}

bool
tree_full_text(struct tree_node *node, struct arena *arena, struct slice *ret_text)
{
    size_t parsed = (size_t)node->head_size + node->value_size + node->tail_size;
    size_t room = parsed + parsed / 8 + TREE_TEXT_ROOM;
    char *text = arena_alloc(arena, room);
    char *end = text == NULL ? NULL : full_put(node, text, room);
    if (end != NULL) {
        arena_shrink(arena, text, (size_t)(end - text));
    } else {
        room = tree_full_size(node);
        text = arena_alloc(arena, room);
        if (text == NULL) {
            return false;
        }
        end = full_put(node, text, room);
        CHECK(end == text + room);
    }
    *ret_text = slice_make(text, (size_t)(end - text));
    return true;
}
