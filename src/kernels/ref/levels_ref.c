/* levels_ref.c - products by levels, scalar: the definition of what rows and panels of levels hold. */
#include <math.h>

#include "kernels/level_kernels.h"
#include "kernels/ref/block_level.h"
#include "kernels/ref/ref.h"

static void pack_row(uint8_t *bytes, float *scale, float *sum, const float *x, size_t n)
{
    for (size_t at = 0; at < n; at += TRINE_LEVEL_BLOCK) {
        int8_t levels[TRINE_LEVEL_BLOCK];
        const float step = trine_x8_block_ref(levels, x + at, TRINE_LEVEL_BLOCK);
        int whole = 0;
        for (size_t i = 0; i < TRINE_LEVEL_BLOCK; i++) {
            bytes[at + i] = (uint8_t)(levels[i] + TRINE_LEVEL_ZERO);
            whole += levels[i];
        }
        scale[at / TRINE_LEVEL_BLOCK] = step;
        sum[at / TRINE_LEVEL_BLOCK] = step * (float)whole;
    }
}

/* A level of 8 bits in 7, rounded, in the integers of vpmulhrsw. Not by halves: every odd level would lie between two. */
static int in_7_bits(int level) { return ((((level * 256 * TRINE_LEVEL_7 >> 14) + 1) >> 1) + 128) >> 8; }

/* Levels about 0. */
static trine_block_run run_at(const unsigned char *row, size_t column, trine_dtype type)
{
    trine_block_run w = trine_block_run_at(row, column, type);
    const int middle = trine_block_levels(type) / 2;
    w.m = fmaf((float)middle, w.d, w.m);
    for (int i = 0; i < TRINE_BLOCK_RUN; i++) w.level[i] -= middle;
    if (type != TRINE_Q8_0) return w;
    for (int i = 0; i < TRINE_BLOCK_RUN; i++) w.level[i] = in_7_bits(w.level[i]);
    w.d *= 32768.0f / TRINE_LEVEL_7;
    return w;
}

static void pack_any(trine_level_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n, trine_dtype type)
{
    const size_t part = (size_t)trine_level_part(type);
    for (int j = 0; j < n_w; j++) {
        int whole = 0; /* of a part */
        for (size_t k = 0; k < n; k += TRINE_BLOCK_RUN) {
            const size_t of_part = k / part * TRINE_LEVEL_COLS + (size_t)j,
                         of_block = k / TRINE_LEVEL_BLOCK * TRINE_LEVEL_COLS + (size_t)j;
            const trine_block_run run = run_at(w + (size_t)j * w_stride, k, type);
            for (size_t i = 0; i < TRINE_BLOCK_RUN; i++) {
                panel->bytes[(k + i) / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + i % 4] = (int8_t)run.level[i];
                whole += run.level[i];
            }
            if ((k + TRINE_BLOCK_RUN) % part) continue;
            const float zero = run.d * (float)(-TRINE_LEVEL_ZERO * whole);
            panel->d[of_part] = run.d;
            panel->zero[of_block] = k % TRINE_LEVEL_BLOCK < part ? zero : panel->zero[of_block] + zero;
            if (trine_level_has_min(type)) panel->m[of_block] = run.m;
            whole = 0;
        }
    }
}

#define PACK_LEVELS(name, type, block, bytes)                                                                                      \
    static void pack_##name(trine_level_panel *panel, const void *w, size_t w_stride, int n_w, size_t n)                           \
    {                                                                                                                              \
        pack_any(panel, w, w_stride, n_w, n, type);                                                                                \
    }
TRINE_QUANTISED_TYPES(PACK_LEVELS)
#undef PACK_LEVELS

static void gemm(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel, trine_dtype type,
                 int n_cols, size_t depth, const float *bias, bool add)
{
    const size_t part = (size_t)trine_level_part(type);
    for (int i = 0; i < n_rows; i++)
        for (int j = 0; j < n_cols; j++) {
            float *out = y + (size_t)i * y_stride + (size_t)j;
            double sum = add ? (double)*out : bias ? (double)bias[j] : 0.0;
            for (size_t b = 0; b < depth / TRINE_LEVEL_BLOCK; b++) {
                const size_t at = b * TRINE_LEVEL_COLS + (size_t)j, of_x = (size_t)i * x->scales + b;
                double of_block = (double)panel->zero[at];
                for (size_t p = b * TRINE_LEVEL_BLOCK / part; p < (b + 1) * TRINE_LEVEL_BLOCK / part; p++) {
                    int whole = 0;
                    for (size_t k = p * part; k < (p + 1) * part; k++)
                        whole += x->bytes[(size_t)i * x->stride + k] *
                                 panel->bytes[k / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + k % 4];
                    of_block += (double)panel->d[p * TRINE_LEVEL_COLS + (size_t)j] * whole;
                }
                sum += of_block * (double)x->scale[of_x];
                if (trine_level_has_min(type)) sum += (double)panel->m[at] * (double)x->sum[of_x];
            }
            *out = (float)sum;
        }
}

void trine_level_kernels_ref(trine_level_kernels *k)
{
    *k = (trine_level_kernels) { .pack_row = pack_row, .gemm = gemm };
#define SET(name, type, block, bytes) k->pack[type] = pack_##name;
    TRINE_QUANTISED_TYPES(SET)
#undef SET
}
