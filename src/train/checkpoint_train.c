/* checkpoint_train.c - see checkpoint_train.h. */
#include "train/checkpoint_train.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/status.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

enum { NAME_BYTES = 224, FILE_BYTES = 64 };

static void file_name(char out[FILE_BYTES], uint64_t step)
{
    snprintf(out, FILE_BYTES, "checkpoint-%010" PRIu64 ".safetensors", step);
}

/* The step of a checkpoint's name, or TRINE_NO_STEP for any other. */
static uint64_t step_of(const char *name)
{
    uint64_t step;
    char same[FILE_BYTES];
    if (sscanf(name, "checkpoint-%" SCNu64, &step) != 1) return TRINE_NO_STEP;
    file_name(same, step);
    return strcmp(name, same) ? TRINE_NO_STEP : step;
}

/* A tensor's name, shape and bytes: the head of a file can be damaged too. */
static uint64_t checksum_tensor(uint64_t h, const trine_tensor *t)
{
    h = trine_checksum(h, t->name, strlen(t->name));
    h = trine_checksum(h, t->shape, sizeof t->shape);
    return trine_checksum(h, t->data, t->bytes);
}

/* ----------------------------------------------------------------------------------------------------------- writing */

/* The arrays of a checkpoint, by the beginning of their tensors' names. */
typedef struct part {
    const char *name;
    float *array; /* elements [first, first + n) of all; NULL: not there */
    size_t first, n;
} part;
enum { N_PARTS = 4 };

static void parts_of(part out[N_PARTS], const trine_params *p, const float *average)
{
    out[0] = (part) { "values", p->values, 0, p->n };
    out[1] = (part) { "m", p->m, p->state_first, p->state_n };
    out[2] = (part) { "v", p->v, p->state_first, p->state_n };
    out[3] = (part) { "average", (float *)(uintptr_t)average, 0, p->n };
}

/* What tensor t and [first, first + n) have in common: *at, from the tensor's beginning, and its length. */
static size_t overlap(size_t *at, const trine_param *t, size_t first, size_t n)
{
    const size_t begin = t->offset > first ? t->offset : first;
    const size_t end = t->offset + t->n < first + n ? t->offset + t->n : first + n;
    *at = begin - t->offset;
    return end > begin ? end - begin : 0;
}

/* Tensor t as it lies. */
static trine_tensor describe(const trine_param *t, const char *name, const float *data)
{
    trine_tensor out = { .name = name,
                         .type = TRINE_F32,
                         .n_dims = t->n_dims,
                         .shape = { t->shape[0], t->n_dims > 1 ? t->shape[1] : 1, 1, 1 },
                         .data = data,
                         .bytes = t->n * sizeof(float) };
    if (t->turned) {
        out.shape[0] = t->shape[1];
        out.shape[1] = t->shape[0];
    }
    return out;
}

/* One file while it is written. Its data are put in order of the list: the moments' as they come. */
typedef struct writing {
    const trine_params *params;
    part parts[N_PARTS];
    trine_ranks *ranks;
    char *path, *text, *header;
    size_t header_bytes;
    trine_tensor *tensors;
    char (*names)[NAME_BYTES];
    float *room; /* of the longest tensor, where ranks share the moments out */
    int n;
    uint64_t sum;
    trine_writer writer;
    bool open;
} writing;

/* All tensors of the file, without data where it is another rank's. */
static void list_tensors(writing *w)
{
    const trine_params *p = w->params;
    int n = 0;
    for (int i = 0; i < N_PARTS; i++) {
        const part *of = &w->parts[i];
        for (int t = 0; of->array && t < p->n_tensors; t++, n++) {
            const trine_param *tensor = &p->tensors[t];
            snprintf(w->names[n], NAME_BYTES, "%s.%s", of->name, tensor->name);
            w->tensors[n] = describe(tensor, w->names[n], of->n == p->n ? of->array + tensor->offset : NULL);
        }
    }
    const size_t bytes = strlen(w->text);
    w->tensors[n++] = (trine_tensor) {
        .name = "state", .type = TRINE_U8, .n_dims = 1, .shape = { (int64_t)bytes, 1, 1, 1 }, .data = w->text, .bytes = bytes
    };
    w->tensors[n++] = (trine_tensor) {
        .name = "checksum", .type = TRINE_I64, .n_dims = 1, .shape = { 1, 1, 1, 1 }, .data = &w->sum, .bytes = sizeof w->sum
    };
    w->n = n;
}

static trine_status begin_writing(writing *w, const char *dir, uint64_t step, const json_t *state, trine_error *err)
{
    const trine_params *p = w->params;
    const size_t most = N_PARTS * (size_t)p->n_tensors + 2;
    char file[FILE_BYTES];
    size_t longest = 0;
    file_name(file, step);
    w->path = trine_path_join(dir, file);
    w->text = json_dumps(state, JSON_COMPACT);
    w->tensors = calloc(most, sizeof *w->tensors);
    w->names = calloc(most, sizeof *w->names);
    for (int t = 0; p->state_n < p->n && t < p->n_tensors; t++) longest = p->tensors[t].n > longest ? p->tensors[t].n : longest;
    if (longest) w->room = malloc(longest * sizeof *w->room);
    if (!w->path || !w->text || !w->tensors || !w->names || (longest && !w->room))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write the checkpoint of step %" PRIu64, step);
    list_tensors(w);
    trine_status status = trine_safetensors_header(&w->header, &w->header_bytes, w->tensors, w->n, "{\"format\":\"trine\"}", err);
    if (!status) status = trine_writer_open(&w->writer, w->path, true, err);
    w->open = !status;
    return status;
}

/* Tensor t of moments that ranks share out: rank 0 has it whole in w->room, the others send what they have of it. */
static trine_status collect(writing *w, const part *of, const trine_param *t, trine_error *err)
{
    trine_ranks *r = w->ranks;
    size_t at;
    trine_status status = TRINE_OK;
    const size_t own = overlap(&at, t, of->first, of->n);
    if (r->rank) return own ? r->send(r->self, of->array + (t->offset + at - of->first), own * sizeof(float), err) : TRINE_OK;
    if (!w->room) return trine_fail(err, TRINE_ERROR_INTERNAL, "train: no room for moments that ranks share out");
    if (own) memcpy(w->room + at, of->array + (t->offset + at - of->first), own * sizeof(float));
    for (int i = 1; i < r->size && !status; i++) {
        const size_t first = trine_params_share(w->params, i - 1, r->size), end = trine_params_share(w->params, i, r->size);
        const size_t n = overlap(&at, t, first, end - first);
        if (n) status = r->receive(r->self, w->room + at, n * sizeof(float), i, err);
    }
    return status;
}

static trine_status put_tensors(writing *w, trine_error *err)
{
    const bool writes = w->open; /* the first rank */
    int n = 0;
    for (int i = 0; i < N_PARTS; i++) {
        const part *of = &w->parts[i];
        for (int t = 0; of->array && t < w->params->n_tensors; t++, n++) {
            if (of->n < w->params->n) {
                const trine_status status = collect(w, of, &w->params->tensors[t], err);
                if (status) return status;
                if (writes) w->tensors[n].data = w->room;
            }
            if (!writes) continue;
            w->sum = checksum_tensor(w->sum, &w->tensors[n]);
            trine_writer_write(&w->writer, w->tensors[n].data, w->tensors[n].bytes);
        }
    }
    if (!writes) return TRINE_OK;
    w->sum = checksum_tensor(w->sum, &w->tensors[n]); /* the state; then the sum itself */
    for (; n < w->n; n++) trine_writer_write(&w->writer, w->tensors[n].data, w->tensors[n].bytes);
    return TRINE_OK;
}

trine_status trine_training_save(const char *dir, uint64_t step, const trine_params *p, const float *average, const json_t *state,
                                 trine_ranks *ranks, trine_error *err)
{
    writing w = { .params = p, .ranks = ranks };
    trine_status status = TRINE_OK;
    parts_of(w.parts, p, average);
    if (trine_is_first(ranks)) status = begin_writing(&w, dir, step, state, err);
    if (w.open) trine_writer_write(&w.writer, w.header, w.header_bytes);
    status = trine_ranks_agree(ranks, status, err);
    if (!status) status = put_tensors(&w, err);
    if (w.open) {
        if (status)
            trine_writer_abandon(&w.writer);
        else
            status = trine_writer_commit(&w.writer, err);
        if (!status) status = trine_directory_sync(dir, err);
    }
    free(w.room);
    free(w.header);
    free(w.names);
    free(w.tensors);
    free(w.text);
    free(w.path);
    return trine_ranks_agree(ranks, status, err);
}

/* ---------------------------------------------------------------------------------------------------- the directory */

static int newest_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x < y) - (x > y);
}

static bool is_part(const char *name)
{
    const size_t n = strlen(name);
    return !strncmp(name, "checkpoint-", 11) && n > 5 && !strcmp(name + n - 5, ".part");
}

/* The steps of all checkpoints, newest first, in new memory; half-written files are removed when `clean`. */
static trine_status list_steps(uint64_t **out, int *n, const char *path, bool clean, trine_error *err)
{
    *out = NULL;
    *n = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        if (errno == ENOENT) return TRINE_OK;
        return trine_fail(err, TRINE_ERROR_IO, "cannot read the directory '%s': %s", path, strerror(errno));
    }
    trine_status status = TRINE_OK;
    for (struct dirent *e; !status && (e = readdir(dir));) {
        if (clean && is_part(e->d_name)) unlinkat(dirfd(dir), e->d_name, 0);
        const uint64_t step = step_of(e->d_name);
        if (step == TRINE_NO_STEP) continue;
        uint64_t *grown = realloc(*out, ((size_t)*n + 1) * sizeof *grown);
        if (grown)
            (*out = grown)[(*n)++] = step;
        else
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read the directory '%s'", path);
    }
    closedir(dir);
    if (status) {
        free(*out);
        *out = NULL;
        return status;
    }
    if (*n) qsort(*out, (size_t)*n, sizeof **out, newest_first);
    return TRINE_OK;
}

trine_status trine_training_prune(const char *dir, int keep, uint64_t best, trine_error *err)
{
    uint64_t *steps;
    int n;
    trine_status status = list_steps(&steps, &n, dir, true, err);
    for (int i = keep > 0 ? keep : 0; !status && i < n; i++) {
        if (steps[i] == best) continue;
        char file[FILE_BYTES];
        file_name(file, steps[i]);
        char *path = trine_path_join(dir, file);
        if (!path)
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to remove '%s'", file);
        else if (unlink(path) && errno != ENOENT)
            status = trine_fail(err, TRINE_ERROR_IO, "cannot remove the old checkpoint '%s': %s", path, strerror(errno));
        free(path);
    }
    free(steps);
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- reading */

/* Whether all is as it was written: the checksum of every tensor in the file's order. */
static trine_status check_sum(const trine_checkpoint *c, const char *path, trine_error *err)
{
    const int n = trine_checkpoint_n_tensors(c);
    const trine_tensor *last = n ? trine_checkpoint_tensor(c, n - 1) : NULL;
    if (!last || strcmp(last->name, "checksum") != 0 || last->bytes != 8 || !trine_checkpoint_find(c, "state"))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is no checkpoint of training", path);
    uint64_t sum = 0, said;
    memcpy(&said, last->data, sizeof said);
    for (int i = 0; i < n - 1; i++) sum = checksum_tensor(sum, trine_checkpoint_tensor(c, i));
    if (sum == said) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is damaged: its bytes are not those that were written", path);
}

static trine_status read_state(json_t **out, const trine_checkpoint *c, const char *path, trine_error *err)
{
    const trine_tensor *t = trine_checkpoint_find(c, "state");
    json_error_t why;
    *out = json_loadb(t->data, t->bytes, 0, &why);
    if (*out) return TRINE_OK;
    if (trine_json_no_memory(&why)) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", path);
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the state is not valid JSON: %s", path, why.text);
}

/* Opens a checkpoint that is whole. */
static trine_status open_whole(trine_checkpoint **out, json_t **state, const char *path, trine_error *err)
{
    *state = NULL;
    trine_status status = trine_safetensors_open(out, path, err);
    if (status) return status;
    status = check_sum(*out, path, err);
    if (!status) status = read_state(state, *out, path, err);
    if (!status) return TRINE_OK;
    trine_checkpoint_close(*out);
    *out = NULL;
    return status;
}

/* The tensor of a file that belongs to tensor t of an array, or NULL with what is wrong. */
static const trine_tensor *find_tensor(const trine_checkpoint *c, const trine_param *t, const part *to, const char *path,
                                       trine_error *err)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s", to->name, t->name);
    const trine_tensor *from = trine_checkpoint_find(c, name), want = describe(t, name, NULL);
    if (!from)
        trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is of another model or run: it has no '%s'", path, name);
    else if (from->type != TRINE_F32 || from->n_dims != want.n_dims || from->shape[0] != want.shape[0] ||
             from->shape[1] != want.shape[1])
        trine_fail(err, TRINE_ERROR_FORMAT,
                   "'%s' is of another model: '%s' has shape [%" PRId64 ",%" PRId64 "], this one's is [%" PRId64 ",%" PRId64 "]",
                   path, name, from->shape[0], from->shape[1], want.shape[0], want.shape[1]);
    else
        return from;
    return NULL;
}

/* Checks that the file holds what this run has, no less and no more, marking what is wanted in `used`. */
static trine_status check_tensors(unsigned char *used, const trine_checkpoint *c, const trine_params *p, const part *parts,
                                  const char *path, trine_error *err)
{
    const trine_tensor *first = trine_checkpoint_tensor(c, 0);
    for (int i = 0; i < N_PARTS; i++) {
        for (int t = 0; parts[i].array && t < p->n_tensors; t++) {
            const trine_tensor *from = find_tensor(c, &p->tensors[t], &parts[i], path, err);
            if (!from) return TRINE_ERROR_FORMAT;
            used[from - first] = 1;
        }
    }
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const char *name = first[i].name;
        if (!used[i] && strcmp(name, "state") != 0 && strcmp(name, "checksum") != 0)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is of another model or run: it has '%s', which this one has not", path,
                              name);
    }
    return TRINE_OK;
}

/* Everything into its arrays, or nothing. */
static trine_status take_all(const trine_checkpoint *c, trine_params *p, float *average, const char *path, trine_error *err)
{
    part parts[N_PARTS];
    parts_of(parts, p, average);
    unsigned char *used = calloc((size_t)trine_checkpoint_n_tensors(c) + 1, 1);
    if (!used) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", path);
    const trine_status status = check_tensors(used, c, p, parts, path, err);
    free(used);
    if (status) return status;
    for (int i = 0; i < N_PARTS; i++) {
        for (int t = 0; parts[i].array && t < p->n_tensors; t++) {
            const trine_param *to = &p->tensors[t];
            const trine_tensor *from = find_tensor(c, to, &parts[i], path, NULL);
            size_t at;
            const size_t n = overlap(&at, to, parts[i].first, parts[i].n);
            if (from && n)
                memcpy(parts[i].array + (to->offset + at - parts[i].first), (const float *)from->data + at, n * sizeof(float));
        }
    }
    trine_params_round(p, NULL);
    return TRINE_OK;
}

trine_status trine_training_load_step(json_t **state, const char *dir, uint64_t step, trine_params *params, float *average,
                                      trine_error *err)
{
    char file[FILE_BYTES];
    file_name(file, step);
    *state = NULL;
    char *path = trine_path_join(dir, file);
    if (!path) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", file);
    trine_checkpoint *c;
    trine_status status = open_whole(&c, state, path, err);
    if (!status) {
        status = take_all(c, params, average, path, err);
        trine_checkpoint_close(c);
    }
    free(path);
    if (!status) return TRINE_OK;
    json_decref(*state);
    *state = NULL;
    return status;
}

/* The newest that is whole, open; *out NULL when there is none at all. */
static trine_status open_newest(trine_checkpoint **out, json_t **state, char **path, uint64_t *step, const char *dir,
                                trine_log_fn *log, void *log_user, trine_error *err)
{
    uint64_t *steps;
    int n;
    *out = NULL;
    *state = NULL;
    *path = NULL;
    *step = TRINE_NO_STEP;
    trine_status status = list_steps(&steps, &n, dir, false, err);
    for (int i = 0; !status && i < n && !*out; i++) {
        char file[FILE_BYTES];
        trine_error why;
        file_name(file, steps[i]);
        free(*path);
        if (!(*path = trine_path_join(dir, file))) {
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", file);
        } else if (!open_whole(out, state, *path, &why)) {
            *step = steps[i];
        } else if (why.code != TRINE_ERROR_FORMAT || i == n - 1) {
            if (err) *err = why;
            status = why.code;
        } else if (log) {
            char text[700];
            snprintf(text, sizeof text, "passed over: %s; the checkpoint before it is taken", why.text);
            log(log_user, text);
        }
    }
    free(steps);
    return status;
}

trine_status trine_training_load(uint64_t *step, json_t **state, const char *dir, trine_params *params, float *average,
                                 trine_log_fn *log, void *log_user, trine_error *err)
{
    trine_checkpoint *c;
    char *path;
    trine_status status = open_newest(&c, state, &path, step, dir, log, log_user, err);
    if (c) {
        status = take_all(c, params, average, path, err);
        trine_checkpoint_close(c);
    }
    free(path);
    if (!status) return TRINE_OK;
    json_decref(*state);
    *state = NULL;
    *step = TRINE_NO_STEP;
    return status;
}
