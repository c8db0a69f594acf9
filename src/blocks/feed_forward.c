/* feed_forward.c - activations and the position-wise feed-forward network (Vaswani et al. 2017, sec. 3.3). */
#include <string.h>

#include "blocks/linear.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

/* The kernels' list of maps is the blocks' list of activations. */
_Static_assert((int)TRINE_RELU == (int)TRINE_MAP_RELU && (int)TRINE_GELU_QUICK == (int)TRINE_MAP_GELU_QUICK &&
                   (int)TRINE_SILU == (int)TRINE_MAP_SILU && (int)TRINE_GELU == (int)TRINE_MAP_GELU &&
                   (int)TRINE_GELU_TANH == (int)TRINE_MAP_GELU_TANH && (int)TRINE_TANH == (int)TRINE_MAP_TANH,
               "activations and maps are numbered alike");

typedef struct map_job {
    trine_map_fn *map;
    trine_mat x;
} map_job;

static void map_rows(const void *job, int first, int n, int thread)
{
    const map_job *j = job;
    (void)thread;
    j->map(trine_row(j->x, first), (size_t)n * (size_t)j->x.cols);
}

void trine_activate_in_place(trine_pass *p, trine_mat x, trine_activation kind)
{
    if (trine_pass_computes(p)) trine_for_rows(p, x.rows, 16.0 * x.cols, map_rows, &(map_job) { p->kernels->map[kind], x });
}

/* ------------------------------------------------------------------------------------------------------- activations */

typedef struct slope_job {
    trine_slope_fn *slope;
    trine_mat dx, x, dy;
} slope_job;

static void slope_rows(const void *job, int first, int n, int thread)
{
    const slope_job *j = job;
    (void)thread;
    j->slope(trine_row(j->dx, first), trine_row(j->x, first), trine_row(j->dy, first), (size_t)n * (size_t)j->x.cols);
}

/* dx = dy f'(x) */
static void slope(trine_pass *p, trine_mat dx, trine_mat x, trine_mat dy, trine_activation kind)
{
    if (trine_pass_computes(p))
        trine_for_rows(p, x.rows, 24.0 * x.cols, slope_rows, &(slope_job) { p->kernels->grad.slope[kind], dx, x, dy });
}

typedef struct activate_op {
    trine_op op;
    trine_mat x;
    trine_activation kind;
} activate_op;

static void activate_backward(trine_pass *p, trine_op *op)
{
    const activate_op *o = (const activate_op *)op;
    const size_t mark = trine_arena_mark(p->arena);
    bool apart;
    const trine_mat g = trine_grad_move(p, o->x, op->made[0], &apart);
    slope(p, g, o->x, g, o->kind);
    trine_grad_moved(p, o->x, g, apart);
    trine_arena_release(p->arena, mark);
}

trine_mat trine_activate(trine_pass *p, trine_mat x, trine_activation kind)
{
    trine_mat y = trine_consumed(p, x);
    if (y.data != x.data && trine_pass_computes(p)) memcpy(y.data, x.data, (size_t)x.rows * (size_t)x.cols * sizeof *y.data);
    trine_activate_in_place(p, y, kind);
    activate_op *op = trine_value_wanted(x) ? trine_tape_note(p, activate_backward, sizeof *op) : NULL;
    if (!op) return y;
    op->x = x;
    op->kind = kind;
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}

bool trine_activation_from_name(trine_activation *out, const char *name)
{
    static const struct {
        const char *name;
        trine_activation kind;
    } names[] = {
        { "relu", TRINE_RELU },           { "gelu", TRINE_GELU },
        { "gelu_python", TRINE_GELU },    { "gelu_new", TRINE_GELU_TANH },
        { "gelu_fast", TRINE_GELU_TANH }, { "gelu_pytorch_tanh", TRINE_GELU_TANH },
        { "silu", TRINE_SILU },           { "swish", TRINE_SILU },
        { "tanh", TRINE_TANH },           { "quick_gelu", TRINE_GELU_QUICK },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i].name)) {
            *out = names[i].kind;
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------------------ the network */

typedef struct hidden_job {
    const trine_kernels *kernels;
    trine_mat h, up, gate; /* gate.rows 0: none; h may be up */
    trine_mat dh;
    trine_activation kind;
} hidden_job;

/* h = act(up), or act(gate) up: some rows at a time, while they are in the first cache. */
static void hidden_rows(const void *job, int first, int n, int thread)
{
    const hidden_job *j = job;
    const size_t width = (size_t)j->h.cols;
    (void)thread;
    for (int r = first; r < first + n; r++) {
        float *h = trine_row(j->h, r);
        if (j->gate.rows) {
            j->kernels->grad.gate[j->kind](h, trine_row(j->gate, r), trine_row(j->up, r), width);
            continue;
        }
        if (h != trine_row(j->up, r)) memcpy(h, trine_row(j->up, r), width * sizeof *h);
        j->kernels->map[j->kind](h, width);
    }
}

static void hidden(trine_pass *p, trine_mat h, trine_mat up, trine_mat gate, trine_activation kind)
{
    if (trine_pass_computes(p))
        trine_for_rows(p, h.rows, 16.0 * h.cols, hidden_rows,
                       &(hidden_job) { .kernels = p->kernels, .h = h, .up = up, .gate = gate, .kind = kind });
}

/* Gradients of up and gate, in their own memory. */
static void hidden_slope_rows(const void *job, int first, int n, int thread)
{
    const hidden_job *j = job;
    const size_t size = (size_t)n * (size_t)j->h.cols;
    (void)thread;
    if (j->gate.rows)
        j->kernels->grad.gate_slope[j->kind](trine_row(j->gate, first), trine_row(j->up, first), trine_row(j->dh, first), size);
    else
        j->kernels->grad.slope[j->kind](trine_row(j->up, first), trine_row(j->up, first), trine_row(j->dh, first), size);
}

/* down(act(...)) as one op: between forward and backward `up` and `gate` are kept, and what is made of them is made again. */
typedef struct down_op {
    trine_op op;
    trine_mat up, gate, low; /* low: of down's adapter */
    trine_weight down;
    trine_activation kind;
    bool drops;
    uint32_t stream;
} down_op;

static void down_backward(trine_pass *p, trine_op *op)
{
    const down_op *o = (const down_op *)op;
    const size_t mark = trine_arena_mark(p->arena);
    const bool wanted = trine_value_wanted(o->up) || trine_value_wanted(o->gate);
    trine_mat h = trine_mat_new(p, o->up.rows, o->up.cols), dh = { 0 };
    if (wanted) dh = trine_mat_new(p, h.rows, h.cols);
    hidden(p, h, o->up, o->gate, o->kind);
    if (o->drops) trine_drop_in_place(p, h, o->stream);
    const trine_mat dy = trine_grad_of(p, op->made[0]);
    trine_linear_gradients(p, dh, false, h, (const trine_weight *[]) { &o->down }, &dy, 1);
    if (o->down.lora) trine_adapter_gradients(p, dh, true, h, o->low, dy, &o->down);
    if (wanted) {
        if (o->drops) trine_drop_in_place(p, dh, o->stream);
        if (trine_pass_computes(p))
            trine_for_rows(
                p, h.rows, 24.0 * h.cols, hidden_slope_rows,
                &(hidden_job) { .kernels = p->kernels, .h = h, .up = o->up, .gate = o->gate, .dh = dh, .kind = o->kind });
        trine_grad_lend(p, o->up);
        trine_grad_lend(p, o->gate);
    }
    trine_arena_release(p->arena, mark);
}

trine_mat trine_feed_forward(trine_pass *p, trine_mat x, const trine_feed_forward_weights *w)
{
    const bool gated = w->gate.data || w->gate.rows, notes = trine_pass_notes(p);
    trine_mat y = trine_mat_new(p, x.rows, w->down.rows);
    size_t mark = trine_pass_mark(p);
    trine_mat up[2] = { 0 }, low = { 0 };
    trine_linears(p, up, x, (const trine_weight *[]) { &w->up, &w->gate }, gated ? 2 : 1);
    if (w->down.lora) low = trine_adapter_low(p, x.rows, &w->down);
    if (notes) mark = trine_arena_mark(p->arena); /* these are kept */
    const trine_mat h = notes ? trine_mat_new(p, x.rows, w->down.cols) : up[0];
    const bool drops = w->drops && trine_drops(p);
    const trine_weight down = trine_linear_weight(p, &w->down);
    const uint32_t stream = drops ? p->tape->n_draws++ : 0;
    hidden(p, h, up[0], up[1], w->activation);
    if (drops) trine_drop_in_place(p, h, stream);
    trine_linear_into(p, y, h, &down);
    if (w->down.lora) trine_adapt(p, y, low, h, &w->down);
    trine_arena_release(p->arena, mark);
    if (!notes) return y;

    const bool wanted = trine_value_wanted(up[0]) || trine_value_wanted(up[1]) || trine_linear_learns(p, &w->down);
    down_op *op = wanted ? trine_tape_note(p, down_backward, sizeof *op) : NULL;
    if (!op) return y;
    *op = (down_op) { op->op, up[0], up[1], low, w->down, w->activation, drops, stream };
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}
