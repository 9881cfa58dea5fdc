#include "proto/lens/document.h"

#include <stdio.h>

static bool
open_fail(struct run *run, const struct codec *codec, enum codec_status status,
          struct slice text, size_t offset)
{
    bool deep = status == CODEC_DEEP;
    if (status == CODEC_NO_MEMORY) {
        return run_no_memory(run);
    }
    const char *name = codec->name_at == NULL ? NULL : codec->name_at(text, offset);
    switch (status) {
    case CODEC_DEEP:
        run_fail(run, LENS_BUDGET, NULL, "");
        break;
    case CODEC_RANGE:
        return run_fail(run, LENS_BUDGET, NULL, "beyond the limit of output");
    case CODEC_REFERENCE:
        return run_fail(run, LENS_REFERENCE, NULL, "a value that holds itself");
    default:
        run_fail(run, LENS_SYNTAX, NULL, "");
    }
    snprintf(run->failure->text, LENS_TEXT_SIZE, "%s%s%s%s at byte %zu",
             deep ? "nested too deep" : "not ", deep ? "" : codec->document,
             name == NULL || deep ? "" : ": ", name == NULL || deep ? "" : name, offset);
    return false;
}

static bool
layer_open(struct run *run, const struct codec *codec, struct slice text, unsigned depth_max,
           struct document_layer *layer)
{
    enum codec_status status;
    size_t offset = 0;
    run->codec = codec_values(codec);
    layer->form.form = 0;
    layer->codec = codec;
    layer->text = text;
    if (codec->document_open == NULL) {
        status = tree_parse(codec, text, depth_max, run->arena, &layer->root, &offset);
    } else {
        status =
            codec->document_open(codec, text, depth_max, run->arena, &layer->form, &offset);
        if (status == CODEC_OK) {
            layer->root = tree_value(run->codec, layer->form.value, run->arena);
        }
    }
    if (status != CODEC_OK) {
        return open_fail(run, codec, status, text, offset);
    }
    return layer->root != NULL || run_no_memory(run);
}

/* Where `inside` leads to in the first layer; NULL if it leads nowhere. */
static bool
find_inside(struct run *run, const struct plan_format *format, struct tree_node *root,
            struct tree_node **ret_node)
{
    struct place place;
    if (format->inside.count == 0) {
        *ret_node = root;
        return true;
    }
    if (!run_resolve(run, root, &format->inside, &place)) {
        return false;
    }
    *ret_node = place.member;
    return true;
}

bool
document_open(struct run *run, struct slice body, unsigned depth_max,
              struct document *ret_document)
{
    return document_open_as(run, &run->schema->versions[run->from - 1].format, body, depth_max,
                            ret_document);
}

bool
document_open_as(struct run *run, const struct plan_format *format, struct slice body,
                 unsigned depth_max, struct document *ret_document)
{
    struct document *document = ret_document;
    document->layers = arena_alloc(run->arena, format->count * sizeof(struct document_layer));
    document->count = 0;
    document->absent = false;
    if (document->layers == NULL) {
        return run_no_memory(run);
    }
    for (;;) {
        struct document_layer *layer = &document->layers[document->count];
        struct tree_node *node;
        if (!layer_open(run, format->codecs[document->count], body, depth_max, layer)) {
            return false;
        }
        node = layer->root;
        if (document->count == 0 && !find_inside(run, format, layer->root, &node)) {
            return false;
        }
        layer->seat = NULL;
        document->count++;
        if (node == NULL) {
            run->codec = plan_format_codec(format);
            document->absent = true;
            document->state = run_value(run, run->codec->empty_object);
            return document->state != NULL;
        }
        if (document->count == format->count) {
            document->state = node;
            return true;
        }
        if (node->type != KIND_STRING && node->type != KIND_BYTES) {
            run_fail(run, LENS_TYPE, &format->inside, "");
            snprintf(run->failure->text, LENS_TEXT_SIZE, "not a string with %s in it",
                     format->codecs[document->count]->document);
            return false;
        }
        layer->seat = node;
        if (!run_decode(run, slice_make(node->value, node->value_size), &body)) {
            return false;
        }
    }
}

static bool
layer_text(struct run *run, struct document_layer *layer, struct slice *ret_text)
{
    const char *problem = "";
    struct slice text;
    if (!layer->root->edited && layer->seat == NULL) {
        *ret_text = layer->text;
        return true;
    }
    if (!tree_full_text(layer->root, run->arena, &text)) {
        return run_no_memory(run);
    }
    if (layer->codec->document_close == NULL) {
        if (text.size > run->text_max) {
            return run_fail(run, LENS_BUDGET, NULL, "beyond the limit of output");
        }
        *ret_text = text;
        return true;
    }
    switch (layer->codec->document_close(layer->codec, &layer->form, layer->root, text,
                                         run->arena, ret_text, &problem)) {
    case CODEC_OK:
        return ret_text->size <= run->text_max ||
               run_fail(run, LENS_BUDGET, NULL, "beyond the limit of output");
    case CODEC_RANGE:
        return run_fail(run, LENS_RANGE, NULL, problem);
    case CODEC_REFERENCE:
        return run_fail(run, LENS_REFERENCE, NULL, problem);
    default:
        return run_no_memory(run);
    }
}

bool
document_text(struct run *run, struct document *document, struct slice *ret_text)
{
    struct slice text;
    run->frame = NULL;
    bool changed = document->layers[document->count - 1].root->edited;
    for (unsigned at = document->count - 1; at > 0 && changed; at--) {
        struct document_layer *outer = &document->layers[at - 1];
        const struct codec *codec = codec_values(outer->codec);
        struct slice raw;
        if (!layer_text(run, &document->layers[at], &text)) {
            return false;
        }
        if (!codec->string_encode(run->arena, text, &raw)) {
            return run_no_memory(run);
        }
        if (outer->seat->type == KIND_BYTES && !codec->bytes_encode(run->arena, text, &raw)) {
            return run_no_memory(run);
        }
        if (outer->seat == outer->root) {
            outer->root->value = raw.data;
            outer->root->value_size = (uint32_t)raw.size;
        } else {
            tree_set_value(codec, outer->seat, raw);
        }
    }
    return layer_text(run, &document->layers[0], ret_text);
}
