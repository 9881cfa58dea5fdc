/*
 * Requests with large and small arguments, cut anywhere: what comes out is what went in, large
 * arguments in blocks of their own, whatever was read at once.
 */
#include "server/net/pending.h"

#include "server/net/batch.h"
#include "server/store/block.h"
#include "server/store/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { REQUEST_COUNT = 40, ARGC_MAX = 5, LARGE_MAX = 300 * 1024, LIMIT = 1 << 30 };

static const struct resp_limits limits = {RESP_ARGC_MAX, LIMIT, true};

struct sent {
    size_t argc;
    size_t sizes[ARGC_MAX];
    char bytes[ARGC_MAX]; /* what each consists of */
};

struct stream {
    uint64_t random;
    struct sent sent[REQUEST_COUNT];
    struct buffer bytes;
};

static size_t
draw(struct stream *stream, size_t below)
{
    stream->random = stream->random * 6364136223846793005U + 1442695040888963407U;
    return (size_t)(stream->random >> 33) % below;
}

static size_t
some_size(struct stream *stream)
{
    switch (draw(stream, 6)) {
    case 0:
        return BLOCK_SIZE_MIN - 2 + draw(stream, 4);
    case 1:
        return draw(stream, LARGE_MAX);
    default:
        return draw(stream, 100);
    }
}

static void
write_stream(struct stream *stream)
{
    buffer_init(&stream->bytes, 0);
    for (size_t i = 0; i < REQUEST_COUNT; i++) {
        struct sent *sent = &stream->sent[i];
        sent->argc = 1 + draw(stream, ARGC_MAX);
        buffer_printf(&stream->bytes, "*%zu\r\n", sent->argc);
        for (size_t j = 0; j < sent->argc; j++) {
            sent->sizes[j] = some_size(stream);
            sent->bytes[j] = (char)('a' + draw(stream, 26));
            buffer_printf(&stream->bytes, "$%zu\r\n", sent->sizes[j]);
            memset(buffer_reserve(&stream->bytes, sent->sizes[j]), sent->bytes[j],
                   sent->sizes[j]);
            buffer_commit(&stream->bytes, sent->sizes[j]);
            buffer_append_string(&stream->bytes, "\r\n");
        }
    }
    assert_false(stream->bytes.failed);
}

static void
assert_item(const struct sent *sent, const struct batch_item *item)
{
    assert_int_equal(item->argc, sent->argc);
    for (size_t i = 0; i < sent->argc; i++) {
        assert_int_equal(item->argv[i].size, sent->sizes[i]);
        for (size_t at = 0; at < sent->sizes[i]; at++)
            assert_true(item->argv[i].data[at] == sent->bytes[i]);
    }
}

/* Once it is whole: every large argument has a block, in order, and nothing else has. */
static void
assert_blocks(const struct sent *sent, struct intake *intake, const struct batch_item *item)
{
    intake_complete(intake, item->argv, item->argc);
    assert_item(sent, item);
    size_t count = 0;
    for (size_t i = 0; i < item->argc; i++) {
        if (item->argv[i].size >= BLOCK_SIZE_MIN) {
            assert_true(count < intake->count);
            assert_ptr_equal(intake->blocks[count]->bytes, item->argv[i].data);
            count++;
        }
    }
    assert_int_equal(count, intake->count);
    intake_fini(intake);
}

/* Run what is whole in <pending>, which may get empty; returns how many requests. */
static size_t
run(struct pending *pending, const struct sent *sent)
{
    static struct batch batch;
    struct arena arena;
    arena_init(&arena, 0);
    batch_parse(&batch, &pending->parser, pending_data(pending), pending_left(pending), &limits,
                &arena);
    size_t used = 0;
    for (size_t i = 0; i < batch.count; i++) {
        assert_item(&sent[i], &batch.items[i]);
        assert_blocks(&sent[i], &pending->intake, &batch.items[i]);
        used += batch.items[i].size;
    }
    arena_fini(&arena);
    assert_int_not_equal(batch.end, RESP_BAD);
    assert_true(pending_consume(pending, used));
    return batch.count;
}

/* The parser has been fed nothing yet: at least one byte is kept first. */
static void
play(struct stream *stream, size_t most)
{
    size_t size = stream->bytes.size;
    size_t at = 1 + draw(stream, most);
    at = at < size ? at : size;
    struct resp_request parser;
    resp_request_init(&parser);
    struct pending *pending = pending_new(&parser, stream->bytes.data, at, LIMIT);
    assert_non_null(pending);
    size_t done = run(pending, stream->sent);
    while (at < size) {
        const char *come = stream->bytes.data + at;
        size_t count = 1 + draw(stream, most);
        count = count < size - at ? count : size - at;
        enum intake_result result;
        if (draw(stream, 4) == 0) {
            result = pending_add(pending, come, count);
        } else {
            size_t room_size = 0;
            char *room = pending_room(pending, &room_size);
            assert_non_null(room);
            count = count < room_size ? count : room_size;
            memcpy(room, come, count);
            result = pending_commit(pending, room, count);
        }
        at += count;
        assert_int_not_equal(result, INTAKE_FAILED);
        assert_true(pending_size(pending) <= size);
        size_t ran = 1;
        while (result == INTAKE_READY && ran > 0 && pending_left(pending) > 0) {
            ran = run(pending, stream->sent + done);
            done += ran;
        }
    }
    assert_int_equal(done, REQUEST_COUNT);
    assert_int_equal(pending_size(pending), 0);
    pending_free(pending);
    resp_request_fini(&parser);
}

static void
requests_come_out_as_they_went_in_however_they_are_cut(void **state)
{
    (void)state;
    static const size_t cuts[] = {100, 5000, 70000, 1000000};
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct stream stream = {.random = seed};
        write_stream(&stream);
        play(&stream, cuts[seed % 4]);
        buffer_fini(&stream.bytes);
    }
}

static void
what_is_announced_costs_nothing_until_it_comes(void **state)
{
    (void)state;
    struct resp_request parser;
    struct slice head = SLICE("*2\r\n$4\r\nECHO\r\n$500000000\r\nabc");
    resp_request_init(&parser);
    char bytes[64];
    memcpy(bytes, head.data, head.size);
    assert_int_equal(resp_request_parse(&parser, bytes, head.size, &limits), RESP_MORE);
    struct pending *pending = pending_new(&parser, bytes, head.size, LIMIT);
    assert_non_null(pending);
    assert_non_null(pending->intake.filling);
    assert_in_range(block_memory(pending->intake.filling), 1, 256 * 1024);
    assert_int_equal(pending_size(pending), head.size);
    pending_free(pending);
}

static void
the_limit_holds_for_what_is_apart_as_well(void **state)
{
    (void)state;
    struct resp_request parser;
    struct slice head = SLICE("*1\r\n$400000\r\n");
    resp_request_init(&parser);
    char bytes[64];
    memcpy(bytes, head.data, head.size);
    assert_int_equal(resp_request_parse(&parser, bytes, head.size, &limits), RESP_MORE);
    struct pending *pending = pending_new(&parser, bytes, head.size, 300000);
    assert_non_null(pending);
    size_t come = 0;
    size_t size = 0;
    char *room;
    while ((room = pending_room(pending, &size)) != NULL) {
        memset(room, 'x', size);
        come += size;
        assert_int_equal(pending_commit(pending, room, size), INTAKE_MORE);
    }
    assert_int_equal(come + head.size, 300000);
    pending_free(pending);
}

static void
without_memory_a_block_says_so(void **state)
{
    (void)state;
    struct resp_request parser;
    struct slice head = SLICE("*1\r\n$400000\r\nx");
    char bytes[64];
    memcpy(bytes, head.data, head.size);
    resp_request_init(&parser);
    assert_int_equal(resp_request_parse(&parser, bytes, head.size, &limits), RESP_MORE);
    memory_fail_at(1);
    assert_null(pending_new(&parser, bytes, head.size, LIMIT));
    assert_int_equal(memory_fail_at(0), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_out_as_they_went_in_however_they_are_cut),
        cmocka_unit_test(what_is_announced_costs_nothing_until_it_comes),
        cmocka_unit_test(the_limit_holds_for_what_is_apart_as_well),
        cmocka_unit_test(without_memory_a_block_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
