#include "server/cmd/directory.h"

#include "proto/base/check.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

struct directory {
    pthread_mutex_t mutex;
    struct session *first; /* [mutex] */
    struct session *last;  /* [mutex] */
    uint64_t count;        /* [mutex] */
};

struct directory *
directory_new(void)
{
    struct directory *directory = calloc(1, sizeof(*directory));
    if (directory != NULL) {
        pthread_mutex_init(&directory->mutex, NULL);
    }
    return directory;
}

void
directory_free(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    CHECK(directory->first == NULL);
    pthread_mutex_destroy(&directory->mutex);
    free(directory);
}

void
directory_add(struct directory *directory, struct session *session)
{
    CHECK(session->directory == directory);
    pthread_mutex_lock(&directory->mutex);
    session->next = NULL;
    session->previous = directory->last;
    *(directory->last != NULL ? &directory->last->next : &directory->first) = session;
    directory->last = session;
    directory->count++;
    pthread_mutex_unlock(&directory->mutex);
}

void
directory_remove(struct directory *directory, struct session *session)
{
    CHECK(session->directory == directory);
    pthread_mutex_lock(&directory->mutex);
    *(session->previous != NULL ? &session->previous->next : &directory->first) = session->next;
    *(session->next != NULL ? &session->next->previous : &directory->last) = session->previous;
    session->next = NULL;
    session->previous = NULL;
    directory->count--;
    pthread_mutex_unlock(&directory->mutex);
}

uint64_t
directory_count(struct directory *directory)
{
    pthread_mutex_lock(&directory->mutex);
    uint64_t count = directory->count;
    pthread_mutex_unlock(&directory->mutex);
    return count;
}

bool
directory_each(struct directory *directory, directory_on_session *on_session, void *context)
{
    pthread_mutex_lock(&directory->mutex);
    struct session *session = directory->first;
    while (session != NULL && on_session(context, session)) {
        session = session->next;
    }
    pthread_mutex_unlock(&directory->mutex);
    return session == NULL;
}

bool
directory_is_connected(struct directory *directory, uint64_t session_id)
{
    pthread_mutex_lock(&directory->mutex);
    const struct session *session = directory->first;
    while (session != NULL && session->id != session_id) {
        session = session->next;
    }
    bool is_connected = session != NULL && !atomic_load(&session->is_killed);
    if (is_connected) {
        /* A parked connection is not read, so its loop does not see it end. */
        struct pollfd peer = {.fd = session->fd, .events = POLLRDHUP};
        is_connected =
            poll(&peer, 1, 0) <= 0 || (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
    }
    pthread_mutex_unlock(&directory->mutex);
    return is_connected;
}

void
directory_lock(struct directory *directory)
{
    pthread_mutex_lock(&directory->mutex);
}

void
directory_unlock(struct directory *directory)
{
    pthread_mutex_unlock(&directory->mutex);
}
