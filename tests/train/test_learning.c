/* test_learning.c - parity of learning: 200 steps from the same weights on the same batches give PyTorch's loss at every step, for each
 * family (tests/fixtures/train/learning.json, by tools/make_learning_fixtures.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/adamw.h"
#include "train/batch_room.h"
#include "train/schedule.h"
#include "train/step.h"

enum { STEPS = 200, BATCHES = 4, TEXTS = 4 };
static const int lengths[TEXTS] = { 8, 5, 12, 3 }, targets[TEXTS] = { 6, 4, 3, 7 };

/* The generator of the script. */
static int below(uint32_t *x, int n)
{
    *x = (*x * 1103515245u + 12345u) & 0x7FFFFFFFu;
    return (int)((*x >> 8) % (uint32_t)n);
}

static trine_train_batch make_batch(trine_batch_room *room, int k, const trine_model *m)
{
    trine_train_batch b;
    uint32_t x = (uint32_t)k + 1;
    const int vocab = m->info.vocab - 3;
    trine_batch_begin(room);
    for (int t = 0; t < TEXTS; t++) {
        int32_t ids[16];
        for (int i = 0; i < lengths[t]; i++) ids[i] = 3 + below(&x, vocab);
        trine_batch_add_text(room, ids, NULL, lengths[t], 0);
        if (m->info.paradigm == TRINE_ENCODER_DECODER) {
            for (int i = 0; i < targets[t]; i++) ids[i] = 3 + below(&x, vocab);
            trine_batch_add_target(room, 0, ids, targets[t]);
        } else if (m->info.paradigm == TRINE_ENCODER) {
            for (int i = 0; i < lengths[t]; i += 3) trine_batch_add_out(room, i, 3 + below(&x, vocab), 1);
        } else {
            for (int i = 0; i + 1 < lengths[t]; i++) trine_batch_add_out(room, i, ids[i + 1], 1);
        }
    }
    assert_int_equal(trine_batch_end(&b, room, NULL), TRINE_OK);
    return b;
}

static void expect_parity(const char *name, const json_t *losses, const char *cpu)
{
    char path[400];
    trine_error err = { 0 };
    trine_params *p;
    trine_model *m;
    trine_step *step;
    trine_cpu level;
    trine_optimiser_kernels kernels;
    trine_batch_room room = { 0 };
    snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, name);
    const trine_params_options options = { .checkpoint = path, .grads = true, .adam = true, .cpu = cpu };
    if (trine_params_open(&p, &m, &options, &err)) fail_msg("%s", err.text);
    if (trine_step_open(&step, m, p, &(trine_step_options) { .n_threads = 1 }, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_cpu_choose(&level, cpu, NULL), TRINE_OK);
    trine_optimiser_kernels_init(&kernels, level);
    /* At 1e-3 T5's curve is not a number that f32 can hold to: PyTorch in f32 is 1.2% off PyTorch in f64 (beyond 1e-3 from step 125
     * on; T5 v1.0 from step 70 on). At 3e-4 the two agree to 4e-6. */
    const double rate = m->info.paradigm == TRINE_ENCODER_DECODER ? 3e-4 : 1e-3;
    const trine_schedule schedule = { .decay = TRINE_DECAY_COSINE, .rate = rate, .floor = rate / 10, .warmup = 10, .steps = STEPS };
    double worst = 0;
    for (int i = 0; i < STEPS; i++) {
        const trine_train_batch b = make_batch(&room, i % BATCHES, m);
        double loss, weight, squares;
        trine_step_set_step(step, (uint64_t)i, 0);
        if (trine_step_run(&loss, &weight, step, &b, (float)(1 / trine_batch_weight(&b)), &err)) fail_msg("%s", err.text);
        assert_int_equal(trine_grad_squares(&squares, p, 0, p->n, &kernels, NULL, &err), TRINE_OK);
        const double norm = sqrt(squares);
        const trine_adamw_options adamw = { .rate = trine_schedule_rate(&schedule, i),
                                            .beta1 = 0.9,
                                            .beta2 = 0.95,
                                            .eps = 1e-8,
                                            .decay = 0.1,
                                            .grad_scale = norm > 1 ? 1 / (norm + 1e-6) : 1,
                                            .step = (uint64_t)i + 1,
                                            .clear = true };
        trine_adamw_run(p, 0, p->n, &adamw, &kernels, NULL);
        const double expected = json_number_value(json_array_get(losses, (size_t)i));
        const double off = fabs(loss / weight - expected) / expected;
        worst = fmax(worst, off);
        /* Issue 5's bound. Both sides round in f32 in sums of another order, and 200 steps carry it on. */
        if (!(off <= 1e-3)) fail_msg("%s, %s, step %d: loss %.7g, PyTorch's is %.7g", name, cpu, i, loss / weight, expected);
    }
    print_message("%s, %s: at most %.2g apart\n", name, cpu, worst);
    trine_batch_clear(&room);
    trine_step_close(step);
    trine_model_close(m);
    trine_params_close(p);
}

static void losses_are_those_of_pytorch(void **state)
{
    (void)state;
    json_error_t error;
    json_t *all = json_load_file(TRINE_FIXTURES "/train/learning.json", 0, &error);
    assert_non_null(all);
    const char *name;
    json_t *losses;
    json_object_foreach(all, name, losses)
    {
        assert_int_equal(json_array_size(losses), STEPS);
        for (int i = 0; trine_cpu_level(i); i++) expect_parity(name, losses, trine_cpu_level(i));
    }
    assert_int_equal(json_object_size(all), 4);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(losses_are_those_of_pytorch) };
    return cmocka_run_group_tests_name("learning", tests, NULL, NULL);
}
