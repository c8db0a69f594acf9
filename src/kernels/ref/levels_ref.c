/* levels_ref.c - products by levels, scalar: the definition of what panels of levels hold. */
#include "kernels/level_kernels.h"
#include "kernels/ref/block_level.h"
#include "kernels/ref/ref.h"

/* Q8_0 gives up its last bit: level 2l or 2l + 1 becomes l, between them. */
static trine_block_run run_at(const unsigned char *row, size_t column, trine_dtype type)
{
    trine_block_run w = trine_block_run_at(row, column, type);
    if (type != TRINE_Q8_0) return w;
    for (int i = 0; i < TRINE_BLOCK_RUN; i++) w.level[i] /= 2;
    w.m += w.d / 2;
    w.d *= 2;
    return w;
}

static void pack_any(trine_level_panel *panel, const unsigned char *w, size_t w_stride, int n_w, size_t n, trine_dtype type)
{
    const size_t part = (size_t)trine_level_part(type);
    for (int j = 0; j < n_w; j++)
        for (size_t k = 0; k < n; k += TRINE_BLOCK_RUN) {
            const trine_block_run run = run_at(w + (size_t)j * w_stride, k, type);
            panel->d[k / part * TRINE_LEVEL_COLS + (size_t)j] = run.d;
            panel->m[k / part * TRINE_LEVEL_COLS + (size_t)j] = run.m;
            for (size_t i = 0; i < TRINE_BLOCK_RUN; i++)
                panel->bytes[(k + i) / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + i % 4] = (uint8_t)run.level[i];
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
            for (size_t p = 0; p < depth / part; p++) {
                const size_t at = p * TRINE_LEVEL_COLS + (size_t)j;
                int whole = 0;
                for (size_t k = p * part; k < (p + 1) * part; k++)
                    whole +=
                        x->bytes[(size_t)i * x->stride + k] * panel->bytes[k / 4 * 4 * TRINE_LEVEL_COLS + 4 * (size_t)j + k % 4];
                sum += (double)panel->d[at] * (double)x->scale[(size_t)i * x->scales + p * part / TRINE_LEVEL_BLOCK] * whole +
                       (double)panel->m[at] * (double)x->sum[(size_t)i * x->sums + p];
            }
            *out = (float)sum;
        }
}

void trine_level_kernels_ref(trine_level_kernels *k)
{
    *k = (trine_level_kernels) { .gemm = gemm };
#define SET(name, type, block, bytes) k->pack[type] = pack_##name;
    TRINE_QUANTISED_TYPES(SET)
#undef SET
}
