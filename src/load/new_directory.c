/* new_directory.c - see new_directory.h. An old directory is exchanged for the new one in one step (renameat2), then removed. */
#include "load/new_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

/* Folders that a model's directory may have: those of sentence-transformers, with files alone. */
static bool is_module(const char *name) { return name[0] >= '0' && name[0] <= '9' && name[1] == '_'; }

static bool is_dot(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* Whether a directory holds files alone, and module folders where those are allowed. The first other thing is named. */
static bool holds_files_only(char unexpected[256], const char *path, bool modules)
{
    DIR *dir = opendir(path);
    bool fine = dir != NULL;
    for (struct dirent *e; fine && (e = readdir(dir));) {
        if (is_dot(e->d_name)) continue;
        char *inner = trine_path_join(path, e->d_name);
        if (!inner)
            fine = false;
        else if (trine_is_directory(inner))
            fine = modules && is_module(e->d_name) && holds_files_only(unexpected, inner, false);
        if (!fine && !*unexpected) snprintf(unexpected, 256, "%s", e->d_name);
        free(inner);
    }
    if (dir) closedir(dir);
    return fine;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir != NULL;
    for (struct dirent *e; empty && (e = readdir(dir));) empty = is_dot(e->d_name);
    if (dir) closedir(dir);
    return empty;
}

/* Removes a directory that holds_files_only has allowed, or that we made. By descriptors, so that it works without memory too. */
static void remove_directory(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!is_dot(e->d_name) && unlinkat(fd, e->d_name, 0)) remove_directory(fd, e->d_name);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    unlinkat(parent, name, AT_REMOVEDIR);
}

static trine_status check_old(const char *path, bool overwrite, trine_error *err)
{
    struct stat st;
    if (lstat(path, &st)) return TRINE_OK;
    if (!S_ISDIR(st.st_mode))
        return trine_fail(err, TRINE_ERROR_IO, "'%s' exists and is not a directory: choose another name", path);
    char unexpected[256] = "", *config = trine_path_join(path, "config.json");
    const bool model = config && trine_file_exists(config);
    free(config);
    if (is_empty(path)) return TRINE_OK;
    if (!overwrite)
        return trine_fail(err, TRINE_ERROR_IO, "'%s' exists already: choose another name, or ask to overwrite it", path);
    if (!model)
        return trine_fail(err, TRINE_ERROR_IO, "'%s' is not a model's directory (it has no config.json): it is not overwritten",
                          path);
    if (!holds_files_only(unexpected, path, true))
        return trine_fail(err, TRINE_ERROR_IO, "'%s' holds '%s', which is no part of a model: it is not overwritten", path,
                          unexpected);
    return TRINE_OK;
}

trine_status trine_new_directory_beside(trine_new_directory *d, const char *path, trine_error *err)
{
    *d = (trine_new_directory) { 0 };
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--; /* the temporary name must lie beside, not inside */
    d->path = strndup(path, n);
    char *temporary = malloc(n + 32);
    if (!d->path || !temporary) {
        free(temporary);
        trine_new_directory_abandon(d);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", path);
    }
    int made = -1;
    for (int i = 0; made && i < 1000; i++) {
        snprintf(temporary, n + 32, "%s.%ld-%d.part", d->path, (long)getpid(), i);
        made = mkdir(temporary, 0777);
        if (made && errno != EEXIST) break;
    }
    if (made) {
        const trine_status status =
            trine_fail(err, TRINE_ERROR_IO, "cannot make a directory beside '%s': %s", path, strerror(errno));
        free(temporary);
        trine_new_directory_abandon(d);
        return status;
    }
    d->temporary = temporary;
    return TRINE_OK;
}

trine_status trine_new_directory_open(trine_new_directory *d, const char *path, bool overwrite, trine_error *err)
{
    *d = (trine_new_directory) { 0 };
    trine_status status = check_old(path, overwrite, err);
    if (!status) status = trine_new_directory_beside(d, path, err);
    d->overwrite = overwrite;
    return status;
}

trine_status trine_new_directory_commit(trine_new_directory *d, trine_error *err)
{
    trine_status status = trine_directory_sync(d->temporary, err);
    if (status) {
        trine_new_directory_abandon(d);
        return status;
    }
    /* An empty directory may be renamed over; a full one is exchanged and is then under the temporary name. */
    if (rename(d->temporary, d->path)) {
        const bool full = errno == ENOTEMPTY || errno == EEXIST;
        if (!full || !d->overwrite || renameat2(AT_FDCWD, d->temporary, AT_FDCWD, d->path, RENAME_EXCHANGE))
            status = trine_fail(err, TRINE_ERROR_IO, "cannot finish '%s': %s", d->path, strerror(errno));
    } else {
        free(d->temporary);
        d->temporary = NULL;
    }
    if (!status) status = trine_parent_sync(d->path, err);
    trine_new_directory_abandon(d);
    return status;
}

void trine_directory_remove(const char *path)
{
    if (unlink(path)) remove_directory(AT_FDCWD, path);
}

void trine_new_directory_abandon(trine_new_directory *d)
{
    if (d->temporary) remove_directory(AT_FDCWD, d->temporary);
    free(d->temporary);
    free(d->path);
    *d = (trine_new_directory) { 0 };
}
