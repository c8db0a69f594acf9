/* eval_command.c - trine eval: what a model is worth on a file. */
#include "json_writer.h"

static void show(run *r, trine_eval_task task, const trine_eval_result *e)
{
    score f[4];
    int n = eval_figures(f, task, e);
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
    if (!code) code = eval_task(r, &task);
    if (code) return code;
    if ((code = open_session(r, eval_session(r, task)))) return code;
    trine_error err = { 0 };
    trine_eval_result result = { 0 };
    const trine_eval_options options = eval_options(r);
    progress_begin(r, "measuring");
    trine_status status = trine_eval(&result, r->session, task, a->rest.items[0], &options, &err);
    progress_end(r);
    if (status) return fail_status(r, status, &err);
    show(r, task, &result);
    return EXIT_DONE;
}
