#include "server/core/counters.h"

const char *
counter_name(enum counter counter)
{
    static const char *const names[] = {
#define COUNTER(id, name) name,
#include "server/core/counters.def"
#undef COUNTER
    };
    return names[counter];
}
