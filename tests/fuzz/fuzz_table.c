/* Tables of examples, tabs, commas and JSON lines alike: the first byte says the file's name, the rest is its content. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tasks/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const label[] = { "label", "a", NULL }, *const text[] = { "text", "b", NULL };
    const trine_column columns[] = { { "label", "--label", NULL, label, false }, { "text", "--text", NULL, text, false } };
    char path[64];
    trine_rows *rows;
    trine_error err;
    bool more = true;
    const int fd = size ? memfd_create("rows", 0) : -1;
    if (fd < 0) return 0;
    if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1)) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (!trine_rows_open(&rows, path, columns, 2, data[0] & 1, &err))
            while (!trine_rows_next(&more, rows, &err) && more) {}
        trine_rows_close(rows);
    }
    close(fd);
    return 0;
}
