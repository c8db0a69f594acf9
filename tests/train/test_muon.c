/* test_muon.c - the optimiser of matrices against PyTorch's (tests/fixtures/train/muon.json, by tools/make_train_fixtures.py), which rounds
 * to bf16; what it makes of a matrix's singular values; that threads do not show; and who steps what. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/alloc.h"
#include "support/open_params.h"
#include "support/random.h"
#include "train/muon.h"

typedef struct matrix {
    int rows, cols;
    bool hidden;
} matrix;

static trine_params *make(const matrix *m, int n, bool bf16)
{
    trine_param tensors[4] = { 0 };
    for (int i = 0; i < n; i++)
        tensors[i] = (trine_param) { .n_dims = 2, .shape = { m[i].rows, m[i].cols }, .decays = true, .hidden = m[i].hidden };
    return bare_params(tensors, n, bf16);
}

static void step(trine_params *p, trine_cpu level, int n_threads, const trine_adamw_options *o)
{
    trine_kernels kernels;
    trine_kernels_init(&kernels, level);
    trine_muon *muon;
    trine_team *team = NULL;
    assert_int_equal(trine_team_open(&team, n_threads, NULL), TRINE_OK);
    assert_int_equal(trine_muon_open(&muon, p, &kernels, p->bf16, n_threads, team, NULL), TRINE_OK);
    trine_muon_run(muon, o);
    trine_muon_close(muon);
    trine_team_close(team);
}

static void steps_are_pytorchs(void **state)
{
    (void)state;
    json_t *steps = json_load_file(TRINE_FIXTURES "/train/muon.json", 0, NULL);
    assert_int_equal(json_array_size(steps), 4);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_params *p = make((const matrix[]) { { 6, 20, true }, { 18, 5, true } }, 2, false);
        size_t place[210];
        for (size_t i = 0; i < 210; i++) place[i] = i < 120 ? i : i - 120 + p->tensors[1].offset;
        for (int i = 0; i < 210; i++) p->values[place[i]] = (float)(sin(i * 0.7) * 0.5);
        for (int k = 1; k <= 4; k++) {
            for (int i = 0; i < 210; i++) p->grads[place[i]] = (float)(cos((double)i * i * 0.3 + k) * 0.01 * k);
            step(p, (trine_cpu)level, 1, &(trine_adamw_options) { .rate = 1e-2, .decay = 0.1, .clear = true });
            /* A step moves values by 0.2 x the rate in the root mean square; bf16 has 8 bits, and five products of it in a row. */
            double squares = 0;
            for (int i = 0; i < 210; i++) {
                const double off = (double)p->values[place[i]] -
                                   json_number_value(json_array_get(json_array_get(steps, (size_t)k - 1), (size_t)i));
                squares += off * off;
            }
            const double rms = sqrt(squares / 210);
            if (!(rms < 0.02 * 0.2e-2 * 4)) fail_msg("step %d: %.3g from PyTorch's in the root mean square", k, rms);
            for (size_t i = 0; i < p->n; i++) assert_true(p->grads[i] == 0);
        }
        trine_params_close(p);
    }
    json_decref(steps);
}

/* |U x| / |x| of the step taken, for random x: between the least and the largest singular value. */
static void steps_are_nearly_orthogonal(void **state)
{
    (void)state;
    static const matrix sizes[] = { { 64, 256, true }, { 300, 70, true }, { 33, 33, true } };
    for (int bf16 = 0; bf16 < 2; bf16++) {
        trine_params *p = make(sizes, 3, bf16);
        random_state r = { 7 };
        random_fill(&r, p->grads, p->n, 0.003f);
        step(p, trine_cpu_detect(), 2, &(trine_adamw_options) { .rate = 1 });
        for (int i = 0; i < 3; i++) {
            const matrix *m = &sizes[i];
            const int tall = m->rows > m->cols ? m->rows : m->cols, small = m->rows + m->cols - tall;
            const float *u = p->values + p->tensors[i].offset;
            for (int trial = 0; trial < 20; trial++) {
                float x[64 + 256 + 300];
                double in = 0, out = 0;
                random_fill(&r, x, (size_t)small, 1);
                for (int k = 0; k < small; k++) in += (double)x[k] * (double)x[k];
                for (int row = 0; row < tall; row++) {
                    double sum = 0;
                    for (int k = 0; k < small; k++)
                        sum += (double)x[k] * (double)(m->rows == tall ? u[row * m->cols + k] : u[k * m->cols + row]);
                    out += sum * sum;
                }
                const double stretch = sqrt(out / in) / (0.2 * sqrt(tall));
                if (!(stretch > 0.6 && stretch < 1.25)) fail_msg("%d x %d: stretched by %.3f", m->rows, m->cols, stretch);
            }
        }
        trine_params_close(p);
    }
}

static const matrix mixed[] = { { 40, 96, true }, { 50, 30, false }, { 96, 40, true }, { 1, 700, false } };

static trine_params *make_random(void)
{
    random_state r = { 5 };
    trine_params *p = make(mixed, 4, true);
    for (int i = 0; i < 4; i++) {
        const trine_param *t = &p->tensors[i];
        random_fill(&r, p->values + t->offset, t->n, 1);
        random_fill(&r, p->grads + t->offset, t->n, 0.1f);
        random_fill(&r, p->m + t->offset, t->n, 0.1f);
    }
    return p;
}

static void threads_do_not_show(void **state)
{
    (void)state;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_params *one = make_random(), *three = make_random();
        const trine_adamw_options o = { .rate = 1e-3, .decay = 0.1, .grad_scale = 0.5 };
        step(one, (trine_cpu)level, 1, &o);
        step(three, (trine_cpu)level, 3, &o);
        assert_memory_equal(one->values, three->values, one->n * sizeof(float));
        assert_memory_equal(one->m, three->m, one->n * sizeof(float));
        trine_params_close(one);
        trine_params_close(three);
    }
}

/* A matrix whose weights hold a factor goes by that factor as far; it decays as others do. */
static void smaller_steps_are_taken(void **state)
{
    (void)state;
    trine_param tensors[2] = { { .n_dims = 2, .shape = { 24, 40 }, .decays = true, .hidden = true } };
    tensors[1] = tensors[0];
    tensors[1].step = 0.125f;
    trine_params *p = bare_params(tensors, 2, false);
    random_state r = { 11 };
    float *first = p->values + p->tensors[0].offset, *second = p->values + p->tensors[1].offset;
    random_fill(&r, p->grads, 24 * 40, 0.1f);
    memcpy(p->grads + p->tensors[1].offset, p->grads, 24 * 40 * sizeof(float));
    for (int i = 0; i < 24 * 40; i++) first[i] = second[i] = 1;
    step(p, trine_cpu_detect(), 2, &(trine_adamw_options) { .rate = 0.5, .decay = 0.25 });
    for (int i = 0; i < 24 * 40; i++) {
        const double shrunk = 1 - 0.5 * 0.25, whole = (double)first[i] - shrunk;
        assert_true(fabs((double)second[i] - shrunk - 0.125 * whole) < 1e-6);
    }
    trine_params_close(p);
}

/* Of a T5 they are the queries' alone. */
static void queries_of_t5_hold_their_scale(void **state)
{
    (void)state;
    static const char *const names[] = { "models/t5-v1.1", "models/llama3" };
    for (int i = 0; i < 2; i++) {
        trine_model *m;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", TRINE_FIXTURES, names[i]);
        trine_params *p = open_params(&m, &(trine_params_options) { .checkpoint = path, .cpu = "scalar" });
        int n = 0;
        for (int t = 0; t < p->n_tensors; t++) {
            const bool query = !i && strstr(p->tensors[t].name, "Attention.q.weight");
            const double expected = query ? 1 / sqrt(trine_model_get_info(m)->d_head) : 1;
            assert_true(fabs((double)p->tensors[t].step - expected) < 1e-7);
            n += query;
        }
        assert_true(i ? n == 0 : n >= 3);
        trine_model_close(m);
        trine_params_close(p);
    }
}

/* What one optimiser steps the other leaves as it is, gradients too; the average follows. */
static void each_has_its_own(void **state)
{
    (void)state;
    trine_optimiser_kernels k;
    trine_optimiser_kernels_init(&k, trine_cpu_detect());
    trine_params *p = make_random(), *before = make_random();
    static float average[16384];
    assert_true(p->n <= 16384);
    memcpy(average, p->values, p->n * sizeof *average);
    const trine_adamw_options o = {
        .rate = 1e-2, .decay = 0.1, .step = 1, .no_hidden = true, .clear = true, .average = average, .average_rate = 0.5
    };
    step(p, trine_cpu_detect(), 1, &o);
    for (int i = 0; i < 4; i++)
        for (size_t j = p->tensors[i].offset; j < p->tensors[i].offset + p->tensors[i].n; j++) {
            assert_true(mixed[i].hidden == (p->values[j] != before->values[j]));
            assert_true(mixed[i].hidden == (p->grads[j] == 0));
            assert_true(p->v[j] == 0);
        }
    trine_params *middle = make_random();
    memcpy(middle->values, p->values, p->n * sizeof(float));
    trine_adamw_run(p, 0, p->n, &o, &k, NULL);
    for (int i = 0; i < 4; i++)
        for (size_t j = p->tensors[i].offset; j < p->tensors[i].offset + p->tensors[i].n; j++) {
            assert_true(!mixed[i].hidden == (p->values[j] != middle->values[j]));
            assert_true(p->grads[j] == 0);
            assert_true(fabs((double)average[j] - ((double)before->values[j] + (double)p->values[j]) / 2) < 1e-6);
        }
    trine_params_close(p);
    trine_params_close(before);
    trine_params_close(middle);
}

static void no_gradient_is_no_step(void **state)
{
    (void)state;
    trine_params *p = make((const matrix[]) { { 17, 9, true } }, 1, false);
    p->values[3] = 2;
    step(p, trine_cpu_detect(), 1, &(trine_adamw_options) { .rate = 1e-2 });
    for (size_t i = 0; i < p->n; i++) assert_true(p->values[i] == (i == 3 ? 2 : 0));
    trine_params_close(p);
}

static void memory_can_run_out(void **state)
{
    (void)state;
    trine_params *p = make_random();
    trine_kernels kernels;
    trine_kernels_init(&kernels, trine_cpu_detect());
    for (int i = 1;; i++) {
        trine_muon *muon;
        trine_error err;
        alloc_fail_at(i);
        const trine_status status = trine_muon_open(&muon, p, &kernels, false, 1, NULL, &err);
        alloc_fail_at(0);
        if (!status) {
            trine_muon_close(muon);
            assert_true(i > 3);
            break;
        }
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(muon);
    }
    trine_params_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_pytorchs),
        cmocka_unit_test(steps_are_nearly_orthogonal),
        cmocka_unit_test(threads_do_not_show),
        cmocka_unit_test(smaller_steps_are_taken),
        cmocka_unit_test(queries_of_t5_hold_their_scale),
        cmocka_unit_test(each_has_its_own),
        cmocka_unit_test(no_gradient_is_no_step),
        cmocka_unit_test(memory_can_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
