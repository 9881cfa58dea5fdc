#include "server/cmd/range.h"

/* An end as an index that is not negative. */
static uint64_t
from_start(int64_t end, uint64_t count)
{
    if (end >= 0) {
        return (uint64_t)end;
    }
    uint64_t back = ~(uint64_t)end + 1;
    return back > count ? 0 : count - back;
}

bool
range_is_reversed(int64_t first, int64_t last)
{
    return first < 0 && last < 0 && first > last;
}

bool
range_resolve(int64_t first, int64_t last, uint64_t count, struct range *ret_range)
{
    if (count == 0) {
        return false;
    }
    struct range range = {from_start(first, count), from_start(last, count)};
    range.last = range.last < count ? range.last : count - 1;
    if (range.first > range.last) {
        return false;
    }
    *ret_range = range;
    return true;
}
