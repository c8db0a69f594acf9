/* served_models.h - what trine serve and trine lab share: models opened and served until a signal. */
#ifndef TRINE_APP_SERVED_MODELS_H
#define TRINE_APP_SERVED_MODELS_H

#include "run.h"
#include "server.h"

/* Told the address once the server takes requests. */
typedef void address_fn(run *r, const char *address);

/* Opens the models that the command line names, or else those that ship, none is fine, and serves them and `files` until Control-C;
 * `program`: as in server_options. ready may be NULL. */
int serve_models(run *r, const char *program, const server_asset *files, int n_files, address_fn *ready);

/* The page that `make lab` built, embedded (cmake/lab_assets.cmake); none where npm was not there. */
extern const server_asset lab_assets[];
extern const int n_lab_assets;

#endif
