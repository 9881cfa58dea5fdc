#include "server/store/keyspace_parts.h"

#include "proto/base/check.h"
#include "server/store/dictionaries.h"
#include "server/store/eviction.h"
#include "server/store/frequency.h"
#include "server/store/hash_life.h"
#include "server/store/splitmix.h"

enum { SHARD_COUNT_LOG2_MAX = 10, WORD_BITS = 64, CHARGE_STEP = 64 * 1024 };

/* Life. */

struct keyspace *
keyspace_new(const struct keyspace_options *options)
{
    CHECK(options->shard_count_log2 <= SHARD_COUNT_LOG2_MAX);
    CHECK(options->database_count >= 1 && options->database_count <= UINT16_MAX);
    struct keyspace *keyspace = memory_alloc_lines(sizeof(*keyspace));
    if (keyspace == NULL)
        return NULL;
    *keyspace = (struct keyspace){
        .shard_count_log2 = options->shard_count_log2,
        .shard_count = (uint32_t)1 << options->shard_count_log2,
        .database_count = options->database_count,
        .hash_seed = options->hash_seed,
    };
    keyspace->shards = memory_alloc_lines(keyspace->shard_count * sizeof(struct shard));
    if (keyspace->shards == NULL)
        goto fail_shards;
    keyspace->databases =
        memory_alloc(options->database_count * sizeof(keyspace->databases[0]));
    if (keyspace->databases == NULL)
        goto fail_databases;
    keyspace->dictionaries = dictionaries_new();
    if (keyspace->dictionaries == NULL)
        goto fail_dictionaries;
    for (uint32_t db = 0; db < options->database_count; db++)
        atomic_init(&keyspace->databases[db], NULL);
    for (uint32_t i = 0; i < keyspace->shard_count; i++) {
        shard_init(&keyspace->shards[i]);
        keyspace->shards[i].random = options->hash_seed + i;
    }
    hash_seed(options->hash_seed);
    atomic_store(&keyspace->charge.step, CHARGE_STEP);
    atomic_store(&keyspace->clock_s, (uint32_t)(options->now_ms / 1000));
    keyspace_set_eviction(keyspace, &(struct eviction_options){.policy = EVICTION_NONE,
                                                               .samples = 5,
                                                               .lfu_log_factor = 10,
                                                               .lfu_decay_minutes = 1});
    return keyspace;

fail_dictionaries:
    memory_free(keyspace->databases);
fail_databases:
    memory_free(keyspace->shards);
fail_shards:
    memory_free(keyspace);
    return NULL;
}

void
keyspace_free(struct keyspace *keyspace)
{
    if (keyspace == NULL)
        return;
    for (uint32_t db = 0; db < keyspace->database_count; db++) {
        struct partition *row = atomic_load(&keyspace->databases[db]);
        for (uint32_t i = 0; row != NULL && i < keyspace->shard_count; i++)
            partition_fini(&row[i]);
        memory_free(row);
    }
    while (keyspace_free_some(keyspace, SIZE_MAX))
        ;
    CHECK(atomic_load(&keyspace->detached_size) == 0);
    for (uint32_t i = 0; i < keyspace->shard_count; i++)
        shard_fini(&keyspace->shards[i]);
    dictionaries_free(keyspace->dictionaries);
    memory_free(keyspace->databases);
    memory_free(keyspace->shards);
    memory_free(keyspace);
}

struct dictionaries *
keyspace_dictionaries(const struct keyspace *keyspace)
{
    return keyspace->dictionaries;
}

void
keyspace_set_remove_hook(struct keyspace *keyspace, const atomic_size_t *gate,
                         keyspace_on_remove *on_remove, void *context)
{
    keyspace->remove_gate = gate;
    keyspace->on_remove = on_remove;
    keyspace->remove_context = context;
}

struct key
keyspace_key(const struct keyspace *keyspace, uint32_t db, struct slice name)
{
    CHECK(db < keyspace->database_count);
    uint64_t hash = partition_hash(name, keyspace->hash_seed);
    /* Two shifts: shifting by all 64 bits is undefined. */
    uint32_t shard = (uint32_t)(hash >> 1 >> (63 - keyspace->shard_count_log2));
    return (struct key){.name = name, .hash = hash, .shard = shard, .db = db};
}

/* Locks. */

static void
free_garbage(struct keyspace *keyspace, struct entry_list garbage)
{
    struct entry *entry;
    while ((entry = entry_list_pop(&garbage)) != NULL) {
        if (entry_is_large(entry)) {
            atomic_fetch_add(&keyspace->detached_size, entry_memory(entry));
            lock_take(&keyspace->detached_lock);
            entry_list_push(&keyspace->large, entry);
            lock_give(&keyspace->detached_lock);
        } else {
            entry_free(entry);
        }
    }
}

void
keyspace_lock_shard(struct keyspace *keyspace, uint32_t index)
{
    shard_lock(&keyspace->shards[index]);
}

void
keyspace_unlock_shard(struct keyspace *keyspace, uint32_t index)
{
    struct entry_list garbage = shard_unlock(&keyspace->shards[index]);
    if (garbage.first != NULL)
        free_garbage(keyspace, garbage);
}

void
shard_set_clear(struct shard_set *set)
{
    *set = (struct shard_set){.words = {0}};
}

void
shard_set_add(struct shard_set *set, const struct key *key)
{
    set->words[key->shard / WORD_BITS] |= (uint64_t)1 << key->shard % WORD_BITS;
}

void
shard_set_add_all(struct shard_set *set, const struct keyspace *keyspace)
{
    for (uint32_t i = 0; i < keyspace->shard_count; i += WORD_BITS) {
        uint32_t left = keyspace->shard_count - i;
        set->words[i / WORD_BITS] = left >= WORD_BITS ? UINT64_MAX : ((uint64_t)1 << left) - 1;
    }
}

static uint32_t
word_count(const struct keyspace *keyspace)
{
    return (keyspace->shard_count + WORD_BITS - 1) / WORD_BITS;
}

void
keyspace_lock_set(struct keyspace *keyspace, const struct shard_set *set)
{
    for (uint32_t i = 0; i < word_count(keyspace); i++) {
        for (uint64_t bits = set->words[i]; bits != 0; bits &= bits - 1)
            keyspace_lock_shard(keyspace, i * WORD_BITS + (uint32_t)__builtin_ctzll(bits));
    }
}

void
keyspace_unlock_set(struct keyspace *keyspace, const struct shard_set *set)
{
    struct entry_list all = {NULL};
    for (uint32_t i = 0; i < word_count(keyspace); i++) {
        for (uint64_t bits = set->words[i]; bits != 0; bits &= bits - 1) {
            uint32_t index = i * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
            struct entry_list garbage = shard_unlock(&keyspace->shards[index]);
            struct entry *entry;
            while ((entry = entry_list_pop(&garbage)) != NULL)
                entry_list_push(&all, entry);
        }
    }
    free_garbage(keyspace, all);
}

static void
set_of(const struct key *keys, size_t count, struct shard_set *ret_set)
{
    shard_set_clear(ret_set);
    for (size_t i = 0; i < count; i++)
        shard_set_add(ret_set, &keys[i]);
}

void
keyspace_lock(struct keyspace *keyspace, const struct key *keys, size_t count)
{
    if (count == 1) {
        shard_lock(&keyspace->shards[keys[0].shard]);
        return;
    }
    struct shard_set set;
    set_of(keys, count, &set);
    keyspace_lock_set(keyspace, &set);
}

void
keyspace_unlock(struct keyspace *keyspace, const struct key *keys, size_t count)
{
    if (count == 1) {
        keyspace_unlock_shard(keyspace, keys[0].shard);
        return;
    }
    struct shard_set set;
    set_of(keys, count, &set);
    keyspace_unlock_set(keyspace, &set);
}

void
keyspace_lock_all(struct keyspace *keyspace)
{
    struct shard_set set;
    shard_set_add_all(&set, keyspace);
    keyspace_lock_set(keyspace, &set);
}

void
keyspace_unlock_all(struct keyspace *keyspace)
{
    struct shard_set set;
    shard_set_add_all(&set, keyspace);
    keyspace_unlock_set(keyspace, &set);
}

/* Single keys. */

static struct shard *
shard_of(struct keyspace *keyspace, const struct key *key)
{
    return &keyspace->shards[key->shard];
}

/* The partition of <key>, made when there is none; NULL without memory. */
static struct partition *
partition_make(struct keyspace *keyspace, const struct key *key)
{
    struct partition *partition = keyspace_partition(keyspace, key->db, key->shard);
    if (partition != NULL)
        return partition;
    struct partition *made = memory_alloc_lines(keyspace->shard_count * sizeof(*made));
    if (made == NULL)
        return NULL;
    for (uint32_t i = 0; i < keyspace->shard_count; i++)
        partition_init(&made[i], keyspace->hash_seed, &keyspace->charge);
    uint_least32_t end = atomic_load(&keyspace->database_end);
    while (end <= key->db &&
           !atomic_compare_exchange_weak(&keyspace->database_end, &end, key->db + 1))
        ;
    struct partition *there = NULL;
    if (!atomic_compare_exchange_strong(&keyspace->databases[key->db], &there, made))
        memory_free(made); /* the holder of another shard's lock was faster */
    return keyspace_partition(keyspace, key->db, key->shard);
}

/* The partition and slot of a key that is there; false: it is not. */
static inline bool
locate(struct keyspace *keyspace, const struct key *key, struct partition **ret_partition,
       void ***ret_slot)
{
    struct partition *partition = keyspace_partition(keyspace, key->db, key->shard);
    void **slot = partition != NULL ? partition_find(partition, key) : NULL;
    if (slot == NULL)
        return false;
    *ret_partition = partition;
    *ret_slot = slot;
    return true;
}

static void
mark(struct keyspace *keyspace, const struct key *key)
{
    watch_table_mark(&shard_of(keyspace, key)->watches, key);
}

static void
call_remove_hook(struct keyspace *keyspace, uint32_t db, const struct key *key)
{
    if (keyspace->on_remove != NULL &&
        atomic_load_explicit(keyspace->remove_gate, memory_order_acquire) != 0)
        keyspace->on_remove(keyspace->remove_context, db, key);
}

/* <key> may lie in <entry>: it dies here. */
static void
bury(struct keyspace *keyspace, const struct key *key, struct entry *entry)
{
    entry_list_push(&shard_of(keyspace, key)->garbage, entry);
}

static void
drop(struct keyspace *keyspace, struct partition *partition, const struct key *key, void **slot)
{
    mark(keyspace, key);
    call_remove_hook(keyspace, key->db, key);
    bury(keyspace, key, partition_take(partition, key->hash, slot));
}

void
keyspace_drop_expired_locked(struct keyspace *keyspace, struct partition *partition,
                             const struct key *key, void **slot)
{
    counter_add(&shard_of(keyspace, key)->expired, 1);
    drop(keyspace, partition, key, slot);
}

void
keyspace_drop_evicted_locked(struct keyspace *keyspace, struct partition *partition,
                             const struct key *key, void **slot)
{
    counter_add(&shard_of(keyspace, key)->evicted, 1);
    drop(keyspace, partition, key, slot);
}

static uint32_t
next_revision(struct keyspace *keyspace, const struct key *key)
{
    return ++shard_of(keyspace, key)->revision;
}

static void
see_clock(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    shard_of(keyspace, key)->clock_s = (uint32_t)(now_ms / 1000);
}

/* For entries written by calls that are not told the time: the later of two that were told. */
static uint32_t
guess_clock(struct keyspace *keyspace, const struct key *key)
{
    uint32_t own = shard_of(keyspace, key)->clock_s;
    uint32_t all = atomic_load_explicit(&keyspace->clock_s, memory_order_relaxed);
    return all > own ? all : own;
}

static bool
is_lfu(const struct keyspace *keyspace)
{
    return __builtin_expect(
        atomic_load_explicit(&keyspace->eviction.is_lfu, memory_order_relaxed), 0);
}

static uint32_t
decay_minutes_of(const struct keyspace *keyspace)
{
    return atomic_load_explicit(&keyspace->eviction.lfu_decay_minutes, memory_order_relaxed);
}

/* The access clock of <entry> after an access at <now_s>. */
static uint32_t
clock_after(struct keyspace *keyspace, struct shard *shard, const struct entry *entry,
            uint32_t now_s)
{
    if (!is_lfu(keyspace))
        return now_s;
    uint32_t log_factor =
        atomic_load_explicit(&keyspace->eviction.lfu_log_factor, memory_order_relaxed);
    return frequency_touch(entry_clock(entry), now_s, decay_minutes_of(keyspace), log_factor,
                           splitmix_next(&shard->random));
}

/* The access clock of an entry that is written; <old>: what it replaces, or NULL. */
static uint32_t
clock_written(struct keyspace *keyspace, const struct key *key, const struct entry *old)
{
    uint32_t now_s = guess_clock(keyspace, key);
    if (!is_lfu(keyspace))
        return now_s;
    return old == NULL ? frequency_new(now_s)
                       : clock_after(keyspace, shard_of(keyspace, key), old, now_s);
}

uint32_t
keyspace_frequency(const struct keyspace *keyspace, const struct entry *entry, int64_t now_ms)
{
    return frequency_counter(entry_clock(entry), (uint32_t)(now_ms / 1000),
                             decay_minutes_of(keyspace));
}

void
keyspace_set_idle_locked(struct keyspace *keyspace, struct entry *entry, int64_t idle_s,
                         int64_t now_ms)
{
    if (!is_lfu(keyspace))
        entry_touch(entry, (uint32_t)(now_ms / 1000 - idle_s));
}

void
keyspace_set_frequency_locked(struct keyspace *keyspace, struct entry *entry,
                              uint32_t frequency, int64_t now_ms)
{
    if (is_lfu(keyspace))
        entry_touch(entry, frequency_word(frequency, (uint32_t)(now_ms / 1000)));
}

static inline struct entry *
peek(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    struct partition *partition;
    void **slot;
    see_clock(keyspace, key, now_ms);
    if (!locate(keyspace, key, &partition, &slot))
        return NULL;
    if (__builtin_expect(entry_is_due(*slot, now_ms), 0)) {
        keyspace_drop_expired_locked(keyspace, partition, key, slot);
        partition_adjust(partition);
        return NULL;
    }
    return *slot;
}

struct entry *
keyspace_peek_locked(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    return peek(keyspace, key, now_ms);
}

struct entry *
keyspace_look_locked(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    struct shard *shard = shard_of(keyspace, key);
    struct entry *entry = peek(keyspace, key, now_ms);
    counter_add(entry == NULL ? &shard->misses : &shard->hits, 1);
    return entry;
}

struct entry *
keyspace_find_locked(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    struct shard *shard = shard_of(keyspace, key);
    struct entry *entry = peek(keyspace, key, now_ms);
    if (entry == NULL) {
        counter_add(&shard->misses, 1);
        return NULL;
    }
    counter_add(&shard->hits, 1);
    entry_touch(entry, clock_after(keyspace, shard, entry, shard->clock_s));
    return entry;
}

/* Put <entry> where <slot> is, or in as a new item; what was there is buried. */
static bool
place(struct keyspace *keyspace, struct partition *partition, const struct key *key,
      void **slot, struct entry *entry)
{
    struct entry *old = slot != NULL ? *slot : NULL;
    if (!partition_put(partition, key, slot, entry))
        return false;
    if (old != NULL)
        bury(keyspace, key, old);
    return true;
}

/* The entry that <value> is; NULL without memory. */
static struct entry *
entry_of(struct slice name, const struct value *value, int64_t expiry_ms, uint32_t revision,
         uint32_t clock)
{
    if (__builtin_expect(!value->is_hash, 1))
        return entry_new_string(name, value, expiry_ms, revision, clock);
    struct hash hash;
    if (!hash_read(value->body, &hash))
        return NULL;
    struct entry *entry = entry_new_hash(name, &hash, value, expiry_ms, revision, clock);
    size_t budget = SIZE_MAX;
    (void)hash_free_some(&hash, &budget); /* empty unless there was no memory */
    return entry;
}

bool
keyspace_set_locked(struct keyspace *keyspace, const struct key *key, const struct value *value,
                    int64_t expiry_ms)
{
    struct partition *partition = partition_make(keyspace, key);
    if (partition == NULL || !partition_reserve(partition, value))
        return false;
    uint32_t revision = next_revision(keyspace, key);
    void **slot = partition_find(partition, key);
    uint32_t clock = clock_written(keyspace, key, slot != NULL ? *slot : NULL);
    if (slot != NULL && entry_type(*slot) == ENTRY_STRING && !value->is_hash) {
        struct entry *entry = *slot;
        struct entry_share before;
        entry_share(entry, &before);
        if (entry_overwrite(entry, before.size, value, expiry_ms, revision)) {
            partition_recount(partition, key->hash, &before, entry);
            entry_touch(entry, clock);
            mark(keyspace, key);
            return true;
        }
    }
    struct entry *entry = entry_of(key->name, value, expiry_ms, revision, clock);
    if (entry == NULL)
        return false;
    struct key own = *key; /* the name given may lie in what is replaced */
    own.name = entry_key(entry);
    if (!place(keyspace, partition, &own, slot, entry)) {
        entry_free(entry);
        return false;
    }
    mark(keyspace, &own);
    return true;
}

static char *
edit_new(struct keyspace *keyspace, struct partition *partition, const struct key *key,
         size_t size)
{
    struct entry *entry = entry_new_zeros(key->name, size, clock_written(keyspace, key, NULL));
    if (entry == NULL)
        return NULL;
    if (!place(keyspace, partition, key, NULL, entry)) {
        entry_free(entry);
        return NULL;
    }
    mark(keyspace, key);
    return entry_body(entry);
}

char *
keyspace_edit_locked(struct keyspace *keyspace, const struct key *key, size_t size,
                     size_t zeros_to)
{
    struct partition *partition = partition_make(keyspace, key);
    if (partition == NULL)
        return NULL;
    void **slot = partition_find(partition, key);
    if (slot == NULL)
        return edit_new(keyspace, partition, key, size);
    struct entry *old = *slot;
    struct entry_share before;
    bool grows = size > old->size;
    bool is_copy;
    entry_share(old, &before);
    struct entry *entry = entry_open(old, before.size, size, zeros_to, &is_copy);
    if (entry == NULL)
        return NULL;
    *slot = entry;
    if (is_copy)
        bury(keyspace, key, old);
    if (is_copy || grows)
        partition_recount(partition, key->hash, &before, entry);
    entry_touch(entry, clock_written(keyspace, key, entry));
    mark(keyspace, key);
    return entry_body(entry);
}

bool
keyspace_rebase_locked(struct keyspace *keyspace, const struct key *key,
                       const struct value *value)
{
    struct partition *partition;
    void **slot;
    if (!locate(keyspace, key, &partition, &slot) || !partition_reserve(partition, value))
        return false;
    struct entry *old = *slot;
    int64_t expiry_ms = entry_expiry_ms(old);
    uint32_t revision =
        entry_schema(old) != 0 ? (uint32_t)entry_revision(old) : next_revision(keyspace, key);
    struct entry_share before;
    entry_share(old, &before);
    if (!value->is_hash && entry_overwrite(old, before.size, value, expiry_ms, revision)) {
        partition_recount(partition, key->hash, &before, old);
        return true;
    }
    struct entry *entry = entry_of(key->name, value, expiry_ms, revision, entry_clock(old));
    return entry != NULL && place(keyspace, partition, key, slot, entry);
}

struct entry *
keyspace_add_hash_locked(struct keyspace *keyspace, const struct key *key, uint32_t schema,
                         uint32_t version)
{
    const struct value value = {.schema = schema, .version = version, .is_hash = true};
    struct partition *partition = partition_make(keyspace, key);
    if (partition == NULL || !partition_reserve(partition, &value))
        return NULL;
    CHECK(partition_find(partition, key) == NULL);
    struct hash hash;
    hash_init(&hash);
    struct entry *entry =
        entry_new_hash(key->name, &hash, &value, KEYSPACE_EXPIRY_NONE,
                       next_revision(keyspace, key), clock_written(keyspace, key, NULL));
    if (entry == NULL)
        return NULL;
    if (!place(keyspace, partition, key, NULL, entry)) {
        entry_free(entry);
        return NULL;
    }
    mark(keyspace, key);
    return entry;
}

void
keyspace_changed_locked(struct keyspace *keyspace, const struct key *key)
{
    struct partition *partition;
    void **slot;
    CHECK(locate(keyspace, key, &partition, &slot));
    struct entry_share before;
    entry_share(*slot, &before);
    partition_recount(partition, key->hash, &before, *slot);
    entry_set_revision(*slot, next_revision(keyspace, key));
    mark(keyspace, key);
}

bool
keyspace_delete_locked(struct keyspace *keyspace, const struct key *key, int64_t now_ms)
{
    struct partition *partition;
    void **slot;
    see_clock(keyspace, key, now_ms);
    if (!locate(keyspace, key, &partition, &slot))
        return false;
    bool was_due = entry_is_due(*slot, now_ms);
    if (was_due)
        keyspace_drop_expired_locked(keyspace, partition, key, slot);
    else
        drop(keyspace, partition, key, slot);
    partition_adjust(partition);
    return !was_due;
}

bool
keyspace_expire_locked(struct keyspace *keyspace, const struct key *key, int64_t expiry_ms)
{
    struct partition *partition;
    void **slot;
    if (!locate(keyspace, key, &partition, &slot))
        return false;
    struct entry *old = *slot;
    struct entry_share before;
    entry_share(old, &before);
    if (entry_set_expiry(old, expiry_ms)) {
        partition_recount(partition, key->hash, &before, old);
    } else {
        struct value value;
        entry_value(old, &value);
        /* Of a plain value it would be a hash of the bytes. */
        uint32_t revision = value.schema != 0 ? (uint32_t)entry_revision(old) : 0;
        struct entry *entry =
            entry_new_string(entry_key(old), &value, expiry_ms, revision, entry_clock(old));
        if (entry == NULL)
            return false;
        mark(keyspace, key); /* the name given may lie in what is replaced */
        return place(keyspace, partition, key, slot, entry);
    }
    mark(keyspace, key);
    return true;
}

void
keyspace_hand_fields_over(struct partition *partition, uint64_t hash, struct entry *from,
                          struct entry *to)
{
    struct entry_share before;
    entry_share(to, &before);
    *entry_hash(to) = *entry_hash(from);
    hash_init(entry_hash(from));
    partition_recount(partition, hash, &before, to);
}

bool
keyspace_move_locked(struct keyspace *keyspace, const struct key *from, const struct key *to,
                     bool copy)
{
    struct partition *source;
    void **from_slot;
    CHECK(locate(keyspace, from, &source, &from_slot));
    if (from->db == to->db && from->hash == to->hash && slice_equal(from->name, to->name))
        return true;
    struct entry *old = *from_slot;
    struct partition *target = partition_make(keyspace, to);
    struct value value;
    entry_value(old, &value);
    if (target == NULL || !partition_reserve(target, &value))
        return false;

    int64_t expiry_ms = entry_expiry_ms(old);
    uint32_t revision = next_revision(keyspace, to);
    struct entry *entry;
    if (value.is_hash) {
        struct hash fields;
        hash_init(&fields);
        if (copy && !hash_copy(entry_hash(old), &fields))
            return false;
        entry =
            entry_new_hash(to->name, &fields, &value, expiry_ms, revision, entry_clock(old));
        size_t budget = SIZE_MAX;
        (void)hash_free_some(&fields, &budget); /* empty unless there was no memory */
    } else {
        entry = entry_new_string(to->name, &value, expiry_ms, revision, entry_clock(old));
    }
    if (entry == NULL)
        return false;

    struct key own = *to; /* the name given may lie in what is replaced */
    own.name = entry_key(entry);
    void **to_slot = partition_find(target, &own);
    if (to_slot != NULL)
        call_remove_hook(keyspace, to->db, &own);
    if (!place(keyspace, target, &own, to_slot, entry)) {
        entry_free(entry);
        return false;
    }
    mark(keyspace, &own);
    if (copy)
        return true;

    CHECK(locate(keyspace, from, &source, &from_slot));
    mark(keyspace, from);
    call_remove_hook(keyspace, from->db, from);
    (void)partition_take(source, from->hash, from_slot);
    if (value.is_hash)
        keyspace_hand_fields_over(target, to->hash, old, entry);
    bury(keyspace, from, old);
    partition_adjust(source);
    return true;
}

/* WATCH. */

bool
keyspace_watch_locked(struct keyspace *keyspace, struct watch *node, const struct key *key,
                      atomic_bool *dirty)
{
    return watch_table_add(&shard_of(keyspace, key)->watches, node, key, dirty);
}

void
keyspace_unwatch_locked(struct keyspace *keyspace, struct watch *node)
{
    watch_table_remove(&shard_of(keyspace, &node->key)->watches, node);
}

/* Whole databases. */

static bool
is_there(struct keyspace *keyspace, const struct key *key, uint32_t db)
{
    struct key other = *key;
    struct partition *partition;
    void **slot;
    other.db = db;
    return locate(keyspace, &other, &partition, &slot);
}

struct flush {
    struct keyspace *keyspace;
    uint32_t db; /* or UINT32_MAX */
};

static bool
flush_matches(void *context, const struct key *key)
{
    struct flush *flush = context;
    return (flush->db == UINT32_MAX || flush->db == key->db) &&
           is_there(flush->keyspace, key, key->db);
}

void
keyspace_flush_locked(struct keyspace *keyspace, uint32_t db)
{
    struct flush flush = {keyspace, db};
    for (uint32_t i = 0; i < keyspace->shard_count; i++)
        watch_table_mark_if(&keyspace->shards[i].watches, flush_matches, &flush);

    struct detached *list = NULL;
    struct detached **last = &list;
    size_t size = 0;
    uint32_t end = db == UINT32_MAX ? keyspace->database_count : db + 1;
    for (uint32_t d = db == UINT32_MAX ? 0 : db; d < end; d++) {
        for (uint32_t i = 0; i < keyspace->shard_count; i++) {
            struct partition *partition = keyspace_partition(keyspace, d, i);
            if (partition == NULL)
                break;
            *last = partition_detach(partition, &size);
            if (*last != NULL)
                last = &(*last)->next;
        }
    }
    atomic_fetch_add(&keyspace->detached_size, size);
    lock_take(&keyspace->detached_lock);
    *last = keyspace->detached;
    keyspace->detached = list;
    lock_give(&keyspace->detached_lock);
    call_remove_hook(keyspace, db, NULL);
}

struct swap {
    struct keyspace *keyspace;
    uint32_t a;
    uint32_t b;
};

static bool
swap_matches(void *context, const struct key *key)
{
    struct swap *swap = context;
    return (key->db == swap->a || key->db == swap->b) &&
           (is_there(swap->keyspace, key, swap->a) || is_there(swap->keyspace, key, swap->b));
}

void
keyspace_swap_locked(struct keyspace *keyspace, uint32_t a, uint32_t b)
{
    CHECK(a < keyspace->database_count && b < keyspace->database_count);
    struct swap swap = {keyspace, a, b};
    if (a == b)
        return;
    for (uint32_t i = 0; i < keyspace->shard_count; i++)
        watch_table_mark_if(&keyspace->shards[i].watches, swap_matches, &swap);
    struct partition *other = atomic_load(&keyspace->databases[b]);
    atomic_store(&keyspace->databases[b], atomic_load(&keyspace->databases[a]));
    atomic_store(&keyspace->databases[a], other);
}

bool
keyspace_free_some(struct keyspace *keyspace, size_t count)
{
    for (;;) {
        lock_take(&keyspace->detached_lock);
        struct entry *entry = entry_list_pop(&keyspace->large);
        struct detached *detached = entry == NULL ? keyspace->detached : NULL;
        if (detached != NULL)
            keyspace->detached = detached->next;
        lock_give(&keyspace->detached_lock);
        if (entry == NULL && detached == NULL)
            return false;

        struct entry_list back = {NULL};
        size_t freed = 0;
        bool more;
        if (entry != NULL) {
            size_t held = entry_memory(entry);
            more = entry_free_some(entry, &count);
            freed = more ? held - entry_memory(entry) : held;
            if (more)
                entry_list_push(&back, entry);
        } else {
            more = detached_free_some(detached, &count, &back, &freed);
        }
        atomic_fetch_sub(&keyspace->detached_size, freed);

        lock_take(&keyspace->detached_lock);
        while ((entry = entry_list_pop(&back)) != NULL)
            entry_list_push(&keyspace->large, entry);
        if (more && detached != NULL) {
            detached->next = keyspace->detached;
            keyspace->detached = detached;
        }
        bool remains = keyspace->large.first != NULL || keyspace->detached != NULL;
        lock_give(&keyspace->detached_lock);
        if (count == 0 || !remains)
            return remains;
    }
}
