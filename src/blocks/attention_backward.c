/* attention_backward.c - gradients of attention by tiles (Dao 2023, FlashAttention-2, alg. 2): from each row's log-sum-exp L, weights are
 * computed again, a tile at a time, and nothing is n x n.
 *
 * Tiles lie turned, a key a row: what is taken from each query's column (L, and D = the sum of dO O) is then where a product starts
 * from, and the exponential is one call for the tile.
 *
 *     P^T  = exp(K (scale Q)^T + bias - L)      d P^T = V dO^T            [keys, queries]
 *     d V += P^T dO                             d S^T = P^T (d P^T - D)
 *     d K += d S^T (scale Q)                    d Q  += scale d S K       d bias: sums along diagonals
 *
 * A task is all of a segment and a kv head, its tiles in order, so sums do not depend on the threads. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

enum { KEYS = TRINE_KV_PAGE };

typedef struct attention_op {
    trine_op op;
    trine_attention_job job;
    trine_attention_spec spec;
    trine_mat out;
} attention_op;

/* A gradient that tasks add to, each to its part; where `fresh` it sets the part to zero first. */
typedef struct target {
    trine_mat g; /* no rows: not wanted */
    bool fresh;
} target;

typedef struct tasks {
    const attention_op *op;
    const trine_attention_job *job;
    trine_mat out, dout;
    target q, k, v;
    double *buckets; /* [tasks][group][n_buckets]: gradient of the bias; or NULL */
    float *scratch;
    size_t stride;
} tasks;

/* What a thread works with. A tile of queries is `rows` rows, of tokens times the heads of a kv head. */
typedef struct scratch {
    float *q, *dout, *dq;            /* [rows, d]: queries times scale */
    float *q_turned, *dout_turned;   /* [d, rows] */
    float *k, *v;                    /* [KEYS, d] */
    float *weights, *grads, *turned; /* [KEYS, rows] twice, [rows, KEYS] */
    float *less_l, *less_d;          /* [rows]: -L, -D */
    float *bias, *diagonals;         /* [KEYS + tokens, group]: by query - key */
    uint8_t *kept;                   /* [rows, KEYS] */
} scratch;

static scratch scratch_at(float *memory, size_t *size, const trine_attention_job *job)
{
    const size_t tokens = (size_t)job->tile_queries, group = (size_t)job->group, rows = tokens * group,
                 d = (size_t)job->spec->d_head;
    scratch s;
    size_t at = 0;
#define TAKE(field, type, n)                                                                                                       \
    s.field = memory ? (type *)(void *)(memory + at) : NULL;                                                                       \
    at += trine_round_up((n) * sizeof(type), 64) / sizeof(float)
    TAKE(q, float, rows *d);
    TAKE(dout, float, rows *d);
    TAKE(dq, float, rows *d);
    TAKE(q_turned, float, rows *d);
    TAKE(dout_turned, float, rows *d);
    TAKE(k, float, KEYS *d);
    TAKE(v, float, KEYS *d);
    TAKE(weights, float, KEYS *rows);
    TAKE(grads, float, KEYS *rows);
    TAKE(turned, float, KEYS *rows);
    TAKE(less_l, float, rows);
    TAKE(less_d, float, rows);
    TAKE(bias, float, (KEYS + tokens) * group);
    TAKE(diagonals, float, (KEYS + tokens) * group);
    TAKE(kept, uint8_t, rows * KEYS);
#undef TAKE
    *size = at;
    return s;
}

/* y [n, cols] (+)= x [n, depth] panel [depth, cols], all of them in one piece but for what has a stride. */
static void multiply(const trine_kernels *kernels, float *y, size_t y_stride, const float *x, int n, const float *panel, int cols,
                     int depth, const float *start, bool add)
{
    for (int c = 0; c < cols; c += kernels->panel_cols)
        kernels->gemm_panel(y + c, y_stride, x, (size_t)depth, n, panel + c, (size_t)cols,
                            trine_min_int(kernels->panel_cols, cols - c), (size_t)depth, start ? start + c : NULL, add);
}

/* One task: the tiles of one segment and kv head. */
typedef struct task {
    const tasks *all;
    const trine_segment *segment;
    trine_attention_keys keys;
    scratch s;
    double *buckets;
    int kv_head;
    /* The tile of queries. */
    int first, n, rows;
} task;

static float *head_row(trine_mat x, int row, int head, int d) { return trine_row(x, row) + (size_t)head * (size_t)d; }

/* Row r of the tile of queries: its row of the batch, and its head. */
static int row_of(const task *t, int r) { return t->segment->first_row + t->first + r / t->all->job->group; }
static int head_of(const task *t, int r) { return t->kv_head * t->all->job->group + r % t->all->job->group; }

static void load_queries(task *t, int first, int n)
{
    const trine_attention_job *job = t->all->job;
    const trine_kernels *kernels = job->kernels;
    const scratch *s = &t->s;
    const int d = job->spec->d_head;
    t->first = first;
    t->n = n;
    t->rows = n * job->group;
    for (int r = 0; r < t->rows; r++) {
        const int row = row_of(t, r), head = head_of(t, r);
        float *dout = s->dout + (size_t)r * (size_t)d;
        memcpy(s->q + (size_t)r * (size_t)d, head_row(job->q, row, head, d), (size_t)d * sizeof(float));
        memcpy(dout, head_row(t->all->dout, row, head, d), (size_t)d * sizeof(float));
        float sum;
        kernels->dot_tile[TRINE_F32](&sum, 1, dout, (size_t)d, 1, head_row(t->all->out, row, head, d), (size_t)d * sizeof(float), 1,
                                     (size_t)d);
        s->less_d[r] = -sum;
        s->less_l[r] = -trine_row(job->lse, row)[head];
    }
    if (job->spec->scale != 1.0f) kernels->scale(s->q, job->spec->scale, (size_t)t->rows * (size_t)d);
    kernels->transpose(s->q_turned, (size_t)t->rows, s->q, (size_t)d, t->rows, d);
    kernels->transpose(s->dout_turned, (size_t)t->rows, s->dout, (size_t)d, t->rows, d);
    memset(s->dq, 0, (size_t)t->rows * (size_t)d * sizeof(float));
}

static void load_keys(const task *t, int k0, int n)
{
    const trine_attention_job *job = t->all->job;
    const int d = job->spec->d_head;
    for (int j = 0; j < n; j++) {
        memcpy(t->s.k + (size_t)j * (size_t)d, head_row(job->k, t->keys.first_row + k0 + j, t->kv_head, d),
               (size_t)d * sizeof(float));
        memcpy(t->s.v + (size_t)j * (size_t)d, head_row(job->v, t->keys.first_row + k0 + j, t->kv_head, d),
               (size_t)d * sizeof(float));
    }
}

/* ---- bias: by query - key, so that a key's row of a turned tile is a piece of it, which moves by one from key to key ---- */

/* Element (query first + i, key k0 + j) is number i - j + KEYS - 1. */
static int64_t key_less_query(const task *t, int k0, int number) { return (int64_t)k0 - t->first - (number - (KEYS - 1)); }

static void add_bias(const task *t, int k0, int n_keys)
{
    const trine_attention_job *job = t->all->job;
    const trine_relative_bias *bias = job->spec->bias;
    const size_t group = (size_t)job->group;
    for (int number = KEYS - n_keys; number < KEYS - 1 + t->n; number++) {
        const int bucket = trine_relative_bucket(job->bucket, bias, key_less_query(t, k0, number));
        memcpy(t->s.bias + (size_t)number * group,
               bias->table + (size_t)bucket * (size_t)bias->n_heads + (size_t)t->kv_head * group, group * sizeof(float));
    }
    for (int j = 0; j < n_keys; j++)
        job->kernels->add(t->s.weights + (size_t)j * (size_t)t->rows, t->s.bias + (size_t)(KEYS - 1 - j) * group, (size_t)t->rows);
}

static void add_bias_gradient(const task *t, int k0, int n_keys)
{
    const trine_attention_job *job = t->all->job;
    const trine_relative_bias *bias = job->spec->bias;
    const size_t group = (size_t)job->group;
    float *sums = t->s.diagonals;
    memset(sums, 0, (size_t)(KEYS + t->n) * group * sizeof *sums);
    for (int j = 0; j < n_keys; j++)
        job->kernels->add(sums + (size_t)(KEYS - 1 - j) * group, t->s.grads + (size_t)j * (size_t)t->rows, (size_t)t->rows);
    for (int number = KEYS - n_keys; number < KEYS - 1 + t->n; number++) {
        const size_t bucket = (size_t)trine_relative_bucket(job->bucket, bias, key_less_query(t, k0, number));
        for (size_t g = 0; g < group; g++)
            t->buckets[g * (size_t)bias->n_buckets + bucket] += (double)sums[(size_t)number * group + g];
    }
}

/* ---- mask and dropout of a turned tile ---- */

/* Weights that queries must not have become 0. */
static void mask(const task *t, int k0, int n_keys)
{
    const trine_attention_keys *keys = &t->keys;
    const int group = t->all->job->group, last = t->first + t->n - 1;
    if (!keys->causal) return;
    int low, high, unused;
    trine_attention_visible(&low, &unused, keys, last);
    trine_attention_visible(&unused, &high, keys, t->first);
    if (low <= k0 && high >= k0 + n_keys) return; /* all see all */
    for (int j = trine_max_int(0, keys->prefix - k0); j < n_keys; j++) {
        float *row = t->s.weights + (size_t)j * (size_t)t->rows;
        const int key = k0 + j, from = trine_min_int(t->n, trine_max_int(0, key - t->first)) * group;
        memset(row, 0, (size_t)from * sizeof *row);
        if (!keys->window) continue;
        const int to = trine_max_int(0, trine_min_int(t->n, key + keys->window - t->first)) * group;
        memset(row + to, 0, (size_t)(t->rows - to) * sizeof *row);
    }
}

/* Which weights stay, [keys, rows]. */
static void choose_kept(const task *t, int k0, int n_keys)
{
    const trine_attention_job *job = t->all->job;
    for (int r = 0; r < t->rows; r++) {
        const uint64_t key = trine_attention_drop_key(job, row_of(t, r), head_of(t, r));
        for (int j = 0; j < n_keys; j += 4) {
            const uint64_t bits = trine_attention_drop_bits(key, k0 + j);
            for (int i = 0; i < trine_min_int(4, n_keys - j); i++)
                t->s.kept[(j + i) * t->rows + r] = (bits >> (16 * i) & 0xFFFF) >= job->drops;
        }
    }
}

/* x: those that stay times what makes up for the others. */
static void keep(const task *t, float *out, const float *x, int n_keys)
{
    const float factor = trine_attention_drop_scale(t->all->job);
    for (size_t i = 0; i < (size_t)n_keys * (size_t)t->rows; i++) out[i] = t->s.kept[i] ? x[i] * factor : 0;
}

/* ---- a tile ---- */

static void walk_tile(const task *t, int k0, int n_keys)
{
    const tasks *all = t->all;
    const trine_attention_job *job = all->job;
    const trine_kernels *kernels = job->kernels;
    const scratch *s = &t->s;
    const int d = job->spec->d_head, rows = t->rows;
    const size_t elements = (size_t)n_keys * (size_t)rows, g_stride = (size_t)job->k.cols;
    load_keys(t, k0, n_keys);
    multiply(kernels, s->weights, (size_t)rows, s->k, n_keys, s->q_turned, rows, d, s->less_l, false);
    if (job->bucket) add_bias(t, k0, n_keys);
    kernels->exp_sum(s->weights, 0, elements);
    mask(t, k0, n_keys);
    const float *dropped = s->weights; /* what multiplied V */
    if (job->drops) {
        choose_kept(t, k0, n_keys);
        keep(t, s->turned, s->weights, n_keys);
        dropped = s->turned;
    }
    if (all->v.g.rows)
        multiply(kernels, head_row(all->v.g, t->keys.first_row + k0, t->kv_head, d), g_stride, dropped, n_keys, s->dout, d, rows,
                 NULL, true);
    multiply(kernels, s->grads, (size_t)rows, s->v, n_keys, s->dout_turned, rows, d, job->drops ? NULL : s->less_d, false);
    if (job->drops) {
        keep(t, s->grads, s->grads, n_keys);
        for (int j = 0; j < n_keys; j++) kernels->add(s->grads + (size_t)j * (size_t)rows, s->less_d, (size_t)rows);
    }
    kernels->multiply(s->grads, s->weights, elements);
    if (t->buckets) add_bias_gradient(t, k0, n_keys);
    if (all->k.g.rows)
        multiply(kernels, head_row(all->k.g, t->keys.first_row + k0, t->kv_head, d), g_stride, s->grads, n_keys, s->q, d, rows,
                 NULL, true);
    if (!all->q.g.rows) return;
    kernels->transpose(s->turned, (size_t)n_keys, s->grads, (size_t)rows, n_keys, rows);
    multiply(kernels, s->dq, (size_t)d, s->turned, rows, s->k, d, n_keys, NULL, true);
}

static void clear(const target *g, int first_row, int n, int first_head, int n_heads, int d)
{
    for (int i = 0; g->fresh && g->g.rows && i < n; i++)
        memset(head_row(g->g, first_row + i, first_head, d), 0, (size_t)n_heads * (size_t)d * sizeof(float));
}

static void run_task(void *user, int piece, int thread)
{
    const tasks *all = user;
    const trine_attention_job *job = all->job;
    const int group = job->group, d = job->spec->d_head, n_kv_heads = job->spec->n_kv_heads;
    size_t size;
    task t = { .all = all,
               .segment = &job->batch->segments[piece / n_kv_heads],
               .s = scratch_at(all->scratch + (size_t)thread * all->stride, &size, job),
               .kv_head = piece % n_kv_heads };
    t.keys = trine_attention_keys_of(job, t.segment);
    if (all->buckets) t.buckets = all->buckets + (size_t)piece * (size_t)group * (size_t)job->spec->bias->n_buckets;
    clear(&all->q, t.segment->first_row, t.segment->n_rows, t.kv_head * group, group, d);
    clear(&all->k, t.keys.first_row, t.keys.n, t.kv_head, 1, d);
    clear(&all->v, t.keys.first_row, t.keys.n, t.kv_head, 1, d);
    for (int first = 0; first < t.segment->n_rows; first += job->tile_queries) {
        int begin, end;
        load_queries(&t, first, trine_min_int(job->tile_queries, t.segment->n_rows - first));
        trine_attention_tiles(&begin, &end, &t.keys, first, t.n);
        for (int tile = begin; tile < end; tile++) walk_tile(&t, tile * KEYS, trine_min_int(KEYS, t.keys.n - tile * KEYS));
        if (!all->q.g.rows) continue;
        if (job->spec->scale != 1.0f) job->kernels->scale(t.s.dq, job->spec->scale, (size_t)t.rows * (size_t)d);
        for (int r = 0; r < t.rows; r++)
            job->kernels->add(head_row(all->q.g, row_of(&t, r), head_of(&t, r), d), t.s.dq + (size_t)r * (size_t)d, (size_t)d);
    }
}

/* A gradient whose rows no task may reach is cleared here, once; others by the tasks. */
static target target_of(trine_pass *p, trine_mat x, bool all_reached)
{
    target t;
    t.g = trine_grad_for(p, x, &t.fresh);
    if (t.fresh && !all_reached) {
        if (trine_pass_computes(p)) memset(t.g.data, 0, (size_t)t.g.rows * (size_t)t.g.cols * sizeof(float));
        t.fresh = false;
    }
    return t;
}

/* The buckets' sums of all tasks, in the order of the segments, to the table. */
static void add_table_gradient(const tasks *all, float *table, int n_segments)
{
    const trine_relative_bias *bias = all->job->spec->bias;
    for (int b = 0; b < bias->n_buckets; b++)
        for (int h = 0; h < bias->n_heads; h++) {
            double sum = 0;
            for (int s = 0; s < n_segments; s++)
                sum += all->buckets[((size_t)s * (size_t)bias->n_heads + (size_t)h) * (size_t)bias->n_buckets + (size_t)b];
            table[b * bias->n_heads + h] += (float)sum;
        }
}

static void attention_backward(trine_pass *p, trine_op *op)
{
    attention_op *o = (attention_op *)op;
    const trine_batch *batch = p->batch;
    const trine_relative_bias *bias = o->job.cross ? NULL : o->spec.bias;
    const int n_threads = trine_max_int(1, p->n_threads), n_tasks = batch->n_segments * o->spec.n_kv_heads;
    float *table = bias ? trine_parameter_grad(p, bias->table) : NULL;
    tasks all = { .op = o, .job = &o->job, .out = o->out, .dout = trine_grad_of(p, op->made[0]) };
    int query_rows = 0, key_rows = 0;
    o->job.spec = &o->spec;
    o->job.batch = batch;
    o->job.kernels = p->kernels;
    for (int s = 0; s < batch->n_segments; s++) {
        query_rows += batch->segments[s].n_rows;
        key_rows += o->job.cross ? batch->segments[s].n_source : batch->segments[s].n_rows;
    }
    /* One matrix may be more than one of the three: then its gradient is cleared before any task adds to it. */
    const bool apart = o->job.q.value != o->job.k.value && o->job.k.value != o->job.v.value && o->job.q.value != o->job.v.value;
    all.q = target_of(p, o->job.q, apart && query_rows == o->job.q.rows);
    all.k = target_of(p, o->job.k, apart && key_rows == o->job.k.rows);
    all.v = target_of(p, o->job.v, apart && key_rows == o->job.v.rows);

    const size_t mark = trine_arena_mark(p->arena);
    scratch_at(NULL, &all.stride, &o->job);
    all.scratch = trine_pass_alloc(p, all.stride * (size_t)n_threads, sizeof(float));
    uint16_t *bucket = bias ? trine_pass_alloc(p, (size_t)bias->max_distance + 1, sizeof *bucket) : NULL;
    const size_t n_buckets = table ? (size_t)n_tasks * (size_t)o->job.group * (size_t)bias->n_buckets : 0;
    if (n_buckets) all.buckets = trine_pass_alloc(p, n_buckets, sizeof *all.buckets);
    if (trine_pass_computes(p)) {
        o->job.bucket = bucket;
        if (bias) trine_relative_buckets(bucket, bias);
        if (n_buckets) memset(all.buckets, 0, n_buckets * sizeof *all.buckets);
        trine_team_run((double)query_rows * o->job.q.cols * KEYS > TRINE_ROWS_SMALL ? p->team : NULL, n_tasks, run_task, &all);
        if (n_buckets) add_table_gradient(&all, table, batch->n_segments);
    }
    trine_arena_release(p->arena, mark);
}

void trine_attention_note(trine_pass *p, const trine_attention_job *job, trine_mat *out)
{
    const bool wanted = trine_value_wanted(job->q) || trine_value_wanted(job->k) || trine_value_wanted(job->v) ||
                        (!job->cross && job->spec->bias && trine_learns(p, job->spec->bias->table));
    attention_op *op = wanted ? trine_tape_note(p, attention_backward, sizeof *op) : NULL;
    if (!op) return;
    op->job = *job;
    op->spec = *job->spec; /* the caller's may be gone by then; the bias is the model's */
    out->value = trine_tape_made(p, &op->op, *out, true);
    op->out = *out;
}
