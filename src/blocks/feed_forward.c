/* feed_forward.c - activations and the position-wise feed-forward network (Vaswani et al. 2017, sec. 3.3). */
#include <string.h>

#include "blocks/linear.h"
#include "blocks/rows.h"

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

trine_mat trine_activate(trine_pass *p, trine_mat x, trine_activation kind)
{
    trine_mat y = trine_consumed(p, x);
    if (y.data != x.data && trine_pass_computes(p)) memcpy(y.data, x.data, (size_t)x.rows * (size_t)x.cols * sizeof *y.data);
    trine_activate_in_place(p, y, kind);
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

trine_mat trine_feed_forward(trine_pass *p, trine_mat x, const trine_feed_forward_weights *w)
{
    trine_mat y = trine_mat_new(p, x.rows, w->down.rows);
    const size_t mark = trine_pass_mark(p);
    trine_mat h[2];
    trine_linears(p, h, x, (const trine_weight *[]) { &w->up, &w->gate }, w->gate.data ? 2 : 1);
    if (w->gate.data) {
        trine_activate_in_place(p, h[1], w->activation);
        trine_multiply_in_place(p, h[0], h[1]);
    } else {
        trine_activate_in_place(p, h[0], w->activation);
    }
    trine_linear_into(p, y, h[0], &w->down);
    trine_pass_release(p, mark);
    return y;
}
