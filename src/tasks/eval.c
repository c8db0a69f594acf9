/* eval.c - which measurement a task is, and what all have in common. */
#include "tasks/eval.h"

#include <limits.h>

#include "base/checksum.h"
#include "base/file.h"
#include "base/status.h"
#include "generate/clock.h"
#include "generate/sampler.h"

trine_status trine_eval_progress(const trine_eval_options *o, int64_t done, int64_t total, trine_error *err)
{
    if (!o->on_progress) return TRINE_OK;
    const int d = done < INT_MAX ? (int)done : INT_MAX, t = total < INT_MAX ? (int)total : INT_MAX;
    return o->on_progress(o->user, d, t) ? TRINE_OK : trine_fail(err, TRINE_ERROR_CANCELLED, "eval: stopped after %d", d);
}

trine_status trine_eval_together(const trine_eval_options *o, trine_status status, int64_t *counts, int n_counts, double *sums,
                                 int n_sums, trine_error *err)
{
    status = trine_ranks_agree(o->ranks, status, err);
    if (!status) status = trine_ranks_count(o->ranks, counts, n_counts, err);
    return status ? status : trine_ranks_sum(o->ranks, sums, n_sums, err);
}

trine_status trine_eval_needs_tokenizer(const trine_session *s, trine_error *err)
{
    if (s->model->tokenizer) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_NOT_FOUND, "eval: there is no tokenizer beside %s", s->model->info.path);
}

trine_status trine_eval_loss(double *out, const trine_session *s, const float *logits, int vocab, int32_t id, trine_error *err)
{
    const trine_status status = trine_log_sum_exp(out, &s->model->kernels, logits, vocab, err);
    if (!status) *out -= logits[id];
    return status;
}

/* Each rank measures some of the examples by a copy of its own of the model and the file: another copy would go into the sum unseen. */
static trine_status same_at_all(const trine_session *s, const char *path, const trine_eval_options *o, trine_error *err)
{
    if (trine_n_ranks(o->ranks) == 1) return TRINE_OK;
    trine_mapping file = { 0 };
    trine_status status = trine_ranks_agree(o->ranks, trine_mapping_open(&file, path, err), err);
    if (!status) status = trine_ranks_same(o->ranks, trine_model_checksum(s->model), s->model->info.path, err);
    if (!status) status = trine_ranks_same(o->ranks, trine_checksum(0, file.data, file.size), path, err);
    trine_mapping_close(&file);
    return status;
}

trine_status trine_eval(trine_eval_result *out, trine_session *s, trine_eval_task task, const char *path,
                        const trine_eval_options *options, trine_error *err)
{
    static const trine_eval_options defaults = { 0 };
    static trine_eval_fn *const tasks[] = {
        [TRINE_EVAL_LM] = trine_eval_lm,
        [TRINE_EVAL_MLM] = trine_eval_mlm,
        [TRINE_EVAL_CLASSIFY] = trine_eval_classify,
        [TRINE_EVAL_TAG] = trine_eval_tag,
        [TRINE_EVAL_TRANSLATE] = trine_eval_translate,
        [TRINE_EVAL_SUMMARIZE] = trine_eval_summarize,
    };
    const trine_eval_options *o = options ? options : &defaults;
    if (!out || !s || !path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "eval: no %s", !out ? "result" : !s ? "session" : "file");
    *out = (trine_eval_result) { 0 };
    if ((unsigned)task >= sizeof tasks / sizeof *tasks) return trine_fail(err, TRINE_ERROR_ARGUMENT, "eval: no task %d", (int)task);
    if (o->limit < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "eval: limit is %d, expected 0 or more", o->limit);
    const double start = trine_clock_ms();
    trine_eval_result result = { 0 };
    trine_status status = trine_eval_needs_tokenizer(s, err);
    status = trine_ranks_agree(o->ranks, status, err);
    if (!status) status = same_at_all(s, path, o, err);
    if (!status) status = tasks[task](&result, s, path, o, err);
    status = trine_ranks_agree(o->ranks, status, err);
    if (status) return status;
    result.seconds = (trine_clock_ms() - start) / 1000;
    *out = result;
    return TRINE_OK;
}
