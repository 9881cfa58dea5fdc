/*
 * document - a body taken apart down to the state in it, and put together again.
 *
 * A body is a document of the first codec of its version's format. The state that the steps
 * speak of is its value, or what the pointer `inside` leads to; with more codecs it stands in a
 * string there, which is a document of the next codec.
 *
 * Thread:   owned by one thread at a time.
 * Borrowed: everything lies in the body and in the arena of the run.
 */
#ifndef PROTO_LENS_DOCUMENT_H
#define PROTO_LENS_DOCUMENT_H

#include "proto/lens/run.h"

/* A document, perhaps in a string of the one before. */
struct document_layer {
    const struct codec *codec;
    struct slice text; /* as it was */
    struct codec_document form;
    struct tree_node *root;
    struct tree_node *seat; /* the string that holds the next layer */
};

struct document {
    struct document_layer *layers;
    unsigned count;
    struct tree_node *state; /* where the steps begin */
    bool absent;             /* there is no state: <state> stands for an empty one */
};

/*
 * Take <body>, of version run->from, apart. False with the failure set; run->codec is that of
 * the state then, too.
 */
bool document_open(struct run *run, struct slice body, unsigned depth_max,
                   struct document *ret_document);

/* Likewise a body of any format. */
bool document_open_as(struct run *run, const struct plan_format *format, struct slice body,
                      unsigned depth_max, struct document *ret_document);

/* The body as it is now; false with the failure set. */
bool document_text(struct run *run, struct document *document, struct slice *ret_text);

#endif
