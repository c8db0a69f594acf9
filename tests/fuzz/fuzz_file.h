/* fuzz_file.h - a fuzzer's bytes as a file that can be opened by path, in memory alone. */
#ifndef TRINE_TESTS_FUZZ_FILE_H
#define TRINE_TESTS_FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Returns the file's descriptor, to be closed, or -1; its path goes to `path`. */
static inline int fuzz_file(char path[64], const uint8_t *data, size_t size)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0) return -1;
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(fd, data + done, size - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

#endif
