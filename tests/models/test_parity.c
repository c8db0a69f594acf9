/* test_parity.c - every family computes what transformers computes: logits, hidden states, attention weights, logit lens, at every
 * CPU level, at once, token by token, and in one ragged batch. Fixtures: tools/make_model_fixtures.py.
 *
 * `test_parity DIR [CPU]` runs the checkpoints in the folders of DIR instead, at one CPU level or all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "support/runner.h"

/* Relative to the largest value expected. Both sides compute in f32 in another order: a few layers of sums of a few hundred
 * products differ by some 1e-6; a wrong formula differs by 1e-2 and more. */
static const double in_floats = 2e-4;

/* Products of quantised weights on bytes round x to about 1/250 of the largest of its group: differences of some 1e-2 in models as
 * narrow as these; products of bf16 weights in bf16 round x by as much. So such checkpoints are held to the formula with these
 * products in f32, and then to being near it. */
static const double in_bytes = 5e-2;

enum { MAX_CASES = 8 };

static const char *fixtures = TRINE_FIXTURES "/models";

typedef struct parity {
    const char *name, *cpu;
    trine_model model;
    trine_checkpoint *expected;
    int n_cases;
    runner_text texts[MAX_CASES];
    const trine_tensor *logits[MAX_CASES];
    int case_index; /* of the trace going on */
    int n_traced;
    double worst, tolerance;
} parity;

static const trine_tensor *find(const parity *t, int i, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%d/%s", i, what);
    return trine_checkpoint_find(t->expected, name);
}

static int64_t n_values(const trine_tensor *t) { return t->shape[0] * t->shape[1] * t->shape[2] * t->shape[3]; }

static void compare(parity *t, int i, const char *what, const float *got, const float *want, size_t n)
{
    double largest = 0, worst = 0;
    size_t at = 0;
    for (size_t k = 0; k < n; k++) {
        const double difference = fabs((double)got[k] - (double)want[k]);
        largest = fmax(largest, fabs((double)want[k]));
        if (!(difference <= worst)) { /* a NaN is the worst there is */
            worst = isnan(difference) ? INFINITY : difference;
            at = k;
        }
    }
    const double relative = worst / (largest > 0 ? largest : 1);
    if (relative > t->worst) t->worst = relative;
    if (relative > t->tolerance)
        fail_msg("%s, cpu %s, case %d, %s: %g at value %zu of %zu, expected %g: %.1e of the largest, tolerance %.0e", t->name,
                 t->cpu, i, what, (double)got[at], at, n, (double)want[at], relative, t->tolerance);
}

/* The rows that a fixture kept of a case's logits, out of all that were computed. */
static void compare_rows(parity *t, int i, const char *what, const runner_output *out)
{
    const trine_tensor *rows = find(t, i, "rows"), *want = t->logits[i];
    const int n = rows ? (int)rows->shape[0] : out->rows;
    assert_int_equal((int64_t)n * out->cols, n_values(want));
    for (int k = 0; k < n; k++) {
        const int row = rows ? ((const int32_t *)rows->data)[k] : k;
        assert_true(row < out->rows);
        compare(t, i, what, out->data + (size_t)row * (size_t)out->cols, (const float *)want->data + (size_t)k * (size_t)out->cols,
                (size_t)out->cols);
    }
}

static trine_status traced(void *user, const char *name, const float *data, int n_dims, const int64_t *shape)
{
    parity *t = user;
    const trine_tensor *want = find(t, t->case_index, name);
    if (!want && !strncmp(name, "lens.", 5) &&
        atoi(name + 5) == (t->model.info.n_decoder_layers ? t->model.info.n_decoder_layers : t->model.info.n_layers))
        want = t->logits[t->case_index]; /* the last layer's lens is the model itself */
    if (!want) {
        if (!strncmp(name, "lens.", 5) && t->model.info.head != TRINE_HEAD_LM && t->model.info.head != TRINE_HEAD_MLM)
            return TRINE_OK;
        fail_msg("%s: traced '%s', which was not expected", t->name, name);
    }
    int64_t n = 1;
    for (int d = 0; d < n_dims; d++) n *= shape[d];
    assert_int_equal(n, n_values(want));
    for (int d = 0; d < n_dims && want->n_dims == n_dims; d++) assert_int_equal(shape[d], want->shape[d]);
    compare(t, t->case_index, name, data, want->data, (size_t)n);
    t->n_traced++;
    return TRINE_OK;
}

/* Runs texts and fails the test with the error's text. */
static void run(parity *t, runner_output *out, const runner_text *texts, int n_texts, runner_options *options)
{
    trine_error err = { 0 };
    if (runner_run(out, &t->model, texts, n_texts, options, &err)) fail_msg("%s, cpu %s: %s", t->name, t->cpu, err.text);
    assert_int_equal(options->peak, options->measured); /* measuring is exact, never a guess */
}

/* Labels are of whole texts. */
static bool takes_steps(const parity *t)
{
    return t->model.info.paradigm != TRINE_ENCODER && t->model.info.head != TRINE_HEAD_LABELS &&
           t->model.info.head != TRINE_HEAD_TAGS;
}

static int n_inside(const parity *t, int i)
{
    char start[16];
    snprintf(start, sizeof start, "%d/", i);
    int n = 0;
    for (int k = 0; k < trine_checkpoint_n_tensors(t->expected); k++) {
        const char *name = trine_checkpoint_tensor(t->expected, k)->name;
        n += !strncmp(name, start, strlen(start)) &&
             (strstr(name, "hidden.") || strstr(name, "attention.") || strstr(name, "cross.") || strstr(name, "lens."));
    }
    return n;
}

static void one_case(parity *t, int i)
{
    runner_output out;
    const runner_text whole = t->texts[i];
    run(t, &out, &whole, 1, &(runner_options) { 0 });
    compare_rows(t, i, "logits", &out);
    free(out.data);

    const trine_tensor *rows = find(t, i, "rows");
    if (rows) { /* the same rows, computed alone */
        runner_text some = whole;
        some.rows = rows->data;
        some.n_rows = (int)rows->shape[0];
        run(t, &out, &some, 1, &(runner_options) { 0 });
        assert_int_equal(out.rows, some.n_rows);
        compare(t, i, "chosen rows", out.data, t->logits[i]->data, (size_t)n_values(t->logits[i]));
        free(out.data);
    } else {
        const int inside = n_inside(t, i);
        trine_tracer tracer = {
            .put = traced, .user = t, .prefix = "", .hidden = inside > 0, .attention = inside > 0, .lens = inside > 0
        };
        t->case_index = i;
        t->n_traced = 0;
        run(t, &out, &whole, 1, &(runner_options) { .tracer = &tracer });
        free(out.data);
        assert_true(t->n_traced >= inside);
    }
    /* 1 token a pass, then 11; a long text one by one would only cost time. */
    const int n = whole.n_decoder ? whole.n_decoder : whole.n;
    for (int step = n <= 40 ? 1 : 11; step < 70 && takes_steps(t); step = step * 8 + 3) {
        run(t, &out, &whole, 1, &(runner_options) { .step = step });
        compare_rows(t, i, "logits step by step", &out);
        free(out.data);
    }
}

static void all_together(parity *t)
{
    runner_output out[MAX_CASES];
    for (int step = 0; step < 10; step += 7) { /* with a step, texts end at different passes */
        if (step && !takes_steps(t)) break;
        run(t, out, t->texts, t->n_cases, &(runner_options) { .step = step, .n_threads = step ? 1 : 2 });
        for (int i = 0; i < t->n_cases; i++) {
            compare_rows(t, i, "logits of a ragged batch", &out[i]);
            free(out[i].data);
        }
    }
}

static const char *weights_file(char out[512], const char *dir)
{
    snprintf(out, 512, "%s/model.gguf", dir);
    if (!trine_file_exists(out)) snprintf(out, 512, "%s", dir);
    return out;
}

/* Whether products of the checkpoint's weights round x: to bytes, or to bf16 on processors that multiply it. */
static bool rounds_x(const trine_checkpoint *c, const trine_kernels *kernels)
{
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const trine_dtype type = trine_checkpoint_tensor(c, i)->type;
        const trine_dtype_info *info = trine_dtype_get(type);
        if ((info && info->block > 1) || (type == TRINE_BF16 && kernels->bf16_gemm)) return true;
    }
    return false;
}

static double checkpoint(const char *name, const char *cpu)
{
    parity t = { .name = name, .cpu = cpu, .tolerance = in_floats };
    char dir[400], path[512];
    trine_error err = { 0 };
    snprintf(dir, sizeof dir, "%s/%s", fixtures, name);
    if (runner_open(&t.model, weights_file(path, dir), cpu, &err)) fail_msg("%s: %s", name, err.text);
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    if (trine_checkpoint_open(&t.expected, path, &err)) fail_msg("%s: %s", name, err.text);
    for (; t.n_cases < MAX_CASES && find(&t, t.n_cases, "tokens"); t.n_cases++) {
        const trine_tensor *tokens = find(&t, t.n_cases, "tokens"), *types = find(&t, t.n_cases, "types"),
                           *decoder = find(&t, t.n_cases, "decoder");
        runner_text *text = &t.texts[t.n_cases];
        *text = (runner_text) { .ids = tokens->data, .n = (int)tokens->shape[0] };
        if (types) text->types = types->data;
        if (decoder && t.model.info.paradigm == TRINE_ENCODER_DECODER) {
            text->decoder_ids = decoder->data;
            text->n_decoder = (int)decoder->shape[0];
        }
        t.logits[t.n_cases] = find(&t, t.n_cases, "logits");
        assert_non_null(t.logits[t.n_cases]);
    }
    assert_true(t.n_cases > 0);
    const trine_kernels kernels = t.model.kernels;
    trine_kernels_exact(&t.model.kernels);
    for (int i = 0; i < t.n_cases; i++) one_case(&t, i);
    all_together(&t);
    const double worst = t.worst;
    if (rounds_x(t.model.checkpoint, &kernels)) {
        t.model.kernels = kernels;
        t.tolerance = in_bytes;
        for (int i = 0; i < t.n_cases; i++) one_case(&t, i);
        all_together(&t);
    }
    trine_checkpoint_close(t.expected);
    runner_close(&t.model);
    return worst;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Each checkpoint at one CPU level. */
static void level(void **state)
{
    const char *cpu = *state;
    char *names[2048];
    int n = 0;
    DIR *dir = opendir(fixtures);
    assert_non_null(dir);
    for (struct dirent *e; n < 2048 && (e = readdir(dir));)
        if (e->d_name[0] != '.') assert_non_null(names[n++] = strdup(e->d_name));
    closedir(dir);
    assert_true(n > 0);
    qsort(names, (size_t)n, sizeof *names, by_name);
    double worst = 0;
    for (int i = 0; i < n; i++) {
        const double w = checkpoint(names[i], cpu);
        if (w > worst) worst = w;
        free(names[i]);
    }
    print_message("%s: %d checkpoints, the largest difference is %.1e of the largest value\n", cpu, n, worst);
}

int main(int argc, char **argv)
{
    if (argc > 1) fixtures = argv[1];
    struct CMUnitTest tests[TRINE_CPU_COUNT];
    int n = 0;
    const char *cpu;
    for (int i = 0; (cpu = trine_cpu_level(i)); i++)
        if (argc < 3 || !strcmp(argv[2], cpu))
            tests[n++] = (struct CMUnitTest) { .name = cpu, .test_func = level, .initial_state = (void *)(uintptr_t)cpu };
    return _cmocka_run_group_tests("parity", tests, (size_t)n, NULL, NULL);
}
