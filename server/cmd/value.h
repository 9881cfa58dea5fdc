/*
 * value - string values as the caller's version sees them: the one way of commands to read and
 * write strings. Translation, rebase, settling, identity, outcomes, quarantine and counting all
 * happen behind these calls; handlers know no schema.
 *
 * Thread:   the key's shard is locked (handlers run between begin and end).
 * Borrowed: views live in the request's arena or in the entry: until the next write to the key.
 */
#ifndef SERVER_CMD_VALUE_H
#define SERVER_CMD_VALUE_H

#include "proto/record.h"
#include "server/cmd/request.h"

enum value_find {
    VALUE_ABSENT, /* no such key; or its outcome is "miss" and the view cannot be made */
    VALUE_FOUND,  /* *ret_view is what the caller's version reads */
    VALUE_FAILED, /* an error was replied: WRONGTYPE, UNTRANSLATABLE */
};

/*
 * What the caller's version reads, where a command only measures or replies it: possibly still
 * packed (server/store/dictionaries.h).
 */
struct value_view {
    struct slice bytes;
    bool is_packed;
};
size_t value_size(const struct value_view *view);

/* For commands that only read. */
enum value_find value_look(struct request *request, const struct key *key,
                           struct value_view *ret_view);
enum value_find value_read(struct request *request, const struct key *key,
                           struct slice *ret_view);

/*
 * Likewise, but a type other than string counts as VALUE_ABSENT (MGET), and an untranslatable
 * view replies nothing: VALUE_FAILED leaves the reply to the caller via value_reply_failure().
 */
enum value_find value_peek(struct request *request, const struct key *key,
                           struct value_view *ret_view);

/* The type of <entry> of <key> to the caller's version (TYPE, WRONGTYPE). */
enum entry_type value_type(struct request *request, const struct key *key,
                           const struct entry *entry);

enum {
    VALUE_KEEP_TTL = -2, /* instead of an expiry in ms; KEYSPACE_EXPIRY_NONE: none */
};

/*
 * Reply <view>, or a part of it, that was read of <key>, before the key is written to: a large
 * one by its block, a packed one by a gap in the output, which is filled when the locks have
 * been given up. A view that is needed after a write is held: by its block, too, or as a copy
 * in the arena. False without memory.
 */
struct value_held {
    struct value_view view;
    struct block *block; /* [owned] NULL: it is a copy */
};
bool value_hold(struct request *request, const struct key *key, const struct value_view *view,
                struct value_held *ret_held);
void value_reply_packed(struct request *request, struct slice packed);
void value_reply_held(struct request *request, struct value_held *held); /* and let go */
void value_let_go(struct value_held *held);
void value_reply_large(struct request *request, const struct key *key, struct slice view);

static inline void
value_reply(struct request *request, const struct key *key, struct slice view)
{
    if (__builtin_expect(view.size < BLOCK_SIZE_MIN, 1)) {
        reply_bulk(request->reply, view);
    } else {
        value_reply_large(request, key, view);
    }
}

static inline void
value_reply_view(struct request *request, const struct key *key, const struct value_view *view)
{
    if (__builtin_expect(view->is_packed, 0)) {
        value_reply_packed(request, view->bytes);
    } else {
        value_reply(request, key, view->bytes);
    }
}

/*
 * Store <body> as the caller's version: a plain SET over whatever is there (also another type).
 * <expiry_ms> at or before now: the key is deleted instead. False when an error was replied (a
 * strict schema, no memory); nothing changed then.
 */
bool value_write(struct request *request, const struct key *key, struct slice body,
                 int64_t expiry_ms);

/*
 * Would value_write() take <body>? For commands that write several keys, all or none. False
 * when an error was replied.
 */
bool value_may_write(struct request *request, const struct key *key, struct slice body);

/*
 * For commands that need the old view to compute the new value (APPEND, INCR, SETRANGE, GETSET,
 * GETDEL ...): like value_read(), but under the outcome "miss" an untranslatable record is
 * reported by *ret_is_hidden = true with VALUE_ABSENT, so that the command can follow the rules
 * of "When a view cannot be made": in-place edits call value_reply_failure() and change
 * nothing.
 */
enum value_find value_read_for_update(struct request *request, const struct key *key,
                                      struct slice *ret_view, bool *ret_is_hidden);

enum value_find value_look_for_update(struct request *request, const struct key *key,
                                      struct value_view *ret_view, bool *ret_is_hidden);

/* Reply the UNTRANSLATABLE error of the last failed view of this request. */
void value_reply_failure(struct request *request);

/*
 * Edit a string in place, after value_read_for_update(): the bytes of a plain one or of an
 * absent key, as keyspace_edit_locked() gives them. VALUE_ABSENT: the key has a schema, whose
 * records are rewritten: value_write(). VALUE_FAILED: no memory, replied.
 */
enum value_find value_edit(struct request *request, const struct key *key, size_t size,
                           size_t zeros_to, char **ret_bytes);

/* Outcome "raw" makes reads answer stored bytes: edits of such a record fail like "error". */

/*
 * Set or clear (KEYSPACE_EXPIRY_NONE) the expiry of an existing key of any type; what is in
 * quarantine of it follows. False without memory.
 */
bool value_expire(struct request *request, const struct key *key, int64_t expiry_ms);

/*
 * Rename or copy an entry, both keys' shards locked: within one schema the whole record moves,
 * else the caller's view is written at <to>. False when an error was replied.
 */
bool value_move(struct request *request, const struct key *from, const struct key *to,
                bool copy);

/*
 * The entry <entry> of <key> as it is stored, but unpacked, a hash with its body; borrowed, or
 * in the arena. False when there was no memory, replied, or the handler is to be run again (see
 * below).
 */
bool value_stored(struct request *request, const struct key *key, const struct entry *entry,
                  struct value *ret_value);

/* Likewise as a whole record, whatever the caller speaks. Without a schema where it is none:
 * *ret_is_hash says what it is then. */
bool value_whole(struct request *request, const struct key *key, const struct entry *entry,
                 struct record *ret_record, bool *ret_is_hash);

/*
 * Put a whole record under <key>, replacing what is there. A plain value, or hash, under a key
 * of a schema becomes a record of the base version if that keeps such; a record of another
 * schema is written as the caller sees it. <expiry_ms> as keyspace_set_locked(). False when an
 * error was replied: no such view, an unknown schema or version, a strict schema, no memory.
 */
bool value_restore(struct request *request, const struct key *key, const struct record *record,
                   bool is_hash, int64_t expiry_ms);

/*
 * Settle which versions the connection speaks now, so that SCHEMA STATUS counts it: to be
 * called when it said so (SCHEMA USE, AUTH, SETNAME). Without schemas nothing happens.
 */
void value_bind(struct request *request);

/* Bind a session that has been bound by an older registry anew; true when it was. */
bool value_rebind(const struct server *server, struct session *session,
                  const struct registry *registry);

/*
 * Translation outside the lock. While request->may_run_again is set, a call that would have to
 * translate, or to unpack, notes what it needs, changes nothing and fails without a reply; the
 * handler returns, and value_must_run_again() is true. Then what it replied is void: give the
 * locks up, call value_prepare(), lock, and run the handler again, as often as it asks for.
 * After a few rounds it translates under the lock. For handlers that write one value at most,
 * and last.
 *
 * A command marked VIEWS needs no second lock: value_keep(), called under the first, takes
 * along what its keys hold, and the handler runs again over that. Its reply is that of the
 * moment of the lock.
 */
bool value_must_run_again(const struct request *request);
bool value_keep(struct request *request);    /* false: lock again */
void value_prepare(struct request *request); /* no lock held */

/*
 * Fetch what is remembered of views of <keys>, which are about to be read: first where it is,
 * and later, once more, what is there.
 */
void value_prefetch(const struct request *request, const struct key *keys, size_t count,
                    bool is_later);

/* Keep the memo of worker <worker> (which calls this) within its room, which may change. */
void value_trim_memo(struct server *server, unsigned worker);

/* Let go of what a request with a value_state held; no lock held but by EXEC. */
void value_end(struct request *request);

/*
 * Compression outside the lock, for dispatch. Before it: arguments that a STORES command is
 * about to store are packed, where their keys are of a group that has a dictionary. Behind it:
 * the gaps that value_reply_view() left are filled. Nothing to do while nothing is packed.
 */
void value_pack(struct request *request);
void value_fill(struct request *request);

#endif
