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

#endif
