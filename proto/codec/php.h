/*
 * php - what PHP's serialize() writes, and its session format: name|value for every variable.
 * Read strictly, never executed, kept byte for byte.
 *
 *   kind            written as
 *   NULL, TRUE …    N; b:1; b:0;
 *   NUMBER          i:5; d:0.5; (INF and NAN are no numbers to an op)
 *   STRING          s:4:"name"; - sizes are bytes, and bytes are not looked at
 *   LIST            a: with the keys 0, 1, 2 … in order
 *   EMPTY           a:0:{}
 *   OBJECT          any other a:
 *   OTHER           objects and enums (O: C: E:) and references (R: r:), passed through whole
 *
 * An array has names, be it a list or not; the name 5 is the key i:5;, as it is to PHP.
 * A session is worked on as the array that it stands for.
 */
#ifndef PROTO_CODEC_PHP_H
#define PROTO_CODEC_PHP_H

#include "proto/codec/codec.h"

extern const struct codec codec_php;

#endif
