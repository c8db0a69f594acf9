/* softmax_loss.c - the last product of a head with softmax and cross-entropy, forward and backward at once.
 *
 * Rows go by chunks: their logits, which become the loss and then its gradient where they lie, d W, d b and d x. A chunk's logits
 * are a few times ten megabytes at most, where those of all rows would be the largest matrix of a step by far; and W is read
 * once for some hundred rows. */
#include <math.h>

#include "base/size.h"
#include "blocks/linear.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

enum {
    CHUNK_BYTES = 52 << 20, /* of logits: 256 rows of GPT-2's vocabulary */
    MOST_ROWS = 512,        /* in a chunk */
    LEAST_ROWS = 32,
    PART = 1024, /* exponentials that are summed in f32 before they are added in double */
};

typedef struct chunk {
    const trine_kernels *kernels;
    trine_mat z; /* logits, without their scale; then their gradient */
    const int32_t *labels;
    const float *weights;
    double *losses;
    float logit_scale, smoothing, scale;
} chunk;

static double sum_of(const float *x, size_t n)
{
    double sums[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t lane = 0; lane < 8; lane++) sums[lane] += (double)x[i + lane];
    for (; i < n; i++) sums[0] += (double)x[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* d loss / d z_j = softmax(z)_j - (1 - smoothing) [j is the label] - smoothing / n, times weight and scales. */
static void score_row(const chunk *c, int row)
{
    const size_t n = (size_t)c->z.cols;
    float *z = trine_row(c->z, row);
    const int label = c->labels[row];
    c->losses[row] = 0;
    if (label < 0) {
        for (size_t j = 0; j < n; j++) z[j] = 0;
        return;
    }
    if (c->logit_scale != 1.0f) c->kernels->scale(z, c->logit_scale, n);
    const double smoothing = (double)c->smoothing, weight = c->weights ? (double)c->weights[row] : 1;
    const float max = c->kernels->max(z, n);
    double target = (1 - smoothing) * (double)z[label], sum = 0;
    if (smoothing > 0) target += smoothing * sum_of(z, n) / (double)n;
    for (size_t j = 0; j < n; j += PART) sum += (double)c->kernels->exp_sum(z + j, max, n - j < PART ? n - j : PART);
    c->losses[row] = weight * ((double)max + log(sum) - target);
    const double factor = weight * (double)c->scale * (double)c->logit_scale;
    c->kernels->scale(z, (float)(factor / sum), n);
    if (smoothing > 0) {
        const float each = (float)(factor * smoothing / (double)n);
        for (size_t j = 0; j < n; j++) z[j] -= each;
    }
    z[label] -= (float)(factor * (1 - smoothing));
}

static void score_rows(const void *user, int first, int n, int thread)
{
    (void)thread;
    for (int i = first; i < first + n; i++) score_row(user, i);
}

static bool labels_fit(trine_pass *p, const int32_t *labels, int rows, int n)
{
    for (int i = 0; i < rows; i++)
        if (labels[i] >= n) {
            trine_pass_fail(p, TRINE_ERROR_ARGUMENT, "loss: label %d of row %d, the head has %d", (int)labels[i], i, n);
            return false;
        }
    return true;
}

static trine_mat some_rows(trine_mat x, int first, int n)
{
    return (trine_mat) { .data = x.data ? trine_row(x, first) : NULL, .rows = n, .cols = x.cols };
}

void trine_softmax_loss(trine_pass *p, double *loss, const int32_t *labels, const float *weights, float smoothing, float scale)
{
    *loss = 0;
    const trine_tape *tape = p->tape;
    if (p->failed) return;
    if (!tape || !tape->logits_w) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "loss: no head has left its logits on a tape");
        return;
    }
    const trine_weight *w = tape->logits_w, used = trine_linear_weight(p, w);
    const trine_mat x = tape->logits_x;
    if (trine_pass_computes(p) && !labels_fit(p, labels, x.rows, w->rows)) return;
    const bool learns = trine_value_wanted(x) || trine_learns(p, w->data) || trine_learns(p, w->bias);
    bool fresh;
    const trine_mat dx = trine_grad_for(p, x, &fresh);
    const size_t mark = trine_arena_mark(p->arena);
    const int fit = (int)(CHUNK_BYTES / ((size_t)trine_max_int(1, w->rows) * sizeof(float)));
    const int most = trine_min_int(x.rows, trine_max_int(LEAST_ROWS, trine_min_int(MOST_ROWS, fit)));
    /* Chunks of one size; measured as the largest, for fewer rows in all may have larger ones. */
    const int n_chunks = most ? (x.rows + most - 1) / most : 1;
    const int rows = p->arena->measuring ? most : (x.rows + n_chunks - 1) / n_chunks;
    trine_mat z = trine_mat_new(p, most, w->rows);
    double *losses = trine_pass_alloc(p, (size_t)most, sizeof *losses);
    for (int first = 0; first < x.rows && !p->failed; first += rows) {
        const int n = trine_min_int(rows, x.rows - first);
        const trine_mat part = some_rows(x, first, n);
        z.rows = n;
        trine_linear_into(p, z, part, &used);
        if (trine_pass_computes(p)) {
            const chunk c = { p->kernels,         z,         labels + first, weights ? weights + first : NULL, losses,
                              tape->logits_scale, smoothing, scale };
            trine_for_rows(p, n, 8.0 * w->rows, score_rows, &c);
            for (int i = 0; i < n; i++) *loss += losses[i];
        }
        if (learns) trine_linear_gradients(p, dx.rows ? some_rows(dx, first, n) : dx, !fresh, part, &w, &z, 1);
    }
    trine_arena_release(p->arena, mark);
}
