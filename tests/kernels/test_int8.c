/* Products on bytes: at every level of this machine rows of x and panels of W are byte by byte those of the reference, the reference is
 * as near to the true weights as it says, and the products are exact sums of them. Odd sizes, shifted pointers, guards. */
#include <math.h>

#include "kernels/kernels.h"
#include "support/quantised_rows.h"

enum { GROUP = TRINE_INT8_GROUP };

static size_t pad(size_t n) { return (n + TRINE_INT8_PAD - 1) / TRINE_INT8_PAD * TRINE_INT8_PAD; }
static size_t groups_of(size_t n) { return (n + GROUP - 1) / GROUP; }

/* ---- panels ---- */

typedef struct packed {
    guarded bytes, scale;
    int width;
} packed;

static packed pack(const trine_kernels *k, const rows_of_w *w, int offset, size_t shift)
{
    const size_t width = (size_t)k->int8_cols;
    packed p = { guard(pad(w->n) * width, shift), guard(groups_of(w->n) * width * sizeof(float), 4 * (shift & 3)), k->int8_cols };
    trine_int8_panel panel = { p.bytes.at, (float *)(void *)p.scale.at };
    k->pack_panel[w->type](&panel, w->at, w->stride, w->n_w, w->n, offset);
    check_guards(&p.bytes);
    check_guards(&p.scale);
    for (size_t i = w->n * width; i < pad(w->n) * width; i++) assert_int_equal(p.bytes.at[i], 0);
    return p;
}

static void free_packed(packed *p)
{
    free(p->bytes.memory);
    free(p->scale.memory);
}

static unsigned char byte_at(const packed *p, size_t k, int j)
{
    return p->bytes.at[k / 4 * 4 * (size_t)p->width + 4 * (size_t)j + k % 4];
}

static float scale_at(const packed *p, size_t k, int j)
{
    float f;
    memcpy(&f, p->scale.at + (k / GROUP * (size_t)p->width + (size_t)j) * sizeof f, sizeof f);
    return f;
}

/* The reference's bytes times its scales are the weights, to within TRINE_INT8_ERROR steps. */
static void check_bound(const rows_of_w *w, const packed *p)
{
    float *plain = take(w->n * sizeof *plain);
    for (int j = 0; j < w->n_w; j++) {
        trine_dtype_get(w->type)->unpack(plain, w->at + (size_t)j * w->stride, w->n);
        for (size_t k = 0; k < w->n; k++) {
            const double scale = (double)scale_at(p, k, j), got = scale * (int8_t)byte_at(p, k, j);
            if (!(fabs(got - (double)plain[k]) <= (double)TRINE_INT8_ERROR * scale))
                fail_msg("%s: row %d column %zu is %.9g, of a step %.9g from %.9g", trine_dtype_name(w->type), j, k, got, scale,
                         (double)plain[k]);
        }
    }
    free(plain);
}

static void panels(void **state)
{
    (void)state;
    random_state r = random_open("int8 panels");
    trine_kernels ref;
    trine_kernels_init(&ref, TRINE_CPU_SCALAR);
    for (int t = 0; t < N_QUANTISED; t++) {
        const size_t block = (size_t)trine_dtype_get(QUANTISED[t])->block;
        for (size_t n = block; n <= 1280; n += n < 320 ? block : block * (size_t)random_int(&r, 1, 5)) {
            for (int round = 0; round < 4; round++) {
                const rows_of_w w =
                    make_rows(&r, QUANTISED[t], random_int(&r, 1, ref.int8_cols), n, round ? BLOCKS_WILD : BLOCKS_ALIKE);
                packed expected = pack(&ref, &w, 0, 0);
                check_bound(&w, &expected);
                for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
                    trine_kernels k;
                    trine_kernels_init(&k, (trine_cpu)level);
                    packed got = pack(&k, &w, k.int8_offset, (size_t)random_int(&r, 0, 9));
                    for (int j = 0; j < w.n_w; j++)
                        for (size_t e = 0; e < n; e++) {
                            const unsigned char byte = (unsigned char)(byte_at(&expected, e, j) + k.int8_offset);
                            if (byte_at(&got, e, j) != byte || scale_at(&got, e, j) != scale_at(&expected, e, j))
                                fail_msg("%s at %s, row %d column %zu: %d and %.9g, expected %d and %.9g",
                                         trine_dtype_name(QUANTISED[t]), trine_cpu_name((trine_cpu)level), j, e,
                                         byte_at(&got, e, j), (double)scale_at(&got, e, j), byte,
                                         (double)scale_at(&expected, e, j));
                        }
                    free_packed(&got);
                }
                free_packed(&expected);
                free(w.memory);
            }
        }
    }
}

/* A row of a wide panel is the same row in a panel of its own. */
static void rows_of_wide_panels(void **state)
{
    (void)state;
    random_state r = random_open("rows of wide panels");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_QUANTISED; t++) {
            for (int n_w = k.int8_cols; n_w > 0; n_w -= 5) {
                const rows_of_w all = make_rows(&r, QUANTISED[t], n_w, 768, BLOCKS_WILD);
                packed whole = pack(&k, &all, 0, 0);
                for (int j = 0; j < n_w; j += 3) {
                    rows_of_w one = all;
                    one.at += (size_t)j * all.stride;
                    one.n_w = 1;
                    packed alone = pack(&k, &one, 0, 0);
                    for (size_t e = 0; e < one.n; e++)
                        assert_true(byte_at(&alone, e, 0) == byte_at(&whole, e, j) &&
                                    scale_at(&alone, e, 0) == scale_at(&whole, e, j));
                    free_packed(&alone);
                }
                free_packed(&whole);
                free(all.memory);
            }
        }
    }
}

/* ---- rows of x ---- */

static void random_row(random_state *r, float *x, size_t n)
{
    static const float sizes[] = { 1, 1, 1e-3f, 1e4f, 0, 1e-36f, 1e-42f, 1e30f };
    for (size_t at = 0; at < n; at += GROUP) random_fill(r, x + at, n - at < GROUP ? n - at : GROUP, sizes[random_int(r, 0, 7)]);
}

static void rows_as_bytes(void **state)
{
    (void)state;
    random_state r = random_open("rows as bytes");
    trine_kernels ref;
    trine_kernels_init(&ref, TRINE_CPU_SCALAR);
    for (size_t n = 32; n <= 1600; n += 32) {
        float *memory = take((n + 3) * sizeof *memory), *x = memory + random_int(&r, 0, 3), scale[1600 / GROUP + 1],
              got_scale[1600 / GROUP + 1];
        int8_t *bytes = take(pad(n));
        int32_t sum[1600 / GROUP + 1], got_sum[1600 / GROUP + 1];
        random_row(&r, x, n);
        ref.quantize_row(bytes, scale, sum, x, n);
        for (size_t k = 0; k < n; k++) {
            const double step = (double)scale[k / GROUP];
            /* Half a step, and four roundings of at most 127 of them: scale (two), its inverse, the product. */
            assert_true(fabs(step * bytes[k] - (double)x[k]) <= (0.5 + 127 * 4 * 0x1p-24) * step + 1e-30);
        }
        for (size_t g = 0; g < groups_of(n); g++) {
            int32_t whole = 0;
            for (size_t k = g * GROUP; k < n && k < (g + 1) * GROUP; k++) whole += bytes[k];
            assert_int_equal(sum[g], -128 * whole);
        }
        for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
            trine_kernels k;
            trine_kernels_init(&k, (trine_cpu)level);
            guarded got = guard(pad(n), (size_t)random_int(&r, 0, 9));
            k.quantize_row((int8_t *)got.at, got_scale, got_sum, x, n);
            check_guards(&got);
            assert_memory_equal(got.at, bytes, n);
            assert_memory_equal(got_scale, scale, groups_of(n) * sizeof *scale);
            assert_memory_equal(got_sum, sum, groups_of(n) * sizeof *sum);
            for (size_t i = n; i < pad(n); i++) assert_int_equal(got.at[i], 0);
            free(got.memory);
        }
        free(memory);
        free(bytes);
    }
}

/* What is not a number, and infinity, are not lost on the way into bytes: their group's scale is what they are. */
static void not_numbers(void **state)
{
    (void)state;
    static const float strange[] = { NAN, -NAN, INFINITY, -INFINITY };
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int s = 0; s < 4; s++)
            for (int at = 0; at < 2 * GROUP; at += 37) {
                float x[2 * GROUP], scale[2];
                int8_t bytes[2 * GROUP];
                int32_t sum[2];
                for (int i = 0; i < 2 * GROUP; i++) x[i] = (float)i;
                x[at] = strange[s];
                k.quantize_row(bytes, scale, sum, x, 2 * GROUP);
                assert_true(s < 2 ? isnan(scale[at / GROUP]) : isinf(scale[at / GROUP]));
                assert_true(isfinite(scale[1 - at / GROUP]));
            }
    }
}

/* ---- products ---- */

/* y within rounding of f32 of exact sums over what x and W have become; nothing beside it touched. start: 0 from nothing, 1 from
 * a bias, 2 from y itself. */
static void run_product(random_state *r, const trine_kernels *k, trine_dtype type, int n_rows, int n_cols, size_t n, int start)
{
    const size_t stride = pad(n) + TRINE_INT8_PAD * (size_t)random_int(r, 0, 1),
                 groups = groups_of(n) + (size_t)random_int(r, 0, 1);
    const size_t y_stride = (size_t)n_cols + (size_t)random_int(r, 0, 3), n_y = (size_t)(n_rows - 1) * y_stride + (size_t)n_cols;
    float *x = take(n * sizeof *x), *bias = take((size_t)n_cols * sizeof *bias), *before = take(n_y * sizeof *before);
    trine_int8_rows rows = { take((size_t)n_rows * stride), take((size_t)n_rows * groups * sizeof(float)),
                             take((size_t)n_rows * groups * sizeof(int32_t)), stride, groups };
    for (int i = 0; i < n_rows; i++) {
        random_row(r, x, n);
        k->quantize_row(rows.bytes + (size_t)i * stride, rows.scale + (size_t)i * groups, rows.sum + (size_t)i * groups, x, n);
    }
    const rows_of_w w = make_rows(r, type, n_cols, n, random_int(r, 0, 1) ? BLOCKS_WILD : BLOCKS_ALIKE);
    packed p = pack(k, &w, k->int8_offset, 0);
    const trine_int8_panel panel = { p.bytes.at, (float *)(void *)p.scale.at };
    guarded out = guard(n_y * sizeof(float), 4 * (size_t)random_int(r, 0, 3));
    float *y = (float *)(void *)out.at;
    random_fill(r, y, n_y, 1);
    random_fill(r, bias, (size_t)n_cols, 1);
    memcpy(before, y, n_y * sizeof *before);
    k->gemm_int8(y, y_stride, &rows, n_rows, &panel, n_cols, n, start == 1 ? bias : NULL, start == 2);
    check_guards(&out);
    for (int i = 0; i < n_rows; i++) {
        for (int j = 0; j < n_cols; j++) {
            const size_t at = (size_t)i * y_stride + (size_t)j;
            double exact = start == 1 ? (double)bias[j] : start == 2 ? (double)before[at] : 0, size = fabs(exact);
            for (size_t g = 0; g < groups_of(n); g++) {
                int32_t whole = 0;
                for (size_t e = g * GROUP; e < n && e < (g + 1) * GROUP; e++)
                    whole += rows.bytes[(size_t)i * stride + e] *
                             (k->int8_offset ? (int)byte_at(&p, e, j) - k->int8_offset : (int8_t)byte_at(&p, e, j));
                const double term = (double)whole * (double)rows.scale[(size_t)i * groups + g] * (double)scale_at(&p, g * GROUP, j);
                exact += term;
                size += fabs(term);
            }
            if (!(fabs((double)y[at] - exact) <= (3 + (double)groups) * 0x1p-24 * size + 1e-37))
                fail_msg("%s at %s, [%d, %zu] x %d rows, y[%d][%d]: %.9g, expected %.9g", trine_dtype_name(type),
                         trine_cpu_name(k->level), n_cols, n, n_rows, i, j, (double)y[at], exact);
        }
        for (size_t gap = (size_t)n_cols; gap < y_stride && i + 1 < n_rows; gap++)
            assert_memory_equal(&y[(size_t)i * y_stride + gap], &before[(size_t)i * y_stride + gap], sizeof(float));
    }
    free(x);
    free(bias);
    free(before);
    free(rows.bytes);
    free(rows.scale);
    free(rows.sum);
    free(w.memory);
    free_packed(&p);
    free(out.memory);
}

static void products(void **state)
{
    (void)state;
    random_state r = random_open("int8 products");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int n_rows = 1; n_rows <= 40; n_rows++)
            for (int round = 0; round < 8; round++)
                run_product(&r, &k, QUANTISED[random_int(&r, 0, 4)], n_rows, random_int(&r, 1, k.int8_cols),
                            32 * (size_t)random_int(&r, 1, 20), random_int(&r, 0, 2));
        for (int n_cols = 1; n_cols <= k.int8_cols; n_cols++)
            run_product(&r, &k, QUANTISED[n_cols % N_QUANTISED], random_int(&r, 1, 30), n_cols, 256 * (size_t)random_int(&r, 1, 3),
                        n_cols % 3);
    }
}

/* The largest sums there are: nothing saturates on the way. */
static void largest_sums(void **state)
{
    (void)state;
    enum { N = 256, GROUPS = N / GROUP, N_ROWS = 13 };
    static unsigned char w[64 * N / 32 * 34];
    static float x[N], y[N_ROWS * 64];
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int signs = 0; signs < 8; signs++) {
            const int top = signs & 4 ? -128 : signs & 1 ? -127 : 127;
            for (int e = 0; e < N; e++) x[e] = signs & 2 ? -1.0f : 1.0f;
            for (unsigned char *b = w; b < w + sizeof w; b += 34) {
                put_f16(b, 1);
                memset(b + 2, top, 32);
            }
            int8_t bytes[N_ROWS * N];
            float scale[N_ROWS * GROUPS], panel_scale[GROUPS * 64];
            int32_t sum[N_ROWS * GROUPS];
            for (int i = 0; i < N_ROWS; i++) k.quantize_row(bytes + i * N, scale + GROUPS * i, sum + GROUPS * i, x, N);
            const trine_int8_rows rows = { bytes, scale, sum, N, GROUPS };
            trine_int8_panel panel = { take((size_t)k.int8_cols * N), panel_scale };
            assert_in_range(k.int8_cols, 1, 64);
            k.pack_panel[TRINE_Q8_0](&panel, w, N / 32 * 34, k.int8_cols, N, k.int8_offset);
            k.gemm_int8(y, 64, &rows, N_ROWS, &panel, k.int8_cols, N, NULL, false);
            for (int i = 0; i < N_ROWS; i++)
                for (int j = 0; j < k.int8_cols; j++)
                    assert_true(fabsf(y[i * 64 + j] - (float)(N * top * (signs & 2 ? -1 : 1))) <= 0.01f);
            free(panel.bytes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panels),        cmocka_unit_test(rows_of_wide_panels),
        cmocka_unit_test(rows_as_bytes), cmocka_unit_test(not_numbers),
        cmocka_unit_test(products),      cmocka_unit_test(largest_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
