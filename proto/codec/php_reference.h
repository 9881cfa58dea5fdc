/*
 * php_reference - do the references of an edited PHP document still refer to what they did?
 *
 * PHP numbers the values of a document in the order in which they stand, from 1 (without the
 * root in a session); R:3; is the value number 3 by reference, r:3; the object number 3, which
 * counts as a value itself. What is inside a C: knows its numbers, and we do not see them.
 *
 * Thread:   owned by one thread at a time.
 * Bounded:  O(document * log(document)).
 */
#ifndef PROTO_CODEC_PHP_REFERENCE_H
#define PROTO_CODEC_PHP_REFERENCE_H

#include "proto/codec/tree.h"

enum php_form { PHP_VALUE, PHP_SESSION };

/* Does the valid value <raw> hold a reference, or what may hold one unseen? O(size). */
bool php_refers(struct slice raw);

/*
 * Does the tree <root>, made of <document> and edited since, keep all references, and the
 * number of every value that they refer to? False without memory, too.
 */
bool php_references_stay(const struct codec_document *document, const struct tree_node *root,
                         struct arena *arena);

#endif
