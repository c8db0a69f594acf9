/* shipped.c - the models that come with trine, from the list that lies beside them.
 *
 * models.json, in the order of preference:
 *     { "models": [{ "name": "decoder", "model": "decoder/decoder.gguf", "about": "...", "licence": "...", "tasks": ["generate"] }] }
 * with "adapter" where there is one, and paths from its folder. A list beside the weights, not a table in the code: another folder (a
 * distribution's, one's own) is another list, and a model whose file was left away does not exist.
 *
 * Where that folder is follows from where the code is: the shared library's file, and the program's. So a build tree, an
 * installation and one that was moved as a whole all find theirs, and two versions do not take each other's. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "checkpoint/json_file.h"
#include "trine/shipped.h"

#ifndef TRINE_MODELS_BELOW /* below a prefix */
#define TRINE_MODELS_BELOW "share/trine/models"
#endif
#ifndef TRINE_MODELS_INSTALLED
#define TRINE_MODELS_INSTALLED "/usr/local/share/trine/models"
#endif
enum { MOST_MODELS = 1000 };

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the list of models"); }

static void clear_model(trine_shipped_model *m)
{
    for (int i = 0; i < m->n_tasks; i++) free(m->tasks[i]);
    free(m->tasks);
    free(m->name);
    free(m->path);
    free(m->adapter);
    free(m->about);
    free(m->licence);
}

void trine_shipped_clear(trine_shipped *s)
{
    if (!s) return;
    for (int i = 0; i < s->n; i++) clear_model(&s->items[i]);
    free(s->items);
    free(s->place);
    *s = (trine_shipped) { 0 };
}

const trine_shipped_model *trine_shipped_named(const trine_shipped *s, const char *name)
{
    for (int i = 0; name && i < s->n; i++)
        if (!strcmp(s->items[i].name, name)) return &s->items[i];
    return NULL;
}

const trine_shipped_model *trine_shipped_for(const trine_shipped *s, const char *task)
{
    for (int i = 0; task && i < s->n; i++)
        for (int k = 0; k < s->items[i].n_tasks; k++)
            if (!strcmp(s->items[i].tasks[k], task)) return &s->items[i];
    return NULL;
}

/* A text of an entry, copied; one that must be there and is not fails. */
static trine_status take_text(char **out, const json_t *entry, const char *key, bool required, const char *list, trine_error *err)
{
    const json_t *value = json_object_get(entry, key);
    const char *text = json_string_value(value);
    if (!text || !*text) {
        if (!value && !required) return TRINE_OK;
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': a model's \"%s\" is no text", list, key);
    }
    *out = strdup(text);
    return *out ? TRINE_OK : no_memory(err);
}

/* The same for a path from the folder of the list; what leads out of it is refused. */
static trine_status take_path(char **out, const json_t *entry, const char *key, bool required, const char *place, const char *list,
                              trine_error *err)
{
    char *within = NULL;
    const trine_status status = take_text(&within, entry, key, required, list, err);
    if (status || !within) return status;
    if (*within == '/' || !strncmp(within, "../", 3) || strstr(within, "/../")) {
        trine_fail(err, TRINE_ERROR_FORMAT, "'%s': \"%s\" is '%.100s', expected a path inside that folder", list, key, within);
        free(within);
        return TRINE_ERROR_FORMAT;
    }
    *out = trine_path_join(place, within);
    free(within);
    return *out ? TRINE_OK : no_memory(err);
}

static trine_status take_tasks(trine_shipped_model *m, const json_t *entry, const char *list, trine_error *err)
{
    const json_t *tasks = json_object_get(entry, "tasks");
    const size_t n = json_array_size(tasks);
    if (!n)
        return tasks && !json_is_array(tasks) ? trine_fail(err, TRINE_ERROR_FORMAT, "'%s': \"tasks\" is no list", list) : TRINE_OK;
    if (n > MOST_MODELS) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': a model with %zu tasks", list, n);
    m->tasks = calloc(n, sizeof *m->tasks);
    if (!m->tasks) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const char *task = json_string_value(json_array_get(tasks, i));
        if (!task) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': a task is no text", list);
        if (!(m->tasks[i] = strdup(task))) return no_memory(err);
        m->n_tasks++;
    }
    return TRINE_OK;
}

static trine_status take_model(trine_shipped_model *m, const json_t *entry, const char *place, const char *list, trine_error *err)
{
    trine_status status = take_text(&m->name, entry, "name", true, list, err);
    if (!status) status = take_path(&m->path, entry, "model", true, place, list, err);
    if (!status) status = take_path(&m->adapter, entry, "adapter", false, place, list, err);
    if (!status) status = take_text(&m->about, entry, "about", true, list, err);
    if (!status) status = take_text(&m->licence, entry, "licence", true, list, err);
    return status ? status : take_tasks(m, entry, list, err);
}

static bool is_there(const char *path) { return trine_file_exists(path) || trine_is_directory(path); }

/* Reads "models" of the list's object; what has no file is passed over. */
static trine_status read_list(trine_shipped *s, const json_t *root, const char *list, trine_error *err)
{
    const json_t *models = json_object_get(root, "models");
    const size_t n = json_array_size(models);
    if (!json_is_array(models) || n > MOST_MODELS)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': expected an object with a list of \"models\"", list);
    s->items = calloc(n + 1, sizeof *s->items);
    if (!s->items) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        trine_shipped_model *m = &s->items[s->n];
        const trine_status status = take_model(m, json_array_get(models, i), s->place, list, err);
        if (!status && !trine_shipped_named(s, m->name) && is_there(m->path) && (!m->adapter || is_there(m->adapter))) {
            s->n++;
            continue;
        }
        const bool twice = !status && trine_shipped_named(s, m->name);
        if (twice) trine_fail(err, TRINE_ERROR_FORMAT, "'%s': two models are called '%.60s'", list, m->name);
        clear_model(m);
        *m = (trine_shipped_model) { 0 };
        if (status || twice) return status ? status : TRINE_ERROR_FORMAT;
    }
    return TRINE_OK;
}

/* The list of a folder. ERROR_NOT_FOUND when it has none. */
static trine_status open_place(trine_shipped *s, const char *place, trine_error *err)
{
    char *list = trine_path_join(place, "models.json");
    json_t *root = NULL;
    s->place = strdup(place);
    trine_status status = list && s->place ? trine_json_file_read(&root, list, err) : no_memory(err);
    if (!status) status = read_list(s, root, list, err);
    json_decref(root);
    free(list);
    if (status) trine_shipped_clear(s);
    return status;
}

/* ------------------------------------------------------------------------------------------------------ where it is */

/* The files that run: this library, then the program. Of a program dladdr knows only the name it was called by. */
static char *running_file(int i)
{
    if (i == 1) {
        char path[4096];
        const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
        return n > 0 ? strndup(path, (size_t)n) : NULL;
    }
    static const char here = 0;
    Dl_info info;
    return dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/') ? realpath(info.dli_fname, NULL) : NULL;
}

/* lib/ lies one step below a prefix, lib/x86_64-linux-gnu/ two; a build tree's programs none. */
static trine_status look_near(trine_shipped *s, const char *file, trine_error *err)
{
    trine_status status = TRINE_ERROR_NOT_FOUND;
    char *folder = strdup(file);
    for (int up = 0; folder && up < 3 && status == TRINE_ERROR_NOT_FOUND; up++) {
        char *slash = strrchr(folder, '/');
        if (!slash) break;
        *slash = 0;
        char *place = trine_path_join(folder, TRINE_MODELS_BELOW);
        status = place ? open_place(s, place, err) : TRINE_ERROR_MEMORY;
        free(place);
    }
    const bool failed = !folder || status == TRINE_ERROR_MEMORY;
    free(folder);
    return failed ? no_memory(err) : status;
}

trine_status trine_shipped_open(trine_shipped *out, const char *place, trine_error *err)
{
    *out = (trine_shipped) { 0 };
    if (place) return open_place(out, place, err);
    trine_status status = TRINE_ERROR_NOT_FOUND;
    for (int i = 0; i < 2 && status == TRINE_ERROR_NOT_FOUND; i++) {
        char *file = running_file(i);
        if (file) status = look_near(out, file, err);
        free(file);
    }
    if (status == TRINE_ERROR_NOT_FOUND) status = open_place(out, TRINE_MODELS_INSTALLED, err);
    if (status != TRINE_ERROR_NOT_FOUND) return status;
    return trine_fail(err, TRINE_ERROR_NOT_FOUND, "no models.json in a " TRINE_MODELS_BELOW " near the program, nor in '%s'",
                      TRINE_MODELS_INSTALLED);
}
