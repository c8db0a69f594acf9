/* Rows of x in 8 bits and their products with quantised rows of W, at every level of this machine, over odd sizes, shifted
 * pointers, memory that ends with its last block, and values at the ends of their range. */
#include <float.h>
#include <math.h>

#include "kernels/kernels.h"
#include "support/quantised_rows.h"

static size_t bytes_of(trine_dtype type, size_t n)
{
    size_t bytes = 0;
    assert_true(trine_dtype_bytes(&bytes, type, n));
    return bytes;
}

/* Rows of x: ordinary, all largest, all zero, too small to count, and of widely differing sizes. */
static void random_row(random_state *r, float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 32) {
        const int kind = random_int(r, 0, 7);
        for (size_t k = i; k < i + 32 && k < n; k++) {
            x[k] = random_normal(r);
            if (kind == 0) x[k] = random_int(r, 0, 1) ? 3.0f : -3.0f;
            if (kind == 1) x[k] = 0;
            if (kind == 2) x[k] = copysignf(1e-39f, x[k]);
            if (kind == 3) x[k] *= powf(2, (float)random_int(r, -20, 20));
            if (kind == 4) x[k] = -1e4f;
        }
    }
}

static float scale_at(const unsigned char *row, size_t n, size_t k)
{
    float scale;
    memcpy(&scale, row + trine_x8_levels(n) + k / TRINE_X8_GROUP * 32 + k % TRINE_X8_GROUP / 32 * sizeof scale, sizeof scale);
    return scale;
}

/* The same bytes at every level; each value is kept to half a level; guards stay. */
static void rows_in_8_bits(void **state)
{
    (void)state;
    random_state r = random_open("rows in 8 bits");
    trine_kernels ref, k;
    trine_kernels_init(&ref, TRINE_CPU_SCALAR);
    for (size_t n = 0; n <= 700; n++) {
        const size_t bytes = trine_x8_packed(n), shift = (size_t)random_int(&r, 0, 3);
        float *x = take((n + shift) * sizeof *x);
        unsigned char *expected = take(bytes), *got = take(bytes + GUARD);
        random_row(&r, x + shift, n);
        ref.pack_x8(expected, x + shift, n);
        for (size_t e = 0; e < n; e++) {
            const double scale = (double)scale_at(expected, n, e), value = (double)x[shift + e];
            const double bound = scale * (0.5 + 127 * 0x1p-22) + (scale == 0 ? (double)TRINE_X8_LEAST : 0);
            assert_true(fabs(value - scale * (double)(int8_t)expected[e]) <= bound);
        }
        for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
            trine_kernels_init(&k, (trine_cpu)level);
            memset(got, GUARD_BYTE, bytes + GUARD);
            k.pack_x8(got, x + shift, n);
            assert_memory_equal(got, expected, bytes);
            for (size_t i = 0; i < GUARD; i++) assert_int_equal(got[bytes + i], GUARD_BYTE);
        }
        free(x);
        free(expected);
        free(got);
    }
}

typedef struct problem {
    trine_dtype type;
    int n_x, n_w;
    size_t n, x_stride, w_stride;
    float *x;
    unsigned char *x8, *memory, *w; /* w is at an odd address and ends with its memory */
} problem;

static void pack(const trine_kernels *k, trine_dtype type, unsigned char *out, const float *x, size_t n)
{
    k->pack_x8(out, x, n);
    if (k->order_x8[type]) k->order_x8[type](out, n);
}

static problem make(random_state *r, trine_dtype type, int n_x, int n_w, size_t n)
{
    problem p = { .type = type, .n_x = n_x, .n_w = n_w, .n = n, .x_stride = trine_x8_bytes(n) + 32 * (size_t)random_int(r, 0, 2) };
    const size_t row = bytes_of(type, n);
    p.w_stride = row + (size_t)random_int(r, 0, 5);
    p.x = take((size_t)n_x * n * sizeof *p.x);
    p.x8 = take((size_t)n_x * p.x_stride);
    p.memory = take((size_t)(n_w - 1) * p.w_stride + row + 1);
    p.w = p.memory + 1;
    for (int j = 0; j < n_w; j++) random_blocks(r, p.w + (size_t)j * p.w_stride, type, n, BLOCKS_WILD);
    for (int i = 0; i < n_x; i++) random_row(r, p.x + (size_t)i * n, n);
    return p;
}

static void free_problem(problem *p)
{
    free(p->x);
    free(p->x8);
    free(p->memory);
}

/* What weights would be were all levels 0: the mins, of a format that has them. */
static void unpack_mins(float *out, const problem *p, const unsigned char *w)
{
    const trine_dtype_info *info = trine_dtype_get(p->type);
    const bool has = p->type == TRINE_Q4_1 || p->type == TRINE_Q5_1 || p->type == TRINE_Q4_K || p->type == TRINE_Q5_K;
    const size_t before = info->block == 32 ? 4 : 16, block = (size_t)info->block_bytes;
    unsigned char bare[256] = { 0 };
    for (size_t i = 0; i < p->n; i += (size_t)info->block, w += block) {
        if (has) memcpy(bare, w, before);
        info->unpack(out + i, bare, (size_t)info->block);
    }
}

/* Sums of integers are exact, so the product differs from that of x in 8 bits by the rounding of sums in f32 alone: a few units
 * for a block's own factors and one for each addition, relative to the magnitudes that are added. Those of a block with a min are
 * the products before the min is taken off: at most 32 times the largest weight, times |x|. From the product of x itself it
 * differs by half a level of each block of x besides:
 *     |x w - x8 w| <= sum over blocks of scale / 2 * sum |w|   (and TRINE_X8_LEAST |w| where x counts as zero). */
static void check_product(const problem *p, const trine_kernels *k, const float *y, size_t y_stride)
{
    const trine_dtype_info *info = trine_dtype_get(p->type);
    float *plain = take(p->n * sizeof *plain), *mins = take(p->n * sizeof *mins);
    for (int j = 0; j < p->n_w; j++) {
        info->unpack(plain, p->w + (size_t)j * p->w_stride, p->n);
        unpack_mins(mins, p, p->w + (size_t)j * p->w_stride);
        for (int i = 0; i < p->n_x; i++) {
            const unsigned char *row = p->x8 + (size_t)i * p->x_stride;
            double exact = 0, rounded = 0, size = 0, lost = 0;
            for (size_t e = 0; e < p->n; e++) {
                const double scale = (double)scale_at(row, p->n, e), x8 = scale * (double)(int8_t)row[e];
                const double w = (double)plain[e], min = (double)mins[e];
                exact += (double)p->x[(size_t)i * p->n + e] * w;
                rounded += x8 * w;
                lost += (scale * (0.5 + 127 * 0x1p-22) + (double)TRINE_X8_LEAST) * fabs(w);
                size += fabs(x8) * (fabs(w - min) + fabs(min));
            }
            const double c = (8 + (double)p->n / 128) * 0x1p-24, got = (double)y[(size_t)i * y_stride + (size_t)j];
            if (!(fabs(got - rounded) <= c * size + 1e-37) || !(fabs(got - exact) <= lost + c * size + 1e-37))
                fail_msg("%s at %s, n %zu, row %d of x, %d of W: %.9g, expected %.9g (x itself: %.9g)", info->name,
                         trine_cpu_name(k->level), p->n, i, j, got, rounded, exact);
        }
    }
    free(plain);
    free(mins);
}

static void run_product(random_state *r, const trine_kernels *k, trine_dtype type, int n_x, int n_w, size_t n)
{
    problem p = make(r, type, n_x, n_w, n);
    const size_t y_stride = (size_t)n_w + (size_t)random_int(r, 0, 3), cells = (size_t)(n_x - 1) * y_stride + (size_t)n_w;
    float *y = take((cells + GUARD) * sizeof *y), one;
    const float guard = -12345;
    for (size_t i = 0; i < cells + GUARD; i++) y[i] = guard;
    for (int i = 0; i < n_x; i++) pack(k, type, p.x8 + (size_t)i * p.x_stride, p.x + (size_t)i * n, n);
    k->dot_x8[type](y, y_stride, p.x8, p.x_stride, n_x, p.w, p.w_stride, n_w, n);
    check_product(&p, k, y, y_stride);
    for (size_t i = 0; i < cells + GUARD; i++)
        if (i >= cells || i % y_stride >= (size_t)n_w) assert_true(y[i] == guard);
    /* An element's value does not depend on its neighbours in the tile. */
    for (int i = 0; i < n_x; i++)
        for (int j = 0; j < n_w; j++) {
            k->dot_x8[type](&one, 1, p.x8 + (size_t)i * p.x_stride, p.x_stride, 1, p.w + (size_t)j * p.w_stride, p.w_stride, 1, n);
            assert_memory_equal(&one, &y[(size_t)i * y_stride + (size_t)j], sizeof one);
        }
    free(y);
    free_problem(&p);
}

static void products(void **state)
{
    (void)state;
    random_state r = random_open("products in 8 bits");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_QUANTISED; t++) {
            const size_t block = (size_t)trine_dtype_get(QUANTISED[t])->block;
            for (size_t n = 0; n <= 37 * block && n <= 2048; n += block)
                run_product(&r, &k, QUANTISED[t], random_int(&r, 1, TRINE_DOT_TILE), random_int(&r, 1, TRINE_DOT_TILE), n);
            for (int n_x = 1; n_x <= TRINE_DOT_TILE; n_x++)
                for (int n_w = 1; n_w <= TRINE_DOT_TILE; n_w++)
                    run_product(&r, &k, QUANTISED[t], n_x, n_w, block == 32 ? 608 : 768);
        }
    }
}

/* What is not finite in x makes every product with its row not a number, and no other. */
static void not_numbers(void **state)
{
    (void)state;
    random_state r = random_open("not numbers");
    static const float values[] = { NAN, -NAN, INFINITY, -INFINITY };
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int t = 0; t < N_QUANTISED; t++)
            for (int v = 0; v < 4; v++) {
                problem p = make(&r, QUANTISED[t], 2, 4, 512);
                float y[8];
                p.x[random_int(&r, 0, 511)] = values[v];
                for (int i = 0; i < 2; i++) pack(&k, QUANTISED[t], p.x8 + (size_t)i * p.x_stride, p.x + (size_t)i * 512, 512);
                k.dot_x8[QUANTISED[t]](y, 4, p.x8, p.x_stride, 2, p.w, p.w_stride, 4, 512);
                for (int j = 0; j < 4; j++) assert_true(isnan(y[j]) && isfinite(y[4 + j]));
                free_problem(&p);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_in_8_bits), cmocka_unit_test(products),
                                        cmocka_unit_test(not_numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
