/* JSON as the tree and the lens see it: the row of json.c in the table of codecs. */
#include "proto/codec/json.h"

static bool
is_value(struct slice raw, unsigned depth_max)
{
    size_t offset;
    return raw.size > 0 && !json_is_space(raw.data[0]) &&
           !json_is_space(raw.data[raw.size - 1]) &&
           json_check(raw, depth_max, &offset) == CODEC_OK;
}

static enum kind
kind(struct slice raw)
{
    return json_kind(raw.data[0]);
}

static bool
key_is_valid(struct slice raw)
{
    size_t offset;
    return raw.size >= 2 && raw.data[0] == '"' && raw.data[raw.size - 1] == '"' &&
           json_check(raw, 0, &offset) == CODEC_OK;
}

static struct slice
key_label(struct slice raw)
{
    return slice_make(raw.data + 1, raw.size - 2);
}

static enum codec_status
number_text(struct slice raw, struct arena *arena, struct slice *ret_number)
{
    (void)arena;
    *ret_number = raw;
    return CODEC_OK;
}

static enum codec_status
number_encode(struct arena *arena, struct slice number, struct slice *ret_raw)
{
    (void)arena;
    *ret_raw = number;
    return CODEC_OK;
}

const struct codec codec_json = {
    .name = "json",
    .document = "a JSON document",
    .colon = SLICE(":"),
    .null = SLICE("null"),
    .truth = {SLICE("false"), SLICE("true")},
    .empty_array = SLICE("[]"),
    .empty_object = SLICE("{}"),
    .one_before = SLICE("["),
    .one_after = SLICE("]"),
    .check = json_check,
    .is_value = is_value,
    .kind = kind,
    .key_is = json_spells,
    .key_compare = json_compare,
    .key_text = json_decode,
    .key_label = key_label,
    .key_has_text = json_spells,
    .key_is_valid = key_is_valid,
    .key_encode = json_encode_arena,
    .string_text = json_decode,
    .string_encode = json_encode_arena,
    .string_compare = json_compare,
    .number_text = number_text,
    .number_encode = number_encode,
};
