/* A weak definition until the real handler is there; then this file goes. */
#include "server/cmd/handlers.h"

__attribute__((weak)) void
cmd_help(struct request *request)
{
    reply_array(request->reply, 0);
}
