/* replay.c - runs a fuzz target over files, without libFuzzer: so every seed is a test of every build and compiler.
 *
 *     fuzz_x FILE-OR-FOLDER...
 *
 * The target itself reports by crashing; what is counted here is that there was something to run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = 0, cap = 1 << 16;
    uint8_t *data = malloc(cap);
    while (data) {
        n += fread(data + n, 1, cap - n, f);
        if (n < cap) break;
        uint8_t *more = realloc(data, cap *= 2);
        if (!more) free(data);
        data = more;
    }
    fclose(f);
    if (!data) return 0;
    uint8_t *exact = realloc(data, n ? n : 1); /* so that a sanitizer sees a read past the end */
    data = exact ? exact : data;
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 1;
}

static int run_path(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return run_file(path);
    int n_run = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.') continue;
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) < (int)sizeof name) n_run += run_path(name);
    }
    closedir(folder);
    return n_run;
}

int main(int argc, char **argv)
{
    int n_run = 0;
    for (int i = 1; i < argc; i++) n_run += run_path(argv[i]);
    printf("%d inputs\n", n_run);
    return n_run > 0 ? 0 : 1;
}
