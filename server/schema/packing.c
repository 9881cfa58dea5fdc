#include "server/schema/packing.h"

#include <stdlib.h>

struct packing_rules {
    size_t count;
    char *text; /* [owned] the patterns lie in it */
    struct packing_group groups[];
};

struct packing *
packing_new(void)
{
    static atomic_uint last_id;
    struct packing *packing = calloc(1, sizeof(*packing));
    if (packing != NULL) {
        atomic_init(&packing->references, 1);
        packing->id = atomic_fetch_add(&last_id, 1) + 1;
    }
    return packing;
}

struct packing *
packing_ref(struct packing *packing)
{
    atomic_fetch_add_explicit(&packing->references, 1, memory_order_relaxed);
    return packing;
}

void
packing_unref(struct packing *packing)
{
    if (packing != NULL && atomic_fetch_sub(&packing->references, 1) == 1) {
        free(packing);
    }
}

/* ---- rules ---- */

/* The next word of <text>, which single blanks part. */
static struct slice
take_word(struct slice *text)
{
    const char *blank = text->size == 0 ? NULL : memchr(text->data, ' ', text->size);
    size_t size = blank == NULL ? text->size : (size_t)(blank - text->data);
    struct slice word = slice_make(text->data, size);
    size_t used = blank == NULL ? size : size + 1;
    *text = slice_make(text->data + used, text->size - used);
    return word;
}

static enum pack_algorithm
algorithm_of(struct slice name)
{
    for (enum pack_algorithm i = PACK_LZ4; i <= PACK_ZSTD; i++) {
        if (slice_equal_nocase(name, slice_from_string(pack_algorithm_name(i)))) {
            return i;
        }
    }
    return PACK_NONE;
}

static struct packing_group *
find_pattern(const struct packing_rules *rules, struct slice pattern)
{
    for (size_t i = 0; rules != NULL && i < rules->count; i++) {
        if (slice_equal(rules->groups[i].name, pattern)) {
            return (struct packing_group *)(uintptr_t)&rules->groups[i];
        }
    }
    return NULL;
}

/* False without memory. The later of two lines about one pattern wins. */
static bool
add_rule(struct packing_rules *rules, struct slice pattern, enum pack_algorithm algorithm,
         const struct packing_rules *before)
{
    struct packing_group *same = find_pattern(rules, pattern);
    if (same != NULL) {
        same->algorithm = algorithm;
        return true;
    }
    const struct packing_group *old = find_pattern(before, pattern);
    struct packing *packing = old == NULL ? packing_new() : packing_ref(old->packing);
    if (packing == NULL) {
        return false;
    }
    rules->groups[rules->count++] =
        (struct packing_group){.name = pattern, .algorithm = algorithm, .packing = packing};
    return true;
}

struct packing_rules *
packing_rules_new(struct slice text, const struct packing_rules *before)
{
    size_t words = 1;
    for (size_t i = 0; i < text.size; i++) {
        words += text.data[i] == ' ';
    }
    struct packing_rules *rules =
        calloc(1, sizeof(*rules) + (words / 2) * sizeof(rules->groups[0]));
    char *copy = malloc(text.size + 1);
    if (rules == NULL || copy == NULL) {
        free(rules);
        free(copy);
        return NULL;
    }
    if (text.size > 0) {
        memcpy(copy, text.data, text.size);
    }
    rules->text = copy;
    struct slice rest = slice_make(copy, text.size);
    while (rest.size > 0) {
        struct slice pattern = take_word(&rest);
        if (!add_rule(rules, pattern, algorithm_of(take_word(&rest)), before)) {
            packing_rules_free(rules);
            return NULL;
        }
    }
    return rules;
}

void
packing_rules_free(struct packing_rules *rules)
{
    if (rules != NULL) {
        for (size_t i = 0; i < rules->count; i++) {
            packing_unref(rules->groups[i].packing);
        }
        free(rules->text);
        free(rules);
    }
}

size_t
packing_rules_count(const struct packing_rules *rules)
{
    return rules == NULL ? 0 : rules->count;
}

const struct packing_group *
packing_rules_at(const struct packing_rules *rules, size_t index)
{
    return &rules->groups[index];
}

/* ---- keys ---- */

bool
packing_of_schema(const struct registry_schema *schema, struct packing_group *ret_group)
{
    static const enum pack_algorithm algorithms[] = {
        [LENS_COMPRESSION_UNSAID] = PACK_NONE,
        [LENS_COMPRESSION_NONE] = PACK_NONE,
        [LENS_COMPRESSION_LZ4] = PACK_LZ4,
        [LENS_COMPRESSION_ZSTD] = PACK_ZSTD,
    };
    enum lens_compression said = lens_schema_compression(schema->lens);
    *ret_group = (struct packing_group){.name = lens_schema_name(schema->lens),
                                        .algorithm = algorithms[said],
                                        .packing = schema->packing};
    return said != LENS_COMPRESSION_UNSAID;
}

/* As everywhere: the longest wins, an exact name before any prefix. */
static const struct packing_group *
match_rule(const struct packing_rules *rules, struct slice key)
{
    const struct packing_group *best = NULL;
    for (size_t i = 0; i < packing_rules_count(rules); i++) {
        const struct packing_group *group = &rules->groups[i];
        struct slice pattern = group->name;
        if (pattern.data[pattern.size - 1] != '*') {
            if (slice_equal(pattern, key)) {
                return group;
            }
        } else if (key.size >= pattern.size - 1 &&
                   memcmp(key.data, pattern.data, pattern.size - 1) == 0 &&
                   (best == NULL || best->name.size < pattern.size)) {
            best = group;
        }
    }
    return best;
}

bool
packing_find(const struct registry *registry, const struct packing_rules *rules, uint32_t db,
             struct slice key, struct packing_group *ret_group)
{
    if (!registry_is_empty(registry)) {
        const struct registry_schema *schema = registry_match(registry, db, key);
        if (schema != NULL && packing_of_schema(schema, ret_group)) {
            return ret_group->algorithm != PACK_NONE;
        }
    }
    const struct packing_group *group = match_rule(rules, key);
    if (group != NULL) {
        *ret_group = *group;
    }
    return group != NULL && group->algorithm != PACK_NONE;
}
