/* Norms, embeddings, positions, sums and taken rows over a pass, and how a pass fails. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/rows.h"
#include "support/random.h"
#include "support/run_pass.h"

enum { ROWS = 5, COLS = 37, HEAD = 12, IDS = 11 };

typedef struct sheet {
    float x[ROWS * COLS], y[ROWS * COLS], out[ROWS * COLS], weight[COLS], bias[COLS];
    trine_weight table;
    const int32_t *ids, *rows;
    int offset, which;
} sheet;

static trine_mat copied(trine_pass *p, const float *data)
{
    trine_mat x = trine_mat_new(p, ROWS, COLS);
    if (trine_pass_computes(p)) memcpy(x.data, data, ROWS * COLS * sizeof *data);
    return x;
}

enum { LAYER_NORM, LAYER_NORM_BARE, LAYER_NORM_OVER, RMS_NORM, ADD, SCALE, TAKE, EMBED, POSITIONS };

static void body(trine_pass *p, void *user)
{
    sheet *s = user;
    const float eps = 1e-5f;
    trine_mat x = copied(p, s->x), y = x;
    switch (s->which) {
    case LAYER_NORM: y = trine_layer_norm(p, x, s->weight, s->bias, eps); break;
    case LAYER_NORM_BARE: y = trine_layer_norm(p, x, s->weight, NULL, eps); break;
    case LAYER_NORM_OVER: y = trine_layer_norm_over(p, x, s->weight, s->bias, eps); break;
    case RMS_NORM: y = trine_rms_norm(p, x, s->weight, eps); break;
    case ADD: y = trine_add(p, x, copied(p, s->y)); break;
    case SCALE: trine_scale_in_place(p, x, 2.5f); break;
    case TAKE: y = trine_take_rows(p, x, s->rows, 3); break;
    case EMBED: y = trine_embedding(p, &s->table, s->ids); break;
    case POSITIONS: y = trine_add_positions(p, x, &s->table, s->offset); break;
    }
    if (trine_pass_computes(p)) memcpy(s->out, y.data, (size_t)y.rows * COLS * sizeof *s->out);
}

static void norm_row(double *out, const float *x, const sheet *s, bool center, bool bias)
{
    double mean = 0, square = 0;
    for (int i = 0; i < COLS && center; i++) mean += (double)x[i] / COLS;
    for (int i = 0; i < COLS; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean) / COLS;
    for (int i = 0; i < COLS; i++)
        out[i] = ((double)x[i] - mean) / sqrt(square + (double)1e-5f) * (double)s->weight[i] + (bias ? (double)s->bias[i] : 0);
}

static void norms_and_sums(void **state)
{
    (void)state;
    random_state r = random_open("norms and sums");
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, ROWS);
    const int32_t rows[3] = { 4, 0, 4 };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        sheet s = { .rows = rows };
        random_fill(&r, s.x, ROWS * COLS, 3);
        random_fill(&r, s.y, ROWS * COLS, 3);
        random_fill(&r, s.weight, COLS, 1);
        random_fill(&r, s.bias, COLS, 1);
        for (int i = 0; i < COLS; i++) s.x[i] += 1000; /* a mean that cancels */
        for (s.which = LAYER_NORM; s.which <= RMS_NORM; s.which++) {
            run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
            for (int row = 0; row < ROWS; row++) {
                double exact[COLS];
                norm_row(exact, s.x + row * COLS, &s, s.which != RMS_NORM, s.which != LAYER_NORM_BARE && s.which != RMS_NORM);
                for (int i = 0; i < COLS; i++) assert_true(fabs((double)s.out[row * COLS + i] - exact[i]) < (row ? 2e-6 : 2e-4));
            }
        }
        s.which = ADD;
        run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
        for (int i = 0; i < ROWS * COLS; i++) assert_true(s.out[i] == s.x[i] + s.y[i]);
        s.which = SCALE;
        run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
        for (int i = 0; i < ROWS * COLS; i++) assert_true(s.out[i] == s.x[i] * 2.5f);
        s.which = TAKE;
        run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
        for (int i = 0; i < 3; i++) assert_memory_equal(s.out + i * COLS, s.x + rows[i] * COLS, COLS * sizeof(float));
    }
}

/* All elements equal: the variance is 0 and only eps keeps the division finite. */
static void norm_of_equal_elements(void **state)
{
    (void)state;
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, ROWS);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        sheet s = { .which = LAYER_NORM };
        for (int i = 0; i < ROWS * COLS; i++) s.x[i] = 0.3f;
        for (int i = 0; i < COLS; i++) {
            s.weight[i] = 1;
            s.bias[i] = (float)i;
        }
        run_pass(&batch, (trine_cpu)level, 1, NULL, body, &s);
        for (int i = 0; i < ROWS * COLS; i++) assert_true(fabsf(s.out[i] - (float)(i % COLS)) < 1e-4f);
    }
}

static void embedding_and_positions(void **state)
{
    (void)state;
    random_state r = random_open("embedding and positions");
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16 };
    const trine_segment segments[2] = { { .n_rows = 2, .pos = 3 }, { .first_row = 2, .n_rows = 3 } };
    const int32_t ids[ROWS] = { 0, 10, 3, 3, 7 };
    const trine_batch batch = { .n_rows = ROWS, .n_segments = 2, .segments = segments, .ids = ids };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int t = 0; t < 3; t++) {
            const trine_dtype_info *info = trine_dtype_get(types[t]);
            float plain[IDS * COLS];
            unsigned char memory[IDS * COLS * 4 + 1], *odd = memory + 1;
            random_fill(&r, plain, IDS * COLS, 1);
            info->pack(odd, plain, IDS * COLS);
            info->unpack(plain, odd, IDS * COLS);
            sheet s = { .table = { odd, types[t], IDS, COLS, NULL }, .which = EMBED, .offset = 2 };
            random_fill(&r, s.x, ROWS * COLS, 1);
            run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
            for (int i = 0; i < ROWS; i++) assert_memory_equal(s.out + i * COLS, plain + ids[i] * COLS, COLS * sizeof(float));
            s.which = POSITIONS;
            run_pass(&batch, (trine_cpu)level, 2, NULL, body, &s);
            for (int row = 0; row < ROWS; row++) {
                const int pos = (row < 2 ? 3 + row : row - 2) + 2;
                for (int i = 0; i < COLS; i++) assert_true(s.out[row * COLS + i] == s.x[row * COLS + i] + plain[pos * COLS + i]);
            }
            s.offset = 7; /* position 4 + 7 is the first outside the table */
            assert_int_equal(run_failing_pass(&batch, (trine_cpu)level, 1, body, &s), TRINE_ERROR_TOO_LONG);
            s.which = EMBED;
            const int32_t outside[ROWS] = { 0, 1, IDS, 2, 3 }, negative[ROWS] = { 0, 1, -1, 2, 3 };
            s.ids = outside;
            assert_int_equal(run_failing_pass(&batch, (trine_cpu)level, 1, body, &s), TRINE_ERROR_ARGUMENT);
            s.ids = negative;
            assert_int_equal(run_failing_pass(&batch, (trine_cpu)level, 1, body, &s), TRINE_ERROR_ARGUMENT);
        }
}

static void heads_body(trine_pass *p, void *user)
{
    sheet *s = user;
    trine_mat x = trine_mat_new(p, ROWS, 3 * HEAD);
    if (trine_pass_computes(p)) memcpy(x.data, s->x, (size_t)ROWS * 3 * HEAD * sizeof(float));
    x = trine_rms_norm_heads(p, x, s->weight, HEAD, 1e-6f);
    if (trine_pass_computes(p)) memcpy(s->out, x.data, (size_t)ROWS * 3 * HEAD * sizeof(float));
}

static void norm_of_heads(void **state)
{
    (void)state;
    random_state r = random_open("norm of heads");
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, ROWS);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        sheet s = { 0 };
        random_fill(&r, s.x, ROWS * COLS, 1);
        random_fill(&r, s.weight, COLS, 1);
        run_pass(&batch, (trine_cpu)level, 2, NULL, heads_body, &s);
        for (int h = 0; h < ROWS * 3; h++) {
            double square = 0;
            for (int i = 0; i < HEAD; i++) square += (double)s.x[h * HEAD + i] * (double)s.x[h * HEAD + i] / HEAD;
            for (int i = 0; i < HEAD; i++)
                assert_true(fabs((double)s.out[h * HEAD + i] -
                                 (double)s.x[h * HEAD + i] / sqrt(square + 1e-6) * (double)s.weight[i]) < 2e-6);
        }
    }
}

/* The first failure stays, later blocks do nothing, and the tracer's refusal ends the pass. */
static trine_status refuse(void *user, const char *name, const float *data, int n_dims, const int64_t *shape)
{
    int *calls = user;
    (void)data, (void)shape;
    assert_string_equal(name, "hidden.2");
    assert_int_equal(n_dims, 2);
    ++*calls;
    return TRINE_ERROR_IO;
}

static void failed_pass_is_still(void **state)
{
    (void)state;
    trine_arena arena;
    trine_kernels kernels;
    trine_segment segment;
    trine_error err;
    int calls = 0;
    trine_tracer tracer = { .put = refuse, .user = &calls, .prefix = "", .hidden = true };
    const trine_batch batch = one_segment(&segment, ROWS);
    float weight[COLS] = { 0 };
    trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
    assert_int_equal(trine_arena_open(&arena, 1 << 16, &err), TRINE_OK);
    trine_pass p = { .arena = &arena, .kernels = &kernels, .n_threads = 1, .batch = &batch, .tracer = &tracer };
    trine_mat x = trine_mat_new(&p, ROWS, COLS);
    memset(x.data, 0, ROWS * COLS * sizeof(float));
    assert_int_equal(trine_pass_status(&p, &err), TRINE_OK);
    trine_pass_trace(&p, "hidden", 2, x);
    assert_int_equal(trine_pass_status(&p, &err), TRINE_ERROR_IO);
    trine_pass_trace(&p, "hidden", 2, x);
    assert_int_equal(calls, 1);
    trine_pass_fail(&p, TRINE_ERROR_INTERNAL, "a later failure");
    const trine_weight w = { .data = weight, .type = TRINE_F32, .rows = 1, .cols = COLS };
    const trine_attention_spec spec = { .n_heads = 1, .n_kv_heads = 1, .d_head = COLS, .scale = 1 };
    const size_t used = arena.used;
    assert_null(trine_rms_norm(&p, x, weight, 1).data);
    assert_null(trine_layer_norm(&p, x, weight, weight, 1).data);
    assert_null(trine_linear(&p, x, &w).data);
    assert_null(trine_self_attention(&p, x, x, x, &spec).data);
    assert_null(trine_cross_attention(&p, x, &spec).data);
    assert_null(trine_embedding(&p, &w, NULL).data);
    trine_cross_append(&p, 0, x, x);
    trine_add(&p, x, (trine_mat) { .rows = 1, .cols = 1 });
    trine_scale_in_place(&p, x, 2);
    trine_activate(&p, x, TRINE_GELU);
    assert_int_equal(arena.used, used);
    assert_int_equal(trine_pass_status(&p, &err), TRINE_ERROR_IO);
    trine_arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norms_and_sums), cmocka_unit_test(norm_of_equal_elements), cmocka_unit_test(embedding_and_positions),
        cmocka_unit_test(norm_of_heads),  cmocka_unit_test(failed_pass_is_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
