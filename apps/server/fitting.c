/* fitting.c - POST /fit: a scaling law through the runs of a request, and the loss that it expects of one more. The law is fitted as
 * `trine fit` does, without intervals: resampling is for a report, this is for an answer at once. */
#include <math.h>
#include <stdlib.h>

#include "routes.h"

enum { FIT_RUNS = 500 };
#define FIT_MOST 1e18 /* of parameters and tokens */

static void read_runs(exchange *x, const json_t *list, trine_scaling_run *fitted, int n)
{
    for (int i = 0; i < n && !x->failed; i++) {
        const json_t *one = json_array_get(list, (size_t)i);
        if (!json_is_object(one)) {
            fail_request(x, 400, "runs", NULL, "'runs' must hold objects of parameters, tokens and loss");
            return;
        }
        fitted[i] = (trine_scaling_run) { .parameters = get_real(x, one, "parameters", 1, FIT_MOST, NAN),
                                          .tokens = get_real(x, one, "tokens", 1, FIT_MOST, NAN),
                                          .loss = get_real(x, one, "loss", 1e-6, 1e6, NAN) };
        if (!x->failed && (isnan(fitted[i].parameters) || isnan(fitted[i].tokens) || isnan(fitted[i].loss)))
            fail_request(x, 400, "runs", NULL, "run %d of 'runs' lacks parameters, tokens or loss", i + 1);
    }
}

static void write_law(exchange *x, const trine_scaling_law *law, double parameters, double tokens)
{
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_int(&j, "runs", law->n_runs);
    jw_set_real(&j, "E", law->E.value);
    jw_set_real(&j, "A", law->A.value);
    jw_set_real(&j, "alpha", law->alpha.value);
    jw_set_real(&j, "B", law->B.value);
    jw_set_real(&j, "beta", law->beta.value);
    jw_set_real(&j, "median_residual", law->residual);
    if (parameters > 0 && tokens > 0) jw_set_real(&j, "predicted", trine_scaling_loss(law, parameters, tokens));
    jw_close(&j, '}');
}

void answer_fit(exchange *x)
{
    const json_t *list = get(x->in, "runs");
    const int n = json_is_array(list) ? (int)json_array_size(list) : 0;
    const double parameters = get_real(x, x->in, "parameters", 1, FIT_MOST, 0);
    const double tokens = get_real(x, x->in, "tokens", 1, FIT_MOST, 0);
    if (!x->failed && (n < 1 || n > FIT_RUNS))
        fail_request(x, 400, "runs", NULL, "'runs' must be a list of 1 to %d runs", FIT_RUNS);
    if (x->failed) return;
    trine_scaling_run *fitted = calloc((size_t)n, sizeof *fitted);
    if (!fitted) {
        fail_no_memory(x);
        return;
    }
    read_runs(x, list, fitted, n);
    if (!x->failed) {
        trine_scaling_law law;
        trine_error err = { 0 };
        const trine_scaling_options options = { .n_bootstrap = -1, .n_threads = 1 };
        const trine_status status = trine_scaling_fit(&law, fitted, n, &options, &err);
        if (status)
            fail_job(x, status, &err);
        else
            write_law(x, &law, parameters, tokens);
        trine_scaling_law_clear(&law);
    }
    free(fitted);
}
