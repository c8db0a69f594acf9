/* train_command.c - trine train and trine finetune: the options as the library takes them, and how it goes as it goes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_writer.h"

/* ----------------------------------------------------------------------------------------------------------- mixtures */

/* The sources of --mix, or the one of --data and the arguments. */
typedef struct sources {
    trine_train_part *parts;
    int n;
    const char **paths; /* of the one */
    json_t *recipe;     /* owns the texts of a mixture */
    char *chat_template;
} sources;

static void clear_sources(sources *s)
{
    for (int i = 0; i < s->n && s->recipe; i++) free((void *)(uintptr_t)s->parts[i].paths);
    free(s->parts);
    free(s->paths);
    free(s->chat_template);
    json_decref(s->recipe);
    *s = (sources) { 0 };
}

static bool objective_called(trine_objective *out, const char *name)
{
    char word[32];
    for (int i = 0; choice_name(word, sizeof word, "masked|causal|prefix|span|seq2seq", i); i++)
        if (!strcmp(word, name)) {
            *out = (trine_objective)(i + 1);
            return true;
        }
    return false;
}

/* One entry of the list; its paths are new memory. */
static int read_source(run *r, trine_train_part *p, const json_t *entry, size_t index)
{
    static const char *const keys[] = { "data", "objective", "weight", "prefix", "text", "source", "target" };
    const char *key, *objective = json_string_value(json_object_get(entry, "objective")), *mix = r->args.mix;
    json_t *value;
    const json_t *data = json_object_get(entry, "data");
    if (!json_is_object(entry)) return fail(r, EXIT_DATA, "%s: source %zu is no object", mix, index + 1);
    json_object_foreach((json_t *)(uintptr_t)entry, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) known |= !strcmp(keys[i], key);
        if (!known) return fail(r, EXIT_DATA, "%s: source %zu has \"%s\", which is unknown", mix, index + 1, key);
    }
    const size_t n = json_is_array(data) ? json_array_size(data) : json_is_string(data);
    if (!n) return fail(r, EXIT_DATA, "%s: source %zu has no \"data\": expected a path or a list of paths", mix, index + 1);
    const char **paths = calloc(n, sizeof *paths);
    if (!paths) return fail_memory(r);
    p->paths = paths;
    p->n_paths = (int)n;
    for (size_t i = 0; i < n; i++) {
        paths[i] = json_string_value(json_is_array(data) ? json_array_get(data, i) : data);
        if (!paths[i]) return fail(r, EXIT_DATA, "%s: source %zu: a path is no text", mix, index + 1);
    }
    if (objective && !objective_called(&p->objective, objective))
        return fail(r, EXIT_DATA, "%s: source %zu: the objective '%s', expected masked, causal, prefix, span or seq2seq", mix,
                    index + 1, objective);
    value = json_object_get(entry, "weight");
    if (value && !(json_number_value(value) > 0))
        return fail(r, EXIT_DATA, "%s: source %zu: the weight is not above 0", mix, index + 1);
    p->weight = value ? json_number_value(value) : 1;
    p->prefix = json_string_value(json_object_get(entry, "prefix"));
    p->text_column = json_string_value(json_object_get(entry, "text"));
    p->source_column = json_string_value(json_object_get(entry, "source"));
    p->target_column = json_string_value(json_object_get(entry, "target"));
    return 0;
}

static int read_mixture(run *r, sources *s)
{
    char *text;
    size_t bytes;
    json_error_t error;
    int code = read_file(r, &text, &bytes, r->args.mix);
    if (code) return code;
    s->recipe = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!json_is_array(s->recipe) || !json_array_size(s->recipe))
        return fail(r, EXIT_DATA, "%s, line %d: expected a JSON list of sources (%.100s)", r->args.mix, s->recipe ? 1 : error.line,
                    s->recipe ? "this is another value" : error.text);
    s->parts = calloc(json_array_size(s->recipe), sizeof *s->parts);
    if (!s->parts) return fail_memory(r);
    for (size_t i = 0; i < json_array_size(s->recipe) && !code; i++) {
        s->n++;
        code = read_source(r, &s->parts[i], json_array_get(s->recipe, i), i);
    }
    return code;
}

/* The columns and the prefix of the command line. */
static trine_train_part part_of(const run *r, const char *const *paths, int n)
{
    const arguments *a = &r->args;
    const bool finetunes = r->command->id == CMD_FINETUNE;
    return (trine_train_part) {
        .paths = paths,
        .n_paths = n,
        .objective = GIVEN(a, objective) ? (trine_objective)(a->objective + 1) : TRINE_OBJECTIVE_DEFAULT,
        .prefix = a->prefix,
        .text_column = a->text_column,
        .source_column = finetunes && a->pair_column ? a->pair_column : a->source_column,
        .target_column = finetunes && a->label_column ? a->label_column : a->target_column,
    };
}

static int read_sources(run *r, sources *s, int first)
{
    const arguments *a = &r->args;
    const int n = a->data.n + a->rest.n - first;
    if (a->mix && n) return fail_usage(r, "--mix names its own data: expected it or files, not both");
    if (a->mix) return read_mixture(r, s);
    if (n < 1) return fail_usage(r, "nothing to learn from: expected files, or --data");
    s->paths = calloc((size_t)n, sizeof *s->paths);
    s->parts = calloc(1, sizeof *s->parts);
    if (!s->paths || !s->parts) return fail_memory(r);
    for (int i = 0; i < n; i++) s->paths[i] = i < a->data.n ? a->data.items[i] : a->rest.items[first + i - a->data.n];
    s->n = 1;
    s->parts[0] = part_of(r, s->paths, n);
    size_t bytes;
    const int code = a->template_file ? read_file(r, &s->chat_template, &bytes, a->template_file) : 0;
    s->parts[0].chat_template = s->chat_template;
    return code;
}

/* ------------------------------------------------------------------------------------------------------------- telling */

/* The line of a step: loss, rate and what is left. */
static void draw_progress(run *r, const trine_train_event *e)
{
    const double seconds = seconds_now();
    if (seconds - r->progress_last < 0.1 && e->step < e->n_steps) return;
    r->progress_last = seconds;
    r->progress_shown = true;
    char rate[32];
    const long left = (long)(e->seconds_left + 0.5);
    fprintf(stderr, "\r\033[Kstep %lld of %lld, epoch %.2f, loss %.4f, %s tokens/s, %ld:%02ld:%02ld left", (long long)e->step,
            (long long)e->n_steps, e->epoch, e->loss, show_count(rate, e->tokens_per_second), left / 3600, left / 60 % 60,
            left % 60);
    fflush(stderr);
}

static void write_step(run *r, const trine_train_event *e)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_int(&j, "step", e->step);
    jw_set_real(&j, "epoch", e->epoch);
    jw_set_real(&j, "loss", e->loss);
    jw_set_real(&j, "learning_rate", e->learning_rate);
    jw_set_real(&j, "gradient_norm", e->gradient_norm);
    jw_set_real(&j, "tokens_per_second", e->tokens_per_second);
    if (e->validated) {
        jw_set_real(&j, "valid_loss", e->valid_loss);
        if (e->metric) {
            char name[64];
            snprintf(name, sizeof name, "valid_%s", e->metric);
            jw_set_real(&j, name, e->valid_metric);
        }
    }
    jw_close(&j, '}');
    jw_end(&j);
}

static bool on_step(void *user, const trine_train_event *e)
{
    run *r = user;
    if (is_silent(r)) return !interrupted();
    if (r->args.json) write_step(r, e);
    if (e->validated && e->metric)
        note(r, "step %lld: loss %.4f, valid loss %.4f, %s %.4f%s", (long long)e->step, e->loss, e->valid_loss, e->metric,
             e->valid_metric, e->best ? ", the best" : "");
    else if (e->validated)
        note(r, "step %lld: loss %.4f, valid loss %.4f%s", (long long)e->step, e->loss, e->valid_loss, e->best ? ", the best" : "");
    if (r->err_terminal && !r->args.quiet) draw_progress(r, e);
    return !interrupted() && !output_failed(r);
}

static void log_line(void *user, const char *text) { note(user, "%s", text); }

static void tell_result(run *r, const trine_train_result *t)
{
    const arguments *a = &r->args;
    if (a->json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "out", a->out);
        jw_set_int(&j, "steps", t->steps);
        jw_set_int(&j, "tokens", t->n_tokens);
        jw_set_int(&j, "parameters", t->n_parameters);
        jw_set_int(&j, "trained", t->n_trained);
        jw_set_real(&j, "loss", t->loss);
        if (t->measured) {
            jw_set_int(&j, "best_step", t->best_step);
            jw_set_real(&j, "valid_loss", t->valid_loss);
            if (*t->metric) jw_set_real(&j, t->metric, t->valid_metric);
        }
        jw_set_bool(&j, "early", t->early);
        jw_set_real(&j, "seconds", t->seconds);
        jw_close(&j, '}');
        jw_end(&j);
        return;
    }
    print(r, "%s: %lld steps, loss %.4f", a->out, (long long)t->steps, t->loss);
    if (t->measured) print(r, "; best at step %lld: valid loss %.4f", (long long)t->best_step, t->valid_loss);
    if (t->measured && *t->metric) print(r, ", %s %.4f", t->metric, t->valid_metric);
    print(r, "; %.1f s\n", t->seconds);
}

/* ------------------------------------------------------------------------------------------------------------- options */

/* A number that the library reads as its default at 0, and as none below: 0 of the command line is none. */
static float none_at_zero(bool given, float value) { return given && value == 0 ? -1 : value; }

static trine_train_options options_of(run *r, const sources *s, const trine_train_part *valid, trine_record *record)
{
    const arguments *a = &r->args;
    return (trine_train_options) {
        .out = a->out,
        .resume = a->resume,
        .overwrite = a->overwrite,
        .parts = s->parts,
        .n_parts = s->n,
        .valid = valid->n_paths ? valid : NULL,
        .hold_out = (double)a->hold_out,
        .split = a->split,
        .separate = a->separate,
        .whole_word = a->whole_word,
        .steps = a->steps,
        .epochs = (double)a->epochs,
        .batch_texts = a->batch_texts,
        .batch_tokens = a->batch_tokens,
        .accumulate = a->accumulate,
        .seq_len = a->seq_len,
        .target_len = a->target_len,
        .optimizer = a->optimizer ? TRINE_OPTIMIZER_MUON : TRINE_OPTIMIZER_ADAMW,
        .learning_rate = a->lr,
        .min_rate = none_at_zero(GIVEN(a, min_lr), a->min_lr),
        .warmup = GIVEN(a, warmup) && !a->warmup ? -1 : a->warmup,
        .decay = GIVEN(a, decay) ? (trine_decay)(a->decay + 1) : TRINE_DECAY_DEFAULT,
        .weight_decay = none_at_zero(GIVEN(a, weight_decay), a->weight_decay),
        .beta1 = a->beta1,
        .beta2 = a->beta2,
        .clip = none_at_zero(true, a->clip),
        .dropout = none_at_zero(GIVEN(a, dropout), a->dropout),
        .noise = GIVEN(a, noise) ? a->noise : 0,
        .label_smoothing = a->label_smoothing,
        .ema = a->ema,
        .bf16 = a->bf16,
        .recompute = a->recompute,
        .seed = a->seed,
        .n_threads = a->threads,
        .cpu = a->cpu,
        .ranks = r->ranks,
        .shard_optimizer = a->shard_optimizer,
        .eval_every = a->eval_every,
        .save_every = a->save_every,
        .keep = a->keep,
        .patience = a->patience,
        .metric = !GIVEN(a, metric) ? NULL
                  : a->metric       ? "rouge"
                                    : "bleu",
        .metric_limit = a->metric_limit,
        .lora_rank = a->lora,
        .lora_alpha = a->lora_alpha,
        .metrics = a->metrics_file,
        .record = record,
        .on_step = on_step,
        .user = r,
        .log = log_line,
        .log_user = r,
    };
}

static int check_options(run *r)
{
    const arguments *a = &r->args;
    if (!a->out) return fail_usage(r, "no directory for the result: expected -o OUT");
    if (a->steps && GIVEN(a, epochs)) return fail_usage(r, "--steps and --epochs are both given: expected one of them");
    if (a->valid.n && a->hold_out > 0) return fail_usage(r, "--valid and --hold-out are both given: expected one of them");
    if (a->resume && a->overwrite) return fail_usage(r, "--resume goes on and --overwrite begins anew: expected one of them");
    if (a->patience && !a->valid.n && !(a->hold_out > 0))
        return fail_usage(r, "--patience needs something to measure on: --valid or --hold-out");
    return 0;
}

typedef trine_status learn_fn(trine_train_result *out, run *r, const trine_train_options *o, trine_error *err);

static int learn(run *r, int first, learn_fn *run_it)
{
    sources s = { 0 };
    trine_record *record = NULL;
    trine_error err = { 0 };
    trine_train_result result;
    const arguments *a = &r->args;
    interrupt_catch_end();
    int code = check_options(r);
    if (!code) code = read_sources(r, &s, first);
    if (!code) code = open_record(r, &record);
    if (!code) {
        trine_train_part valid = part_of(r, a->valid.items, a->valid.n);
        valid.chat_template = s.chat_template;
        const trine_train_options o = options_of(r, &s, &valid, record);
        const trine_status status = run_it(&result, r, &o, &err);
        progress_end(r);
        if (status == TRINE_ERROR_CANCELLED && output_failed(r))
            code = EXIT_FAILED;
        else if (status)
            code = fail_status(r, status, &err);
        else
            tell_result(r, &result);
    }
    trine_record_close(record);
    clear_sources(&s);
    return code;
}

/* ------------------------------------------------------------------------------------------------------------ commands */

static trine_status train(trine_train_result *out, run *r, const trine_train_options *o, trine_error *err)
{
    static const char *const archs[] = { "bert", "gpt2", "llama", "t5" };
    const arguments *a = &r->args;
    const trine_new_model model = {
        .from = a->model,
        .config = a->config,
        .arch = GIVEN(a, arch) ? archs[a->arch] : NULL,
        .n_layers = a->layers,
        .d_model = a->width,
        .n_heads = a->heads,
        .n_kv_heads = a->kv_heads,
        .d_ff = a->ff,
        .tokenizer = a->tokenizer,
        .vocab = a->vocab,
        .neighbours = a->neighbours,
    };
    return trine_train(out, &model, o, err);
}

int train_main(run *r)
{
    const arguments *a = &r->args;
    const int n = !!a->model + !!a->config + GIVEN(a, arch);
    if (!n) return fail_usage(r, "no model: expected --arch, --config or -m");
    if (n > 1) return fail_usage(r, "of --arch, --config and -m more than one is given: expected one of them");
    if (a->model && (a->tokenizer || GIVEN(a, vocab) || GIVEN(a, layers) || GIVEN(a, width) || a->heads || a->kv_heads || a->ff ||
                     a->neighbours))
        return fail_usage(r, "sizes or a tokenizer beside -m: '%s' has its own", a->model);
    const int code = take_shipped_model(r);
    return code ? code : learn(r, 0, train);
}

static trine_status finetune(trine_train_result *out, run *r, const trine_train_options *o, trine_error *err)
{
    char word[32];
    int task = 0;
    while (choice_name(word, sizeof word, FINETUNE_TASKS, task) && strcmp(word, r->args.rest.items[0])) task++;
    return trine_finetune(out, (trine_finetune_task)task, r->args.model, o, err);
}

int finetune_main(run *r)
{
    char word[32];
    bool known = false;
    for (int i = 0; choice_name(word, sizeof word, FINETUNE_TASKS, i); i++) known |= !strcmp(word, r->args.rest.items[0]);
    if (!known) return fail_usage(r, "the task is one of %s, not '%s'", FINETUNE_TASKS, r->args.rest.items[0]);
    if (!r->args.model) return fail_usage(r, "no model: expected -m MODEL");
    if (r->args.template_file && strcmp(r->args.rest.items[0], "lm"))
        return fail_usage(r, "--template is of conversations, which lm learns from, not %s", r->args.rest.items[0]);
    const int code = take_shipped_model(r);
    return code ? code : learn(r, 1, finetune);
}
