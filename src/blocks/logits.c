/* logits.c - the last product of a head, which a tape leaves to the loss. */
#include "blocks/rows.h"
#include "blocks/tape.h"

trine_mat trine_logits(trine_pass *p, trine_mat x, const trine_weight *w, float scale)
{
    if (trine_pass_notes(p)) {
        p->tape->logits_x = x;
        p->tape->logits_w = w;
        p->tape->logits_scale = scale;
        return (trine_mat) { .rows = x.rows, .cols = w->rows };
    }
    trine_mat y = trine_linear(p, x, w);
    if (scale != 1.0f) trine_scale_in_place(p, y, scale);
    return y;
}
