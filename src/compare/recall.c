/* recall.c - see recall.h. */
#include "compare/recall.h"

#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "models/model.h"
#include "tasks/task_parts.h"

enum { MOST = 128 };

static int likeliest(const float *logits, int vocab)
{
    int best = 0;
    for (int i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* What the model says behind the first `split` ids; its logits are borrowed from the session. */
static trine_status ask_writer(int *said, trine_session *s, const int32_t *ids, int split, trine_error *err)
{
    const bool sourced = s->model->info.paradigm == TRINE_ENCODER_DECODER;
    const int32_t pad = TRINE_WORLD_PAD;
    int32_t text[MOST + 1] = { TRINE_WORLD_BOS };
    memcpy(text + 1, ids, (size_t)split * sizeof *ids);
    trine_sequence *q;
    trine_status status = trine_sequence_open(&q, s, err);
    if (!status && sourced) status = trine_sequence_source(q, ids, split, err);
    if (!status) status = sourced ? trine_sequence_feed(q, &pad, 1, err) : trine_sequence_feed(q, text, split + 1, err);
    if (!status) *said = likeliest(trine_sequence_logits(q), s->model->info.vocab);
    trine_sequence_close(q);
    return status;
}

static trine_status ask_encoder(int *said, trine_session *s, const int32_t *ids, int split, int blanks, trine_error *err)
{
    int32_t text[2 * MOST + 2] = { TRINE_WORLD_CLS };
    int n = 1;
    for (int i = 0; i < split; i++) text[n++] = ids[i];
    for (int i = 0; i < blanks && n < 2 * MOST + 1; i++) text[n++] = TRINE_WORLD_MASK;
    text[n++] = TRINE_WORLD_SEP;
    trine_task_parts parts = { 0 };
    trine_mat logits;
    const trine_task_options raw = { .ids = text, .n_ids = n };
    const int32_t row = split + 1;
    trine_status status = trine_task_parts_add(&parts, s, "compare", NULL, 0, &raw, err);
    if (!status) status = trine_task_parts_head(&logits, s, &parts, 0, 1, &row, 1, err);
    if (!status) *said = likeliest(logits.data, s->model->info.vocab);
    trine_task_parts_clear(&parts);
    return status;
}

trine_status trine_recall_accuracy(double *share, trine_model *model, const trine_world_set *set, int n_threads, trine_error *err)
{
    trine_session *s;
    int longest = 1; /* question, blanks, and a token at each end */
    for (int64_t i = 0; i < set->n; i++) longest = trine_max_int(longest, set->splits[i] + trine_world_blanks(set, i) + 2);
    const trine_session_options options = {
        .n_threads = n_threads, .ctx = longest, .batch_tokens = longest, .logit_rows = 1, .cache_type = TRINE_F32
    };
    trine_status status = trine_session_open(&s, model, &options, err);
    int64_t right = 0;
    for (int64_t i = 0; i < set->n && !status; i++) {
        const int32_t *ids = set->ids + set->starts[i];
        const int split = set->splits[i];
        int said = -1;
        if (split < 1 || split >= MOST)
            status = trine_fail(err, TRINE_ERROR_INTERNAL, "compare: text %lld of recall asks nothing", (long long)i);
        else if (model->info.paradigm == TRINE_ENCODER)
            status = ask_encoder(&said, s, ids, split, trine_world_blanks(set, i), err);
        else
            status = ask_writer(&said, s, ids, split, err);
        right += said == ids[split];
    }
    trine_session_close(s);
    *share = set->n ? (double)right / (double)set->n : 0;
    return status;
}
