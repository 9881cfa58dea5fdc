#include "bench/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
process_usage(int64_t pid, struct process_usage *ret_usage)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    char line[1024];
    size_t size = fread(line, 1, sizeof(line) - 1, file);
    (void)fclose(file);
    line[size] = '\0';
    const char *fields = strrchr(line, ')'); /* the name before it may contain anything */
    unsigned long long user;
    unsigned long long system;
    long long pages;
    if (fields == NULL ||
        sscanf(
            fields,
            ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
            "%*u %*u %lld",
            &user, &system, &pages) != 3) {
        return false;
    }
    double ticks = (double)sysconf(_SC_CLK_TCK);
    ret_usage->user_s = (double)user / ticks;
    ret_usage->system_s = (double)system / ticks;
    ret_usage->resident_size = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
