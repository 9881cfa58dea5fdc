/*
 * argument - reading argv: numbers, option words, expiries, cursors, with Redis' refusals.
 *
 * Calls that answer false have replied the error; the handler just returns.
 */
#ifndef SERVER_CMD_ARGUMENT_H
#define SERVER_CMD_ARGUMENT_H

#include "server/cmd/request.h"

/* Is argv[index] this word, in any case? False past the end. */
static inline bool
argument_is(const struct request *request, size_t index, const char *word)
{
    return index < request->argc &&
           slice_equal_nocase(request->argv[index], slice_from_string(word));
}

/* argv[index] as an integer, else "ERR value is not an integer or out of range". */
bool argument_int64(struct request *request, size_t index, int64_t *ret_value);

/* Likewise with a message of one's own, and limits. */
bool argument_int64_or(struct request *request, size_t index, int64_t min, int64_t max,
                       const char *error, int64_t *ret_value);

/* argv[index] as number_parse() reads it, else "ERR value is not a valid float". */
bool argument_float(struct request *request, size_t index, long double *ret_value);

/*
 * argv[index] as a number that a database may have. <error> replaces Redis' usual messages
 * unless it is NULL.
 */
bool argument_db_number(struct request *request, size_t index, const char *error,
                        int64_t *ret_number);

/*
 * The database of the keyspace that this server means by <number>, else "ERR DB index is out of
 * range".
 */
bool argument_db(struct request *request, int64_t number, uint32_t *ret_db);

/* How an expiry was spelled. */
struct expiry_unit {
    bool is_seconds;  /* else milliseconds */
    bool is_absolute; /* since 1970, else from now */
};

/*
 * argv[index] as an expiry that must lie after 1970: absolute milliseconds. Zero, negative and
 * overflowing ones: "ERR invalid expire time in '<command>' command". What is merely past is
 * fine here: storing it deletes.
 */
bool argument_expiry(struct request *request, size_t index, struct expiry_unit unit,
                     int64_t *ret_expiry_ms);

/* EXPIRE's way: any time is allowed, only overflow is refused. */
bool argument_expiry_any(struct request *request, size_t index, struct expiry_unit unit,
                         int64_t *ret_expiry_ms);

/* SCAN's cursor: "ERR invalid cursor". */
bool argument_cursor(struct request *request, size_t index, uint64_t *ret_cursor);

/* "ERR wrong number of arguments for '<command>' command". */
void argument_wrong_count(struct request *request);

/* Would a string of <size> + <more> bytes pass proto-max-bulk-len? Then it was refused. */
bool argument_string_fits(struct request *request, uint64_t size, uint64_t more);

/*
 * The block that holds <bytes>, an argument; NULL: they lie elsewhere. Arguments of
 * BLOCK_SIZE_MIN bytes and more have blocks, for whoever stores them to hold. O(1) for those
 * who ask in the order of argv.
 */
struct block *argument_find_block(struct request *request, struct slice bytes);

static inline struct block *
argument_block(struct request *request, struct slice bytes)
{
    return __builtin_expect(bytes.size < BLOCK_SIZE_MIN, 1)
               ? NULL
               : argument_find_block(request, bytes);
}

#endif
