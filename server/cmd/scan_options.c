#include "server/cmd/scan_options.h"

enum { SCAN_COUNT_DEFAULT = 10 };

static bool
parse_count(struct request *request, size_t index, struct scan_options *options)
{
    int64_t count;
    if (!argument_int64(request, index, &count)) {
        return false;
    }
    if (count < 1) {
        reply_syntax_error(request->reply);
        return false;
    }
    options->count = (uint64_t)count;
    return true;
}

bool
scan_options_parse(struct request *request, size_t index, bool knows_type,
                   struct scan_options *ret_options)
{
    struct scan_options options = {.count = SCAN_COUNT_DEFAULT};
    for (; index < request->argc; index += 2) {
        bool has_argument = index + 1 < request->argc;
        if (has_argument && argument_is(request, index, "COUNT")) {
            if (!parse_count(request, index + 1, &options)) {
                return false;
            }
        } else if (has_argument && argument_is(request, index, "MATCH")) {
            options.pattern = request->argv[index + 1];
            options.has_pattern = !slice_equal(options.pattern, SLICE_OF("*"));
        } else if (has_argument && knows_type && argument_is(request, index, "TYPE")) {
            options.type = request->argv[index + 1];
            options.has_type = true;
        } else {
            reply_syntax_error(request->reply);
            return false;
        }
    }
    *ret_options = options;
    return true;
}

bool
scan_options_match(const struct scan_options *options, struct slice name)
{
    return !options->has_pattern || slice_glob(options->pattern, name, false);
}
