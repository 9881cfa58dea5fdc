#include "server/cmd/argument.h"

#include "server/cmd/number.h"
#include "server/schema/mapping.h"

#include <ctype.h>

enum { COMMAND_NAME_SIZE = 64 };

bool
argument_int64(struct request *request, size_t index, int64_t *ret_value)
{
    if (!slice_to_int64(request->argv[index], ret_value)) {
        reply_not_integer(request->reply);
        return false;
    }
    return true;
}

bool
argument_int64_or(struct request *request, size_t index, int64_t min, int64_t max,
                  const char *error, int64_t *ret_value)
{
    int64_t value;
    if (!slice_to_int64(request->argv[index], &value) || value < min || value > max) {
        reply_error(request->reply, "ERR %s", error);
        return false;
    }
    *ret_value = value;
    return true;
}

bool
argument_float(struct request *request, size_t index, long double *ret_value)
{
    if (!number_parse(request->argv[index], ret_value)) {
        reply_not_float(request->reply);
        return false;
    }
    return true;
}

bool
argument_db_number(struct request *request, size_t index, const char *error,
                   int64_t *ret_number)
{
    static const char RANGE[] =
        "value is out of range, value must between -2147483648 and 2147483647";
    if (error == NULL && !argument_int64(request, index, ret_number)) {
        return false;
    }
    return argument_int64_or(request, index, INT32_MIN, INT32_MAX,
                             error != NULL ? error : RANGE, ret_number);
}

bool
argument_db(struct request *request, int64_t number, uint32_t *ret_db)
{
    if (number < 0 || number >= config_number(request->server->config, CONFIG_DATABASES)) {
        reply_error(request->reply, "ERR DB index is out of range");
        return false;
    }
    *ret_db = mapping_database(request->server->mapping, (uint32_t)number);
    return true;
}

/* The row's name as Redis shows it in errors: lower case. */
static const char *
command_name(const struct request *request, char name[COMMAND_NAME_SIZE])
{
    size_t size = strlen(request->command->name);
    size = size < COMMAND_NAME_SIZE ? size : COMMAND_NAME_SIZE - 1;
    for (size_t i = 0; i < size; i++) {
        name[i] = (char)tolower((unsigned char)request->command->name[i]);
    }
    name[size] = '\0';
    return name;
}

void
argument_wrong_count(struct request *request)
{
    char name[COMMAND_NAME_SIZE];
    reply_error(request->reply, "ERR wrong number of arguments for '%s' command",
                command_name(request, name));
}

static bool
refuse_expiry(struct request *request)
{
    char name[COMMAND_NAME_SIZE];
    reply_error(request->reply, "ERR invalid expire time in '%s' command",
                command_name(request, name));
    return false;
}

/* False on overflow. */
static bool
to_absolute_ms(const struct request *request, int64_t amount, struct expiry_unit unit,
               int64_t *ret_expiry_ms)
{
    int64_t ms = amount;
    if (unit.is_seconds && __builtin_mul_overflow(amount, (int64_t)1000, &ms)) {
        return false;
    }
    int64_t base = unit.is_absolute ? 0 : request->now_ms;
    return !__builtin_add_overflow(ms, base, ret_expiry_ms);
}

bool
argument_expiry(struct request *request, size_t index, struct expiry_unit unit,
                int64_t *ret_expiry_ms)
{
    int64_t amount;
    if (!argument_int64(request, index, &amount)) {
        return false;
    }
    if (amount <= 0 || !to_absolute_ms(request, amount, unit, ret_expiry_ms)) {
        return refuse_expiry(request);
    }
    return true;
}

bool
argument_expiry_any(struct request *request, size_t index, struct expiry_unit unit,
                    int64_t *ret_expiry_ms)
{
    int64_t amount;
    if (!argument_int64(request, index, &amount)) {
        return false;
    }
    return to_absolute_ms(request, amount, unit, ret_expiry_ms) || refuse_expiry(request);
}

/* As Redis reads it with strtoul(): a sign is taken, and nothing at all is 0. */
bool
argument_cursor(struct request *request, size_t index, uint64_t *ret_cursor)
{
    struct slice text = request->argv[index];
    bool negative = text.size > 1 && text.data[0] == '-';
    if (text.size > 1 && (negative || text.data[0] == '+')) {
        text = slice_make(text.data + 1, text.size - 1);
    }
    uint64_t cursor = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(cursor, (uint64_t)10, &cursor) ||
            __builtin_add_overflow(cursor, (uint64_t)digit, &cursor)) {
            reply_error(request->reply, "ERR invalid cursor");
            return false;
        }
    }
    *ret_cursor = negative ? ~cursor + 1 : cursor;
    return true;
}

bool
argument_string_fits(struct request *request, uint64_t size, uint64_t more)
{
    uint64_t total;
    int64_t max = config_number(request->server->config, CONFIG_PROTO_MAX_BULK_LEN);
    if (__builtin_add_overflow(size, more, &total) || total > (uint64_t)max) {
        reply_error(request->reply,
                    "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return false;
    }
    return true;
}

struct block *
argument_find_block(struct request *request, struct slice bytes)
{
    for (size_t i = 0; i < request->block_count; i++) {
        size_t index = (request->block_next + i) % request->block_count;
        if (request->blocks[index]->bytes == bytes.data) {
            request->block_next = index + 1;
            return request->blocks[index];
        }
    }
    return NULL;
}
