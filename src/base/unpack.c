/* unpack.c - files packed by gzip, xz or zstd, known by their first bytes and unpacked whole. */
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/file.h"
#include "base/size.h"
#include "base/status.h"

typedef enum packing { PACKED_NOT, PACKED_GZIP, PACKED_XZ, PACKED_ZSTD } packing;

static packing packing_of(const char *data, size_t n)
{
    static const struct {
        const char *bytes;
        size_t n;
        packing kind;
    } magic[] = { { "\x1f\x8b", 2, PACKED_GZIP },
                  { "\xfd"
                    "7zXZ",
                    6, PACKED_XZ },
                  { "\x28\xb5\x2f\xfd", 4, PACKED_ZSTD } };
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if (n >= magic[i].n && !memcmp(data, magic[i].bytes, magic[i].n)) return magic[i].kind;
    return PACKED_NOT;
}

/* One decoder behind the three: a step consumes input and fills output until the end. */
typedef struct unpacker {
    packing kind;
    z_stream z;
    lzma_stream x;
    ZSTD_DStream *d;
    const unsigned char *in;
    size_t left;
    bool open, end, bad, no_memory;
} unpacker;

static void open_unpacker(unpacker *u, packing kind, const char *in, size_t n)
{
    *u = (unpacker) { .kind = kind, .x = LZMA_STREAM_INIT, .in = (const unsigned char *)in, .left = n };
    if (kind == PACKED_XZ)
        u->open = lzma_stream_decoder(&u->x, (uint64_t)256 << 20, LZMA_CONCATENATED) == LZMA_OK;
    else if (kind == PACKED_GZIP)
        u->open = inflateInit2(&u->z, 15 + 16) == Z_OK;
    else
        u->open = (u->d = ZSTD_createDStream()) != NULL;
    u->no_memory = !u->open;
}

static void close_unpacker(unpacker *u)
{
    if (!u->open) return;
    if (u->kind == PACKED_XZ)
        lzma_end(&u->x);
    else if (u->kind == PACKED_GZIP)
        inflateEnd(&u->z);
    else
        ZSTD_freeDStream(u->d);
}

static size_t step_xz(unpacker *u, char *out, size_t cap)
{
    u->x.next_in = u->in;
    u->x.avail_in = u->left;
    u->x.next_out = (uint8_t *)out;
    u->x.avail_out = cap;
    const lzma_ret r = lzma_code(&u->x, LZMA_FINISH);
    u->in = u->x.next_in;
    u->left = u->x.avail_in;
    u->end = r == LZMA_STREAM_END;
    u->no_memory = r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR;
    u->bad = !u->end && r != LZMA_OK;
    return cap - u->x.avail_out;
}

static size_t step_gzip(unpacker *u, char *out, size_t cap)
{
    if (cap > 1u << 30) cap = 1u << 30;
    const uInt before = u->left > 1u << 30 ? 1u << 30 : (uInt)u->left;
    u->z.next_in = (Bytef *)(uintptr_t)u->in;
    u->z.avail_in = before;
    u->z.next_out = (Bytef *)out;
    u->z.avail_out = (uInt)cap;
    const int r = inflate(&u->z, Z_NO_FLUSH);
    u->in += before - u->z.avail_in;
    u->left -= before - u->z.avail_in;
    u->no_memory = r == Z_MEM_ERROR;
    u->bad = r != Z_OK && r != Z_STREAM_END;
    if (r == Z_STREAM_END) {
        /* Members may follow one another (RFC 1952, 2.2); zeros after the last are padding. */
        while (u->left && !*u->in) u->in++, u->left--;
        u->end = !u->left;
        if (!u->end && inflateReset(&u->z) != Z_OK) u->bad = true;
    }
    return cap - u->z.avail_out;
}

/* Frames may follow one another (RFC 8878, 3). */
static size_t step_zstd(unpacker *u, char *out, size_t cap)
{
    ZSTD_inBuffer in = { u->in, u->left, 0 };
    ZSTD_outBuffer to = { out, cap, 0 };
    const size_t r = ZSTD_decompressStream(u->d, &to, &in);
    u->in += in.pos;
    u->left -= in.pos;
    u->no_memory = ZSTD_isError(r) && ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation;
    u->bad = (ZSTD_isError(r) && !u->no_memory) || (r && !in.pos && !to.pos); /* cut short: nothing goes in or out any more */
    u->end = !r && !u->left;
    return to.pos;
}

static size_t step(unpacker *u, char *out, size_t cap)
{
    return u->kind == PACKED_XZ ? step_xz(u, out, cap) : u->kind == PACKED_GZIP ? step_gzip(u, out, cap) : step_zstd(u, out, cap);
}

/* Room for `part` bytes and a zero after n. */
static bool grow(char **data, size_t *cap, size_t n, size_t part)
{
    size_t need;
    if (!trine_add_size(&need, n, part) || !trine_add_size(&need, need, 1)) return false;
    if (need <= *cap) return true;
    const size_t twice = *cap < SIZE_MAX / 2 && 2 * *cap > need ? 2 * *cap : need;
    char *grown = realloc(*data, twice);
    if (!grown) return false;
    *data = grown;
    *cap = twice;
    return true;
}

static trine_status unpack(char **out, size_t *n, const char *path, const char *in, size_t in_bytes, packing kind, size_t limit,
                           trine_error *err)
{
    static const char *const names[] = { "", "gzip", "xz", "zstd" };
    unpacker u;
    char *data = NULL;
    size_t cap = 0, size = 0;
    open_unpacker(&u, kind, in, in_bytes);
    while (!u.end && !u.bad && !u.no_memory && size <= limit) {
        if (!grow(&data, &cap, size, size < 65536 ? 65536 : size / 2))
            u.no_memory = true;
        else
            size += step(&u, data + size, cap - 1 - size);
    }
    close_unpacker(&u);
    trine_status status = TRINE_OK;
    if (u.no_memory || !data)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to unpack '%s'", path);
    else if (u.bad)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is damaged: its %s data stops making sense after %zu unpacked bytes",
                            path, names[kind], size);
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
    char *raw;
    size_t raw_bytes;
    const trine_status status = trine_file_read(&raw, &raw_bytes, path, limit, err);
    *out = raw;
    *n = raw_bytes;
    if (status) return status;
    const packing kind = packing_of(raw, raw_bytes);
    if (kind == PACKED_NOT) return TRINE_OK;
    *out = NULL;
    *n = 0;
    const trine_status unpacked = unpack(out, n, path, raw, raw_bytes, kind, limit, err);
    free(raw);
    return unpacked;
}
