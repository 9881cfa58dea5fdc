#include "proto/lens/convert.h"

#include <stdio.h>

#include "proto/codec/hash.h"
#include "proto/codec/transcode.h"
#include "proto/lens/reader.h"

enum { CONVERT_FORM = 1, CONVERT_WHOLE = 2, CONVERT_EMPTY = 4 };

/* What a conversion remembered, read. */
struct remembered {
    bool has_form;
    unsigned form;
    bool has_whole;
    struct slice shown;
    struct slice original;
    struct slice empties; /* (size, pointer)*, as transcode() takes them */
};

static struct remembered
remembered_read(struct slice in)
{
    struct remembered remembered = {0};
    struct cursor cursor = cursor_over(in);
    uint64_t flags = in.size > 0 ? cursor_number(&cursor) : 0;
    if (flags & CONVERT_FORM) {
        remembered.has_form = true;
        remembered.form = (unsigned)cursor_number(&cursor);
    }
    if (flags & CONVERT_WHOLE) {
        remembered.has_whole = true;
        remembered.shown = cursor_text(&cursor);
        remembered.original = cursor_text(&cursor);
    }
    if (flags & CONVERT_EMPTY) {
        remembered.empties = cursor_text(&cursor);
    }
    return cursor.bad ? (struct remembered){0} : remembered;
}

static struct slice
remembered_write(struct writer *writer, const struct remembered *remembered)
{
    unsigned flags = (remembered->has_form ? CONVERT_FORM : 0u) |
                     (remembered->has_whole ? CONVERT_WHOLE : 0u) |
                     (remembered->empties.size > 0 ? CONVERT_EMPTY : 0u);
    if (flags != 0) {
        writer_number(writer, flags);
    }
    if (flags & CONVERT_FORM) {
        writer_number(writer, remembered->form);
    }
    if (flags & CONVERT_WHOLE) {
        writer_text(writer, remembered->shown);
        writer_text(writer, remembered->original);
    }
    if (flags & CONVERT_EMPTY) {
        writer_text(writer, remembered->empties);
    }
    return writer_slice(writer);
}

/* The outermost form of a document that is made here. */
static unsigned
form_of(const struct plan_format *format, const struct remembered *remembered)
{
    const struct codec *codec = format->codecs[0];
    if (remembered->has_form) {
        return remembered->form;
    }
    /* Alone, a codec's documents are what its sessions are stored as. */
    return format->count == 1 ? codec->form_alone : codec->form_inside;
}

enum { CONVERT_PATH_MAX = 64 };

static bool
range_fail(struct run *run, const struct tree_node *state, const struct tree_node *where,
           const struct codec *to)
{
    const struct tree_node *chain[CONVERT_PATH_MAX];
    size_t count = 0;
    run_fail(run, LENS_RANGE, NULL, "");
    snprintf(run->failure->text, LENS_TEXT_SIZE, "%s has no place for this value", to->name);
    for (; where != state && count < CONVERT_PATH_MAX; where = where->parent) {
        chain[count++] = where;
    }
    while (count > 0) {
        const struct tree_node *at = chain[--count];
        char number[24];
        size_t index = 0;
        for (const struct tree_node *node = at->prev; node != NULL; node = node->prev) {
            index++;
        }
        snprintf(number, sizeof(number), "%zu", index);
        path_append(run->failure->path, LENS_PATH_SIZE, SLICE_OF("/"), false);
        path_append(run->failure->path, LENS_PATH_SIZE,
                    at->key_size > 0 ? run->codec->key_label(tree_key(at))
                                     : slice_from_string(number),
                    true);
    }
    return false;
}

/* The state as a value of the other codec. */
static bool
state_put(struct run *run, const struct plan_format *to, struct tree_node *state,
          struct slice empties, struct slice *ret_value)
{
    const struct codec *codec = plan_format_codec(to);
    const struct tree_node *where = NULL;
    struct writer writer = writer_in(run->arena);
    enum codec_status status =
        transcode_with(run->codec, codec, state, empties, run->arena, &writer, &where);
    bool done = status == CODEC_OK;
    if (status == CODEC_RANGE) {
        range_fail(run, state, where, to->codecs[to->count - 1]);
    } else if (!done) {
        run_no_memory(run);
    } else {
        *ret_value = writer_slice(&writer);
        done = run_spend(run, writer.size);
    }
    return done;
}

/* Documents around <value>, from the inside out. */
static bool
layers_put(struct run *run, const struct plan_format *to, unsigned form, struct slice value,
           struct slice *ret_body)
{
    struct slice text = value;
    for (unsigned i = to->count; i-- > 0;) {
        const struct codec *codec = to->codecs[i];
        struct codec_document document = {.value = text,
                                          .form = i == 0 ? form : codec->form_inside};
        const char *problem = "";
        enum codec_status status = CODEC_OK;
        if (i + 1 < to->count) {
            if (!codec_values(codec)->string_encode(run->arena, text, &text)) {
                return run_no_memory(run);
            }
            document.value = text;
        }
        if (codec->document_close != NULL) {
            struct tree_node *root = tree_value(codec_values(codec), text, run->arena);
            status = root == NULL ? CODEC_NO_MEMORY
                                  : codec->document_close(codec, &document, root, text,
                                                          run->arena, &text, &problem);
        }
        if (status != CODEC_OK) {
            return status == CODEC_NO_MEMORY ? run_no_memory(run)
                                             : run_fail(run, LENS_RANGE, NULL, problem);
        }
    }
    *ret_body = text;
    return true;
}

/* <body> of the format <to>, opened. */
static bool
reopen(struct run *run, const struct plan_format *to, struct slice body,
       struct document *ret_document)
{
    return document_open_as(run, to, body, run->schema->limits.depth, ret_document);
}

/* Is what was shown still there, in value? */
static bool
is_shown(struct run *run, const struct plan_format *from, const struct document *document,
         struct slice body, struct slice shown, bool *ret_same)
{
    struct document other;
    struct lens_failure failure = *run->failure;
    *ret_same = slice_equal(body, shown);
    if (*ret_same) {
        return true;
    }
    if (!reopen(run, from, shown, &other)) {
        if (run->no_memory) {
            return false;
        }
        *run->failure = failure;
        return true;
    }
    return tree_equal(run->codec, document->state, other.state, run->arena, ret_same) ||
           run_no_memory(run);
}

/* Write down what going back would not find by itself. */
static bool
remember(struct run *run, const struct plan_format *from, const struct document *before,
         struct slice original, struct document *after, struct slice shown, struct slice *out)
{
    struct remembered remembered = {.has_form = true, .form = before->layers[0].form.form};
    struct writer writer = writer_in(run->arena);
    struct slice value;
    struct slice back;
    const struct codec *codec = run->codec;
    if (plan_format_codec(from)->is_position == NULL && codec->is_position != NULL) {
        run->codec = plan_format_codec(from);
        bool listed =
            transcode_empties(run->codec, before->state, run->arena, &remembered.empties);
        run->codec = codec;
        if (!listed) {
            return run_no_memory(run);
        }
    }
    remembered.has_form = remembered.form != form_of(from, &(struct remembered){0});
    struct lens_failure failure = *run->failure;
    bool returns = state_put(run, from, after->state, remembered.empties, &value) &&
                   layers_put(run, from, form_of(from, &remembered), value, &back) &&
                   slice_equal(back, original);
    if (run->no_memory) {
        return false;
    }
    *run->failure = failure;
    if (!returns) {
        remembered.has_whole = true;
        remembered.shown = shown;
        remembered.original = original;
    }
    *out = remembered_write(&writer, &remembered);
    return !writer.failed || run_no_memory(run);
}

/* In a hash no name occurs twice. */
static bool
check_names(struct run *run, const struct plan_format *format, struct slice body)
{
    bool has_twins = false;
    if (format->codecs[0]->is_hash && !hash_has_twins(body, run->arena, &has_twins)) {
        return run_no_memory(run);
    }
    return !has_twins || run_fail(run, LENS_RANGE, NULL, "a name that occurs twice");
}

bool
convert(struct run *run, const struct plan_format *from, const struct plan_format *to,
        struct document *document, struct slice *held, struct slice *out)
{
    struct remembered remembered = remembered_read(*held);
    struct writer writer = writer_in(run->arena);
    const struct codec *codec = run->codec;
    struct document after;
    struct slice original;
    struct slice value;
    struct slice body;
    bool same = false;
    bool done = false;
    if (!document_text(run, document, &original)) {
        return false;
    }
    if (remembered.has_whole &&
        !is_shown(run, from, document, original, remembered.shown, &same)) {
        return false;
    }
    run->codec = codec;
    if (remembered.has_whole && !same) {
        remembered.has_whole = false;
        *held = remembered_write(&writer, &remembered);
        if (writer.failed) {
            return run_no_memory(run);
        }
    }
    if (!same && from->codecs[0]->is_hash && !to->codecs[0]->is_hash &&
        !hash_is_text(original)) {
        return run_fail(run, LENS_RANGE, NULL, "a field that is no UTF-8");
    }
    if (!check_names(run, from, original)) {
        return false;
    }
    if (same) {
        body = remembered.original;
        done = reopen(run, to, body, &after);
    }
    if (!done && !run->no_memory) {
        run->codec = codec;
        done = state_put(run, to, document->state, remembered.empties, &value) &&
               layers_put(run, to, form_of(to, &remembered), value, &body) &&
               check_names(run, to, body) && reopen(run, to, body, &after);
    }
    if (done) {
        static const struct plan_op codec_op = {.name = "codec", .path = {.text = SLICE("")}};
        run_note(run, &codec_op, same ? "restored from the complement" : "converted");
    }
    run_hold(run, original.size + (done ? body.size : 0));
    if (done && run->remember) {
        done = remember(run, from, document, original, &after, body, out);
    }
    if (!done) {
        run->codec = codec;
        return false;
    }
    *document = after;
    return true;
}
