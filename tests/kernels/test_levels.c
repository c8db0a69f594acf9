/* Products by levels: what the reference says a block is are the weights that unpack says (of Q8_0 all but its last bit); at every level
 * of this machine that has them, panels are byte by byte the reference's, and products are exact sums of them. Odd sizes, shifted
 * pointers, guards. */
#include <math.h>

#include "kernels/kernels.h"
#include "support/quantised_rows.h"

enum { COLS = TRINE_LEVEL_COLS, BLOCK = TRINE_LEVEL_BLOCK };

typedef struct packed {
    guarded bytes, d, m;
} packed;

static size_t parts_of(const rows_of_w *w) { return w->n / (size_t)trine_level_part(w->type); }

static trine_level_panel panel_of(const packed *p)
{
    return (trine_level_panel) { p->bytes.at, (float *)(void *)p->d.at, (float *)(void *)p->m.at };
}

static packed pack(const trine_level_kernels *k, const rows_of_w *w, size_t shift)
{
    const size_t floats = parts_of(w) * COLS * sizeof(float);
    const packed p = { guard(w->n * COLS, shift), guard(floats, 4 * (shift & 3)), guard(floats, 4 * (shift & 1)) };
    trine_level_panel panel = panel_of(&p);
    k->pack[w->type](&panel, w->at, w->stride, w->n_w, w->n);
    check_guards(&p.bytes);
    check_guards(&p.d);
    check_guards(&p.m);
    return p;
}

static void free_packed(packed *p)
{
    free(p->bytes.memory);
    free(p->d.memory);
    free(p->m.memory);
}

static int level_at(const packed *p, size_t k, int j) { return p->bytes.at[k / 4 * 4 * COLS + 4 * (size_t)j + k % 4]; }

static float float_at(const guarded *g, size_t part, int j)
{
    float f;
    memcpy(&f, g->at + (part * COLS + (size_t)j) * sizeof f, sizeof f);
    return f;
}

/* Levels of this machine whose table has these products: the pointer to one, or NULL when there is none after it. */
static bool next_table(int *level, trine_level_kernels *k)
{
    for (*level = trine_cpu_next(*level); *level < TRINE_CPU_COUNT; *level = trine_cpu_next(*level)) {
        trine_level_kernels_init(k, (trine_cpu)*level);
        if (k->gemm) return true;
    }
    return false;
}

/* Levels are the weights, to rounding; Q8_0's are half a step of it away. */
static void check_weights(const rows_of_w *w, const packed *p)
{
    float *plain = take(w->n * sizeof *plain);
    for (int j = 0; j < w->n_w; j++) {
        trine_dtype_get(w->type)->unpack(plain, w->at + (size_t)j * w->stride, w->n);
        for (size_t k = 0; k < w->n; k++) {
            const size_t part = k / (size_t)trine_level_part(w->type);
            const double product = (double)float_at(&p->d, part, j) * level_at(p, k, j), m = (double)float_at(&p->m, part, j);
            const double half = w->type == TRINE_Q8_0 ? fabs((double)float_at(&p->d, part, j)) / 4 : 0;
            if (!(fabs(product + m - (double)plain[k]) <= half + 0x1p-22 * (fabs(product) + fabs(m)) + 1e-40))
                fail_msg("%s: row %d column %zu is %.9g, expected %.9g", trine_dtype_name(w->type), j, k, product + m,
                         (double)plain[k]);
        }
    }
    free(plain);
}

static void check_same(const rows_of_w *w, const packed *got, const packed *expected, int level)
{
    for (int j = 0; j < w->n_w; j++)
        for (size_t k = 0; k < w->n; k++) {
            const size_t part = k / (size_t)trine_level_part(w->type);
            if (level_at(got, k, j) != level_at(expected, k, j) || float_at(&got->d, part, j) != float_at(&expected->d, part, j) ||
                float_at(&got->m, part, j) != float_at(&expected->m, part, j))
                fail_msg("%s at %s, row %d column %zu: level %d, d %.9g, m %.9g; expected %d, %.9g, %.9g",
                         trine_dtype_name(w->type), trine_cpu_name((trine_cpu)level), j, k, level_at(got, k, j),
                         (double)float_at(&got->d, part, j), (double)float_at(&got->m, part, j), level_at(expected, k, j),
                         (double)float_at(&expected->d, part, j), (double)float_at(&expected->m, part, j));
        }
}

static void panels(void **state)
{
    (void)state;
    random_state r = random_open("panels of levels");
    trine_level_kernels ref, k;
    trine_level_kernels_ref(&ref);
    for (int t = 0; t < N_QUANTISED; t++) {
        const size_t block = (size_t)trine_dtype_get(QUANTISED[t])->block;
        for (size_t n = block; n <= 1280; n += block * (size_t)random_int(&r, 1, 3))
            for (int n_w = 1; n_w <= COLS; n_w += random_int(&r, 1, 4)) {
                const rows_of_w w = make_rows(&r, QUANTISED[t], n_w, n, BLOCKS_WILD);
                packed expected = pack(&ref, &w, 0);
                check_weights(&w, &expected);
                for (int level = TRINE_CPU_SCALAR; next_table(&level, &k);) {
                    packed got = pack(&k, &w, (size_t)random_int(&r, 0, 9));
                    check_same(&w, &got, &expected, level);
                    free_packed(&got);
                }
                free_packed(&expected);
                free(w.memory);
            }
    }
}

/* ---- products ---- */

/* Rows of x as the path prepares them: all bytes are `fill`, or anything where that is 0. */
typedef struct rows_of_x {
    int8_t *bytes;
    float *scale, *sum;
    trine_level_rows rows;
} rows_of_x;

static rows_of_x make_x(random_state *r, trine_dtype type, int n_rows, size_t n, int fill)
{
    const size_t part = (size_t)trine_level_part(type), stride = n + (size_t)random_int(r, 0, 40);
    const size_t scales = n / BLOCK + (size_t)random_int(r, 0, 2), sums = n / part + (size_t)random_int(r, 0, 2);
    rows_of_x x = { take((size_t)n_rows * stride),
                    take((size_t)n_rows * scales * sizeof(float)),
                    take((size_t)n_rows * sums * sizeof(float)),
                    { NULL } };
    for (size_t i = 0; i < (size_t)n_rows; i++) {
        for (size_t b = 0; b < n / BLOCK; b++) x.scale[i * scales + b] = fill ? 1 : fabsf(random_normal(r)) + 0.01f;
        for (size_t p = 0; p < n / part; p++) {
            int whole = 0;
            for (size_t k = p * part; k < (p + 1) * part; k++)
                whole += x.bytes[i * stride + k] = (int8_t)(fill ? fill : random_int(r, -127, 127));
            x.sum[i * sums + p] = x.scale[i * scales + p * part / BLOCK] * (float)whole;
        }
    }
    x.rows = (trine_level_rows) { x.bytes, x.scale, x.sum, stride, scales, sums };
    return x;
}

static void free_x(rows_of_x *x)
{
    free(x->bytes);
    free(x->scale);
    free(x->sum);
}

/* y within rounding of f32 of exact sums over what x and W have become; nothing beside it touched. start: 0 from nothing, 1 from
 * a bias, 2 from y itself. */
static void run_product(random_state *r, const trine_level_kernels *k, const rows_of_w *w, int n_rows, int start, int fill)
{
    const size_t n = w->n, part = (size_t)trine_level_part(w->type), y_stride = (size_t)w->n_w + (size_t)random_int(r, 0, 3);
    const size_t n_y = (size_t)(n_rows - 1) * y_stride + (size_t)w->n_w;
    rows_of_x x = make_x(r, w->type, n_rows, n, fill);
    float *before = take(n_y * sizeof *before), bias[COLS];
    packed p = pack(k, w, 1);
    const trine_level_panel panel = panel_of(&p);
    guarded out = guard(n_y * sizeof(float), 4 * (size_t)random_int(r, 0, 3));
    float *y = (float *)(void *)out.at;
    random_fill(r, y, n_y, 1);
    random_fill(r, bias, COLS, 1);
    memcpy(before, y, n_y * sizeof *before);
    k->gemm(y, y_stride, &x.rows, n_rows, &panel, w->type, w->n_w, n, start == 1 ? bias : NULL, start == 2);
    check_guards(&out);
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < w->n_w; j++) {
            const size_t at = (size_t)i * y_stride + (size_t)j;
            double exact = start == 1 ? (double)bias[j] : start == 2 ? (double)before[at] : 0, size = fabs(exact);
            for (size_t q = 0; q < n / part; q++) {
                int whole = 0;
                for (size_t e = q * part; e < (q + 1) * part; e++)
                    whole += x.bytes[(size_t)i * x.rows.stride + e] * level_at(&p, e, j);
                const double a =
                    (double)float_at(&p.d, q, j) * (double)x.scale[(size_t)i * x.rows.scales + q * part / BLOCK] * whole;
                const double b = (double)float_at(&p.m, q, j) * (double)x.sum[(size_t)i * x.rows.sums + q];
                exact += a + b;
                size += fabs(a) + fabs(b);
            }
            if (!(fabs((double)y[at] - exact) <= (4 + 2 * (double)(n / part)) * 0x1p-24 * size + 1e-37))
                fail_msg("%s, [%d, %zu] x %d rows, y[%d][%d]: %.9g, expected %.9g", trine_dtype_name(w->type), w->n_w, n, n_rows, i,
                         j, (double)y[at], exact);
        }
    for (size_t i = 0; i + 1 < (size_t)n_rows; i++)
        for (size_t gap = i * y_stride + (size_t)w->n_w; gap < (i + 1) * y_stride; gap++)
            assert_memory_equal(&y[gap], &before[gap], sizeof(float));
    free_x(&x);
    free(before);
    free_packed(&p);
    free(out.memory);
}

static void products(void **state)
{
    (void)state;
    random_state r = random_open("products of levels");
    trine_level_kernels k;
    trine_level_kernels_ref(&k);
    int level = TRINE_CPU_SCALAR;
    do {
        for (int t = 0; t < N_QUANTISED; t++)
            for (int round = 0; round < 30; round++) {
                const size_t block = (size_t)trine_dtype_get(QUANTISED[t])->block;
                const rows_of_w w = make_rows(&r, QUANTISED[t], round < COLS ? round + 1 : random_int(&r, 1, COLS),
                                              block * (size_t)random_int(&r, 1, block == 256 ? 3 : 20), BLOCKS_WILD);
                run_product(&r, &k, &w, round % 13 + 1, round % 3, 0);
                free(w.memory);
            }
    } while (next_table(&level, &k));
}

/* The largest levels and bytes there are, of both signs: nothing saturates in 16 bits. */
static void largest_sums(void **state)
{
    (void)state;
    random_state r = random_open("largest sums of levels");
    trine_level_kernels k;
    for (int level = TRINE_CPU_SCALAR; next_table(&level, &k);)
        for (int t = 0; t < N_QUANTISED; t++) {
            const rows_of_w w = make_rows(&r, QUANTISED[t], COLS, 512, BLOCKS_FULL);
            run_product(&r, &k, &w, 5, 0, 127);
            run_product(&r, &k, &w, 5, 0, -127);
            free(w.memory);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(panels), cmocka_unit_test(products), cmocka_unit_test(largest_sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
