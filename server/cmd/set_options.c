#include "server/cmd/set_options.h"

static const struct {
    struct slice word;
    struct expiry_unit unit;
} EXPIRIES[] = {
    {SLICE("EX"), {.is_seconds = true}},
    {SLICE("PX"), {0}},
    {SLICE("EXAT"), {.is_seconds = true, .is_absolute = true}},
    {SLICE("PXAT"), {.is_absolute = true}},
};

static bool
same_unit(struct expiry_unit a, struct expiry_unit b)
{
    return a.is_seconds == b.is_seconds && a.is_absolute == b.is_absolute;
}

/* EX and the like: repeated ones of the same kind are fine, the last wins. */
static bool
parse_expiry(const struct request *request, size_t *index, struct set_options *options)
{
    for (size_t i = 0; i < sizeof(EXPIRIES) / sizeof(*EXPIRIES); i++) {
        if (!slice_equal_nocase(request->argv[*index], EXPIRIES[i].word)) {
            continue;
        }
        bool conflicts =
            options->keeps_ttl || options->persists ||
            (options->expiry_index != 0 && !same_unit(options->expiry_unit, EXPIRIES[i].unit));
        if (conflicts || *index + 1 >= request->argc) {
            return false;
        }
        options->expiry_index = ++*index;
        options->expiry_unit = EXPIRIES[i].unit;
        return true;
    }
    return false;
}

/* NX, XX and the conditions: one of them at most. */
static bool
parse_requirement(const struct request *request, size_t *index, struct set_options *options)
{
    bool has_condition = options->condition.kind != CONDITION_NONE;
    enum condition_kind kind;
    if (argument_is(request, *index, "NX")) {
        bool conflicts = options->existence == SET_IF_PRESENT || has_condition;
        options->existence = SET_IF_ABSENT;
        return !conflicts;
    }
    if (argument_is(request, *index, "XX")) {
        bool conflicts = options->existence == SET_IF_ABSENT || has_condition;
        options->existence = SET_IF_PRESENT;
        return !conflicts;
    }
    if (condition_parse(request, *index, &kind) && *index + 1 < request->argc) {
        bool conflicts = options->existence != SET_ALWAYS || has_condition;
        options->condition = (struct condition){kind, request->argv[++*index]};
        return !conflicts;
    }
    return false;
}

static bool
parse_set_option(const struct request *request, size_t *index, struct set_options *options)
{
    if (argument_is(request, *index, "GET")) {
        options->answers_old = true;
        return true;
    }
    if (argument_is(request, *index, "KEEPTTL")) {
        options->keeps_ttl = true;
        return options->expiry_index == 0;
    }
    return parse_requirement(request, index, options) || parse_expiry(request, index, options);
}

static bool
parse_getex_option(const struct request *request, size_t *index, struct set_options *options)
{
    if (argument_is(request, *index, "PERSIST")) {
        options->persists = true;
        return options->expiry_index == 0;
    }
    return parse_expiry(request, index, options);
}

bool
set_options_parse(struct request *request, size_t index, enum set_options_command command,
                  struct set_options *ret_options)
{
    struct set_options options = {0};
    for (; index < request->argc; index++) {
        bool known = command == SET_OPTIONS_SET ? parse_set_option(request, &index, &options)
                                                : parse_getex_option(request, &index, &options);
        if (!known) {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    *ret_options = options;
    return true;
}

bool
set_options_expiry(struct request *request, const struct set_options *options,
                   int64_t otherwise, int64_t *ret_expiry_ms)
{
    if (options->expiry_index == 0) {
        *ret_expiry_ms = otherwise;
        return true;
    }
    return argument_expiry(request, options->expiry_index, options->expiry_unit, ret_expiry_ms);
}
