/* eval_mlm.c - how well a masked language model fills gaps: each line of the file is a text; 15% of its tokens (Devlin et al.
 * 2019), one at least, chosen by the seed, become the mask token, and the loss and the first guess at each are counted. Unlike
 * in training, a chosen token is always masked: never kept, never replaced. Longer lines go in parts. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "tasks/task_parts.h"

enum { GROUP = 64 }; /* lines tokenised before passes are made of them */

static uint64_t next_random(uint64_t *state) /* splitmix64 (Steele et al. 2014) */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

typedef struct masking {
    trine_session *s;
    trine_beside *beside; /* or NULL */
    int32_t mask;
    uint64_t random;
    int32_t *rows, *gold; /* [rows_cap] of one pass */
    int64_t n, right;
    double loss;
    int64_t n_groups; /* so far: masks are chosen in all, and scored in those of this rank */
} masking;

/* Masks tokens of one part whose rows begin at `row`; returns how many. */
static int hide(masking *m, trine_task_part *p, int row, int at)
{
    int n = 0, n_left = 0;
    for (int i = 0; i < p->n; i++) n_left += !p->special[i];
    const int forced = n_left ? (int)(next_random(&m->random) % (uint64_t)n_left) : -1;
    for (int round = 0; round < 2 && !n; round++) /* the second takes the forced one, when chance took none */
        for (int i = 0, k = 0; i < p->n; i++) {
            if (p->special[i]) continue;
            const bool take = round ? k == forced : (double)(next_random(&m->random) >> 11) * 0x1p-53 < 0.15;
            k++;
            if (!take) continue;
            m->rows[at + n] = row + i;
            m->gold[at + n++] = p->ids[i];
            p->ids[i] = m->mask;
        }
    return n;
}

static trine_status score_pass(masking *m, const trine_task_parts *parts, int first, int n_parts, int n, trine_error *err)
{
    trine_beside *b = m->beside;
    const int vocab = m->s->model->info.vocab, own = m->s->options.logit_rows;
    const int most = b ? trine_min_int(own, b->s->options.logit_rows) : own;
    trine_status status = TRINE_OK;
    for (int from = 0, rows; from < n && !status; from += rows) {
        trine_mat logits, other = { 0 };
        rows = trine_min_int(most, n - from);
        status = trine_task_parts_head(&logits, m->s, parts, first, n_parts, m->rows + from, rows, err);
        if (!status && b) status = trine_task_parts_head(&other, b->s, parts, first, n_parts, m->rows + from, rows, err);
        for (int i = 0; i < rows && !status; i++) {
            const float *x = logits.data + (size_t)i * vocab;
            const int32_t gold = m->gold[from + i];
            double loss;
            status = trine_eval_loss(&loss, m->s, x, vocab, gold, err);
            if (!status && b) status = trine_beside_add(b, x, other.data + (size_t)i * vocab, vocab, gold, err);
            int best = 0;
            for (int id = 1; id < vocab; id++)
                if (x[id] > x[best]) best = id;
            m->loss += loss;
            m->right += best == gold;
            m->n++;
        }
    }
    return status;
}

static trine_status score_parts(masking *m, trine_task_parts *parts, const trine_eval_options *o, trine_error *err)
{
    const bool own = trine_eval_own(o, m->n_groups++);
    trine_status status = TRINE_OK;
    for (int first = 0, n_parts; first < parts->n && !status; first += n_parts) {
        int n = 0, row = 0;
        n_parts = trine_task_parts_in_pass(parts, first, m->s);
        if (m->beside) n_parts = trine_min_int(n_parts, trine_task_parts_in_pass(parts, first, m->beside->s));
        for (int i = 0; i < n_parts; i++) {
            n += hide(m, &parts->items[first + i], row, n);
            row += parts->items[first + i].n;
        }
        if (own) status = score_pass(m, parts, first, n_parts, n, err);
    }
    trine_task_parts_clear(parts);
    return status;
}

static trine_status read_lines(masking *m, trine_eval_result *out, char *text, const char *path, const trine_eval_options *o,
                               trine_error *err)
{
    trine_task_options options = { .too_long = TRINE_LONG_CHUNK };
    if (o->too_long) options.too_long = o->too_long;
    trine_task_parts parts = { 0 };
    trine_status status = TRINE_OK;
    int line = 0;
    for (char *next = text; next && *next && !status && (!o->limit || out->n_examples < o->limit);) {
        char *start = next, *end = strchr(start, '\n');
        next = end ? end + 1 : NULL;
        if (end) *end = 0;
        line++;
        if (!start[strspn(start, " \t\r")]) continue;
        status = trine_task_parts_add(&parts, m->s, "eval", start, 0, &options, err);
        if (status == TRINE_ERROR_EMPTY) { /* nothing but characters that the tokenizer drops */
            status = TRINE_OK;
            continue;
        }
        if (status) return trine_task_parts_clear(&parts), trine_fail_in(err, status, "%s, line %d", path, line);
        out->n_examples++;
        if (out->n_examples % GROUP == 0) {
            status = score_parts(m, &parts, o, err);
            if (!status) status = trine_eval_progress(o, out->n_examples, o->limit, err);
        }
    }
    if (!status) status = score_parts(m, &parts, o, err);
    trine_task_parts_clear(&parts);
    return status;
}

trine_status trine_eval_mlm_beside(trine_eval_result *out, trine_session *s, trine_beside *beside, const char *path,
                                   const trine_eval_options *o, trine_error *err)
{
    trine_status status = trine_task_needs_head(s, "eval", TRINE_HEAD_MLM, err);
    if (status) return status;
    masking m = {
        .s = s, .beside = beside, .mask = trine_tokenizer_special(s->model->tokenizer, TRINE_TOKEN_MASK), .random = o->seed
    };
    if (m.mask < 0) return trine_fail(err, TRINE_ERROR_NOT_FOUND, "eval: this tokenizer names no mask token");
    char *data, *text;
    size_t bytes;
    if ((status = trine_text_read(&data, &text, &bytes, path, err))) return status;
    m.rows = malloc((size_t)s->rows_cap * sizeof *m.rows);
    m.gold = malloc((size_t)s->rows_cap * sizeof *m.gold);
    status = m.rows && m.gold ? read_lines(&m, out, text, path, o, err)
                              : trine_fail(err, TRINE_ERROR_MEMORY, "eval: no memory for %d tokens", s->rows_cap);
    free(m.rows);
    free(m.gold);
    free(data);
    int64_t told[] = { m.n, m.right };
    status = trine_eval_together(o, status, told, 2, &m.loss, 1, err);
    m.n = told[0];
    m.right = told[1];
    if (!status && !m.n) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: the file has no tokens to mask", path);
    if (status) return status;
    out->accuracy = (double)m.right / (double)m.n;
    out->loss = m.loss / (double)m.n;
    out->n_tokens = m.n;
    return TRINE_OK;
}

trine_status trine_eval_mlm(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                            trine_error *err)
{
    return trine_eval_mlm_beside(out, s, NULL, path, o, err);
}
