/* server.c - connections, by libmicrohttpd: what comes in is checked and bounded before a route sees it, and what a route answers
 * goes out. A thread for each connection runs the routes; it may wait there as long as it likes. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "exchange.h"
#include "header_timeout.h"

enum {
    DEFAULT_CONNECTIONS = 128,
    DEFAULT_BODY = 4 << 20,
    DEFAULT_IDLE_S = 30,
    SPARE_CONNECTIONS = 16, /* above the limit, to say so */
    BODY_S = 60,            /* a request must be here by then */
    DRAIN_S = 5,            /* answers have so long to leave when the server stops */
    STACK_BYTES = 1 << 20,
    SEND_BUFFER = 64 << 10 /* of the system, a connection: beyond it a slow reader holds his text back */
};

struct server {
    server_options options;
    engine *engine;
    runs *runs;
    header_timeout *heads;
    struct MHD_Daemon *daemon;
    int socket;
    bool loopback;
    char address[128];
    atomic_bool stopping;
    atomic_int n_connections, n_exchanges;
    double began;
};

void server_figures(const exchange *x, int *n_connections, double *uptime_s, bool *stopping)
{
    *n_connections = atomic_load(&x->server->n_connections);
    *uptime_s = engine_clock() - x->server->began;
    *stopping = atomic_load(&x->server->stopping);
}

runs *server_runs(const exchange *x) { return x->server->runs; }

/* ------------------------------------------------------------------------------------------------------ who may ask what */

static const char *header(exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* Whether a Host header names this machine's loopback: a page of another name that leads here (DNS rebinding) does not. */
static bool is_loopback_name(const char *host)
{
    char name[64];
    struct in_addr address;
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (n >= sizeof name) return false;
    memcpy(name, host, n);
    name[n] = 0;
    if (strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0) return true;
    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

/* The origin whose page may read the answer, or NULL: its own need not be told. */
static const char *foreign_origin(exchange *x)
{
    const char *origin = header(x, MHD_HTTP_HEADER_ORIGIN), *host = header(x, MHD_HTTP_HEADER_HOST);
    if (!origin || (host && strncmp(origin, "http://", 7) == 0 && strcasecmp(origin + 7, host) == 0)) return NULL;
    return origin;
}

static bool allows(const server *s, const char *origin)
{
    return s->options.cors && (strcmp(s->options.cors, "*") == 0 || strcasecmp(s->options.cors, origin) == 0);
}

static void check_caller(exchange *x)
{
    const server *s = x->server;
    const char *host = header(x, MHD_HTTP_HEADER_HOST), *origin = foreign_origin(x);
    if (atomic_load(&s->stopping)) {
        fail_request(x, 503, NULL, "stopping", "the server is stopping");
    } else if (atomic_load(&s->n_connections) > s->options.connections) {
        x->retry_s = 1;
        fail_request(x, 503, NULL, "too_many_connections", "%d connections are open, as many as the server takes",
                     s->options.connections);
    } else if (s->loopback && host && !is_loopback_name(host)) {
        fail_request(x, 403, NULL, "host_refused", "the server listens on loopback and is asked as '%.60s': expected localhost",
                     host);
    } else if (origin && !allows(s, origin)) {
        fail_request(x, 403, NULL, "origin_refused", "pages of '%.100s' may not ask this server; --cors allows an origin", origin);
    }
}

/* ------------------------------------------------------------------------------------------------------------ the route */

static bool leads_to(const route *r, const char *path)
{
    const size_t n = strlen(r->path);
    return r->path[n - 1] == '/' && n > 1 ? strncmp(path, r->path, n) == 0 && path[n] : strcmp(path, r->path) == 0;
}

static void find_asset(exchange *x, const char *path)
{
    const server_options *o = &x->server->options;
    const char *known = header(x, MHD_HTTP_HEADER_IF_NONE_MATCH);
    for (int i = 0; i < o->n_assets; i++) {
        if (strcmp(o->assets[i].path, path) != 0) continue;
        x->asset = &o->assets[i];
        x->not_modified = known && strstr(known, x->asset->etag);
    }
}

static void find_route(exchange *x, const char *path, const char *method)
{
    bool gets = false, posts = false;
    if (strcmp(method, "HEAD") == 0) method = "GET";
    for (int i = 0; i < server_n_routes && !x->route; i++) {
        const route *r = &server_routes[i];
        if (!leads_to(r, path)) continue;
        gets |= strcmp(r->method, "GET") == 0;
        posts |= strcmp(r->method, "POST") == 0;
        if (strcmp(r->method, method) != 0) continue;
        x->route = r;
        const size_t n = strlen(r->path);
        const char *rest = r->path[n - 1] == '/' ? path + n : "";
        x->rest = keep_memory(x, strlen(rest) + 1);
        if (x->rest) strcpy(x->rest, rest);
    }
    if (x->route || x->failed) return;
    if (!gets && !posts && strcmp(method, "GET") == 0) find_asset(x, path);
    if (x->asset) return;
    x->allowed = !posts ? "GET, HEAD" : gets ? "GET, HEAD, POST" : "POST";
    if (gets || posts)
        fail_request(x, 405, NULL, "method_not_allowed", "%.100s is asked by %s", path,
                     !posts ? "GET"
                     : gets ? "GET or POST"
                            : "POST");
    else
        fail_request(x, 404, NULL, "route_not_found", "there is nothing at %.100s; docs/SERVER.md lists the routes", path);
}

static void read_json(exchange *x)
{
    json_error_t err;
    x->in = json_loadb(x->body.n ? x->body.data : "", x->body.n, JSON_REJECT_DUPLICATES, &err);
    if (!x->in)
        fail_request(x, 400, NULL, "invalid_json", "the body is not JSON: line %d, column %d: %s", err.line, err.column, err.text);
    else if (!json_is_object(x->in))
        fail_request(x, 400, NULL, "invalid_json", "the body must be a JSON object");
    free(x->body.data);
    x->body = (bytes) { 0 };
}

/* --------------------------------------------------------------------------------------------------------------- answers */

/* A connection that waits for a route is not idle; setting its time anew makes it count from now. */
static void set_idle(exchange *x, int seconds)
{
    MHD_set_connection_option(x->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)seconds);
}

/* A MHD_ContentReaderCallback: events, as they come. */
static ssize_t read_stream(void *user, uint64_t pos, char *to, size_t most)
{
    exchange *x = user;
    (void)pos;
    if (x->n_sent == x->out.n) {
        x->out.n = x->n_sent = 0;
        if (x->ended) return MHD_CONTENT_READER_END_OF_STREAM;
        set_idle(x, 0);
        while (!x->ended && x->out.n == 0) x->ended = !x->stream(x);
        set_idle(x, x->server->options.idle_s);
        if (x->out.failed) return MHD_CONTENT_READER_END_WITH_ERROR;
        if (x->out.n == 0) return MHD_CONTENT_READER_END_OF_STREAM;
    }
    const size_t n = x->out.n - x->n_sent < most ? x->out.n - x->n_sent : most;
    memcpy(to, x->out.data + x->n_sent, n);
    x->n_sent += n;
    return (ssize_t)n;
}

static struct MHD_Response *make_response(exchange *x)
{
    if (x->asset) {
        const size_t n = x->not_modified ? 0 : x->asset->n_bytes;
        return MHD_create_response_from_buffer(n, (void *)(uintptr_t)x->asset->bytes, MHD_RESPMEM_PERSISTENT);
    }
    if (x->stream && !x->failed) return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 << 10, read_stream, x, NULL);
    struct MHD_Response *r = MHD_create_response_from_buffer(x->out.n, x->out.data, MHD_RESPMEM_MUST_FREE);
    if (r) x->out = (bytes) { 0 };
    return r;
}

static void add_headers(exchange *x, struct MHD_Response *r)
{
    const char *origin = foreign_origin(x);
    char number[16];
    const bool events = x->stream && !x->failed;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
                            x->asset ? x->asset->mime
                            : events ? "text/event-stream; charset=utf-8"
                                     : "application/json");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, x->asset ? "no-cache" : "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (x->asset) {
        MHD_add_response_header(r, MHD_HTTP_HEADER_ETAG, x->asset->etag);
        /* A page of this program asks this server and nobody else. Formulas are placed by styles of their own. */
        MHD_add_response_header(r, "Content-Security-Policy",
                                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'");
    }
    if (x->status == 405) MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, x->allowed);
    if (x->retry_s) {
        snprintf(number, sizeof number, "%d", x->retry_s);
        MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, number);
    }
    if (atomic_load(&x->server->stopping)) MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    if (!origin || !allows(x->server, origin)) return;
    MHD_add_response_header(r, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ORIGIN);
    MHD_add_response_header(r, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    /* What a client library sends of its own (x-stainless-os) is ignored here, and a browser asks for it by name. */
    const char *asked = header(x, "Access-Control-Request-Headers");
    MHD_add_response_header(r, "Access-Control-Allow-Headers", asked ? asked : "Content-Type, Authorization");
    MHD_add_response_header(r, "Access-Control-Expose-Headers", "Retry-After");
}

static enum MHD_Result send_answer(exchange *x)
{
    if (x->status == 499) return MHD_NO; /* nobody is there to read it */
    if (x->out.failed) return MHD_NO;
    struct MHD_Response *r = make_response(x);
    if (!r) return MHD_NO;
    add_headers(x, r);
    const int status = x->asset ? (x->not_modified ? 304 : 200) : x->stream && !x->failed ? 200 : x->status;
    const enum MHD_Result sent = MHD_queue_response(x->connection, (unsigned)status, r);
    MHD_destroy_response(r);
    return sent;
}

/* ------------------------------------------------------------------------------------------------------------- a request */

static waiting_connection *watched(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static exchange *open_exchange(server *s, struct MHD_Connection *connection)
{
    exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->server = s;
    x->engine = s->engine;
    x->connection = connection;
    x->began = engine_clock();
    atomic_fetch_add(&s->n_exchanges, 1);
    header_timeout_set(s->heads, watched(connection), true);
    return x;
}

static void close_exchange(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
    exchange *x = *state;
    (void)cls, (void)how;
    if (!x) return;
    header_timeout_set(x->server->heads, watched(connection), false);
    order_close(&x->order);
    atomic_fetch_sub(&x->server->n_exchanges, 1);
    json_decref(x->in);
    let_go_of_memory(x);
    free(x->body.data);
    free(x->out.data);
    free(x);
    *state = NULL;
}

/* The head of a request is here: what can be said against it is found now, and told once the body has gone by. */
static enum MHD_Result begin(exchange *x, const char *path, const char *method)
{
    const char *length = header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const unsigned long long n = length ? strtoull(length, NULL, 10) : 0;
    x->too_large = n > x->server->options.max_body;
    check_caller(x);
    if (!x->failed && strcmp(method, "OPTIONS") == 0 && foreign_origin(x)) { /* a browser asks whether it may ask */
        x->status = 204;
        return MHD_YES;
    }
    if (!x->failed) find_route(x, path, method);
    /* A body that is much too large is not even read away. */
    if (n / 16 <= x->server->options.max_body) return MHD_YES;
    fail_request(x, 413, NULL, "body_too_large", "the body has %llu bytes, and %zu are taken", n, x->server->options.max_body);
    return send_answer(x);
}

static enum MHD_Result take_body(exchange *x, const char *data, size_t n)
{
    const size_t most = x->server->options.max_body;
    if (engine_clock() - x->began > BODY_S) return MHD_NO;
    if (x->body.n + n > most) x->too_large = true;
    if (!x->too_large && !x->failed && x->route) bytes_put(&x->body, data, n);
    return MHD_YES;
}

static enum MHD_Result finish(exchange *x)
{
    if (x->status == 204) return send_answer(x);
    if (x->too_large)
        fail_request(x, 413, NULL, "body_too_large", "the body is too large: %zu bytes are taken", x->server->options.max_body);
    if (x->body.failed) fail_no_memory(x);
    if (!x->failed && x->route && strcmp(x->route->method, "POST") == 0) read_json(x);
    if (!x->failed && x->route) {
        set_idle(x, 0);
        x->route->answer(x);
        set_idle(x, x->server->options.idle_s);
    }
    return send_answer(x);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *n_data, void **state)
{
    exchange *x = *state;
    (void)version;
    if (!x) {
        *state = x = open_exchange(cls, connection);
        return x ? begin(x, path, method) : MHD_NO;
    }
    if (*n_data == 0) return finish(x);
    const enum MHD_Result result = take_body(x, data, *n_data);
    *n_data = 0;
    return result;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **state, enum MHD_ConnectionNotificationCode what)
{
    server *s = cls;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        header_timeout_remove(s->heads, *state);
        atomic_fetch_sub(&s->n_connections, 1);
        return;
    }
    atomic_fetch_add(&s->n_connections, 1);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const int size = SEND_BUFFER;
    if (!info) return;
    setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    *state = header_timeout_add(s->heads, info->connect_fd);
}

/* ------------------------------------------------------------------------------------------------------------ open, close */

static bool is_loopback(const struct sockaddr *a)
{
    char host[64];
    if (getnameinfo(a, a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in), host, sizeof host, NULL,
                    0, NI_NUMERICHOST) != 0)
        return false;
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* A socket that listens, and its address as one types it. */
static trine_status listen_at(server *s, trine_error *err)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char port[16], where[100];
    const char *host = s->options.host ? s->options.host : "127.0.0.1";
    snprintf(port, sizeof port, "%d", s->options.port);
    snprintf(where, sizeof where, "%.60s:%s", host, port);
    const int failure = getaddrinfo(host, port, &hints, &found);
    if (failure) return say(err, TRINE_ERROR_ARGUMENT, "%s is no address of this machine: %s", where, gai_strerror(failure));
    const int one = 1;
    struct sockaddr_storage bound = { 0 };
    socklen_t n = sizeof bound;
    s->socket = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool listens = s->socket >= 0 && setsockopt(s->socket, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                         bind(s->socket, found->ai_addr, found->ai_addrlen) == 0 && listen(s->socket, SOMAXCONN) == 0 &&
                         getsockname(s->socket, (struct sockaddr *)&bound, &n) == 0;
    const int reason = errno;
    freeaddrinfo(found);
    if (!listens)
        return say(err, TRINE_ERROR_IO, "cannot listen at %s: %s; --port chooses another port, 0 any that is free", where,
                   strerror(reason));
    getnameinfo((struct sockaddr *)&bound, n, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    s->loopback = is_loopback((struct sockaddr *)&bound);
    snprintf(s->address, sizeof s->address, strchr(host, ':') ? "http://[%.60s]:%s" : "http://%.60s:%s", host, port);
    return TRINE_OK;
}

static void fill_defaults(server_options *o)
{
    if (!o->connections) o->connections = DEFAULT_CONNECTIONS;
    if (!o->max_body) o->max_body = DEFAULT_BODY;
    if (!o->idle_s) o->idle_s = DEFAULT_IDLE_S;
}

trine_status server_open(server **out, const server_options *options, trine_error *err)
{
    *out = NULL;
    server *s = calloc(1, sizeof *s);
    if (!s) return say(err, TRINE_ERROR_MEMORY, "no memory for a server");
    s->options = *options;
    s->socket = -1;
    s->began = engine_clock();
    fill_defaults(&s->options);
    json_object_seed(0); /* once, before there are threads */
    trine_status status = listen_at(s, err);
    if (!status) status = engine_open(&s->engine, &s->options, err);
    if (!status && s->options.program) status = runs_open(&s->runs, s->options.program, err);
    if (!status) status = header_timeout_open(&s->heads, s->options.idle_s, err);
    if (!status) {
        s->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC,
                                     0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->socket, MHD_OPTION_NOTIFY_COMPLETED,
                                     close_exchange, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                                     MHD_OPTION_CONNECTION_LIMIT, (unsigned)(s->options.connections + SPARE_CONNECTIONS),
                                     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->options.idle_s, MHD_OPTION_THREAD_STACK_SIZE,
                                     (size_t)STACK_BYTES, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
        if (s->daemon)
            s->socket = -1; /* the daemon's now */
        else
            status = say(err, TRINE_ERROR_IO, "the HTTP server could not be started at %s", s->address);
    }
    if (status)
        server_close(s);
    else
        *out = s;
    return status;
}

const char *server_address(const server *s) { return s->address; }

void server_close(server *s)
{
    if (!s) return;
    atomic_store(&s->stopping, true);
    if (s->daemon) s->socket = MHD_quiesce_daemon(s->daemon); /* accepts no more */
    if (s->engine) engine_stop(s->engine);
    /* What was asked is answered, if only by why not. */
    for (double until = engine_clock() + DRAIN_S; atomic_load(&s->n_exchanges) > 0 && engine_clock() < until;) poll(NULL, 0, 10);
    if (s->daemon) MHD_stop_daemon(s->daemon);
    if (s->socket >= 0) close(s->socket);
    header_timeout_close(s->heads);
    runs_close(s->runs);
    engine_close(s->engine);
    free(s);
}
