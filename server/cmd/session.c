#include "server/cmd/session.h"

#include "server/cmd/directory.h"

#include <stdlib.h>

/* Swap <*field> for a copy of <text>; the old one is freed outside the mutex. */
static enum session_text
set_text(struct session *session, char **field, struct slice text)
{
    char *copy = NULL;
    if (text.size > 0) {
        copy = malloc(text.size + 1);
        if (copy == NULL) {
            return SESSION_TEXT_NO_MEMORY;
        }
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
    }
    directory_lock(session->directory);
    char *old = *field;
    *field = copy;
    directory_unlock(session->directory);
    free(old);
    return SESSION_TEXT_SET;
}

bool
session_is_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < 0x21 || name.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static enum session_text
set_printable(struct session *session, char **field, struct slice text)
{
    return session_is_name(text) ? set_text(session, field, text) : SESSION_TEXT_REFUSED;
}

enum session_text
session_set_name(struct session *session, struct slice name)
{
    return set_printable(session, &session->name, name);
}

enum session_text
session_set_library_name(struct session *session, struct slice name)
{
    return set_printable(session, &session->lib_name, name);
}

enum session_text
session_set_library_version(struct session *session, struct slice version)
{
    return set_printable(session, &session->lib_version, version);
}

enum session_text
session_set_user(struct session *session, struct slice user)
{
    return set_text(session, &session->user, user);
}

void
session_fini(struct session *session)
{
    free(session->name);
    free(session->lib_name);
    free(session->lib_version);
    free(session->user);
    session->name = NULL;
    session->lib_name = NULL;
    session->lib_version = NULL;
    session->user = NULL;
}
