/* hadamard.c - the fast Walsh-Hadamard transform of heads: log2 n rounds of sums and differences. */
#include "blocks/hadamard.h"

#include <math.h>

#include "blocks/kv_cache.h"
#include "blocks/rows.h"

/* n a power of two. A round whose pairs lie side by side goes first, so that the others are loops over whole vectors. */
static void transform(float *x, int n)
{
    for (int half = 1; half < n; half *= 2)
        for (int i = 0; i < n; i += 2 * half)
            for (int j = i; j < i + half; j++) {
                const float a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
    const float scale = 1.0f / sqrtf((float)n);
    for (int i = 0; i < n; i++) x[i] *= scale;
}

void trine_hadamard(float *x, int d)
{
    const int n = d & -d;
    for (int i = 0; i < d; i += n) transform(x + i, n);
}

bool trine_keys_turned(const trine_kv *kv) { return kv && trine_kv_get_shape(kv)->type == TRINE_Q4_0; }

typedef struct turn_job {
    trine_mat x;
    int first, d_head;
} turn_job;

static void turn_rows(const void *user, int first, int n, int thread)
{
    const turn_job *j = user;
    (void)thread;
    for (int i = j->first + first; i < j->first + first + n; i++)
        for (int c = 0; c < j->x.cols; c += j->d_head) trine_hadamard(trine_row(j->x, i) + c, j->d_head);
}

void trine_turn_heads(trine_pass *p, trine_mat x, int d_head, bool cross)
{
    const double rounds = log2((double)(d_head & -d_head));
    for (int s = 0; s < p->batch->n_segments; s++) {
        const trine_segment *segment = &p->batch->segments[s];
        if (!trine_keys_turned(cross ? segment->cross : segment->self)) continue;
        const turn_job job = { x, segment->first_row, d_head };
        trine_for_rows(p, segment->n_rows, rounds * x.cols, turn_rows, &job);
    }
}
