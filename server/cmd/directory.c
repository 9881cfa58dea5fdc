#include "server/cmd/directory.h"

#include "proto/base/check.h"

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
