/* checkpoint.c - opening by what the path holds, and tensors by name. */
#include "checkpoint/checkpoint.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ends.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/hollow_checkpoint.h"
#include "checkpoint/json_file.h"

/* FNV-1a. */
static uint64_t hash(const char *name)
{
    uint64_t h = 14695981039346656037u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* The slot of `name`: where it is, or the empty one where it would go. */
static size_t find_slot(const trine_checkpoint *c, const char *name)
{
    size_t i = hash(name) & (c->n_slots - 1);
    while (c->slots[i] && strcmp(c->tensors[c->slots[i] - 1].name, name)) i = (i + 1) & (c->n_slots - 1);
    return i;
}

trine_status trine_checkpoint_add(trine_checkpoint *c, const trine_tensor *tensor, trine_error *err)
{
    if (c->n_tensors == c->tensors_cap) {
        const int cap = c->tensors_cap ? 2 * c->tensors_cap : 64;
        trine_tensor *grown = c->tensors_cap > (1 << 28) ? NULL : realloc(c->tensors, (size_t)cap * sizeof *grown);
        if (!grown) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", cap);
        c->tensors = grown;
        c->tensors_cap = cap;
    }
    trine_tensor t = *tensor;
    char *name = strdup(t.name);
    char *file_name = t.file_name && strcmp(t.file_name, t.name) ? strdup(t.file_name) : name;
    if (!name || !file_name) {
        if (file_name != name) free(file_name);
        free(name);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the names of tensors");
    }
    t.name = name;
    t.file_name = file_name;
    c->tensors[c->n_tensors++] = t;
    return TRINE_OK;
}

trine_status trine_checkpoint_index(trine_checkpoint *c, const char *path, trine_error *err)
{
    c->n_slots = 16;
    while (c->n_slots < 2 * (size_t)c->n_tensors) c->n_slots *= 2;
    c->slots = calloc(c->n_slots, sizeof *c->slots);
    if (!c->slots) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for an index of %d tensors", c->n_tensors);
    for (int i = 0; i < c->n_tensors; i++) {
        const size_t slot = find_slot(c, c->tensors[i].name);
        if (c->slots[slot]) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' holds tensor '%s' twice", path, c->tensors[i].name);
        c->slots[slot] = i + 1;
    }
    return TRINE_OK;
}

trine_status trine_checkpoint_index_last(trine_checkpoint *c, trine_error *err)
{
    if (c->n_slots >= 2 * (size_t)c->n_tensors) {
        c->slots[find_slot(c, c->tensors[c->n_tensors - 1].name)] = c->n_tensors;
        return TRINE_OK;
    }
    int *old = c->slots;
    const size_t n_old = c->n_slots;
    const trine_status status = trine_checkpoint_index(c, "config.json", err);
    if (status) { /* the table stays as it was, without the last */
        c->slots = old;
        c->n_slots = n_old;
    } else {
        free(old);
    }
    return status;
}

/* GGUF is known by its first bytes, whatever the file is called. */
static bool starts_with_gguf(const char *path)
{
    char magic[4];
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    const bool is = read(fd, magic, sizeof magic) == sizeof magic && !memcmp(magic, "GGUF", 4);
    close(fd);
    return is;
}

/* The whole file, or its head. */
static trine_status open_path(trine_checkpoint **out, const char *path, bool hollow, trine_error *err)
{
    *out = NULL;
    if (!path || !*path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "no path of a model was given");
    trine_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    c->hollow = hollow;
    trine_status status;
    if (trine_is_directory(path))
        status = trine_hf_directory_read(c, path, err);
    else if (!trine_file_exists(path))
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND, "there is no '%s': expected a model's directory or a .gguf file", path);
    else if (trine_ends_with(path, ".gguf") || starts_with_gguf(path))
        status = trine_gguf_checkpoint_read(c, path, err);
    else if (trine_ends_with(path, ".safetensors"))
        status = trine_hf_file_read(c, path, err);
    else
        status =
            trine_fail(err, TRINE_ERROR_FORMAT,
                       "'%s' is no model: expected a directory with config.json and .safetensors files, a .safetensors file or "
                       "a .gguf file",
                       path);
    if (!status && hollow) status = trine_checkpoint_empty(c, err);
    if (!status) status = trine_checkpoint_index(c, path, err);
    if (status) {
        trine_checkpoint_close(c);
        return status;
    }
    *out = c;
    return TRINE_OK;
}

trine_status trine_checkpoint_open(trine_checkpoint **out, const char *path, trine_error *err)
{
    return open_path(out, path, false, err);
}

trine_status trine_checkpoint_open_head(trine_checkpoint **out, const char *path, trine_error *err)
{
    return open_path(out, path, true, err);
}

trine_status trine_safetensors_open(trine_checkpoint **out, const char *path, trine_error *err)
{
    *out = NULL;
    trine_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    c->container = "safetensors";
    trine_status status = trine_safetensors_read(c, path, err);
    if (!status) status = trine_checkpoint_index(c, path, err);
    if (status) {
        trine_checkpoint_close(c);
        return status;
    }
    *out = c;
    return TRINE_OK;
}

void trine_checkpoint_close(trine_checkpoint *c)
{
    if (!c) return;
    for (int i = 0; i < c->n_tensors; i++) {
        if (c->tensors[i].file_name != c->tensors[i].name) free((void *)(uintptr_t)c->tensors[i].file_name);
        free((void *)(uintptr_t)c->tensors[i].name);
    }
    for (int i = 0; i < c->n_files; i++) trine_mapping_close(&c->files[i]);
    trine_gguf_close(c->gguf);
    json_decref(c->config);
    free(c->files);
    free(c->tensors);
    free(c->slots);
    free(c->directory);
    free(c->restored);
    free(c->declared);
    free(c->lies);
    free(c);
}

trine_status trine_checkpoint_configure(trine_checkpoint *c, const json_t *config, const char *path, trine_error *err)
{
    /* What a GGUF file says of its body stays: its tensors are as it tells, which the other configuration does not know. */
    static const char *const of_heads[] = { "architectures", "id2label", "label2id", "num_labels", "problem_type" };
    json_t *copy = trine_json_copy(c->gguf ? c->config : config);
    bool made = copy != NULL;
    for (size_t i = 0; c->gguf && made && i < sizeof of_heads / sizeof *of_heads; i++) {
        const json_t *value = json_object_get(config, of_heads[i]);
        json_object_del(copy, of_heads[i]);
        if (value) made = !json_object_set_new(copy, of_heads[i], trine_json_copy(value));
    }
    if (!made) {
        json_decref(copy);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    }
    json_decref(c->config);
    c->config = copy;
    return TRINE_OK;
}

const char *trine_checkpoint_container(const trine_checkpoint *c) { return c->container; }
const json_t *trine_checkpoint_config(const trine_checkpoint *c) { return c->config; }
const char *trine_checkpoint_directory(const trine_checkpoint *c) { return c->directory; }
const trine_gguf *trine_checkpoint_gguf(const trine_checkpoint *c) { return c->gguf; }
int trine_checkpoint_n_tensors(const trine_checkpoint *c) { return c->n_tensors; }

const trine_tensor *trine_checkpoint_find(const trine_checkpoint *c, const char *name)
{
    const int found = c->slots[find_slot(c, name)];
    return found ? &c->tensors[found - 1] : NULL;
}

const trine_tensor *trine_checkpoint_tensor(const trine_checkpoint *c, int i)
{
    return i >= 0 && i < c->n_tensors ? &c->tensors[i] : NULL;
}

bool trine_checkpoint_same(const trine_checkpoint *c, const void *a, const void *b, size_t n)
{
    return c->hollow ? trine_hollow_same(c, a, b, n) : !memcmp(a, b, n);
}

bool trine_checkpoint_place(const trine_checkpoint *c, const void *data, trine_mapping *file, size_t *offset)
{
    const trine_mapping *files = c->gguf ? trine_gguf_mapping(c->gguf) : c->files;
    for (int i = 0; i < (c->gguf ? 1 : c->n_files); i++) {
        const uintptr_t at = (uintptr_t)data, start = (uintptr_t)files[i].data;
        if (at < start || at - start >= files[i].size) continue;
        *file = files[i];
        *offset = at - start;
        return true;
    }
    return false;
}

void trine_checkpoint_forget(const trine_checkpoint *c, const trine_tensor *t)
{
    trine_mapping file;
    size_t offset;
    if (trine_checkpoint_place(c, t->data, &file, &offset)) trine_mapping_forget(&file, offset, t->bytes);
}
