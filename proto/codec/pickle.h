/*
 * pickle - Python's pickles of plain data, protocols 2 to 5: parsed, never executed.
 *
 * A pickle is a program for a stack machine, whose memo refers to places in the program; so it
 * is not edited where it lies. It is read into a MessagePack value, the lens works on that, and
 * what was edited is pickled again the way that CPython's C pickler does it: what nobody
 * touched comes out in the same opcodes. What nobody edited at all comes out as it came in.
 *
 *   Python                     in between
 *   None, bool, float, str     nil, true, false, float64, str
 *   int                        an integer; beyond 64 bits an extension, passed through
 *   bytes                      bin
 *   list, dict                 array, map
 *   tuple                      an extension around an array, passed through whole
 *
 * A value that is the same object as an equal one before it (BINGET) has a header of the widest
 * kind, which else only large values have; equal large ones are taken to be the same. Lists and
 * dicts that stand in two places are one object to Python: such a document is not edited
 * (CODEC_REFERENCE).
 *
 * All other opcodes are refused by name: what would import or call anything, sets, bytearrays,
 * protocols 0 and 1. A '!' may stand in front, as cachelib writes it.
 */
#ifndef PROTO_CODEC_PICKLE_H
#define PROTO_CODEC_PICKLE_H

#include "proto/codec/codec.h"

extern const struct codec codec_pickle;

enum { PICKLE_TUPLE = 1, PICKLE_LONG = 2 }; /* extension types in between */

/* codec_document.form: the protocol, and what else is to be written as it was. */
enum { PICKLE_PROTOCOL = 15, PICKLE_MARKED = 16, PICKLE_NO_MEMO = 32 };

/* Pickle <value> (MessagePack in between) in the <form>; see codec->document_close. */
enum codec_status pickle_write(struct slice value, unsigned form, struct arena *arena,
                               struct slice *ret_text, const char **ret_problem);

#endif
