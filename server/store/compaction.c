#include "server/store/compaction.h"

#include "server/store/memory.h"

enum {
    BEGIN_SHARE = 10, /* of the used bytes may be holes ... */
    END_SHARE = 20,   /* ... and after a compaction */
    HOLES_MIN = 512 * 1024,
    URGENT_SHARE = 4,    /* beyond that there is no time to lose */
    SLICE = 256,         /* entries looked at in one call; expiry has its turn between */
    WORTH_SHARE = 64,    /* a pass that moves less than this share of the holes' bytes ... */
    REST_MS = 60 * 1000, /* ... is not repeated at once: what is left cannot be moved */
};

static bool
has_holes(const struct memory_stats *memory, size_t share)
{
    size_t allowed = memory->used / share;
    return memory->holes > (allowed > HOLES_MIN ? allowed : HOLES_MIN);
}

static bool
is_resting(const struct compaction *compaction, int64_t now_ms)
{
    return now_ms >= compaction->rest_ms && now_ms - compaction->rest_ms < REST_MS;
}

bool
compaction_some(struct compaction *compaction, struct keyspace *keyspace, int64_t now_ms)
{
    struct memory_stats memory;
    memory_stats(&memory);
    if (!compaction->is_running) {
        if (!has_holes(&memory, BEGIN_SHARE) || is_resting(compaction, now_ms))
            return false;
        *compaction = (struct compaction){.is_running = true, .holes_size = memory.holes};
    }
    if (!has_holes(&memory, END_SHARE)) {
        compaction->is_running = false;
    } else if (keyspace_compact(keyspace, &compaction->place, SLICE, &compaction->moved_size)) {
        compaction->is_running = false;
        if (compaction->moved_size < compaction->holes_size / WORTH_SHARE)
            compaction->rest_ms = now_ms;
    }
    compaction->is_urgent = compaction->is_running && has_holes(&memory, URGENT_SHARE);
    return compaction->is_running;
}
