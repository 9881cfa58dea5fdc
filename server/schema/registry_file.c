/*
 * The registry file, integers little-endian:
 *
 *   "SEGUEREG"  8 bytes
 *   format      u32, 2; 1 has no rollouts
 *   size        u64, of the payload
 *   checksum    u64, XXH3 of everything before it and of the payload
 *   payload     epoch u64, next id u32
 *               schemas u32, each: id u32, base version u32, document (u32 size, bytes)
 *               releases u32, each: name (u32 size, bytes), pairs u32, each: id u32, version
 *               u32
 *               rollouts u32, each: schema id u32, backfill: state u32, version u32, rate u64;
 *               withdrawals u32, each: version u32, forced u32, time u64, by (u32 size, bytes),
 *               evidence (u32 size, bytes)
 *
 * Nothing may follow. Any change of any byte is seen by one of the four header fields.
 */
#include "server/schema/registry_draft.h"

#include "server/schema/usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    FORMAT = 2,
    FORMAT_OLDEST = 1,
    HEADER_SIZE = 28,
    CHECKSUM_AT = 20,
    FILE_SIZE_MAX = 1024 * 1024 * 1024,
    PATH_SIZE = 4096,
};

#define TIME_MS_MAX (INT64_MAX / 2) /* a retention can be added to it */

static const char magic[] = "SEGUEREG";
static const char file_name[] = "segue-registry";

static void
append_number(struct buffer *buffer, uint64_t value, size_t size)
{
    char bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char)(value >> (8 * i) & 0xff);
    }
    buffer_append(buffer, bytes, size);
}

static void
append_bytes(struct buffer *buffer, struct slice bytes)
{
    append_number(buffer, bytes.size, 4);
    buffer_append_slice(buffer, bytes);
}

static uint64_t
checksum(struct slice file)
{
    XXH64_hash_t header = XXH3_64bits(file.data, CHECKSUM_AT);
    return XXH3_64bits_withSeed(file.data + HEADER_SIZE, file.size - HEADER_SIZE, header);
}

static void
store_number(char *at, uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        at[i] = (char)(value >> (8 * i) & 0xff);
    }
}

static void
append_rollout(struct buffer *file, const struct draft_schema *schema)
{
    const struct registry_rollout *rollout = &schema->rollout;
    append_number(file, schema->id, 4);
    append_number(file, rollout->backfill.state, 4);
    append_number(file, rollout->backfill.version, 4);
    append_number(file, rollout->backfill.rate, 8);
    append_number(file, rollout->withdrawal_count, 4);
    for (size_t i = 0; i < rollout->withdrawal_count; i++) {
        const struct registry_withdrawal *withdrawal = &rollout->withdrawals[i];
        append_number(file, withdrawal->version, 4);
        append_number(file, withdrawal->is_forced, 4);
        append_number(file, (uint64_t)withdrawal->at_ms, 8);
        append_bytes(file, withdrawal->by);
        append_bytes(file, withdrawal->evidence);
    }
}

bool
registry_file_encode(const struct draft *draft, struct buffer *ret_file)
{
    buffer_append(ret_file, magic, 8);
    append_number(ret_file, FORMAT, 4);
    append_number(ret_file, 0, 8); /* size and checksum: below */
    append_number(ret_file, 0, 8);
    append_number(ret_file, draft->epoch, 8);
    append_number(ret_file, draft->next_id, 4);
    append_number(ret_file, draft->schema_count, 4);
    for (size_t i = 0; i < draft->schema_count; i++) {
        const struct draft_schema *schema = &draft->schemas[i];
        append_number(ret_file, schema->id, 4);
        append_number(ret_file, schema->base_version, 4);
        append_bytes(ret_file, lens_schema_json(schema->shared->lens));
    }
    append_number(ret_file, draft->release_count, 4);
    for (size_t i = 0; i < draft->release_count; i++) {
        const struct draft_release *release = &draft->releases[i];
        append_bytes(ret_file, release->name);
        append_number(ret_file, release->count, 4);
        for (size_t k = 0; k < release->count; k++) {
            append_number(ret_file, release->pairs[k].schema_id, 4);
            append_number(ret_file, release->pairs[k].version, 4);
        }
    }
    append_number(ret_file, draft->schema_count, 4);
    for (size_t i = 0; i < draft->schema_count; i++) {
        append_rollout(ret_file, &draft->schemas[i]);
    }
    if (ret_file->failed) {
        return false;
    }
    store_number(ret_file->data + 12, ret_file->size - HEADER_SIZE);
    store_number(ret_file->data + CHECKSUM_AT, checksum(buffer_slice(ret_file)));
    return true;
}

/* What is left to read; reading past the end sets <bad> and gives zeros. */
struct reader {
    struct slice rest;
    bool bad;
};

static struct slice
take(struct reader *reader, uint64_t size)
{
    if (size > reader->rest.size) {
        reader->bad = true;
        reader->rest.size = 0;
        return slice_make(NULL, 0);
    }
    struct slice taken = slice_make(reader->rest.data, (size_t)size);
    reader->rest.data += size;
    reader->rest.size -= (size_t)size;
    return taken;
}

static uint64_t
take_number(struct reader *reader, size_t size)
{
    struct slice bytes = take(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        value |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    }
    return value;
}

static bool
has_id(const struct draft *draft, uint32_t id)
{
    for (size_t i = 0; i < draft->schema_count; i++) {
        if (draft->schemas[i].id == id) {
            return true;
        }
    }
    return false;
}

static bool
decode_schema(struct reader *reader, struct draft *draft, struct buffer *ret_error)
{
    uint32_t id = (uint32_t)take_number(reader, 4);
    uint32_t base_version = (uint32_t)take_number(reader, 4);
    struct slice json = take(reader, take_number(reader, 4));
    if (reader->bad || id == 0 || id >= draft->next_id || has_id(draft, id) ||
        base_version == 0 || base_version >= USAGE_VERSIONS_MAX) {
        buffer_append_string(ret_error, "its list of schemas is inconsistent");
        return false;
    }
    struct lens_problem problem = {0};
    struct lens_schema *lens = lens_schema_new(json, &problem);
    if (lens == NULL) {
        buffer_printf(ret_error, "schema %u in it is refused at %s: %s", id, problem.path,
                      problem.text);
        return false;
    }
    struct shared_lens *shared = shared_lens_new(lens);
    if (shared == NULL || !draft_add_schema(draft, id, base_version, shared, NULL, NULL)) {
        buffer_append_string(ret_error, "no memory");
        return false;
    }
    return true;
}

static bool
decode_release(struct reader *reader, struct draft *draft, struct buffer *ret_error)
{
    struct slice name = take(reader, take_number(reader, 4));
    uint64_t count = take_number(reader, 4);
    struct draft_release *release = &draft->releases[draft->release_count];
    *release = (struct draft_release){0};
    if (reader->bad || count > draft->schema_count) {
        buffer_append_string(ret_error, "its list of releases is inconsistent");
        return false;
    }
    release->pairs = arena_calloc(&draft->arena, (size_t)count + 1, sizeof(*release->pairs));
    if (release->pairs == NULL || !arena_copy(&draft->arena, name, &release->name)) {
        buffer_append_string(ret_error, "no memory");
        return false;
    }
    for (; release->count < count; release->count++) {
        uint32_t id = (uint32_t)take_number(reader, 4);
        uint32_t version = (uint32_t)take_number(reader, 4);
        release->pairs[release->count] =
            (struct draft_pair){.schema_id = id, .version = version};
    }
    draft->release_count++;
    return true;
}

static struct draft_schema *
draft_by_id(const struct draft *draft, uint32_t id)
{
    for (size_t i = 0; i < draft->schema_count; i++) {
        if (draft->schemas[i].id == id) {
            return &draft->schemas[i];
        }
    }
    return NULL;
}

static bool
decode_withdrawal(struct reader *reader, struct draft *draft,
                  struct registry_withdrawal *ret_withdrawal)
{
    *ret_withdrawal = (struct registry_withdrawal){
        .version = (unsigned)take_number(reader, 4),
        .is_forced = take_number(reader, 4) != 0,
        .at_ms = (int64_t)take_number(reader, 8),
    };
    struct slice by = take(reader, take_number(reader, 4));
    struct slice evidence = take(reader, take_number(reader, 4));
    return !reader->bad && ret_withdrawal->version > 0 && ret_withdrawal->at_ms >= 0 &&
           ret_withdrawal->at_ms <= TIME_MS_MAX &&
           arena_copy(&draft->arena, by, &ret_withdrawal->by) &&
           arena_copy(&draft->arena, evidence, &ret_withdrawal->evidence);
}

static bool
decode_rollout(struct reader *reader, struct draft *draft)
{
    struct draft_schema *schema = draft_by_id(draft, (uint32_t)take_number(reader, 4));
    uint64_t state = take_number(reader, 4);
    uint64_t version = take_number(reader, 4);
    uint64_t rate = take_number(reader, 8);
    uint64_t count = take_number(reader, 4);
    if (reader->bad || schema == NULL || state > REGISTRY_BACKFILL_PAUSED ||
        version > lens_schema_version_count(schema->shared->lens) ||
        count > lens_schema_version_count(schema->shared->lens)) {
        return false;
    }
    struct registry_withdrawal *withdrawals =
        arena_calloc(&draft->arena, (size_t)count + 1, sizeof(*withdrawals));
    if (withdrawals == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!decode_withdrawal(reader, draft, &withdrawals[i])) {
            return false;
        }
    }
    schema->rollout.backfill.state = (unsigned)state;
    schema->rollout.backfill.version = (unsigned)version;
    schema->rollout.backfill.rate = rate;
    schema->rollout.withdrawals = withdrawals;
    schema->rollout.withdrawal_count = (size_t)count;
    return true;
}

static bool
decode_rollouts(struct reader *reader, struct draft *draft, struct buffer *ret_error)
{
    uint64_t count = take_number(reader, 4);
    bool ok = !reader->bad && count <= draft->schema_count;
    for (uint64_t i = 0; ok && i < count; i++) {
        ok = decode_rollout(reader, draft);
    }
    if (!ok) {
        buffer_append_string(ret_error, "its list of rollouts is inconsistent");
    }
    return ok;
}

static bool
decode_payload(struct reader *reader, uint64_t format, struct draft *draft,
               struct buffer *ret_error)
{
    draft->epoch = take_number(reader, 8);
    draft->next_id = (uint32_t)take_number(reader, 4);
    uint64_t schema_count = take_number(reader, 4);
    if (schema_count > REGISTRY_SCHEMAS_MAX) {
        buffer_append_string(ret_error, "it has too many schemas");
        return false;
    }
    for (uint64_t i = 0; i < schema_count; i++) {
        if (!decode_schema(reader, draft, ret_error)) {
            return false;
        }
    }
    uint64_t release_count = take_number(reader, 4);
    if (release_count > REGISTRY_RELEASES_MAX) {
        buffer_append_string(ret_error, "it has too many releases");
        return false;
    }
    for (uint64_t i = 0; i < release_count; i++) {
        if (!decode_release(reader, draft, ret_error)) {
            return false;
        }
    }
    if (format > FORMAT_OLDEST && !decode_rollouts(reader, draft, ret_error)) {
        return false;
    }
    if (reader->bad || reader->rest.size != 0) {
        buffer_append_string(ret_error, "its payload has the wrong size");
        return false;
    }
    return true;
}

bool
registry_file_decode(struct slice file, struct draft *draft, struct buffer *ret_error)
{
    struct reader reader = {.rest = file};
    struct slice start = take(&reader, 8);
    uint64_t format = take_number(&reader, 4);
    uint64_t size = take_number(&reader, 8);
    uint64_t sum = take_number(&reader, 8);
    if (reader.bad) {
        buffer_printf(ret_error, "it has only %zu bytes, less than its header", file.size);
    } else if (memcmp(start.data, magic, 8) != 0) {
        buffer_append_string(ret_error, "it does not start as a registry file does");
    } else if (format < FORMAT_OLDEST || format > FORMAT) {
        buffer_printf(ret_error,
                      "its format %llu is not known to this version (which knows %d)",
                      (unsigned long long)format, FORMAT);
    } else if (size != reader.rest.size) {
        buffer_printf(ret_error, "it should have %llu bytes behind its header, and has %zu",
                      (unsigned long long)size, reader.rest.size);
    } else if (sum != checksum(file)) {
        buffer_append_string(ret_error, "its checksum is wrong: it was damaged");
    } else if (!draft_init(draft, REGISTRY_SCHEMAS_MAX, REGISTRY_RELEASES_MAX)) {
        buffer_append_string(ret_error, "no memory");
    } else if (decode_payload(&reader, format, draft, ret_error)) {
        return true;
    } else {
        draft_fini(draft);
    }
    return false;
}

/* "<directory>/segue-registry<suffix>"; false when that is too long. */
static bool
make_path(char *path, const char *directory, const char *suffix, struct buffer *ret_error)
{
    int size = snprintf(path, PATH_SIZE, "%s/%s%s", directory, file_name, suffix);
    if (size < 0 || size >= PATH_SIZE) {
        buffer_append_string(ret_error, "the path of its directory is too long");
        return false;
    }
    return true;
}

static bool
report(struct buffer *ret_error, const char *verb)
{
    buffer_printf(ret_error, "%s: %s", verb, strerror(errno));
    return false;
}

bool
registry_file_read(const char *directory, struct buffer *ret_file, bool *ret_found,
                   struct buffer *ret_error)
{
    char path[PATH_SIZE];
    if (!make_path(path, directory, "", ret_error)) {
        return false;
    }
    *ret_found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? true : report(ret_error, "it cannot be opened");
    }
    *ret_found = true;
    bool ok = true;
    for (;;) {
        char *room = buffer_reserve(ret_file, 64 * 1024);
        ssize_t got =
            room == NULL || ret_file->size > FILE_SIZE_MAX ? -1 : read(fd, room, 64 * 1024);
        if (got < 0 && errno == EINTR && room != NULL) {
            continue;
        }
        if (got <= 0) {
            ok = got == 0 || report(ret_error, "it cannot be read");
            break;
        }
        buffer_commit(ret_file, (size_t)got);
    }
    close(fd);
    return ok;
}

static bool
write_all(int fd, struct slice file)
{
    while (file.size > 0) {
        ssize_t put = write(fd, file.data, file.size);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            file.data += put;
            file.size -= (size_t)put;
        }
    }
    return true;
}

static bool
sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    /* Some file systems have no fsync for directories: EINVAL there is all they can give. */
    bool ok = fsync(fd) == 0 || errno == EINVAL;
    close(fd);
    return ok;
}

bool
registry_file_write(const char *directory, struct slice file, struct buffer *ret_error)
{
    char path[PATH_SIZE];
    char fresh[PATH_SIZE];
    if (!make_path(path, directory, "", ret_error) ||
        !make_path(fresh, directory, ".new", ret_error)) {
        return false;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return report(ret_error, "it cannot be created");
    }
    bool written = write_all(fd, file) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && written) {
        written = false;
        error = errno;
    }
    if (!written || rename(fresh, path) != 0) {
        errno = written ? errno : error;
        report(ret_error, "it cannot be written");
        unlink(fresh);
        return false;
    }
    return sync_directory(directory) ? true
                                     : report(ret_error, "its directory cannot be synced");
}
