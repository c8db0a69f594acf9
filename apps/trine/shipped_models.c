/* shipped_models.c - trine models, and how the other commands come to the models that ship: by name at -m, or as the default.
 *
 * A name goes the way of every other -m: what the current directory has under it comes first, so that nobody's own model is
 * passed over in silence, and what was taken is said. $TRINE_MODELS names another folder with a list of its own. */
#include "json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes why. */
#define NONE_FOUND                                                                                                                 \
    "no models that ship were found: %s. `make install` puts them below its prefix; TRINE_MODELS=DIR says where else they are"

/* Reads the list once; a run without it has no models that ship, and `why` says why. */
const trine_shipped *shipped_list(run *r)
{
    if (!r->shipped_read) {
        const char *place = getenv("TRINE_MODELS");
        r->shipped_status = trine_shipped_open(&r->shipped, place && *place ? place : NULL, &r->shipped_why);
        r->shipped_read = true;
    }
    return &r->shipped;
}

/* Whether `given` is the very folder that holds the model: in models/ itself a name means the model, not its folder. */
static bool is_own_folder(const char *given, const trine_shipped_model *m)
{
    struct stat here, its;
    char *folder = strdup(m->path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) *slash = 0;
    const bool own = slash && !stat(given, &here) && !stat(folder, &its) && here.st_dev == its.st_dev && here.st_ino == its.st_ino;
    free(folder);
    return own;
}

const trine_shipped_model *shipped_model(run *r, const char *given)
{
    if (strchr(given, '/')) return NULL;
    const bool there = access(given, F_OK) == 0;
    const trine_shipped_model *m = trine_shipped_named(shipped_list(r), given);
    if (!m || !there || is_own_folder(given, m)) return m;
    note(r, "%s is taken from this directory, not the model of that name that ships with trine", given);
    return NULL;
}

/* From here on the run's model is `m`. */
static int take(run *r, const trine_shipped_model *m)
{
    arguments *a = &r->args;
    if (m->adapter && a->adapter)
        return fail_usage(r, "%s is a model with an adapter of its own: --adapter goes with the one it was trained on", m->name);
    if (m->adapter && (r->command->id & (CMD_QUANTIZE | CMD_TRAIN | CMD_FINETUNE)))
        return fail_usage(
            r,
            "%s is an adapter beside another model, which %s would be done to alone: make one model of both first (trine "
            "convert -m %s --type f32 -o DIR; trine convert -m DIR --adapter %s -o BOTH)",
            m->name, r->command->name, m->path, m->adapter);
    a->model = m->path;
    if (m->adapter) a->adapter = m->adapter;
    return 0;
}

int take_shipped_model(run *r)
{
    const trine_shipped_model *m = r->args.model ? shipped_model(r, r->args.model) : NULL;
    return m ? take(r, m) : 0;
}

int take_default_model(run *r)
{
    const trine_shipped *s = shipped_list(r);
    const trine_shipped_model *m = trine_shipped_for(s, r->command->name);
    if (m) {
        note(r, "model: %s, which ships with trine; -m MODEL takes another", m->name);
        return take(r, m);
    }
    if (r->shipped_status && r->shipped_status != TRINE_ERROR_NOT_FOUND) return fail_status(r, r->shipped_status, &r->shipped_why);
    return fail_usage(
        r, "no model: expected -m MODEL, a directory in the Hugging Face layout, a .gguf file or a name of `trine models`%s",
        s->n ? "" : " (none of these is installed: `make install` or TRINE_MODELS=DIR)");
}

int serve_shipped_models(run *r)
{
    const trine_shipped *s = shipped_list(r);
    for (int i = 0; i < s->n; i++) {
        const char **items = realloc(r->args.models.items, (size_t)(r->args.models.n + 1) * sizeof *items);
        if (!items) return fail_memory(r);
        r->args.models.items = items;
        items[r->args.models.n++] = s->items[i].name;
    }
    return 0;
}

static const char *name_at(int i, const void *data)
{
    const trine_shipped *s = data;
    return i < s->n ? s->items[i].name : NULL;
}

int model_not_found(run *r, const trine_error *err)
{
    const trine_shipped *s = shipped_list(r);
    char names[200] = "";
    size_t used = 0;
    if (strchr(r->args.model, '/')) return fail_status(r, TRINE_ERROR_NOT_FOUND, err);
    for (int i = 0; i < s->n && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", s->items[i].name);
    const char *near = nearest_name(r->args.model, name_at, s);
    if (near) return fail(r, EXIT_DATA, "%s; did you mean %s, which ships with trine?", err->text, near);
    if (s->n) return fail(r, EXIT_DATA, "%s; nor is it the name of a model that ships (%s)", err->text, names);
    return fail(r, EXIT_DATA, "%s; and " NONE_FOUND, err->text, r->shipped_status ? r->shipped_why.text : "the list is empty");
}

/* ---------------------------------------------------------------------------------------------------- trine models */

typedef struct facts {
    char family[24], architecture[64];
    long long parameters;
    double bytes; /* of its files */
} facts;

static double bytes_of(const char *path)
{
    static const char *const parts[] = { "model.safetensors", "tokenizer.json", "spiece.model", "adapter_model.safetensors" };
    struct stat st;
    if (stat(path, &st)) return 0;
    if (!S_ISDIR(st.st_mode)) return (double)st.st_size;
    double all = 0;
    char name[4300];
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(name, sizeof name, "%s/%s", path, parts[i]);
        if (!stat(name, &st)) all += (double)st.st_size;
    }
    return all;
}

static int find_facts(facts *f, run *r, const trine_shipped_model *m)
{
    trine_model *model;
    trine_error err = { 0 };
    const trine_status status = trine_model_open_adapted(&model, m->path, m->adapter, NULL, NULL, &err);
    if (status) return fail_status(r, status, &err);
    const trine_model_info *info = trine_model_get_info(model);
    snprintf(f->family, sizeof f->family, "%s", info->family);
    snprintf(f->architecture, sizeof f->architecture, "%s", info->architecture);
    f->parameters = info->n_parameters;
    f->bytes = bytes_of(m->path) + (m->adapter ? bytes_of(m->adapter) : 0);
    trine_model_close(model);
    return 0;
}

static void write_json(run *r, const trine_shipped_model *m, const facts *f)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "name", m->name);
    jw_set_text(&j, "about", m->about);
    jw_set_text(&j, "family", f->family);
    jw_set_text(&j, "architecture", f->architecture);
    jw_set_int(&j, "parameters", f->parameters);
    jw_set_int(&j, "bytes", (int64_t)f->bytes);
    jw_set_text(&j, "licence", m->licence);
    jw_key(&j, "tasks");
    jw_open(&j, '[');
    for (int i = 0; i < m->n_tasks; i++) jw_text(&j, m->tasks[i]);
    jw_close(&j, ']');
    jw_set_text(&j, "path", m->path);
    if (m->adapter) jw_set_text(&j, "adapter", m->adapter);
    jw_close(&j, '}');
    jw_end(&j);
}

static void draw(run *r, const trine_shipped_model *m, const facts *f)
{
    char count[32], bytes[32];
    print_style(r, STYLE_BOLD);
    print_padded(r, m->name, 11);
    print_style(r, STYLE_NONE);
    print(r, " %-8s %9s %10s  %s\n", f->family, show_count(count, (double)f->parameters), show_bytes(bytes, f->bytes), m->licence);
    print(r, "            %s\n", m->about);
    if (!m->n_tasks) return;
    puts_out(r, "            without -m:");
    for (int i = 0; i < m->n_tasks; i++) print(r, "%s %s", i ? "," : "", m->tasks[i]);
    puts_out(r, "\n");
}

int models_main(run *r)
{
    const trine_shipped *s = shipped_list(r);
    if (r->shipped_status == TRINE_ERROR_NOT_FOUND) return fail(r, EXIT_DATA, NONE_FOUND, r->shipped_why.text);
    if (r->shipped_status) return fail_status(r, r->shipped_status, &r->shipped_why);
    if (!r->args.json && s->n) print(r, "%-11s %-8s %9s %10s  %s\n", "name", "family", "weights", "size", "licence");
    for (int i = 0; i < s->n; i++) {
        facts f = { 0 };
        const int code = find_facts(&f, r, &s->items[i]);
        if (code) return code;
        if (r->args.json)
            write_json(r, &s->items[i], &f);
        else
            draw(r, &s->items[i], &f);
    }
    if (!r->args.json) print(r, "\nin %s\n", s->place);
    return EXIT_DONE;
}
