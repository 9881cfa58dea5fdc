#include "server/store/watch.h"

#include "proto/base/check.h"
#include "server/store/memory.h"

enum { HEADS_MIN = 8, NODES_PER_HEAD_MAX = 2 };

static struct watch **
head_of(struct watch **heads, uint32_t count, const struct key *key)
{
    return &heads[key->hash & (count - 1)];
}

static void
link_node(struct watch **head, struct watch *node)
{
    node->next = *head;
    node->previous = head;
    if (node->next != NULL)
        node->next->previous = &node->next;
    *head = node;
}

/* More heads; where memory lacks, longer lists do. False only without any. */
static bool
grow(struct watch_table *table)
{
    uint32_t count = table->head_count == 0 ? (uint32_t)HEADS_MIN : table->head_count * 2;
    struct watch **heads = memory_alloc(count * sizeof(struct watch *));
    if (heads == NULL)
        return table->head_count != 0;
    for (uint32_t i = 0; i < count; i++)
        heads[i] = NULL;
    for (uint32_t i = 0; i < table->head_count; i++) {
        struct watch *next;
        for (struct watch *node = table->heads[i]; node != NULL; node = next) {
            next = node->next;
            link_node(head_of(heads, count, &node->key), node);
        }
    }
    memory_free(table->heads);
    table->heads = heads;
    table->head_count = count;
    return true;
}

bool
watch_table_add(struct watch_table *table, struct watch *node, const struct key *key,
                atomic_bool *dirty)
{
    char *name = memory_alloc(key->name.size + (key->name.size == 0));
    if (name == NULL)
        return false;
    if (table->count >= table->head_count * NODES_PER_HEAD_MAX && !grow(table)) {
        memory_free(name);
        return false;
    }
    if (key->name.size != 0)
        memcpy(name, key->name.data, key->name.size);
    node->key = *key;
    node->key.name.data = name;
    node->dirty = dirty;
    link_node(head_of(table->heads, table->head_count, key), node);
    table->count++;
    return true;
}

void
watch_table_remove(struct watch_table *table, struct watch *node)
{
    union {
        const char *borrowed;
        char *owned;
    } name = {node->key.name.data};
    *node->previous = node->next;
    if (node->next != NULL)
        node->next->previous = node->previous;
    memory_free(name.owned);
    node->key.name = slice_make(NULL, 0);
    table->count--;
}

void
watch_table_fini(struct watch_table *table)
{
    CHECK(table->count == 0);
    memory_free(table->heads);
}

static void
mark(const struct watch *node)
{
    atomic_store(node->dirty, true);
}

void
watch_table_mark(const struct watch_table *table, const struct key *key)
{
    if (table->count == 0)
        return;
    const struct watch *node = *head_of(table->heads, table->head_count, key);
    for (; node != NULL; node = node->next) {
        if (node->key.hash == key->hash && node->key.db == key->db &&
            slice_equal(node->key.name, key->name))
            mark(node);
    }
}

void
watch_table_mark_if(const struct watch_table *table, watch_matches *matches, void *context)
{
    for (uint32_t i = 0; table->count != 0 && i < table->head_count; i++) {
        for (const struct watch *node = table->heads[i]; node != NULL; node = node->next) {
            if (matches(context, &node->key))
                mark(node);
        }
    }
}
