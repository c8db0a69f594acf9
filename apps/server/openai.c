/* openai.c - GET /v1/models and POST /v1/embeddings. */
#include <stdlib.h>
#include <string.h>

#include "model_words.h"
#include "routes.h"

enum { MAX_INPUTS = 2048 };

/* --------------------------------------------------------------------------------------------------------------- models */

static void write_tasks(json_writer *j, unsigned tasks)
{
    static const struct {
        task bit;
        const char *name;
    } names[] = { { TASK_CHAT, "chat" },
                  { TASK_WRITE, "text-generation" },
                  { TASK_EMBED, "feature-extraction" },
                  { TASK_FILL, "fill-mask" },
                  { TASK_CLASSIFY, "text-classification" },
                  { TASK_TAG, "token-classification" },
                  { TASK_TRANSLATE, "translation" },
                  { TASK_SUMMARIZE, "summarization" } };
    jw_key(j, "tasks");
    jw_open(j, '[');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tasks & names[i].bit) jw_text(j, names[i].name);
    jw_close(j, ']');
}

/* OpenAI's four members, and what the model is. */
static void write_model(json_writer *j, const served *s)
{
    const trine_model_info *info = s->info;
    const int32_t mask = s->tokenizer ? trine_tokenizer_special(s->tokenizer, TRINE_TOKEN_MASK) : -1;
    jw_open(j, '{');
    jw_set_text(j, "id", s->name);
    jw_set_text(j, "object", "model");
    jw_set_int(j, "created", (int64_t)s->opened);
    jw_set_text(j, "owned_by", "trine");
    jw_set_text(j, "family", info->family);
    jw_set_text(j, "paradigm", paradigm_name(info->paradigm));
    write_tasks(j, s->tasks);
    jw_set_int(j, "parameters", info->n_parameters);
    jw_set_int(j, "layers", info->n_layers);
    jw_set_int(j, "decoder_layers", info->n_decoder_layers);
    jw_set_int(j, "heads", info->n_heads);
    jw_set_int(j, "kv_heads", info->n_kv_heads);
    jw_set_int(j, "d_head", info->d_head);
    jw_set_int(j, "d_model", info->d_model);
    jw_set_int(j, "d_ff", info->d_ff);
    jw_set_int(j, "vocab", info->vocab);
    jw_set_int(j, "context", s->memory.ctx);
    jw_set_text(j, "weights_type", trine_dtype_name(info->weights_type));
    jw_set_int(j, "weights_bytes", (int64_t)s->memory.weights_bytes);
    jw_set_int(j, "cache_bytes", (int64_t)s->memory.cache_bytes);
    jw_key(j, "labels");
    if (info->n_labels) {
        jw_open(j, '[');
        for (int i = 0; i < info->n_labels; i++) jw_text(j, trine_model_label(s->model, i));
        jw_close(j, ']');
    } else {
        jw_null(j);
    }
    jw_set_text(j, "mask_token", mask >= 0 ? trine_tokenizer_token(s->tokenizer, mask) : NULL);
    jw_set_bool(j, "chat_template", s->tokenizer && trine_tokenizer_chat_template(s->tokenizer));
    jw_close(j, '}');
}

void answer_models(exchange *x)
{
    int n;
    const served *models = engine_models(x->engine, &n);
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "object", "list");
    jw_key(&j, "data");
    jw_open(&j, '[');
    for (int i = 0; i < n; i++) write_model(&j, &models[i]);
    jw_close(&j, ']');
    jw_close(&j, '}');
}

void answer_model(exchange *x)
{
    const served *s = find_model(x, x->rest, ~0u);
    if (!s) return;
    json_writer j = answer_begin(x);
    write_model(&j, s);
}

/* ----------------------------------------------------------------------------------------------------------- embeddings */

/* Tokens of a text that a vector is made of, at most. */
static int longest_text(const served *s)
{
    const int model = s->info->embed_tokens ? s->info->embed_tokens : s->info->max_tokens;
    return model && model < s->memory.ctx ? model : s->memory.ctx;
}

static void fail_long(exchange *x, const char *param, size_t at, int n)
{
    fail_request(x, 400, param, "context_length_exceeded", "'%s': text %zu has %d tokens, and the model '%s' takes %d", param, at,
                 n, x->on->name, longest_text(x->on));
}

/* Tokens in place of a text: as long as a text may be, and cut where a text is. */
static int32_t *read_ids(exchange *x, const json_t *array, size_t at, const char *param, bool truncate, int *n)
{
    const int longest = longest_text(x->on);
    int32_t *ids = get_ids(x, array, param, n);
    if (!ids || *n <= longest) return ids;
    if (!truncate) {
        fail_long(x, param, at, *n);
        return NULL;
    }
    *n = longest;
    return ids;
}

static int32_t *read_text(exchange *x, const char *text, size_t at, const char *param, bool truncate, int *n)
{
    const served *s = x->on;
    const int longest = longest_text(s);
    trine_encoding e;
    trine_error err = { 0 };
    int32_t *ids = NULL;
    if (!s->tokenizer || !*text) {
        fail_request(x, 400, param, s->tokenizer ? "empty" : NULL,
                     s->tokenizer ? "'%s': text %zu is empty" : "'%s': text %zu: the model has no tokenizer, give tokens", param,
                     at);
        return NULL;
    }
    const trine_encode_options options = { .max_tokens = truncate ? longest : 0 };
    const trine_status status = trine_tokenizer_encode(&e, s->tokenizer, text, 0, &options, &err);
    if (status) {
        fail_job(x, status, &err);
        return NULL;
    }
    int n_special = 0;
    for (int i = 0; i < e.n; i++) n_special += e.special[i];
    if (n_special == e.n)
        fail_request(x, 400, param, "empty", "'%s': text %zu is empty: it has no tokens", param, at);
    else if (e.n > longest)
        fail_long(x, param, at, e.n);
    else
        ids = keep_memory(x, ((size_t)e.n + 1) * sizeof *ids);
    if (ids) memcpy(ids, e.ids, (size_t)e.n * sizeof *ids);
    *n = e.n;
    trine_encoding_clear(&e);
    return ids;
}

bool read_inputs(exchange *x, job *j, const json_t *input, const char *param, bool truncate)
{
    const json_t *first = json_array_get(input, 0);
    const bool several = json_is_string(first) || json_is_array(first);
    const size_t n = several ? json_array_size(input) : 1;
    if (!input || (!json_is_string(input) && !first) || n > MAX_INPUTS) {
        fail_request(x, 400, param, NULL, "'%s' must be a text, up to %d texts, tokens, or lists of tokens", param,
                     (int)MAX_INPUTS);
        return false;
    }
    int32_t **ids = keep_memory(x, n * sizeof *ids);
    int *n_ids = keep_memory(x, n * sizeof *n_ids);
    for (size_t i = 0; i < n && !x->failed; i++) {
        const json_t *one = several ? json_array_get(input, i) : input;
        if (json_is_string(one))
            ids[i] = read_text(x, json_string_value(one), i, param, truncate, &n_ids[i]);
        else if (json_is_array(one))
            ids[i] = read_ids(x, one, i, param, truncate, &n_ids[i]);
        else
            fail_request(x, 400, param, NULL, "'%s': text %zu is neither a text nor tokens", param, i);
    }
    j->kind = JOB_EMBED;
    j->on = x->on;
    j->ids = ids;
    j->n_ids = n_ids;
    j->n = (int)n;
    if (!x->failed && !(j->results.vectors = calloc(n, (size_t)x->on->info->d_embedding * sizeof(float)))) fail_no_memory(x);
    return !x->failed;
}

static void write_base64(json_writer *j, const float *v, int n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t n_bytes = (size_t)n * sizeof *v;
    const unsigned char *p = (const unsigned char *)v; /* floats as they lie: little-endian, as clients expect */
    char *out = malloc((n_bytes + 2) / 3 * 4 + 1);
    size_t at = 0;
    for (size_t i = 0; i < n_bytes && out; i += 3) {
        const unsigned three =
            (unsigned)p[i] << 16 | (i + 1 < n_bytes ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n_bytes ? p[i + 2] : 0u);
        out[at++] = letters[three >> 18];
        out[at++] = letters[three >> 12 & 63];
        out[at++] = i + 1 < n_bytes ? letters[three >> 6 & 63] : '=';
        out[at++] = i + 2 < n_bytes ? letters[three & 63] : '=';
    }
    if (!out) ((bytes *)j->to)->failed = true;
    jw_text_n(j, out ? out : "", at);
    free(out);
}

void answer_embeddings(exchange *x)
{
    if (!(x->on = get_model(x, TASK_EMBED))) return;
    const char *format = get_text(x, x->in, "encoding_format", "float");
    const bool base64 = strcmp(format, "base64") == 0;
    const int d = x->on->info->d_embedding;
    if (!base64 && strcmp(format, "float") != 0)
        fail_request(x, 400, "encoding_format", NULL, "'encoding_format' must be float or base64");
    if (get_int(x, x->in, "dimensions", 1, 1 << 24, d) != d)
        fail_request(x, 400, "dimensions", "unsupported", "'dimensions': vectors of '%s' have %d numbers, and are not cut",
                     x->on->name, d);
    if (x->failed) return;
    if (!order_open(&x->order, x->engine, 1)) {
        fail_no_memory(x);
        return;
    }
    job *all = x->order.jobs;
    if (!read_inputs(x, all, get(x->in, "input"), "input", false) || !run_order(x, true)) return;
    int64_t n_tokens = 0;
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "object", "list");
    jw_key(&j, "data");
    jw_open(&j, '[');
    for (int i = 0; i < all->n; i++) {
        const float *v = all->results.vectors + (size_t)i * (size_t)d;
        n_tokens += all->n_ids[i];
        jw_open(&j, '{');
        jw_set_text(&j, "object", "embedding");
        jw_set_int(&j, "index", i);
        jw_key(&j, "embedding");
        if (base64) {
            write_base64(&j, v, d);
        } else {
            jw_open(&j, '[');
            for (int k = 0; k < d; k++) jw_float(&j, v[k]);
            jw_close(&j, ']');
        }
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    jw_set_text(&j, "model", x->on->name);
    jw_key(&j, "usage");
    jw_open(&j, '{');
    jw_set_int(&j, "prompt_tokens", n_tokens);
    jw_set_int(&j, "total_tokens", n_tokens);
    jw_close(&j, '}');
    jw_close(&j, '}');
}
