#include "server/store/keyspace.h"

#include "server/store/hash.h"
#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NONE = KEYSPACE_EXPIRY_NONE };
static const int64_t NOW = 1700000000000;

static struct keyspace *
keyspace_with(uint32_t shard_count_log2)
{
    struct keyspace_options options = {
        .database_count = 4, .shard_count_log2 = shard_count_log2, .hash_seed = 0x5e6e};
    struct keyspace *keyspace = keyspace_new(&options);
    assert_non_null(keyspace);
    return keyspace;
}

static int
setup(void **state)
{
    *state = keyspace_with(2);
    return 0;
}

static int
teardown(void **state)
{
    keyspace_free(*state);
    return 0;
}

static struct key
key_in(struct keyspace *keyspace, uint32_t db, const char *name)
{
    return keyspace_key(keyspace, db, slice_from_string(name));
}

static bool
set_in(struct keyspace *keyspace, uint32_t db, const char *name, const char *body,
       int64_t expiry_ms)
{
    struct key key = key_in(keyspace, db, name);
    struct value value = {.body = slice_from_string(body)};
    keyspace_lock(keyspace, &key, 1);
    bool done = keyspace_set_locked(keyspace, &key, &value, expiry_ms);
    keyspace_unlock(keyspace, &key, 1);
    return done;
}

/* The body under <name>, or "-" where there is none; valid until the next call. */
static const char *
get_in(struct keyspace *keyspace, uint32_t db, const char *name, int64_t now_ms)
{
    static char body[4096];
    struct key key = key_in(keyspace, db, name);
    keyspace_lock(keyspace, &key, 1);
    struct entry *entry = keyspace_find_locked(keyspace, &key, now_ms);
    if (entry == NULL) {
        strcpy(body, "-");
    } else if (entry_type(entry) == ENTRY_HASH) {
        strcpy(body, "(hash)");
    } else {
        struct value value;
        entry_value(entry, &value);
        assert_true(value.body.size < sizeof(body));
        if (value.body.size != 0)
            memcpy(body, value.body.data, value.body.size);
        body[value.body.size] = 0;
    }
    keyspace_unlock(keyspace, &key, 1);
    return body;
}

static bool
delete_in(struct keyspace *keyspace, uint32_t db, const char *name, int64_t now_ms)
{
    struct key key = key_in(keyspace, db, name);
    keyspace_lock(keyspace, &key, 1);
    bool done = keyspace_delete_locked(keyspace, &key, now_ms);
    keyspace_unlock(keyspace, &key, 1);
    return done;
}

static void
move_in(struct keyspace *keyspace, const char *from, const char *to, bool copy)
{
    struct key keys[2] = {key_in(keyspace, 0, from), key_in(keyspace, 0, to)};
    keyspace_lock(keyspace, keys, 2);
    assert_true(keyspace_move_locked(keyspace, &keys[0], &keys[1], copy));
    keyspace_unlock(keyspace, keys, 2);
}

static uint64_t
memory_of(struct keyspace *keyspace)
{
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    return stats.memory_size;
}

static void
flush(struct keyspace *keyspace, uint32_t db)
{
    keyspace_lock_all(keyspace);
    keyspace_flush_locked(keyspace, db);
    keyspace_unlock_all(keyspace);
    while (keyspace_free_some(keyspace, 10))
        ;
}

static void
what_is_set_is_found_until_it_is_deleted(void **state)
{
    struct keyspace *keyspace = *state;
    assert_string_equal(get_in(keyspace, 0, "a", NOW), "-");
    assert_true(set_in(keyspace, 0, "a", "one", NONE));
    assert_true(set_in(keyspace, 1, "a", "other", NONE));
    assert_true(set_in(keyspace, 0, "", "", NONE));
    assert_string_equal(get_in(keyspace, 0, "a", NOW), "one");
    assert_string_equal(get_in(keyspace, 1, "a", NOW), "other");
    assert_string_equal(get_in(keyspace, 0, "", NOW), "");
    assert_int_equal(keyspace_size(keyspace, 0), 2);
    assert_true(delete_in(keyspace, 0, "a", NOW));
    assert_false(delete_in(keyspace, 0, "a", NOW));
    assert_string_equal(get_in(keyspace, 0, "a", NOW), "-");
    assert_string_equal(get_in(keyspace, 1, "a", NOW), "other");

    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    assert_int_equal(stats.hits, 4);
    assert_int_equal(stats.misses, 2);
    keyspace_reset_stats(keyspace);
    keyspace_stats(keyspace, &stats);
    assert_int_equal(stats.hits, 0);
}

static void
every_part_of_a_value_comes_back_through_all_layouts(void **state)
{
    struct keyspace *keyspace = *state;
    char text[600];
    memset(text, 'x', sizeof(text));
    for (unsigned bits = 0; bits < 32; bits++) {
        struct slice name = slice_make(text, bits & 1 ? 300 : 3);
        struct key key = keyspace_key(keyspace, 0, name);
        struct value value = {
            .body = slice_make(text, bits & 2 ? 600 : 5),
            .complement = slice_make(text, bits & 4 ? 10 : 0),
            .schema = bits & 8 ? 65535 : 0,
            .version = bits & 8 ? 65534 : 0,
        };
        int64_t expiry_ms = bits & 16 ? NOW + 5 : NONE;
        keyspace_lock(keyspace, &key, 1);
        assert_true(keyspace_set_locked(keyspace, &key, &value, expiry_ms));
        struct entry *entry = keyspace_find_locked(keyspace, &key, NOW);
        assert_non_null(entry);
        struct value got;
        entry_value(entry, &got);
        assert_true(slice_equal(entry_key(entry), name));
        assert_true(slice_equal(got.body, value.body));
        assert_true(slice_equal(got.complement, value.complement));
        assert_int_equal(got.schema, value.schema);
        assert_int_equal(got.version, value.version);
        assert_int_equal(entry_expiry_ms(entry), expiry_ms);
        uint64_t revision = entry_revision(entry);
        value.body = slice_make("changed", 7);
        assert_true(keyspace_set_locked(keyspace, &key, &value, expiry_ms));
        assert_true(entry_revision(keyspace_find_locked(keyspace, &key, NOW)) != revision);
        keyspace_unlock(keyspace, &key, 1);
    }
}

static void
an_entry_expires_after_its_time_not_at_it(void **state)
{
    struct keyspace *keyspace = *state;
    assert_true(set_in(keyspace, 0, "a", "one", NOW));
    assert_int_equal(keyspace_expiring_count(keyspace, 0), 1);
    assert_int_equal(keyspace_average_ttl_ms(keyspace, 0, NOW - 1000) / 16, 1000 / 16);
    assert_string_equal(get_in(keyspace, 0, "a", NOW), "one");
    assert_int_equal(keyspace_expire_some(keyspace, NOW, 100), 0);
    assert_false(delete_in(keyspace, 0, "a", NOW + 1));
    assert_int_equal(keyspace_size(keyspace, 0), 0);
    assert_int_equal(keyspace_expiring_count(keyspace, 0), 0);
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    assert_int_equal(stats.expired, 1);
}

static void
active_expiry_finds_exactly_what_is_due(void **state)
{
    struct keyspace *keyspace = *state;
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "key:%d", i);
        assert_true(
            set_in(keyspace, (uint32_t)i % 3, name, "value", i % 10 == 0 ? NONE : NOW + i));
    }
    int due = 0;
    for (int64_t now_ms = NOW; now_ms <= NOW + 3100; now_ms += 50) {
        size_t removed;
        int total = 0;
        while ((removed = keyspace_expire_some(keyspace, now_ms, 7)) > 0)
            total += (int)removed;
        /* A round may see only entries whose life was extended: once more. */
        for (int i = 0; i < 2000; i++)
            total += (int)keyspace_expire_some(keyspace, now_ms, 7);
        int expected = 0;
        for (int i = due; i < 3000 && NOW + i < now_ms; i++, due++)
            expected += i % 10 != 0;
        assert_int_equal(total, expected);
    }
    assert_int_equal(keyspace_size(keyspace, 0) + keyspace_size(keyspace, 1) +
                         keyspace_size(keyspace, 2),
                     300);
}

static void
an_expiry_is_set_moved_and_cleared(void **state)
{
    struct keyspace *keyspace = *state;
    struct key key = key_in(keyspace, 0, "a");
    keyspace_lock(keyspace, &key, 1);
    assert_false(keyspace_expire_locked(keyspace, &key, NOW));
    keyspace_unlock(keyspace, &key, 1);
    assert_true(set_in(keyspace, 0, "a", "one", NONE));
    static const int64_t expiries[] = {1700000000500, 1700000001000, NONE, 1700000000700};
    for (size_t i = 0; i < 4; i++) {
        keyspace_lock(keyspace, &key, 1);
        assert_true(keyspace_expire_locked(keyspace, &key, expiries[i]));
        struct entry *entry = keyspace_peek_locked(keyspace, &key, NOW);
        assert_int_equal(entry_expiry_ms(entry), expiries[i]);
        keyspace_unlock(keyspace, &key, 1);
        assert_int_equal(keyspace_expiring_count(keyspace, 0), expiries[i] != NONE);
        assert_string_equal(get_in(keyspace, 0, "a", NOW), "one");
    }
    assert_int_equal(keyspace_expire_some(keyspace, NOW + 600, 100), 0);
    assert_int_equal(keyspace_expire_some(keyspace, NOW + 701, 100), 1);
}

static void
a_value_may_be_made_of_bytes_of_the_entry_it_replaces(void **state)
{
    struct keyspace *keyspace = *state;
    struct key key = key_in(keyspace, 0, "a");
    keyspace_lock(keyspace, &key, 1);
    for (int round = 0; round < 2; round++) {
        struct value value = {.body = SLICE("0123456789abcdefghijklmnopqrstuvwxyz"),
                              .complement = slice_make("COMPLEMENT", round ? 10 : 0),
                              .schema = 1,
                              .version = 1};
        assert_true(keyspace_set_locked(keyspace, &key, &value, NONE));
        struct entry *entry = keyspace_find_locked(keyspace, &key, NOW);
        entry_value(entry, &value);
        struct key own = key;
        own.name = entry_key(entry);
        value.body = slice_make(value.body.data + 3, value.body.size - 3);
        if (round)
            value.complement = slice_make(value.complement.data + 4, 12);
        assert_true(keyspace_set_locked(keyspace, &own, &value, NOW + round));
        entry = keyspace_find_locked(keyspace, &key, NOW);
        entry_value(entry, &value);
        assert_true(slice_equal(value.body, SLICE_OF("3456789abcdefghijklmnopqrstuvwxyz")));
        if (round)
            assert_true(slice_equal(value.complement, SLICE_OF("LEMENT012345")));
    }
    keyspace_unlock(keyspace, &key, 1);
}

static void
a_rebase_is_seen_by_nobody_but_the_census(void **state)
{
    struct keyspace *keyspace = *state;
    struct key key = key_in(keyspace, 0, "a");
    struct value value = {.body = SLICE("old"), .schema = 7, .version = 1};
    atomic_bool dirty = false;
    struct watch node;
    uint64_t records;
    uint64_t complements;
    keyspace_lock(keyspace, &key, 1);
    assert_true(keyspace_set_locked(keyspace, &key, &value, NOW + 9));
    uint64_t revision = entry_revision(keyspace_find_locked(keyspace, &key, NOW));
    assert_true(keyspace_watch_locked(keyspace, &node, &key, &dirty));
    value = (struct value){.body = SLICE("new and longer"),
                           .complement = SLICE("rest"),
                           .schema = 7,
                           .version = 2};
    assert_true(keyspace_rebase_locked(keyspace, &key, &value));
    struct entry *entry = keyspace_peek_locked(keyspace, &key, NOW + 5000 - 4999);
    assert_int_equal(entry_revision(entry), revision);
    assert_int_equal(entry_expiry_ms(entry), NOW + 9);
    assert_int_equal(entry_idle_s(entry, NOW + 5000), 5);
    struct value got;
    entry_value(entry, &got);
    assert_true(slice_equal(got.body, value.body));
    assert_true(slice_equal(got.complement, value.complement));
    assert_false(dirty);
    keyspace_unwatch_locked(keyspace, &node);
    keyspace_unlock(keyspace, &key, 1);
    keyspace_census(keyspace, 7, 1, &records, &complements);
    assert_int_equal(records, 0);
    keyspace_census(keyspace, 7, 2, &records, &complements);
    assert_int_equal(records, 1);
    assert_int_equal(complements, 1);
    assert_string_equal(get_in(keyspace, 0, "a", NOW), "new and longer");
    flush(keyspace, 0);
    keyspace_census(keyspace, 7, 2, &records, &complements);
    assert_int_equal(records, 0);
    assert_int_equal(complements, 0);
}

static void
moving_takes_value_expiry_and_version_along(void **state)
{
    struct keyspace *keyspace = *state;
    struct key from = key_in(keyspace, 0, "from");
    struct value value = {
        .body = SLICE("body"), .complement = SLICE("rest"), .schema = 3, .version = 4};
    keyspace_lock(keyspace, &from, 1);
    assert_true(keyspace_set_locked(keyspace, &from, &value, NOW + 77));
    keyspace_unlock(keyspace, &from, 1);
    assert_true(set_in(keyspace, 0, "to", "replaced", NONE));
    move_in(keyspace, "from", "copy", true);
    move_in(keyspace, "from", "to", false);
    move_in(keyspace, "to", "to", false);
    assert_string_equal(get_in(keyspace, 0, "from", NOW), "-");
    assert_string_equal(get_in(keyspace, 0, "copy", NOW), "body");
    struct key to = key_in(keyspace, 0, "to");
    keyspace_lock(keyspace, &to, 1);
    struct entry *entry = keyspace_peek_locked(keyspace, &to, NOW);
    entry_value(entry, &value);
    assert_true(slice_equal(value.body, SLICE_OF("body")));
    assert_true(slice_equal(value.complement, SLICE_OF("rest")));
    assert_int_equal(value.schema, 3);
    assert_int_equal(value.version, 4);
    assert_int_equal(entry_expiry_ms(entry), NOW + 77);
    keyspace_unlock(keyspace, &to, 1);
    uint64_t records;
    uint64_t complements;
    keyspace_census(keyspace, 3, 4, &records, &complements);
    assert_int_equal(records, 2);
    assert_int_equal(complements, 2);
}

static size_t
used(struct keyspace *keyspace)
{
    struct keyspace_stats stats;
    keyspace_stats(keyspace, &stats);
    return (size_t)stats.memory_size;
}

/* A hash with a schema, packed and not: set, rebased, moved, copied; any allocation may fail.
 */
static void
a_hash_is_a_record_like_a_string(void **state)
{
    struct keyspace *keyspace = *state;
    char large[4 + 200];
    memcpy(large, "\1f\xc8\1", 4);
    memset(large + 4, 'x', 200);
    const struct slice bodies[] = {SLICE_OF("\1a\1b\2cd\0"), slice_make(large, sizeof(large))};
    const struct key from = key_in(keyspace, 0, "from");
    const struct key to = key_in(keyspace, 1, "to");
    struct arena arena;
    arena_init(&arena, 0);
    size_t empty = 0;
    for (size_t i = 0; i < 2; i++) {
        struct value value = {.body = bodies[i],
                              .complement = SLICE("rest"),
                              .schema = 3,
                              .version = 1,
                              .is_hash = true};
        keyspace_lock_all(keyspace);
        bool done = false;
        for (int64_t n = 1; !done; n++) {
            memory_fail_at(n);
            done = keyspace_set_locked(keyspace, &from, &value, NOW + 9);
            memory_fail_at(0);
        }
        value.version = 2;
        value.complement = SLICE_OF("");
        for (done = false; !done;) {
            done = keyspace_rebase_locked(keyspace, &from, &value);
        }
        done = false;
        for (int64_t n = 1; !done; n++) {
            memory_fail_at(n);
            done = keyspace_move_locked(keyspace, &from, &to, i == 0);
            memory_fail_at(0);
        }
        struct value got;
        struct entry *entry = keyspace_peek_locked(keyspace, &to, NOW);
        assert_int_equal(entry_type(entry), ENTRY_HASH);
        assert_int_equal(entry_expiry_ms(entry), NOW + 9);
        assert_true(entry_record(entry, &arena, &got));
        assert_true(slice_equal(got.body, bodies[i]));
        assert_int_equal(got.complement.size, 0);
        assert_int_equal(got.schema, 3);
        assert_int_equal(got.version, 2);
        assert_int_equal(hash_is_packed(entry_hash(entry)), i == 0);
        keyspace_unlock_all(keyspace);
        uint64_t records;
        uint64_t complements;
        keyspace_census(keyspace, 3, 2, &records, &complements);
        assert_int_equal(records, i == 0 ? 2 : 1);
        assert_int_equal(complements, 0);
        keyspace_lock_all(keyspace);
        assert_int_equal(keyspace_delete_locked(keyspace, &from, NOW), i == 0);
        assert_true(keyspace_delete_locked(keyspace, &to, NOW));
        keyspace_unlock_all(keyspace);
        keyspace_census(keyspace, 3, 2, &records, &complements);
        assert_int_equal(records, 0);
        empty = i == 0 ? used(keyspace) : empty;
        assert_int_equal(used(keyspace), empty);
    }
    arena_fini(&arena);
}

static void
fill_hash(struct keyspace *keyspace, const struct key *key, int fields)
{
    struct entry *entry = keyspace_add_hash_locked(keyspace, key, 0, 0);
    assert_non_null(entry);
    for (int i = 0; i < fields; i++) {
        char field[32];
        snprintf(field, sizeof(field), "field:%d", i);
        assert_int_equal(
            hash_set(entry_hash(entry), slice_from_string(field), slice_from_string(field)),
            HASH_ADDED);
    }
    keyspace_changed_locked(keyspace, key);
}

static void
a_hash_is_moved_copied_charged_and_freed_in_slices(void **state)
{
    struct keyspace *keyspace = *state;
    assert_true(set_in(keyspace, 0, "warm", "up", NONE));
    assert_true(delete_in(keyspace, 0, "warm", NOW));
    for (int fields = 3; fields <= 3000; fields *= 10) {
        struct key key = key_in(keyspace, 0, "hash");
        keyspace_lock(keyspace, &key, 1);
        fill_hash(keyspace, &key, fields);
        struct entry *entry = keyspace_peek_locked(keyspace, &key, NOW);
        uint64_t revision = entry_revision(entry);
        uint64_t memory = entry_memory(entry);
        assert_true(memory_of(keyspace) > memory && memory_of(keyspace) < memory + 2000);
        assert_true(keyspace_expire_locked(keyspace, &key, NOW + 5));
        assert_ptr_equal(entry, keyspace_peek_locked(keyspace, &key, NOW));
        keyspace_changed_locked(keyspace, &key);
        assert_true(entry_revision(entry) != revision);
        keyspace_unlock(keyspace, &key, 1);

        move_in(keyspace, "hash", "copy", true);
        move_in(keyspace, "hash", "moved", false);
        assert_true(set_in(keyspace, 0, "string", "value", NONE));
        move_in(keyspace, "string", "copy", false);
        assert_string_equal(get_in(keyspace, 0, "copy", NOW), "value");
        struct key moved = key_in(keyspace, 0, "moved");
        keyspace_lock(keyspace, &moved, 1);
        entry = keyspace_peek_locked(keyspace, &moved, NOW);
        assert_int_equal(hash_size(entry_hash(entry)), fields);
        assert_int_equal(entry_expiry_ms(entry), NOW + 5);
        keyspace_unlock(keyspace, &moved, 1);
        assert_true(set_in(keyspace, 0, "moved", "string", NONE));
        while (keyspace_free_some(keyspace, 50))
            ;
        assert_true(memory_of(keyspace) < 3000);
        assert_true(delete_in(keyspace, 0, "copy", NOW));
        assert_true(delete_in(keyspace, 0, "moved", NOW));
    }
}

static void
flushing_frees_in_slices_and_leaves_other_databases(void **state)
{
    struct keyspace *keyspace = *state;
    uint64_t empty = memory_of(keyspace);
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "key:%d", i);
        assert_true(set_in(keyspace, 0, name, "value", NOW));
        assert_true(set_in(keyspace, 1, name, "value", NONE));
    }
    struct key key = key_in(keyspace, 0, "hash");
    keyspace_lock(keyspace, &key, 1);
    fill_hash(keyspace, &key, 5000);
    keyspace_unlock(keyspace, &key, 1);
    keyspace_lock_all(keyspace);
    keyspace_flush_locked(keyspace, 0);
    keyspace_unlock_all(keyspace);
    assert_int_equal(keyspace_size(keyspace, 0), 0);
    assert_int_equal(keyspace_expiring_count(keyspace, 0), 0);
    assert_int_equal(keyspace_size(keyspace, 1), 1000);
    uint64_t before = memory_of(keyspace);
    int slices = 0;
    while (keyspace_free_some(keyspace, 100))
        slices++;
    assert_in_range(slices, 55, 65);
    assert_true(memory_of(keyspace) < before);
    assert_string_equal(get_in(keyspace, 1, "key:5", NOW), "value");
    assert_true(set_in(keyspace, 0, "key:5", "again", NONE));
    flush(keyspace, UINT32_MAX);
    assert_int_equal(keyspace_size(keyspace, 0) + keyspace_size(keyspace, 1), 0);
    assert_int_equal(memory_of(keyspace), empty);
}

static void
databases_swap_with_all_they_hold(void **state)
{
    struct keyspace *keyspace = *state;
    assert_true(set_in(keyspace, 0, "a", "zero", NOW));
    assert_true(set_in(keyspace, 2, "b", "two", NONE));
    atomic_bool dirty[3] = {false, false, false};
    struct watch nodes[3];
    const char *names[3] = {"a", "b", "neither"};
    keyspace_lock_all(keyspace);
    for (int i = 0; i < 3; i++) {
        struct key key = key_in(keyspace, 2, names[i]);
        assert_true(keyspace_watch_locked(keyspace, &nodes[i], &key, &dirty[i]));
    }
    keyspace_swap_locked(keyspace, 0, 2);
    keyspace_swap_locked(keyspace, 1, 3);
    for (int i = 0; i < 3; i++)
        keyspace_unwatch_locked(keyspace, &nodes[i]);
    keyspace_unlock_all(keyspace);
    assert_true(dirty[0]);
    assert_true(dirty[1]);
    assert_false(dirty[2]);
    assert_string_equal(get_in(keyspace, 2, "a", NOW), "zero");
    assert_string_equal(get_in(keyspace, 0, "b", NOW), "two");
    assert_int_equal(keyspace_expire_some(keyspace, NOW + 1, 10), 1);
}

/* One watched key and what is done to it: each must mark the watcher of "a", no other. */
enum deed {
    SET,
    OVERWRITE,
    DELETE,
    EXPIRE,
    LAPSE,
    MOVE_FROM,
    MOVE_TO,
    HASH,
    FLUSH,
    DEED_COUNT
};

static void
do_deed(struct keyspace *keyspace, enum deed deed)
{
    struct key key = key_in(keyspace, 0, "a");
    switch (deed) {
    case SET:
    case OVERWRITE:
        assert_true(set_in(keyspace, 0, "a", "later", NONE));
        break;
    case DELETE:
        assert_true(delete_in(keyspace, 0, "a", NOW));
        break;
    case EXPIRE:
        keyspace_lock(keyspace, &key, 1);
        assert_true(keyspace_expire_locked(keyspace, &key, NOW + 50));
        keyspace_unlock(keyspace, &key, 1);
        break;
    case LAPSE:
        assert_int_equal(keyspace_expire_some(keyspace, NOW + 1001, 10), 1);
        break;
    case MOVE_FROM:
        move_in(keyspace, "a", "elsewhere", false);
        break;
    case MOVE_TO:
        move_in(keyspace, "other", "a", false);
        break;
    case HASH:
        keyspace_lock(keyspace, &key, 1);
        fill_hash(keyspace, &key, 1);
        keyspace_unlock(keyspace, &key, 1);
        break;
    case FLUSH:
    case DEED_COUNT:
        flush(keyspace, 0);
    }
}

static void
every_visible_change_marks_the_watchers_of_the_key_and_no_others(void **state)
{
    struct keyspace *keyspace = *state;
    for (enum deed deed = SET; deed < DEED_COUNT; deed++) {
        flush(keyspace, UINT32_MAX);
        if (deed != SET && deed != HASH)
            assert_true(set_in(keyspace, 0, "a", "first", NOW + 1000));
        assert_true(set_in(keyspace, 0, "other", "value", NONE));
        atomic_bool dirty = false;
        atomic_bool dirty_too = false;
        atomic_bool clean = false;
        struct watch nodes[60];
        keyspace_lock_all(keyspace);
        for (int i = 0; i < 60; i++) {
            struct key key = key_in(keyspace, 0, "a");
            char name[16];
            if (i > 1) {
                snprintf(name, sizeof(name), "b%d", i);
                key = key_in(keyspace, i == 2, i == 2 ? "a" : name);
            }
            assert_true(keyspace_watch_locked(keyspace, &nodes[i], &key,
                                              i == 0   ? &dirty
                                              : i == 1 ? &dirty_too
                                                       : &clean));
        }
        keyspace_unlock_all(keyspace);
        do_deed(keyspace, deed);
        assert_true(dirty);
        assert_true(dirty_too);
        assert_false(clean);
        keyspace_lock_all(keyspace);
        for (int i = 0; i < 60; i++)
            keyspace_unwatch_locked(keyspace, &nodes[i]);
        keyspace_unlock_all(keyspace);
    }
}

struct removals {
    int keys;
    int flushes;
    char last[32];
};

static void
on_remove(void *context, uint32_t db, const struct key *key)
{
    struct removals *removals = context;
    if (key == NULL) {
        removals->flushes++;
        return;
    }
    assert_int_equal(db, key->db);
    removals->keys++;
    memcpy(removals->last, key->name.data, key->name.size);
    removals->last[key->name.size] = 0;
}

static void
the_remove_hook_is_called_while_its_gate_is_open(void **state)
{
    struct keyspace *keyspace = *state;
    atomic_size_t gate = 0;
    struct removals removals = {0};
    keyspace_set_remove_hook(keyspace, &gate, on_remove, &removals);
    assert_true(set_in(keyspace, 0, "a", "one", NONE));
    assert_true(delete_in(keyspace, 0, "a", NOW));
    assert_int_equal(removals.keys, 0);
    gate = 1;
    assert_true(set_in(keyspace, 0, "a", "one", NONE));
    assert_true(set_in(keyspace, 0, "a", "two", NOW));
    assert_int_equal(removals.keys, 0);
    assert_int_equal(keyspace_expire_some(keyspace, NOW + 1, 10), 1);
    assert_int_equal(removals.keys, 1);
    assert_string_equal(removals.last, "a");
    assert_true(set_in(keyspace, 0, "b", "one", NONE));
    move_in(keyspace, "b", "c", false);
    assert_int_equal(removals.keys, 2);
    assert_string_equal(removals.last, "b");
    assert_true(delete_in(keyspace, 0, "c", NOW));
    assert_int_equal(removals.keys, 3);
    flush(keyspace, 0);
    assert_int_equal(removals.flushes, 1);
    assert_int_equal(removals.keys, 3);
}

static bool
tag_even(void *context, const struct entry *entry, uint32_t *ret_schema, uint32_t *ret_version)
{
    (void)context;
    struct slice name = entry_key(entry);
    *ret_schema = 9;
    *ret_version = 1;
    return (name.data[name.size - 1] - '0') % 2 == 0;
}

static void
a_retag_gives_plain_strings_a_schema(void **state)
{
    struct keyspace *keyspace = *state;
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "key:%d", i);
        assert_true(set_in(keyspace, 0, name, name, i % 3 == 0 ? NOW + 5 : NONE));
    }
    uint64_t cursor = 0;
    int rounds = 0;
    bool done;
    do {
        if (rounds++ % 3 == 0)
            memory_fail_at(2);
        done = keyspace_retag(keyspace, 0, &cursor, 20, NOW, tag_even, NULL);
    } while (!done || cursor != 0);
    memory_fail_at(0);
    uint64_t records;
    uint64_t complements;
    keyspace_census(keyspace, 9, 1, &records, &complements);
    assert_int_equal(records, 500);
    assert_int_equal(complements, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "key:%d", i);
        assert_string_equal(get_in(keyspace, 0, name, NOW), name);
        assert_string_equal(get_in(keyspace, 0, name, NOW + 6), i % 3 == 0 ? "-" : name);
    }
}

static void
any_live_key_is_drawn_about_as_often_as_any_other(void **state)
{
    struct keyspace *keyspace = *state;
    struct buffer name;
    buffer_init(&name, 0);
    assert_false(keyspace_random(keyspace, 0, 1, NOW, false, &name));
    char text[32];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_true(set_in(keyspace, 0, text, text, i < 50 ? NOW : NONE));
    }
    int drawn[100] = {0};
    uint64_t random = 42;
    for (int i = 0; i < 50000; i++) {
        buffer_clear(&name);
        random = random * 6364136223846793005u + 1442695040888963407u;
        assert_true(keyspace_random(keyspace, 0, random, NOW + 1, false, &name));
        buffer_append_char(&name, 0);
        drawn[atoi(name.data)]++;
    }
    for (int i = 0; i < 100; i++) {
        if (i < 50)
            assert_int_equal(drawn[i], 0);
        else
            assert_in_range(drawn[i], 800, 1200);
    }
    buffer_fini(&name);
}

/* Each mutator with the N-th allocation failing, for N = 1, 2, ... until it succeeds. */
static bool
mutate(struct keyspace *keyspace, int which)
{
    struct key a = key_in(keyspace, 0, "a");
    struct key b = key_in(keyspace, 0, which == 6 ? "h" : "b");
    struct key new_key = key_in(keyspace, 3, "new");
    char text[100];
    memset(text, 'y', sizeof(text));
    struct value value = {
        .body = slice_make(text, 100), .complement = SLICE("rest"), .schema = 5, .version = 6};
    switch (which) {
    case 0:
        return keyspace_set_locked(keyspace, &a, &value, NOW);
    case 1:
        return keyspace_set_locked(keyspace, &new_key, &value, NOW);
    case 2:
        return keyspace_rebase_locked(keyspace, &a, &value);
    case 3:
        return keyspace_add_hash_locked(keyspace, &new_key, 0, 0) != NULL;
    case 4:
        return keyspace_expire_locked(keyspace, &a, NOW);
    case 5:
        return keyspace_move_locked(keyspace, &a, &new_key, false);
    default:
        return keyspace_move_locked(keyspace, &b, &new_key, which == 6);
    }
}

static void
every_mutator_leaves_the_keyspace_unchanged_when_any_allocation_fails(void **state)
{
    (void)state;
    for (int which = 0; which <= 7; which++) {
        for (int64_t n = 1;; n++) {
            struct keyspace *keyspace = keyspace_with(2);
            assert_true(set_in(keyspace, 0, "a", "one", NONE));
            assert_true(set_in(keyspace, 0, "b", "two", NONE));
            struct key hash = key_in(keyspace, 0, "h");
            keyspace_lock_all(keyspace);
            fill_hash(keyspace, &hash, 300);
            uint64_t size = keyspace_size(keyspace, 0) + keyspace_size(keyspace, 3);
            memory_fail_at(n);
            bool done = mutate(keyspace, which);
            bool failed = memory_fail_at(0) == 0;
            struct key key = key_in(keyspace, 3, "new");
            bool there = keyspace_peek_locked(keyspace, &key, NOW) != NULL;
            keyspace_unlock_all(keyspace);
            if (!done) {
                assert_true(failed);
                assert_false(there);
                assert_int_equal(keyspace_size(keyspace, 0) + keyspace_size(keyspace, 3), size);
                assert_int_equal(keyspace_expiring_count(keyspace, 0), 0);
                assert_string_equal(get_in(keyspace, 0, "a", NOW), "one");
                assert_string_equal(get_in(keyspace, 0, "b", NOW), "two");
                uint64_t records;
                uint64_t complements;
                keyspace_census(keyspace, 5, 6, &records, &complements);
                assert_int_equal(records, 0);
            }
            keyspace_free(keyspace);
            if (!failed)
                break;
        }
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_set_is_found_until_it_is_deleted),
        TEST(every_part_of_a_value_comes_back_through_all_layouts),
        TEST(an_entry_expires_after_its_time_not_at_it),
        TEST(active_expiry_finds_exactly_what_is_due),
        TEST(an_expiry_is_set_moved_and_cleared),
        TEST(a_value_may_be_made_of_bytes_of_the_entry_it_replaces),
        TEST(a_rebase_is_seen_by_nobody_but_the_census),
        TEST(moving_takes_value_expiry_and_version_along),
        TEST(a_hash_is_moved_copied_charged_and_freed_in_slices),
        TEST(flushing_frees_in_slices_and_leaves_other_databases),
        TEST(databases_swap_with_all_they_hold),
        TEST(every_visible_change_marks_the_watchers_of_the_key_and_no_others),
        TEST(the_remove_hook_is_called_while_its_gate_is_open),
        TEST(a_retag_gives_plain_strings_a_schema),
        TEST(any_live_key_is_drawn_about_as_often_as_any_other),
        TEST(a_hash_is_a_record_like_a_string),
        cmocka_unit_test(every_mutator_leaves_the_keyspace_unchanged_when_any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
