/* inspecting.c - GET /health; POST /tokenize, /detokenize and /trace: what the server is, and what happens inside a model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_words.h"
#include "routes.h"

enum {
    TRACE_TOKENS = 256,      /* of a text that is traced */
    TRACE_NUMBERS = 2 << 20, /* in one answer */
    TRACE_TOP = 100
};

void answer_health(exchange *x)
{
    int n_models, n_running, n_waiting, n_connections;
    double uptime_s;
    bool stopping;
    engine_models(x->engine, &n_models);
    engine_load(x->engine, &n_running, &n_waiting);
    server_figures(x, &n_connections, &uptime_s, &stopping);
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "status", stopping ? "stopping" : "ok");
    jw_set_text(&j, "version", trine_version());
    jw_set_int(&j, "models", n_models);
    jw_set_int(&j, "running", n_running);
    jw_set_int(&j, "queued", n_waiting);
    jw_set_int(&j, "connections", n_connections);
    jw_set_int(&j, "uptime_s", (int64_t)uptime_s);
    jw_close(&j, '}');
}

/* --------------------------------------------------------------------------------------------------------------- tokens */

static void write_token(json_writer *j, const trine_tokenizer *t, int32_t id)
{
    char *text = t ? token_text(t, id) : NULL;
    jw_set_int(j, "id", id);
    jw_set_text(j, "token", t ? trine_tokenizer_token(t, id) : NULL);
    jw_set_text(j, "text", text);
    free(text);
}

static void write_encoding(json_writer *j, const trine_tokenizer *t, const trine_encoding *e)
{
    jw_open(j, '[');
    for (int i = 0; i < e->n; i++) {
        jw_open(j, '{');
        write_token(j, t, e->ids[i]);
        jw_set_bool(j, "special", e->special[i] != 0);
        jw_set_int(j, "type", e->types[i]);
        jw_set_int(j, "start", (int64_t)e->spans[i].start);
        jw_set_int(j, "end", (int64_t)e->spans[i].end);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

void answer_tokenize(exchange *x)
{
    const served *s = get_model(x, TASK_TOKENIZE);
    const char *text = get_text(x, x->in, "text", NULL);
    const trine_encode_options options = { .pair = get_text(x, x->in, "pair", NULL),
                                           .no_special = !get_bool(x, x->in, "add_special", true) };
    trine_encoding e;
    trine_error err = { 0 };
    if (!text) fail_request(x, 400, "text", NULL, "'text' must be a text");
    if (x->failed) return;
    const trine_status status = trine_tokenizer_encode(&e, s->tokenizer, text, 0, &options, &err);
    if (status) {
        fail_job(x, status, &err);
        return;
    }
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "model", s->name);
    jw_set_int(&j, "n", e.n);
    jw_key(&j, "tokens");
    write_encoding(&j, s->tokenizer, &e);
    jw_close(&j, '}');
    trine_encoding_clear(&e);
}

void answer_detokenize(exchange *x)
{
    const served *s = get_model(x, TASK_TOKENIZE);
    const bool skip = get_bool(x, x->in, "skip_special", true);
    int n;
    const int32_t *ids = x->failed ? NULL : get_ids(x, get(x->in, "tokens"), "tokens", &n);
    char *text;
    trine_error err = { 0 };
    if (!ids) return;
    const trine_status status = trine_tokenizer_decode(&text, s->tokenizer, ids, n, skip, &err);
    if (status) {
        fail_job(x, status, &err);
        return;
    }
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "model", s->name);
    jw_set_text(&j, "text", text);
    jw_close(&j, '}');
    trine_free(text);
}

/* ---------------------------------------------------------------------------------------------------------------- trace */

typedef struct tracing {
    trine_trace_options o;
    trine_mask mask;
    int n_mask, top; /* n_mask: tokens of a prefix or a window */
    bool spread;
    trine_encoding encoding; /* of a text; n 0: ids were given */
    int32_t *target;         /* what the decoder begins with */
    bool *layers, *heads;    /* NULL: all */
    int n_layers, n_heads;
    trine_trace_result result;
    const char *mask_name;
} tracing;

/* Every trace has a session of its own: its mask and its sizes are its own. */
static trine_status trace_alone(void *what, served *on, trine_error *err)
{
    tracing *t = what;
    const bool pair = on->info->paradigm == TRINE_ENCODER_DECODER;
    /* For labels a decoder reads the text once more. */
    const int n = t->o.n_ids, given = t->o.n_decoder_ids || on->info->head != TRINE_HEAD_LABELS ? t->o.n_decoder_ids : n;
    const int n_decoder = given > 1 ? given : 1;
    const trine_session_options so = { .n_threads = on->memory.n_threads,
                                       .ctx = pair ? n_decoder : n,
                                       .source_ctx = pair ? n : 0,
                                       .batch_tokens = pair && n_decoder > n ? n_decoder : n,
                                       .logit_rows = pair ? n_decoder : n,
                                       .mask = t->mask,
                                       .prefix = t->mask == TRINE_MASK_PREFIX ? t->n_mask : 0,
                                       .window = t->mask == TRINE_MASK_WINDOW ? t->n_mask : 0 };
    trine_session *s;
    trine_status status = trine_session_open(&s, on->model, &so, err);
    if (status) return status;
    status = trine_trace_keep(&t->result, s, &t->o, err);
    trine_session_close(s);
    return status;
}

static void read_mask(exchange *x, tracing *t)
{
    const char *mask = get_text(x, x->in, "mask", NULL);
    t->mask_name = mask ? mask : "default";
    if (!mask || strcmp(mask, "default") == 0) return;
    static const struct {
        const char *word;
        trine_mask mask;
    } counted[] = { { "prefix:", TRINE_MASK_PREFIX }, { "window:", TRINE_MASK_WINDOW } };
    if (strcmp(mask, "bidirectional") == 0) t->mask = TRINE_MASK_BIDIRECTIONAL;
    if (strcmp(mask, "causal") == 0) t->mask = TRINE_MASK_CAUSAL;
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
        char *end;
        const size_t n_word = strlen(counted[i].word);
        if (strncmp(mask, counted[i].word, n_word) != 0) continue;
        const long n = strtol(mask + n_word, &end, 10);
        if (n < 1 || n > TRACE_TOKENS || *end) continue;
        t->mask = counted[i].mask;
        t->n_mask = (int)n;
    }
    if (!t->mask)
        fail_request(x, 400, "mask", NULL, "'mask' must be bidirectional, causal, prefix:N or window:N with N from 1 to %d",
                     TRACE_TOKENS);
}

/* The list `key` as flags of n; NULL: all. */
static bool *read_choice(exchange *x, const char *key, int n)
{
    const json_t *list = get(x->in, key), *one;
    size_t i;
    if (!list || x->failed) return NULL;
    bool *chosen = keep_memory(x, (size_t)n * sizeof *chosen);
    if (!json_is_array(list)) fail_request(x, 400, key, NULL, "'%s' must be a list of numbers", key);
    json_array_foreach(list, i, one)
    {
        const int64_t k = json_integer_value(one);
        if (!json_is_integer(one) || k < 0 || k >= n)
            fail_request(x, 400, key, NULL, "'%s' must hold numbers from 0 to %d", key, n - 1);
        else if (chosen)
            chosen[k] = true;
    }
    return chosen;
}

/* The text as ids, or the ids given. */
static void read_traced(exchange *x, tracing *t)
{
    const served *s = x->on;
    const char *text = get_text(x, x->in, "text", NULL), *target = get_text(x, x->in, "decoder_text", NULL);
    const json_t *tokens = get(x->in, "tokens"), *decoder = get(x->in, "decoder_tokens");
    const bool pair = s->info->paradigm == TRINE_ENCODER_DECODER;
    trine_error err = { 0 };
    if (x->failed) return;
    if ((target || decoder) && !pair)
        fail_request(x, 400, target ? "decoder_text" : "decoder_tokens", NULL, "the model '%s' has no decoder beside an encoder",
                     s->name);
    if (text && s->tokenizer) {
        if (trine_tokenizer_encode(&t->encoding, s->tokenizer, text, 0, NULL, &err)) fail_job(x, err.code, &err);
        t->o.ids = t->encoding.ids;
        t->o.types = t->encoding.types;
        t->o.n_ids = t->encoding.n;
    } else if (tokens) {
        t->o.ids = get_ids(x, tokens, "tokens", &t->o.n_ids);
    } else {
        fail_request(x, 400, "text", NULL, "'text' or 'tokens' must say what to trace");
    }
    if (decoder && !x->failed) t->o.decoder_ids = get_ids(x, decoder, "decoder_tokens", &t->o.n_decoder_ids);
    if (target && s->tokenizer && !x->failed) {
        trine_encoding e;
        const int32_t start = s->info->decoder_start >= 0 ? s->info->decoder_start : s->info->pad;
        if (trine_tokenizer_encode(&e, s->tokenizer, target, 0, &(trine_encode_options) { .no_special = true }, &err)) {
            fail_job(x, err.code, &err);
            return;
        }
        t->target = keep_memory(x, ((size_t)e.n + 1) * sizeof *t->target);
        if (t->target) {
            t->target[0] = start;
            if (e.n) memcpy(t->target + 1, e.ids, (size_t)e.n * sizeof *t->target);
            t->o.decoder_ids = t->target;
            t->o.n_decoder_ids = e.n + 1;
        }
        trine_encoding_clear(&e);
    }
    const int most = s->memory.ctx < TRACE_TOKENS ? s->memory.ctx : TRACE_TOKENS;
    if (!x->failed && t->o.n_ids < 1) fail_request(x, 400, "text", "empty", "there is no token to trace");
    if (!x->failed && (t->o.n_ids > most || t->o.n_decoder_ids > most))
        fail_request(x, 400, "text", "context_length_exceeded", "a trace takes 1 to %d tokens, and this has %d", most,
                     t->o.n_ids > most ? t->o.n_ids : t->o.n_decoder_ids);
}

/* The likeliest of a row of logits, best first. */
static void write_top(json_writer *j, const served *s, const float *row, int n, int top)
{
    int best[TRACE_TOP] = { 0 }, found = 0;
    double largest = -INFINITY, sum = 0;
    if (top > n) top = n;
    for (int i = 0; i < n; i++) largest = fmax(largest, (double)row[i]);
    for (int i = 0; i < n; i++) sum += exp((double)row[i] - largest);
    for (int i = 0; i < n; i++) {
        if (found == top && !(row[i] > row[best[top - 1]])) continue;
        int at = found < top ? found++ : top - 1;
        for (; at > 0 && row[best[at - 1]] < row[i]; at--) best[at] = best[at - 1];
        best[at] = i;
    }
    const bool labels = s->info->n_labels > 0;
    jw_open(j, '[');
    for (int k = 0; k < found; k++) {
        jw_open(j, '{');
        if (labels)
            jw_set_text(j, "label", trine_model_label(s->model, best[k]));
        else
            write_token(j, s->tokenizer, best[k]);
        jw_set_float(j, "logit", row[best[k]]);
        jw_set_float(j, "probability", (float)(exp((double)row[best[k]] - largest) / sum));
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

static void write_row(json_writer *j, const float *row, int64_t n)
{
    jw_open(j, '[');
    for (int64_t i = 0; i < n; i++) jw_float(j, row[i]);
    jw_close(j, ']');
}

/* "encoder.attention.3", "cross.query.0" taken apart: whose it is, and the layer; false unless it is a `what`. */
static bool parse_name(const char *name, const char *what, const char **kind, int *layer)
{
    const size_t n = strlen(what);
    *kind = "self";
    if (strncmp(name, "encoder.", 8) == 0) {
        *kind = "encoder";
        name += 8;
    } else if (strncmp(name, "cross.", 6) == 0) {
        *kind = "cross";
        name += strcmp(what, "cross") == 0 ? 0 : 6;
    }
    if (strncmp(name, what, n) != 0 || name[n] != '.' || name[n + 1] < '0' || name[n + 1] > '9') return false;
    *layer = (int)strtol(name + n + 1, NULL, 10);
    return true;
}

static bool is_chosen(const bool *chosen, int n, int i) { return !chosen || (i < n && chosen[i]); }

/* Whether row `h` of `n` heads is wanted; of keys and values there may be one for several heads. */
static bool head_is_chosen(const tracing *t, int h, int n)
{
    const int group = n < t->n_heads ? t->n_heads / n : 1;
    for (int i = h * group; i < (h + 1) * group; i++)
        if (is_chosen(t->heads, t->n_heads, i)) return true;
    return false;
}

/* [heads, rows, cols]: attention's weights, or a part of what they are made of. */
static void write_heads(json_writer *j, const tracing *t, const trine_traced *a, const char *what)
{
    const bool weights = strcmp(what, "attention") == 0 || strcmp(what, "cross") == 0;
    const int heads = (int)a->shape[0];
    const int64_t rows = a->shape[1], cols = a->shape[2];
    if (!weights) jw_set_text(j, "part", what);
    jw_key(j, "heads");
    jw_open(j, '[');
    for (int h = 0; h < heads; h++)
        if (head_is_chosen(t, h, heads)) jw_int(j, h);
    jw_close(j, ']');
    jw_key(j, weights ? "weights" : "values");
    jw_open(j, '[');
    for (int h = 0; h < heads; h++) {
        if (!head_is_chosen(t, h, heads)) continue;
        jw_open(j, '[');
        for (int64_t r = 0; r < rows; r++) write_row(j, a->data + (h * rows + r) * cols, cols);
        jw_close(j, ']');
    }
    jw_close(j, ']');
}

static int64_t numbers_of(const tracing *t, const trine_traced *a, bool lens)
{
    int64_t n = a->n_dims == 3 ? 0 : a->shape[0];
    for (int h = 0; a->n_dims == 3 && h < a->shape[0]; h++) n += head_is_chosen(t, h, (int)a->shape[0]);
    if (lens) return n * t->top * 4;
    for (int d = 1; d < a->n_dims; d++) n *= a->shape[d];
    return n;
}

/* All tensors called `what`.LAYER, as `key`: how many numbers they have, with `j` NULL, or written. */
static int64_t write_layers(json_writer *j, const exchange *x, const tracing *t, const char *what)
{
    const bool lens = strcmp(what, "lens") == 0;
    int64_t n = 0;
    for (int i = 0; i < t->result.n; i++) {
        const trine_traced *a = &t->result.items[i];
        const char *kind;
        int layer;
        if (!parse_name(a->name, what, &kind, &layer) || !is_chosen(t->layers, t->n_layers, layer)) continue;
        n += numbers_of(t, a, lens);
        if (!j) continue;
        jw_open(j, '{');
        jw_set_text(j, "kind", kind);
        jw_set_int(j, "layer", layer);
        if (a->n_dims == 3) write_heads(j, t, a, what);
        if (a->n_dims < 3) {
            jw_key(j, lens ? "positions" : "states");
            jw_open(j, '[');
            for (int64_t r = 0; r < a->shape[0]; r++) {
                const float *row = a->data + r * a->shape[1];
                if (lens)
                    write_top(j, x->on, row, (int)a->shape[1], t->top);
                else
                    write_row(j, row, a->shape[1]);
            }
            jw_close(j, ']');
        }
        jw_close(j, '}');
    }
    return n;
}

static int larger_first(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* Every logit of the last position, largest first, *n of them: from these alone a client has the softmax at any temperature, and what
 * top-k and top-p leave of it. NULL: none was asked for, or the model has no vocabulary to choose from. */
static float *spread_logits(int *n, exchange *x, const tracing *t)
{
    const trine_head head = x->on->info->head;
    *n = 0;
    for (int i = 0; i < t->result.n && t->spread; i++) {
        const trine_traced *a = &t->result.items[i];
        if (strcmp(a->name, "logits") != 0 || a->n_dims != 2 || head == TRINE_HEAD_NONE || head == TRINE_HEAD_TAGS) continue;
        const size_t n_bytes = (size_t)a->shape[1] * sizeof(float);
        float *all = keep_memory(x, n_bytes);
        if (!all) return NULL;
        memcpy(all, a->data + (a->shape[0] - 1) * a->shape[1], n_bytes);
        qsort(all, (size_t)a->shape[1], sizeof *all, larger_first);
        *n = (int)a->shape[1];
        return all;
    }
    return NULL;
}

static void write_logits(json_writer *j, const exchange *x, const tracing *t)
{
    const trine_head head = x->on->info->head;
    for (int i = 0; i < t->result.n; i++) {
        const trine_traced *a = &t->result.items[i];
        if (strcmp(a->name, "logits") != 0 || head == TRINE_HEAD_NONE) continue;
        if (a->n_dims == 1) {
            jw_key(j, "labels");
            write_top(j, x->on, a->data, (int)a->shape[0], (int)a->shape[0] < TRACE_TOP ? (int)a->shape[0] : TRACE_TOP);
            continue;
        }
        jw_key(j, head == TRINE_HEAD_TAGS ? "tags" : "logits");
        jw_open(j, '[');
        for (int64_t r = 0; r < a->shape[0]; r++) write_top(j, x->on, a->data + r * a->shape[1], (int)a->shape[1], t->top);
        jw_close(j, ']');
    }
}

static void write_ids(json_writer *j, const served *s, const int32_t *ids, int n)
{
    jw_open(j, '[');
    for (int i = 0; i < n; i++) {
        jw_open(j, '{');
        write_token(j, s->tokenizer, ids[i]);
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

/* Sections of the answer, and the tensors in each. */
enum { MOST_KINDS = 5 };
static const struct {
    const char *key, *what[MOST_KINDS];
} sections[] = {
    { "attention", { "attention", "cross" } },
    { "parts", { "query", "key", "value", "scores", "mixed" } },
    { "hidden", { "hidden" } },
    { "lens", { "lens" } },
};

static bool is_asked(const tracing *t, size_t section)
{
    const bool asked[] = { t->o.attention, t->o.parts, t->o.hidden, t->o.lens };
    return asked[section];
}

static void write_trace(exchange *x, const tracing *t)
{
    const trine_model_info *info = x->on->info;
    const bool pair = info->paradigm == TRINE_ENCODER_DECODER;
    const int32_t start = info->decoder_start >= 0 ? info->decoder_start : info->pad;
    int n_spread;
    const float *spread = spread_logits(&n_spread, x, t);
    if (x->failed) return;
    int64_t n = n_spread;
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        for (int k = 0; k < MOST_KINDS && sections[i].what[k] && is_asked(t, i); k++)
            n += write_layers(NULL, x, t, sections[i].what[k]);
    if (n > TRACE_NUMBERS) {
        fail_request(x, 400, "layers", "too_much",
                     "the answer would hold %lld numbers, and %d are given at a time: choose \"layers\" or \"heads\"", (long long)n,
                     (int)TRACE_NUMBERS);
        return;
    }
    json_writer writer = answer_begin(x), *j = &writer;
    jw_open(j, '{');
    jw_set_text(j, "model", x->on->name);
    jw_set_text(j, "family", info->family);
    jw_set_text(j, "paradigm", paradigm_name(info->paradigm));
    jw_set_text(j, "mask", t->mask_name);
    jw_set_int(j, "n_layers", pair ? info->n_decoder_layers : info->n_layers);
    jw_set_int(j, "n_heads", info->n_heads);
    jw_set_int(j, "d_model", info->d_model);
    jw_key(j, "tokens");
    if (t->encoding.n)
        write_encoding(j, x->on->tokenizer, &t->encoding);
    else
        write_ids(j, x->on, t->o.ids, t->o.n_ids);
    jw_key(j, "decoder_tokens");
    if (!pair)
        jw_null(j);
    else
        write_ids(j, x->on, t->o.n_decoder_ids ? t->o.decoder_ids : &start, t->o.n_decoder_ids ? t->o.n_decoder_ids : 1);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_asked(t, i)) continue;
        jw_key(j, sections[i].key);
        jw_open(j, '[');
        for (int k = 0; k < MOST_KINDS && sections[i].what[k]; k++) write_layers(j, x, t, sections[i].what[k]);
        jw_close(j, ']');
    }
    write_logits(j, x, t);
    if (spread) {
        jw_key(j, "spread");
        write_row(j, spread, n_spread);
    }
    jw_close(j, '}');
}

void answer_trace(exchange *x)
{
    tracing *t = keep_memory(x, sizeof *t);
    if (!t || !(x->on = get_model(x, TASK_TRACE))) return;
    const trine_model_info *info = x->on->info;
    t->n_layers = 1 + (info->n_decoder_layers > info->n_layers ? info->n_decoder_layers : info->n_layers);
    t->n_heads = info->n_heads;
    t->layers = read_choice(x, "layers", t->n_layers);
    t->heads = read_choice(x, "heads", t->n_heads);
    t->o.attention = get_bool(x, x->in, "attention", false);
    t->o.parts = get_bool(x, x->in, "parts", false);
    t->o.unscaled = get_bool(x, x->in, "unscaled", false);
    t->o.hidden = get_bool(x, x->in, "hidden", false);
    t->o.lens = get_bool(x, x->in, "lens", false);
    t->spread = get_bool(x, x->in, "spread", false);
    t->top = (int)get_int(x, x->in, "top", 1, TRACE_TOP, 5);
    read_mask(x, t);
    read_traced(x, t);
    if (!x->failed && !order_open(&x->order, x->engine, 1)) fail_no_memory(x);
    if (!x->failed) {
        job *j = x->order.jobs;
        j->kind = JOB_CALL;
        j->on = x->on;
        j->call = trace_alone;
        j->what = t;
        if (run_order(x, true)) write_trace(x, t);
    }
    order_close(&x->order); /* before what it works on goes */
    trine_trace_result_clear(&t->result);
    trine_encoding_clear(&t->encoding);
}
