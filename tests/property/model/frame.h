/*
 * frame - which parts of a document no step names, and which names have to do with each other.
 */
#ifndef TESTS_PROPERTY_MODEL_FRAME_H
#define TESTS_PROPERTY_MODEL_FRAME_H

#include "tests/property/model/value.h"

struct frame;

/* <schema> is a schema document that was accepted. */
struct frame *frame_new(struct arena *arena, const struct value *schema);

/*
 * Do <body> and <view>, two versions of one document, agree in text and order on every member
 * that no step of any version names? If not, <ret_name> says where.
 */
bool frame_untouched(const struct frame *frame, const struct value *body,
                     const struct value *view, struct slice *ret_name);

/*
 * The group of a member of the root: members whose names stand in one op, directly or through
 * others, may change each other; all others may not. SIZE_MAX: anything may change anything.
 */
enum { FRAME_GROUPS_MAX = 128 };
size_t frame_group(const struct frame *frame, struct slice name);

/* The key of an array in the root that only `each` ops with this key, and never on it, touch.
 */
bool frame_keyed_array(const struct frame *frame, struct slice name, struct slice *ret_key);

#endif
