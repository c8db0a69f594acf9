/* quantize_command.c - trine quantize: a model with smaller weights, whole or not at all, and what became of its bytes. */
#include "json_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char types[] = "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q4_k|q5_k|q6_k";

/* "attn_v=q6_k" of --tensor. The patterns are new memory, as *out is. */
static int read_tensor_types(run *r, trine_tensor_type **out)
{
    const text_list *list = &r->args.tensor_types;
    trine_tensor_type *all = *out = calloc((size_t)list->n + 1, sizeof *all);
    if (!all) return fail_memory(r);
    for (int i = 0; i < list->n; i++) {
        const char *equals = strrchr(list->items[i], '=');
        if (!equals || equals == list->items[i])
            return fail_usage(r, "--tensor takes NAME=TYPE, such as attn_v=q6_k, not '%s'", list->items[i]);
        char word[16];
        for (int k = 0; choice_name(word, sizeof word, types, k); k++)
            if (trine_dtype_from_name(equals + 1) == trine_dtype_from_name(word)) all[i].type = trine_dtype_from_name(word);
        if (!all[i].type) return fail_usage(r, "--tensor takes one of %s after its =, not '%s'", types, equals + 1);
        all[i].pattern = strndup(list->items[i], (size_t)(equals - list->items[i]));
        if (!all[i].pattern) return fail_memory(r);
    }
    return 0;
}

static void clear_tensor_types(trine_tensor_type *all, int n)
{
    for (int i = 0; all && i < n; i++) free((char *)(uintptr_t)all[i].pattern);
    free(all);
}

static double bits(int64_t bytes, int64_t n_values) { return n_values ? 8.0 * (double)bytes / (double)n_values : 0; }

/* The model as it was: opened before the work that its measure needs. */
typedef struct measure {
    trine_eval_task task;
    trine_model *model;
    trine_session *session;
    trine_compare_result result;
} measure;

static void write_figures(json_writer *j, const char *key, const measure *m, const trine_eval_result *e)
{
    score f[4];
    const int n = eval_figures(f, m->task, e);
    jw_key(j, key);
    jw_open(j, '{');
    for (int i = 0; i < n; i++) jw_set_real(j, f[i].name, f[i].value);
    jw_close(j, '}');
}

static void write_measure(json_writer *j, const measure *m)
{
    char name[32];
    choice_name(name, sizeof name, "lm|mlm|classify|tag|translate|summarize", (int)m->task);
    jw_key(j, "measure");
    jw_open(j, '{');
    jw_set_text(j, "task", name);
    write_figures(j, "original", m, &m->result.original);
    write_figures(j, "quantized", m, &m->result.other);
    jw_set_real(j, "kl", m->result.kl);
    jw_set_real(j, "same_top", m->result.same_top);
    jw_set_int(j, "tokens", m->result.n_tokens);
    jw_set_real(j, "seconds", m->result.seconds);
    jw_close(j, '}');
}

static void print_measure(run *r, const measure *m)
{
    score a[4], b[4];
    const int n = eval_figures(a, m->task, &m->result.original);
    eval_figures(b, m->task, &m->result.other);
    print_style(r, STYLE_DIM);
    puts_out(r, "\n                   original    quantized\n");
    print_style(r, STYLE_NONE);
    for (int i = 0; i < n; i++) print(r, "%-14s %12.*f %12.*f\n", a[i].name, a[i].decimals, a[i].value, b[i].decimals, b[i].value);
    print_style(r, STYLE_BOLD);
    print(r, "%-14s %25.6f\n%-14s %24.2f%%\n", "KL divergence", m->result.kl, "same top token", 100 * m->result.same_top);
    print_style(r, STYLE_NONE);
    print(r, "%-14s %25lld\n%-14s %25.1f\n", "tokens", (long long)m->result.n_tokens, "seconds", m->result.seconds);
}

static void write_json(run *r, const trine_quantize_result *q, const measure *m)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "out", r->args.out);
    jw_set_int(&j, "bytes", q->bytes);
    jw_set_int(&j, "files", q->n_files);
    jw_set_int(&j, "tensors", q->n_tensors);
    jw_set_int(&j, "parameters", q->n_values);
    jw_set_int(&j, "bytes_before", q->bytes_before);
    jw_set_int(&j, "bytes_after", q->tensor_bytes);
    jw_set_real(&j, "bits_per_weight", bits(q->tensor_bytes, q->n_values));
    jw_set_int(&j, "replaced", q->n_replaced);
    jw_set_bool(&j, "from_quantized", q->from_quantised);
    jw_key(&j, "types");
    jw_open(&j, '[');
    for (int i = 0; i < TRINE_DTYPE_COUNT; i++) {
        const trine_type_share *t = &q->types[i];
        if (!t->n_tensors) continue;
        jw_open(&j, '{');
        jw_set_text(&j, "type", trine_dtype_name((trine_dtype)i));
        jw_set_int(&j, "tensors", t->n_tensors);
        jw_set_int(&j, "parameters", t->n_values);
        jw_set_int(&j, "bytes_before", t->bytes_before);
        jw_set_int(&j, "bytes_after", t->bytes);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    if (m) write_measure(&j, m);
    jw_close(&j, '}');
    jw_end(&j);
}

static void print_row(run *r, const char *name, int n_tensors, int64_t n_values, int64_t before, int64_t after)
{
    char values[32], was[32], is[32];
    print(r, "%-6s %7d  %9s  %9s  %9s  %6.2f\n", name, n_tensors, show_count(values, (double)n_values),
          show_bytes(was, (double)before), show_bytes(is, (double)after), bits(after, n_values));
}

static void print_table(run *r, const trine_quantize_result *q)
{
    print_style(r, STYLE_DIM);
    puts_out(r, "type   tensors     values     before      after    bits\n");
    print_style(r, STYLE_NONE);
    for (int i = 0; i < TRINE_DTYPE_COUNT; i++) {
        const trine_type_share *t = &q->types[i];
        if (t->n_tensors) print_row(r, trine_dtype_name((trine_dtype)i), t->n_tensors, t->n_values, t->bytes_before, t->bytes);
    }
    print_style(r, STYLE_BOLD);
    print_row(r, "all", q->n_tensors, q->n_values, q->bytes_before, q->tensor_bytes);
    print_style(r, STYLE_NONE);
    char bytes[32];
    print(r, "\n%s: %s in %d file%s\n", r->args.out, show_bytes(bytes, (double)q->bytes), q->n_files, q->n_files == 1 ? "" : "s");
}

static void log_to_note(void *user, const char *text) { note(user, "%s", text); }

static int quantize(run *r, trine_quantize_result *q, const trine_tensor_type *tensor_types)
{
    const arguments *a = &r->args;
    static const char *const containers[] = { "gguf", "safetensors" };
    trine_error err = { 0 };
    const trine_quantize_options options = {
        .type = trine_quantize_type(a->mixture),
        .tensor_types = tensor_types,
        .n_tensor_types = a->tensor_types.n,
        .container = GIVEN(a, container) ? containers[a->container] : NULL,
        .shard_bytes = a->shard_bytes,
        .overwrite = a->overwrite,
        .n_threads = a->threads,
        .on_progress = progress_step,
        .user = r,
        .log = log_to_note,
        .log_user = r,
    };
    progress_begin(r, "packing");
    const trine_status status = trine_quantize(q, a->out, a->model, &options, &err);
    progress_end(r);
    return status ? fail_status(r, status, &err) : 0;
}

static int begin_measure(run *r, measure *m)
{
    if (access(r->args.measure, R_OK)) return fail(r, EXIT_DATA, "%s: cannot be read", r->args.measure);
    int code = open_model(r);
    if (!code) code = eval_task(r, &m->task);
    if (!code && (m->task == TRINE_EVAL_CLASSIFY || m->task == TRINE_EVAL_TAG))
        code = fail(r, EXIT_DATA,
                    "%s: --measure compares what lm, mlm, translate and summarize measure; `trine eval` measures this "
                    "model",
                    r->args.model);
    if (!code) code = open_session(r, eval_session(r, m->task));
    return code;
}

/* The old model makes place for the new one in the run. */
static int end_measure(run *r, measure *m)
{
    m->model = r->model;
    m->session = r->session;
    r->model = NULL;
    r->session = NULL;
    r->args.model = r->args.out;
    int code = open_model(r);
    if (!code) code = open_session(r, eval_session(r, m->task));
    if (code) return code;
    trine_error err = { 0 };
    const trine_eval_options options = eval_options(r);
    progress_begin(r, "measuring");
    const trine_status status = trine_compare(&m->result, m->session, r->session, m->task, r->args.measure, &options, &err);
    progress_end(r);
    return status ? fail_status(r, status, &err) : 0;
}

int quantize_main(run *r)
{
    trine_tensor_type *tensor_types = NULL;
    trine_quantize_result q = { 0 };
    measure m = { 0 };
    const bool measures = r->args.measure != NULL;
    int code = GIVEN(&r->args, mixture) ? in_and_out(r) : fail_usage(r, "no type: expected --type, such as q8_0 or q4_k_m");
    if (!code) code = read_tensor_types(r, &tensor_types);
    if (!code && measures) code = begin_measure(r, &m);
    if (!code) code = quantize(r, &q, tensor_types);
    if (!code && measures) code = end_measure(r, &m);
    trine_session_close(m.session);
    trine_model_close(m.model);
    clear_tensor_types(tensor_types, r->args.tensor_types.n);
    if (code) return code;
    if (r->args.json) {
        write_json(r, &q, measures ? &m : NULL);
        return EXIT_DONE;
    }
    print_table(r, &q);
    if (measures) print_measure(r, &m);
    return EXIT_DONE;
}
