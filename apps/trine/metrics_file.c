/* metrics_file.c - see metrics_file.h. */
#include "metrics_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int add_line(run *r, json_t *lines, const char *path, size_t number, const char *line, size_t bytes)
{
    json_error_t why;
    json_t *metrics = json_loadb(line, bytes, 0, &why);
    if (json_is_integer(json_object_get(metrics, "step"))) return json_array_append_new(lines, metrics) ? fail_memory(r) : 0;
    json_decref(metrics);
    return fail(r, EXIT_DATA, "%s:%zu: expected metrics as a JSON object with a \"step\"%s%.100s", path, number,
                metrics ? "" : ": ", metrics ? "" : why.text);
}

int read_metrics(run *r, json_t **lines, const char *path)
{
    struct stat about;
    char inside[4096];
    char *text;
    size_t bytes, number = 1;
    if (!stat(path, &about) && S_ISDIR(about.st_mode)) {
        if (snprintf(inside, sizeof inside, "%s/training/metrics.jsonl", path) >= (int)sizeof inside)
            return fail(r, EXIT_DATA, "the path '%.60s...' is too long", path);
        path = inside;
    }
    int code = read_file(r, &text, &bytes, path);
    if (code) return code;
    *lines = json_array();
    if (!*lines) code = fail_memory(r);
    for (const char *line = text, *end; !code && (end = memchr(line, '\n', bytes - (size_t)(line - text)));
         line = end + 1, number++)
        if (end > line) code = add_line(r, *lines, path, number, line, (size_t)(end - line));
    free(text);
    if (!code && !json_array_size(*lines)) code = fail(r, EXIT_DATA, "'%s' has no metrics yet", path);
    return code;
}

bool metrics_series(trine_series *out, const json_t *lines, const char *name)
{
    const size_t n = json_array_size(lines);
    *out = (trine_series) { .steps = calloc(n + 1, sizeof *out->steps), .values = calloc(n + 1, sizeof *out->values) };
    if (!out->steps || !out->values) {
        trine_series_clear(out);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *line = json_array_get(lines, i), *value = json_object_get(line, name);
        if (!json_is_number(value)) continue;
        out->steps[out->n] = json_integer_value(json_object_get(line, "step"));
        out->values[out->n++] = json_number_value(value);
    }
    return true;
}

/* An object whose keys they are; NULL: no memory. */
static json_t *find_names(const json_t *lines)
{
    json_t *names = json_object();
    for (size_t i = 0; names && i < json_array_size(lines); i++) {
        const char *name;
        json_t *value;
        json_object_foreach(json_array_get(lines, i), name, value)
        {
            if (!json_is_number(value) || !strcmp(name, "step") || json_object_get(names, name)) continue;
            if (!json_object_set_new(names, name, json_true())) continue;
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

bool metrics_names(trine_names *out, const json_t *lines)
{
    json_t *names = find_names(lines), *value;
    const char *name;
    *out = (trine_names) { .items = calloc(json_object_size(names) + 1, sizeof *out->items) };
    bool fine = names && out->items;
    json_object_foreach(names, name, value)
    {
        if (fine && (out->items[out->n] = strdup(name)))
            out->n++;
        else
            fine = false;
    }
    json_decref(names);
    if (!fine) trine_names_clear(out);
    return fine;
}
