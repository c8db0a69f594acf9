/* test_block_gradients.c - every block's gradient against central differences of its own forward, at every level, on ragged batches of
 * odd sizes; the same bits on any number of threads; and what is dropped. (Products, attention and the loss have tests of their own.) */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/blocks.h"
#include "support/learn.h"
#include "support/random.h"
#include "support/run_pass.h"

enum { ROWS = 9, COLS = 36, HEAD = 12, FF = 23, VOCAB = 11, POSITIONS = 8, PARAMETERS = 3200, SAMPLES = 48 };

typedef enum block {
    LAYER_NORM,
    LAYER_NORM_OVER,
    LAYER_NORM_BARE,
    RMS_NORM,
    RMS_NORM_HEADS,
    ADD,
    ADD_TWICE,
    ACTIVATE,
    FEED_FORWARD,
    FEED_FORWARD_GATED,
    ROPE,
    ROPE_INTERLEAVED,
    EMBEDDING,
    POSITION,
    TAKE,
    TAKE_AND_ADD,
    FIRST,
    LAST,
    DROPOUT,
    LAYERS,
    N_BLOCKS
} block;

typedef struct sheet {
    block which;
    trine_activation kind;
    trine_rope rope;
    float x[ROWS * COLS], dx[ROWS * COLS], factors[ROWS * COLS], out[ROWS * COLS];
    float values[PARAMETERS], grads[PARAMETERS];
    size_t n_values; /* that the block reads */
    int n_out;       /* elements of y */
} sheet;

/* The next parameters of the sheet. */
static const float *take(sheet *s, size_t n)
{
    const float *at = s->values + s->n_values;
    s->n_values += n;
    assert_true(s->n_values <= PARAMETERS);
    return at;
}

static trine_weight matrix(sheet *s, int rows, int cols, bool bias)
{
    trine_weight w = { .data = take(s, (size_t)(rows * cols)), .type = TRINE_F32, .rows = rows, .cols = cols };
    if (bias) w.bias = take(s, (size_t)rows);
    return w;
}

static trine_feed_forward_weights network(sheet *s, bool gated)
{
    trine_feed_forward_weights w = { .up = matrix(s, FF, COLS, !gated), .activation = s->kind, .drops = gated };
    if (gated) w.gate = matrix(s, FF, COLS, false);
    w.down = matrix(s, COLS, FF, !gated);
    return w;
}

/* A layer as models have it: pre-norm, dropping what is added, in a loop that computes it again. */
static trine_mat layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const struct {
        const float *norm;
        trine_feed_forward_weights ffn;
    } *w = weights;
    (void)n;
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_rms_norm(p, x, w->norm, 1e-5f);
    x = trine_add(p, x, trine_dropout(p, trine_feed_forward(p, h, &w->ffn)));
    trine_pass_release(p, mark);
    return x;
}

static const int32_t IDS[ROWS] = { 3, 0, 3, 10, 3, 7, 0, 1, 3 }, TAKEN[5] = { 8, 2, 0, 2, 5 };

static void body(trine_pass *p, void *user)
{
    sheet *s = user;
    const float eps = 1e-5f;
    s->n_values = 0;
    trine_mat x = learn_input(p, s->x, ROWS, COLS, s->dx), y = x;
    static struct {
        const float *norm;
        trine_feed_forward_weights ffn;
    } weights;
    switch (s->which) {
    case LAYER_NORM: {
        const float *w = take(s, COLS), *b = take(s, COLS);
        y = trine_layer_norm(p, x, w, b, eps);
        break;
    }
    case LAYER_NORM_OVER: {
        const float *w = take(s, COLS), *b = take(s, COLS);
        y = trine_layer_norm_over(p, x, w, b, eps);
        y = trine_layer_norm_over(p, y, w, b, eps);
        break;
    }
    case LAYER_NORM_BARE: y = trine_layer_norm(p, x, take(s, COLS), NULL, eps); break;
    case RMS_NORM: y = trine_add(p, x, trine_rms_norm(p, x, take(s, COLS), eps)); break;
    case RMS_NORM_HEADS: y = trine_rms_norm_heads(p, x, take(s, HEAD), HEAD, eps); break;
    case ADD: y = trine_add(p, x, trine_rms_norm(p, x, s->factors, eps)); break;
    case ADD_TWICE:
        y = trine_add(p, x, trine_rms_norm(p, x, s->factors, eps));
        y = trine_add(p, y, trine_add(p, y, trine_rms_norm(p, x, s->factors, eps)));
        break;
    case ACTIVATE: y = trine_activate(p, x, s->kind); break;
    case FEED_FORWARD:
    case FEED_FORWARD_GATED: {
        const trine_feed_forward_weights w = network(s, s->which == FEED_FORWARD_GATED);
        y = trine_feed_forward(p, x, &w);
        break;
    }
    case ROPE:
    case ROPE_INTERLEAVED: y = trine_rope_turn(p, x, HEAD, &s->rope); break;
    case EMBEDDING: {
        const trine_weight table = matrix(s, VOCAB, COLS, false);
        y = trine_add(p, x, trine_embedding(p, &table, NULL));
        break;
    }
    case POSITION: {
        const trine_weight table = matrix(s, POSITIONS, COLS, false);
        y = trine_add_positions(p, x, &table, 1);
        break;
    }
    case TAKE: y = trine_take_rows(p, x, TAKEN, 4); break;
    case TAKE_AND_ADD: { /* x has a gradient before its rows give theirs */
        const trine_mat h = trine_rms_norm(p, x, take(s, COLS), eps);
        y = trine_add(p, trine_take_rows(p, x, TAKEN, 4), trine_take_rows(p, h, TAKEN + 1, 4));
        break;
    }
    case FIRST: y = trine_first_rows(p, x); break;
    case LAST: y = trine_last_rows(p, x, IDS[ROWS - 1]); break;
    case DROPOUT: y = trine_dropout(p, x); break;
    case LAYERS:
        weights.norm = take(s, COLS);
        weights.ffn = network(s, true);
        for (int n = 0; n < 3; n++) y = trine_layer(p, layer, &weights, n, y);
        break;
    case N_BLOCKS: break;
    }
    s->n_out = y.rows * y.cols;
    learn_weigh(p, y, s->factors, s->out);
}

/* Three texts, of which the middle begins later: positions are those of the segment. */
static const trine_segment SEGMENTS[3] = { { .n_rows = 1 },
                                           { .first_row = 1, .n_rows = 5, .pos = 2 },
                                           { .first_row = 6, .n_rows = 3 } };
static const trine_batch BATCH = { .n_rows = ROWS, .n_segments = 3, .segments = SEGMENTS, .ids = IDS };

static learning options(sheet *s, trine_cpu level)
{
    const bool drops = s->which == DROPOUT || s->which == FEED_FORWARD_GATED || s->which == LAYERS;
    return (learning) { .level = level,
                        .n_threads = 1,
                        .values = s->values,
                        .grads = s->grads,
                        .n = PARAMETERS,
                        .dropout = drops ? 0.25f : 0,
                        .seed = 5 };
}

static double loss_of(sheet *s, trine_cpu level)
{
    float dx[ROWS * COLS], grads[PARAMETERS];
    memcpy(dx, s->dx, sizeof dx);
    memcpy(grads, s->grads, sizeof grads);
    learning l = options(s, level);
    learn(&l, &BATCH, body, s);
    memcpy(s->dx, dx, sizeof dx);
    memcpy(s->grads, grads, sizeof grads);
    double sum = 0;
    for (int i = 0; i < s->n_out; i++) sum += (double)s->out[i] * (double)s->factors[i];
    return sum;
}

/* By a difference of fourth order. A step of 0.02 leaves 1e-7 of the fifth derivative, and the forward's rounding, about 1e-6 of a sum
 * of some hundred terms of size 1, divided by the step: 1e-4. */
static double slope_at(sheet *s, trine_cpu level, float *at)
{
    const float before = *at;
    const double h = 0.02;
    double loss[5];
    for (int i = -2; i <= 2; i++) {
        if (!i) continue;
        *at = before + (float)(i * h);
        loss[i + 2] = loss_of(s, level);
    }
    *at = before;
    return (8 * (loss[3] - loss[1]) - (loss[4] - loss[0])) / (12 * h);
}

static void check(sheet *s, trine_cpu level, random_state *r, const char *what, float *values, const float *grads, size_t n)
{
    for (int sample = 0; sample < SAMPLES && n; sample++) {
        const size_t i = (size_t)random_int(r, 0, (int)n - 1);
        if (s->which == ACTIVATE && s->kind == TRINE_RELU && fabsf(values[i]) < 0.05f) continue; /* a corner */
        const double expected = slope_at(s, level, &values[i]);
        if (!(fabs((double)grads[i] - expected) <= 1e-3 * (1 + fabs(expected))))
            fail_msg("block %d kind %d at %s: d%s[%zu] is %g, expected %g", s->which, s->kind, trine_cpu_name(level), what, i,
                     (double)grads[i], expected);
    }
}

static void begin(sheet *s, block which, random_state *r)
{
    memset(s, 0, sizeof *s);
    s->which = which;
    random_fill(r, s->x, ROWS * COLS, 1);
    random_fill(r, s->factors, ROWS * COLS, 1);
    random_fill(r, s->values, PARAMETERS, 0.4f);
}

static void gradients(void **state)
{
    (void)state;
    random_state r = random_open("gradients");
    static sheet s;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int which = 0; which < N_BLOCKS; which++)
            for (int kind = 0; kind < 6; kind++) {
                const bool has_kinds = which == ACTIVATE || which == FEED_FORWARD || which == FEED_FORWARD_GATED;
                /* ReLU's corners are everywhere inside a network: it is tested alone. */
                if (has_kinds ? kind == TRINE_RELU && which != ACTIVATE : kind != TRINE_SILU) continue;
                begin(&s, (block)which, &r);
                s.kind = (trine_activation)kind;
                if (which == ROPE || which == ROPE_INTERLEAVED)
                    assert_int_equal(trine_rope_make(&s.rope,
                                                     &(trine_rope_config) { .theta = 100,
                                                                            .d_head = HEAD,
                                                                            .n_rotated = which == ROPE ? 10 : HEAD,
                                                                            .interleaved = which == ROPE_INTERLEAVED },
                                                     NULL),
                                     TRINE_OK);
                learning l = options(&s, (trine_cpu)level);
                learn(&l, &BATCH, body, &s);
                check(&s, (trine_cpu)level, &r, "x", s.x, s.dx, ROWS * COLS);
                check(&s, (trine_cpu)level, &r, "values", s.values, s.grads, s.n_values);
                for (size_t i = s.n_values; i < PARAMETERS; i++) assert_true(s.grads[i] == 0);

                /* On more threads, and with layers computed again: the same bits. */
                float dx[ROWS * COLS], grads[PARAMETERS];
                memcpy(dx, s.dx, sizeof dx);
                memcpy(grads, s.grads, sizeof grads);
                l.n_threads = 3;
                l.recompute = true;
                learn(&l, &BATCH, body, &s);
                assert_memory_equal(dx, s.dx, sizeof dx);
                assert_memory_equal(grads, s.grads, sizeof grads);
                trine_rope_clear(&s.rope);
            }
}

/* What is dropped follows from the seed; the rest grows so that the mean stays. */
static void dropping(void **state)
{
    (void)state;
    static sheet s;
    random_state r = random_open("dropping");
    begin(&s, DROPOUT, &r);
    int kept = 0, n = 0, same = 0;
    float before[ROWS * COLS] = { 0 };
    for (uint64_t seed = 0; seed < 40; seed++) {
        learning l = options(&s, TRINE_CPU_SCALAR);
        l.seed = seed;
        learn(&l, &BATCH, body, &s);
        for (int i = 0; i < ROWS * COLS; i++, n++) {
            assert_true(s.out[i] == 0 || s.out[i] == s.x[i] * (1 / 0.75f));
            assert_true(s.dx[i] == (s.out[i] == 0 ? 0 : s.factors[i] * (1 / 0.75f)));
            kept += s.out[i] != 0;
            same += (s.out[i] == 0) == (before[i] == 0);
        }
        memcpy(before, s.out, sizeof before);
    }
    assert_true(fabs(kept - 0.75 * n) < 5 * sqrt(n * 0.1875));
    assert_true(fabs(same - 0.625 * n) < 0.05 * n); /* two seeds agree by chance alone: 0.75^2 + 0.25^2 */
}

/* Without a tape, and below a frozen x, nothing is asked for. */
static void nothing_is_dropped_in_inference(void **state)
{
    (void)state;
    trine_pass p = { 0 };
    float data = 1;
    const trine_mat x = { .data = &data, .rows = 1, .cols = 1 };
    assert_ptr_equal(trine_dropout(&p, x).data, &data);
    assert_true(data == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),
        cmocka_unit_test(dropping),
        cmocka_unit_test(nothing_is_dropped_in_inference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
