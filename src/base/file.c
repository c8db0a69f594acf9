/* file.c - files read: mapped when they are large (weights), whole when they are small (configurations, texts). */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "base/status.h"

static trine_status open_failed(trine_error *err, const char *path)
{
    const int why = errno;
    const trine_status code = why == ENOENT || why == ENOTDIR ? TRINE_ERROR_NOT_FOUND
                              : why == ENOMEM                 ? TRINE_ERROR_MEMORY
                                                              : TRINE_ERROR_IO;
    return trine_fail(err, code, "cannot open '%s': %s", path, strerror(why));
}

trine_status trine_mapping_open(trine_mapping *out, const char *path, trine_error *err)
{
    *out = (trine_mapping) { 0 };
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return open_failed(err, path);
    trine_status status = TRINE_OK;
    struct stat st;
    if (fstat(fd, &st))
        status = open_failed(err, path);
    else if (S_ISDIR(st.st_mode))
        status = trine_fail(err, TRINE_ERROR_IO, "'%s' is a directory, expected a file", path);
    else if (!S_ISREG(st.st_mode))
        status = trine_fail(err, TRINE_ERROR_IO, "'%s' is not a regular file", path);
    else if (st.st_size == 0)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is empty", path);
    else {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = trine_fail(err, errno == ENOMEM ? TRINE_ERROR_MEMORY : TRINE_ERROR_IO, "cannot map the %zu bytes of '%s': %s",
                                (size_t)st.st_size, path, strerror(errno));
        else
            *out = (trine_mapping) { data, (size_t)st.st_size };
#if defined(MADV_HUGEPAGE)
        /* What is not in memory yet is read in large pages, where the system has them for files: weights that are streamed by for each
         * token then cost a translation of an address every 2 MiB, not every 4 KiB. A system that has none says no, and that is fine. */
        if (out->data) madvise(data, out->size, MADV_HUGEPAGE);
#endif
    }
    close(fd);
    return status;
}

void trine_mapping_close(trine_mapping *mapping)
{
    if (mapping->data) munmap((void *)(uintptr_t)mapping->data, mapping->size);
    *mapping = (trine_mapping) { 0 };
}

void trine_mapping_forget(const trine_mapping *mapping, size_t offset, size_t n)
{
    if (!mapping->data || offset >= mapping->size) return;
    if (n > mapping->size - offset) n = mapping->size - offset;
    /* Only pages that lie wholly inside: their neighbours may be in use. */
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t start = trine_round_up(offset, page), end = (offset + n) / page * page;
    if (start >= end) return;
    void *at = (void *)(uintptr_t)(mapping->data + start);
    madvise(at, end - start, MADV_DONTNEED);
#if defined(MADV_NOHUGEPAGE)
    madvise(at, end - start, MADV_NOHUGEPAGE); /* nor come back in a large page that a neighbour is read in */
#endif
}

/* Room for one more part of n bytes and a zero, doubling. */
static bool grow(char **data, size_t *cap, size_t n, size_t part)
{
    size_t need;
    if (!trine_add_size(&need, n, part) || !trine_add_size(&need, need, 1)) return false;
    if (need <= *cap) return true;
    size_t cap2 = *cap < SIZE_MAX / 2 && 2 * *cap > need ? 2 * *cap : need;
    char *grown = realloc(*data, cap2);
    if (!grown) return false;
    *data = grown;
    *cap = cap2;
    return true;
}

trine_status trine_file_read(char **out, size_t *n, const char *path, size_t limit, trine_error *err)
{
    *out = NULL;
    *n = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return open_failed(err, path);
    trine_status status = TRINE_OK;
    struct stat st;
    char *data = NULL;
    size_t cap = 0, size = 0;
    /* The size is a hint only: pipes have none. */
    size_t part =
        !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size < limit ? (size_t)st.st_size + 1 : 65536;
    for (;;) {
        if (!grow(&data, &cap, size, part)) {
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", path);
            break;
        }
        const ssize_t got = read(fd, data + size, cap - 1 - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            status = trine_fail(err, TRINE_ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
            break;
        }
        if (got == 0) break;
        size += (size_t)got;
        if (size > limit) {
            status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is larger than the %zu bytes that are read", path, limit);
            break;
        }
        part = size < 65536 ? 65536 : size;
        if (cap - 1 - size >= 4096) part = 0; /* there is room yet */
    }
    close(fd);
    if (status) {
        free(data);
        return status;
    }
    data[size] = 0;
    *out = data;
    *n = size;
    return TRINE_OK;
}

bool trine_file_exists(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode);
}

bool trine_is_directory(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool trine_same_place(const char *in, const char *out)
{
    struct stat a, b;
    if (stat(in, &a) || stat(out, &b)) return false;
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino) return true;
    if (S_ISDIR(a.st_mode) || !S_ISDIR(b.st_mode)) return false;
    char *dir = strdup(in);
    if (!dir) return false;
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    else
        strcpy(dir, *dir ? "." : "");
    const bool same = !stat(dir, &a) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
    free(dir);
    return same;
}

char *trine_path_join(const char *dir, const char *name)
{
    const size_t n_dir = strlen(dir), n_name = strlen(name);
    const bool slash = n_dir && dir[n_dir - 1] != '/';
    char *path = malloc(n_dir + slash + n_name + 1);
    if (!path) return NULL;
    memcpy(path, dir, n_dir);
    if (slash) path[n_dir] = '/';
    memcpy(path + n_dir + slash, name, n_name + 1);
    return path;
}

trine_status trine_file_beside(bool *out, const char *dir, const char *name, trine_error *err)
{
    char *path = trine_path_join(dir, name);
    *out = path && trine_file_exists(path);
    free(path);
    return path ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the path of '%s'", name);
}

trine_status trine_directory_sync(const char *dir, trine_error *err)
{
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return trine_fail(err, TRINE_ERROR_IO, "cannot open the directory '%s': %s", dir, strerror(errno));
    const bool failed = fsync(fd) && errno != EINVAL && errno != ENOTSUP && errno != EROFS;
    const int why = errno;
    close(fd);
    return failed ? trine_fail(err, TRINE_ERROR_IO, "cannot write the directory '%s': %s", dir, strerror(why)) : TRINE_OK;
}

trine_status trine_parent_sync(const char *path, trine_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return trine_directory_sync(".", err);
    char *parent = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!parent) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to finish '%s'", path);
    const trine_status status = trine_directory_sync(parent, err);
    free(parent);
    return status;
}
