#include "server/cmd/condition.h"

#include "server/cmd/argument.h"

#include <xxhash.h>

static const struct {
    struct slice word;
    enum condition_kind kind;
} WORDS[] = {
    {SLICE("IFEQ"), CONDITION_EQUAL},
    {SLICE("IFNE"), CONDITION_NOT_EQUAL},
    {SLICE("IFDEQ"), CONDITION_DIGEST_EQUAL},
    {SLICE("IFDNE"), CONDITION_DIGEST_NOT_EQUAL},
};

void
digest_write(struct slice value, char ret_digits[DIGEST_SIZE])
{
    uint64_t hash = XXH3_64bits(value.data, value.size);
    for (size_t i = DIGEST_SIZE; i-- > 0; hash >>= 4) {
        ret_digits[i] = "0123456789abcdef"[hash & 15];
    }
}

bool
condition_parse(const struct request *request, size_t index, enum condition_kind *ret_kind)
{
    for (size_t i = 0; i < sizeof(WORDS) / sizeof(*WORDS); i++) {
        if (slice_equal_nocase(request->argv[index], WORDS[i].word)) {
            *ret_kind = WORDS[i].kind;
            return true;
        }
    }
    return false;
}

bool
condition_needs_value(enum condition_kind kind)
{
    return kind == CONDITION_EQUAL || kind == CONDITION_DIGEST_EQUAL;
}

enum condition_result
condition_check(struct request *request, const struct condition *condition, struct slice view)
{
    bool same;
    if (condition->kind == CONDITION_EQUAL || condition->kind == CONDITION_NOT_EQUAL) {
        same = slice_equal(view, condition->operand);
    } else {
        if (condition->operand.size != DIGEST_SIZE) {
            reply_error(request->reply, "ERR must be exactly %d hexadecimal characters",
                        DIGEST_SIZE);
            return CONDITION_REFUSED;
        }
        char digits[DIGEST_SIZE];
        digest_write(view, digits);
        same = slice_equal_nocase(slice_make(digits, DIGEST_SIZE), condition->operand);
    }
    bool wants_same =
        condition->kind == CONDITION_EQUAL || condition->kind == CONDITION_DIGEST_EQUAL;
    return same == wants_same ? CONDITION_HOLDS : CONDITION_FAILS;
}
