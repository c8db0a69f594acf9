/* fuzz_folder.h - a folder for one fuzzer's run, with one tiny file of weights; gone when the process ends. */
#ifndef TRINE_TESTS_FUZZ_FOLDER_H
#define TRINE_TESTS_FUZZ_FOLDER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char fuzz_folder[256];
static const char *const fuzz_names[] = { "config.json",
                                          "modules.json",
                                          "1_Pooling/config.json",
                                          "generation_config.json",
                                          "model.safetensors",
                                          "model.safetensors.index.json",
                                          "one.safetensors",
                                          "tokenizer.json",
                                          "tokenizer_config.json",
                                          "spiece.model",
                                          "vocab.txt",
                                          "vocab.json",
                                          "merges.txt" };

static inline void fuzz_folder_remove(void)
{
    char path[512];
    for (size_t i = 0; i < sizeof fuzz_names / sizeof *fuzz_names; i++) {
        snprintf(path, sizeof path, "%s/%s", fuzz_folder, fuzz_names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/1_Pooling", fuzz_folder);
    rmdir(path);
    rmdir(fuzz_folder);
}

static inline void fuzz_folder_make(void)
{
    char path[512];
    const char *base = getenv("TMPDIR");
    snprintf(fuzz_folder, sizeof fuzz_folder, "%s/trine-fuzz-XXXXXX",
             base && *base              ? base
             : access("/dev/shm", W_OK) ? "/tmp"
                                        : "/dev/shm");
    if (!mkdtemp(fuzz_folder)) exit(2);
    snprintf(path, sizeof path, "%s/1_Pooling", fuzz_folder);
    mkdir(path, 0777);
    atexit(fuzz_folder_remove);
}

static inline void fuzz_folder_write(const char *name, const void *bytes, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fuzz_folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) exit(2);
}

#endif
