/*
 * Requests: whatever comes, however it is cut, the parser answers MORE, READY or BAD, never
 * reads or writes outside, and cutting changes nothing. The first byte says where to cut.
 */
#include "proto/base/check.h"
#include "proto/resp.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Parse the first request; true when it was READY. */
static bool
parse(const uint8_t *data, size_t size, size_t cut, struct resp_request *request, char *copy)
{
    const struct resp_limits limits = {1000, 100000, (size & 1) == 0};
    memcpy(copy, data, size);
    enum resp_result result = RESP_MORE;
    if (cut < size) {
        result = resp_request_parse(request, copy, cut, &limits);
    }
    if (result == RESP_MORE) {
        result = resp_request_parse(request, copy, size, &limits);
    }
    for (size_t i = 0; result == RESP_READY && i < request->argc; i++) {
        CHECK(request->spans[i].offset <= request->position);
        CHECK(request->spans[i].size <= request->position - request->spans[i].offset);
    }
    CHECK(request->position <= size || result == RESP_BAD);
    return result == RESP_READY;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    size_t cut = data[0];
    data++;
    size--;
    char *whole = malloc(size);
    char *parts = malloc(size);
    CHECK(whole != NULL && parts != NULL);
    struct resp_request a;
    struct resp_request b;
    resp_request_init(&a);
    resp_request_init(&b);
    bool ready_whole = parse(data, size, size, &a, whole);
    bool ready_parts = parse(data, size, cut, &b, parts);
    CHECK(ready_whole == ready_parts);
    if (ready_whole) {
        CHECK(a.argc == b.argc && a.position == b.position);
    }
    struct slice argv[16];
    size_t argc = 0;
    const struct resp_limits limits = {1000, 100000, (size & 1) == 0};
    size_t taken = resp_request_take((const char *)data, size, &limits, 16, argv, &argc);
    if (taken > 0) {
        CHECK(ready_whole && a.argc == argc && a.position == taken);
        for (size_t i = 0; i < argc; i++) {
            CHECK(argv[i].data == (const char *)data + a.spans[i].offset);
            CHECK(argv[i].size == a.spans[i].size);
        }
    }
    resp_request_fini(&a);
    resp_request_fini(&b);
    free(whole);
    free(parts);
    return 0;
}
