/* test_scaling_fit.c - the law's constants come out of noisy runs, within their intervals; what runs cannot tell is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/counter_random.h"
#include "support/alloc.h"
#include "support/temp.h"
#include "trine.h"

typedef struct constants {
    double E, A, alpha, B, beta;
} constants;

static const constants hoffmann = { 1.69, 406.4, 0.34, 410.7, 0.28 };   /* Hoffmann et al. 2022, eq. 10 */
static const constants besiroglu = { 1.82, 482.0, 0.35, 2085.4, 0.37 }; /* arXiv 2404.10102 */
static const constants small = { 2.1, 60, 0.45, 300, 0.5 };             /* as models of 10^4 to 10^6 parameters behave */

/* A standard normal number (Box and Muller). */
static double noise(uint64_t key, int i)
{
    const double u = trine_random_unit(key, 2 * (uint64_t)i) + 1e-12, v = trine_random_unit(key, 2 * (uint64_t)i + 1);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* Runs at every pair of sizes and budgets, evenly apart in their logarithms; log loss has Gaussian noise of `sigma`. */
static int make_runs(trine_scaling_run *runs, const constants *c, int n_sizes, int n_budgets, const double range[4], double sigma,
                     uint64_t seed)
{
    const uint64_t key = trine_random_key(seed, 1);
    int n = 0;
    for (int i = 0; i < n_sizes; i++)
        for (int k = 0; k < n_budgets; k++, n++) {
            const double size = range[0] * pow(range[1] / range[0], n_sizes > 1 ? (double)i / (n_sizes - 1) : 0);
            const double budget = range[2] * pow(range[3] / range[2], n_budgets > 1 ? (double)k / (n_budgets - 1) : 0);
            const double loss = c->E + c->A * pow(size, -c->alpha) + c->B * pow(budget, -c->beta);
            runs[n] = (trine_scaling_run) { size, budget, loss * exp(sigma * noise(key, n)), 0 };
        }
    return n;
}

static const double large_range[4] = { 5e7, 1.6e10, 1e9, 3e11 }, small_range[4] = { 1e4, 1e6, 1e5, 1e7 };

static bool within(const trine_estimate *e, double truth) { return truth >= e->low && truth <= e->high; }

/* How many of the six numbers have the truth in their interval. */
static int count_within(const trine_scaling_law *law, const constants *c)
{
    return within(&law->E, c->E) + within(&law->A, c->A) + within(&law->alpha, c->alpha) + within(&law->B, c->B) +
           within(&law->beta, c->beta) + within(&law->exponent, c->beta / (c->alpha + c->beta));
}

static void exact_runs_give_the_constants(void **state)
{
    (void)state;
    const constants *all[] = { &hoffmann, &besiroglu, &small };
    for (int i = 0; i < 3; i++) {
        trine_scaling_run runs[64];
        trine_scaling_law law;
        const trine_scaling_options once = { .n_bootstrap = -1 };
        const int n = make_runs(runs, all[i], 6, 5, i < 2 ? large_range : small_range, 0, 1);
        assert_int_equal(trine_scaling_fit(&law, runs, n, &once, NULL), TRINE_OK);
        assert_float_equal(law.E.value, all[i]->E, 2e-3);
        assert_float_equal(law.alpha.value, all[i]->alpha, 2e-3);
        assert_float_equal(law.beta.value, all[i]->beta, 2e-3);
        assert_float_equal(law.A.value / all[i]->A, 1, 0.04); /* a change of alpha by 0.002 is one of A by 4% at 10^8 */
        assert_float_equal(law.B.value / all[i]->B, 1, 0.04);
        assert_true(law.determined);
        assert_float_equal(trine_scaling_loss(&law, runs[3].parameters, runs[3].tokens), runs[3].loss, 1e-3);
        trine_scaling_law_clear(&law);
    }
}

/* Six numbers of three laws at each of four seeds: 72 intervals of 95%. Numbers of one fit err together, so that some three of twelve
 * fits may miss; intervals that were too narrow by half would miss in most. */
static void noisy_runs_hold_the_constants_in_their_intervals(void **state)
{
    (void)state;
    const constants *all[] = { &hoffmann, &besiroglu, &small };
    int held = 0;
    for (int i = 0; i < 3; i++)
        for (uint64_t seed = 1; seed <= 4; seed++) {
            trine_scaling_run runs[64];
            trine_scaling_law law;
            const trine_scaling_options options = { .n_bootstrap = 200, .seed = seed };
            const int n = make_runs(runs, all[i], 6, 4, i < 2 ? large_range : small_range, 0.005, seed);
            assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
            held += count_within(&law, all[i]);
            assert_int_equal(law.alpha.how, TRINE_DETERMINED);
            assert_int_equal(law.beta.how, TRINE_DETERMINED);
            trine_scaling_law_clear(&law);
        }
    assert_in_range(held, 60, 72);
}

static void outliers_do_not_move_it(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    trine_scaling_law law;
    const trine_scaling_options once = { .n_bootstrap = -1 };
    const int n = make_runs(runs, &hoffmann, 7, 5, large_range, 0.002, 3);
    runs[4].loss *= 1.5; /* runs that diverged */
    runs[20].loss *= 2;
    assert_int_equal(trine_scaling_fit(&law, runs, n, &once, NULL), TRINE_OK);
    assert_float_equal(law.E.value, hoffmann.E, 0.1);
    assert_float_equal(law.alpha.value, hoffmann.alpha, 0.03);
    assert_float_equal(law.beta.value, hoffmann.beta, 0.03);
    trine_scaling_law_clear(&law);
}

static void threads_do_not_change_it(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    trine_scaling_law law[2];
    const int n = make_runs(runs, &hoffmann, 6, 3, large_range, 0.01, 5);
    for (int i = 0; i < 2; i++) {
        const trine_scaling_options options = { .n_bootstrap = 40, .seed = 9, .n_threads = 1 + 2 * i };
        assert_int_equal(trine_scaling_fit(&law[i], runs, n, &options, NULL), TRINE_OK);
    }
    assert_memory_equal(&law[0].E, &law[1].E, sizeof law[0].E);
    assert_memory_equal(&law[0].exponent, &law[1].exponent, sizeof law[0].exponent);
    for (int i = 0; i < 2; i++) trine_scaling_law_clear(&law[i]);
}

static void assert_undetermined(const trine_estimate *e, const char *why)
{
    assert_int_equal(e->how, TRINE_UNDETERMINED);
    if (!strstr(e->why, why)) fail_msg("'%s' does not say '%s'", e->why, why);
}

static void what_runs_cannot_tell_is_said(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    trine_scaling_law law;
    const trine_scaling_options options = { .n_bootstrap = 60 };
    int n = make_runs(runs, &hoffmann, 2, 2, large_range, 0.001, 1); /* four runs */
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_undetermined(&law.E, "4 runs for 5 unknowns");
    assert_undetermined(&law.alpha, "4 runs for 5 unknowns");
    assert_undetermined(&law.exponent, "4 runs for 5 unknowns");
    assert_false(law.determined);
    trine_scaling_law_clear(&law);

    n = make_runs(runs, &hoffmann, 2, 6, large_range, 0.001, 1); /* two sizes */
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_undetermined(&law.alpha, "only 2 different sizes");
    assert_undetermined(&law.A, "only 2 different sizes");
    assert_int_equal(law.n_budgets, 6);
    trine_scaling_law_clear(&law);

    n = make_runs(runs, &hoffmann, 6, 1, large_range, 0.001, 1); /* one budget */
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_undetermined(&law.beta, "only 1 different numbers of tokens");
    trine_scaling_law_clear(&law);

    n = make_runs(runs, &hoffmann, 12, 1, large_range, 0.001, 1); /* D = 20 N in every run */
    for (int i = 0; i < n; i++) {
        runs[i].tokens = 20 * runs[i].parameters;
        runs[i].loss = hoffmann.E + hoffmann.A * pow(runs[i].parameters, -0.34) + hoffmann.B * pow(runs[i].tokens, -0.28);
    }
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_undetermined(&law.alpha, "grow together");
    trine_scaling_law_clear(&law);

    const double near[4] = { 1e8, 1.5e8, 1e9, 3e11 }; /* sizes so near that noise hides what they do */
    n = make_runs(runs, &hoffmann, 4, 5, near, 0.02, 2);
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_int_equal(law.alpha.how, TRINE_UNDETERMINED);
    assert_int_equal(law.exponent.how, TRINE_UNDETERMINED);
    trine_scaling_law_clear(&law);
}

static void the_frontier_is_the_least_of_the_law(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    trine_scaling_law law;
    const trine_scaling_options options = { .n_bootstrap = 20 };
    const int n = make_runs(runs, &hoffmann, 6, 4, large_range, 0.002, 1);
    for (int i = 0; i < n; i++) runs[i].flops = 3 * runs[i].parameters * runs[i].tokens; /* an encoder-decoder's */
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_OK);
    assert_float_equal(law.flops_per, 3, 1e-9);
    assert_true(law.n_frontier > 10);
    for (int i = 0; i < law.n_frontier; i++) {
        const double p = law.best_parameters[i], t = law.best_tokens[i];
        assert_float_equal(3 * p * t / law.compute[i], 1, 1e-9);
        assert_true(law.best_loss[i] <= trine_scaling_loss(&law, p * 1.05, t / 1.05));
        assert_true(law.best_loss[i] <= trine_scaling_loss(&law, p / 1.05, t * 1.05));
        assert_true(law.loss_low[i] <= law.best_loss[i] + 1e-9 || law.loss_low[i] <= law.loss_high[i]);
    }
    trine_scaling_law_clear(&law);
}

static void bad_runs_are_refused(void **state)
{
    (void)state;
    trine_scaling_law law;
    trine_error err;
    trine_scaling_run runs[2] = { { 1e6, 1e7, 3, 0 }, { 1e6, 1e7, NAN, 0 } };
    assert_int_equal(trine_scaling_fit(&law, runs, 0, NULL, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_scaling_fit(&law, runs, 2, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "loss of run 2"));
    runs[1] = (trine_scaling_run) { -1, 1e7, 3, 0 };
    assert_int_equal(trine_scaling_fit(&law, runs, 2, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "parameters of run 2"));
    runs[1] = (trine_scaling_run) { 1, 1e7, 3, INFINITY };
    assert_int_equal(trine_scaling_fit(&law, runs, 2, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "flops of run 2"));
    runs[1] = runs[0];
    const trine_scaling_options bad = { .confidence = 1 };
    assert_int_equal(trine_scaling_fit(&law, runs, 2, &bad, &err), TRINE_ERROR_ARGUMENT);
}

static bool stop(void *user, int done, int total)
{
    (void)user;
    (void)total;
    return done < 30;
}

static void it_can_be_stopped(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    trine_scaling_law law;
    const trine_scaling_options options = { .on_progress = stop };
    const int n = make_runs(runs, &hoffmann, 6, 3, large_range, 0.01, 5);
    assert_int_equal(trine_scaling_fit(&law, runs, n, &options, NULL), TRINE_ERROR_CANCELLED);
}

static trine_status read_text(trine_scaling_run **runs, int *n, const char *text, trine_error *err)
{
    return trine_scaling_read(runs, n, temp_write("runs.csv", text, strlen(text)), err);
}

static void tables_are_read_by_their_header(void **state)
{
    (void)state;
    trine_scaling_run *runs;
    int n;
    trine_error err;
    assert_int_equal(read_text(&runs, &n, "loss,seed,D,N\n3.5,1,1e9,\"5e7\"\r\n2.5,2,2e9,6e7\n", &err), TRINE_OK);
    assert_int_equal(n, 2);
    assert_true(runs[0].parameters == 5e7 && runs[0].tokens == 1e9 && runs[0].loss == 3.5 && runs[0].flops == 0);
    trine_free(runs);
    assert_int_equal(read_text(&runs, &n, "parameters,tokens,loss,flops\n10,20,3,1200\n10,40,2,\n", &err), TRINE_OK);
    assert_true(runs[0].flops == 1200 && runs[1].flops == 0);
    trine_free(runs);
    assert_int_equal(read_text(&runs, &n, "{\"N\": 10, \"D\": 20.5, \"L\": 1.25}\n", &err), TRINE_OK);
    assert_true(runs[0].tokens == 20.5 && runs[0].loss == 1.25);
    trine_free(runs);
}

static void broken_tables_are_told_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        trine_status status;
    } cases[] = {
        { "N,D,loss\n1,2,3\n1,x,3\n", "line 3: the number of tokens is 'x'", TRINE_ERROR_FORMAT },
        { "N,D,loss\n1,2,nan\n", "line 2: the loss is 'nan'", TRINE_ERROR_FORMAT },
        { "N,D,loss\n1,2,inf\n", "line 2: the loss is 'inf'", TRINE_ERROR_FORMAT },
        { "N,D,loss\n-1,2,3\n", "line 2: the number of parameters is '-1'", TRINE_ERROR_FORMAT },
        { "N,D,loss\n1e999,2,3\n", "line 2: the number of parameters", TRINE_ERROR_FORMAT },
        { "N,D,loss\n1,2\n", "line 2: 2 columns, and the header has 3", TRINE_ERROR_FORMAT },
        { "N,D,loss\n1,,3\n", "line 2: the number of tokens is ''", TRINE_ERROR_FORMAT },
        { "N,D,loss,C\n1,2,3,4z\n", "line 2: the flops is '4z'", TRINE_ERROR_FORMAT },
        { "N,D\n1,2\n", "no column for the loss", TRINE_ERROR_FORMAT },
        { "N,D,loss\n", "no run below it", TRINE_ERROR_EMPTY },
        { "", "empty", TRINE_ERROR_FORMAT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trine_scaling_run *runs;
        int n;
        trine_error err = { 0 };
        assert_int_equal(read_text(&runs, &n, cases[i].text, &err), cases[i].status);
        assert_null(runs);
        if (!strstr(err.text, cases[i].says)) fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
}

static void no_memory_is_told(void **state)
{
    (void)state;
    trine_scaling_run runs[64];
    const trine_scaling_options options = { .n_bootstrap = 2, .n_threads = 1 };
    const int n = make_runs(runs, &hoffmann, 3, 3, large_range, 0.01, 5);
    for (long k = 1;; k++) {
        trine_report *report;
        alloc_fail_at(k);
        const trine_status status = trine_scaling_tell(&report, "runs", runs, n, &options, NULL);
        alloc_fail_at(0);
        if (!status) {
            trine_report_close(report);
            break;
        }
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_runs_give_the_constants),
        cmocka_unit_test(noisy_runs_hold_the_constants_in_their_intervals),
        cmocka_unit_test(outliers_do_not_move_it),
        cmocka_unit_test(threads_do_not_change_it),
        cmocka_unit_test(what_runs_cannot_tell_is_said),
        cmocka_unit_test(the_frontier_is_the_least_of_the_law),
        cmocka_unit_test(bad_runs_are_refused),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(tables_are_read_by_their_header),
        cmocka_unit_test(broken_tables_are_told_by_line),
        cmocka_unit_test(no_memory_is_told),
    };
    temp_make();
    const int failed = cmocka_run_group_tests_name("scaling_fit", tests, NULL, NULL);
    temp_remove();
    return failed;
}
