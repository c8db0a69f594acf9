#include "support/open_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>

#include "support/open_fixture.h"

trine_params *open_params(trine_model **model, const trine_params_options *options)
{
    trine_params *p;
    trine_error err;
    check_ok(trine_params_open(&p, model, options, &err), &err);
    return p;
}

runner_output run_seven(const trine_model *m)
{
    int32_t ids[7], decoder_ids[3];
    make_ids(ids, 7, m, 5);
    make_ids(decoder_ids, 3, m, 6);
    const runner_text text = { .ids = ids, .n = 7, .decoder_ids = decoder_ids, .n_decoder = 3 };
    runner_options options = { 0 };
    runner_output out;
    trine_error err;
    check_ok(runner_run(&out, m, &text, 1, &options, &err), &err);
    return out;
}
