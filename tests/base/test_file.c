/* test_file.c - files read by mapping, whole and unpacked, and written whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "support/alloc.h"
#include "support/temp.h"

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

/* Bytes that do not repeat within a page. */
static unsigned char *make_bytes(size_t n)
{
    unsigned char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    return bytes;
}

static void expect_file(const char *path, const void *bytes, size_t n)
{
    char *got;
    size_t n_got;
    assert_int_equal(trine_file_read(&got, &n_got, path, (size_t)1 << 30, NULL), TRINE_OK);
    assert_int_equal(n_got, n);
    assert_memory_equal(got, bytes, n);
    assert_int_equal(got[n], 0);
    free(got);
}

static void test_mapping(void **state)
{
    (void)state;
    trine_mapping m;
    trine_error err;
    const size_t n = 3 * 65536 + 17;
    unsigned char *bytes = make_bytes(n);
    assert_int_equal(trine_mapping_open(&m, temp_write("data", bytes, n), &err), TRINE_OK);
    assert_int_equal(m.size, n);
    assert_memory_equal(m.data, bytes, n);
    trine_mapping_forget(&m, 10, 100000); /* pages come back when asked for */
    trine_mapping_forget(&m, 0, SIZE_MAX);
    trine_mapping_forget(&m, n + 5, 1);
    assert_memory_equal(m.data, bytes, n);
    trine_mapping_close(&m);
    trine_mapping_close(&m);
    free(bytes);
    assert_int_equal(trine_mapping_open(&m, temp_path("none"), &err), TRINE_ERROR_NOT_FOUND);
    assert_null(m.data);
    assert_int_equal(trine_mapping_open(&m, temp_path("data/none"), &err), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_mapping_open(&m, temp_path("."), &err), TRINE_ERROR_IO);
    assert_int_equal(trine_mapping_open(&m, "/dev/null", &err), TRINE_ERROR_IO);
    assert_int_equal(trine_mapping_open(&m, temp_write("empty", "", 0), &err), TRINE_ERROR_FORMAT);
}

static void test_read(void **state)
{
    (void)state;
    trine_error err;
    char *text;
    size_t n;
    unsigned char *bytes = make_bytes(300000);
    for (size_t size = 0; size <= 300000; size = size * 7 + 1) expect_file(temp_write("a", bytes, size), bytes, size);
    assert_int_equal(trine_file_read(&text, &n, temp_path("none"), 100, &err), TRINE_ERROR_NOT_FOUND);
    assert_null(text);
    assert_int_equal(trine_file_read(&text, &n, temp_path("."), 100, &err), TRINE_ERROR_IO);
    temp_write("a", bytes, 100);
    assert_int_equal(trine_file_read(&text, &n, temp_path("a"), 99, &err), TRINE_ERROR_FORMAT);
    assert_int_equal(trine_file_read(&text, &n, temp_path("a"), 100, &err), TRINE_OK);
    free(text);

    /* A pipe has no size and comes in parts. */
    assert_int_equal(mkfifo(temp_path("pipe"), 0600), 0);
    const char *path = temp_path("pipe");
    const pid_t child = fork();
    if (!child) {
        const int fd = open(path, O_WRONLY);
        for (size_t at = 0; at < 300000; at += 30000) {
            if (write(fd, bytes + at, 30000) != 30000) _exit(1);
        }
        _exit(0);
    }
    expect_file(path, bytes, 300000);
    assert_int_equal(waitpid(child, NULL, 0), child);
    free(bytes);
}

static void write_gzip(const char *path, const char *mode, const void *bytes, size_t n)
{
    gzFile f = gzopen(path, mode);
    assert_int_equal(gzwrite(f, bytes, (unsigned)n), n);
    assert_int_equal(gzclose(f), Z_OK);
}

static size_t make_xz(uint8_t *out, size_t cap, const void *bytes, size_t n)
{
    size_t used = 0;
    assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, bytes, n, out, &used, cap), LZMA_OK);
    return used;
}

static void expect_packed(const char *path, const void *bytes, size_t n)
{
    char *got;
    size_t n_got;
    trine_error err;
    if (trine_file_read_packed(&got, &n_got, path, (size_t)1 << 24, &err)) fail_msg("%s", err.text);
    assert_int_equal(n_got, n);
    assert_memory_equal(got, bytes, n);
    assert_int_equal(got[n], 0);
    free(got);
}

static void test_packed(void **state)
{
    (void)state;
    const size_t n = 700000;
    unsigned char *bytes = make_bytes(2 * n);
    trine_error err;
    char *text;
    size_t got;
    expect_packed(temp_write("plain", bytes, n), bytes, n);
    expect_packed(temp_write("one", "\x1f", 1), "\x1f", 1);
    expect_packed(temp_write("empty", "", 0), "", 0);
    write_gzip(temp_path("a.gz"), "wb", bytes, n);
    expect_packed(temp_path("a.gz"), bytes, n);
    write_gzip(temp_path("a.gz"), "ab", bytes + n, n); /* members follow one another */
    expect_packed(temp_path("a.gz"), bytes, 2 * n);
    uint8_t *xz = malloc(4 * n);
    size_t xz_bytes = make_xz(xz, 4 * n, bytes, n);
    expect_packed(temp_write("a.xz", xz, xz_bytes), bytes, n);
    xz_bytes += make_xz(xz + xz_bytes, 4 * n - xz_bytes, bytes + n, n);
    expect_packed(temp_write("a.xz", xz, xz_bytes), bytes, 2 * n);

    char *zst = malloc(ZSTD_compressBound(2 * n));
    size_t zst_bytes = ZSTD_compress(zst, ZSTD_compressBound(2 * n), bytes, n, 1);
    expect_packed(temp_write("a.zst", zst, zst_bytes), bytes, n);
    zst_bytes += ZSTD_compress(zst + zst_bytes, ZSTD_compressBound(n), bytes + n, n, 1); /* frames too */
    expect_packed(temp_write("a.zst", zst, zst_bytes), bytes, 2 * n);

    /* Too large, cut, and changed. */
    assert_int_equal(trine_file_read_packed(&text, &got, temp_path("a.zst"), 2 * n - 1, &err), TRINE_ERROR_FORMAT);
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("cut.zst", zst, zst_bytes - 9), 1 << 24, &err),
                     TRINE_ERROR_FORMAT);
    zst[6] ^= 0x7f;
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("bad.zst", zst, 200), 1 << 24, &err), TRINE_ERROR_FORMAT);
    free(zst);
    assert_int_equal(trine_file_read_packed(&text, &got, temp_path("a.xz"), 2 * n - 1, &err), TRINE_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "unpacks to more"));
    assert_null(text);
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("cut.xz", xz, xz_bytes - 100), 1 << 24, &err),
                     TRINE_ERROR_FORMAT);
    xz[xz_bytes / 2] ^= 1;
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("bad.xz", xz, xz_bytes), 1 << 24, &err), TRINE_ERROR_FORMAT);
    char *gz;
    size_t gz_bytes;
    assert_int_equal(trine_file_read(&gz, &gz_bytes, temp_path("a.gz"), 1 << 24, &err), TRINE_OK);
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("cut.gz", gz, gz_bytes - 9), 1 << 24, &err),
                     TRINE_ERROR_FORMAT);
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("short.gz", gz, 2), 1 << 24, &err), TRINE_ERROR_FORMAT);
    gz[gz_bytes - 6] ^= 1; /* the sum at the end */
    assert_int_equal(trine_file_read_packed(&text, &got, temp_write("bad.gz", gz, gz_bytes), 1 << 24, &err), TRINE_ERROR_FORMAT);
    free(gz);
    free(xz);
    free(bytes);
}

static void test_paths(void **state)
{
    (void)state;
    char *path = trine_path_join("a", "b");
    assert_string_equal(path, "a/b");
    free(path);
    path = trine_path_join("a/", "b");
    assert_string_equal(path, "a/b");
    free(path);
    path = trine_path_join("", "b");
    assert_string_equal(path, "b");
    free(path);
    temp_write("f", "x", 1);
    assert_true(trine_file_exists(temp_path("f")));
    assert_false(trine_file_exists(temp_path(".")));
    assert_true(trine_is_directory(temp_path(".")));
    assert_false(trine_is_directory(temp_path("f")));
    assert_false(trine_is_directory(temp_path("none")));
}

/* ------------------------------------------------------------------------------------------------------------ writing */

static void test_writer(void **state)
{
    const char *folder = *state;
    const size_t n = 900001;
    unsigned char *bytes = make_bytes(n);
    trine_writer w;
    trine_error err;
    assert_int_equal(trine_writer_open(&w, temp_path("out"), false, &err), TRINE_OK);
    for (size_t at = 0, part = 1; at < n; at += part, part = part * 3 % 300007 + 1)
        trine_writer_write(&w, bytes + at, part < n - at ? part : n - at);
    assert_int_equal(w.written, n);
    assert_false(trine_file_exists(temp_path("out"))); /* not before it is whole */
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_OK);
    expect_file(temp_path("out"), bytes, n);
    assert_int_equal(temp_count(folder), 1);
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_ERROR_INTERNAL);
    trine_writer_abandon(&w);

    /* An existing file stays, unless asked; abandoning leaves nothing. */
    assert_int_equal(trine_writer_open(&w, temp_path("out"), false, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "exists"));
    assert_int_equal(trine_writer_open(&w, temp_path("out"), true, &err), TRINE_OK);
    trine_writer_write(&w, "new", 3);
    trine_writer_abandon(&w);
    expect_file(temp_path("out"), bytes, n);
    assert_int_equal(temp_count(folder), 1);
    assert_int_equal(trine_writer_open(&w, temp_path("out"), true, &err), TRINE_OK);
    trine_writer_write(&w, "new", 3);
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_OK);
    expect_file(temp_path("out"), "new", 3);

    /* A link's target is replaced, the link stays. */
    assert_int_equal(symlink("out", temp_path("link")), 0);
    assert_int_equal(trine_writer_open(&w, temp_path("link"), true, &err), TRINE_OK);
    trine_writer_write(&w, "newer", 5);
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_OK);
    expect_file(temp_path("out"), "newer", 5);
    struct stat st;
    assert_int_equal(lstat(temp_path("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));

    assert_int_equal(trine_writer_open(&w, temp_path("."), true, &err), TRINE_ERROR_IO);
    assert_int_equal(trine_writer_open(&w, "/dev/null", true, &err), TRINE_ERROR_IO);
    assert_int_equal(trine_writer_open(&w, temp_path("none/out"), true, &err), TRINE_ERROR_IO);
    trine_writer_abandon(&w);
    free(bytes);
}

/* A file that appears while we write is not replaced without being asked. */
static void test_writer_race(void **state)
{
    const char *folder = *state;
    trine_writer w;
    trine_error err;
    assert_int_equal(trine_writer_open(&w, temp_path("out"), false, &err), TRINE_OK);
    trine_writer_write(&w, "mine", 4);
    temp_write("out", "theirs", 6);
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_ERROR_IO);
    expect_file(temp_path("out"), "theirs", 6);
    assert_int_equal(temp_count(folder), 1);

    /* And a rename that cannot be done leaves what was there. */
    assert_int_equal(trine_writer_open(&w, temp_path("other"), true, &err), TRINE_OK);
    trine_writer_write(&w, "mine", 4);
    assert_int_equal(mkdir(temp_path("other"), 0777), 0);
    assert_int_equal(trine_writer_commit(&w, &err), TRINE_ERROR_IO);
    assert_int_equal(temp_count(folder), 2);
    assert_true(trine_is_directory(temp_path("other")));
}

/* A full disk, played by a limit on the size of files. */
static void test_writer_full(void **state)
{
    const char *folder = *state;
    static unsigned char block[100000];
    trine_writer w;
    trine_error err;
    struct rlimit old, low;
    temp_write("out", "old", 3);
    assert_int_equal(trine_writer_open(&w, temp_path("out"), true, &err), TRINE_OK);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &low);
    for (int i = 0; i < 30; i++) trine_writer_write(&w, block, sizeof block);
    const trine_status status = trine_writer_commit(&w, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, strerror(EFBIG)));
    expect_file(temp_path("out"), "old", 3);
    assert_int_equal(temp_count(folder), 1);
}

/* ------------------------------------------------------------------------------------------------- allocation failures */

static trine_status read_all(const char *path)
{
    char *text;
    size_t n;
    const trine_status status = trine_file_read_packed(&text, &n, path, 1 << 24, NULL);
    assert_true(!status == (text != NULL));
    free(text);
    return status;
}

static void test_no_memory(void **state)
{
    const char *folder = *state;
    unsigned char *bytes = make_bytes(400000);
    uint8_t *xz = malloc(1 << 20);
    const size_t xz_bytes = make_xz(xz, 1 << 20, bytes, 400000);
    const char *const paths[] = { temp_write("a.xz", xz, xz_bytes), temp_path("a.gz") };
    write_gzip(paths[1], "wb", bytes, 400000);
    for (int i = 0; i < 2; i++) {
        long k = 0;
        trine_status status;
        do {
            alloc_fail_at(++k);
            status = read_all(paths[i]);
            alloc_fail_at(0);
            assert_true(status == TRINE_OK || status == TRINE_ERROR_MEMORY);
        } while (status && k < 100);
        assert_int_equal(status, TRINE_OK);
        assert_in_range(k, 3, 99);
    }
    long k = 0;
    trine_status status;
    do {
        trine_writer w;
        alloc_fail_at(++k);
        status = trine_writer_open(&w, temp_path("out"), true, NULL);
        if (!status) status = trine_writer_commit(&w, NULL);
        alloc_fail_at(0);
        assert_int_equal(temp_count(folder), status ? 2 : 3);
    } while (status && k < 100);
    assert_int_equal(status, TRINE_OK);
    assert_in_range(k, 3, 99);
    free(bytes);
    free(xz);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_mapping), TEST(test_read),        TEST(test_packed),      TEST(test_paths),
        TEST(test_writer),  TEST(test_writer_race), TEST(test_writer_full), TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
