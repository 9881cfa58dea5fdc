/* How the documents of versions are written: "codec" and "inside". */
#include <xxhash.h>

#include "proto/codec/hash.h"
#include "proto/codec/json.h"
#include "proto/codec/msgpack.h"
#include "proto/codec/php.h"
#include "proto/codec/pickle.h"
#include "proto/lens/reader.h"

/* No codec at all: only its name is ever asked for. */
static const struct codec codec_opaque = {.name = "opaque"};

static const struct codec *const codecs[] = {&codec_json, &codec_msgpack, &codec_php,
                                             &codec_pickle, &codec_opaque};

static bool
read_codec(struct reader *reader, struct tree_node *node, struct plan_format *format)
{
    struct slice text;
    if (!reader_string(reader, node, &text)) {
        return false;
    }
    if (format->count == PLAN_LAYERS_MAX) {
        return reader_refuse(reader, node, "more than %d codecs in each other",
                             PLAN_LAYERS_MAX);
    }
    for (size_t i = 0; i < sizeof(codecs) / sizeof(*codecs); i++) {
        if (slice_equal(text, slice_from_string(codecs[i]->name))) {
            format->codecs[format->count++] = codecs[i];
            return true;
        }
    }
    if (slice_equal(text, slice_from_string(reader->hash->name))) {
        if (format->count > 0) {
            return reader_refuse(reader, node, "a hash cannot stand inside another document");
        }
        format->codecs[format->count++] = reader->hash;
        return true;
    }
    return reader_refuse(reader, node, "codec '%.*s' is not supported yet",
                         (int)(text.size < 40 ? text.size : 40), text.data);
}

bool
format_read(struct reader *reader, struct tree_node *node, struct plan_format *ret_format)
{
    struct plan_format format = {.inside = ret_format->inside};
    if (node->type != KIND_ARRAY) {
        if (!read_codec(reader, node, &format)) {
            return false;
        }
    } else {
        if (!reader_array(reader, node)) {
            return false;
        }
        for (struct tree_node *item = tree_first(node); item != NULL; item = item->next) {
            if (!read_codec(reader, item, &format)) {
                return false;
            }
        }
        if (format.count == 0) {
            return reader_refuse(reader, node, "a list of codecs must not be empty");
        }
        for (unsigned i = 0; i < format.count; i++) {
            if (format.codecs[i] == &codec_opaque) {
                return reader_refuse(reader, node, "nothing is known of what is opaque");
            }
        }
    }
    *ret_format = format;
    return true;
}

bool
format_read_inside(struct reader *reader, struct tree_node *node, struct plan_format *format)
{
    if (format_is_opaque(format)) {
        return reader_refuse(reader, node, "nothing is known of what is opaque");
    }
    reader->codec = codec_values(format->codecs[0]);
    bool done = reader_path(reader, node, false, &format->inside);
    reader->codec = plan_format_codec(format);
    return done;
}

bool
format_read_fields(struct reader *reader, struct tree_node *node, struct codec *hash)
{
    struct slice text;
    if (node->type != KIND_OBJECT) {
        return reader_refuse(reader, node, "'fields' must be an object");
    }
    if (!tree_open(&codec_json, node, reader->arena)) {
        return reader_no_memory(reader);
    }
    if (node->box->count > PLAN_FIELDS_MAX) {
        return reader_refuse(reader, node, "more than %d fields", PLAN_FIELDS_MAX);
    }
    struct slice *names = arena_calloc(reader->arena, node->box->count, sizeof(*names));
    if (names == NULL) {
        return reader_no_memory(reader);
    }
    hash->documents = names;
    for (struct tree_node *field = tree_first(node); field != NULL; field = field->next) {
        if (!reader_string(reader, field, &text)) {
            return false;
        }
        if (!slice_equal(text, SLICE_OF("json"))) {
            return reader_refuse(reader, field, "a field holds \"json\", or is not named");
        }
        if (!json_decode(tree_key(field), reader->arena, &names[hash->document_count])) {
            return reader_no_memory(reader);
        }
        hash->document_count++;
    }
    return true;
}

bool
format_is_opaque(const struct plan_format *format)
{
    return format->codecs[0] == &codec_opaque;
}

bool
format_same(const struct plan_format *a, const struct plan_format *b)
{
    bool same = a->count == b->count && plan_path_same(&a->inside, &b->inside);
    for (unsigned i = 0; same && i < a->count; i++) {
        same = strcmp(a->codecs[i]->name, b->codecs[i]->name) == 0;
    }
    return same;
}

uint64_t
format_seed(const struct plan_format *format)
{
    uint64_t seed = 0;
    for (unsigned i = 0; i < format->count; i++) {
        const char *name = format->codecs[i]->name;
        if (format->count > 1 || format->codecs[i] != &codec_json) {
            seed = XXH3_64bits_withSeed(name, strlen(name), seed);
        }
    }
    if (format->inside.count > 0) {
        seed = XXH3_64bits_withSeed(format->inside.text.data, format->inside.text.size, seed);
    }
    return seed;
}

bool
format_read_version(struct reader *reader, struct tree_node *version,
                    struct plan_format *format)
{
    struct tree_node *codec = reader_member(version, "codec");
    struct tree_node *inside = reader_member(version, "inside");
    struct plan_format own = *format;
    if ((codec != NULL && !format_read(reader, codec, &own)) ||
        (inside != NULL && !format_read_inside(reader, inside, &own))) {
        return false;
    }
    if (!format_same(&own, format) && (own.inside.count > 0 || format->inside.count > 0)) {
        return reader_refuse(reader, codec != NULL ? codec : inside,
                             "a codec cannot change where there is an 'inside'");
    }
    if (format_is_opaque(&own) != format_is_opaque(format)) {
        return reader_refuse(reader, codec, "all versions are opaque, or none");
    }
    *format = own;
    return true;
}
