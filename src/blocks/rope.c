/* rope.c - rotary positions (Su et al. 2021) and the ways to stretch them beyond the trained context.
 *
 * Pair i of a head is turned by pos * inv_freq[i]. The arithmetic below is in f32 where the reference implementation
 * (transformers, modeling_rope_utils.py) has it in f32: at position 100,000 the last bit of a frequency is an angle of 0.006. */
#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

/* theta^(2i / n): what the angle of pair i is divided by. */
static float divisor(const trine_rope_config *c, int i)
{
    return (float)pow((double)c->theta, (double)((float)(2 * i) / (float)c->n_rotated));
}

/* Long waves (seen less than low_freq_factor times in the original context) are slowed by the factor, short ones stay, and
 * those between are mixed (Llama 3.1). */
static float llama3_frequency(float inv_freq, const trine_rope_config *c)
{
    const float low_wave = (float)((double)c->original_ctx / (double)c->low_freq_factor);
    const float high_wave = (float)((double)c->original_ctx / (double)c->high_freq_factor);
    const float wave = (float)(2.0 * M_PI) / inv_freq;
    if (wave > low_wave) return inv_freq / c->factor;
    if (wave < high_wave) return inv_freq;
    const float mix = ((float)c->original_ctx / wave - c->low_freq_factor) / (c->high_freq_factor - c->low_freq_factor);
    return (1.0f - mix) * inv_freq / c->factor + mix * inv_freq;
}

/* The dimension whose wave turns `rotations` times in the original context (Peng et al. 2023, sec. 3.2, solved for i). */
static double yarn_dimension(double rotations, const trine_rope_config *c)
{
    return c->n_rotated * log((double)c->original_ctx / (rotations * 2.0 * M_PI)) / (2.0 * log((double)c->theta));
}

static void yarn_frequencies(float *inv_freq, const trine_rope_config *c)
{
    double low = yarn_dimension(c->beta_fast > 0 ? (double)c->beta_fast : 32.0, c);
    double high = yarn_dimension(c->beta_slow > 0 ? (double)c->beta_slow : 1.0, c);
    if (!c->no_truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, c->n_rotated - 1);
    if (low == high) high += 0.001;
    for (int i = 0; i < c->n_rotated / 2; i++) {
        const float ramp = fminf(fmaxf(((float)i - (float)low) / (float)(high - low), 0), 1), keep = 1.0f - ramp;
        const float slowed = 1.0f / (c->factor * divisor(c, i));
        inv_freq[i] = slowed * (1.0f - keep) + inv_freq[i] * keep;
    }
}

trine_status trine_rope_make(trine_rope *out, const trine_rope_config *c, trine_error *err)
{
    *out = (trine_rope) { 0 };
    const bool scaled = c->kind != TRINE_ROPE_PLAIN;
    if (c->d_head < 2 || c->n_rotated < 2 || c->n_rotated > c->d_head || c->n_rotated % 2)
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "rope: %d rotated dimensions of a head of %d, expected an even number from 2 to %d", c->n_rotated,
                          c->d_head, c->d_head);
    if (!(c->theta > 0) || !isfinite(c->theta))
        return trine_fail(err, TRINE_ERROR_FORMAT, "rope: theta is %g, expected a positive number", (double)c->theta);
    if (scaled && (!(c->factor > 0) || !isfinite(c->factor)))
        return trine_fail(err, TRINE_ERROR_FORMAT, "rope: the scaling factor is %g, expected a positive number", (double)c->factor);
    if ((c->kind == TRINE_ROPE_LLAMA3 || c->kind == TRINE_ROPE_YARN) && c->original_ctx < 1)
        return trine_fail(err, TRINE_ERROR_FORMAT, "rope: the original context is %d, expected 1 or more", c->original_ctx);
    if (c->kind == TRINE_ROPE_LLAMA3 && (!(c->low_freq_factor > 0) || !(c->high_freq_factor > c->low_freq_factor)))
        return trine_fail(err, TRINE_ERROR_FORMAT, "rope: frequency factors %g and %g, expected 0 < low < high",
                          (double)c->low_freq_factor, (double)c->high_freq_factor);
    if (c->kind == TRINE_ROPE_YARN && c->theta <= 1)
        return trine_fail(err, TRINE_ERROR_FORMAT, "rope: theta is %g, yarn expects more than 1", (double)c->theta);

    const int n = c->n_rotated / 2;
    out->inv_freq = malloc((size_t)n * sizeof(float));
    if (!out->inv_freq) return trine_fail(err, TRINE_ERROR_MEMORY, "rope: no memory for %d frequencies", n);
    out->n_rotated = c->n_rotated;
    out->interleaved = c->interleaved;
    out->scale = 1;
    for (int i = 0; i < n; i++) out->inv_freq[i] = 1.0f / divisor(c, i);
    switch (c->kind) {
    case TRINE_ROPE_PLAIN: break;
    case TRINE_ROPE_LINEAR:
        for (int i = 0; i < n; i++) out->inv_freq[i] /= c->factor;
        break;
    case TRINE_ROPE_LLAMA3:
        for (int i = 0; i < n; i++) out->inv_freq[i] = llama3_frequency(out->inv_freq[i], c);
        break;
    case TRINE_ROPE_YARN:
        yarn_frequencies(out->inv_freq, c);
        out->scale = c->attention_factor > 0 ? c->attention_factor
                     : c->factor > 1         ? (float)(0.1 * log((double)c->factor) + 1.0)
                                             : 1.0f;
        break;
    }
    if (c->freq_factors)
        for (int i = 0; i < n; i++) out->inv_freq[i] /= c->freq_factors[i];
    return TRINE_OK;
}

void trine_rope_clear(trine_rope *rope)
{
    if (!rope) return;
    free(rope->inv_freq);
    *rope = (trine_rope) { 0 };
}

typedef struct turn_job {
    const trine_kernels *kernels;
    const trine_rope *rope;
    trine_mat x; /* of one segment */
    int d_head, pos;
    bool back;
    float *scratch;
    size_t stride;
} turn_job;

static void turn_rows(const void *job, int first, int n, int thread)
{
    const turn_job *j = job;
    const trine_rope *rope = j->rope;
    const size_t n_pairs = (size_t)rope->n_rotated / 2;
    float *cosine = j->scratch + (size_t)thread * j->stride, *sine = cosine + n_pairs;
    trine_rope_turn_fn *turn = rope->interleaved ? j->kernels->rope_interleaved : j->kernels->rope_half;
    for (int r = first; r < first + n; r++) {
        j->kernels->rope_angles(cosine, sine, rope->inv_freq, (float)(j->pos + r), rope->scale, n_pairs);
        if (j->back) j->kernels->scale(sine, -1, n_pairs);
        for (int h = 0; h < j->x.cols; h += j->d_head) turn(trine_row(j->x, r) + h, cosine, sine, n_pairs);
    }
}

/* Each head of x by its row's position, or back: what is turned back is the gradient, as a turn's transpose is its inverse (times
 * scale^2, which is in both). */
static void turn(trine_pass *p, trine_mat x, int d_head, const trine_rope *rope, bool back)
{
    const int n_pairs = rope->n_rotated / 2, n_threads = trine_max_int(1, p->n_threads);
    const size_t stride = trine_round_up(2 * (size_t)n_pairs, 16);
    const size_t mark = trine_arena_mark(p->arena);
    float *scratch = trine_pass_alloc(p, stride * (size_t)n_threads, sizeof(float));
    if (!p->failed && (d_head < rope->n_rotated || x.cols % d_head))
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "rope: %d rotated dimensions of heads of %d in rows of %d", rope->n_rotated,
                        d_head, x.cols);
    /* Segments lie one after another, and threads take runs of rows inside each. */
    for (int i = 0; trine_pass_computes(p) && i < p->batch->n_segments; i++) {
        const trine_segment *segment = &p->batch->segments[i];
        const turn_job job = { .kernels = p->kernels,
                               .rope = rope,
                               .x = { trine_row(x, segment->first_row), segment->n_rows, x.cols },
                               .d_head = d_head,
                               .pos = segment->pos,
                               .back = back,
                               .scratch = scratch,
                               .stride = stride };
        trine_for_rows(p, segment->n_rows, 8.0 * x.cols, turn_rows, &job);
    }
    trine_arena_release(p->arena, mark);
}

typedef struct turn_op {
    trine_op op;
    trine_mat x;
    int d_head;
    const trine_rope *rope;
} turn_op;

static void turn_backward(trine_pass *p, trine_op *op)
{
    const turn_op *o = (const turn_op *)op;
    const size_t mark = trine_arena_mark(p->arena);
    bool apart;
    const trine_mat g = trine_grad_move(p, o->x, op->made[0], &apart);
    turn(p, g, o->d_head, o->rope, true);
    trine_grad_moved(p, o->x, g, apart);
    trine_arena_release(p->arena, mark);
}

/* In x's own memory with a tape, too: nobody needs x as it was. */
trine_mat trine_rope_turn(trine_pass *p, trine_mat x, int d_head, const trine_rope *rope)
{
    turn(p, x, d_head, rope, false);
    turn_op *op = trine_value_wanted(x) ? trine_tape_note(p, turn_backward, sizeof *op) : NULL;
    if (!op) return x;
    *op = (turn_op) { op->op, x, d_head, rope };
    x.value = trine_tape_made(p, &op->op, x, true);
    return x;
}
