/* server.h - the HTTP server: models behind the routes that OpenAI's and Hugging Face's clients know, and trine's own.
 *
 * Three kinds of thread: one accepts connections, a small one for each connection reads requests and writes answers (HTTP is
 * libmicrohttpd's), and one, the engine's, owns every session and runs every pass. Requests meet in the engine's queue and join the
 * batch that is running. docs/SERVER.md has the routes. */
#ifndef TRINE_SERVER_H
#define TRINE_SERVER_H

#include <trine.h>

typedef struct server server;

/* A file that is part of the program. */
typedef struct server_asset {
    const char *path; /* of the address: "/" */
    const char *mime; /* "text/html; charset=utf-8" */
    const void *bytes;
    size_t n_bytes;
    const char *etag; /* with its quotes; changes when the bytes do */
} server_asset;

typedef struct server_model {
    const char *name; /* as requests call it; no two are the same */
    trine_model *model;
} server_model;

typedef struct server_options {
    const char *host; /* NULL: loopback */
    int port;         /* 0: any that is free */
    const server_model *models;
    int n_models;
    int n_threads, ctx; /* of each model's session; ctx 0: what the model takes, 4096 at most */
    trine_dtype cache_type;
    int parallel;        /* texts that a model writes at a time; 0: 8 */
    int queue;           /* pieces of work that may wait; 0: 64 */
    int connections;     /* open at a time; 0: 128 */
    size_t max_body;     /* bytes of a request; 0: 4 MiB */
    int idle_s;          /* a connection that moves no byte, or sends no whole head of a request, is closed; 0: 30 */
    int limit_s;         /* a request may take so long; 0: 600 */
    const char *cors;    /* an origin whose pages may ask, "*": any; NULL: none but the server's own */
    const char *program; /* the command's own path, for POST /runs; NULL: no experiments are started */
    const server_asset *assets;
    int n_assets;
    trine_log_fn *log;
    void *log_user;
} server_options;

/* Opens the sessions and begins to serve. ERROR_IO when the address is taken. Models and assets must live as long as the server. */
trine_status server_open(server **out, const server_options *options, trine_error *err);
/* "http://127.0.0.1:8080"; lives as long as the server. */
const char *server_address(const server *s);
/* Takes no more requests, ends what runs (streams by an error event), and closes. NULL is fine. */
void server_close(server *s);

#endif
