#include "proto/base/check.h"
#include "server/cmd/handlers.h"

#include <pthread.h>

#define READ COMMAND_READ
#define WRITE COMMAND_WRITE
#define FAST COMMAND_FAST
#define ADMIN COMMAND_ADMIN
#define NO_AUTH COMMAND_NO_AUTH
#define NO_MULTI COMMAND_NO_MULTI
#define NOW COMMAND_NOW
#define ALL_SHARDS COMMAND_ALL_SHARDS
#define KEYSPACE COMMAND_KEYSPACE
#define DENY_OOM COMMAND_DENY_OOM
#define CONTAINER COMMAND_CONTAINER
#define NO_SCRIPT COMMAND_NO_SCRIPT
#define MAY_PARK COMMAND_MAY_PARK
#define VIEWS COMMAND_VIEWS

/* clang-format off */
#define NONE {0, 0, 0}
#define KEY(position) {position, position, 1}
#define KEYS(first, last, step) {first, last, step}
/* clang-format on */

#define CMD(name, handler, arity, flags, keys, family, since, cost, summary)                   \
    {name,    handler, arity, (unsigned)(flags), keys,                                         \
     #family, since,   cost,  summary,           sizeof(name) - 1},

static const struct command commands[] = {
#include "server/cmd/commands.def"
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(*commands), SLOT_COUNT = 1024 };

_Static_assert(COMMAND_COUNT * 2 < SLOT_COUNT, "the table of commands needs more slots");

/* Open addressing by a hash of the lower-case name; filled once. */
static uint16_t slots[SLOT_COUNT]; /* row + 1, 0: free */
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

static uint32_t
name_hash(uint32_t hash, struct slice name)
{
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ ((unsigned char)name.data[i] | 0x20)) * 16777619u; /* FNV-1a */
    }
    return hash;
}

static void
slots_fill(void)
{
    for (size_t row = 0; row < COMMAND_COUNT; row++) {
        uint32_t slot = name_hash(2166136261u, slice_from_string(commands[row].name));
        while (slots[slot % SLOT_COUNT] != 0) {
            slot++;
        }
        slots[slot % SLOT_COUNT] = (uint16_t)(row + 1);
    }
}

/* Find the row called <prefix><name>, where <prefix> is "" or "PARENT|". */
static const struct command *
find(struct slice prefix, struct slice name)
{
    (void)pthread_once(&slots_once, slots_fill);
    uint32_t slot = name_hash(name_hash(2166136261u, prefix), name);
    for (;; slot++) {
        uint16_t row = slots[slot % SLOT_COUNT];
        if (row == 0) {
            return NULL;
        }
        struct slice full = slice_make(commands[row - 1].name, commands[row - 1].name_size);
        if (full.size == prefix.size + name.size && slice_starts_with(full, prefix) &&
            slice_equal_nocase(slice_make(full.data + prefix.size, name.size), name)) {
            return &commands[row - 1];
        }
    }
}

void
cmd_container(struct request *request)
{
    /* Never run: dispatch asks for a subcommand. */
    CHECK(request->command->handler != cmd_container);
}

const struct command *
command_find(struct slice name)
{
    if (name.size > 0 && memchr(name.data, '|', name.size) != NULL) {
        return NULL; /* rows of subcommands are no commands */
    }
    return find(slice_make("", 0), name);
}

const struct command *
command_find_sub(const struct command *container, struct slice name)
{
    char prefix[32];
    size_t size = strlen(container->name);
    CHECK(size + 1 < sizeof(prefix));
    memcpy(prefix, container->name, size);
    prefix[size] = '|';
    return find(slice_make(prefix, size + 1), name);
}

const struct command *
command_at(size_t index)
{
    return index < COMMAND_COUNT ? &commands[index] : NULL;
}

size_t
command_count(void)
{
    return COMMAND_COUNT;
}

size_t
command_row(const struct command *command)
{
    return (size_t)(command - commands);
}

size_t
command_key_indices(const struct command *command, size_t argc, size_t *ret_indices)
{
    if (command->keys.first == 0) {
        return 0;
    }
    int64_t last = command->keys.last;
    if (last < 0) {
        last += (int64_t)argc;
    }
    size_t count = 0;
    for (int64_t i = command->keys.first; i <= last && i < (int64_t)argc;
         i += command->keys.step) {
        ret_indices[count++] = (size_t)i;
    }
    return count;
}
