/* model_size.c - see model_size.h. */
#include "compare/model_size.h"

#include <math.h>

#include "base/status.h"
#include "compare/paradigm_words.h"
#include "train/new_config.h"
#include "train/params.h"

enum { WIDTH_STEP = 8, FF_STEP = 4, HEADS = 4 }; /* widths are multiples of WIDTH_STEP, feed-forwards of FF_STEP */

trine_status trine_size_config(json_t **out, const trine_size *s, int bos, int eos, int pad, trine_error *err)
{
    const trine_config_ids ids = { s->vocab, bos, eos, pad };
    const trine_new_model model = { .arch = trine_words_of(s->paradigm)->architecture,
                                    .n_layers = s->n_layers,
                                    .d_model = s->d_model,
                                    .n_heads = s->n_heads,
                                    .d_ff = s->d_ff };
    const trine_status status = trine_new_config_for(out, &model, &ids, s->max_tokens, 0, err);
    /* The customary 0.02 is of widths around 1,000; narrow models begin faster with sqrt(2 / 5d) (Nguyen & Salazar 2019). T5's own
     * factors follow the width. */
    if (status || s->paradigm == TRINE_ENCODER_DECODER) return status;
    if (!json_object_set_new(*out, "initializer_range", json_real(sqrt(0.4 / s->d_model)))) return TRINE_OK;
    json_decref(*out);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for a configuration");
}

static trine_status count(trine_size *s, trine_error *err)
{
    json_t *config;
    trine_status status = trine_size_config(&config, s, -1, 1, 0, err);
    if (!status) status = trine_params_count(&s->n_parameters, config, err);
    json_decref(config);
    return status;
}

/* Layers of a decoder of so many parameters: as GPT-2 and the models of Kaplan et al. are drawn out, an aspect of some 25 to 50 at this
 * scale. Even, so that an encoder-decoder has half of them on each side. */
static int layers_of(int64_t n) { return n < 400000 ? 2 : n < 4000000 ? 4 : n < 20000000 ? 6 : 8; }

trine_status trine_size_fit(trine_size *s, int64_t n, trine_error *err)
{
    const int most = 8 * s->d_model;
    int64_t none;
    s->d_ff = FF_STEP;
    trine_status status = count(s, err);
    none = s->n_parameters;
    s->d_ff = 2 * FF_STEP;
    if (!status) status = count(s, err);
    if (status) return status;
    const int64_t step = s->n_parameters - none; /* linear in d_ff */
    int64_t steps = 1 + (n - none + step / 2) / step;
    if (n < none) steps = 1;
    if (steps * FF_STEP > most) steps = most / FF_STEP;
    s->d_ff = (int)steps * FF_STEP;
    return count(s, err);
}

trine_status trine_size_near(trine_size *out, trine_paradigm paradigm, int64_t n, int vocab, int max_tokens, trine_error *err)
{
    return trine_size_of_layers(out, paradigm, n, 0, vocab, max_tokens, err);
}

trine_status trine_size_of_layers(trine_size *out, trine_paradigm paradigm, int64_t n, int n_layers, int vocab, int max_tokens,
                                  trine_error *err)
{
    const int layers = n_layers ? n_layers : layers_of(n);
    trine_size best = { 0 };
    double best_off = 1e300;
    trine_status status = TRINE_OK;
    /* The width whose feed-forward comes nearest to the usual share, among those that meet the number. */
    for (int width = 2 * WIDTH_STEP; width <= 4096 && !status; width += WIDTH_STEP) {
        trine_size s = { .paradigm = paradigm,
                         .n_layers = paradigm == TRINE_ENCODER_DECODER ? (layers + 1) / 2 : layers,
                         .d_model = width,
                         .n_heads = HEADS,
                         .vocab = vocab,
                         .max_tokens = max_tokens };
        while (width % (2 * s.n_heads) || width / s.n_heads < 8) s.n_heads /= 2; /* rotary positions turn pairs */
        if ((status = trine_size_fit(&s, n, err))) break;
        const double usual = paradigm == TRINE_DECODER ? 8.0 / 3 : 4, ratio = (double)s.d_ff / (usual * width);
        const double miss = (double)(s.n_parameters > n ? s.n_parameters - n : n - s.n_parameters) / (double)n;
        const double off = (ratio > 1 ? ratio : 1 / ratio) + (miss > 0.01 ? 1000 * miss : 0);
        if (off < best_off) {
            best_off = off;
            best = s;
        }
        if (s.d_ff == FF_STEP && s.n_parameters > n) break;
    }
    if (status) return status;
    if (best_off > 100)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "compare: no %s of %lld parameters can be made over %d tokens: the nearest has %lld",
                          trine_words_of(paradigm)->architecture, (long long)n, vocab, (long long)best.n_parameters);
    best.n_embedding = (int64_t)vocab * best.d_model + (paradigm == TRINE_ENCODER ? ((int64_t)max_tokens + 2) * best.d_model : 0);
    *out = best;
    return TRINE_OK;
}

double trine_size_flops(const trine_size *s, const trine_work *w)
{
    const double d = s->d_model, ff = s->d_ff, layers = s->n_layers;
    const double mlp = (s->paradigm == TRINE_DECODER ? 3 : 2) * d * ff, head = d * s->vocab;
    double f = 2 * w->rows * layers * (4 * d * d + mlp) + 4 * w->pairs * d * layers; /* scores, and values times weights */
    if (s->paradigm == TRINE_ENCODER_DECODER) {
        f += 2 * w->targets * layers * (6 * d * d + mlp) + 2 * w->rows * layers * 2 * d * d; /* the source's keys and values */
        f += 4 * (w->target_pairs + w->crosses) * d * layers;
    }
    if (s->paradigm == TRINE_ENCODER) f += 2 * w->outs * d * d; /* its head has a layer of its own */
    return f + 2 * w->outs * head;
}
