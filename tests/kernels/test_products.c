/* Products, element types and transposition: every level of this machine against sums in double, over odd sizes, shifted
 * pointers and outputs between guards. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "support/quantised_blocks.h"

static const trine_dtype TYPES[] = { TRINE_F32,  TRINE_F16,  TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1,
                                     TRINE_Q5_0, TRINE_Q5_1, TRINE_Q4_K, TRINE_Q5_K, TRINE_Q6_K };
enum { N_TYPES = sizeof TYPES / sizeof *TYPES, N_PLAIN = 3 /* the first, which dot tiles take */, GUARD = 16 };
static const float GUARD_VALUE = -12345.0f;

static void *take(size_t n)
{
    void *memory = malloc(n ? n : 1);
    assert_non_null(memory);
    return memory;
}

/* n floats between guards, `shift` floats off alignment. */
typedef struct guarded {
    float *memory, *at;
    size_t n;
} guarded;

static guarded guard(size_t n, size_t shift)
{
    guarded g = { take((n + 2 * GUARD + shift) * sizeof(float)), NULL, n };
    g.at = g.memory + GUARD + shift;
    for (size_t i = 0; i < GUARD; i++) g.at[-(ptrdiff_t)i - 1] = g.at[n + i] = GUARD_VALUE;
    return g;
}

static void check_guards(const guarded *g)
{
    for (size_t i = 0; i < GUARD; i++) assert_true(g->at[-(ptrdiff_t)i - 1] == GUARD_VALUE && g->at[g->n + i] == GUARD_VALUE);
}

/* n elements of a type: random bits, with scales that are finite (negative ones, zeros and subnormals among them). */
static void random_elements(random_state *r, unsigned char *out, trine_dtype type, size_t n)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    if (info->block == 1) {
        for (size_t i = 0; i < n; i++) {
            const float x = random_int(r, 0, 30) ? random_normal(r) : random_int(r, 0, 1) ? 0.0f : 1e-6f;
            info->pack(out + i * (size_t)info->block_bytes, &x, 1);
        }
        return;
    }
    random_blocks(r, out, type, n, BLOCKS_WILD);
}

static size_t bytes_of(trine_dtype type, size_t n)
{
    size_t bytes = 0;
    assert_true(trine_dtype_bytes(&bytes, type, n));
    return bytes;
}

/* |y - exact| <= c eps sum |a b|: c covers the few additions that follow the lanes' own. */
static void close_to(float got, double exact, double size, size_t n, const char *what, int level)
{
    const double c = 4 + (double)n / 16;
    if (!(fabs((double)got - exact) <= c * 0x1p-24 * size + 1e-37))
        fail_msg("%s at %s, n %zu: %.9g, expected %.9g", what, trine_cpu_name((trine_cpu)level), n, (double)got, exact);
}

static void run_dot(random_state *r, const trine_kernels *k, trine_dtype type, int n_x, int n_w, size_t n)
{
    const size_t shift = (size_t)random_int(r, 0, 3), x_stride = n + (size_t)random_int(r, 0, 3), row = bytes_of(type, n);
    const size_t w_stride = row + (size_t)random_int(r, 0, 5), y_stride = (size_t)n_w + (size_t)random_int(r, 0, 3);
    float *x = take(((size_t)n_x * x_stride + shift) * sizeof *x), *plain = take((size_t)n_w * n * sizeof *plain);
    unsigned char *w = take((size_t)(n_w - 1) * w_stride + row + 1), *odd = w + 1; /* ends with its memory */
    guarded y = guard((size_t)(n_x - 1) * y_stride + (size_t)n_w, shift);
    random_fill(r, x, (size_t)n_x * x_stride + shift, 1);
    for (int j = 0; j < n_w; j++) {
        random_elements(r, odd + (size_t)j * w_stride, type, n);
        trine_dtype_get(type)->unpack(plain + (size_t)j * n, odd + (size_t)j * w_stride, n);
    }
    for (size_t i = 0; i < y.n; i++) y.at[i] = GUARD_VALUE;
    k->dot_tile[type](y.at, y_stride, x + shift, x_stride, n_x, odd, w_stride, n_w, n);
    check_guards(&y);
    for (int i = 0; i < n_x; i++) {
        for (int j = 0; j < n_w; j++) {
            double exact = 0, size = 0;
            for (size_t e = 0; e < n; e++) {
                const double term = (double)x[shift + (size_t)i * x_stride + e] * (double)plain[(size_t)j * n + e];
                exact += term;
                size += fabs(term);
            }
            close_to(y.at[(size_t)i * y_stride + (size_t)j], exact, size, n, trine_dtype_name(type), (int)k->level);
        }
        for (size_t gap = (size_t)n_w; gap < y_stride && i + 1 < n_x; gap++)
            assert_true(y.at[(size_t)i * y_stride + gap] == GUARD_VALUE);
    }
    free(x);
    free(plain);
    free(w);
    free(y.memory);
}

static void dot_tiles(void **state)
{
    (void)state;
    random_state r = random_open("dot tiles");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_PLAIN; t++) {
            for (size_t n = 0; n <= 67; n++)
                run_dot(&r, &k, TYPES[t], random_int(&r, 1, TRINE_DOT_TILE), random_int(&r, 1, TRINE_DOT_TILE), n);
            for (int n_x = 1; n_x <= TRINE_DOT_TILE; n_x++)
                for (int n_w = 1; n_w <= TRINE_DOT_TILE; n_w++) {
                    run_dot(&r, &k, TYPES[t], n_x, n_w, 577);
                    run_dot(&r, &k, TYPES[t], n_x, n_w, 1537); /* long rows of W may go several at a time */
                }
        }
    }
}

/* One element's value does not depend on its neighbours in the tile. */
static void tiles_agree(void **state)
{
    (void)state;
    random_state r = random_open("tiles agree");
    enum { N = 1536 };
    static float x[TRINE_DOT_TILE * N], panel[100 * 64];
    static unsigned char w[TRINE_DOT_TILE * N * 4];
    random_fill(&r, x, TRINE_DOT_TILE * N, 1);
    random_fill(&r, panel, 100 * 64, 1);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_PLAIN; t++) {
            const size_t row = bytes_of(TYPES[t], N);
            float whole[TRINE_DOT_TILE * TRINE_DOT_TILE], one;
            random_elements(&r, w, TYPES[t], TRINE_DOT_TILE * N);
            k.dot_tile[TYPES[t]](whole, TRINE_DOT_TILE, x, N, TRINE_DOT_TILE, w, row, TRINE_DOT_TILE, N);
            for (int i = 0; i < TRINE_DOT_TILE; i++) {
                float alone[TRINE_DOT_TILE];
                k.dot_tile[TYPES[t]](alone, TRINE_DOT_TILE, x + i * N, N, 1, w, row, TRINE_DOT_TILE, N);
                assert_memory_equal(alone, &whole[i * TRINE_DOT_TILE], sizeof alone);
                for (int j = 0; j < TRINE_DOT_TILE; j++) {
                    k.dot_tile[TYPES[t]](&one, 1, x + i * N, N, 1, w + (size_t)j * row, row, 1, N);
                    assert_memory_equal(&one, &whole[i * TRINE_DOT_TILE + j], sizeof one);
                }
            }
        }
        float y[30 * 64], one;
        const int cols = k.panel_cols;
        assert_in_range(cols, 1, 64);
        k.gemm_panel(y, 64, x, 100, 30, panel, 64, cols, 100, NULL, false);
        for (int i = 0; i < 30; i++)
            for (int j = 0; j < cols; j++) {
                k.gemm_panel(&one, 1, x + i * 100, 100, 1, panel + j, 64, 1, 100, NULL, false);
                assert_memory_equal(&one, &y[i * 64 + j], sizeof one);
            }
    }
}

/* A product of floats: x's row i is at x[i x_row], its elements x_step apart; column j of W likewise. start: 0 from nothing, 1 from a
 * bias, 2 from what y held before. */
typedef struct product {
    const float *x, *w, *bias, *before;
    size_t x_row, x_step, w_col, w_step, depth;
    int n_rows, n_cols, start;
} product;

/* y within rounding of sums in double, and nothing between its rows touched. */
static void check_product(const product *p, const float *y, size_t y_stride, const char *what, const trine_kernels *k)
{
    for (int i = 0; i < p->n_rows; i++) {
        for (int j = 0; j < p->n_cols; j++) {
            const size_t at = (size_t)i * y_stride + (size_t)j;
            double exact = p->start == 1 ? (double)p->bias[j] : p->start == 2 ? (double)p->before[at] : 0, size = fabs(exact);
            for (size_t e = 0; e < p->depth; e++) {
                const double term =
                    (double)p->x[(size_t)i * p->x_row + e * p->x_step] * (double)p->w[(size_t)j * p->w_col + e * p->w_step];
                exact += term;
                size += fabs(term);
            }
            close_to(y[at], exact, size, 16 * p->depth, what, (int)k->level);
        }
        for (size_t gap = (size_t)p->n_cols; gap < y_stride && i + 1 < p->n_rows; gap++)
            assert_memory_equal(&y[(size_t)i * y_stride + gap], &p->before[(size_t)i * y_stride + gap], sizeof(float));
    }
}

static void run_panel(random_state *r, const trine_kernels *k, int n_rows, int n_cols, size_t depth, int start)
{
    const size_t shift = (size_t)random_int(r, 0, 3), x_stride = depth + (size_t)random_int(r, 0, 3);
    const size_t stride = (size_t)n_cols + (size_t)random_int(r, 0, 9), y_stride = (size_t)n_cols + (size_t)random_int(r, 0, 3);
    /* The panel ends with its last column: nothing to the right of it may be read. */
    float *x = take(((size_t)n_rows * x_stride + shift) * sizeof *x),
          *panel = take((depth ? (depth - 1) * stride + (size_t)n_cols : 1) * sizeof *panel);
    float *bias = take((size_t)n_cols * sizeof *bias), *before = take((size_t)n_rows * y_stride * sizeof *before);
    guarded y = guard((size_t)(n_rows - 1) * y_stride + (size_t)n_cols, shift);
    random_fill(r, x, (size_t)n_rows * x_stride + shift, 1);
    random_fill(r, panel, depth ? (depth - 1) * stride + (size_t)n_cols : 1, 1);
    random_fill(r, bias, (size_t)n_cols, 1);
    random_fill(r, y.at, y.n, 1);
    memcpy(before, y.at, y.n * sizeof *before);
    k->gemm_panel(y.at, y_stride, x + shift, x_stride, n_rows, panel, stride, n_cols, depth, start == 1 ? bias : NULL, start == 2);
    check_guards(&y);
    check_product(&(product) { x + shift, panel, bias, before, x_stride, 1, 1, stride, depth, n_rows, n_cols, start }, y.at,
                  y_stride, "panel", k);
    free(x);
    free(panel);
    free(bias);
    free(before);
    free(y.memory);
}

static void gemm_panels(void **state)
{
    (void)state;
    random_state r = random_open("gemm panels");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int n_cols = 1; n_cols <= k.panel_cols; n_cols++)
            for (int n_rows = 1; n_rows <= 14; n_rows++)
                run_panel(&r, &k, n_rows, n_cols, (size_t)random_int(&r, 0, 67), random_int(&r, 0, 2));
        run_panel(&r, &k, 64, k.panel_cols, 512, 2);
        run_panel(&r, &k, 50, k.panel_cols, 333, 1);
    }
}

static void run_group(random_state *r, const trine_kernels *k, int n_rows, int n_cols, size_t depth, int start)
{
    const size_t y_stride = (size_t)(n_cols + random_int(r, 0, 3)), width = (size_t)k->group_cols;
    float *x = take(depth * TRINE_GROUP * sizeof *x), *panel = take(depth * width * sizeof *panel);
    float *bias = take((size_t)n_cols * sizeof *bias), *before = take((size_t)n_rows * y_stride * sizeof *before);
    guarded y = guard((size_t)(n_rows - 1) * y_stride + (size_t)n_cols, (size_t)random_int(r, 0, 3));
    random_fill(r, x, depth * TRINE_GROUP, 1);
    random_fill(r, panel, depth * width, 1);
    random_fill(r, bias, (size_t)n_cols, 1);
    random_fill(r, y.at, y.n, 1);
    memcpy(before, y.at, y.n * sizeof *before);
    k->gemm_group(y.at, y_stride, x, n_rows, panel, n_cols, depth, start == 1 ? bias : NULL, start == 2);
    check_guards(&y);
    check_product(&(product) { x, panel, bias, before, 1, TRINE_GROUP, 1, width, depth, n_rows, n_cols, start }, y.at, y_stride,
                  "group", k);
    free(x);
    free(panel);
    free(bias);
    free(before);
    free(y.memory);
}

static void gemm_groups(void **state)
{
    (void)state;
    random_state r = random_open("gemm groups");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int n_cols = 1; n_cols <= k.group_cols; n_cols++)
            for (int n_rows = 1; n_rows <= TRINE_GROUP; n_rows++)
                run_group(&r, &k, n_rows, n_cols, (size_t)random_int(&r, 0, 67), random_int(&r, 0, 2));
        run_group(&r, &k, TRINE_GROUP, k.group_cols, 192, 2);
    }
}

/* Depth in two parts, as a product of more than a slice has it. */
static void run_strip(random_state *r, const trine_kernels *k, int n_rows, int n_w, size_t depth, size_t split, bool with_bias)
{
    const size_t y_stride = (size_t)(n_w + random_int(r, 0, 3)), width = (size_t)k->strip_cols, shift = (size_t)random_int(r, 0, 3);
    const size_t w_stride = depth * sizeof(float) + (size_t)random_int(r, 0, 9);
    float *x = take(depth * width * sizeof *x), *bias = take((size_t)n_w * sizeof *bias);
    float *plain = take((size_t)n_w * depth * sizeof *plain), *before = take((size_t)n_rows * y_stride * sizeof *before);
    unsigned char *w = take((size_t)n_w * w_stride + shift);
    guarded y = guard((size_t)(n_rows - 1) * y_stride + (size_t)n_w, (size_t)random_int(r, 0, 3));
    guarded sums = guard((size_t)n_w * width, 0);
    random_fill(r, x, depth * width, 1);
    random_fill(r, plain, (size_t)n_w * depth, 1);
    random_fill(r, bias, (size_t)n_w, 1);
    random_fill(r, y.at, y.n, 1);
    memcpy(before, y.at, y.n * sizeof *before);
    for (int j = 0; j < n_w; j++) memcpy(w + shift + (size_t)j * w_stride, plain + (size_t)j * depth, depth * sizeof(float));
    for (size_t from = 0, to = split; from < depth || from == 0; from = to, to = depth) {
        k->gemm_strip(&(trine_strip) { .sums = sums.at,
                                       .x = x + from * width,
                                       .n_rows = n_rows,
                                       .n_w = n_w,
                                       .w = w + shift + from * sizeof(float),
                                       .next_w = w,
                                       .next_x = x,
                                       .w_stride = w_stride,
                                       .depth = to - from,
                                       .bias = with_bias ? bias : NULL,
                                       .first = from == 0 });
        if (to == depth) break;
    }
    check_guards(&sums);
    k->transpose(y.at, y_stride, sums.at, width, n_w, n_rows);
    check_product(&(product) { x, plain, bias, before, 1, width, depth, 1, depth, n_rows, n_w, with_bias }, y.at, y_stride, "strip",
                  k);
    free(x);
    free(bias);
    free(plain);
    free(before);
    free(w);
    free(y.memory);
    free(sums.memory);
}

static void gemm_strips(void **state)
{
    (void)state;
    random_state r = random_open("gemm strips");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int n_rows = 1; n_rows <= k.strip_cols; n_rows++)
            for (int n_w = 1; n_w <= TRINE_GROUP; n_w++) {
                const int depth = random_int(&r, 1, 67);
                run_strip(&r, &k, n_rows, n_w, (size_t)depth, (size_t)random_int(&r, 1, depth), n_w & 1);
            }
        run_strip(&r, &k, k.strip_cols, TRINE_GROUP, 384, 192, true);
    }
}

static void transpositions(void **state)
{
    (void)state;
    random_state r = random_open("transpositions");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int round = 0; round < 300; round++) {
            const int rows = random_int(&r, 1, 40), cols = random_int(&r, 1, 67);
            const size_t in_stride = (size_t)(cols + random_int(&r, 0, 5)), out_stride = (size_t)(rows + random_int(&r, 0, 5));
            const size_t n_in = (size_t)(rows - 1) * in_stride + (size_t)cols,
                         n_out = (size_t)(cols - 1) * out_stride + (size_t)rows;
            unsigned char *memory = take(n_in * 4 + 1), *odd = memory + 1;
            guarded out = guard(n_out, (size_t)random_int(&r, 0, 3));
            for (size_t i = 0; i < n_in; i++) memcpy(odd + 4 * i, &(float) { (float)i }, 4);
            for (size_t i = 0; i < n_out; i++) out.at[i] = GUARD_VALUE;
            k.transpose(out.at, out_stride, odd, in_stride, rows, cols);
            check_guards(&out);
            for (int c = 0; c < cols; c++) {
                for (int i = 0; i < rows; i++)
                    assert_true(out.at[(size_t)c * out_stride + (size_t)i] == (float)((size_t)i * in_stride + (size_t)c));
                for (size_t i = (size_t)rows; i < out_stride && c + 1 < cols; i++)
                    assert_true(out.at[(size_t)c * out_stride + i] == GUARD_VALUE);
            }
            free(memory);
            free(out.memory);
        }
    }
}

static float bf16(float x) { return trine_bf16_to_f32(trine_f32_to_bf16(x)); }

static void run_bf16(random_state *r, const trine_kernels *k, int n_rows, int n_cols, int depth, bool with_bias)
{
    const size_t steps = ((size_t)depth + TRINE_BF16_STEP - 1) / TRINE_BF16_STEP,
                 group = steps * TRINE_BF16_STEP * TRINE_BF16_GROUP;
    const size_t n_groups = ((size_t)n_rows + TRINE_BF16_GROUP - 1) / TRINE_BF16_GROUP, n = (size_t)depth;
    const size_t w_stride = 2 * n + (size_t)random_int(r, 0, 5), y_stride = (size_t)(n_cols + random_int(r, 0, 3));
    float *x = take((size_t)n_rows * n * sizeof *x), *bias = take((size_t)n_cols * sizeof *bias);
    uint16_t *packed = aligned_alloc(64, n_groups * group * sizeof *packed);
    float *scratch = aligned_alloc(64, trine_bf16_scratch(n_rows, n_cols) * sizeof *scratch);
    unsigned char *w = take((size_t)(n_cols - 1) * w_stride + 2 * n + 1), *odd = w + 1; /* ends with its memory */
    guarded y = guard((size_t)(n_rows - 1) * y_stride + (size_t)n_cols, (size_t)random_int(r, 0, 3));
    assert_true(packed && scratch);
    random_fill(r, x, (size_t)n_rows * n, 1);
    random_fill(r, bias, (size_t)n_cols, 1);
    memset(packed, 0xFF, n_groups * group * sizeof *packed); /* rows past the last are not numbers */
    for (int i = 0; i < n_rows; i++)
        k->bf16_round(packed + (size_t)(i / TRINE_BF16_GROUP) * group + i % TRINE_BF16_GROUP * TRINE_BF16_STEP, x + (size_t)i * n,
                      n);
    for (int j = 0; j < n_cols; j++) random_elements(r, odd + (size_t)j * w_stride, TRINE_BF16, n);
    for (size_t i = 0; i < y.n; i++) y.at[i] = GUARD_VALUE;
    k->bf16_gemm(
        &(trine_bf16_product) { y.at, y_stride, n_rows, n_cols, depth, packed, odd, w_stride, with_bias ? bias : NULL, scratch });
    check_guards(&y);
    for (int i = 0; i < n_rows; i++) {
        for (int j = 0; j < n_cols; j++) {
            double exact = with_bias ? (double)bias[j] : 0, size = fabs(exact);
            for (size_t e = 0; e < n; e++) {
                uint16_t bits;
                memcpy(&bits, odd + (size_t)j * w_stride + 2 * e, sizeof bits);
                const double term = (double)bf16(x[(size_t)i * n + e]) * (double)trine_bf16_to_f32(bits);
                exact += term;
                size += fabs(term);
            }
            close_to(y.at[(size_t)i * y_stride + (size_t)j], exact, size, 16 * n, "bf16", (int)k->level);
        }
        for (size_t gap = (size_t)n_cols; gap < y_stride && i + 1 < n_rows; gap++)
            assert_true(y.at[(size_t)i * y_stride + gap] == GUARD_VALUE);
    }
    free(x);
    free(bias);
    free(packed);
    free(scratch);
    free(w);
    free(y.memory);
}

/* Each level that has it, in use on this processor or not. */
static void bf16_products(void **state)
{
    (void)state;
    random_state r = random_open("bf16 products");
    static const int shapes[][3] = { { 100, 70, 1000 }, { 33, 64, 256 }, { 64, 96, 777 }, { 17, 31, 2048 }, { 1, 1, 1 } };
    for (int level = TRINE_CPU_AVX512_BF16; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        if (!trine_cpu_has(level)) continue;
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
#if defined(__x86_64__)
        if (level == TRINE_CPU_AVX512_BF16) trine_kernels_avx512_bf16(&k);
#endif
        for (int i = 0; i < 5; i++) run_bf16(&r, &k, shapes[i][0], shapes[i][1], shapes[i][2], i % 2);
        for (int i = 0; i < 200; i++)
            run_bf16(&r, &k, random_int(&r, 1, 70), random_int(&r, 1, 70), random_int(&r, 1, 200), random_int(&r, 0, 1));
    }
}

/* Unpacking is exact: bit by bit what the definition in quant/ says. */
static void unpacking(void **state)
{
    (void)state;
    random_state r = random_open("unpacking");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_TYPES; t++) {
            const trine_dtype_info *info = trine_dtype_get(TYPES[t]);
            for (size_t n = 0; n <= 67 * (size_t)info->block && n <= 2560; n += (size_t)info->block) {
                const size_t bytes = bytes_of(TYPES[t], n);
                unsigned char *memory = take(bytes + 1), *odd = memory + 1;
                float *exact = take(n * sizeof *exact);
                guarded out = guard(n, (size_t)random_int(&r, 0, 3));
                random_elements(&r, odd, TYPES[t], n);
                info->unpack(exact, odd, n);
                k.unpack[TYPES[t]](out.at, odd, n);
                check_guards(&out);
                for (size_t i = 0; i < n; i++)
                    if (out.at[i] != exact[i]) fail_msg("%s at %s: element %zu", info->name, trine_cpu_name((trine_cpu)level), i);
                free(memory);
                free(exact);
                free(out.memory);
            }
        }
    }
}

/* Every half and every bfloat16 there is, and f32 of all sizes back to them: ties, subnormals, overflow, infinities. */
static void sixteen_bits(void **state)
{
    (void)state;
    random_state r = random_open("sixteen bits");
    static const trine_dtype types[] = { TRINE_F16, TRINE_BF16 };
    static uint16_t all[65536];
    static float out[65536], in[65536];
    static uint16_t packed[65536];
    for (int i = 0; i < 65536; i++) all[i] = (uint16_t)i;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < 2; t++) {
            k.unpack[types[t]](out, all, 65536);
            for (int i = 0; i < 65536; i++) {
                const float expected = t ? trine_bf16_to_f32(all[i]) : trine_f16_to_f32(all[i]);
                assert_true(isnan(expected) ? isnan(out[i]) : out[i] == expected && signbit(out[i]) == signbit(expected));
            }
            for (int i = 0; i < 65536; i++) {
                const uint32_t bits = (uint32_t)random_u64(&r) & (i % 3 ? 0xFFFFFFFFu : 0xFFFFF000u); /* a third are ties */
                memcpy(&in[i], &bits, sizeof bits);
                if (i % 5 == 0) in[i] = random_normal(&r) * powf(2, (float)random_int(&r, -30, 20));
            }
            k.pack[types[t]](packed, in, 65533);
            for (int i = 0; i < 65533; i++) {
                const uint16_t expected = t ? trine_f32_to_bf16(in[i]) : trine_f32_to_f16(in[i]);
                if (isnan(in[i]))
                    assert_true(isnan(t ? trine_bf16_to_f32(packed[i]) : trine_f16_to_f32(packed[i])));
                else
                    assert_int_equal(packed[i], expected);
            }
        }
    }
}

static void complete_tables(void **state)
{
    (void)state;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_TYPES; t++) {
            assert_true(k.unpack[TYPES[t]] != NULL);
            assert_true(t < N_PLAIN ? k.dot_tile[TYPES[t]] != NULL : k.dot_x8[TYPES[t]] != NULL);
        }
        for (int m = 0; m < TRINE_MAP_COUNT; m++) assert_true(k.map[m] != NULL);
        assert_true(k.level == (trine_cpu)level && k.gemm_panel && k.gemm_group && k.gemm_strip && k.transpose && k.layer_norm &&
                    k.rms_norm && k.add && k.multiply && k.scale);
        assert_true(k.max && k.exp_sum && k.rope_angles && k.rope_half && k.rope_interleaved);
        assert_true(k.dot_tile[TRINE_I32] == NULL && k.unpack[TRINE_I64] == NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_tables), cmocka_unit_test(dot_tiles),   cmocka_unit_test(tiles_agree),
        cmocka_unit_test(gemm_panels),     cmocka_unit_test(gemm_groups), cmocka_unit_test(gemm_strips),
        cmocka_unit_test(transpositions),  cmocka_unit_test(unpacking),   cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(bf16_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
