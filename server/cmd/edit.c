#include "server/cmd/edit.h"

bool
edit_read(struct request *request, const struct key *key, struct slice *ret_view,
          bool *ret_exists)
{
    bool is_hidden = false;
    struct slice view = SLICE("");
    switch (value_read_for_update(request, key, &view, &is_hidden)) {
    case VALUE_FAILED:
        return false;
    case VALUE_ABSENT:
        if (is_hidden) {
            value_reply_failure(request);
            return false;
        }
        *ret_view = SLICE_OF("");
        *ret_exists = false;
        return true;
    case VALUE_FOUND:
        break;
    }
    *ret_view = view;
    *ret_exists = true;
    return true;
}

char *
edit_copy(struct request *request, struct slice view, size_t size)
{
    size = size < view.size ? view.size : size;
    char *copy = arena_alloc(request->arena, size);
    if (copy == NULL) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    if (view.size > 0) {
        memcpy(copy, view.data, view.size);
    }
    memset(copy + view.size, 0, size - view.size);
    return copy;
}

bool
edit_open(struct request *request, const struct key *key, struct slice view, size_t size,
          size_t zeros_to, struct edit *ret_edit)
{
    struct edit edit = {.size = size > view.size ? size : view.size};
    switch (value_edit(request, key, edit.size, zeros_to, &edit.bytes)) {
    case VALUE_FAILED:
        return false;
    case VALUE_ABSENT:
        edit.is_copy = true;
        edit.bytes = edit_copy(request, view, edit.size);
        break;
    case VALUE_FOUND:
        break;
    }
    *ret_edit = edit;
    return edit.bytes != NULL;
}

bool
edit_close(struct request *request, const struct key *key, const struct edit *edit)
{
    return !edit->is_copy ||
           value_write(request, key, slice_make(edit->bytes, edit->size), VALUE_KEEP_TTL);
}
