/* BITFIELD: integers of any width within a string. */
#include "server/cmd/argument.h"
#include "server/cmd/bits.h"
#include "server/cmd/edit.h"
#include "server/cmd/handlers.h"

enum field_action { FIELD_GET, FIELD_SET, FIELD_INCREMENT };
enum field_overflow { FIELD_WRAP, FIELD_SATURATE, FIELD_FAIL };

struct field_operation {
    enum field_action action;
    enum field_overflow overflow;
    bool is_signed;
    unsigned width;
    uint64_t offset;
    int64_t argument;

    bool failed; /* the answer is nil */
    int64_t answer;
};

struct field_program {
    struct field_operation *operations; /* in the arena */
    size_t count;
    uint64_t end_bit; /* behind the last bit written; 0: only reads */
};

/* ---- parsing ---- */

/* i1 .. i64, u1 .. u63 */
static bool
parse_type(struct request *request, size_t index, struct field_operation *operation)
{
    struct slice text = request->argv[index];
    char kind = text.size > 0 ? text.data[0] : '\0';
    uint64_t width = 0;
    bool valid = (kind == 'i' || kind == 'u') &&
                 slice_to_uint64(slice_make(text.data + 1, text.size - 1), &width) &&
                 width >= 1 && width <= (kind == 'i' ? 64 : 63);
    if (!valid) {
        reply_error(request->reply, "ERR Invalid bitfield type. Use something like i16 u8. "
                                    "Note that u64 is not supported but i64 is.");
        return false;
    }
    operation->is_signed = kind == 'i';
    operation->width = (unsigned)width;
    return true;
}

static bool
parse_overflow(struct request *request, size_t index, enum field_overflow *overflow)
{
    static const char *const NAMES[] = {"WRAP", "SAT", "FAIL"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(*NAMES); i++) {
        if (argument_is(request, index, NAMES[i])) {
            *overflow = (enum field_overflow)i;
            return true;
        }
    }
    reply_error(request->reply, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* The operation at argv[*index], which moves behind it; false when an error was replied. */
static bool
parse_operation(struct request *request, size_t *index, struct field_operation *operation)
{
    size_t rest = request->argc - *index - 1;
    if (argument_is(request, *index, "GET") && rest >= 2) {
        operation->action = FIELD_GET;
    } else if (argument_is(request, *index, "SET") && rest >= 3) {
        operation->action = FIELD_SET;
    } else if (argument_is(request, *index, "INCRBY") && rest >= 3) {
        operation->action = FIELD_INCREMENT;
    } else {
        reply_syntax_error(request->reply);
        return false;
    }
    if (!parse_type(request, *index + 1, operation) ||
        !bits_argument_offset(request, *index + 2, operation->width, &operation->offset)) {
        return false;
    }
    *index += 3;
    return operation->action == FIELD_GET ||
           argument_int64(request, (*index)++, &operation->argument);
}

static bool
parse_program(struct request *request, struct field_program *ret_program)
{
    /* Every operation takes three arguments at least. */
    struct field_program program = {
        .operations =
            arena_calloc(request->arena, request->argc / 3 + 1, sizeof(struct field_operation)),
    };
    if (program.operations == NULL) {
        reply_out_of_memory(request->reply);
        return false;
    }
    enum field_overflow overflow = FIELD_WRAP;
    for (size_t index = 2; index < request->argc;) {
        if (argument_is(request, index, "OVERFLOW") && index + 1 < request->argc) {
            if (!parse_overflow(request, index + 1, &overflow)) {
                return false;
            }
            index += 2;
            continue;
        }
        struct field_operation *operation = &program.operations[program.count];
        operation->overflow = overflow;
        if (!parse_operation(request, &index, operation)) {
            return false;
        }
        uint64_t end = operation->offset + operation->width;
        if (operation->action != FIELD_GET && end > program.end_bit) {
            program.end_bit = end;
        }
        program.count++;
    }
    *ret_program = program;
    return true;
}

/* ---- running ---- */

static int64_t
field_truncate(uint64_t value, const struct field_operation *operation)
{
    unsigned unused = 64 - operation->width;
    value <<= unused;
    /* Shifting a negative number right keeps its sign with gcc and clang. */
    return operation->is_signed ? (int64_t)value >> unused : (int64_t)(value >> unused);
}

/* <old> + <amount> within the field's limits; false when it must not be written. */
static bool
add_limited(const struct field_operation *operation, int64_t old, int64_t amount,
            int64_t *ret_sum)
{
    unsigned magnitude = operation->is_signed ? operation->width - 1 : operation->width;
    int64_t max = (int64_t)(((uint64_t)1 << magnitude) - 1);
    int64_t min = operation->is_signed ? -max - 1 : 0;
    int64_t sum;
    bool overflows = __builtin_add_overflow(old, amount, &sum);
    /* A negative number SET to an unsigned field counts as a very large one. */
    bool is_high = overflows ? amount > 0
                             : sum > max || (operation->action == FIELD_SET &&
                                             !operation->is_signed && sum < 0);
    bool is_low = !is_high && (overflows || sum < min);
    if ((is_high || is_low) && operation->overflow == FIELD_FAIL) {
        return false;
    }
    if ((is_high || is_low) && operation->overflow == FIELD_SATURATE) {
        *ret_sum = is_high ? max : min;
    } else {
        *ret_sum = field_truncate((uint64_t)sum, operation);
    }
    return true;
}

static int64_t
field_read(struct slice bytes, const struct field_operation *operation)
{
    return field_truncate(bits_get(bytes, operation->offset, operation->width), operation);
}

/* Run one operation on <bytes>, which <body> allows to change if there are any writes. */
static void
run_operation(struct field_operation *operation, struct slice bytes, char *body)
{
    int64_t old = field_read(bytes, operation);
    operation->answer = old;
    if (operation->action == FIELD_GET) {
        return;
    }
    bool increments = operation->action == FIELD_INCREMENT;
    int64_t value;
    if (!add_limited(operation, increments ? old : 0, operation->argument, &value)) {
        operation->failed = true;
        return;
    }
    bits_set(body, operation->offset, operation->width, (uint64_t)value);
    operation->answer = increments ? value : old;
}

static void
reply_program(struct reply *reply, const struct field_program *program)
{
    reply_array(reply, program->count);
    for (size_t i = 0; i < program->count; i++) {
        if (program->operations[i].failed) {
            reply_null(reply);
        } else {
            reply_integer(reply, program->operations[i].answer);
        }
    }
}

static void
run_reads(struct request *request, struct field_program *program)
{
    struct slice view = SLICE("");
    enum value_find found = value_read(request, &request->keys[0], &view);
    if (found == VALUE_FAILED) {
        return;
    }
    for (size_t i = 0; i < program->count; i++) {
        run_operation(&program->operations[i], found == VALUE_FOUND ? view : SLICE_OF(""),
                      NULL);
    }
    reply_program(request->reply, program);
}

static void
run_writes(struct request *request, struct field_program *program)
{
    struct slice view;
    bool exists;
    size_t size = (size_t)((program->end_bit + 7) / 8);
    if (!edit_read(request, &request->keys[0], &view, &exists)) {
        return;
    }
    struct edit edit;
    if (!edit_open(request, &request->keys[0], view, size, size, &edit)) {
        return;
    }
    for (size_t i = 0; i < program->count; i++) {
        run_operation(&program->operations[i], slice_make(edit.bytes, edit.size), edit.bytes);
    }
    if (edit_close(request, &request->keys[0], &edit)) {
        reply_program(request->reply, program);
    }
}

void
cmd_bitfield(struct request *request)
{
    struct field_program program;
    if (!parse_program(request, &program)) {
        return;
    }
    if (program.end_bit == 0) {
        run_reads(request, &program);
    } else {
        run_writes(request, &program);
    }
}

void
cmd_bitfield_ro(struct request *request)
{
    struct field_program program;
    if (!parse_program(request, &program)) {
        return;
    }
    if (program.end_bit != 0) {
        reply_error(request->reply, "ERR BITFIELD_RO only supports the GET subcommand");
        return;
    }
    run_reads(request, &program);
}
