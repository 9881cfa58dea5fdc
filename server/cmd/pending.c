/* Weak definitions until the real handlers are there; then this file goes. */
#include "server/cmd/handlers.h"
#include "server/cmd/value.h"

__attribute__((weak)) void
cmd_help(struct request *request)
{
    reply_array(request->reply, 0);
}

__attribute__((weak)) void
cmd_get(struct request *request)
{
    struct slice view;
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FOUND) {
        reply_bulk(request->reply, view);
    } else if (found == VALUE_ABSENT) {
        reply_null(request->reply);
    }
}

__attribute__((weak)) void
cmd_set(struct request *request)
{
    if (value_write(request, &request->keys[0], request->argv[2], KEYSPACE_EXPIRY_NONE)) {
        reply_ok(request->reply);
    }
}
