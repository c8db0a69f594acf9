/* measuring.c - what the commands that measure a model on a file share: the task, its options, its figures. */
#include "model_words.h"
#include "run.h"

static int choose_task(run *r, trine_eval_task *task)
{
    if (GIVEN(&r->args, task)) {
        *task = (trine_eval_task)r->args.task;
        return 0;
    }
    switch (r->info->head) {
    case TRINE_HEAD_MLM: *task = TRINE_EVAL_MLM; return 0;
    case TRINE_HEAD_LABELS: *task = TRINE_EVAL_CLASSIFY; return 0;
    case TRINE_HEAD_TAGS: *task = TRINE_EVAL_TAG; return 0;
    default: break;
    }
    if (r->info->head == TRINE_HEAD_NONE)
        return fail(r, EXIT_DATA, "%s: is a %s %s without a head; %s needs a head", r->args.model, r->info->family,
                    paradigm_name(r->info->paradigm), r->command->id == CMD_QUANTIZE ? "--measure" : r->command->name);
    if (r->args.from || r->args.to) {
        *task = TRINE_EVAL_TRANSLATE;
        return 0;
    }
    if (r->info->paradigm == TRINE_DECODER) {
        *task = TRINE_EVAL_LM;
        return 0;
    }
    return fail_usage(r, "no task: expected --task translate (or --to) or --task summarize for this encoder-decoder");
}

static bool task_suits(const trine_model_info *m, trine_eval_task task)
{
    switch (task) {
    case TRINE_EVAL_LM: return m->paradigm == TRINE_DECODER && m->head == TRINE_HEAD_LM;
    case TRINE_EVAL_MLM: return m->head == TRINE_HEAD_MLM;
    case TRINE_EVAL_CLASSIFY: return m->head == TRINE_HEAD_LABELS;
    case TRINE_EVAL_TAG: return m->head == TRINE_HEAD_TAGS;
    case TRINE_EVAL_TRANSLATE:
    case TRINE_EVAL_SUMMARIZE: return m->head == TRINE_HEAD_LM;
    }
    return false;
}

int eval_task(run *r, trine_eval_task *task)
{
    const int code = choose_task(r, task);
    if (code || task_suits(r->info, *task)) return code;
    char name[32];
    choice_name(name, sizeof name, "lm|mlm|classify|tag|translate|summarize", (int)*task);
    return fail(r, EXIT_DATA, "%s: --task %s does not suit this model: a %s %s with head %s", r->args.model, name, r->info->family,
                paradigm_name(r->info->paradigm), head_name(r->info->head));
}

int eval_figures(score f[4], trine_eval_task task, const trine_eval_result *e)
{
    switch (task) {
    case TRINE_EVAL_LM:
        f[0] = (score) { "perplexity", e->perplexity, 4 };
        f[1] = (score) { "bits_per_byte", e->bits_per_byte, 4 };
        return 2;
    case TRINE_EVAL_MLM:
        f[0] = (score) { "accuracy", e->accuracy, 4 };
        f[1] = (score) { "loss", e->loss, 4 };
        return 2;
    case TRINE_EVAL_CLASSIFY:
        f[0] = (score) { "accuracy", e->accuracy, 4 };
        f[1] = (score) { "f1", e->f1, 4 };
        return 2;
    case TRINE_EVAL_TAG:
        f[0] = (score) { "precision", e->precision, 4 };
        f[1] = (score) { "recall", e->recall, 4 };
        f[2] = (score) { "f1", e->f1, 4 };
        return 3;
    case TRINE_EVAL_TRANSLATE:
        f[0] = (score) { "bleu", e->bleu, 2 };
        f[1] = (score) { "chrf", e->chrf, 2 };
        return 2;
    case TRINE_EVAL_SUMMARIZE:
        f[0] = (score) { "rouge1", e->rouge1, 4 };
        f[1] = (score) { "rouge2", e->rouge2, 4 };
        f[2] = (score) { "rougeL", e->rougeL, 4 };
        return 3;
    }
    return 0;
}

trine_session_options eval_session(const run *r, trine_eval_task task)
{
    /* Perplexity asks for the logits of every token: one row a pass would compute the text a token at a time. */
    return (trine_session_options) { .n_sequences = r->args.beam, .logit_rows = task == TRINE_EVAL_LM ? 256 : 0 };
}

trine_eval_options eval_options(run *r)
{
    const arguments *a = &r->args;
    return (trine_eval_options) {
        .stride = a->stride,
        .split = a->split,
        .text_column = a->text_column,
        .label_column = a->label_column,
        .pair_column = a->pair_column,
        .prefix = a->prefix,
        .from = source_language(r),
        .to = a->to,
        .reverse = a->reverse,
        .limit = a->limit,
        .ranks = r->ranks,
        .seed = a->seed,
        .too_long = a->truncate ? TRINE_LONG_TRUNCATE
                    : a->chunk  ? TRINE_LONG_CHUNK
                                : TRINE_LONG_REFUSE,
        .generate = generate_options(r, true),
        .on_progress = progress_step,
        .user = r,
    };
}
