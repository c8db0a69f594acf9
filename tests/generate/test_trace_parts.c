/* test_trace_parts.c - the parts of attention that a trace gives fit together as the formula says, in every family and under every
 * mask: scores are Q K^T scaled (and the bias T5 adds), their softmax where the mask lets them through is the traced weights, and
 * the weights times V are what attention gave. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/open_fixture.h"
#include "trine/measuring.h"

enum { N = 9, WINDOW = 3, PREFIX = 4 };
static const double tolerance = 2e-5;

static const trine_traced *find(const trine_trace_result *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (!strcmp(r->items[i].name, name)) return &r->items[i];
    return NULL;
}

static const trine_traced *part(const trine_trace_result *r, const char *before, const char *name, int layer)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s.%d", before, name, layer);
    const trine_traced *t = find(r, full);
    if (!t) fail_msg("there is no '%s'", full);
    return t;
}

static const float *row(const trine_traced *t, int64_t head, int64_t i) { return t->data + (head * t->shape[1] + i) * t->shape[2]; }

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static bool sees(trine_mask mask, bool causal, int64_t query, int64_t key)
{
    if (mask == TRINE_MASK_DEFAULT) mask = causal ? TRINE_MASK_CAUSAL : TRINE_MASK_BIDIRECTIONAL;
    switch (mask) {
    case TRINE_MASK_BIDIRECTIONAL: return true;
    case TRINE_MASK_PREFIX: return key <= query || key < PREFIX;
    case TRINE_MASK_WINDOW: return key <= query && key > query - WINDOW;
    default: return key <= query;
    }
}

/* scale 0: a bias stands beside Q K^T, and only softmax and V are held to the formula. */
static void check_layer(const trine_trace_result *r, const char *before, const char *weights, int layer, trine_mask mask,
                        bool causal, double scale)
{
    const bool cross = !strcmp(weights, "cross");
    char own[32];
    snprintf(own, sizeof own, "%s%s", before, cross ? "cross." : "");
    const trine_traced *w = part(r, before, weights, layer), *q = part(r, own, "query", layer), *k = part(r, own, "key", layer),
                       *v = part(r, own, "value", layer), *s = part(r, own, "scores", layer), *mixed = part(r, own, "mixed", layer);
    const int64_t heads = w->shape[0], n = w->shape[1], m = w->shape[2], group = heads / k->shape[0], d = q->shape[2];
    assert_true(s->shape[0] == heads && s->shape[1] == n && s->shape[2] == m && k->shape[1] == m && v->shape[1] == m);
    assert_true(q->shape[0] == heads && q->shape[1] == n && mixed->shape[2] == d && v->shape[2] == d);
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < n; i++) {
            double max = -INFINITY, sum = 0;
            for (int64_t j = 0; j < m; j++) {
                const double score = (double)row(s, h, i)[j];
                if (scale > 0) assert_true(fabs(score - scale * dot(row(q, h, i), row(k, h / group, j), d)) < tolerance * 10);
                if (cross || sees(mask, causal, i, j)) max = fmax(max, score);
            }
            for (int64_t j = 0; j < m; j++)
                if (cross || sees(mask, causal, i, j)) sum += exp((double)row(s, h, i)[j] - max);
            for (int64_t j = 0; j < m; j++) {
                const double want = cross || sees(mask, causal, i, j) ? exp((double)row(s, h, i)[j] - max) / sum : 0;
                if (fabs(want - (double)row(w, h, i)[j]) > tolerance)
                    fail_msg("%s%s.%d: head %d, query %d, key %d weighs %g, and the softmax of its scores says %g", before, weights,
                             layer, (int)h, (int)i, (int)j, (double)row(w, h, i)[j], want);
            }
            for (int64_t c = 0; c < d; c++) {
                double want = 0;
                for (int64_t j = 0; j < m; j++) want += (double)row(w, h, i)[j] * (double)row(v, h / group, j)[c];
                assert_true(fabs(want - (double)row(mixed, h, i)[c]) < tolerance * 10);
            }
        }
}

static const struct {
    const char *path;
    bool causal, biased;
} models[] = { { "models/bert-mlm", false, false },
               { "models/gpt2", true, false },
               { "models/llama3", true, false },
               { "models/t5-v1.1", true, true } };

static void test_formula(void **unused)
{
    (void)unused;
    for (size_t f = 0; f < sizeof models / sizeof *models; f++) {
        trine_model *m = open_model(models[f].path);
        const trine_model_info *info = trine_model_get_info(m);
        int32_t ids[N];
        make_ids(ids, N, m, 3);
        for (int mask = TRINE_MASK_DEFAULT; mask <= TRINE_MASK_WINDOW; mask++)
            for (int unscaled = 0; unscaled < 2; unscaled++) {
                trine_session *s = open_session(m, (trine_session_options) { .ctx = N,
                                                                             .batch_tokens = N,
                                                                             .logit_rows = N,
                                                                             .mask = (trine_mask)mask,
                                                                             .prefix = mask == TRINE_MASK_PREFIX ? PREFIX : 0,
                                                                             .window = mask == TRINE_MASK_WINDOW ? WINDOW : 0 });
                const bool two = info->paradigm == TRINE_ENCODER_DECODER;
                const trine_trace_options o = { .ids = ids,
                                                .n_ids = N,
                                                .decoder_ids = two ? ids : NULL,
                                                .n_decoder_ids = two ? N - 2 : 0,
                                                .attention = true,
                                                .parts = true,
                                                .unscaled = unscaled };
                const double scale = models[f].biased ? 0 : unscaled ? 1 : 1 / sqrt((double)info->d_head);
                trine_trace_result r;
                trine_error err;
                check_ok(trine_trace_keep(&r, s, &o, &err), &err);
                for (int layer = 0; layer < info->n_layers; layer++)
                    check_layer(&r, two ? "encoder." : "", "attention", layer, (trine_mask)mask, models[f].causal && !two, scale);
                for (int layer = 0; two && layer < info->n_decoder_layers; layer++) {
                    check_layer(&r, "", "attention", layer, (trine_mask)mask, true, scale);
                    check_layer(&r, "", "cross", layer, (trine_mask)mask, false, 1);
                }
                trine_trace_result_clear(&r);
                trine_session_close(s);
            }
        trine_model_close(m);
    }
}

static void test_refusals(void **unused)
{
    (void)unused;
    trine_model *m = open_model("models/gpt2");
    trine_session *s;
    trine_error err;
    assert_int_equal(trine_session_open(&s, m, &(trine_session_options) { .ctx = 8, .mask = TRINE_MASK_WINDOW }, &err),
                     TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "window"));
    trine_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_formula), cmocka_unit_test(test_refusals) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
