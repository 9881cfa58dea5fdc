/*
 * value - what a value becomes, by table, type or arithmetic. See value.c.
 *
 * Thread:   owned by one thread at a time.
 */
#ifndef PROTO_LENS_VALUE_H
#define PROTO_LENS_VALUE_H

#include "proto/lens/run.h"

/*
 * The text that the value of <node> becomes. LENS_OK, or a reason with *ret_text saying more;
 * nothing is reported, and where memory is short that is noted.
 */
enum lens_reason value_convert(struct run *run, const struct plan_op *op, bool up,
                               struct tree_node *node, struct slice *ret_raw,
                               const char **ret_text);

#endif
