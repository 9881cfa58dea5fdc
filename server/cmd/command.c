#include "proto/base/check.h"
#include "server/cmd/handlers.h"

#include <pthread.h>
#include <stdatomic.h>

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
#define STORES COMMAND_STORES
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

enum {
    COMMAND_COUNT = sizeof(commands) / sizeof(*commands),
    SLOT_COUNT_LOG2 = 10,
    SLOT_COUNT = 1 << SLOT_COUNT_LOG2,
};

_Static_assert(COMMAND_COUNT * 2 < SLOT_COUNT, "the table of commands needs more slots");

/*
 * Names are looked up by their first eight bytes in upper case, as one word, which for most is
 * all there is to compare. Open addressing, filled once.
 */
struct slot {
    uint64_t word;
    uint16_t name_size;
    uint16_t row; /* + 1; 0: free */
    bool is_sub;  /* "PARENT|CHILD": no command */
};

static struct slot slots[SLOT_COUNT];
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;
static atomic_bool slots_are_filled;

static inline uint64_t
load(const char *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size);
    return word;
}

/* Up to eight bytes, by overlapping loads; behind them zeros. */
static inline uint64_t
name_load(struct slice name)
{
    size_t size = name.size;
    if (size >= 8) {
        return load(name.data, 8);
    }
    if (size >= 4) {
        return load(name.data, 4) | load(name.data + size - 4, 4) << 8 * (size - 4);
    }
    if (size >= 2) {
        return load(name.data, 2) | load(name.data + size - 2, 2) << 8 * (size - 2);
    }
    return size == 1 ? load(name.data, 1) : 0;
}

#define EACH_BYTE(byte) (UINT64_MAX / 255 * (byte))

/* Letters in upper case, eight at once: the high bit of each byte tells whether it is one. */
static inline uint64_t
name_word(struct slice name)
{
    uint64_t word = name_load(name);
    uint64_t low7 = word & EACH_BYTE(0x7f);
    uint64_t from_a = low7 + EACH_BYTE(0x80 - 'a');
    uint64_t behind_z = low7 + EACH_BYTE(0x7f - 'z');
    uint64_t is_lower = (from_a ^ behind_z) & ~word & EACH_BYTE(0x80);
    return word - (is_lower >> 2);
}

static bool
rest_is_equal(const struct command *command, struct slice name)
{
    return name.size <= 8 || slice_equal_nocase(slice_make(command->name + 8, name.size - 8),
                                                slice_make(name.data + 8, name.size - 8));
}

static size_t
slot_of(uint64_t word, size_t size)
{
    return (word + size) * 0x9e3779b97f4a7c15u >> (64 - SLOT_COUNT_LOG2);
}

static void
slots_fill(void)
{
    for (size_t row = 0; row < COMMAND_COUNT; row++) {
        struct slice name = slice_make(commands[row].name, commands[row].name_size);
        uint64_t word = name_word(name);
        size_t index = slot_of(word, name.size);
        while (slots[index].row != 0) {
            index = (index + 1) % SLOT_COUNT;
        }
        slots[index] = (struct slot){
            .word = word,
            .name_size = (uint16_t)name.size,
            .row = (uint16_t)(row + 1),
            .is_sub = memchr(name.data, '|', name.size) != NULL,
        };
    }
    atomic_store_explicit(&slots_are_filled, true, memory_order_release);
}

static const struct command *
find(struct slice name, bool is_sub)
{
    if (!atomic_load_explicit(&slots_are_filled, memory_order_acquire)) {
        (void)pthread_once(&slots_once, slots_fill);
    }
    uint64_t word = name_word(name);
    for (size_t index = slot_of(word, name.size);; index = (index + 1) % SLOT_COUNT) {
        const struct slot *slot = &slots[index];
        if (slot->row == 0) {
            return NULL;
        }
        const struct command *command = &commands[slot->row - 1];
        if (slot->word == word && slot->name_size == name.size && slot->is_sub == is_sub &&
            rest_is_equal(command, name)) {
            return command;
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
    return find(name, false);
}

const struct command *
command_find_sub(const struct command *container, struct slice name)
{
    char full[64];
    size_t size = container->name_size;
    if (name.size >= sizeof(full) - size) {
        return NULL;
    }
    memcpy(full, container->name, size);
    full[size] = '|';
    memcpy(full + size + 1, name.data, name.size);
    return find(slice_make(full, size + 1 + name.size), true);
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
