/*
 * convert - a document of one version's codec as a document of another's.
 *
 * What is remembered, seen from the side where the document is now:
 *   flags    FORM: how documents of the other side were written, where there is a choice.
 *            WHOLE: the document shown and the original, where converting it back would not
 *            give the original's text; the original comes back while the one shown is still
 *            equal in value. EMPTY: the pointers of empty objects, where the codec here cannot
 *            tell them from empty arrays.
 *
 * Values keep their types exactly. What the other codec lacks is LENS_RANGE: bytes in JSON,
 * integers beyond 64 bits, numbers that no float holds, tuples and extension types, objects of
 * PHP's, keys that are no strings, text that is no UTF-8.
 *
 * Thread:   owned by one thread at a time.
 */
#ifndef PROTO_LENS_CONVERT_H
#define PROTO_LENS_CONVERT_H

#include "proto/lens/document.h"

/*
 * Put the state of <document>, of the format <from>, into a document of the format <to>, which
 * becomes *document. *held and <out> as <in> and <out> of an op; what <document> no longer
 * shows goes from *held even where this fails: with the failure set, and <document> as it was.
 */
bool convert(struct run *run, const struct plan_format *from, const struct plan_format *to,
             struct document *document, struct slice *held, struct slice *out);

#endif
