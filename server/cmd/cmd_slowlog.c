#include "server/cmd/handlers.h"
#include "server/cmd/slowlog.h"

void
cmd_slowlog_get(struct request *request)
{
    int64_t count = 10;
    if (request->argc > 3) {
        reply_error(request->reply,
                    "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try "
                    "SLOWLOG HELP.",
                    (int)request->argv[1].size, request->argv[1].data);
        return;
    }
    if (request->argc == 3 && (!slice_to_int64(request->argv[2], &count) || count < -1)) {
        reply_error(request->reply, "ERR count should be greater than or equal to -1");
        return;
    }
    slowlog_reply(request->server->slowlog, count, request->reply);
}

void
cmd_slowlog_len(struct request *request)
{
    reply_integer(request->reply, (int64_t)slowlog_count(request->server->slowlog));
}

void
cmd_slowlog_reset(struct request *request)
{
    slowlog_clear(request->server->slowlog);
    reply_ok(request->reply);
}
