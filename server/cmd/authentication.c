#include "server/cmd/authentication.h"

#include "server/cmd/value.h"
#include "server/schema/bindings.h"

bool
authentication_is_required(struct request *request)
{
    struct buffer secret;
    buffer_init(&secret, 0);
    config_string(request->server->config, CONFIG_REQUIREPASS, &secret);
    bool is_required = secret.size > 0 || secret.failed;
    buffer_fini(&secret);
    return is_required;
}

/* Looks at every byte of <given>, whatever it finds. */
static bool
is_same_secret(struct slice given, struct slice secret)
{
    volatile unsigned char difference = given.size != secret.size;
    for (size_t i = 0; i < given.size; i++) {
        char expected = secret.size > 0 ? secret.data[i % secret.size] : 0;
        difference = (unsigned char)(difference | (given.data[i] ^ expected));
    }
    return difference == 0;
}

static bool
is_password(struct request *request, struct slice password)
{
    struct buffer secret;
    buffer_init(&secret, 0);
    config_string(request->server->config, CONFIG_REQUIREPASS, &secret);
    bool is_good =
        !secret.failed && (secret.size == 0 || is_same_secret(password, buffer_slice(&secret)));
    buffer_fini(&secret);
    return is_good;
}

/* A name of the form x@y that is not defined, while another x@... is. */
static bool
is_missing_release(struct request *request, struct slice name)
{
    return registry_release(request->registry, name) == NULL &&
           registry_has_application(request->registry, name);
}

static void
reply_no_release(struct request *request, struct slice name)
{
    reply_error(request->reply,
                "NORELEASE '%.*s' is not defined, although other releases of this application "
                "are. Define it with RELEASE SET",
                (int)(name.size < 128 ? name.size : 128), name.data);
}

bool
authentication_check(struct request *request, struct slice user, struct slice password)
{
    bool is_good = is_password(request, password);
    if (is_good && is_missing_release(request, user)) {
        reply_no_release(request, user);
        return false;
    }
    if (!is_good || (!slice_equal(user, SLICE_OF("default")) &&
                     registry_release(request->registry, user) == NULL)) {
        reply_error(request->reply,
                    "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    return true;
}

/* <name> is the session's now. Who names a release is counted among its readers at once. */
static bool
finish(struct request *request, enum session_text result, struct slice name)
{
    if (result == SESSION_TEXT_NO_MEMORY) {
        reply_out_of_memory(request->reply);
        return false;
    }
    if (registry_release(request->registry, name) != NULL) {
        value_bind(request);
    } else if (request->session->bindings != NULL) {
        bindings_invalidate(request->session->bindings);
    }
    return true;
}

bool
authentication_apply(struct request *request, struct slice user)
{
    bool is_default = slice_equal(user, SLICE_OF("default"));
    user = is_default ? SLICE_OF("") : user;
    if (!finish(request, session_set_user(request->session, user), user)) {
        return false;
    }
    request->session->is_authenticated = true;
    return true;
}

bool
authentication_check_name(struct request *request, struct slice name)
{
    if (!session_is_name(name)) {
        reply_error(request->reply, "ERR Client names cannot contain spaces, newlines or "
                                    "special characters.");
        return false;
    }
    if (is_missing_release(request, name)) {
        reply_no_release(request, name);
        return false;
    }
    return true;
}

bool
authentication_apply_name(struct request *request, struct slice name)
{
    return finish(request, session_set_name(request->session, name), name);
}
