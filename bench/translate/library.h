/*
 * library - the same work done with a library's tree: load a document, edit it, dump it.
 *
 * What a program without Segue would do between two versions, without remembering anything and
 * without keeping the text that nobody touched.
 *
 * Thread:   pure functions.
 */
#ifndef BENCH_TRANSLATE_LIBRARY_H
#define BENCH_TRANSLATE_LIBRARY_H

#include "bench/translate/edit.h"

/* Apply the first <count> edits of the first <steps> steps; false when <body> is not read. */
typedef bool library_edit(struct slice body, unsigned steps, unsigned count,
                          struct buffer *out);

library_edit jansson_edit; /* JSON, https://github.com/akheron/jansson */
library_edit msgpack_edit; /* MessagePack, https://github.com/msgpack/msgpack-c */

#endif
