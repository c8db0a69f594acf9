/* eval_command.c - trine eval: what a model is worth on a file. */
#include "json_writer.h"

static int default_task(run *r, trine_eval_task *task)
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
    if (r->info->paradigm == TRINE_DECODER) {
        *task = TRINE_EVAL_LM;
        return 0;
    }
    return fail_usage(r, "no task: expected --task translate or --task summarize for this encoder-decoder");
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

/* The figures of a task, in the order they are shown. */
typedef struct figure {
    const char *name;
    double value;
    int decimals;
} figure;

static int figures_of(figure f[4], trine_eval_task task, const trine_eval_result *e)
{
    switch (task) {
    case TRINE_EVAL_LM:
        f[0] = (figure) { "perplexity", e->perplexity, 4 };
        f[1] = (figure) { "bits_per_byte", e->bits_per_byte, 4 };
        return 2;
    case TRINE_EVAL_MLM:
        f[0] = (figure) { "accuracy", e->accuracy, 4 };
        f[1] = (figure) { "loss", e->loss, 4 };
        return 2;
    case TRINE_EVAL_CLASSIFY:
        f[0] = (figure) { "accuracy", e->accuracy, 4 };
        f[1] = (figure) { "f1", e->f1, 4 };
        return 2;
    case TRINE_EVAL_TAG:
        f[0] = (figure) { "precision", e->precision, 4 };
        f[1] = (figure) { "recall", e->recall, 4 };
        f[2] = (figure) { "f1", e->f1, 4 };
        return 3;
    case TRINE_EVAL_TRANSLATE:
        f[0] = (figure) { "bleu", e->bleu, 2 };
        f[1] = (figure) { "chrf", e->chrf, 2 };
        return 2;
    case TRINE_EVAL_SUMMARIZE:
        f[0] = (figure) { "rouge1", e->rouge1, 4 };
        f[1] = (figure) { "rouge2", e->rouge2, 4 };
        f[2] = (figure) { "rougeL", e->rougeL, 4 };
        return 3;
    }
    return 0;
}

static void show(run *r, trine_eval_task task, const trine_eval_result *e)
{
    figure f[4];
    int n = figures_of(f, task, e);
    bool tokens = task == TRINE_EVAL_LM || task == TRINE_EVAL_MLM;
    if (r->args.json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        for (int i = 0; i < n; i++) jw_set_real(&j, f[i].name, f[i].value);
        if (tokens) jw_set_int(&j, "tokens", e->n_tokens);
        jw_set_int(&j, "examples", e->n_examples);
        jw_set_real(&j, "seconds", e->seconds);
        jw_close(&j, '}');
        jw_end(&j);
        return;
    }
    for (int i = 0; i < n; i++) {
        print_style(r, STYLE_BOLD);
        print(r, "%-14s %12.*f\n", f[i].name, f[i].decimals, f[i].value);
        print_style(r, STYLE_NONE);
    }
    if (tokens) print(r, "%-14s %12lld\n", "tokens", (long long)e->n_tokens);
    print(r, "%-14s %12lld\n%-14s %12.1f\n", "examples", (long long)e->n_examples, "seconds", e->seconds);
}

int eval_main(run *r)
{
    const arguments *a = &r->args;
    trine_eval_task task = TRINE_EVAL_LM;
    int code = open_model(r);
    if (!code) code = default_task(r, &task);
    if (code) return code;
    if (!task_suits(r->info, task)) {
        char name[32];
        choice_name(name, sizeof name, "lm|mlm|classify|tag|translate|summarize", (int)task);
        return fail(r, EXIT_DATA, "%s: --task %s does not suit this model: a %s %s with head %s", a->model, name, r->info->family,
                    paradigm_name(r->info->paradigm), head_name(r->info->head));
    }
    /* Perplexity asks for the logits of every token: one row a pass would compute the text a token at a time. */
    trine_session_options session = { .n_sequences = a->beam, .logit_rows = task == TRINE_EVAL_LM ? 256 : 0 };
    if ((code = open_session(r, session))) return code;
    trine_error err = { 0 };
    trine_eval_result result = { 0 };
    trine_eval_options options = {
        .stride = a->stride,
        .text_column = a->text_column,
        .label_column = a->label_column,
        .pair_column = a->pair_column,
        .prefix = a->prefix,
        .from = source_language(r),
        .to = a->to,
        .reverse = a->reverse,
        .limit = a->limit,
        .seed = a->seed,
        .too_long = a->truncate ? TRINE_LONG_TRUNCATE
                    : a->chunk  ? TRINE_LONG_CHUNK
                                : TRINE_LONG_REFUSE,
        .generate = generate_options(r, true),
        .on_progress = progress_step,
        .user = r,
    };
    progress_begin(r, "measuring");
    trine_status status = trine_eval(&result, r->session, task, a->rest.items[0], &options, &err);
    progress_end(r);
    if (status) return fail_status(r, status, &err);
    show(r, task, &result);
    return EXIT_DONE;
}
