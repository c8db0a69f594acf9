#include "support/open_params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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

trine_params *bare_params(const trine_param *tensors, int n, bool bf16)
{
    trine_params *p = calloc(1, sizeof *p);
    p->n_tensors = n;
    p->tensors = calloc((size_t)n, sizeof *p->tensors);
    for (int i = 0; i < n; i++) {
        trine_param *t = &p->tensors[i];
        *t = tensors[i];
        t->name = strdup("tensor");
        if (t->step == 0) t->step = 1;
        t->offset = p->n;
        t->n = (size_t)t->shape[0] * (size_t)(t->n_dims > 1 ? t->shape[1] : 1);
        p->n += (t->n + 15) / 16 * 16;
    }
    p->state_n = p->n;
    p->values = calloc(p->n, sizeof(float));
    p->grads = calloc(p->n, sizeof(float));
    p->m = calloc(p->n, sizeof(float));
    p->v = calloc(p->n, sizeof(float));
    if (bf16) p->bf16 = calloc(p->n, sizeof(uint16_t));
    return p;
}
