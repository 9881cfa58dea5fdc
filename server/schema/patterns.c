#include "server/schema/patterns.h"

#include <stdlib.h>
#include <xxhash.h>

/*
 * Prefixes are sorted by bytes, and each knows the longest other prefix that it starts with. If
 * a prefix q matches a key, every prefix between q and the key in that order starts with q,
 * too: so the greatest one not behind the key, and its chain of shorter ones, are all that can
 * match.
 */
enum { NO_PARENT = INT32_MAX }; /* prefixes are far fewer */

struct target {
    const struct registry_schema *schema;
    size_t except_count;
    int db; /* -1: any */
    struct target *next;
};

struct pattern {
    struct slice text; /* without the '*' of a prefix */
    uint64_t hash;     /* of an exact name */
    uint32_t parent;   /* of a prefix: index, or NO_PARENT */
    struct target *targets;
};

struct patterns {
    struct pattern *prefixes;
    struct pattern *names;
    uint32_t *buckets; /* of names: index + 1, 0: empty; open addressing */
    size_t prefix_count;
    size_t name_count;
    size_t bucket_mask;
};

static bool
is_prefix(struct slice pattern)
{
    return pattern.size > 0 && pattern.data[pattern.size - 1] == '*';
}

static int
compare_patterns(const void *a, const void *b)
{
    return slice_compare(((const struct pattern *)a)->text, ((const struct pattern *)b)->text);
}

/* Sort, and make one of equal texts; returns how many are left. */
static size_t
merge(struct pattern *patterns, size_t count)
{
    if (count == 0) {
        return 0;
    }
    qsort(patterns, count, sizeof(*patterns), compare_patterns);
    size_t last = 0;
    for (size_t i = 1; i < count; i++) {
        if (slice_equal(patterns[i].text, patterns[last].text)) {
            patterns[i].targets->next = patterns[last].targets;
            patterns[last].targets = patterns[i].targets;
        } else {
            patterns[++last] = patterns[i];
        }
    }
    return last + 1;
}

static void
find_parents(struct pattern *prefixes, size_t count)
{
    uint32_t candidate = NO_PARENT;
    for (uint32_t i = 0; i < count; i++) {
        while (candidate != NO_PARENT &&
               !slice_starts_with(prefixes[i].text, prefixes[candidate].text)) {
            candidate = prefixes[candidate].parent;
        }
        prefixes[i].parent = candidate;
        candidate = i;
    }
}

static bool
hash_names(struct arena *arena, struct patterns *patterns)
{
    size_t size = 8;
    while (size < patterns->name_count * 2) {
        size *= 2;
    }
    patterns->buckets = arena_calloc(arena, size, sizeof(*patterns->buckets));
    if (patterns->buckets == NULL) {
        return false;
    }
    patterns->bucket_mask = size - 1;
    for (uint32_t i = 0; i < patterns->name_count; i++) {
        struct pattern *name = &patterns->names[i];
        name->hash = XXH3_64bits(name->text.data, name->text.size);
        size_t at = name->hash & patterns->bucket_mask;
        while (patterns->buckets[at] != 0) {
            at = (at + 1) & patterns->bucket_mask;
        }
        patterns->buckets[at] = i + 1;
    }
    return true;
}

struct patterns *
patterns_new(struct arena *arena, const struct registry_schema *schemas, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += lens_schema_key_count(schemas[i].lens);
    }
    struct patterns *patterns = arena_calloc(arena, 1, sizeof(*patterns));
    struct pattern *prefixes = arena_calloc(arena, total + 1, sizeof(*prefixes));
    struct pattern *names = arena_calloc(arena, total + 1, sizeof(*names));
    struct target *targets = arena_calloc(arena, total + 1, sizeof(*targets));
    if (patterns == NULL || prefixes == NULL || names == NULL || targets == NULL) {
        return NULL;
    }
    size_t prefix_count = 0;
    size_t name_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lens_schema *lens = schemas[i].lens;
        for (size_t k = 0; k < lens_schema_key_count(lens); k++) {
            struct slice text = lens_schema_key(lens, k);
            struct target *target = targets++;
            *target = (struct target){.schema = &schemas[i],
                                      .except_count = lens_schema_except_count(lens),
                                      .db = lens_schema_db(lens)};
            if (is_prefix(text)) {
                text.size--;
                prefixes[prefix_count++] = (struct pattern){.text = text, .targets = target};
            } else {
                names[name_count++] = (struct pattern){.text = text, .targets = target};
            }
        }
    }
    patterns->prefixes = prefixes;
    patterns->prefix_count = merge(prefixes, prefix_count);
    patterns->names = names;
    patterns->name_count = merge(names, name_count);
    find_parents(prefixes, patterns->prefix_count);
    return patterns->name_count == 0 || hash_names(arena, patterns) ? patterns : NULL;
}

static bool
is_excepted(const struct target *target, struct slice key)
{
    for (size_t i = 0; i < target->except_count; i++) {
        if (slice_glob(lens_schema_except(target->schema->lens, i), key, false)) {
            return true;
        }
    }
    return false;
}

static const struct registry_schema *
choose(const struct target *target, uint32_t db, struct slice key)
{
    for (; target != NULL; target = target->next) {
        if ((target->db < 0 || (uint32_t)target->db == db) && !is_excepted(target, key)) {
            return target->schema;
        }
    }
    return NULL;
}

static const struct registry_schema *
match_name(const struct patterns *patterns, uint32_t db, struct slice key)
{
    uint64_t hash = XXH3_64bits(key.data, key.size);
    for (size_t at = hash & patterns->bucket_mask; patterns->buckets[at] != 0;
         at = (at + 1) & patterns->bucket_mask) {
        const struct pattern *name = &patterns->names[patterns->buckets[at] - 1];
        if (name->hash == hash && slice_equal(name->text, key)) {
            return choose(name->targets, db, key);
        }
    }
    return NULL;
}

const struct registry_schema *
patterns_match(const struct patterns *patterns, uint32_t db, struct slice key)
{
    const struct registry_schema *found;
    if (patterns->name_count != 0 && (found = match_name(patterns, db, key)) != NULL) {
        return found;
    }
    /* The greatest prefix not behind <key>. */
    size_t low = 0;
    size_t high = patterns->prefix_count;
    if (high > 1) {
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (slice_compare(patterns->prefixes[middle].text, key) <= 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low == 0) {
            return NULL;
        }
        low--;
    } else if (high == 0) {
        return NULL;
    }
    for (uint32_t at = (uint32_t)low; at != NO_PARENT; at = patterns->prefixes[at].parent) {
        const struct pattern *prefix = &patterns->prefixes[at];
        if (slice_starts_with(key, prefix->text) &&
            (found = choose(prefix->targets, db, key)) != NULL) {
            return found;
        }
    }
    return NULL;
}

bool
patterns_collide(const struct lens_schema *schema, const struct lens_schema *other,
                 size_t *ret_index)
{
    int db = lens_schema_db(schema);
    int other_db = lens_schema_db(other);
    if (db >= 0 && other_db >= 0 && db != other_db) {
        return false;
    }
    for (size_t i = 0; i < lens_schema_key_count(schema); i++) {
        for (size_t k = 0; k < lens_schema_key_count(other); k++) {
            if (slice_equal(lens_schema_key(schema, i), lens_schema_key(other, k))) {
                *ret_index = i;
                return true;
            }
        }
    }
    return false;
}
