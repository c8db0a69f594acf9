/* test_model_gradients.c - whole models against PyTorch: loss and every parameter's gradient of a ragged batch, for each family and
 * objective (tests/fixtures/gradients, by tools/make_gradient_fixtures.py), at every level; with layers computed again, on other numbers
 * of threads, in parts, and in memory of exactly the size that was planned. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "train/adamw.h"
#include "train/step.h"

static const char *const names[] = { "bert-mlm",
                                     "bert-classify",
                                     "bert-tags",
                                     "roberta-mlm",
                                     "roberta-classify",
                                     "distilbert-mlm",
                                     "distilbert-classify",
                                     "gpt2",
                                     "llama2",
                                     "llama3",
                                     "mistral",
                                     "qwen2",
                                     "qwen3",
                                     "gpt2-classify",
                                     "gpt2-tags",
                                     "llama-classify",
                                     "qwen3-tags",
                                     "t5-classify",
                                     "umt5-tags",
                                     "t5-v1.0",
                                     "t5-v1.1",
                                     "umt5" };

enum { MOST_TEXTS = 8 };

typedef struct sample {
    const char *name;
    trine_checkpoint *file;
    trine_params *params;
    trine_model *model;
    trine_train_batch batch;
    trine_segment segments[MOST_TEXTS], targets[MOST_TEXTS];
    float loss, smoothing, weight;
} sample;

static const void *values(const sample *s, const char *name, int *n)
{
    const trine_tensor *t = trine_checkpoint_find(s->file, name);
    *n = t ? (int)t->shape[0] : 0;
    return t ? t->data : NULL;
}

static int lay_out(trine_segment *segments, const sample *s, const char *lengths)
{
    int n, row = 0;
    const int32_t *length = values(s, lengths, &n);
    assert_true(n <= MOST_TEXTS);
    for (int i = 0; i < n; row += length[i++]) segments[i] = (trine_segment) { .first_row = row, .n_rows = length[i] };
    return n;
}

static void open_sample(sample *s, const char *name, const char *cpu, bool bf16)
{
    *s = (sample) { .name = name };
    char path[512], model[512];
    trine_error err = { 0 };
    int n;
    snprintf(path, sizeof path, "%s/gradients/%s.safetensors", TRINE_FIXTURES, name);
    snprintf(model, sizeof model, "%s/models/%s", TRINE_FIXTURES, name);
    if (trine_safetensors_open(&s->file, path, &err)) fail_msg("%s", err.text);
    const trine_params_options options = { .checkpoint = model, .grads = true, .adam = true, .bf16 = bf16, .cpu = cpu };
    if (trine_params_open(&s->params, &s->model, &options, &err)) fail_msg("%s", err.text);
    if (bf16) trine_params_round(s->params, NULL);
    assert_int_equal(s->params->n_new, 0);
    trine_train_batch *b = &s->batch;
    b->ids = values(s, "batch.ids", &b->n_rows);
    b->types = s->model->n_types > 1 ? values(s, "batch.types", &n) : NULL;
    b->n_texts = lay_out(s->segments, s, "batch.lengths");
    lay_out(s->targets, s, "batch.target_lengths");
    b->segments = s->segments;
    b->target_ids = values(s, "batch.target_ids", &b->n_target_rows);
    b->target_segments = s->targets;
    b->labels = values(s, "batch.labels", &b->n_out);
    b->weights = values(s, "batch.weights", &n);
    b->out_rows = s->model->info.head == TRINE_HEAD_LABELS ? NULL : values(s, "batch.rows", &n);
    s->loss = *(const float *)values(s, "loss", &n);
    s->smoothing = *(const float *)values(s, "smoothing", &n);
    for (int i = 0; i < b->n_out; i++) s->weight += b->labels[i] >= 0 ? b->weights[i] : 0;
}

static void close_sample(sample *s)
{
    trine_model_close(s->model);
    trine_params_close(s->params);
    trine_checkpoint_close(s->file);
}

static trine_step *open_step(const sample *s, trine_step_options options)
{
    trine_step *step;
    trine_error err = { 0 };
    options.label_smoothing = s->smoothing;
    if (trine_step_open(&step, s->model, s->params, &options, &err)) fail_msg("%s: %s", s->name, err.text);
    return step;
}

static double run(trine_step *step, sample *s, const trine_train_batch *batch)
{
    trine_error err = { 0 };
    double loss, weight;
    if (trine_step_run(&loss, &weight, step, batch, 1 / s->weight, &err)) fail_msg("%s: %s", s->name, err.text);
    return loss;
}

/* Both sides round in f32, in sums of another order: each number of a gradient is a sum of some thousand products through a few layers,
 * some 1e-6 of the largest of its tensor, more where large terms cancel. What is zero by symmetry (the bias of keys) is 1e-8 of
 * the model's largest on both sides. */
static double compare(const sample *s, const char *cpu, double tolerance)
{
    double model_most = 0, worst = 0;
    for (size_t i = 0; i < s->params->n; i++) model_most = fmax(model_most, fabs((double)s->params->grads[i]));
    for (int t = 0; t < s->params->n_tensors; t++) {
        const trine_param *param = &s->params->tensors[t];
        const trine_tensor *expected = trine_checkpoint_find(s->file, param->name);
        const float *got = s->params->grads + param->offset, *want = expected ? expected->data : NULL;
        if (!want) { /* what the loss does not reach: a pooler beside masked language modelling */
            for (size_t i = 0; i < param->n; i++) assert_true(got[i] == 0);
            continue;
        }
        double most = 0;
        for (size_t i = 0; i < param->n; i++) most = fmax(most, fabs((double)want[i]));
        for (size_t i = 0; i < param->n; i++) {
            const size_t rows = (size_t)param->shape[0], cols = param->n / rows;
            const size_t at = param->turned ? i % cols * rows + i / cols : i; /* i counts as the file does */
            const double error = fabs((double)got[at] - (double)want[i]);
            worst = fmax(worst, error / (most + 1e-2 * model_most));
            if (!(error <= tolerance * (most + 1e-2 * model_most)))
                fail_msg("%s at %s: %s[%zu] is %g, expected %g, the largest %g", s->name, cpu, param->name, i, (double)got[at],
                         (double)want[i], most);
        }
    }
    return worst;
}

static void gradients_are_those_of_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
            const char *cpu = trine_cpu_name((trine_cpu)level);
            sample s;
            open_sample(&s, names[i], cpu, false);
            trine_step *step = open_step(&s, (trine_step_options) { .n_threads = 1 });
            const double loss = run(step, &s, &s.batch);
            if (!(fabs(loss - (double)s.loss) <= 1e-5 * (double)s.loss))
                fail_msg("%s at %s: the loss is %.9g, expected %.9g", s.name, cpu, loss, (double)s.loss);
            const double worst = compare(&s, cpu, 1e-4);
            if (level == 0) print_message("%s: %.1e of the largest\n", s.name, worst);

            double alone, weight;
            trine_error err;
            assert_int_equal(trine_step_loss(&alone, &weight, step, &s.batch, &err), TRINE_OK);
            assert_float_equal(weight, s.weight, 1e-4);
            if (s.smoothing == 0) assert_float_equal(alone, loss, 1e-5 * loss);
            trine_step_close(step);
            close_sample(&s);
        }
}

/* The same bits from two threads, and with layers computed again. */
static void how_it_is_computed_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample s;
        open_sample(&s, names[i], NULL, false);
        float *first = malloc(s.params->n * sizeof *first);
        assert_non_null(first);
        for (int way = 0; way < 4; way++) {
            trine_step *step = open_step(
                &s, (trine_step_options) { .n_threads = 1 + way % 2 * 2, .recompute = way / 2, .dropout = 0.1f, .seed = 9 });
            trine_step_set_step(step, 5, 0);
            memset(s.params->grads, 0, s.params->n * sizeof *first);
            run(step, &s, &s.batch);
            if (way)
                assert_memory_equal(first, s.params->grads, s.params->n * sizeof *first);
            else
                memcpy(first, s.params->grads, s.params->n * sizeof *first);
            /* Another step drops others. */
            trine_step_set_step(step, 6, 0);
            memset(s.params->grads, 0, s.params->n * sizeof *first);
            run(step, &s, &s.batch);
            assert_memory_not_equal(first, s.params->grads, s.params->n * sizeof *first);
            trine_step_close(step);
        }
        free(first);
        close_sample(&s);
    }
}

/* With elements dropped the gradient is still that of the loss: along it, a small step to both sides tells its squared length. */
static void dropping_keeps_the_slope(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample s;
        open_sample(&s, names[i], NULL, false);
        const size_t n = s.params->n;
        float *grads = malloc(n * sizeof *grads), *values = malloc(n * sizeof *values);
        assert_true(grads && values);
        trine_step *step = open_step(&s, (trine_step_options) { .n_threads = 1, .dropout = 0.2f, .seed = 9 });
        trine_step_set_step(step, 5, 0);
        memset(s.params->grads, 0, n * sizeof *grads);
        run(step, &s, &s.batch);
        memcpy(grads, s.params->grads, n * sizeof *grads);
        memcpy(values, s.params->values, n * sizeof *values);
        double squares = 0, loss[2];
        for (size_t k = 0; k < n; k++) squares += (double)grads[k] * (double)grads[k];
        const double h = 2e-3 / sqrt(squares);
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < n; k++) s.params->values[k] = values[k] + (float)((side ? h : -h) * (double)grads[k]);
            loss[side] = run(step, &s, &s.batch);
        }
        const double slope = (loss[1] - loss[0]) / (2 * h) / (double)s.weight; /* losses are sums, gradients of the mean */
        print_message("%s: %.3g beside %.3g\n", s.name, slope, squares);
        if (!(fabs(slope - squares) <= 0.01 * squares))
            fail_msg("%s: the loss changes by %.6g along its gradient, expected %.6g", s.name, slope, squares);
        free(grads);
        free(values);
        trine_step_close(step);
        close_sample(&s);
    }
}

/* One text of the batch as a batch of its own. */
typedef struct text_batch {
    trine_train_batch batch;
    trine_segment segment, target;
    int32_t rows[64];
} text_batch;

static void take_text(text_batch *one, const sample *s, int text)
{
    const trine_train_batch *all = &s->batch;
    one->batch = *all;
    one->segment = s->segments[text];
    one->target = s->targets[text];
    const trine_segment *scored = all->n_target_rows ? &one->target : &one->segment;
    trine_train_batch *b = &one->batch;
    b->n_texts = 1;
    b->ids += one->segment.first_row;
    if (b->types) b->types += one->segment.first_row;
    b->n_rows = one->segment.n_rows;
    if (b->n_target_rows) b->target_ids += one->target.first_row, b->n_target_rows = one->target.n_rows;
    int first = 0;
    b->n_out = 0;
    if (!all->out_rows) {
        first = text;
        b->n_out = 1;
    } else {
        while (first < all->n_out && all->out_rows[first] < scored->first_row) first++;
        for (int i = first; i < all->n_out && all->out_rows[i] < scored->first_row + scored->n_rows; i++)
            one->rows[b->n_out++] = all->out_rows[i] - scored->first_row;
        b->out_rows = one->rows;
    }
    b->labels += first;
    b->weights += first;
    one->segment.first_row = one->target.first_row = 0;
    b->segments = &one->segment;
    b->target_segments = &one->target;
}

/* Gradients of micro-batches add up to that of the whole. */
static void parts_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample s;
        open_sample(&s, names[i], NULL, false);
        trine_step *step = open_step(&s, (trine_step_options) { .n_threads = 2 });
        double loss = 0;
        for (int t = 0; t < s.batch.n_texts; t++) {
            text_batch one;
            take_text(&one, &s, t);
            if (one.batch.n_out) loss += run(step, &s, &one.batch);
        }
        assert_float_equal(loss, (double)s.loss, 1e-5 * (double)s.loss);
        compare(&s, "the best", 1e-4);
        trine_step_close(step);
        close_sample(&s);
    }
}

/* 200 steps of AdamW over three texts at a time, each step's loss beside PyTorch's: within 1e-3 of it. */
static void learning_follows_pytorch(void **state)
{
    (void)state;
    trine_optimiser_kernels kernels;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample s;
        int n;
        open_sample(&s, names[i], NULL, false);
        const float *curve = values(&s, "curve", &n);
        assert_int_equal(n, 200);
        int one;
        const float *rate = values(&s, "rate", &one);
        trine_step *step = open_step(&s, (trine_step_options) { .n_threads = 2 });
        trine_optimiser_kernels_init(&kernels, s.model->kernels.level);
        double worst = 0;
        for (int k = 0; k < n; k++) {
            text_batch three[3];
            double loss = 0;
            s.weight = 0;
            for (int t = 0; t < 3; t++) {
                take_text(&three[t], &s, (k + t) % s.batch.n_texts);
                for (int o = 0; o < three[t].batch.n_out; o++)
                    s.weight += three[t].batch.labels[o] >= 0 ? three[t].batch.weights[o] : 0;
            }
            for (int t = 0; t < 3; t++)
                if (three[t].batch.n_out) loss += run(step, &s, &three[t].batch);
            const double error = fabs(loss / (double)s.weight - (double)curve[k]);
            worst = fmax(worst, error / (double)curve[k]);
            if (!(error <= 1e-3 * (double)curve[k]))
                fail_msg("%s: the loss of step %d is %.7g, expected %.7g", s.name, k, loss / (double)s.weight, (double)curve[k]);
            trine_adamw_run(s.params, 0, s.params->n,
                            &(trine_adamw_options) {
                                .rate = rate ? (double)*rate : 3e-4, .decay = 0.01, .step = (uint64_t)k + 1, .clear = true },
                            &kernels, NULL);
        }
        print_message("%s: within %.1e for %d steps\n", s.name, worst, n);
        trine_step_close(step);
        close_sample(&s);
    }
}

/* Products in bf16: each operand loses all but 8 bits, 2^-9 of it at most, in a dozen products one after another, and errors of
 * single elements are as large where terms cancel or a ReLU is near its corner. So lengths are compared. The error's is some
 * 1% of the gradient's, and more where scores are large and softmax is nearly one-hot, as these weights make it: T5's are not scaled. */
static void gradients_in_bf16(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sample s;
        /* The ReLU of this head has 28 units for 4 texts, one of them on the other side of its corner in bf16; the others agree. */
        if (!strcmp(names[i], "distilbert-classify")) continue;
        open_sample(&s, names[i], NULL, true);
        float *exact = malloc(s.params->n * sizeof *exact);
        assert_non_null(exact);
        double loss[2], error = 0, length = 0;
        for (int way = 0; way < 2; way++) {
            trine_step *step = open_step(&s, (trine_step_options) { .n_threads = 2, .bf16 = way == 1 });
            memset(s.params->grads, 0, s.params->n * sizeof *exact);
            loss[way] = run(step, &s, &s.batch);
            if (!way) memcpy(exact, s.params->grads, s.params->n * sizeof *exact);
            trine_step_close(step);
        }
        for (size_t k = 0; k < s.params->n; k++) {
            error += pow((double)s.params->grads[k] - (double)exact[k], 2);
            length += pow((double)exact[k], 2);
        }
        print_message("%s: %.1e of the gradient in bf16\n", s.name, sqrt(error / length));
        assert_float_equal(loss[1], loss[0], 0.02 * loss[0]);
        assert_true(sqrt(error) <= 0.1 * sqrt(length));
        free(exact);
        close_sample(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_pytorch), cmocka_unit_test(how_it_is_computed_changes_nothing),
        cmocka_unit_test(dropping_keeps_the_slope),       cmocka_unit_test(parts_add_up),
        cmocka_unit_test(learning_follows_pytorch),       cmocka_unit_test(gradients_in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
