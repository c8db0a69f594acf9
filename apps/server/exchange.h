/* exchange.h - one request and its answer, as routes see them: JSON in, JSON or events out, and errors in the shape that clients
 * know.
 *
 * Reading is sticky: the first parameter that is wrong writes the error, names itself, and everything after it does nothing. */
#ifndef TRINE_SERVER_EXCHANGE_H
#define TRINE_SERVER_EXCHANGE_H

#include <jansson.h>

#include "engine.h"
#include "json_text.h"
#include "started_runs.h"

/* Growing bytes with a sticky failure. */
typedef struct bytes {
    char *data;
    size_t n, cap;
    bool failed;
} bytes;
void bytes_put(void *to, const char *data, size_t n); /* a json_put_fn */

typedef struct exchange exchange;
/* Writes the next events of a stream into x->out; false when there will be no more. Waits for them as order_wait_news does. */
typedef bool stream_fn(exchange *x);

struct exchange {
    struct server *server;
    engine *engine;
    struct MHD_Connection *connection;
    const struct route *route;
    char *rest; /* of the address behind a route that ends with '/'; "" else */
    double began;
    bytes body;
    bool too_large;

    json_t *in; /* the body, an object */
    int status; /* of the answer; 0: none yet */
    bool failed;
    int retry_s;         /* Retry-After; 0: none */
    const char *allowed; /* Allow, of 405 */
    bytes out;           /* the answer, or events not yet sent */
    size_t n_sent;
    const server_asset *asset;
    bool not_modified;

    served *on;
    order order;
    stream_fn *stream; /* the answer is a stream */
    bool ended;        /* its last event is in x->out */
    void *state;       /* of the route */
    struct kept *kept; /* memory that goes with the exchange */
};

typedef void route_fn(exchange *x);
typedef struct route {
    const char *method, *path; /* a path that ends with '/' takes what follows it */
    route_fn *answer;
} route;
extern const route server_routes[];
extern const int server_n_routes;

/* ------------------------------------------------------------------------------------------------------------ errors */

/* What went wrong, once: HTTP status, OpenAI's type and code, the parameter ("" or NULL: none). */
void fail_request(exchange *x, int status, const char *param, const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same for a failure of the library. */
void fail_job(exchange *x, trine_status status, const trine_error *err);
void fail_no_memory(exchange *x);
/* Puts x->order; waits for it when `wait`. False when that failed, and x says why. */
bool run_order(exchange *x, bool wait);
/* Tells the failure of a job in x->order that failed; false when none did. */
bool order_failed(exchange *x);
/* An error as an event of a stream. */
void write_error_event(exchange *x);
/* Waits for news of a stream's order: false when it has ended instead (nobody reads, too late). Keeps a quiet stream alive. */
bool stream_news(exchange *x);
/* Whether the client has closed its side: an order_gone_fn. */
bool client_gone(void *exchange);

/* ----------------------------------------------------------------------------------------------------------- answers */

json_writer answer_begin(exchange *x); /* status 200 */
json_writer event_begin(exchange *x);  /* "data: " */
void event_end(exchange *x);
void event_done(exchange *x); /* data: [DONE] */

/* -------------------------------------------------------------------------------------------------------- parameters */

/* The member `key` of object `o`; NULL when there is none, or null. */
const json_t *get(const json_t *o, const char *key);
/* These return the fallback when the member is missing, and fail when it is of another type or out of range. */
int64_t get_int(exchange *x, const json_t *o, const char *key, int64_t low, int64_t high, int64_t fallback);
double get_real(exchange *x, const json_t *o, const char *key, double low, double high, double fallback);
bool get_bool(exchange *x, const json_t *o, const char *key, bool fallback);
const char *get_text(exchange *x, const json_t *o, const char *key, const char *fallback);
/* The object `key`; NULL when there is none. */
const json_t *get_object(exchange *x, const json_t *o, const char *key);
/* An array of token ids as ints (free), n > 0; NULL when that failed. */
int32_t *get_ids(exchange *x, const json_t *array, const char *key, int *n);
/* The model of the request, or by default the first that can do `needed` (a set of task: any of them). NULL when it failed. */
served *get_model(exchange *x, unsigned needed);
/* A model by its name; NULL when it failed. */
served *find_model(exchange *x, const char *name, unsigned needed);

/* server.c: connections that are open, seconds since it began, whether it is ending. */
void server_figures(const exchange *x, int *n_connections, double *uptime_s, bool *stopping);
/* The experiments; NULL where none are started. */
runs *server_runs(const exchange *x);
/* Zeroed memory that lives as long as the exchange; NULL, with the error told, when there is none. */
void *keep_memory(exchange *x, size_t bytes);
void let_go_of_memory(exchange *x);

#endif
