/* contrast_loss.c - see contrast_loss.h. A batch has some dozens of pairs: what is computed here is little beside the model. */
#include "train/contrast_loss.h"

#include <math.h>
#include <string.h>

#define SHARPNESS 20.0 /* what cosines are times before the softmax */

/* The vectors of all texts and what becomes of them. */
typedef struct vectors {
    int n_pairs, d;
    double *unit;     /* [2 n_pairs, d], of length 1 */
    double *gradient; /* [2 n_pairs, d], of `unit`, then of the pooled vector */
    double *length;   /* [2 n_pairs], before */
    double *row;      /* [n_pairs] */
} vectors;

static float *at(trine_mat m, int row, int k) { return m.data + (size_t)row * (size_t)m.cols + (size_t)k; }

/* Rows that a text's vector is the mean of, or number by number the largest of. */
static void pooled_rows(int *first, int *n, const trine_segment *s, trine_pooling pooling)
{
    *first = s->first_row;
    *n = s->n_rows;
    if (pooling == TRINE_POOL_MEAN || pooling == TRINE_POOL_MAX) return;
    if (pooling == TRINE_POOL_LAST) *first += s->n_rows - 1;
    *n = 1;
}

/* The row of a column's largest number; of equal ones the first, as in PyTorch. */
static int largest_row(trine_mat states, int first, int n, int k)
{
    int best = first;
    for (int r = first + 1; r < first + n; r++)
        if (*at(states, r, k) > *at(states, best, k)) best = r;
    return best;
}

static void pool(vectors *v, trine_mat states, const trine_segment *s, int text, trine_pooling pooling)
{
    double *u = v->unit + (size_t)text * (size_t)v->d, squares = 0;
    int first, n;
    pooled_rows(&first, &n, s, pooling);
    memset(u, 0, (size_t)v->d * sizeof *u);
    for (int k = 0; k < v->d && pooling == TRINE_POOL_MAX; k++) u[k] = (double)*at(states, largest_row(states, first, n, k), k);
    for (int r = first; r < first + n && pooling != TRINE_POOL_MAX; r++)
        for (int k = 0; k < v->d; k++) u[k] += (double)*at(states, r, k) / n;
    for (int k = 0; k < v->d; k++) squares += u[k] * u[k];
    v->length[text] = fmax(sqrt(squares), 1e-12);
    for (int k = 0; k < v->d; k++) u[k] /= v->length[text];
}

static double dot(const double *a, const double *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void add(double *to, const double *x, double factor, int n)
{
    for (int i = 0; i < n; i++) to[i] += factor * x[i];
}

/* Pair i against all; gradients of every vector it meets. */
static double score_pair(vectors *v, int i)
{
    const size_t d = (size_t)v->d;
    const double *a = v->unit + 2 * (size_t)i * d;
    double most = -INFINITY, sum = 0;
    for (int j = 0; j < v->n_pairs; j++) {
        v->row[j] = SHARPNESS * dot(a, v->unit + (2 * (size_t)j + 1) * d, v->d);
        most = fmax(most, v->row[j]);
    }
    for (int j = 0; j < v->n_pairs; j++) sum += exp(v->row[j] - most);
    const double loss = most + log(sum) - v->row[i];
    for (int j = 0; j < v->n_pairs; j++) {
        const double g = SHARPNESS * (exp(v->row[j] - most) / sum - (j == i));
        add(v->gradient + 2 * (size_t)i * d, v->unit + (2 * (size_t)j + 1) * d, g, v->d);
        add(v->gradient + (2 * (size_t)j + 1) * d, a, g, v->d);
    }
    return loss;
}

/* Through the scaling to length 1 and the pooling, to the states. */
static void spread(const vectors *v, trine_mat grads, trine_mat states, const trine_segment *s, int text, trine_pooling pooling,
                   double scale)
{
    const double *u = v->unit + (size_t)text * (size_t)v->d, *g = v->gradient + (size_t)text * (size_t)v->d;
    const double along = dot(u, g, v->d);
    int first, n;
    pooled_rows(&first, &n, s, pooling);
    if (pooling == TRINE_POOL_MAX) {
        for (int k = 0; k < v->d; k++)
            *at(grads, largest_row(states, first, n, k), k) += (float)(scale / v->length[text] * (g[k] - along * u[k]));
        return;
    }
    const double factor = scale / (v->length[text] * n);
    for (int r = first; r < first + n; r++)
        for (int k = 0; k < v->d; k++) *at(grads, r, k) += (float)(factor * (g[k] - along * u[k]));
}

void trine_contrast_loss(trine_pass *p, double *loss, trine_mat states, trine_pooling pooling, float scale)
{
    *loss = 0;
    if (p->failed) return;
    const trine_batch *b = p->batch;
    vectors v = { .n_pairs = b->n_segments / 2, .d = states.cols };
    const size_t n = (size_t)b->n_segments * (size_t)v.d;
    bool fresh;
    const trine_mat grads = trine_grad_for(p, states, &fresh);
    const size_t mark = trine_arena_mark(p->arena);
    v.unit = trine_pass_alloc(p, n, sizeof *v.unit);
    v.gradient = trine_pass_alloc(p, n, sizeof *v.gradient);
    v.length = trine_pass_alloc(p, (size_t)b->n_segments, sizeof *v.length);
    v.row = trine_pass_alloc(p, (size_t)v.n_pairs, sizeof *v.row);
    if (trine_pass_computes(p)) {
        for (int t = 0; t < 2 * v.n_pairs; t++) pool(&v, states, &b->segments[t], t, pooling);
        memset(v.gradient, 0, n * sizeof *v.gradient);
        for (int i = 0; i < v.n_pairs; i++) *loss += score_pair(&v, i);
        if (grads.data && fresh) memset(grads.data, 0, (size_t)grads.rows * (size_t)grads.cols * sizeof *grads.data);
        for (int t = 0; grads.data && t < 2 * v.n_pairs; t++) spread(&v, grads, states, &b->segments[t], t, pooling, (double)scale);
    }
    trine_arena_release(p->arena, mark);
}
