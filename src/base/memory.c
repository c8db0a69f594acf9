/* memory.c - how much memory this process may still take: the least of what the machine has, what its control groups
 * leave (each level may have a limit of its own) and what its address-space limit leaves. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cpu.h"

/* A small file of /proc or /sys, whole; false when it cannot be read. */
static bool read_small(char *out, size_t cap, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t n = 0;
    for (ssize_t got; n < cap - 1 && (got = read(fd, out + n, cap - 1 - n)) > 0;) n += (size_t)got;
    close(fd);
    out[n] = 0;
    return n > 0;
}

/* The number after `key` at the start of a line; false when there is none ("max" is no number). */
static bool number_after(size_t *out, const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, n)) continue;
        char *end;
        const char *start = line + n + strspn(line + n, " \t");
        if (*start < '0' || *start > '9') return false;
        const unsigned long long v = strtoull(start, &end, 10);
        *out = v > SIZE_MAX ? SIZE_MAX : (size_t)v;
        return true;
    }
    return false;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* What one control group leaves. Its file pages that nobody uses are given back on demand, so they do not count as taken. */
static size_t group_leaves(const char *dir, const char *limit_name, const char *usage_name, const char *inactive_key)
{
    char path[1200], text[8192];
    size_t limit, usage, inactive = 0;
    snprintf(path, sizeof path, "%s/%s", dir, limit_name);
    if (!read_small(text, sizeof text, path) || !number_after(&limit, text, "")) return SIZE_MAX;
    snprintf(path, sizeof path, "%s/%s", dir, usage_name);
    if (!read_small(text, sizeof text, path) || !number_after(&usage, text, "")) return limit;
    snprintf(path, sizeof path, "%s/memory.stat", dir);
    if (read_small(text, sizeof text, path)) number_after(&inactive, text, inactive_key);
    usage -= least(usage, inactive);
    return usage < limit ? limit - usage : 0;
}

/* From the process's own group up to the root of the hierarchy. */
static size_t groups_leave(const char *base, const char *group, const char *limit, const char *usage, const char *inactive)
{
    size_t leaves = SIZE_MAX;
    char dir[1024];
    if (snprintf(dir, sizeof dir, "%s%s", base, strcmp(group, "/") ? group : "") >= (int)sizeof dir) return leaves;
    for (;;) {
        leaves = least(leaves, group_leaves(dir, limit, usage, inactive));
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= strlen(base) || !slash) return leaves;
        *slash = 0;
    }
}

size_t trine_memory_free_under(const char *root)
{
    char path[512], text[8192];
    size_t leaves = SIZE_MAX, value;

    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_small(text, sizeof text, path) && number_after(&value, text, "MemAvailable:"))
        leaves = least(leaves, value > SIZE_MAX / 1024 ? SIZE_MAX : value * 1024);

    /* Lines "0::/path" (version 2) or "N:memory:/path" (version 1). */
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (read_small(text, sizeof text, path)) {
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            char base[512];
            const char *first = strchr(line, ':'), *group = first ? strchr(first + 1, ':') : NULL;
            if (!group) continue;
            if (!strncmp(line, "0::", 3)) {
                snprintf(base, sizeof base, "%s/sys/fs/cgroup", root);
                leaves = least(leaves, groups_leave(base, group + 1, "memory.max", "memory.current", "inactive_file"));
            } else if (!strncmp(first, ":memory:", 8)) {
                snprintf(base, sizeof base, "%s/sys/fs/cgroup/memory", root);
                leaves = least(
                    leaves, groups_leave(base, group + 1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
            }
        }
    }

    struct rlimit limit;
    if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY) {
        size_t pages = 0;
        const long page = sysconf(_SC_PAGESIZE);
        snprintf(path, sizeof path, "%s/proc/self/statm", root);
        if (read_small(text, sizeof text, path)) number_after(&pages, text, "");
        const size_t taken = pages * (size_t)(page > 0 ? page : 4096);
        leaves = least(leaves, limit.rlim_cur > taken ? (size_t)(limit.rlim_cur - taken) : 0);
    }
    return leaves;
}

size_t trine_memory_free(void) { return trine_memory_free_under(""); }
