/* ends.h - what a name ends with: of a tensor, of a file. */
#ifndef TRINE_BASE_ENDS_H
#define TRINE_BASE_ENDS_H

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static inline bool trine_ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && !strcmp(text + n - n_end, end);
}

/* The same of the first n bytes of a path, in letters of either case. */
static inline bool trine_path_ends_with(const char *path, size_t n, const char *end)
{
    const size_t n_end = strlen(end);
    return n >= n_end && !strncasecmp(path + n - n_end, end, n_end);
}

/* Whether a path ends so, or so with what a packed file ends with behind it. */
static inline bool trine_path_is_kind(const char *path, const char *end)
{
    static const char *const packed[] = { ".gz", ".xz", ".zst" };
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
        if (trine_path_ends_with(path, n, packed[i])) {
            n -= strlen(packed[i]);
            break;
        }
    return trine_path_ends_with(path, n, end);
}

#endif
