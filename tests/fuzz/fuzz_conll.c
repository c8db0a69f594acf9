/* Files of tagged words. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tasks/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    trine_conll *file;
    trine_tagged sentence;
    trine_error err;
    bool more = true;
    const int fd = memfd_create("conll", 0);
    if (fd < 0) return 0;
    if (write(fd, data, size) == (ssize_t)size) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (!trine_conll_open(&file, path, &err))
            while (!trine_conll_next(&more, &sentence, file, &err) && more) {}
        trine_conll_close(file);
    }
    close(fd);
    return 0;
}
