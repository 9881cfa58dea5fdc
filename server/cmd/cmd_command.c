/*
 * COMMAND and the help of every container: commands.def, shown to clients.
 */
#include "server/cmd/handlers.h"

#include <stdlib.h>

/* ---- the table ---- */

/* Where a name such as "CLIENT|ID" is cut, NULL in "GET". */
static const char *
find_bar(const struct command *command)
{
    return strchr(command->name, '|');
}

static bool
is_child(const struct command *child, const struct command *container)
{
    size_t size = strlen(container->name);
    return strncmp(child->name, container->name, size) == 0 && child->name[size] == '|';
}

static size_t
count_children(const struct command *container)
{
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        count += is_child(command_at(i), container);
    }
    return count;
}

/* "get", or "client|id"; NULL: unknown. */
static const struct command *
find_command(struct slice name)
{
    const char *bar = name.size > 0 ? memchr(name.data, '|', name.size) : NULL;
    if (bar == NULL) {
        return command_find(name);
    }
    const struct command *container =
        command_find(slice_make(name.data, (size_t)(bar - name.data)));
    if (container == NULL || !(container->flags & COMMAND_CONTAINER)) {
        return NULL;
    }
    return command_find_sub(container,
                            slice_make(bar + 1, name.size - (size_t)(bar + 1 - name.data)));
}

static void
reply_lower(struct reply *reply, const char *name)
{
    char lower[64];
    size_t size = 0;
    for (; name[size] != '\0' && size < sizeof(lower); size++) {
        char byte = name[size];
        lower[size] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
    }
    reply_bulk(reply, slice_make(lower, size));
}

/* ---- flags and categories ---- */

static const struct {
    unsigned flag;
    const char *name;
} flag_names[] = {
    {COMMAND_WRITE, "write"}, {COMMAND_READ, "readonly"},      {COMMAND_DENY_OOM, "denyoom"},
    {COMMAND_ADMIN, "admin"}, {COMMAND_NO_SCRIPT, "noscript"}, {COMMAND_MAY_PARK, "blocking"},
    {COMMAND_FAST, "fast"},   {COMMAND_NO_AUTH, "no_auth"},    {COMMAND_NO_MULTI, "no_multi"},
};
enum { FLAG_COUNT = sizeof(flag_names) / sizeof(*flag_names) };

static void
reply_flags(struct reply *reply, const struct command *command)
{
    size_t count = 0;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        count += (command->flags & flag_names[i].flag) != 0;
    }
    reply_set(reply, count);
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (command->flags & flag_names[i].flag) {
            reply_simple(reply, flag_names[i].name);
        }
    }
}

/* In Redis' order. Which commands are in one follows from their flags and their family. */
static const struct {
    const char *name;
    unsigned flags;     /* any of these */
    unsigned flags_not; /* none of these */
    const char *family;
} categories[] = {
    {"keyspace", 0, 0, "generic"},
    {"read", COMMAND_READ, 0, NULL},
    {"write", COMMAND_WRITE, 0, NULL},
    {"hash", 0, 0, "hash"},
    {"string", 0, 0, "string"},
    {"bitmap", 0, 0, "bitmap"},
    {"admin", COMMAND_ADMIN, 0, NULL},
    {"fast", COMMAND_FAST, 0, NULL},
    {"slow", ~0U, COMMAND_FAST, NULL},
    {"blocking", COMMAND_MAY_PARK, 0, NULL},
    {"dangerous", COMMAND_ADMIN | COMMAND_ALL_SHARDS, 0, NULL},
    {"connection", 0, 0, "connection"},
    {"transaction", 0, 0, "transactions"},
    {"scripting", 0, 0, "scripting"},
    {"schema", 0, 0, "schema"},
};
enum { CATEGORY_COUNT = sizeof(categories) / sizeof(*categories) };

static bool
is_in_category(const struct command *command, size_t index)
{
    if (categories[index].family != NULL) {
        return strcmp(command->family, categories[index].family) == 0;
    }
    return (categories[index].flags == ~0U || command->flags & categories[index].flags) &&
           !(command->flags & categories[index].flags_not);
}

/* The index of a category; CATEGORY_COUNT: unknown. */
static size_t
find_category(struct slice name)
{
    size_t index = 0;
    while (index < CATEGORY_COUNT &&
           !slice_equal_nocase(name, slice_from_string(categories[index].name))) {
        index++;
    }
    return index;
}

static void
reply_categories(struct reply *reply, const struct command *command)
{
    size_t count = 0;
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        count += is_in_category(command, i);
    }
    reply_set(reply, count);
    for (size_t i = 0; i < CATEGORY_COUNT; i++) {
        if (is_in_category(command, i)) {
            char name[32] = "@";
            strncat(name, categories[i].name, sizeof(name) - 2);
            reply_simple(reply, name);
        }
    }
}

/* ---- COMMAND, COMMAND INFO ---- */

static void
reply_access(struct reply *reply, const struct command *command)
{
    reply_set(reply, 2);
    reply_simple(reply, command->flags & COMMAND_WRITE ? "RW" : "RO");
    reply_simple(reply, command->flags & COMMAND_WRITE ? "update" : "access");
}

static void
reply_key_specs(struct reply *reply, const struct command *command)
{
    const struct command_keys *keys = &command->keys;
    if (keys->first == 0) {
        reply_set(reply, 0);
        return;
    }
    reply_set(reply, 1);
    reply_map(reply, 3);
    reply_string(reply, "flags");
    reply_access(reply, command);
    reply_string(reply, "begin_search");
    reply_map(reply, 2);
    reply_string(reply, "type");
    reply_string(reply, "index");
    reply_string(reply, "spec");
    reply_map(reply, 1);
    reply_string(reply, "index");
    reply_integer(reply, keys->first);
    reply_string(reply, "find_keys");
    reply_map(reply, 2);
    reply_string(reply, "type");
    reply_string(reply, "range");
    reply_string(reply, "spec");
    reply_map(reply, 3);
    reply_string(reply, "lastkey");
    reply_integer(reply, keys->last < 0 ? keys->last : keys->last - keys->first);
    reply_string(reply, "keystep");
    reply_integer(reply, keys->step);
    reply_string(reply, "limit");
    reply_integer(reply, 0);
}

/* One entry; a container's holds those of its children, which hold none: one level deep. */
static void
reply_entry(struct reply *reply, const struct command *command)
{
    size_t child_count = command->flags & COMMAND_CONTAINER ? count_children(command) : 0;
    reply_array(reply, 10);
    reply_lower(reply, command->name);
    reply_integer(reply, command->arity);
    reply_flags(reply, command);
    reply_integer(reply, command->keys.first);
    reply_integer(reply, command->keys.last);
    reply_integer(reply, command->keys.step);
    reply_categories(reply, command);
    reply_array(reply, 0); /* tips */
    reply_key_specs(reply, command);
    reply_array(reply, child_count);
    for (size_t i = 0; child_count > 0 && i < command_count(); i++) {
        if (is_child(command_at(i), command)) {
            reply_entry(reply, command_at(i));
        }
    }
}

static size_t
count_top(void)
{
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        count += find_bar(command_at(i)) == NULL;
    }
    return count;
}

static void
reply_all(struct reply *reply)
{
    reply_array(reply, count_top());
    for (size_t i = 0; i < command_count(); i++) {
        if (find_bar(command_at(i)) == NULL) {
            reply_entry(reply, command_at(i));
        }
    }
}

void
cmd_command(struct request *request)
{
    if (request->argc > 1) {
        struct slice name = request->argv[1];
        reply_error(request->reply, "ERR unknown subcommand '%.*s'. Try COMMAND HELP.",
                    (int)(name.size < 128 ? name.size : 128), name.data);
        return;
    }
    reply_all(request->reply);
}

void
cmd_command_count(struct request *request)
{
    reply_integer(request->reply, (int64_t)count_top());
}

void
cmd_command_info(struct request *request)
{
    if (request->argc == 2) {
        reply_all(request->reply);
        return;
    }
    reply_array(request->reply, request->argc - 2);
    for (size_t i = 2; i < request->argc; i++) {
        const struct command *command = find_command(request->argv[i]);
        if (command == NULL) {
            reply_null(request->reply);
        } else {
            reply_entry(request->reply, command);
        }
    }
}

/* ---- COMMAND DOCS ---- */

static void
reply_docs(struct reply *reply, const struct command *command)
{
    size_t child_count = command->flags & COMMAND_CONTAINER ? count_children(command) : 0;
    reply_lower(reply, command->name);
    reply_map(reply, child_count > 0 ? 5 : 4);
    reply_string(reply, "summary");
    reply_string(reply, command->summary);
    reply_string(reply, "since");
    reply_string(reply, command->since);
    reply_string(reply, "group");
    reply_string(reply, command->family);
    reply_string(reply, "complexity");
    reply_string(reply, command->cost);
    if (child_count > 0) {
        reply_string(reply, "subcommands");
        reply_map(reply, child_count);
        for (size_t i = 0; i < command_count(); i++) {
            if (is_child(command_at(i), command)) {
                reply_docs(reply, command_at(i));
            }
        }
    }
}

void
cmd_command_docs(struct request *request)
{
    if (request->argc == 2) {
        reply_map(request->reply, count_top());
        for (size_t i = 0; i < command_count(); i++) {
            if (find_bar(command_at(i)) == NULL) {
                reply_docs(request->reply, command_at(i));
            }
        }
        return;
    }
    size_t count = 0;
    for (size_t i = 2; i < request->argc; i++) {
        count += find_command(request->argv[i]) != NULL;
    }
    reply_map(request->reply, count);
    for (size_t i = 2; i < request->argc; i++) {
        const struct command *command = find_command(request->argv[i]);
        if (command != NULL) {
            reply_docs(request->reply, command);
        }
    }
}

/* ---- COMMAND LIST ---- */

struct list_filter {
    enum { LIST_ALL, LIST_NONE, LIST_CATEGORY, LIST_PATTERN } kind;
    size_t category;
    struct slice pattern;
};

static bool
is_listed(const struct command *command, const struct list_filter *filter)
{
    switch (filter->kind) {
    case LIST_ALL:
        return true;
    case LIST_CATEGORY:
        return is_in_category(command, filter->category);
    case LIST_PATTERN:
        return slice_glob(filter->pattern, slice_from_string(command->name), true);
    default:
        return false;
    }
}

static void
reply_list(struct reply *reply, const struct list_filter *filter)
{
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        count += is_listed(command_at(i), filter);
    }
    reply_array(reply, count);
    for (size_t i = 0; i < command_count(); i++) {
        if (is_listed(command_at(i), filter)) {
            reply_lower(reply, command_at(i)->name);
        }
    }
}

void
cmd_command_list(struct request *request)
{
    struct list_filter filter = {.kind = LIST_ALL};
    if (request->argc > 2) {
        struct slice kind = request->argc == 5 ? request->argv[3] : SLICE_OF("");
        struct slice value = request->argc == 5 ? request->argv[4] : SLICE_OF("");
        bool has_filter = slice_equal_nocase(request->argv[2], SLICE_OF("FILTERBY"));
        if (has_filter && slice_equal_nocase(kind, SLICE_OF("MODULE"))) {
            filter.kind = LIST_NONE;
        } else if (has_filter && slice_equal_nocase(kind, SLICE_OF("ACLCAT"))) {
            filter.category = find_category(value);
            filter.kind = filter.category < CATEGORY_COUNT ? LIST_CATEGORY : LIST_NONE;
        } else if (has_filter && slice_equal_nocase(kind, SLICE_OF("PATTERN"))) {
            filter.kind = LIST_PATTERN;
            filter.pattern = value;
        } else {
            reply_syntax_error(request->reply);
            return;
        }
    }
    reply_list(request->reply, &filter);
}

/* ---- COMMAND GETKEYS ---- */

/* The command in argv[2...] and its keys; NULL when an error was replied. */
static const struct command *
find_keys(struct request *request, const size_t **ret_indices, size_t *ret_count)
{
    size_t argc = request->argc - 2;
    const struct slice *argv = request->argv + 2;
    const struct command *command = command_find(argv[0]);
    if (command != NULL && command->flags & COMMAND_CONTAINER && argc > 1) {
        const struct command *child = command_find_sub(command, argv[1]);
        command = child != NULL ? child : command;
    }
    if (command == NULL) {
        reply_error(request->reply, "ERR Invalid command specified");
        return NULL;
    }
    if (command->keys.first == 0) {
        reply_error(request->reply, "ERR The command has no key arguments");
        return NULL;
    }
    if (command->arity > 0 ? argc != (size_t)command->arity : argc < (size_t)-command->arity) {
        reply_error(request->reply, "ERR Invalid number of arguments specified for command");
        return NULL;
    }
    size_t *indices = arena_calloc(request->arena, argc, sizeof(*indices));
    if (indices == NULL) {
        reply_out_of_memory(request->reply);
        return NULL;
    }
    *ret_count = command_key_indices(command, argc, indices);
    *ret_indices = indices;
    return command;
}

void
cmd_command_getkeys(struct request *request)
{
    const size_t *indices;
    size_t count;
    if (find_keys(request, &indices, &count) == NULL) {
        return;
    }
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk(request->reply, request->argv[2 + indices[i]]);
    }
}

void
cmd_command_getkeysandflags(struct request *request)
{
    const size_t *indices;
    size_t count;
    const struct command *command = find_keys(request, &indices, &count);
    if (command == NULL) {
        return;
    }
    reply_array(request->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(request->reply, 2);
        reply_bulk(request->reply, request->argv[2 + indices[i]]);
        reply_access(request->reply, command);
    }
}

/* ---- ACL CAT: here because categories are ---- */

void
cmd_acl_cat(struct request *request)
{
    if (request->argc > 3) {
        reply_error(request->reply, "ERR wrong number of arguments for 'acl|cat' command");
        return;
    }
    if (request->argc == 2) {
        reply_array(request->reply, CATEGORY_COUNT);
        for (size_t i = 0; i < CATEGORY_COUNT; i++) {
            reply_string(request->reply, categories[i].name);
        }
        return;
    }
    struct slice name = request->argv[2];
    struct list_filter filter = {.kind = LIST_CATEGORY, .category = find_category(name)};
    if (filter.category == CATEGORY_COUNT) {
        reply_error(request->reply, "ERR Unknown category '%.*s'",
                    (int)(name.size < 128 ? name.size : 128), name.data);
        return;
    }
    reply_list(request->reply, &filter);
}

/* ---- HELP of any container ---- */

static void
reply_line(struct reply *reply, const char *indent, const char *text)
{
    buffer_printf(reply->out, "+%s%s\r\n", indent, text);
}

void
cmd_help(struct request *request)
{
    const struct command *self = request->command;
    const char *bar = find_bar(self);
    int size = bar != NULL ? (int)(bar - self->name) : (int)strlen(self->name);
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *row = command_at(i);
        count += strncmp(row->name, self->name, (size_t)size) == 0 && row->name[size] == '|';
    }
    reply_array(request->reply, 1 + 2 * count);
    buffer_printf(request->reply->out,
                  "+%.*s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n", size,
                  self->name);
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *row = command_at(i);
        if (strncmp(row->name, self->name, (size_t)size) == 0 && row->name[size] == '|') {
            reply_line(request->reply, "", row->name + size + 1);
            reply_line(request->reply, "    ", row->summary);
        }
    }
}
