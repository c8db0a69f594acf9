/* look.c - what a model shows of itself while it runs, when a tracer asks. */
#include "models/model.h"

/* The logit lens (nostalgebraist 2020) reads each layer's state as if it were the last: through the final norm, which the caller
 * has applied where the family has one, and the head. Its temporaries are given back at once. */
void trine_model_look(const trine_model *m, trine_pass *p, int layer, trine_mat state, trine_mat normed)
{
    if (!p->tracer || p->failed) return;
    if (p->tracer->hidden) trine_pass_trace(p, "hidden", layer, state);
    if (!p->tracer->lens || m->info.head == TRINE_HEAD_NONE) return;
    const size_t mark = trine_pass_mark(p);
    trine_pass_trace(p, "lens", layer, m->family->head(m, p, normed));
    trine_pass_release(p, mark);
}
