/*
 * keyspace - every database's keys, in locked shards: lookup, expiry, scanning, accounting.
 *
 * A power of two of shards, each an independent hash table per database under its own lock,
 * picked by the high bits of the key's XXH3 hash. An entry is one allocation: header, key and
 * value; a hash hangs off its entry.
 *
 * Thread:   any; *_locked calls need the key's shard locked by the caller (keyspace_lock),
 * those that say so need all shards. Others take the locks they need themselves, one at a time.
 * Time:     callers pass the clock in, in milliseconds since 1970; the store never reads one.
 * Borrowed: entries and slices of them die at the next mutating call on the same shard, and at
 *           the unlock.
 * Freeing:  what mutators unlink is freed by keyspace_unlock*() after the lock is given up.
 * Memory:   a failed allocation leaves the keyspace as it was and the call answers false/NULL.
 */
#ifndef SERVER_STORE_KEYSPACE_H
#define SERVER_STORE_KEYSPACE_H

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "proto/base/slice.h"

#include <stdatomic.h>

struct keyspace;
struct entry;
struct block;        /* server/store/block.h */
struct hash;         /* server/store/hash.h */
struct dictionaries; /* server/store/dictionaries.h */

enum { KEYSPACE_EXPIRY_NONE = -1 };

enum entry_type { ENTRY_STRING, ENTRY_HASH };

/* A key of one database with what is computed of it once per request. */
struct key {
    struct slice name; /* [borrowed] */
    uint64_t hash;
    uint32_t shard;
    uint32_t db;
};

/* What an entry stores. <schema> 0: plain, matched by no schema when it was written. */
struct value {
    struct slice body; /* of a hash its fields, as in proto/codec/hash.h */
    struct slice complement;
    struct block *block; /* that <body> starts in, if it is large; NULL: it is to be copied */
    uint32_t schema;     /* id in the registry, never reused; below 65,536 */
    uint32_t version;    /* the writer's, 0 where plain; below 65,536 */
    bool is_packed;      /* <body> is packed: server/store/dictionaries.h */
    bool is_hash;
};

struct keyspace_options {
    uint32_t database_count;   /* 1 .. 65,535 */
    uint32_t shard_count_log2; /* 8: 256 shards */
    uint64_t hash_seed;        /* keyed hashing against flooding */
    int64_t now_ms;            /* for access clocks until a call tells the time */
};

struct keyspace *keyspace_new(const struct keyspace_options *options);
void keyspace_free(struct keyspace *keyspace); /* takes NULL; no thread may use it any more */

/* Compute the hash and shard of <name> in <db>. <name> is borrowed. */
struct key keyspace_key(const struct keyspace *keyspace, uint32_t db, struct slice name);

/*
 * Lock the shards of <keys> (any order, duplicates welcome; locked ascending, each once). Up to
 * any number of keys: O(count log count), no allocation (the order is found by a bitmap of
 * shards). Unlock with the same keys. *_all for the whole keyspace.
 */
void keyspace_lock(struct keyspace *keyspace, const struct key *keys, size_t count);
void keyspace_unlock(struct keyspace *keyspace, const struct key *keys, size_t count);
void keyspace_lock_all(struct keyspace *keyspace);
void keyspace_unlock_all(struct keyspace *keyspace);

/*
 * A set of shards locked together, e.g. for EXEC: add keys (or everything), lock, unlock.
 * One bitmap of up to 1,024 shards.
 */
struct shard_set {
    uint64_t words[16];
};
void shard_set_clear(struct shard_set *set);
void shard_set_add(struct shard_set *set, const struct key *key);
void shard_set_add_all(struct shard_set *set, const struct keyspace *keyspace);
void keyspace_lock_set(struct keyspace *keyspace, const struct shard_set *set);
void keyspace_unlock_set(struct keyspace *keyspace, const struct shard_set *set);

/*
 * Bring what lookups of <keys> will touch nearer to the processor: all buckets first, then all
 * entries, so that the misses of a batch overlap. Takes each shard's lock for an instant and
 * skips those that are busy; call without locks. Changes nothing.
 */
void keyspace_prefetch(struct keyspace *keyspace, const struct key *keys, size_t count);

/* Lookups. An expired entry is unlinked on the way (expired counter, watchers marked). */
struct entry *keyspace_find_locked(struct keyspace *keyspace, const struct key *key,
                                   int64_t now_ms); /* counts as an access */
struct entry *keyspace_look_locked(struct keyspace *keyspace, const struct key *key,
                                   int64_t now_ms); /* is counted, but not by the entry */
struct entry *keyspace_peek_locked(struct keyspace *keyspace, const struct key *key,
                                   int64_t now_ms); /* does not (TTL, OBJECT, TYPE ...) */

enum entry_type entry_type(const struct entry *entry);
struct slice entry_key(const struct entry *entry);
int64_t entry_expiry_ms(const struct entry *entry); /* KEYSPACE_EXPIRY_NONE: none */
uint64_t entry_revision(const struct entry *entry); /* changes with every change of the value */
void entry_value(const struct entry *entry, struct value *ret_value); /* of a hash no body */
struct block *entry_block(const struct entry *entry); /* of a large string; NULL: it has none */
struct hash *entry_hash(const struct entry *entry);   /* hash entries only */
size_t entry_memory(const struct entry *entry);       /* bytes, as MEMORY USAGE says */
int64_t entry_idle_s(const struct entry *entry, int64_t now_ms); /* OBJECT IDLETIME */

/* Likewise with the body of a hash, too: that of a small one lies in it, else in <arena>. False
 * without memory. O(fields). */
bool entry_record(const struct entry *entry, struct arena *arena, struct value *ret_value);

/* OBJECT FREQ; means something under an LFU policy only. */
uint32_t keyspace_frequency(const struct keyspace *keyspace, const struct entry *entry,
                            int64_t now_ms);

/* RESTORE's IDLETIME and FREQ (at most 255): each is for its kind of policy, else ignored. */
void keyspace_set_idle_locked(struct keyspace *keyspace, struct entry *entry, int64_t idle_s,
                              int64_t now_ms);
void keyspace_set_frequency_locked(struct keyspace *keyspace, struct entry *entry,
                                   uint32_t frequency, int64_t now_ms);

/*
 * Store <value> under <key>, replacing whatever is there. <expiry_ms> as given
 * (NONE: no expiry; callers that keep a TTL pass the old one). The bytes are copied, but for
 * those of value->block, which is held; they may lie in the very entry that is replaced. Marks
 * watchers.
 */
bool keyspace_set_locked(struct keyspace *keyspace, const struct key *key,
                         const struct value *value, int64_t expiry_ms);

/*
 * Edit in place: the body of the plain string (no schema, no complement, not packed) under
 * <key>, grown to <size> bytes if it is shorter, to be changed by the caller before the unlock.
 * The bytes from the old end to <zeros_to> (at most <size>) are zeros, those behind it
 * undefined. An absent key is created, wholly of zeros and without expiry; an expiry that is
 * there stays. Marks watchers. NULL without memory. O(1), amortized, beside the zeros.
 */
char *keyspace_edit_locked(struct keyspace *keyspace, const struct key *key, size_t size,
                           size_t zeros_to);
bool entry_is_plain(const struct entry *entry); /* may it be edited so? */
bool entry_is_packed(const struct entry *entry);

/*
 * Replace body, complement and version of an existing entry by an equivalent record: expiry,
 * access clock and watchers see nothing, the revision stays (but for an entry that gets its
 * first schema by it). False when there is no such entry, too. For rebase and backfill.
 */
bool keyspace_rebase_locked(struct keyspace *keyspace, const struct key *key,
                            const struct value *value);

/* A new, empty hash of <schema> and <version>, 0: none, under an absent <key>; NULL without
 * memory. Marks watchers. */
struct entry *keyspace_add_hash_locked(struct keyspace *keyspace, const struct key *key,
                                       uint32_t schema, uint32_t version);

/* Say that the hash under <key> was changed: marks watchers, moves the revision on, charges the
 * memory it holds by now. */
void keyspace_changed_locked(struct keyspace *keyspace, const struct key *key);

/* Remove <key>; false when it was absent. Marks watchers. */
bool keyspace_delete_locked(struct keyspace *keyspace, const struct key *key, int64_t now_ms);

/* Set or clear (KEYSPACE_EXPIRY_NONE) the expiry of an existing entry. Marks watchers. */
bool keyspace_expire_locked(struct keyspace *keyspace, const struct key *key,
                            int64_t expiry_ms);

/*
 * Move the entry of <from> to <to> (another name and/or database), replacing what is there,
 * with its expiry, version and complement. <copy> leaves <from> in place; both then hold the
 * block of a large value, and both count it. Both shards locked. False only without memory.
 */
bool keyspace_move_locked(struct keyspace *keyspace, const struct key *from,
                          const struct key *to, bool copy);

/*
 * WATCH. A watcher is embedded by its owner, one node per key; marking sets <dirty>. A node
 * copies the name. Unwatch before freeing. Watching marks nothing, but a key whose time was
 * over before would mark when it is unlinked: look it up (keyspace_peek_locked) first, and
 * again before the mark is read, so that its time running out meanwhile counts.
 */
struct watch {
    struct watch *next; /* [shard lock] */
    struct watch **previous;
    atomic_bool *dirty; /* the owner's flag, shared by its nodes */
    struct key key;     /* name is copied: [owned] by the node while watched */
};
bool keyspace_watch_locked(struct keyspace *keyspace, struct watch *node, const struct key *key,
                           atomic_bool *dirty);
void keyspace_unwatch_locked(struct keyspace *keyspace, struct watch *node);

/* Whole-keyspace calls. "all locked" lets EXEC call them under keyspace_lock_all(). */
uint64_t keyspace_size(struct keyspace *keyspace, uint32_t db); /* any thread, no lock */
uint64_t keyspace_expiring_count(struct keyspace *keyspace, uint32_t db); /* likewise */
int64_t keyspace_average_ttl_ms(struct keyspace *keyspace, uint32_t db, int64_t now_ms);

/* Empty one database, or all (db = UINT32_MAX). Needs all shards locked; the tables are
 * detached at once and freed in slices by keyspace_free_some(). Marks watchers of every key
 * that was there. */
void keyspace_flush_locked(struct keyspace *keyspace, uint32_t db);
void keyspace_swap_locked(struct keyspace *keyspace, uint32_t a, uint32_t b); /* all locked */

/* Free detached tables for at most <count> entries; true while more remains. No lock needed. */
bool keyspace_free_some(struct keyspace *keyspace, size_t count);

/*
 * SCAN with Redis' guarantee through resizes: visit a bounded number of buckets (about <count>
 * entries), call <on_entry> with the entry (shard locked; expired entries are skipped), return
 * the next cursor, 0 at the end. Cursor: reverse-binary home bucket x shards + shard, below
 * 2^53. <all_locked>: the caller holds all shards.
 */
typedef void keyspace_on_entry(void *context, const struct entry *entry);
uint64_t keyspace_scan(struct keyspace *keyspace, uint32_t db, uint64_t cursor, size_t count,
                       int64_t now_ms, bool all_locked, keyspace_on_entry *on_entry,
                       void *context);

/*
 * Sweep like keyspace_scan() over entries that carry no schema: where <on_retag> says
 * true, the entry carries the schema and version it stored from then on (its bytes, expiry and
 * clock stay, watchers see nothing, the revision changes). *cursor moves on, to 0 at the end.
 * False without memory: *cursor stays, what was tagged stays so.
 */
typedef bool keyspace_on_retag(void *context, const struct entry *entry, uint32_t *ret_schema,
                               uint32_t *ret_version);
bool keyspace_retag(struct keyspace *keyspace, uint32_t db, uint64_t *cursor, size_t count,
                    int64_t now_ms, keyspace_on_retag *on_retag, void *context);

/* Any live key of <db>, about uniformly; appended to <ret_name>. False when there is none.
 * Bounded effort; <random> is the caller's. */
bool keyspace_random(struct keyspace *keyspace, uint32_t db, uint64_t random, int64_t now_ms,
                     bool all_locked, struct buffer *ret_name);

/*
 * Active expiry: look through shards for at most <effort> entries with an expiry, unlink those
 * that are due; returns how many. Finds them without scanning everything, resumes where it was.
 * One shard locked at a time, each hold a bounded number of entries.
 */
size_t keyspace_expire_some(struct keyspace *keyspace, int64_t now_ms, size_t effort);

/* Called for every key that is removed by DEL, expiry or a move away, or replaced by a move
 * (not by a plain overwrite), under the shard's lock, only while *gate is not zero. For what is
 * kept beside the keyspace per key (quarantine). At most one hook; set before the workers
 * start. A flush of a whole database calls it once with key NULL (of all: db UINT32_MAX). */
typedef void keyspace_on_remove(void *context, uint32_t db, const struct key *key);
void keyspace_set_remove_hook(struct keyspace *keyspace, const atomic_size_t *gate,
                              keyspace_on_remove *on_remove, void *context);

struct keyspace_stats {
    uint64_t expired; /* keys removed because their time was over */
    uint64_t evicted; /* keys removed to make room */
    uint64_t hits;    /* of keyspace_find_locked */
    uint64_t misses;
    uint64_t memory_size; /* bytes in entries, values, tables */
};
void keyspace_stats(struct keyspace *keyspace, struct keyspace_stats *ret_stats);
void keyspace_reset_stats(struct keyspace *keyspace);

/* The longest time that a shard was locked, in the holder's ticks_own(), since the last reset.
 * Resetting takes no lock: a hold that ends meanwhile may stay noted, or be forgotten. */
uint64_t keyspace_longest_hold(const struct keyspace *keyspace);
void keyspace_reset_longest_hold(struct keyspace *keyspace);

/*
 * Bytes in entries, values and tables that can be looked up, without the detached: one load.
 * Off by at most a step per shard and database. A new step counts at once; the parts' debts to
 * the sum are called in by keyspace_settle_memory() (locks shard by shard), and until then
 * keyspace_memory() asks every part. The background calls it; it does nothing when all is told.
 */
uint64_t keyspace_memory(const struct keyspace *keyspace);
void keyspace_set_memory_step(struct keyspace *keyspace, uint64_t step);
void keyspace_settle_memory(struct keyspace *keyspace);

/*
 * Look through about <count> entries from <place> on, which starts as zeros and moves on, and
 * move those that lie in sparse memory (memory_move); their bytes are added to *moved_size.
 * True at the end of the last database.
 */
struct keyspace_place {
    uint32_t db;
    uint64_t cursor;
};
bool keyspace_compact(struct keyspace *keyspace, struct keyspace_place *place, size_t count,
                      size_t *moved_size);

/* Bytes that wait for keyspace_free_some(). */
uint64_t keyspace_detached(const struct keyspace *keyspace);

/* Those that bodies are packed with; they live as long as the keyspace. */
struct dictionaries *keyspace_dictionaries(const struct keyspace *keyspace);

/* Entries packed with <dictionary>, and their sizes; exact only under keyspace_lock_all(),
 * where no entry moves meanwhile. No lock needed. */
struct tally_sum;
void keyspace_packed(struct keyspace *keyspace, unsigned dictionary, struct tally_sum *ret_sum);

/* Live records of (schema, version), and how many of them carry a complement. */
void keyspace_census(struct keyspace *keyspace, uint32_t schema, uint32_t version,
                     uint64_t *ret_records, uint64_t *ret_complements);

#endif
