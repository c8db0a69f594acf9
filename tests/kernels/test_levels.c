/* Products by levels: what the reference says a block is are the weights that unpack says (of Q8_0 within a level of 7 bits); at every level
 * of this machine that has them, rows and panels are byte by byte the reference's, and products are exact sums of them. Odd sizes, shifted
 * pointers, guards. */
#include <math.h>

#include "kernels/kernels.h"
#include "support/quantised_rows.h"

enum { COLS = TRINE_LEVEL_COLS, BLOCK = TRINE_LEVEL_BLOCK };

typedef struct packed {
    guarded bytes, d, zero, m;
} packed;

static size_t part_of(const rows_of_w *w) { return (size_t)trine_level_part(w->type); }

static trine_level_panel panel_of(const packed *p, trine_dtype type)
{
    return (trine_level_panel) { (int8_t *)p->bytes.at, (float *)(void *)p->d.at, (float *)(void *)p->zero.at,
                                 trine_level_has_min(type) ? (float *)(void *)p->m.at : NULL };
}

static packed pack(const trine_level_kernels *k, const rows_of_w *w, size_t shift)
{
    const size_t line = COLS * sizeof(float);
    const packed p = { guard(w->n * COLS, shift), guard(w->n / part_of(w) * line, 4 * (shift & 3)),
                       guard(w->n / BLOCK * line, 4 * (shift & 1)), guard(w->n / BLOCK * line, 4 * (shift & 3)) };
    trine_level_panel panel = panel_of(&p, w->type);
    k->pack[w->type](&panel, w->at, w->stride, w->n_w, w->n);
    check_guards(&p.bytes);
    check_guards(&p.d);
    check_guards(&p.zero);
    check_guards(&p.m);
    return p;
}

static void free_packed(packed *p)
{
    free(p->bytes.memory);
    free(p->d.memory);
    free(p->zero.memory);
    free(p->m.memory);
}

static int level_at(const packed *p, size_t k, int j) { return (int8_t)p->bytes.at[k / 4 * 4 * COLS + 4 * (size_t)j + k % 4]; }

static float float_at(const guarded *g, size_t line, int j)
{
    float f;
    memcpy(&f, g->at + (line * COLS + (size_t)j) * sizeof f, sizeof f);
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

/* The weight that levels say. */
static double weight_at(const rows_of_w *w, const packed *p, size_t k, int j)
{
    const double m = trine_level_has_min(w->type) ? (double)float_at(&p->m, k / BLOCK, j) : 0;
    return (double)float_at(&p->d, k / part_of(w), j) * level_at(p, k, j) + m;
}

/* Levels are the weights, to rounding; Q8_0's are half a level of 7 bits away, and what the rounding of its factor adds. `zero` is what x's
 * zero brings, less. */
static void check_weights(const rows_of_w *w, const packed *p)
{
    float *plain = take(w->n * sizeof *plain);
    for (int j = 0; j < w->n_w; j++) {
        double zero = 0, size = 0;
        trine_dtype_get(w->type)->unpack(plain, w->at + (size_t)j * w->stride, w->n);
        for (size_t k = 0; k < w->n; k++) {
            const double d = (double)float_at(&p->d, k / part_of(w), j), got = weight_at(w, p, k, j);
            const double half = w->type == TRINE_Q8_0 ? 0.505 * fabs(d) : 0;
            if (!(fabs(got - (double)plain[k]) <= half + 0x1p-22 * (fabs(d) * 32 + fabs((double)plain[k])) + 1e-40))
                fail_msg("%s: row %d column %zu is %.9g, expected %.9g", trine_dtype_name(w->type), j, k, got, (double)plain[k]);
            zero -= d * level_at(p, k, j) * TRINE_LEVEL_ZERO;
            size += fabs(d * level_at(p, k, j) * TRINE_LEVEL_ZERO);
            if ((k + 1) % BLOCK) continue;
            if (!(fabs((double)float_at(&p->zero, k / BLOCK, j) - zero) <= 0x1p-22 * size + 1e-40))
                fail_msg("%s: row %d, zero of block %zu is %.9g, expected %.9g", trine_dtype_name(w->type), j, k / BLOCK,
                         (double)float_at(&p->zero, k / BLOCK, j), zero);
            zero = size = 0;
        }
    }
    free(plain);
}

static void check_same(const rows_of_w *w, const packed *got, const packed *expected, int level)
{
    for (int j = 0; j < w->n_w; j++)
        for (size_t k = 0; k < w->n; k++) {
            const size_t part = k / part_of(w), block = k / BLOCK;
            const bool min = trine_level_has_min(w->type);
            if (level_at(got, k, j) != level_at(expected, k, j) || float_at(&got->d, part, j) != float_at(&expected->d, part, j) ||
                float_at(&got->zero, block, j) != float_at(&expected->zero, block, j) ||
                (min && float_at(&got->m, block, j) != float_at(&expected->m, block, j)))
                fail_msg("%s at %s, row %d column %zu: level %d, d %.9g, zero %.9g; expected %d, %.9g, %.9g; or their mins",
                         trine_dtype_name(w->type), trine_cpu_name((trine_cpu)level), j, k, level_at(got, k, j),
                         (double)float_at(&got->d, part, j), (double)float_at(&got->zero, block, j), level_at(expected, k, j),
                         (double)float_at(&expected->d, part, j), (double)float_at(&expected->zero, block, j));
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

/* ---- rows of x ---- */

/* Blocks of any size, of nothing, and one that is no number. */
static void rows(void **state)
{
    (void)state;
    random_state r = random_open("rows of levels");
    trine_level_kernels ref, k;
    trine_level_kernels_ref(&ref);
    for (int level = TRINE_CPU_SCALAR; next_table(&level, &k);)
        for (int round = 0; round < 40; round++) {
            const size_t n = BLOCK * (size_t)random_int(&r, 1, 40), blocks = n / BLOCK;
            float *x = take(n * sizeof *x), *numbers[2] = { take(2 * blocks * sizeof(float)), take(2 * blocks * sizeof(float)) };
            uint8_t *expected = take(n);
            random_fill(&r, x, n, 1);
            for (size_t b = 0; b < blocks; b++) {
                const float times[] = { 1, 1, 0, 1e30f, 1e-30f, 0x1p-130f };
                const float by = times[random_int(&r, 0, 5)];
                for (size_t i = 0; i < BLOCK; i++) x[b * BLOCK + i] *= by;
                if (random_int(&r, 0, 9) == 0) x[b * BLOCK + (size_t)random_int(&r, 0, 31)] = round % 3 ? NAN : -INFINITY;
            }
            guarded got = guard(n, (size_t)random_int(&r, 0, 9));
            ref.pack_row(expected, numbers[0], numbers[0] + blocks, x, n);
            k.pack_row(got.at, numbers[1], numbers[1] + blocks, x, n);
            check_guards(&got);
            assert_memory_equal(got.at, expected, n);
            for (size_t i = 0; i < n; i++) {
                const double scale = (double)numbers[0][i / BLOCK], back = scale * (expected[i] - TRINE_LEVEL_ZERO);
                assert_in_range(expected[i], 1, 255);
                if (isfinite(scale) && !(fabs(back - (double)x[i]) <= 0.50001 * scale + 0x1p-120)) fail_msg("%zu is %g", i, back);
            }
            for (size_t i = 0; i < 2 * blocks; i++)
                assert_true(numbers[0][i] == numbers[1][i] || (isnan(numbers[0][i]) && isnan(numbers[1][i])));
            free(got.memory);
            free(expected);
            free(x);
            free(numbers[0]);
            free(numbers[1]);
        }
}

/* ---- products ---- */

/* Rows of x as the path prepares them: all bytes are `fill` from their zero, or anything where that is 0. */
typedef struct rows_of_x {
    uint8_t *bytes;
    float *scale, *sum;
    trine_level_rows rows;
} rows_of_x;

static rows_of_x make_x(random_state *r, int n_rows, size_t n, int fill)
{
    const size_t stride = n + (size_t)random_int(r, 0, 40), scales = n / BLOCK + (size_t)random_int(r, 0, 2);
    rows_of_x x = { take((size_t)n_rows * stride),
                    take((size_t)n_rows * scales * sizeof(float)),
                    take((size_t)n_rows * scales * sizeof(float)),
                    { NULL } };
    for (size_t i = 0; i < (size_t)n_rows; i++)
        for (size_t b = 0; b < n / BLOCK; b++) {
            int whole = 0;
            x.scale[i * scales + b] = fill ? 1 : fabsf(random_normal(r)) + 0.01f;
            for (size_t k = b * BLOCK; k < (b + 1) * BLOCK; k++) {
                const int level = fill ? fill : random_int(r, -127, 127);
                x.bytes[i * stride + k] = (uint8_t)(TRINE_LEVEL_ZERO + level);
                whole += level;
            }
            x.sum[i * scales + b] = x.scale[i * scales + b] * (float)whole;
        }
    x.rows = (trine_level_rows) { x.bytes, x.scale, x.sum, stride, scales };
    return x;
}

static void free_x(rows_of_x *x)
{
    free(x->bytes);
    free(x->scale);
    free(x->sum);
}

/* y within rounding of f32 of exact products of what x and W have become; nothing beside it touched. start: 0 from nothing, 1 from
 * a bias, 2 from y itself. */
static void run_product(random_state *r, const trine_level_kernels *k, const rows_of_w *w, int n_rows, int start, int fill)
{
    const size_t n = w->n, y_stride = (size_t)w->n_w + (size_t)random_int(r, 0, 3);
    const size_t n_y = (size_t)(n_rows - 1) * y_stride + (size_t)w->n_w;
    rows_of_x x = make_x(r, n_rows, n, fill);
    float *before = take(n_y * sizeof *before), bias[COLS];
    packed p = pack(k, w, 1);
    const trine_level_panel panel = panel_of(&p, w->type);
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
            for (size_t e = 0; e < n; e++) {
                const double scale = (double)x.scale[(size_t)i * x.rows.scales + e / BLOCK], weight = weight_at(w, &p, e, j);
                exact += scale * (x.bytes[(size_t)i * x.rows.stride + e] - TRINE_LEVEL_ZERO) * weight;
                /* The zero of x is part of each sum, and comes out of it. */
                size += scale * 2 * TRINE_LEVEL_ZERO *
                        (fabs(weight) + fabs((double)float_at(&p.d, e / part_of(w), j) * level_at(&p, e, j)));
            }
            if (!(fabs((double)y[at] - exact) <= (4 + 2 * (double)(n / part_of(w))) * 0x1p-24 * size + 1e-37))
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
        for (int t = 0; t < N_QUANTISED; t++)
            for (blocks_kind kind = BLOCKS_FULL; kind <= BLOCKS_LEAST; kind++) {
                const rows_of_w w = make_rows(&r, QUANTISED[t], COLS, 512, kind);
                run_product(&r, &k, &w, 5, 0, 127);
                run_product(&r, &k, &w, 5, 0, -127);
                free(w.memory);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(panels), cmocka_unit_test(rows), cmocka_unit_test(products),
                                        cmocka_unit_test(largest_sums) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
