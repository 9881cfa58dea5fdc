#include "server/cmd/collected.h"

void
collected_init(struct collected *collected, const struct reply *like)
{
    *collected = (struct collected){0};
    buffer_init(&collected->bytes, 0);
    collected->reply = (struct reply){.out = &collected->bytes, .resp = like->resp};
}

void
collected_fini(struct collected *collected)
{
    buffer_fini(&collected->bytes);
}

void
collected_add(struct collected *collected, struct slice bytes)
{
    reply_bulk(&collected->reply, bytes);
    collected->count++;
}

bool
collected_failed(const struct collected *collected)
{
    return collected->bytes.failed;
}

void
collected_reply(const struct collected *collected, struct reply *reply)
{
    reply_array(reply, collected->count);
    buffer_append_slice(reply->out, buffer_slice(&collected->bytes));
}
