#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>

void
check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "segue: internal check failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
