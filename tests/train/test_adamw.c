/* test_adamw.c - the optimiser against PyTorch's (tests/fixtures/train/adamw.json, by tools/make_train_fixtures.py): groups, clipping,
 * several steps; and that threads and shards do not show. */
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
#include "train/adamw.h"

/* Tensors of these sizes, every other one decays. */
static trine_params *make(const size_t *sizes, int n_tensors, bool bf16)
{
    trine_param tensors[8] = { 0 };
    for (int i = 0; i < n_tensors; i++)
        tensors[i] = (trine_param) { .n_dims = 1, .shape = { (int64_t)sizes[i], 1 }, .decays = i % 2 == 0 };
    return bare_params(tensors, n_tensors, bf16);
}

static void steps_are_pytorchs(void **state)
{
    (void)state;
    json_t *steps = json_load_file(TRINE_FIXTURES "/train/adamw.json", 0, NULL);
    assert_int_equal(json_array_size(steps), 8);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_optimiser_kernels k;
        trine_optimiser_kernels_init(&k, (trine_cpu)level);
        trine_params *p = make((const size_t[]) { 35, 9 }, 2, true);
        for (int i = 0; i < 44; i++) p->values[i < 35 ? i : i - 35 + 48] = (float)(sin(i * 0.7) * 0.5);
        for (int step = 1; step <= 8; step++) {
            const json_t *want = json_array_get(steps, (size_t)step - 1), *values = json_object_get(want, "values");
            for (int i = 0; i < 44; i++) p->grads[i < 35 ? i : i - 35 + 48] = (float)(cos(i * 0.3 + step) * 0.01 * step);
            double squares;
            assert_int_equal(trine_grad_squares(&squares, p, 0, p->n, &k, NULL, NULL), TRINE_OK);
            const double norm = sqrt(squares), limit = 0.2;
            assert_true(fabs(norm - json_number_value(json_object_get(want, "norm"))) < 1e-6 * norm);
            trine_adamw_run(p, 0, p->n,
                            &(trine_adamw_options) { .rate = 1e-2,
                                                     .beta2 = 0.98,
                                                     .eps = 1e-6,
                                                     .decay = 0.1,
                                                     .grad_scale = norm > limit ? limit / (norm + 1e-6) : 1,
                                                     .step = (uint64_t)step,
                                                     .clear = true },
                            &k, NULL);
            /* A step moves a value by about the rate, 1e-2; f32 on both sides. */
            for (int i = 0; i < 44; i++) {
                const double have = (double)p->values[i < 35 ? i : i - 35 + 48],
                             expected = json_number_value(json_array_get(values, (size_t)i));
                if (fabs(have - expected) > 2e-7 * step) fail_msg("step %d, %d: %.9g, expected %.9g", step, i, have, expected);
            }
            for (size_t i = 0; i < p->n; i++) assert_true(p->grads[i] == 0);
        }
        trine_params_close(p);
    }
    json_decref(steps);
}

/* Sizes that end within pieces and span several of them. */
static const size_t sizes[] = { 70000, 3, 16, 129, 32768, 1, 50001, 12 };

static trine_params *make_random(float *average)
{
    random_state r = { 5 };
    trine_params *p = make(sizes, 8, true);
    for (int i = 0; i < 8; i++) {
        const trine_param *t = &p->tensors[i];
        random_fill(&r, p->values + t->offset, t->n, 1);
        random_fill(&r, p->grads + t->offset, t->n, 0.1f);
        random_fill(&r, p->m + t->offset, t->n, 0.1f);
        for (size_t j = 0; j < t->n; j++) p->v[t->offset + j] = (float)random_unit(&r) * 0.01f;
    }
    memcpy(average, p->values, p->n * sizeof *average);
    return p;
}

static void threads_and_shards_do_not_show(void **state)
{
    (void)state;
    enum { MOST = 160000 };
    static float average[2][MOST];
    trine_optimiser_kernels k;
    trine_optimiser_kernels_init(&k, trine_cpu_detect());
    trine_params *a = make_random(average[0]), *b = make_random(average[1]);
    assert_true(a->n <= MOST);
    trine_team *team;
    assert_int_equal(trine_team_open(&team, 3, NULL), TRINE_OK);
    double one, three;
    trine_grad_squares(&one, a, 0, a->n, &k, NULL, NULL);
    trine_grad_squares(&three, b, 0, b->n, &k, team, NULL);
    assert_true(one == three && one > 0);
    trine_adamw_options o = { .rate = 1e-3, .decay = 0.01, .step = 3, .average = average[0], .average_rate = 0.01 };
    trine_adamw_run(a, 0, a->n, &o, &k, NULL);
    o.average = average[1];
    const size_t cut = 44800;
    trine_adamw_run(b, cut, b->n - cut, &o, &k, team);
    trine_adamw_run(b, 0, cut, &o, &k, team);
    assert_memory_equal(a->values, b->values, a->n * sizeof(float));
    assert_memory_equal(a->m, b->m, a->n * sizeof(float));
    assert_memory_equal(a->v, b->v, a->n * sizeof(float));
    assert_memory_equal(a->bf16, b->bf16, a->n * sizeof(uint16_t));
    assert_memory_equal(average[0], average[1], a->n * sizeof(float));
    /* Each tensor against its own group's numbers. */
    trine_params *c = make_random(average[0]);
    for (int i = 0; i < 8; i++) {
        const trine_param *t = &c->tensors[i];
        for (size_t j = t->offset; j < t->offset + t->n; j++) {
            const double g = (double)c->grads[j], m = 0.9 * (double)c->m[j] + 0.1 * g, v = 0.999 * (double)c->v[j] + 0.001 * g * g;
            const double step = 1e-3 * m / (1 - 0.9 * 0.9 * 0.9) / (sqrt(v / (1 - 0.999 * 0.999 * 0.999)) + 1e-8);
            const double p = (double)c->values[j] * (t->decays ? 1 - 1e-5 : 1) - step;
            assert_true(fabs(p - (double)a->values[j]) < 1e-6 * (fabs(p) + fabs(step)) + 1e-9);
        }
    }
    trine_team_close(team);
    trine_params_close(a);
    trine_params_close(b);
    trine_params_close(c);
}

static void what_is_not_finite_is_found(void **state)
{
    (void)state;
    trine_optimiser_kernels k;
    trine_optimiser_kernels_init(&k, trine_cpu_detect());
    trine_params *p = make(sizes, 8, false);
    double squares;
    assert_null(trine_grad_not_finite(p, 0, p->n));
    p->grads[p->tensors[3].offset + 128] = NAN;
    assert_ptr_equal(trine_grad_not_finite(p, 0, p->n), &p->tensors[3]);
    assert_int_equal(trine_grad_squares(&squares, p, 0, p->n, &k, NULL, NULL), TRINE_OK);
    assert_false(isfinite(squares));
    alloc_fail_at(1);
    assert_int_equal(trine_grad_squares(&squares, p, 0, p->n, &k, NULL, NULL), TRINE_ERROR_MEMORY);
    alloc_fail_at(0);
    trine_params_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_pytorchs),
        cmocka_unit_test(threads_and_shards_do_not_show),
        cmocka_unit_test(what_is_not_finite_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
