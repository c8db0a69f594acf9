/* writer.c - a file that appears whole or not at all.
 *
 * Bytes go to a new file beside the final name; commit flushes them to the disk and renames. rename(2) replaces in one
 * step, so a reader sees the old file or the whole new one, also after a crash or on a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

enum { BUFFER_BYTES = 1 << 18 };

static void set_failed(trine_writer *w, const char *what)
{
    if (w->error.code) return;
    trine_fail(&w->error, TRINE_ERROR_IO, "cannot %s '%s': %s", what, w->path, strerror(errno));
}

static void flush(trine_writer *w)
{
    for (size_t done = 0; done < w->buffered && !w->error.code;) {
        const ssize_t n = write(w->fd, w->buffer + done, w->buffered - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0)
            errno = EIO, set_failed(w, "write");
        else if (errno != EINTR)
            set_failed(w, "write");
    }
    w->buffered = 0;
}

/* The final name with its symbolic link followed, so that the link stays and its target is replaced. */
static char *followed(const char *path)
{
    struct stat st;
    if (!lstat(path, &st) && S_ISLNK(st.st_mode)) return realpath(path, NULL);
    return strdup(path);
}

trine_status trine_writer_check(const char *path, bool overwrite, trine_error *err)
{
    struct stat st;
    if (stat(path, &st)) return TRINE_OK;
    if (S_ISDIR(st.st_mode)) return trine_fail(err, TRINE_ERROR_IO, "cannot write '%s': it is a directory", path);
    if (!S_ISREG(st.st_mode)) return trine_fail(err, TRINE_ERROR_IO, "cannot write '%s': it is not a regular file", path);
    if (overwrite) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_IO, "'%s' exists already: choose another name, or ask to overwrite it", path);
}

trine_status trine_writer_open(trine_writer *w, const char *path, bool overwrite, trine_error *err)
{
    *w = (trine_writer) { .fd = -1, .overwrite = overwrite };
    const trine_status status = trine_writer_check(path, overwrite, err);
    if (status) return status;
    w->path = followed(path);
    w->buffer = malloc(BUFFER_BYTES);
    const size_t n = w->path ? strlen(w->path) + 32 : 0;
    w->temporary = n ? malloc(n) : NULL;
    if (!w->path || !w->buffer || !w->temporary) {
        trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", path);
        free(w->temporary); /* no file yet: nothing to remove */
        w->temporary = NULL;
        trine_writer_abandon(w);
        return TRINE_ERROR_MEMORY;
    }
    for (int i = 0; w->fd < 0 && i < 1000; i++) {
        snprintf(w->temporary, n, "%s.%ld-%d.part", w->path, (long)getpid(), i);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd < 0) {
        const trine_status code = trine_fail(err, TRINE_ERROR_IO, "cannot write '%s': %s", path, strerror(errno));
        free(w->temporary);
        w->temporary = NULL;
        trine_writer_abandon(w);
        return code;
    }
    return TRINE_OK;
}

void trine_writer_write(trine_writer *w, const void *bytes, size_t n)
{
    const unsigned char *from = bytes;
    w->written += n;
    while (n && !w->error.code) {
        const size_t room = BUFFER_BYTES - w->buffered, part = n < room ? n : room;
        memcpy(w->buffer + w->buffered, from, part);
        w->buffered += part;
        from += part;
        n -= part;
        if (w->buffered == BUFFER_BYTES) flush(w);
    }
}

/* rename, but never onto a file that appeared meanwhile unless that was asked for. */
static int move(const trine_writer *w)
{
    if (w->overwrite) return rename(w->temporary, w->path);
    if (!renameat2(AT_FDCWD, w->temporary, AT_FDCWD, w->path, RENAME_NOREPLACE)) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (trine_file_exists(w->path)) { /* this file system cannot do both in one step */
        errno = EEXIST;
        return -1;
    }
    return rename(w->temporary, w->path);
}

trine_status trine_writer_commit(trine_writer *w, trine_error *err)
{
    if (!w->temporary) return trine_fail(err, TRINE_ERROR_INTERNAL, "writer: committed twice or never opened");
    flush(w);
    if (!w->error.code && fsync(w->fd) && errno != EINVAL && errno != ENOTSUP) set_failed(w, "write");
    if (close(w->fd)) set_failed(w, "write");
    w->fd = -1;
    if (!w->error.code) {
        if (move(w))
            set_failed(w, "finish");
        else {
            free(w->temporary);
            w->temporary = NULL;
        }
    }
    const trine_status status = w->error.code;
    if (status && err) *err = w->error;
    trine_writer_abandon(w);
    return status;
}

void trine_writer_abandon(trine_writer *w)
{
    if (w->temporary) { /* set for as long as there is a file of ours */
        if (w->fd >= 0) close(w->fd);
        unlink(w->temporary);
    }
    free(w->temporary);
    free(w->path);
    free(w->buffer);
    *w = (trine_writer) { .fd = -1 };
}

trine_status trine_directory_make(const char *path, trine_error *err)
{
    if (mkdir(path, 0777) && errno != EEXIST) return trine_fail(err, TRINE_ERROR_IO, "cannot make '%s': %s", path, strerror(errno));
    return trine_is_directory(path) ? TRINE_OK : trine_fail(err, TRINE_ERROR_IO, "'%s' is no directory", path);
}

trine_status trine_text_write(const char *dir, const char *name, const char *text, bool overwrite, trine_error *err)
{
    char *path = text ? trine_path_join(dir, name) : NULL;
    if (!path) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", name);
    trine_writer w;
    trine_status status = trine_writer_open(&w, path, overwrite, err);
    if (!status) {
        trine_writer_write(&w, text, strlen(text));
        trine_writer_write(&w, "\n", 1);
        status = trine_writer_commit(&w, err);
    }
    free(path);
    return status;
}
