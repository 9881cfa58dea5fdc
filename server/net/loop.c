#include "server/net/loop.h"

#include "proto/base/check.h"

#include <stdlib.h>

struct loop_message {
    struct loop_message *next;
    void (*run)(void *owner, void *argument);
    void *argument;
};

static void
run_messages(struct loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    struct loop_message *message = loop->first;
    loop->first = loop->last = NULL;
    (void)pthread_mutex_unlock(&loop->mutex);
    while (message != NULL) {
        struct loop_message *next = message->next;
        message->run(loop->owner, message->argument);
        free(message);
        message = next;
    }
}

static void
on_wake(uv_async_t *wake)
{
    run_messages(wake->data);
}

void
loop_init(struct loop *loop, void *owner)
{
    loop->owner = owner;
    loop->first = loop->last = NULL;
    CHECK(pthread_mutex_init(&loop->mutex, NULL) == 0);
    CHECK(uv_loop_init(&loop->uv) == 0);
    CHECK(uv_async_init(&loop->uv, &loop->wake, on_wake) == 0);
    loop->wake.data = loop;
}

void
loop_fini(struct loop *loop)
{
    (void)pthread_mutex_lock(&loop->mutex);
    loop->is_ended = true;
    (void)pthread_mutex_unlock(&loop->mutex);
    run_messages(loop);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop->uv) == 0);
}

void
loop_post(struct loop *loop, void (*run)(void *owner, void *argument), void *argument)
{
    struct loop_message *message = malloc(sizeof(*message));
    CHECK(message != NULL);
    *message = (struct loop_message){.run = run, .argument = argument};
    (void)pthread_mutex_lock(&loop->mutex);
    if (loop->is_ended) {
        (void)pthread_mutex_unlock(&loop->mutex);
        free(message);
        run(loop->owner, argument);
        return;
    }
    if (loop->last != NULL) {
        loop->last->next = message;
    } else {
        loop->first = message;
    }
    loop->last = message;
    (void)uv_async_send(&loop->wake); /* under the mutex: the handle is not closed yet */
    (void)pthread_mutex_unlock(&loop->mutex);
}
