/* task_embed.c - a text as one vector (Reimers & Gurevych 2019): the states of its tokens pooled, then scaled to length 1. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "tasks/task_parts.h"

/* The rows of one text as one vector. Special tokens count, as they do in sentence-transformers. */
static void pool(double *out, const float *rows, int n, int d, trine_pooling pooling)
{
    const float *one = pooling == TRINE_POOL_LAST ? rows + (size_t)(n - 1) * d : rows;
    for (int j = 0; j < d; j++) out[j] = one[j];
    for (int i = 1; i < n && pooling == TRINE_POOL_MAX; i++)
        for (int j = 0; j < d; j++) out[j] = fmax(out[j], rows[(size_t)i * d + j]);
    for (int i = 1; i < n && pooling == TRINE_POOL_MEAN; i++)
        for (int j = 0; j < d; j++) out[j] += rows[(size_t)i * d + j];
    for (int j = 0; j < d && pooling == TRINE_POOL_MEAN; j++) out[j] /= n;
}

/* Sums of the parts' vectors, weighted by their tokens, and the sum of the weights. */
typedef struct sums {
    double *vectors; /* [n_texts, d], then one more row of room */
    double *weights; /* [n_texts] */
} sums;

static trine_status add_pass(sums *v, trine_session *s, const trine_task_parts *parts, int first, int n, int d,
                             trine_pooling pooling, trine_error *err)
{
    trine_mat states;
    const trine_status status = trine_task_parts_states(&states, s, parts, first, n, err);
    if (status) return status;
    double *one = v->weights - d; /* the row of room */
    for (int i = 0, row = 0; i < n; i++) {
        const trine_task_part *p = &parts->items[first + i];
        pool(one, states.data + (size_t)row * d, p->n, d, pooling);
        for (int j = 0; j < d; j++) v->vectors[(size_t)p->text * d + j] += one[j] * p->n_content;
        v->weights[p->text] += p->n_content;
        row += p->n;
    }
    return TRINE_OK;
}

static trine_status finish(float *out, const double *sum, double weight, int d, bool normalize, int index, trine_error *err)
{
    double square = 0;
    for (int j = 0; j < d; j++) square += (sum[j] / weight) * (sum[j] / weight);
    if (!isfinite(square)) return trine_fail(err, TRINE_ERROR_NUMERIC, "embed: the vector of text %d is not finite", index);
    const double scale = normalize ? 1 / fmax(sqrt(square), 1e-12) : 1;
    for (int j = 0; j < d; j++) out[j] = (float)(sum[j] / weight * scale);
    return TRINE_OK;
}

/* What is embedded: texts, or the ids of each; both NULL: the one of the options. */
typedef struct inputs {
    const char *const *texts;
    const int32_t *const *ids;
    const int *n_ids;
    int n;
} inputs;

static trine_status add_input(trine_task_parts *parts, const trine_session *s, const inputs *in, int i, const trine_task_options *o,
                              trine_error *err)
{
    trine_task_options own = *o;
    if (in->ids) {
        own.ids = in->ids[i];
        own.n_ids = in->n_ids[i];
    }
    return trine_task_parts_add(parts, s, "embed", in->texts ? in->texts[i] : NULL, i, &own, err);
}

static trine_status embed(float *out, trine_session *s, const inputs *in, const trine_task_options *o, trine_error *err)
{
    const trine_model_info *info = &s->model->info;
    const int d = info->d_embedding, n = in->n;
    trine_pooling pooling = o->pooling ? o->pooling : info->pooling;
    if (!pooling) pooling = info->paradigm == TRINE_DECODER ? TRINE_POOL_LAST : TRINE_POOL_MEAN;
    const bool normalize = info->normalize && !o->no_normalize;
    size_t cells;
    if ((unsigned)pooling > TRINE_POOL_LAST)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: there is no pooling %d", (int)pooling);
    if (d != info->d_model)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "embed: vectors of %d from states of %d", d, info->d_model);
    if (!trine_mul_size(&cells, (size_t)n + 1, (size_t)d) || !trine_add_size(&cells, cells, (size_t)n))
        return trine_fail(err, TRINE_ERROR_MEMORY, "embed: %d vectors are more than an address holds", n);
    trine_task_parts parts = { .limit = o->too_long == TRINE_LONG_ALLOW ? 0 : info->embed_tokens };
    sums v = { .vectors = calloc(cells, sizeof(double)) };
    trine_status status = v.vectors ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "embed: no memory for %d vectors", n);
    v.weights = v.vectors ? v.vectors + ((size_t)n + 1) * d : NULL;
    for (int i = 0; i < n && !status; i++) {
        status = add_input(&parts, s, in, i, o, err);
        if (status && n > 1) trine_fail_in(err, status, "text %d of %d", i + 1, n);
    }
    for (int first = 0, in_pass; first < parts.n && !status; first += in_pass) {
        in_pass = trine_task_parts_in_pass(&parts, first, s);
        status = add_pass(&v, s, &parts, first, in_pass, d, pooling, err);
    }
    for (int i = 0; i < n && !status; i++)
        status = finish(out + (size_t)i * d, v.vectors + (size_t)i * d, v.weights[i], d, normalize, i, err);
    trine_task_parts_clear(&parts);
    free(v.vectors);
    return status;
}

trine_status trine_embed(float *out, int out_cap, trine_session *s, const char *text, const trine_task_options *options,
                         trine_error *err)
{
    if (!s || !out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: no %s", s ? "room for the vector" : "session");
    if (out_cap < s->model->info.d_embedding)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: room for %d numbers, and the vector has %d", out_cap,
                          s->model->info.d_embedding);
    return embed(out, s, &(inputs) { .texts = &text, .n = 1 }, options ? options : &trine_task_defaults, err);
}

trine_status trine_embed_batch(float *out, trine_session *s, const char *const *texts, int n, const trine_task_options *options,
                               trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    const trine_status status = trine_task_check_batch(s, "embed", out, texts, n, o, err);
    return status || !n ? status : embed(out, s, &(inputs) { .texts = texts, .n = n }, o, err);
}

trine_status trine_embed_ids(float *out, trine_session *s, const int32_t *const *ids, const int *n_ids, int n,
                             const trine_task_options *options, trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    if (!s || n < 0 || (n && (!ids || !n_ids || !out)))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: no session, ids or room");
    if (o->types) return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: token types are for one text, not for a batch");
    for (int i = 0; i < n; i++)
        if (!ids[i]) return trine_fail(err, TRINE_ERROR_ARGUMENT, "embed: text %d of %d has no ids", i + 1, n);
    return n ? embed(out, s, &(inputs) { .ids = ids, .n_ids = n_ids, .n = n }, o, err) : TRINE_OK;
}
