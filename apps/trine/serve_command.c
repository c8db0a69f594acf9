/* serve_command.c - trine serve: models behind HTTP, until Control-C. */
#include "served_models.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* What a browser shows of a server that has no page. */
static const char about[] = "trine serve\n\n"
                            "GET  /health  /v1/models\n"
                            "POST /v1/chat/completions  /v1/completions  /v1/embeddings\n"
                            "POST /models/NAME  /tasks/TASK  /tokenize  /detokenize  /trace\n\n"
                            "docs/SERVER.md explains them.\n";

static const server_asset assets[] = {
    { "/", "text/plain; charset=utf-8", about, sizeof about - 1, "\"serve-1\"" },
};

static void log_to_note(void *user, const char *text) { note(user, "%s", text); }

/* "NAME=PATH", or a path whose last part without .gguf is the name (free). */
static char *model_name(const char *given, const char **path)
{
    const char *equals = strchr(given, '='), *slash = strchr(given, '/');
    *path = given;
    if (equals && equals > given && equals[1] && (!slash || equals < slash)) {
        *path = equals + 1;
        return strndup(given, (size_t)(equals - given));
    }
    size_t n = strlen(given);
    while (n > 1 && given[n - 1] == '/') n--;
    size_t from = n;
    while (from > 0 && given[from - 1] != '/') from--;
    if (n - from > 5 && strncmp(given + n - 5, ".gguf", 5) == 0) n -= 5;
    return strndup(given + from, n - from);
}

static int open_one(run *r, server_model *models, int i, const char *given)
{
    const trine_model_options options = { .cpu = r->args.cpu, .log = log_to_note, .log_user = r };
    trine_error err = { 0 };
    const char *path;
    char *name = model_name(given, &path);
    if (!name) {
        fail_memory(r);
        return EXIT_MEMORY;
    }
    models[i].name = name;
    for (int k = 0; k < i; k++)
        if (strcmp(models[k].name, name) == 0)
            return fail_usage(r, "two models would be called '%s': -m NAME=MODEL gives one another name", name);
    const trine_shipped_model *shipped = shipped_model(r, path);
    const trine_status status = trine_model_open_adapted(&models[i].model, shipped ? shipped->path : path,
                                                         shipped ? shipped->adapter : NULL, &options, NULL, &err);
    if (status) return fail_status(r, status, &err);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

static int open_models(run *r, server_model *models)
{
    const arguments *a = &r->args;
    int code = 0;
    for (int i = 0; i < a->models.n && !code; i++) code = open_one(r, models, i, a->models.items[i]);
    for (int i = 0; i < a->rest.n && !code; i++) code = open_one(r, models, a->models.n + i, a->rest.items[i]);
    return code;
}

/* Serves until a signal asks to stop. Blocked in every thread, the signals are this thread's alone to wait for. */
static int serve(run *r, const server_options *options, address_fn *ready)
{
    sigset_t stops, before;
    server *s;
    trine_error err = { 0 };
    int signal_number;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stops, &before);
    const trine_status status = server_open(&s, options, &err);
    if (!status) {
        print(r, "%s\n", server_address(s));
        flush_output(r);
        if (ready) ready(r, server_address(s));
        note(r, "serving; Control-C ends it");
        sigwait(&stops, &signal_number);
        note(r, "ending: what runs is stopped");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status) return fail_status(r, status, &err);
    server_close(s);
    return EXIT_DONE;
}

int serve_models(run *r, const char *program, const server_asset *files, int n_files, address_fn *ready)
{
    const arguments *a = &r->args;
    int code = a->models.n + a->rest.n ? 0 : serve_shipped_models(r);
    if (code) return code;
    const int n = a->models.n + a->rest.n;
    server_model *models = calloc((size_t)n + 1, sizeof *models);
    if (!models) return fail_memory(r);
    code = open_models(r, models);
    const server_options options = { .host = a->host,
                                     .port = a->port,
                                     .models = models,
                                     .n_models = n,
                                     .n_threads = a->threads,
                                     .ctx = a->ctx,
                                     .cache_type = a->cache_type,
                                     .parallel = a->parallel,
                                     .queue = a->queue,
                                     .connections = a->connections,
                                     .max_body = a->max_body,
                                     .idle_s = a->idle_seconds,
                                     .limit_s = a->limit_seconds,
                                     .cors = a->cors,
                                     .program = program,
                                     .assets = files,
                                     .n_assets = n_files,
                                     .log = log_to_note,
                                     .log_user = r };
    if (!code) code = serve(r, &options, ready);
    for (int i = 0; i < n; i++) {
        trine_model_close(models[i].model);
        free((char *)models[i].name);
    }
    free(models);
    return code;
}

int serve_main(run *r)
{
    if (!r->args.models.n && !r->args.rest.n && !shipped_list(r)->n) return take_default_model(r); /* which says what is missing */
    return serve_models(r, NULL, assets, (int)(sizeof assets / sizeof assets[0]), NULL);
}
