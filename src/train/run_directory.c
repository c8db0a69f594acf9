/* run_directory.c - see run_directory.h. */
#include "train/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/ends.h"
#include "base/file.h"
#include "base/many_ranks.h"
#include "base/status.h"
#include "load/new_directory.h"
#include "train/checkpoint_train.h"

#define METRICS_BYTES_MAX ((size_t)4 << 30)

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory"); }

static bool is_dot(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* Whether a folder holds nothing, `but` set aside; one that is not there does. */
static bool is_empty(const char *path, const char *but)
{
    DIR *dir = opendir(path);
    bool empty = true;
    for (struct dirent *e; dir && empty && (e = readdir(dir));) empty = is_dot(e->d_name) || !strcmp(e->d_name, but);
    if (dir) closedir(dir);
    return empty;
}

static trine_status make_folder(const char *path, trine_error *err)
{
    if (!mkdir(path, 0777) || (errno == EEXIST && trine_is_directory(path))) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_IO, "cannot make the folder '%s': %s", path, strerror(errno));
}

/* Who lists runs looks at the lock for an instant: that is waited for. */
static bool lock_alone(int file)
{
    const struct timespec nap = { 0, 10000000 };
    for (int tries = 0; tries < 5; tries++) {
        if (!flock(file, LOCK_EX | LOCK_NB)) return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

static trine_status take_lock(trine_run_directory *d, trine_error *err)
{
    char *path = trine_path_join(d->training, "lock");
    if (!path) return no_memory(err);
    trine_status status = TRINE_OK;
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const bool open_file = d->lock >= 0, locked = open_file && lock_alone(d->lock);
    if (open_file && !locked) {
        char id[32] = "";
        const ssize_t n = read(d->lock, id, sizeof id - 1);
        id[n > 0 ? strcspn(id, "\n") : 0] = 0;
        status =
            trine_fail(err, TRINE_ERROR_IO,
                       "'%s': another run (process %s) is writing here: wait for it to end, or choose another directory (--out)",
                       d->out, *id ? id : "unknown");
        close(d->lock);
        d->lock = -1;
    } else if (!open_file || ftruncate(d->lock, 0) || dprintf(d->lock, "%ld\n", (long)getpid()) < 0) {
        status = trine_fail(err, TRINE_ERROR_IO, "cannot write the process's id into '%s': %s", path, strerror(errno));
    }
    free(path);
    return status;
}

/* Files and folders that a run which was killed had half written go; before a run that begins anew, all that is of the one before: what it
 * left would be taken for its own when it is resumed. */
static trine_status clean(const trine_run_directory *d, bool anew, trine_error *err)
{
    DIR *dir = opendir(d->training);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!trine_ends_with(e->d_name, ".part") && !(anew && (!strcmp(e->d_name, "last") || !strcmp(e->d_name, "tokenizer"))))
            continue;
        char *path = trine_path_join(d->training, e->d_name);
        if (path) trine_directory_remove(path);
        free(path);
    }
    if (dir) closedir(dir);
    return anew ? trine_training_prune(d->checkpoints, 0, TRINE_NO_STEP, err) : TRINE_OK;
}

static trine_status open_first(trine_run_directory *d, const trine_train_options *o, trine_error *err)
{
    if (!o->out || !*o->out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: no directory to write to");
    struct stat st;
    if (!stat(o->out, &st) && !S_ISDIR(st.st_mode))
        return trine_fail(err, TRINE_ERROR_IO, "'%s' is a file, expected a directory to write to", o->out);
    d->out = strdup(o->out);
    d->training = d->out ? trine_path_join(d->out, "training") : NULL;
    d->checkpoints = d->training ? trine_path_join(d->training, "checkpoints") : NULL;
    if (!d->checkpoints) return no_memory(err);
    /* A run that failed before its first checkpoint has left nothing worth keeping. */
    const bool has_run = trine_is_directory(d->training), has_files = !is_empty(d->out, "training");
    const bool has_steps = !is_empty(d->checkpoints, "");
    trine_status status = TRINE_OK;
    if (has_files && !has_run && !o->overwrite)
        status = trine_fail(err, TRINE_ERROR_IO,
                            "'%s' is not empty: choose another directory, or ask to overwrite it (--overwrite)", d->out);
    if (!status) status = make_folder(d->out, err);
    if (!status) status = make_folder(d->training, err);
    if (!status) status = take_lock(d, err);
    if (!status && has_run && (has_files || has_steps) && !o->resume && !o->overwrite)
        status = trine_fail(
            err, TRINE_ERROR_IO,
            "'%s' holds a run already: go on with it (--resume), begin anew (--overwrite), or choose another directory", d->out);
    if (!status) status = make_folder(d->checkpoints, err);
    if (!status) status = clean(d, o->overwrite && !o->resume, err);
    return status;
}

/* Another rank than the first: what that one made must be there. */
static trine_status open_other(trine_run_directory *d, const trine_train_options *o, trine_error *err)
{
    d->out = strdup(o->out);
    d->training = d->out ? trine_path_join(d->out, "training") : NULL;
    d->checkpoints = d->training ? trine_path_join(d->training, "checkpoints") : NULL;
    if (!d->checkpoints) return no_memory(err);
    if (trine_is_directory(d->checkpoints)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_IO,
                      "'%s', which rank 0 has made, is not there: the directory must lie on a file system that all ranks share",
                      d->checkpoints);
}

trine_status trine_run_directory_open(trine_run_directory *d, const trine_train_options *o, trine_error *err)
{
    *d = (trine_run_directory) { .lock = -1 };
    const bool first = trine_is_first(o->ranks);
    trine_status status = trine_ranks_agree(o->ranks, first ? open_first(d, o, err) : TRINE_OK, err);
    if (!status) status = trine_ranks_agree(o->ranks, first ? TRINE_OK : open_other(d, o, err), err);
    if (status) trine_run_directory_close(d);
    return status;
}

void trine_run_directory_close(trine_run_directory *d)
{
    if (d->metrics) fclose(d->metrics);
    if (d->lock >= 0) close(d->lock);
    free(d->out);
    free(d->training);
    free(d->checkpoints);
    *d = (trine_run_directory) { .lock = -1 };
}

/* ----------------------------------------------------------------------------------------------------------- metrics */

/* The lines of steps up to `step`: what was told after the checkpoint will be told again. A file that the caller names must hold nothing
 * else. */
static trine_status trim(const char *path, int64_t step, bool named, trine_error *err)
{
    char *text;
    size_t n;
    trine_status status = trine_file_read(&text, &n, path, METRICS_BYTES_MAX, err);
    if (status == TRINE_ERROR_NOT_FOUND) return TRINE_OK;
    if (status) return status;
    trine_writer w;
    status = trine_writer_open(&w, path, true, err);
    for (const char *line = text, *end = text + n; !status && line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        long long at;
        if (!stop) break; /* a line cut short */
        const bool metrics = sscanf(line, "{\"step\":%lld", &at) == 1;
        if (named && !metrics) {
            status = trine_fail(err, TRINE_ERROR_IO, "'%s' holds other lines than metrics: name another file (--metrics)", path);
            trine_writer_abandon(&w);
            break;
        }
        if (metrics && at <= step) trine_writer_write(&w, line, (size_t)(stop - line) + 1);
        line = stop + 1;
    }
    free(text);
    return status ? status : trine_writer_commit(&w, err);
}

trine_status trine_run_directory_metrics(trine_run_directory *d, const char *path, int64_t step, bool anew, trine_error *err)
{
    char *own = path ? strdup(path) : trine_path_join(d->training, "metrics.jsonl");
    if (!own) return no_memory(err);
    struct stat st;
    const bool regular = !stat(own, &st) && S_ISREG(st.st_mode);
    trine_status status = TRINE_OK;
    if (path && regular && st.st_size && anew)
        status = trine_fail(err, TRINE_ERROR_IO,
                            "'%s' exists already: name another file (--metrics), or ask to overwrite it (--overwrite)", path);
    if (!status && regular) status = trim(own, step, path != NULL, err);
    if (!status && !(d->metrics = fopen(own, "ae")))
        status = trine_fail(err, TRINE_ERROR_IO, "cannot write '%s': %s", own, strerror(errno));
    free(own);
    return status;
}

trine_status trine_run_directory_line(trine_run_directory *d, const char *line, trine_error *err)
{
    errno = 0;
    if (fputs(line, d->metrics) >= 0 && !fflush(d->metrics)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_IO, "cannot write the metrics: %s", strerror(errno ? errno : EIO));
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* Everything in `from` under the same names in `to`; `from` is gone afterwards. */
static trine_status move_all(const char *to, const char *from, trine_error *err)
{
    DIR *dir = opendir(from);
    if (!dir) return trine_fail(err, TRINE_ERROR_IO, "cannot read '%s': %s", from, strerror(errno));
    trine_status status = make_folder(to, err);
    for (struct dirent *e; !status && (e = readdir(dir));) {
        if (is_dot(e->d_name)) continue;
        char *a = trine_path_join(from, e->d_name), *b = trine_path_join(to, e->d_name);
        if (!a || !b)
            status = no_memory(err);
        else if (trine_is_directory(a))
            status = move_all(b, a, err);
        else if (rename(a, b))
            status = trine_fail(err, TRINE_ERROR_IO, "cannot write '%s': %s", b, strerror(errno));
        free(a);
        free(b);
    }
    closedir(dir);
    if (!status) rmdir(from);
    return status;
}

/* What a run of another kind has left, whole weights or an adapter, would be taken for what this one learnt, and how an embedder pools for
 * a part of a classifier. */
static trine_status remove_others(const char *out, bool adapter, bool embeds, trine_error *err)
{
    static const char *const modules[] = { "modules.json", "1_Pooling", "2_Normalize" };
    static const char *const names[2][2] = { { "adapter_model.safetensors", "adapter_config.json" },
                                             { "model.safetensors", "model.safetensors.index.json" } };
    trine_status status = TRINE_OK;
    for (int i = 0; i < 2 && !status; i++) {
        char *path = trine_path_join(out, names[adapter][i]);
        if (!path)
            status = no_memory(err);
        else if (unlink(path) && errno != ENOENT)
            status = trine_fail(err, TRINE_ERROR_IO, "cannot remove '%s' of an earlier run: %s", path, strerror(errno));
        free(path);
    }
    for (size_t i = 0; !status && !embeds && i < sizeof modules / sizeof *modules; i++) {
        char *path = trine_path_join(out, modules[i]);
        if (path) trine_directory_remove(path);
        free(path);
    }
    return status;
}

trine_status trine_run_directory_save(trine_run_directory *d, bool last, const trine_params *params, const trine_model *model,
                                      const trine_save_options *options, trine_error *err)
{
    trine_save_options o = *options;
    char *to = trine_path_join(d->training, last ? "last" : "new");
    o.overwrite = true;
    trine_status status = to ? trine_params_save(to, params, model, &o, err) : no_memory(err);
    if (!status && !last) status = move_all(d->out, to, err);
    bool embeds = false;
    if (!status && !last) status = trine_params_say_pooling(&embeds, model, err);
    if (!status && !last) status = remove_others(d->out, params->lora_rank > 0, embeds, err);
    free(to);
    return status;
}
