/*
 * spelling - model values as the bodies of records, in the codec that is put to the test: the
 * tests' own readers and writers, which share nothing with the code they check.
 *
 * The model goes on to speak of JSON values. What a codec writes and JSON does not know is read
 * as a string that no name or value of a schema equals.
 */
#ifndef TESTS_PROPERTY_MODEL_SPELLING_H
#define TESTS_PROPERTY_MODEL_SPELLING_H

#include "tests/property/model/value.h"

/*
 * Use <codec> ("json" until then) from now on, or "a,b": the first for odd versions, the other
 * for even ones. False if there is none of that name.
 */
bool spelling_use(const char *codec);

const char *spelling_codec(void); /* as given to spelling_use() */
const char *spelling_codec_of(unsigned version);
bool spelling_is_json(void); /* and nothing else */
bool spelling_is_mixed(void);
bool spelling_is_of(const char *codec); /* is it the one, or among two? */

/*
 * Equal in value; where one of mixed codecs cannot tell empty objects from empty arrays, these
 * are equal: which one it was is remembered by place, and places change.
 */
bool spelling_equal(struct arena *arena, const struct value *a, const struct value *b);

/* Does a value keep its text through views? Else its codec spells it anew. */
bool spelling_keeps_text(void);

/*
 * Does the model speak for the codec? Not where arrays and objects look alike: there the laws
 * alone hold.
 */
bool spelling_is_modelled(void);

/* Can the codec hold every number of <value>? Others are written as something near. */
bool spelling_holds(const struct value *value);

/* Does everything that <schema> does to numbers stay exact in the codec? */
bool spelling_is_exact(const struct value *schema);

/* As value_parse() and value_print(); a text of mixed versions is read as what it looks like.
 */
enum value_parse spelling_parse(struct arena *arena, struct slice text, size_t depth_max,
                                struct value **ret_value, size_t *ret_depth);
struct slice spelling_text(struct arena *arena, unsigned version, const struct value *value,
                           enum value_style style, struct prng *prng);

#endif
