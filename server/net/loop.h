/*
 * loop - a libuv loop with an inbox: the only way for other threads to make a loop do
 * something.
 *
 * Thread:   loop_post() from any thread; the rest from the loop's own thread.
 */
#ifndef SERVER_NET_LOOP_H
#define SERVER_NET_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

struct loop_message;

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    pthread_mutex_t mutex;
    struct loop_message *first; /* [mutex] */
    struct loop_message *last;  /* [mutex] */
    bool is_ended;              /* [mutex] */
    void *owner;
};

void loop_init(struct loop *loop, void *owner); /* aborts where the system gives no loop */

/* End the loop: run what is in the inbox, close it. Every other handle must be closing. */
void loop_fini(struct loop *loop);

/*
 * Run <run>(loop's owner, argument) on the loop's next turn; at once, in the caller's thread,
 * when the loop has ended. Aborts without memory: what is posted must not be lost.
 */
void loop_post(struct loop *loop, void (*run)(void *owner, void *argument), void *argument);

#endif
