/* file.c - files read: mapped when they are large (weights), whole when they are small (configurations, texts). */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

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
    if (start < end) madvise((void *)(uintptr_t)(mapping->data + start), end - start, MADV_DONTNEED);
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

/* Unpacks with one decoder behind both formats: step() consumes input and fills output until the end. */
typedef struct unpacker {
    z_stream z;
    lzma_stream x;
    bool is_xz, open;
} unpacker;

static bool unpacker_open(unpacker *u, bool is_xz, const char *in, size_t n)
{
    *u = (unpacker) { .is_xz = is_xz, .x = LZMA_STREAM_INIT };
    u->x.next_in = (const uint8_t *)in;
    u->x.avail_in = n;
    if (is_xz)
        u->open = lzma_stream_decoder(&u->x, (uint64_t)256 << 20, LZMA_CONCATENATED) == LZMA_OK;
    else
        u->open = inflateInit2(&u->z, 15 + 16) == Z_OK;
    return u->open;
}

static void unpacker_close(unpacker *u)
{
    if (!u->open) return;
    if (u->is_xz)
        lzma_end(&u->x);
    else
        inflateEnd(&u->z);
}

/* Writes up to cap bytes; returns how many; *end when the data ended as it should, *bad when it is damaged. */
static size_t unpacker_step(unpacker *u, char *out, size_t cap, bool *end, bool *bad, bool *no_memory)
{
    if (u->is_xz) {
        u->x.next_out = (uint8_t *)out;
        u->x.avail_out = cap;
        const lzma_ret r = lzma_code(&u->x, LZMA_FINISH);
        *end = r == LZMA_STREAM_END;
        *no_memory = r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR;
        *bad = !*end && r != LZMA_OK;
        return cap - u->x.avail_out;
    }
    if (cap > 1u << 30) cap = 1u << 30;
    u->z.next_in = (Bytef *)(uintptr_t)u->x.next_in;
    u->z.avail_in = u->x.avail_in > 1u << 30 ? 1u << 30 : (uInt)u->x.avail_in;
    const uInt before = u->z.avail_in;
    u->z.next_out = (Bytef *)out;
    u->z.avail_out = (uInt)cap;
    const int r = inflate(&u->z, Z_NO_FLUSH);
    const size_t used = before - u->z.avail_in;
    u->x.next_in += used;
    u->x.avail_in -= used;
    *no_memory = r == Z_MEM_ERROR;
    *bad = r != Z_OK && r != Z_STREAM_END;
    if (r == Z_STREAM_END) {
        /* Members may follow one another (RFC 1952, 2.2); zeros after the last are padding. */
        while (u->x.avail_in && !*u->x.next_in) u->x.next_in++, u->x.avail_in--;
        *end = !u->x.avail_in;
        if (!*end && inflateReset(&u->z) != Z_OK) *bad = true;
    }
    return cap - u->z.avail_out;
}

static trine_status unpack(char **out, size_t *n, const char *path, const char *in, size_t in_bytes, bool is_xz, size_t limit,
                           trine_error *err)
{
    unpacker u;
    char *data = NULL;
    size_t cap = 0, size = 0;
    bool end = false, bad = false, no_memory = !unpacker_open(&u, is_xz, in, in_bytes);
    while (!end && !bad && !no_memory && size <= limit) {
        if (!grow(&data, &cap, size, size < 65536 ? 65536 : size / 2))
            no_memory = true;
        else
            size += unpacker_step(&u, data + size, cap - 1 - size, &end, &bad, &no_memory);
    }
    unpacker_close(&u);
    trine_status status = TRINE_OK;
    if (no_memory || !data)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to unpack '%s'", path);
    else if (bad)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is damaged: its %s data stops making sense after %zu unpacked bytes",
                            path, is_xz ? "xz" : "gzip", size);
    else if (size > limit)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' unpacks to more than the %zu bytes that are read", path, limit);
    if (status) {
        free(data);
        return status;
    }
    data[size] = 0;
    *out = data;
    *n = size;
    return TRINE_OK;
}

trine_status trine_file_read_packed(char **out, size_t *n, const char *path, size_t limit, trine_error *err)
{
    static const char gzip_magic[2] = "\x1f\x8b", xz_magic[6] = "\xfd"
                                                                "7zXZ";
    char *raw;
    size_t raw_bytes;
    const trine_status status = trine_file_read(&raw, &raw_bytes, path, limit, err);
    *out = raw;
    *n = raw_bytes;
    if (status) return status;
    const bool is_gzip = raw_bytes >= sizeof gzip_magic && !memcmp(raw, gzip_magic, sizeof gzip_magic);
    const bool is_xz = raw_bytes >= sizeof xz_magic && !memcmp(raw, xz_magic, sizeof xz_magic);
    if (!is_gzip && !is_xz) return TRINE_OK;
    *out = NULL;
    *n = 0;
    const trine_status unpacked = unpack(out, n, path, raw, raw_bytes, is_xz, limit, err);
    free(raw);
    return unpacked;
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
