/*
 * Runs a fuzz target over kept inputs without libFuzzer: the files named, or those in the
 * directories named. Ends with "N passed, 0 failed"; a failure aborts.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int
replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return 0;
    }
    size_t capacity = 1 << 20;
    uint8_t *data = malloc(capacity);
    size_t size = data == NULL ? 0 : fread(data, 1, capacity, file);
    (void)fclose(file);
    uint8_t *exact = malloc(size == 0 ? 1 : size); /* so that reading beyond is found */
    if (data == NULL || exact == NULL) {
        abort();
    }
    for (size_t i = 0; i < size; i++) {
        exact[i] = data[i];
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    return 1;
}

int
main(int argc, char **argv)
{
    int passed = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (directory == NULL) {
            passed += replay_file(argv[i]);
            continue;
        }
        struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) {
            char path[4096];
            (void)snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            passed += entry->d_name[0] != '.' ? replay_file(path) : 0;
        }
        (void)closedir(directory);
    }
    printf("%d passed, 0 failed\n", passed);
    return 0;
}
