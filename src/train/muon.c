/* muon.c - see muon.h. */
#include "train/muon.h"

#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"
#include "blocks/matmul.h"
#include "blocks/tape.h"

enum {
    STEPS = 5,   /* of the polynomial */
    BLOCK = 16,  /* a matrix is turned by squares of it */
    SLAB = 4096, /* elements that a piece has at least */
};
static const double momentum = 0.95, eps = 1e-7;
/* x (a + b x^2 + c x^4): steep at 0, and near 1 afterwards for all of [0, 1] (Jordan et al. 2024). */
static const double a = 3.4445, b = -4.7750, c = 2.0315;
static const double rms_of_adamw = 0.2; /* that of AdamW's steps, near enough (Liu et al. 2025) */

struct trine_muon {
    trine_params *params;
    trine_arena arena; /* the matrices below, and a product's scratch */
    trine_tape tape;   /* says that products are in bf16, no more */
    trine_pass pass;
    float *u, *next;     /* [tall][small] */
    float *gram, *gram2; /* [small][small] */
    double *squares;     /* [n_pieces] */
    size_t n_pieces;
    const trine_adamw_options *o;
    /* The matrix that is being stepped, as it lies: [rows, cols]. */
    const trine_param *tensor;
    int rows, cols, tall, small, slab; /* slab: rows of a piece */
};

static int rows_of(const trine_param *t) { return (int)t->shape[t->turned]; }
static int cols_of(const trine_param *t) { return (int)t->shape[!t->turned]; }
static size_t floats(int m, int n) { return trine_round_up((size_t)m * (size_t)n, 16); }

void trine_muon_close(trine_muon *m)
{
    if (!m) return;
    trine_arena_close(&m->arena);
    free(m->squares);
    free(m);
}

/* out [rows, small] = left [rows, depth] x right [depth, small], where left may lie turned. */
static void multiply(trine_muon *m, float *out, const float *left, bool turned, int rows, int depth, const float *right)
{
    const trine_matmul product = {
        .c = out,
        .c_stride = (size_t)m->small,
        .m = rows,
        .n = m->small,
        .n_terms = 1,
        .terms = { { .a = { left, (size_t)m->small, turned, NULL }, .b = { right, (size_t)m->small, false, NULL }, .k = depth } }
    };
    trine_matmuls(&m->pass, &product, 1);
}

size_t trine_muon_bytes(const trine_muon *m) { return m->arena.size + m->n_pieces * sizeof *m->squares; }

/* What the largest of the hidden matrices asks for. */
typedef struct room {
    size_t matrix, gram; /* floats of a matrix and of its Gram matrix */
    size_t pieces;
    size_t arena; /* bytes of all matrices, and of a product's scratch, which does not depend on its size */
} room;

static room room_of(trine_muon *m)
{
    room most = { .pieces = 1 };
    for (int i = 0; i < m->params->n_tensors; i++) {
        const trine_param *t = &m->params->tensors[i];
        if (!t->hidden) continue;
        const int small = trine_min_int(rows_of(t), cols_of(t));
        most.matrix = trine_max_size(most.matrix, floats(rows_of(t), cols_of(t)));
        most.gram = trine_max_size(most.gram, floats(small, small));
        most.pieces = trine_max_size(most.pieces, (size_t)trine_max_int(rows_of(t), cols_of(t)));
    }
    trine_arena measure;
    trine_arena_measure(&measure);
    m->pass.arena = &measure;
    m->small = 1;
    multiply(m, NULL, NULL, false, 1, 1, NULL);
    m->pass.arena = &m->arena;
    most.arena = measure.peak + 2 * (most.matrix + most.gram) * sizeof *m->u;
    return most;
}

static void begin(trine_muon *m, trine_params *p, const trine_kernels *kernels, bool bf16, int n_threads, trine_team *team)
{
    m->params = p;
    m->tape.values_bf16 = bf16 ? p->bf16 : NULL;
    m->pass = (trine_pass) { .kernels = kernels, .n_threads = n_threads, .team = team, .tape = &m->tape };
}

trine_status trine_muon_plan(size_t *bytes, trine_params *params, const trine_kernels *kernels, bool bf16, int n_threads,
                             trine_error *err)
{
    *bytes = 0;
    trine_muon *m = calloc(1, sizeof *m);
    if (!m) return trine_fail(err, TRINE_ERROR_MEMORY, "muon: no memory");
    begin(m, params, kernels, bf16, n_threads, NULL);
    const room most = room_of(m);
    *bytes = most.arena + most.pieces * sizeof *m->squares;
    free(m);
    return TRINE_OK;
}

trine_status trine_muon_open(trine_muon **out, trine_params *p, const trine_kernels *kernels, bool bf16, int n_threads,
                             trine_team *team, trine_error *err)
{
    trine_muon *m = *out = calloc(1, sizeof *m);
    if (!m) return trine_fail(err, TRINE_ERROR_MEMORY, "muon: no memory");
    begin(m, p, kernels, bf16, n_threads, team);
    const room most = room_of(m);
    trine_status status = trine_arena_open(&m->arena, most.arena, err);
    if (!status) {
        m->u = trine_arena_alloc(&m->arena, most.matrix * sizeof *m->u);
        m->next = trine_arena_alloc(&m->arena, most.matrix * sizeof *m->u);
        m->gram = trine_arena_alloc(&m->arena, most.gram * sizeof *m->u);
        m->gram2 = trine_arena_alloc(&m->arena, most.gram * sizeof *m->u);
        m->n_pieces = most.pieces;
        m->squares = malloc(most.pieces * sizeof *m->squares);
        if (!m->squares) status = trine_fail(err, TRINE_ERROR_MEMORY, "muon: no memory");
    }
    if (status) {
        trine_muon_close(m);
        *out = NULL;
        return status;
    }
    return TRINE_OK;
}

/* ----------------------------------------------------------------------------------------------------- momentum, step */

/* Where element (row, col) of the matrix lies in its tall twin. */
static float *twin(const trine_muon *m, int row, int col)
{
    return m->rows >= m->cols ? m->u + (size_t)row * (size_t)m->cols + (size_t)col
                              : m->u + (size_t)col * (size_t)m->rows + (size_t)row;
}
static size_t twin_step(const trine_muon *m) { return m->rows >= m->cols ? 1 : (size_t)m->rows; }

/* The momentum of rows [row, end), and Nesterov's look ahead into u. */
static void load(void *job, int piece, int thread)
{
    (void)thread;
    trine_muon *m = job;
    const trine_params *p = m->params;
    const size_t step = twin_step(m), cols = (size_t)m->cols;
    const int first = piece * m->slab, end = trine_min_int(first + m->slab, m->rows);
    const float scale = (float)(m->o->grad_scale != 0 ? m->o->grad_scale : 1), rest = (float)(1 - momentum);
    double sum = 0;
    for (int from = 0; from < m->cols; from += BLOCK)
        for (int row = first; row < end; row++) {
            const size_t at = m->tensor->offset + (size_t)row * cols;
            const float *g = p->grads + at;
            float *moment = p->m + (at - p->state_first), *u = twin(m, row, from);
            for (int col = from; col < trine_min_int(from + BLOCK, m->cols); col++, u += step) {
                const float now = scale * g[col];
                moment[col] += rest * (now - moment[col]);
                *u = now + (float)momentum * (moment[col] - now);
                sum += (double)*u * (double)*u;
            }
        }
    m->squares[piece] = sum;
}

static void store(void *job, int piece, int thread)
{
    (void)thread;
    trine_muon *m = job;
    trine_params *p = m->params;
    const trine_adamw_options *o = m->o;
    const size_t step = twin_step(m), cols = (size_t)m->cols;
    const int first = piece * m->slab, end = trine_min_int(first + m->slab, m->rows);
    const float shrink = m->tensor->decays ? (float)(1 - o->rate * o->decay) : 1,
                size = m->tensor->step * (float)(o->rate * rms_of_adamw * sqrt((double)m->tall)), share = (float)o->average_rate;
    for (int from = 0; from < m->cols; from += BLOCK)
        for (int row = first; row < end; row++) {
            const size_t at = m->tensor->offset + (size_t)row * cols;
            float *values = p->values + at, *g = p->grads + at, *average = o->average ? o->average + at : NULL;
            const float *u = twin(m, row, from);
            for (int col = from; col < trine_min_int(from + BLOCK, m->cols); col++, u += step) {
                values[col] = shrink * values[col] - size * *u;
                if (average) average[col] += share * (values[col] - average[col]);
                if (o->clear) g[col] = 0;
            }
        }
}

/* ------------------------------------------------------------------------------------------------------ orthogonal */

typedef struct polynomial {
    trine_muon *m;
    float one, first, second; /* gram = one I + first gram + second gram2 */
} polynomial;

static void combine(void *job, int row, int thread)
{
    (void)thread;
    const polynomial *p = job;
    const size_t n = (size_t)p->m->small;
    float *gram = p->m->gram + (size_t)row * n;
    const float *gram2 = p->m->gram2 + (size_t)row * n;
    for (size_t i = 0; i < n; i++) gram[i] = p->first * gram[i] + p->second * gram2[i];
    gram[row] += p->one;
}

/* u becomes nearly orthogonal. Its norm goes into the first step's coefficients: singular values are at most 1 from then on. */
static void orthogonalise(trine_muon *m, double norm)
{
    double scale = 1 / fmax(norm, eps);
    for (int i = 0; i < STEPS; i++, scale = 1) {
        const double s = scale * scale;
        polynomial p = { m, (float)(a * scale), (float)(b * scale * s), (float)(c * scale * s * s) };
        multiply(m, m->gram, m->u, true, m->small, m->tall, m->u);
        multiply(m, m->gram2, m->gram, false, m->small, m->small, m->gram);
        trine_team_run(m->pass.team, m->small, combine, &p);
        multiply(m, m->next, m->u, false, m->tall, m->small, m->gram);
        float *was = m->u;
        m->u = m->next;
        m->next = was;
    }
}

void trine_muon_run(trine_muon *m, const trine_adamw_options *options)
{
    float *const u = m->u, *const next = m->next;
    m->o = options;
    for (int i = 0; i < m->params->n_tensors; i++) {
        const trine_param *t = m->tensor = &m->params->tensors[i];
        if (!t->hidden) continue;
        m->u = u;
        m->next = next;
        m->rows = rows_of(t);
        m->cols = cols_of(t);
        m->tall = trine_max_int(m->rows, m->cols);
        m->small = trine_min_int(m->rows, m->cols);
        m->slab = trine_max_int(BLOCK, SLAB / m->cols);
        const int n_pieces = (m->rows + m->slab - 1) / m->slab;
        double sum = 0;
        trine_team_run(m->pass.team, n_pieces, load, m);
        for (int k = 0; k < n_pieces; k++) sum += m->squares[k];
        orthogonalise(m, sqrt(sum));
        trine_team_run(m->pass.team, n_pieces, store, m);
    }
    m->u = u;
    m->next = next;
}
