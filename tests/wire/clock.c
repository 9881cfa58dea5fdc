/*
 * clock - a wall clock that can be set: preloaded, it adds the seconds that stand as an int64_t
 * in the file $CLOCK_FILE to CLOCK_REALTIME. Whoever writes there makes the clock of the
 * process step.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s;

__attribute__((constructor)) static void
open_clock(void)
{
    const char *path = getenv("CLOCK_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *map =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset_s), PROT_READ, MAP_SHARED, fd, 0);
    offset_s = map == MAP_FAILED ? NULL : map;
    if (fd >= 0) {
        close(fd);
    }
}

int clock_gettime(clockid_t clock, struct timespec *ret_time);

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    long result = syscall(SYS_clock_gettime, clock, ret_time);
    if (result == 0 && offset_s != NULL && clock == CLOCK_REALTIME) {
        ret_time->tv_sec += *offset_s;
    }
    return (int)result;
}
