/* compare.c - how far one model's distributions are from another's, on the same tokens of a file: what quantising changed, told more
 * finely than by any score, for it needs no luck with the right answers. KL(P || Q) = sum of P ln(P / Q) over the vocabulary, P the
 * first model's (Kullback & Leibler 1951); 0 when both say the same. */
#include <math.h>

#include "base/status.h"
#include "generate/clock.h"
#include "generate/sampler.h"
#include "tasks/eval.h"

static int likeliest(const float *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

trine_status trine_beside_add(trine_beside *b, const float *first, const float *logits, int vocab, int32_t gold, trine_error *err)
{
    const trine_kernels *kernels = b->s ? &b->s->model->kernels : NULL;
    double p_sum, q_sum, kl = 0;
    trine_status status = trine_log_sum_exp(&p_sum, kernels, first, vocab, err);
    if (!status) status = trine_log_sum_exp(&q_sum, kernels, logits, vocab, err);
    if (status) return status;
    for (int i = 0; i < vocab; i++) {
        const double p = (double)first[i] - p_sum;
        if (p > -50) kl += exp(p) * (p - ((double)logits[i] - q_sum)); /* e^-50 is nothing, and may be 0 times infinity */
    }
    const int best = likeliest(logits, vocab);
    b->kl += kl > 0 ? kl : 0; /* never negative but by rounding */
    b->loss += q_sum - (double)logits[gold];
    b->right += best == gold;
    b->same += best == likeliest(first, vocab);
    b->n++;
    return TRINE_OK;
}

static trine_status check(const trine_session *a, const trine_session *b, trine_eval_task task, trine_error *err)
{
    const trine_model_info *x = &a->model->info, *y = &b->model->info;
    if ((unsigned)task > TRINE_EVAL_SUMMARIZE) return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: no task %d", (int)task);
    if (task == TRINE_EVAL_CLASSIFY || task == TRINE_EVAL_TAG)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: models are compared on lm, mlm, translate or summarize");
    if (x->paradigm != y->paradigm || x->head != y->head || x->vocab != y->vocab)
        return trine_fail(
            err, TRINE_ERROR_ARGUMENT,
            "compare: %s (%s, %d tokens) and %s (%s, %d tokens) are not the same model: their tokens mean different things",
            x->path, x->family, x->vocab, y->path, y->family, y->vocab);
    return TRINE_OK;
}

/* The figures of `beside` as those of an eval. */
static void set_scores(trine_eval_result *out, const trine_eval_result *first, const trine_beside *b)
{
    const double n = (double)b->n;
    out->loss = b->loss / n;
    out->perplexity = first->perplexity > 0 ? exp(out->loss) : 0;
    out->bits_per_byte = first->loss > 0 ? first->bits_per_byte * out->loss / first->loss : 0;
    out->accuracy = first->perplexity > 0 ? 0 : (double)b->right / n;
    out->n_tokens = b->n;
    out->n_examples = first->n_examples;
}

trine_status trine_compare(trine_compare_result *out, trine_session *original, trine_session *other, trine_eval_task task,
                           const char *path, const trine_eval_options *options, trine_error *err)
{
    static const trine_eval_options defaults = { 0 };
    trine_eval_options alone = options ? *options : defaults;
    const trine_eval_options *const o = &alone;
    alone.ranks = NULL;
    trine_compare_result r = { 0 };
    if (!out || !original || !other || !path)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: no %s", !out ? "result" : !path ? "file" : "session");
    *out = r;
    const double start = trine_clock_ms();
    trine_beside b = { .s = other };
    trine_status status = check(original, other, task, err);
    if (!status && o->limit < 0)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: limit is %d, expected 0 or more", o->limit);
    if (!status) status = trine_eval_needs_tokenizer(original, err);
    if (status) return status;
    if (task == TRINE_EVAL_LM) {
        status = trine_eval_lm_beside(&r.original, original, &b, path, o, err);
    } else if (task == TRINE_EVAL_MLM) {
        status = trine_eval_mlm_beside(&r.original, original, &b, path, o, err);
    } else {
        status = trine_eval_references_beside(&r.original, original, task, &b, path, o, err);
    }
    if (status) return status;
    set_scores(&r.other, &r.original, &b);
    if (task == TRINE_EVAL_TRANSLATE || task == TRINE_EVAL_SUMMARIZE) { /* and what each writes by itself */
        trine_eval_result x, y;
        status = trine_eval(&x, original, task, path, o, err);
        if (!status) status = trine_eval(&y, other, task, path, o, err);
        if (status) return status;
        x.loss = r.original.loss;
        y.loss = r.other.loss;
        r.original = x;
        r.other = y;
    }
    r.kl = b.kl / (double)b.n;
    r.same_top = (double)b.same / (double)b.n;
    r.n_tokens = b.n;
    r.seconds = (trine_clock_ms() - start) / 1000;
    *out = r;
    return TRINE_OK;
}
