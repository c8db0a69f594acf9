/* decoder_head.c - what stands on a decoder, as transformers' classes have it: the next word, a label a text, a label a token. */
#include "models/model.h"

trine_mat trine_decoder_head(const trine_model *m, trine_pass *p, trine_mat states, const trine_weight *out)
{
    const trine_head head = m->info.head;
    trine_mat x = head == TRINE_HEAD_LABELS ? trine_last_rows(p, states, m->info.pad)
                                            : trine_take_rows(p, states, p->batch->out_rows, p->batch->n_out);
    if (head == TRINE_HEAD_TAGS) x = trine_dropout(p, x);
    return head == TRINE_HEAD_NONE ? x : trine_logits(p, x, out, 1);
}
