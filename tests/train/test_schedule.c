/* test_schedule.c - the learning rate: the values of the formulas by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>

#include "train/schedule.h"

static void expect(const trine_schedule *s, int64_t step, double rate)
{
    const double got = trine_schedule_rate(s, step);
    if (fabs(got - rate) > 1e-12) fail_msg("step %lld: %.15g, expected %.15g", (long long)step, got, rate);
}

static void warm_up_is_linear(void **state)
{
    (void)state;
    for (int d = TRINE_DECAY_COSINE; d <= TRINE_DECAY_CONSTANT; d++) {
        const trine_schedule s = { .decay = (trine_decay)d, .rate = 1, .floor = 0.1, .warmup = 4, .steps = 20 };
        for (int step = 0; step < 4; step++) expect(&s, step, (step + 1) / 5.0);
        expect(&s, 4, 1);
    }
}

static void decays_are_their_formulas(void **state)
{
    (void)state;
    trine_schedule s = { .decay = TRINE_DECAY_COSINE, .rate = 1, .floor = 0.1, .warmup = 4, .steps = 20 };
    expect(&s, 12, 0.55);
    expect(&s, 8, 0.1 + 0.9 * (1 + sqrt(0.5)) / 2);
    expect(&s, 20, 0.1);
    expect(&s, 99, 0.1);
    s.decay = TRINE_DECAY_LINEAR;
    expect(&s, 12, 0.55);
    expect(&s, 16, 0.325);
    expect(&s, 20, 0.1);
    s.decay = TRINE_DECAY_INVERSE_ROOT;
    expect(&s, 16, 0.5);
    s.decay = TRINE_DECAY_CONSTANT;
    expect(&s, 19, 1);
    s = (trine_schedule) { .decay = TRINE_DECAY_INVERSE_ROOT, .rate = 1 };
    expect(&s, 0, 1);
    expect(&s, 3, 0.5);
    s = (trine_schedule) { .decay = TRINE_DECAY_LINEAR, .rate = 1, .steps = 4 };
    expect(&s, 0, 1);
    expect(&s, 3, 0.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(warm_up_is_linear), cmocka_unit_test(decays_are_their_formulas) };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
