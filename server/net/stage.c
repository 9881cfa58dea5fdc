#include "server/net/stage.h"

#include "proto/base/check.h"
#include "proto/resp.h"
#include "server/cmd/dispatch.h"
#include "server/net/conn.h"
#include "server/net/worker.h"

enum { ARGC_MAX = 16 }; /* of a request whose key is looked for ahead */

char *
stage_room(struct worker *worker, size_t *ret_size)
{
    struct stage *stage = &worker->stage;
    *ret_size = sizeof(stage->input) - stage->used;
    return stage->input + stage->used;
}

void
stage_add(struct worker *worker, struct conn *conn, size_t size)
{
    struct stage *stage = &worker->stage;
    CHECK(stage->count < STAGE_COUNT_MAX && size <= sizeof(stage->input) - stage->used);
    stage->items[stage->count++] = (struct staged){conn, stage->input + stage->used, size};
    stage->used += size;
}

bool
stage_is_full(const struct worker *worker)
{
    const struct stage *stage = &worker->stage;
    return stage->count == STAGE_COUNT_MAX ||
           sizeof(stage->input) - stage->used < STAGE_ROOM_MIN;
}

void
stage_take_out(struct worker *worker, const struct conn *conn)
{
    struct stage *stage = &worker->stage;
    for (size_t i = 0; i < stage->count; i++) {
        if (stage->items[i].conn == conn) {
            stage->items[i].conn = NULL;
        }
    }
}

/* The first key of what was read, if that is one whole request: more are prefetched as a batch.
 */
static bool
find_key(struct worker *worker, const struct staged *staged, struct key *ret_key)
{
    static const struct resp_limits limits = {ARGC_MAX, STAGE_INPUT_SIZE, true};
    struct session *session = conn_session(staged->conn);
    struct slice argv[ARGC_MAX];
    struct request request = {
        .server = worker->server,
        .session = session,
        .arena = &worker->arena,
        .argv = argv,
        .key_room = ret_key,
    };
    if (!session->is_authenticated ||
        resp_request_take(staged->data, staged->size, &limits, ARGC_MAX, argv, &request.argc) !=
            staged->size) {
        return false;
    }
    dispatch_prepare(&request);
    if (request.key_count == 0) {
        return false;
    }
    if (request.keys != ret_key) {
        *ret_key = request.keys[0];
    }
    return true;
}

static void
prefetch(struct worker *worker)
{
    struct stage *stage = &worker->stage;
    struct key keys[STAGE_COUNT_MAX];
    size_t count = 0;
    for (size_t i = 0; i < stage->count; i++) {
        if (stage->items[i].conn != NULL && find_key(worker, &stage->items[i], &keys[count])) {
            count++;
        }
    }
    keyspace_prefetch(worker->server->keyspace, keys, count);
    arena_clear(&worker->arena);
}

void
stage_run(struct worker *worker)
{
    struct stage *stage = &worker->stage;
    if (stage->count > 1) {
        prefetch(worker);
    }
    for (size_t i = 0; i < stage->count; i++) {
        struct staged *staged = &stage->items[i];
        if (staged->conn != NULL) {
            conn_run_input(staged->conn, staged->data, staged->size);
        }
    }
    stage->count = 0;
    stage->used = 0;
}
