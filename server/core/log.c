#include "server/core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_SIZE_MAX = 4096 };

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_level_min = LOG_LEVEL_NOTICE;
static _Thread_local char log_role[16] = "main";

bool
log_open(const char *path, struct buffer *ret_error)
{
    int fd = STDERR_FILENO;
    if (path[0] != '\0') {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            buffer_printf(ret_error, "can't open the log file '%s': %s", path, strerror(errno));
            return false;
        }
    }
    int old = atomic_exchange(&log_fd, fd);
    if (old != STDERR_FILENO) {
        close(old);
    }
    return true;
}

void
log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_level_min, (int)level, memory_order_relaxed);
}

void
log_set_role(const char *role)
{
    snprintf(log_role, sizeof(log_role), "%s", role);
}

void
log_line(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"debug", "verbose", "notice", "warning"};
    if ((int)level < atomic_load_explicit(&log_level_min, memory_order_relaxed)) {
        return;
    }
    int saved_errno = errno;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm calendar;
    gmtime_r(&now.tv_sec, &calendar);
    char line[LOG_LINE_SIZE_MAX];
    char time_text[32];
    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &calendar);
    int head = snprintf(line, sizeof(line), "%d:%s %s.%03dZ %s ", (int)getpid(), log_role,
                        time_text, (int)(now.tv_nsec / 1000000), names[level]);
    size_t size = (size_t)head;
    size_t room = sizeof(line) - 1 - size;
    va_list args;
    va_start(args, format);
    int text = vsnprintf(line + size, room, format, args);
    va_end(args);
    size_t added = text < 0 ? 0 : (size_t)text;
    added = added < room ? added : room - 1;
    for (size_t i = size; i < size + added; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }
    size += added;
    line[size++] = '\n';
    /* A log that cannot be written has nobody to be reported to. */
    if (write(atomic_load_explicit(&log_fd, memory_order_relaxed), line, size) < 0) {
        errno = saved_errno;
        return;
    }
    errno = saved_errno;
}
