/* exchange.c - parameters, answers, errors. */
#include "exchange.h"

#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

void bytes_put(void *to, const char *data, size_t n)
{
    bytes *b = to;
    if (b->failed || n == 0) return;
    if (b->cap - b->n < n) {
        const size_t wanted = 2 * (b->n + n) + 256;
        char *grown = realloc(b->data, wanted);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->data = grown;
        b->cap = wanted;
    }
    memcpy(b->data + b->n, data, n);
    b->n += n;
}

/* A block of memory begins with the one kept before it. */
struct kept {
    struct kept *before;
    max_align_t memory[];
};

void *keep_memory(exchange *x, size_t n)
{
    struct kept *k = n < SIZE_MAX / 2 ? calloc(1, sizeof *k + n) : NULL;
    if (!k) {
        fail_no_memory(x);
        return NULL;
    }
    k->before = x->kept;
    x->kept = k;
    return k->memory;
}

void let_go_of_memory(exchange *x)
{
    for (struct kept *k = x->kept, *before; k; k = before) {
        before = k->before;
        free(k);
    }
    x->kept = NULL;
}

static void put_text(exchange *x, const char *text) { bytes_put(&x->out, text, strlen(text)); }

/* ------------------------------------------------------------------------------------------------------------- errors */

static const char *type_of(int status)
{
    return status == 429   ? "rate_limit_error"
           : status >= 500 ? "server_error"
           : status == 404 ? "not_found_error"
                           : "invalid_request_error";
}

static void write_error(exchange *x, const char *message, const char *param, const char *code)
{
    json_writer j = jw_to(bytes_put, &x->out);
    jw_open(&j, '{');
    jw_key(&j, "error");
    jw_open(&j, '{');
    jw_set_text(&j, "message", message);
    jw_set_text(&j, "type", type_of(x->status));
    jw_set_text(&j, "param", param && *param ? param : NULL);
    jw_set_text(&j, "code", code);
    jw_close(&j, '}');
    jw_close(&j, '}');
}

void fail_request(exchange *x, int status, const char *param, const char *code, const char *format, ...)
{
    char message[900];
    va_list list;
    if (x->failed) return;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    x->failed = true;
    x->status = status;
    if (!x->stream) x->out.n = 0; /* of a stream, what was written before stays */
    if (x->stream) put_text(x, "data: ");
    write_error(x, message, param, code);
    if (x->stream) put_text(x, "\n\n");
}

void fail_no_memory(exchange *x) { fail_request(x, 503, NULL, "out_of_memory", "there is no memory for this request now"); }

/* One table from the library's statuses to HTTP's. */
void fail_job(exchange *x, trine_status status, const trine_error *err)
{
    const char *text = err && err->text[0] ? err->text : trine_status_text(status);
    switch (status) {
    case TRINE_OK: return;
    case TRINE_ERROR_EMPTY: fail_request(x, 400, NULL, "empty", "%s", text); return;
    case TRINE_ERROR_ARGUMENT:
    case TRINE_ERROR_UNSUPPORTED:
    case TRINE_ERROR_NOT_FOUND: fail_request(x, 400, NULL, NULL, "%s", text); return;
    case TRINE_ERROR_TOO_LONG: fail_request(x, 400, NULL, "context_length_exceeded", "%s", text); return;
    case TRINE_ERROR_MEMORY: fail_request(x, 503, NULL, "out_of_memory", "%s", text); return;
    case TRINE_ERROR_CANCELLED:
        if (atomic_load(&x->engine->stopping))
            fail_request(x, 503, NULL, "stopping", "the server is stopping; the request was ended");
        else
            fail_request(x, 503, NULL, NULL, "%s", text);
        return;
    case TRINE_ERROR_IO:
    case TRINE_ERROR_FORMAT:
    case TRINE_ERROR_NUMERIC:
    case TRINE_ERROR_INTERNAL: fail_request(x, 500, NULL, NULL, "%s", text); return;
    }
}

bool client_gone(void *user)
{
    const exchange *x = user;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info) return false;
    struct pollfd p = { .fd = info->connect_fd, .events = POLLRDHUP };
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void fail_late(exchange *x)
{
    fail_request(x, 504, NULL, "timeout", "the request took longer than the server's limit of %.0f s", x->engine->limit_s);
}

bool run_order(exchange *x, bool wait)
{
    switch (order_put(&x->order)) {
    case ORDER_PUT: break;
    case ORDER_STOPPING: fail_job(x, TRINE_ERROR_CANCELLED, NULL); return false;
    case ORDER_FULL:
        x->retry_s = 1;
        fail_request(x, 429, NULL, "queue_full",
                     "%d requests are waiting, as many as the server lets wait: try again a little later", x->engine->queue);
        return false;
    }
    if (!wait) return true;
    switch (order_wait(&x->order, client_gone, x)) {
    case ORDER_LATE: fail_late(x); return false;
    case ORDER_GONE: fail_request(x, 499, NULL, NULL, "the client has left"); return false;
    default: return !order_failed(x);
    }
}

bool order_failed(exchange *x)
{
    for (int i = 0; i < x->order.n; i++)
        if (x->order.jobs[i].over && x->order.jobs[i].status) {
            fail_job(x, x->order.jobs[i].status, &x->order.jobs[i].error);
            return true;
        }
    return false;
}

bool stream_news(exchange *x)
{
    enum { QUIET_S = 5 };
    switch (order_wait_news(&x->order, QUIET_S, client_gone, x)) {
    case ORDER_LATE: fail_late(x); return false;
    case ORDER_GONE: return false;
    case ORDER_QUIET: put_text(x, ": waiting\n\n"); return true; /* a comment: proxies and readers see that it lives */
    default: return true;
    }
}

/* ------------------------------------------------------------------------------------------------------------ answers */

json_writer answer_begin(exchange *x)
{
    x->status = 200;
    x->out.n = 0;
    return jw_to(bytes_put, &x->out);
}

json_writer event_begin(exchange *x)
{
    put_text(x, "data: ");
    return jw_to(bytes_put, &x->out);
}

void event_end(exchange *x) { put_text(x, "\n\n"); }
void event_done(exchange *x) { put_text(x, "data: [DONE]\n\n"); }

/* --------------------------------------------------------------------------------------------------------- parameters */

const json_t *get(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);
    return json_is_null(value) ? NULL : value;
}

int64_t get_int(exchange *x, const json_t *o, const char *key, int64_t low, int64_t high, int64_t fallback)
{
    const json_t *value = get(o, key);
    if (!value || x->failed) return fallback;
    const bool whole =
        json_is_integer(value) || (json_is_real(value) && nearbyint(json_real_value(value)) == json_real_value(value) &&
                                   fabs(json_real_value(value)) < 0x1p63);
    const double n = json_number_value(value);
    if (!whole || n < (double)low || n > (double)high) {
        fail_request(x, 400, key, NULL, "'%s' must be a whole number from %lld to %lld", key, (long long)low, (long long)high);
        return fallback;
    }
    return json_is_integer(value) ? json_integer_value(value) : (int64_t)n;
}

double get_real(exchange *x, const json_t *o, const char *key, double low, double high, double fallback)
{
    const json_t *value = get(o, key);
    if (!value || x->failed) return fallback;
    const double n = json_number_value(value);
    if (!json_is_number(value) || !(n >= low && n <= high)) {
        fail_request(x, 400, key, NULL, "'%s' must be a number from %g to %g", key, low, high);
        return fallback;
    }
    return n;
}

bool get_bool(exchange *x, const json_t *o, const char *key, bool fallback)
{
    const json_t *value = get(o, key);
    if (!value || x->failed) return fallback;
    if (!json_is_boolean(value)) fail_request(x, 400, key, NULL, "'%s' must be true or false", key);
    return json_is_true(value);
}

const char *get_text(exchange *x, const json_t *o, const char *key, const char *fallback)
{
    const json_t *value = get(o, key);
    if (!value || x->failed) return fallback;
    if (!json_is_string(value)) fail_request(x, 400, key, NULL, "'%s' must be a text", key);
    return json_is_string(value) ? json_string_value(value) : fallback;
}

const json_t *get_object(exchange *x, const json_t *o, const char *key)
{
    const json_t *value = get(o, key);
    if (!value || x->failed) return NULL;
    if (!json_is_object(value)) fail_request(x, 400, key, NULL, "'%s' must be an object", key);
    return json_is_object(value) ? value : NULL;
}

int32_t *get_ids(exchange *x, const json_t *array, const char *key, int *n)
{
    const size_t count = json_array_size(array);
    if (!count || count > 1 << 24) {
        fail_request(x, 400, key, NULL, "'%s' must hold tokens, numbers of the vocabulary", key);
        return NULL;
    }
    int32_t *ids = keep_memory(x, count * sizeof *ids);
    for (size_t i = 0; i < count && ids; i++) {
        const json_t *id = json_array_get(array, i);
        const int64_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < 0 || value > INT32_MAX) {
            fail_request(x, 400, key, NULL, "'%s': token %zu is no number of the vocabulary", key, i);
            return NULL;
        }
        ids[i] = (int32_t)value;
    }
    *n = (int)count;
    return ids;
}

static const char *words_of(unsigned tasks)
{
    static const struct {
        unsigned task;
        const char *words;
    } names[] = { { TASK_CHAT, "chat" },           { TASK_WRITE, "write text" },    { TASK_EMBED, "make vectors" },
                  { TASK_FILL, "fill masks" },     { TASK_CLASSIFY, "classify" },   { TASK_TAG, "tag tokens" },
                  { TASK_TRANSLATE, "translate" }, { TASK_SUMMARIZE, "summarize" }, { TASK_TOKENIZE, "tokenize" } };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tasks & names[i].task) return names[i].words;
    return "do this";
}

served *find_model(exchange *x, const char *name, unsigned needed)
{
    int n;
    served *models = engine_models(x->engine, &n);
    for (int i = 0; i < n && name; i++) {
        if (strcmp(models[i].name, name) != 0) continue;
        if (models[i].tasks & needed) return &models[i];
        fail_request(x, 400, "model", "model_unsuited", "the model '%.100s' (%s) cannot %s", name, models[i].info->family,
                     words_of(needed));
        return NULL;
    }
    if (name) {
        fail_request(x, 404, "model", "model_not_found",
                     "the model '%.100s' does not exist here; GET /v1/models lists those that do", name);
        return NULL;
    }
    /* A model with the right head before one that can do it too. */
    for (int i = 0; i < n && needed == TASK_EMBED; i++)
        if (models[i].info->head == TRINE_HEAD_NONE) return &models[i];
    for (int i = 0; i < n && (needed & (TASK_TRANSLATE | TASK_SUMMARIZE)); i++)
        if ((models[i].tasks & needed) && models[i].info->paradigm == TRINE_ENCODER_DECODER) return &models[i];
    for (int i = 0; i < n; i++)
        if (models[i].tasks & needed) return &models[i];
    fail_request(x, 400, "model", "model_unsuited", "no model of this server can %s", words_of(needed));
    return NULL;
}

served *get_model(exchange *x, unsigned needed)
{
    const char *name = get_text(x, x->in, "model", NULL);
    return x->failed ? NULL : find_model(x, name, needed);
}
